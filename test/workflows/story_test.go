//go:build workflows

package workflows_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	outcomes "github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
)

const (
	core  = "kubestellar/kubestellar"
	osa   = "kubestellar/ocm-status-addon"
	otp   = "kubestellar/ocm-transport-plugin"
	title = ":seedling: Bump %s to %s"
)

// The organisation's life, from an upstream's release to the charts that depend on kubestellar's. Each
// step begins with the result of the one before.
func TestTheOrganisationReleases(t *testing.T) {
	o := newOrganisation(t)
	steps := []struct {
		name string
		do   func(*organisation)
	}{
		{"a tag publishes the status add-on, and its pins move", statusAddonArrives},
		{"telling the same again changes nothing", toldAgain},
		{"a newer release moves the open pull request", newerRelease},
		{"an older release changes nothing", olderRelease},
		{"the transport plugin starts the bump by hand, and waits for it", transportPluginByHand},
		{"kubeflex builds a snapshot", kubeflexBuilds},
		{"kubestellar's release is followed by the charts'", chartsFollow},
	}
	for _, step := range steps {
		ok := t.Run(step.name, func(t *testing.T) {
			o.T = t
			step.do(o)
		})
		if !ok {
			return // later steps would only fail because of it
		}
	}
}

func statusAddonArrives(o *organisation) {
	runs := o.during(func() { o.push(osa, "v0.2.0-rc11") })
	o.all(runs, "push release.yml, repository_dispatch bump.yml, pull_request verify.yml")
	o.published("ghcr.io/kubestellar/ocm-status-addon", "0.2.0-rc11")
	o.published("ghcr.io/kubestellar/ocm-status-addon-chart", "v0.2.0-rc11")
	o.absent("ghcr.io/kubestellar/ocm-status-addon", "v0.2.0-rc11")
	o.absent("ghcr.io/kubestellar/ocm-status-addon-chart", "0.2.0-rc11")
	pull := o.onePull("ocm-status-addon", "0.2.0-rc11")
	if !slices.Equal(pull.Labels, []string{"dependencies"}) || pull.Author != "mover[bot]" || !strings.HasPrefix(pull.Body, "## Summary\n") {
		o.T.Errorf("the pull request is %+v", pull)
	}
	o.signedOff(pull)
	o.moved(pull, "0.2.0-rc10", "0.2.0-rc11", 3)
}

func toldAgain(o *organisation) {
	before := o.state()
	runs := o.during(func() {
		o.dispatch(core, "ocm-status-addon", "v0.2.0-rc11")
		o.tell(core, map[string]any{"component": "ocm-status-addon", "version": "0.2.0-rc11", "id": "once more"})
	})
	o.all(runs, "workflow_dispatch bump.yml, repository_dispatch bump.yml")
	for _, r := range runs {
		contains(o.T, r.log, "pull request 1 up to date")
	}
	o.same(before)
}

func newerRelease(o *organisation) {
	person := o.Person("reviewer")
	pull := o.onePull("ocm-status-addon", "0.2.0-rc11")
	o.Must(person.Comment(core, pull.Number, "Tried it, works."))
	sha, err := person.Push(core, pull.Head, "Say more\n\nSigned-off-by: Reviewer <r@example.com>", map[string]string{"NOTES": "by hand\n"})
	o.Must(err)
	o.all(o.during(func() {}), "pull_request verify.yml")
	runs := o.during(func() { o.push(osa, "v0.2.0-rc12") })
	o.all(runs, "push release.yml, repository_dispatch bump.yml, pull_request verify.yml")
	pull = o.onePull("ocm-status-addon", "0.2.0-rc12")
	if pull.Number != 1 || len(pull.Comments) != 1 {
		o.T.Errorf("saw pull request %d with %d comments, want 1 with the one that was there", pull.Number, len(pull.Comments))
	}
	o.git(o.Forge.RepositoryDir(core), "merge-base", "--is-ancestor", sha, pull.HeadSHA)
	o.signedOff(pull)
	o.moved(pull, "0.2.0-rc1[01]", "0.2.0-rc12", 3)
}

