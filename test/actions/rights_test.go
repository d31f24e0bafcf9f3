package actions_test

import (
	"fmt"
	"io/fs"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// jobs of all workflows, in order.
func (t *tree) jobs(visit func(w workflow, id string, j job)) {
	for _, w := range t.workflows {
		for _, id := range slices.Sorted(maps.Keys(w.Jobs)) {
			visit(w, id, w.Jobs[id])
		}
	}
}

func (w workflow) line(id string) int {
	key, _ := entry(get(w.node, "jobs"), id)
	return key.Line
}

func checkPermissions(t *tree, say report) {
	for _, w := range t.workflows {
		if p := w.Permissions; p.Kind != yaml.MappingNode || len(p.Content) > 0 {
			say(w.document, max(1, p.Line), "want permissions: {} at the top, so that each job names its own")
		}
	}
	t.jobs(func(w workflow, id string, j job) {
		if j.Permissions.Kind != yaml.MappingNode {
			say(w.document, w.line(id), "job %s has no list of permissions", id)
		}
	})
}

// checkReasons: what a job may write has its reason beside it.
func checkReasons(t *tree, say report) {
	t.jobs(func(w workflow, id string, j job) {
		for i := 1; i < len(j.Permissions.Content); i += 2 {
			key, value := j.Permissions.Content[i-1], j.Permissions.Content[i]
			if value.Value == "write" && key.HeadComment+value.LineComment == "" {
				say(w.document, key.Line, "job %s: %s: write has no reason beside it, in a comment", id, key.Value)
			}
		}
	})
}

func checkTimeout(t *tree, say report) {
	t.jobs(func(w workflow, id string, j job) {
		if j.Uses.Value == "" && j.Timeout == 0 {
			say(w.document, w.line(id), "job %s has no timeout-minutes, and GitHub's is six hours", id)
		}
	})
}

func (j job) writes(scopes ...string) bool {
	return slices.ContainsFunc(scopes, func(scope string) bool { return get(&j.Permissions, scope).Value == "write" })
}

// checkConcurrency: what writes runs one at a time, and to its end.
func checkConcurrency(t *tree, say report) {
	t.jobs(func(w workflow, id string, j job) {
		if !j.writes("contents", "packages") || callsOurs(j) != "" {
			return // a called workflow's own jobs are looked at
		}
		c := &j.Concurrency
		if c.Kind == 0 {
			c = &w.Concurrency
		}
		cancel := get(c, "cancel-in-progress").Value
		if get(c, "group").Value == "" || cancel != "false" {
			say(w.document, w.line(id), "job %s writes, and has concurrency group %q, cancel-in-progress %q: want a group, and false", id, get(c, "group").Value, cancel)
		}
	})
}

var gitPush = regexp.MustCompile(`\bgit\b.*\bpush\b`)

// onlyPrivate keeps the token where git cannot fetch without: ghhelper fetches, too.
const onlyPrivate = "${{ github.event.repository.private }}"

// checkCredentials: a token in the clone's configuration is within reach of
// all that runs in the job.
func checkCredentials(t *tree, say report) {
	for _, u := range t.units {
		pushes := slices.ContainsFunc(u.steps, func(s step) bool { return gitPush.MatchString(s.Run.Value) })
		for _, s := range u.steps {
			if !strings.HasPrefix(s.Uses.Value, "actions/checkout@") {
				continue
			}
			if u.composite {
				say(u.document, s.Uses.Line, "%s: an action checks out, and so changes its caller's folder", u.name)
			}
			if keeps := s.With["persist-credentials"]; keeps != "false" && keeps != onlyPrivate && !pushes {
				say(u.document, s.Uses.Line, "%s: checkout keeps the token, want persist-credentials: false", u.name)
			}
		}
	}
}

// checkAttestations: a job that attests, itself or by an action of ours, grants
// what that takes; else the action passes over it, where it is left to choose.
func checkAttestations(t *tree, say report) {
	t.jobs(func(w workflow, id string, j job) {
		if !slices.ContainsFunc(j.Steps, t.attests) {
			return
		}
		for _, scope := range []string{"id-token", "attestations"} {
			if !j.writes(scope) {
				say(w.document, w.line(id), "job %s attests, and does not grant %s: write", id, scope)
			}
		}
	})
}

// attests looks one action deep: ours call none of ours.
func (t *tree) attests(s step) bool {
	folder, own := ownAction(s)
	return isAttest(s) || own && slices.ContainsFunc(t.actions, func(a action) bool {
		return a.folder() == folder && slices.ContainsFunc(a.Runs.Steps, isAttest)
	})
}

func isAttest(s step) bool { return strings.HasPrefix(s.Uses.Value, "actions/attest@") }

// releaseWorkflow is what a pushed tag starts.
const releaseWorkflow = ".github/workflows/release.yml"

// workflow finds a workflow by its file, and says so if there is none.
func (t *tree) workflow(file string, say report) (workflow, bool) {
	at := slices.IndexFunc(t.workflows, func(w workflow) bool { return w.path == file })
	if at < 0 {
		say(document{path: file}, 0, "there is none")
		return workflow{}, false
	}
	return t.workflows[at], true
}

func checkReleaseTags(t *tree, say report) {
	w, ok := t.workflow(releaseWorkflow, say)
	if !ok {
		return
	}
	push := get(&w.On, "push")
	var tags []string
	if err := get(push, "tags").Decode(&tags); err != nil || !slices.Equal(tags, []string{"v*"}) || !slices.Equal(keys(push), []string{"tags"}) {
		say(w.document, w.On.Line, "saw push of %v with tags %q, want tags v* alone", keys(push), tags)
	}
}

// declared is what delivery.yaml says of who is told, each "owner/name".
type declared struct{ Downstreams []string }

// checkReleaseToken: the App's token reaches the downstreams, and no other
// repository: the release itself is made with GITHUB_TOKEN.
func checkReleaseToken(t *tree, say report) {
	w, ok := t.workflow(releaseWorkflow, say)
	if !ok {
		return
	}
	want, err := t.told()
	if err != nil {
		say(w.document, 0, "%v", err)
	}
	t.tokens(w, nil, func(d document, id string, s step) {
		if got := reach(s); !slices.Equal(got, want) {
			say(d, s.Uses.Line, "job %s: saw a token for %q, want one for %q, the downstreams of delivery.yaml", id, got, want)
		}
	})
}

// tokens are the steps that make a token in a workflow and in those that it calls,
// with the values of what they are given.
func (t *tree) tokens(w workflow, given map[string]string, visit func(d document, id string, s step)) {
	for _, id := range slices.Sorted(maps.Keys(w.Jobs)) {
		for _, s := range w.Jobs[id].Steps {
			if isToken(s) {
				s.With = w.resolved(s.With, given)
				visit(w.document, id, s)
			}
		}
		if callee, ok := t.callee(w.Jobs[id]); ok {
			t.tokens(callee, w.resolved(w.Jobs[id].With, given), visit)
		}
	}
}

func isToken(s step) bool { return strings.HasPrefix(s.Uses.Value, "actions/create-github-app-token@") }

// checkTokens: a token of the App has no more rights than it needs.
func checkTokens(t *tree, say report) {
	t.jobs(func(w workflow, id string, j job) {
		for _, s := range j.Steps {
			named := func(input string) bool { return strings.HasPrefix(input, "permission-") }
			if isToken(s) && !slices.ContainsFunc(slices.Collect(maps.Keys(s.With)), named) {
				say(w.document, s.Uses.Line, "job %s: saw a token with all rights of the App, want permission-…", id)
			}
		}
	})
}

func (t *tree) told() ([]string, error) {
	data, err := fs.ReadFile(t.fsys, "delivery.yaml")
	if err != nil {
		return nil, err
	}
	var d declared
	if err := yaml.Unmarshal(data, &d); err != nil {
		return nil, fmt.Errorf("delivery.yaml: %w", err)
	}
	return slices.Sorted(slices.Values(d.Downstreams)), nil
}

// reach are the repositories that a token step asks for.
func reach(s step) []string {
	names := strings.FieldsFunc(s.With["repositories"], func(c rune) bool { return strings.ContainsRune(", \n", c) })
	for i, name := range names {
		names[i] = path.Join(s.With["owner"], name)
	}
	slices.Sort(names)
	return names
}
