//go:build workflows

package workflows_test

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
)

// occasion is an event that starts a workflow.
type occasion struct {
	repository, workflow string // path of the workflow's file
	event                string
	ref, sha             string
	payload              map[string]any
	fork                 bool   // the pull request is from a fork
	actor                string // "" is a maintainer
	lacks                string // missing part of the App's configuration: "key" or "all"
}

// outcome is the result of a run of a workflow.
type outcome struct {
	occasion
	ok  bool
	log string // including the job's summaries
}

var othersAction = regexp.MustCompile(`uses: (actions/([a-z-]+)@[0-9a-f]{40})`)

// standIns returns act's arguments that replace other people's actions, each under the name by which
// the organisation calls it. act handles a checkout of the job's own repository itself.
func (o *organisation) standIns() []string {
	o.T.Helper()
	folders, err := filepath.Glob(filepath.Join("testdata", "actions", "*"))
	o.Must(err)
	folder, called := map[string]string{}, map[string]bool{}
	for _, path := range folders {
		folder[filepath.Base(path)], err = filepath.Abs(path)
		o.Must(err)
	}
	var args []string
	o.Must(filepath.WalkDir(filepath.Join(o.Dir, "seed"), func(path string, entry fs.DirEntry, err error) error {
		if err != nil || filepath.Ext(path) != ".yml" {
			return err
		}
		for _, m := range othersAction.FindAllStringSubmatch(read(path), -1) {
			if at := folder[m[2]]; at != "" && !slices.Contains(args, m[1]+"="+at) {
				args = append(args, "--local-repository", m[1]+"="+at)
				called[m[2]] = true
			}
		}
		return nil
	}))
	if len(called) != len(folder) {
		o.T.Fatalf("the organisation calls %d actions with stand-ins, want all %d", len(called), len(folder))
	}
	return args
}

// run runs a workflow with act as GitHub's runner would. It uses a clone at the commit and the job's
// own token. It passes secrets unless the event is a fork's, and no other credentials.
func (o *organisation) run(c occasion) outcome {
	o.T.Helper()
	dir, err := os.MkdirTemp(o.Dir, "run-*")
	o.Must(err)
	defer os.RemoveAll(dir)
	work := filepath.Join(dir, "work")
	o.git(o.Dir, "clone", "--quiet", "https://github.com/"+c.repository, work)
	o.git(work, "fetch", "--quiet", "origin", c.sha) // no branch may contain it
	o.git(work, "checkout", "--quiet", "--detach", c.sha)
	token := o.jobToken(c, work)
	defer o.Forge.RevokeToken(token)
	cmd := exec.Command("act", o.arguments(c, dir, token)...) // from the tests' own PATH
	cmd.Dir, cmd.Env = work, o.runnerEnvironment(dir)
	out, err := cmd.CombinedOutput()
	if _, exited := err.(*exec.ExitError); err != nil && !exited {
		o.T.Fatal(err)
	}
	done := outcome{occasion: c, ok: err == nil, log: shown(out)}
	o.hub.note(done)
	return done
}

func (o *organisation) arguments(c occasion, dir, token string) []string {
	event, err := json.Marshal(o.describe(c))
	o.Must(err)
	secrets, variables := "GITHUB_TOKEN="+token+"\n", ""
	if !c.fork && c.lacks == "" {
		secrets += fmt.Sprintf("APP_PRIVATE_KEY=%q\n", o.key)
	}
	if !c.fork && c.lacks != "all" {
		variables = "APP_CLIENT_ID=" + app + "\n"
	}
	for name, text := range map[string]string{"event.json": string(event), "secrets": secrets, "variables": variables, "none": ""} {
		o.Must(os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600))
	}
	return append([]string{c.event, "--workflows", c.workflow, "--eventpath", filepath.Join(dir, "event.json"), "--json",
		"--platform", "ubuntu-24.04=-self-hosted", "--no-cache-server", "--artifact-server-addr", "127.0.0.1", "--cache-server-addr", "127.0.0.1",
		"--secret-file", filepath.Join(dir, "secrets"), "--var-file", filepath.Join(dir, "variables"), "--env-file", filepath.Join(dir, "none"),
		"--input-file", filepath.Join(dir, "none"), "--actor", cmp.Or(c.actor, "maintainer")}, o.others...)
}

