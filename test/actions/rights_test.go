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

// jobs visits the jobs of all workflows, in order.
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

// checkReasons checks that a comment gives the reason for each write permission.
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

// checkConcurrency checks that jobs with write permissions run one at a time and are not cancelled.
func checkConcurrency(t *tree, say report) {
	t.jobs(func(w workflow, id string, j job) {
		if !j.writes("contents", "packages") || callsOurs(j) != "" {
			return // the jobs of a called workflow are checked there
		}
		c := &j.Concurrency
		if c.Kind == 0 {
			c = &w.Concurrency
		}
		cancel := get(c, "cancel-in-progress").Value
		if get(c, "group").Value == "" || cancel != "false" {
			say(w.document, w.line(id), "job %s writes, and has concurrency group %q, cancel-in-progress %q: want a group, and false",
				id, get(c, "group").Value, cancel)
		}
	})
}

var gitPush = regexp.MustCompile(`\bgit\b.*\bpush\b`)

// onlyPrivate keeps the token only if git cannot fetch without it. ghhelper fetches, too.
const onlyPrivate = "${{ github.event.repository.private }}"

// checkCredentials checks that checkout does not keep the token. A token in the clone's configuration
// is readable by every later step of the job.
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

var bumps = regexp.MustCompile(`\bghhelper bump\b`)

// checkHistory checks that a job that bumps fetches the history, which is evidence for a bump.
func checkHistory(t *tree, say report) {
	isBump := func(s step) bool {
		return strings.Contains(s.Uses.Value, "/actions/bump-references") || bumps.MatchString(s.Run.Value)
	}
	for _, u := range t.units {
		if u.composite || !slices.ContainsFunc(u.steps, isBump) {
			continue
		}
		for _, s := range u.steps {
			if strings.HasPrefix(s.Uses.Value, "actions/checkout@") && s.With["fetch-depth"] != "0" {
				say(u.document, s.Uses.Line, "%s: a job that bumps fetches one commit, want fetch-depth: 0", u.name)
			}
		}
	}
}

// checkAttestations checks that a job that attests grants the permissions for it. Otherwise the action
// skips the attestation, unless it is required.
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

// attests checks one level of actions, because our actions do not call each other.
func (t *tree) attests(s step) bool {
	folder, own := ownAction(s)
	return isAttest(s) || own && slices.ContainsFunc(t.actions, func(a action) bool {
		return a.folder() == folder && slices.ContainsFunc(a.Runs.Steps, isAttest)
	})
}

func isAttest(s step) bool { return strings.HasPrefix(s.Uses.Value, "actions/attest@") }

// releaseWorkflow is started by a pushed tag.
const releaseWorkflow = ".github/workflows/release.yml"

// workflow returns the workflow in a file, and reports a missing one.
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

// declared is the list of downstreams in delivery.yaml, each "owner/name".
type declared struct{ Downstreams []string }

// checkReleaseToken checks that the App's token covers the downstreams and no other repository. The
// release itself uses GITHUB_TOKEN.
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

// tokens visits the steps that create a token, in a workflow and in the workflows that it calls. given
// are the values of their inputs.
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

// checkTokens checks that each token of the App is limited to the rights that it needs.
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

// reach returns the repositories that a token step requests.
func reach(s step) []string {
	names := strings.FieldsFunc(s.With["repositories"], func(c rune) bool { return strings.ContainsRune(", \n", c) })
	for i, name := range names {
		names[i] = path.Join(s.With["owner"], name)
	}
	slices.Sort(names)
	return names
}
