//go:build workflows

package workflows_test

import (
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"
	"sync"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
)

// hub does GitHub's work between an event and a job. The fake GitHub itself starts runs for
// dispatches. act ignores filters of tags, permissions, and the rules for calling workflows.
type hub struct {
	mu   sync.Mutex
	done []outcome
	seen map[string]bool // events that have started their workflows
}

func (h *hub) note(r outcome) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.done = append(h.done, r)
}

// since returns the runs after the first n.
func (h *hub) since(n int) []outcome {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Clone(h.done[n:])
}

// settle starts the workflows of new tags and pull requests, until all have ended.
func (o *organisation) settle() {
	o.T.Helper()
	for {
		o.await()
		news := slices.Concat(o.newTags(), o.newPulls())
		if len(news) == 0 {
			return
		}
		for _, c := range news {
			o.run(c)
		}
	}
}

var repositories = []string{here, "kubestellar/kubeflex", "kubestellar/kubestellar", "kubestellar/ocm-status-addon", "kubestellar/ocm-transport-plugin"}

// await waits for the runs of dispatches.
func (o *organisation) await() {
	for _, repository := range repositories {
		for _, r := range o.Forge.Runs(repository) {
			for r.Status != "completed" {
				time.Sleep(20 * time.Millisecond)
				all := o.Forge.Runs(repository)
				r = all[slices.IndexFunc(all, func(one forge.Run) bool { return one.ID == r.ID })]
			}
		}
	}
}

// once reports whether an event is new.
func (o *organisation) once(what string) bool {
	first := !o.hub.seen[what]
	o.hub.seen[what] = true
	return first
}

func (o *organisation) newTags() []occasion {
	var all []occasion
	for _, repository := range repositories {
		for _, tag := range o.tags(repository) {
			if !o.once(repository + " refs/tags/" + tag) {
				continue
			}
			commit := o.git(o.Forge.RepositoryDir(repository), "rev-parse", "refs/tags/"+tag+"^{commit}")
			for _, w := range o.workflows(repository, commit) {
				if w.takesTag(tag) {
					all = append(all, occasion{repository: repository, workflow: w.path, event: "push", ref: "refs/tags/" + tag, sha: commit})
				}
			}
		}
	}
	return all
}

func (o *organisation) newPulls() []occasion {
	var all []occasion
	for _, repository := range repositories {
		for _, p := range o.Forge.PullRequests(repository) {
			if p.State == "open" && o.once(fmt.Sprintf("%s %d %s", repository, p.Number, p.HeadSHA)) {
				all = append(all, o.proposed(repository, p.Number, p.HeadSHA, false)...)
			}
		}
	}
	return all
}

// proposed returns the runs that a pull request starts, from a branch of the repository or from a
// fork.
func (o *organisation) proposed(repository string, number int, sha string, fork bool) []occasion {
	var all []occasion
	head := map[string]any{"sha": sha, "repo": map[string]any{"full_name": repository, "fork": fork}}
	for _, w := range o.workflows(repository, sha) {
		if w.onPull {
			pull := map[string]any{"number": number, "head": head, "base": map[string]any{"ref": "main"}}
			all = append(all, occasion{
				repository: repository, workflow: w.path, event: "pull_request",
				ref: fmt.Sprintf("refs/pull/%d/merge", number), sha: sha, fork: fork,
				payload: map[string]any{"number": number, "pull_request": pull},
			})
		}
	}
	return all
}

// workflow is the part of a workflow's file that the hub reads.
type workflow struct {
	path    string
	Trigger yaml.Node `yaml:"on"`
	onPush  struct{ Tags []string }
	onPull  bool
	Jobs    map[string]job
}

type job struct {
	Uses        string
	Permissions permissions
}

type permissions map[string]string

func (o *organisation) workflows(repository, commit string) []workflow {
	o.T.Helper()
	var all []workflow
	names := o.git(o.Forge.RepositoryDir(repository), "ls-tree", "--name-only", commit, ".github/workflows/")
	for name := range strings.FieldsSeq(names) {
		all = append(all, o.workflow(repository, commit, name))
	}
	return all
}

func (o *organisation) workflow(repository, commit, name string) workflow {
	o.T.Helper()
	w, err := parseWorkflow(o.file(repository, commit, name))
	if err != nil {
		o.T.Fatalf("%s of %s: %v", name, repository, err)
	}
	w.path = name
	return w
}

func parseWorkflow(text string) (workflow, error) {
	var w workflow
	if err := yaml.Unmarshal([]byte(text), &w); err != nil {
		return w, err
	}
	var events map[string]yaml.Node
	switch w.Trigger.Kind {
	case yaml.ScalarNode:
		events = map[string]yaml.Node{w.Trigger.Value: {}}
	case yaml.MappingNode:
		if err := w.Trigger.Decode(&events); err != nil {
			return w, err
		}
	}
	_, w.onPull = events["pull_request"]
	push := events["push"]
	return w, push.Decode(&w.onPush)
}

// takesTag applies GitHub's filter. Our workflows only use *.
func (w workflow) takesTag(tag string) bool {
	return slices.ContainsFunc(w.onPush.Tags, func(pattern string) bool {
		fits, err := path.Match(pattern, tag)
		return err == nil && fits
	})
}

// jobToken returns the GITHUB_TOKEN of a run with the permissions of its jobs, because act ignores
// them. All jobs of a run share one token. A fork's token can only read.
func (o *organisation) jobToken(c occasion, work string) string {
	o.T.Helper()
	given := forge.Permissions{}
	for name, j := range o.workflow(c.repository, c.sha, c.workflow).Jobs {
		for permission, level := range o.granted(c, name, j) {
			if c.fork {
				level = "read"
			}
			if permission != "id-token" {
				given[strings.ReplaceAll(permission, "-", "_")] = level
			}
		}
	}
	token, err := o.Forge.AddToken(forge.Token{Kind: forge.WorkflowToken, Repositories: map[string]forge.Permissions{c.repository: given}})
	o.Must(err)
	return token
}

// granted returns the permissions of a job, including those of a workflow that it calls. GitHub starts
// no workflow that requests more than its caller has.
func (o *organisation) granted(c occasion, name string, j job) permissions {
	o.T.Helper()
	if j.Uses == "" {
		return j.Permissions
	}
	repository, commit, file := c.repository, c.sha, strings.TrimPrefix(j.Uses, "./")
	if !strings.HasPrefix(j.Uses, "./") {
		at, version, _ := strings.Cut(j.Uses, "@")
		parts := strings.SplitN(at, "/", 3)
		repository, file = parts[0]+"/"+parts[1], parts[2]
		commit = o.git(o.Forge.RepositoryDir(repository), "rev-parse", version+"^{commit}")
	}
	asked := permissions{}
	for _, inner := range o.workflow(repository, commit, file).Jobs {
		maps.Copy(asked, inner.Permissions)
	}
	for permission, level := range asked {
		if has := j.Permissions[permission]; has != level && has != "write" {
			o.T.Fatalf("job %s of %s has %s: %q, and the workflow that it calls requests %s", name, c.workflow, permission, has, level)
		}
	}
	return asked
}
