package prove_test

import (
	"maps"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/prove"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/testkit"
)

// TestProve releases once, since that takes long, and proves that release in all ways. Each part
// restores what it changes.
func TestProve(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, part := range []struct {
		name string
		test func(*testing.T, *stage)
	}{
		{"asking only", onlyAsks},
		{"with credentials", provenWithCredentials},
		{"of a lightweight tag", provenLightweight},
		{"of a known source", holdsTheTag},
		{"of who declares nothing", undeclared},
		{"without checksums", unlisted},
		{"of a private package", private},
		{"lies", tellLies},
		{"faults", sufferFaults},
		{"attested", attested},
	} {
		t.Run(part.name, func(t *testing.T) { part.test(t, s) })
	}
}

// onlyAsks checks that a proof only reads, without credentials.
func onlyAsks(t *testing.T, s *stage) {
	for _, r := range s.asked(t) {
		if ask := r.Method == http.MethodGet || r.Method == http.MethodHead || strings.HasSuffix(r.Path, "/git-upload-pack"); !ask || r.Effect {
			t.Errorf("%s https://%s%s", r.Method, r.Host, r.Path)
		}
	}
	if refused := s.Refused(); len(refused) > 0 {
		t.Errorf("it wanted to ask %q", refused)
	}
}

// asked returns the requests of one successful proof.
func (s *stage) asked(t *testing.T) []networktest.Request {
	t.Helper()
	n := len(s.Requests())
	wholly(t, s.prove(t))
	return s.Requests()[n:]
}

func provenWithCredentials(t *testing.T, s *stage) {
	p := s.owner(t)
	p.Registry, p.Forge = s.OCI(), s.For(t).GitHub(s.Token())
	wholly(t, look(t, p))
}

func provenLightweight(t *testing.T, s *stage) {
	s.moveTag(t, owned, "v0.2.0", s.commit)
	proof := look(t, s.owner(t))
	wholly(t, proof)
	if says := proof.Associations[0].Evidence; says != "lightweight, on commit "+s.commit {
		t.Errorf("the tag is %q", says)
	}
}

// holdsTheTag checks that a release in progress knows its source and compares the tag with it.
func holdsTheTag(t *testing.T, s *stage) {
	p := s.owner(t)
	at, err := p.Repo.CommitTime(t.Context(), s.commit)
	testkit.Must(t, err)
	tree, err := p.Repo.Snapshot(t.Context(), s.commit)
	testkit.Must(t, err)
	p.Source = &prove.Source{Commit: s.commit, Time: at, Tree: tree, File: s.file, Self: "app", Declares: true}
	wholly(t, look(t, p))
	p.Source.Commit = s.other
	tag := look(t, p).Associations[0]
	if want := "it is on commit " + s.commit + ", want " + s.other; tag.State != report.Refuted || !strings.HasPrefix(tag.Evidence, want) {
		t.Errorf("%s; want it refuted, saying %q", line(tag), want)
	}
}

// undeclared checks a tag without a declaration: the artifacts declared locally are checked, and
// claims about the source are not refuted.
func undeclared(t *testing.T, s *stage) {
	p := s.prover(t)
	p.Component, p.Version, p.Rebuild = "addon", parse(t, "2.0.0"), nil
	proof := look(t, p)
	states := map[string]report.State{}
	for _, a := range proof.Associations {
		states[a.Rule] = a.State
	}
	want := map[string]report.State{
		"git-tag": report.Proven, "declared": report.Unchecked, "chart-exists": report.Proven,
		"chart-version": report.Proven, "chart-revision": report.Proven, "chart-renders": report.Proven,
		"chart-own": report.Proven, "chart-runs": report.Proven, "chart-files": report.Unchecked, "chart-bytes": report.Unchecked, "public": report.Proven,
	}
	if !maps.Equal(states, want) {
		t.Errorf("states %v, want %v", states, want)
	}
	if code := outcome.Of(proof.Err(report.AcceptStandIns)); code != outcome.Unchecked {
		t.Errorf("it ends with code %d, want %d", code, outcome.Unchecked)
	}
	t.Run("silent", func(t *testing.T) {
		s.write(t, addonChart, "2.0.0", s.repackage(t, addonChart, "2.0.0", func(fstest.MapFS) {}, func(said map[string]string) {
			delete(said,
				oci.KeyRevision)
		}))
		unrefuted(t, look(t, p))
		open(t, look(t, p), "chart-revision", "so it does not say")
	})
	// Its own components are those of the tag, not of the local declaration or of components in
	// lock step.
	names := func(t *testing.T, args string) {
		s.pushChart(t, addonChart, "2.0.0", func(files fstest.MapFS) {
			files["templates/names.yaml"] = &fstest.MapFile{Data: []byte("args: [" + args + "]\n")}
		})
	}
	t.Run("names another version of itself", func(t *testing.T) {
		names(t, `"oci://`+addonChart+`", "--version", "1.0.0"`)
		proof := look(t, p)
		if len(proof.Findings) != 1 || proof.Findings[0].Rule != "chart-own" {
			t.Errorf("refuted: %v", proof.Findings)
		}
	})
	t.Run("names who is in lock step with who asks", func(t *testing.T) {
		names(t, `"`+engineImage+`:`+version+`"`)
		unrefuted(t, look(t, p))
	})
}