// describe returns the fields of the event that our workflows read.
func (o *organisation) describe(c occasion) map[string]any {
	owner, name, _ := strings.Cut(c.repository, "/")
	event := map[string]any{
		"repository": map[string]any{
			"full_name": c.repository, "name": name, "private": false, "default_branch": "main", "owner": map[string]any{"login": owner},
		},
		"sender": map[string]any{"login": cmp.Or(c.actor, "maintainer")},
	}
	if c.event != "repository_dispatch" {
		event["ref"] = c.ref
	}
	for key, value := range c.payload {
		event[key] = value
	}
	return event
}

// runnerEnvironment returns the organisation's environment without credentials, because a job only has
// those that its workflow passes.
func (o *organisation) runnerEnvironment(dir string) []string {
	own := map[string]string{
		"HOME": filepath.Join(dir, "home"), "XDG_CACHE_HOME": filepath.Join(dir, "cache"), "XDG_CONFIG_HOME": filepath.Join(dir, "home", ".config"),
		"XDG_DATA_HOME": filepath.Join(dir, "home", ".local"), "DOCKER_CONFIG": filepath.Join(dir, "home", ".docker"),
		"GIT_CONFIG_GLOBAL": filepath.Join(dir, "none"),
		"PATH":              commands(),
		"TMPDIR":            filepath.Join(dir, "tmp"),
	}
	o.Must(os.MkdirAll(own["TMPDIR"], 0o755))
	o.Must(os.MkdirAll(own["HOME"], 0o755))
	o.Must(os.MkdirAll(filepath.Join(own["XDG_CACHE_HOME"], "act"), 0o755))
	o.Must(os.MkdirAll(filepath.Join(o.Dir, "tools"), 0o755))
	o.Must(os.Symlink(filepath.Join(o.Dir, "tools"), filepath.Join(own["XDG_CACHE_HOME"], "act", "tool_cache")))
	var env []string
	for _, pair := range o.env {
		key, _, _ := strings.Cut(pair, "=")
		if _, replaced := own[key]; !replaced && key != "GITHUB_TOKEN" {
			env = append(env, pair)
		}
	}
	for key, value := range own {
		env = append(env, key+"="+value)
	}
	return env
}

// commands returns the machine's PATH without the tools of this repository, because a job only has
// those that its actions set up.
func commands() string {
	return strings.Join(slices.DeleteFunc(filepath.SplitList(os.Getenv("PATH")), func(dir string) bool {
		return strings.HasSuffix(filepath.Clean(dir), filepath.Join(".tools", "bin"))
	}), string(filepath.ListSeparator))
}

// shown returns the log in act's JSON lines.
func shown(out []byte) string {
	var log strings.Builder
	for line := range strings.Lines(string(out)) {
		var entry struct{ Msg string }
		if json.Unmarshal([]byte(line), &entry) != nil {
			entry.Msg = line
		}
		log.WriteString(strings.TrimRight(entry.Msg, "\n") + "\n")
	}
	return log.String()
}

func read(path string) string {
	data, err := os.ReadFile(path)
	if err != nil {
		return ""
	}
	return string(data)
}

// perform runs the workflow of a run that the fake GitHub started for a dispatch.
func (o *organisation) perform(r forge.Run) (conclusion string) {
	payload := map[string]any{}
	if r.Event == "workflow_dispatch" {
		payload["inputs"] = r.Inputs
	} else {
		payload["action"], payload["client_payload"] = "upstream-released", r.ClientPayload
	}
	c := occasion{repository: r.Repository, workflow: r.Workflow, event: r.Event, ref: "refs/heads/" + r.Branch, sha: r.SHA, payload: payload}
	if o.run(c).ok {
		return "success"
	}
	return "failure"
}