func olderRelease(o *organisation) {
	before := o.state()
	runs := o.during(func() { o.dispatch(core, "ocm-status-addon", "0.2.0-rc11") })
	o.all(runs, "workflow_dispatch bump.yml")
	contains(o.T, runs[0].log, "0.2.0-rc12")
	contains(o.T, runs[0].log, "Summary - ### Bump ocm-status-addon to 0.2.0-rc11\n\nnothing to do: pull request 1 proposes 0.2.0-rc12")
	o.same(before)
}

func transportPluginByHand(o *organisation) {
	runs := o.during(func() { o.push(otp, "v0.1.11") })
	o.all(runs, "push release.yml")
	o.published("ghcr.io/kubestellar/ocm-transport-plugin/transport-controller", "0.1.11")
	o.published("ghcr.io/kubestellar/ocm-transport-plugin/chart/ocm-transport-plugin", "0.1.11")
	runs = o.during(func() { o.start(otp, "tell.yml", map[string]any{"version": "v0.1.11"}) })
	o.all(runs, "workflow_dispatch bump.yml, workflow_dispatch tell.yml, pull_request verify.yml")
	pull := o.onePull("ocm-transport-plugin", "0.1.11")
	contains(o.T, runs[1].log, fmt.Sprintf("it came to success and to https://github.com/%s/pull/%d", core, pull.Number))
	o.signedOff(pull)
	o.moved(pull, "0.1.10", "0.1.11", 2)
}

func kubeflexBuilds(o *organisation) {
	before := o.state()
	runs := o.during(func() { o.start("kubestellar/kubeflex", "build.yml", map[string]any{}) })
	o.all(runs, "workflow_dispatch build.yml")
	contains(o.T, runs[0].log, "of "+o.git(o.Forge.RepositoryDir("kubestellar/kubeflex"), "rev-parse", "main"))
	contains(o.T, runs[0].log, "  kubeflex_")
	o.same(before)
}

func chartsFollow(o *organisation) {
	maintainer := o.Person("maintainer")
	o.Must(maintainer.Merge(core, 1))
	// Both pull requests change neighbouring lines. The second one therefore conflicts until it is
	// made again.
	o.all(o.during(func() { o.dispatch(core, "ocm-transport-plugin", "0.1.11") }), "workflow_dispatch bump.yml, pull_request verify.yml")
	o.Must(maintainer.Merge(core, 2))
	runs := o.during(func() { o.push(core, "v0.31.0") })
	o.all(runs, "push release.yml, repository_dispatch bump.yml, push release.yml, repository_dispatch bump.yml, pull_request verify.yml")
	o.published("ghcr.io/kubestellar/kubestellar/controller-manager", "0.31.0")
	o.published("ghcr.io/kubestellar/kubestellar/controller-manager-chart", "0.31.0")
	o.published("ghcr.io/kubestellar/kubestellar/core-chart", "0.31.0")
	if tags := o.tags(here); !slices.Contains(tags, "v0.31.0") {
		o.T.Errorf("%s has the tags %q", here, tags)
	}
	contains(o.T, runs[2].log, "0 refuted")
	o.signedOff(o.onePull("actions", "0.31.0"))
}

// during returns the runs that act starts, in order.
func (o *organisation) during(act func()) []outcome {
	o.T.Helper()
	before := len(o.hub.since(0))
	act()
	o.settle()
	return o.hub.since(before)
}

// all checks that the runs are "EVENT FILE, …" and succeeded.
func (o *organisation) all(runs []outcome, want string) {
	o.T.Helper()
	var saw []string
	for _, r := range runs {
		saw = append(saw, r.event+" "+strings.TrimPrefix(r.workflow, ".github/workflows/"))
		if !r.ok {
			o.T.Errorf("%s %s of %s failed:\n%s", r.event, r.workflow, r.repository, r.log)
		}
	}
	if got := strings.Join(saw, ", "); got != want {
		o.T.Fatalf("saw the runs %s; want %s", got, want)
	}
}

// api sends a request to the API as a maintainer.
func (o *organisation) api(method, path string, body any) {
	o.T.Helper()
	text, err := json.Marshal(body)
	o.Must(err)
	req, err := http.NewRequestWithContext(o.T.Context(), method, "https://api.github.com"+path, strings.NewReader(string(text)))
	o.Must(err)
	req.Header.Set("Authorization", "Bearer "+o.Token())
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: o.Transport()}).Do(req)
	o.Must(err)
	defer resp.Body.Close()
	if resp.StatusCode >= 300 {
		o.T.Fatalf("%s %s: %s", method, path, resp.Status)
	}
}

