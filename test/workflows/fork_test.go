//go:build workflows

package workflows_test

import (
	"strings"
	"testing"
)

// A fork's pull request is verified with a read-only token and without secrets, whether it is right or
// wrong. Neither writes anything.
func TestAForksPullRequest(t *testing.T) {
	o := newOrganisation(t)
	for _, c := range []struct {
		name, version string
		ok            bool
		says          string
	}{
		{"one that is right", "0.2.0-rc10", true, "all is right"},
		{"one that names what is not there", "0.2.0-rc99", false, "::error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			o.T = t
			sha := o.forked("scripts/load-more.sh", "kind load docker-image ghcr.io/kubestellar/ocm-status-addon:"+c.version+"\n")
			before, requests := o.state(), len(o.Requests())
			for _, occasion := range o.proposed(core, 77, sha, true) {
				if done := o.run(occasion); done.ok != c.ok || !strings.Contains(done.log, c.says) {
					t.Errorf("success: %t, want %t, with %q:\n%s", done.ok, c.ok, c.says, done.log)
				}
			}
			o.same(before)
			for _, r := range o.Requests()[requests:] {
				if r.Effect {
					t.Errorf("saw %s %s%s", r.Method, r.Host, r.Path)
				}
			}
		})
	}
}

// forked creates a commit on main with one more file. No branch contains it, as for a fork's pull
// request.
func (o *organisation) forked(name, text string) string {
	o.T.Helper()
	dir := o.clone(core, "main")
	o.Must(writeFile(dir, name, text))
	o.git(dir, "add", "--all")
	o.git(dir, "commit", "--quiet", "--message", "Load more")
	o.git(dir, "push", "--quiet", "--force", "origin", "HEAD:refs/pull/77/head")
	return o.git(dir, "rev-parse", "HEAD")
}

// If only half of the App's configuration is there, the run fails before it writes. Without the App,
// GITHUB_TOKEN is used, and a warning explains the consequences.
func TestWithoutTheApp(t *testing.T) {
	o := newOrganisation(t)
	o.released(osa, "0.2.0-rc11")
	c := o.event("workflow_dispatch")
	setIn(&c, "inputs", "version", "0.2.0-rc11")
	before := o.state()
	c.lacks = "key"
	// act may lose the output of a step that ends within some milliseconds, as this one does.
	if done := o.run(c); done.ok || !strings.Contains(done.log, "Failure - Main Check the App's configuration") {
		t.Errorf("without the key, success: %t\n%s", done.ok, done.log)
	}
	o.same(before)
	c.lacks = "all"
	if done := o.run(c); !done.ok || !strings.Contains(done.log, "no App is configured") || !strings.Contains(done.log, "pull request 1 opened") {
		t.Errorf("without the App, success: %t\n%s", done.ok, done.log)
	}
	if p := o.onePull("ocm-status-addon", "0.2.0-rc11"); p.Author != "github-actions[bot]" {
		t.Errorf("the pull request is %s's", p.Author)
	}
}

// A release whose downstreams cannot be notified fails before anything is published.
func TestReleaseWithoutTheApp(t *testing.T) {
	o := newOrganisation(t)
	c := occasion{repository: osa, workflow: ".github/workflows/release.yml", event: "push", ref: "refs/tags/v0.2.0-rc11", lacks: "all"}
	dir := o.clone(osa, "main")
	c.sha = o.git(dir, "rev-parse", "HEAD")
	o.git(dir, "tag", "v0.2.0-rc11")
	o.git(dir, "push", "--quiet", "origin", "v0.2.0-rc11")
	before := o.state()
	if done := o.run(c); done.ok ||
		!strings.Contains(done.log, "no permission to write to kubestellar/kubestellar: "+
			"the token (GITHUB_TOKEN) is from an App or a workflow and only has access to "+osa+":") {
		t.Errorf("success: %t\n%s", done.ok, done.log)
	}
	o.absent("ghcr.io/kubestellar/ocm-status-addon", "0.2.0-rc11")
	o.same(before)
}