// unlisted checks that the archives' origin is unknown without the list.
func unlisted(t *testing.T, s *stage) {
	s.attach(t, "checksums.txt", nil)
	p := s.owner(t)
	p.Rebuild = nil
	open(t, look(t, p), "asset-checksum", "the release has no file of checksums")
}

// private checks that private artifacts are not refuted.
func private(t *testing.T, s *stage) {
	s.Registry("ghcr.io").SetPrivate("example/charts/core-chart", true)
	t.Cleanup(func() { s.Registry("ghcr.io").SetPrivate("example/charts/core-chart", false) })
	p := s.owner(t)
	p.Registry = s.OCI()
	p.Resolver = s.resolver(p.Registry, p.Repo)
	open(t, look(t, p), "public", "seen with credentials only")
	open(t, look(t, s.owner(t)), "chart-exists", "it does not exist, or is private")
}

// open fails unless something by the rule could not be checked, and nothing is refuted.
func open(t *testing.T, proof *report.Proof, rule, says string) {
	t.Helper()
	unrefuted(t, proof)
	if !slices.ContainsFunc(proof.Unchecked, func(a report.Association) bool { return a.Rule == rule && strings.Contains(a.Evidence, says) }) {
		t.Errorf("nothing by %s could not be checked, saying %q: %+v", rule, says, proof.Unchecked)
	}
}

// unrefuted fails unless something could not be checked, and nothing is refuted.
func unrefuted(t *testing.T, proof *report.Proof) {
	t.Helper()
	for _, a := range proof.Findings {
		t.Errorf("%s", line(a))
	}
	if code := outcome.Of(proof.Err(report.RefuseStandIns)); code != outcome.Unchecked {
		t.Errorf("it ends with code %d, want %d", code, outcome.Unchecked)
	}
}

// sufferFaults makes each query of a proof fail, and each kind of query in each way. A failed query
// refutes nothing, and the proof is not complete.
func sufferFaults(t *testing.T, s *stage) {
	faults := []networktest.Fault{{Status: http.StatusInternalServerError}, {Status: http.StatusForbidden}, {CutAfter: true}}
	for kind, questions := range questions(s.asked(t)) {
		for i := range max(len(questions), len(faults)) {
			t.Run(kind, func(t *testing.T) {
				s.Intercept(failing(questions[i%len(questions)], faults[i%len(faults)]))
				defer s.Intercept(nil)
				p := s.owner(t)
				if strings.HasPrefix(kind, "github.com") {
					p = s.prover(t) // it has to fetch
				}
				unrefuted(t, look(t, p))
			})
		}
	}
	wholly(t, s.prove(t))
}

// failing makes a query fail every time.
func failing(question networktest.Request, fault networktest.Fault) func(networktest.Request) networktest.Fault {
	return func(r networktest.Request) networktest.Fault {
		if sameQuestion(r, question) {
			return fault
		}
		return networktest.Fault{}
	}
}

func sameQuestion(a, b networktest.Request) bool {
	return a.Host == b.Host && a.Path == b.Path && a.Query == b.Query
}

// questions groups distinct requests by kind.
func questions(requests []networktest.Request) map[string][]networktest.Request {
	all := map[string][]networktest.Request{}
	for _, r := range requests {
		kind := kindOf(r)
		if !slices.ContainsFunc(all[kind], func(other networktest.Request) bool { return sameQuestion(r, other) }) {
			all[kind] = append(all[kind], r)
		}
	}
	return all
}

// kindOf removes the subject from a request.
func kindOf(r networktest.Request) string {
	for _, part := range []string{"/manifests/", "/blobs/", "/assets/", "/releases/tags/", "/info/refs", "/git-upload-pack"} {
		if strings.Contains(r.Path, part) {
			return r.Host + " " + part
		}
	}
	return r.Host + " " + r.Path
}