// start starts a workflow by hand.
func (o *organisation) start(repository, file string, inputs map[string]any) {
	o.T.Helper()
	o.api("POST", "/repos/"+repository+"/actions/workflows/"+file+"/dispatches", map[string]any{"ref": "main", "inputs": inputs})
	o.await()
}

// dispatch starts bump.yml by hand.
func (o *organisation) dispatch(repository, component, version string) {
	o.T.Helper()
	o.start(repository, "bump.yml", map[string]any{"component": component, "version": version})
}

// tell sends a repository_dispatch.
func (o *organisation) tell(repository string, payload any) {
	o.T.Helper()
	o.api("POST", "/repos/"+repository+"/dispatches", map[string]any{"event_type": "upstream-released", "client_payload": payload})
	o.await()
}

// published checks that a tag is public. absent checks that it does not exist.
func (o *organisation) published(at, tag string) {
	o.T.Helper()
	if _, err := o.digest(at, tag); err != nil {
		o.T.Errorf("%s:%s does not exist: %v", at, tag, err)
	}
}

func (o *organisation) absent(at, tag string) {
	o.T.Helper()
	if digest, err := o.digest(at, tag); !errors.Is(err, outcomes.ErrAbsent) {
		o.T.Errorf("%s:%s is %s, %v, want no such tag", at, tag, digest, err)
	}
}

func (o *organisation) digest(at, tag string) (string, error) {
	registry := o.Anonymous()
	return registry.Digest(o.T.Context(), at, tag)
}

func (o *organisation) onePull(component, version string) forge.PullRequest {
	o.T.Helper()
	var open []forge.PullRequest
	for _, p := range o.Forge.PullRequests(core) {
		if p.State == "open" && p.Head == "bump-"+component {
			open = append(open, p)
		}
	}
	if len(open) != 1 || open[0].Title != fmt.Sprintf(title, component, version) {
		o.T.Fatalf("saw the open pull requests %+v, want one of %s %s", open, component, version)
	}
	return open[0]
}

// signedOff checks that each commit of the App has a sign-off for the Developer Certificate of Origin.
func (o *organisation) signedOff(p forge.PullRequest) {
	o.T.Helper()
	for commit := range strings.FieldsSeq(o.git(o.Forge.RepositoryDir(core), "log", "--format=%H", "main.."+p.HeadSHA)) {
		text := o.git(o.Forge.RepositoryDir(core), "show", "--no-patch", "--format=%an <%ae>%n%B", commit)
		author, message, _ := strings.Cut(text, "\n")
		if strings.HasPrefix(author, "mover[bot]") && !strings.Contains(message, "Signed-off-by: "+author) {
			o.T.Errorf("commit %s is not signed off by its author:\n%s", commit, text)
		}
	}
}

// moved checks that the files of a pull request contain the new version in so many places, and the old
// one, a regular expression, nowhere.
func (o *organisation) moved(p forge.PullRequest, old, now string, places int) {
	o.T.Helper()
	dir := o.clone(core, p.Head)
	var saw, left int
	for _, name := range strings.Fields(o.git(dir, "ls-files")) {
		text := read(filepath.Join(dir, name))
		saw += strings.Count(text, now)
		left += len(regexp.MustCompile(old).FindAllString(text, -1))
	}
	if saw != places || left > 0 {
		o.T.Errorf("saw %s in %d places, and %s in %d, want %d and none", now, saw, old, left, places)
	}
}

// state returns everything in the organisation that a bump could change.
func (o *organisation) state() string {
	o.T.Helper()
	var b strings.Builder
	for _, repository := range repositories {
		fmt.Fprintf(&b, "%s\n%s\n", repository, o.git(o.Forge.RepositoryDir(repository), "for-each-ref"))
		for _, p := range o.Forge.PullRequests(repository) {
			fmt.Fprintf(&b, "%+v\n", p)
		}
	}
	return b.String()
}

func (o *organisation) same(before string) {
	o.T.Helper()
	if after := o.state(); after != before {
		o.T.Errorf("something has changed; before:\n%s\nafter:\n%s", before, after)
	}
}

func contains(t testing.TB, text, want string) {
	t.Helper()
	if !strings.Contains(text, want) {
		t.Errorf("saw\n%s\nwant %q in it", text, want)
	}
}
