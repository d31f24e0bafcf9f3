package release_test

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/release"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/test/networktest"
)

// beCosign is the variable that makes the test program a stand-in for cosign. A keyless
// signature needs a certificate from Fulcio, and tests have no network. The value is the
// behaviour: sign, fail or idle. NOTES is the file for the arguments and environment.
const beCosign = "BE_COSIGN"

func TestMain(m *testing.M) {
	if how := os.Getenv(beCosign); how != "" {
		os.Exit(cosign(how))
	}
	os.Exit(run(m))
}

// called is a call of the stand-in for cosign.
type called struct{ Args, Env []string }

func cosign(how string) int {
	note, err := json.Marshal(called{os.Args[1:], os.Environ()})
	if err == nil {
		err = appendTo(os.Getenv("NOTES"), note)
	}
	switch {
	case err != nil:
		fmt.Fprintln(os.Stderr, err)
		return 1
	case how == "fail":
		fmt.Fprintln(os.Stderr, "getting signer: no identity token")
		return 1
	case how == "idle":
		return 0
	}
	if err := signs(os.Args[len(os.Args)-1]); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

func appendTo(path string, line []byte) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer file.Close()
	_, err = file.Write(append(line, '\n'))
	return err
}

// signs pushes a bundle that refers to an artifact, with docker's credentials, as cosign does.
func signs(reference string) error {
	ref, err := name.NewDigest(reference)
	if err != nil {
		return err
	}
	options := []remote.Option{remote.WithAuthFromKeychain(authn.DefaultKeychain), remote.WithTransport(http.DefaultTransport)}
	subject, err := remote.Head(ref, options...)
	if err != nil {
		return err
	}
	const kind = types.MediaType("application/vnd.dev.sigstore.bundle.v0.3+json")
	layer := static.NewLayer(fmt.Appendf(nil, `{"of":%q,"by":%d}`, reference, os.Getpid()), kind)
	image, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{Layer: layer, MediaType: kind})
	if err != nil {
		return err
	}
	image = mutate.Subject(image, *subject).(v1.Image)
	digest, err := image.Digest()
	if err != nil {
		return err
	}
	return remote.Write(ref.Digest(digest.String()), image, options...)
}

// signer returns the stand-in for cosign, and a function that returns its calls.
func (s *stage) signer(how string) (release.Signer, func() []called) {
	s.T.Helper()
	notes := filepath.Join(s.T.TempDir(), "notes")
	program, err := os.Executable()
	s.Must(err)
	signer := release.Signer{Command: program, Env: append(slices.Clone(s.clone.Env), beCosign+"="+how, "NOTES="+notes)}
	return signer, func() []called {
		s.T.Helper()
		var calls []called
		data, err := os.ReadFile(notes)
		s.Must(err)
		for line := range strings.Lines(string(data)) {
			var c called
			s.Must(json.Unmarshal([]byte(line), &c))
			calls = append(calls, c)
		}
		return calls
	}
}

// did returns the result that a step printed.
func did(rep *report.Report, step string) string {
	for _, s := range rep.Steps {
		if s.Name == step {
			return s.Did
		}
	}
	return ""
}

// Artifacts are signed by digest, before they have their final names. Another run of the
// release signs them again.
func TestSignedByCosign(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	releaser := s.releaser("0.2.0")
	var calls func() []called
	releaser.Signer, calls = s.signer("sign")
	var named atomic.Bool // requests run in parallel
	s.Intercept(func(r networktest.Request) networktest.Fault {
		tag := strings.HasSuffix(r.Path, "/manifests/0.2.0") || strings.HasSuffix(r.Path, "/manifests/v0.2.0")
		if r.Host == "ghcr.io" && r.Method == http.MethodPut && tag {
			named.Store(true)
		}
		if r.Method == http.MethodPut && strings.Contains(r.Path, "/manifests/sha256-") && named.Load() {
			t.Errorf("signed at %s, after something had its final name", r.Path)
		}
		return networktest.Fault{}
	})
	rep, err := releaser.Release(context.Background())
	s.Must(err)
	s.Intercept(nil)
	if got := did(rep, "sign"); !strings.HasPrefix(got, "cosign signed 3 artifacts by digest; not signed: ") ||
		!strings.HasSuffix(got, "assets, which are in no registry") {
		t.Errorf("the step printed %q", got)
	}
	var want []string
	for _, a := range rep.Artifacts[:3] {
		at := a.Name[:strings.LastIndex(a.Name, ":")]
		want = append(want, at+"@"+a.Digest)
		if bundles, err := s.OCI().Bundles(context.Background(), at, a.Digest); err != nil || len(bundles) != 1 {
			t.Errorf("%s has %d signatures, %v, want 1", at, len(bundles), err)
		}
	}
	for _, c := range calls() {
		reference, _ := strings.CutPrefix(strings.Join(c.Args, " "), "sign --yes ")
		if !slices.Contains(want, reference) {
			t.Errorf("cosign was called with %q, want sign --yes and one of %q", c.Args, want)
		}
		if !slices.Contains(c.Env, "DOCKER_CONFIG="+valueOf(s.clone.Env, "DOCKER_CONFIG")) {
			t.Errorf("cosign saw the environment %q", c.Env)
		}
	}
	if n := len(calls()); n != 3 {
		t.Errorf("cosign was called %d times, want 3", n)
	}
	if _, err := releaser.Release(context.Background()); err != nil {
		t.Errorf("again: %v", err)
	}
	releaser.Signer, _ = s.signer("idle")
	if _, err := releaser.Release(context.Background()); failedStep(err) != "sign" {
		t.Errorf("signatures of an earlier run were accepted as new ones: %v", err)
	}
}

func valueOf(env []string, name string) string {
	for _, entry := range env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// If a signature fails, or the registry does not have it, the release stops before anything
// is public.
func TestNotSignedByCosign(t *testing.T) {
	t.Parallel()
	for how, test := range map[string]struct {
		text string
		code outcome.Code
	}{
		"fail": {"cosign sign: exit status 1; the end of its output:\ngetting signer: no identity token", outcome.Unchecked},
		"idle": {"cosign succeeded, but the registry has no new signature", outcome.Wrong},
	} {
		t.Run(how, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			releaser := s.releaser("0.2.0")
			releaser.Signer, _ = s.signer(how)
			_, err := releaser.Release(context.Background())
			if failedStep(err) != "sign" || outcome.Of(err) != test.code || !strings.Contains(err.Error(), test.text) ||
				!strings.Contains(err.Error(), "signing ghcr.io/example/tiny@sha256:") {
				t.Errorf("code %d: %v", outcome.Of(err), err)
			}
			s.nothingPublic()
		})
	}
}

// Without a signer, the artifacts are listed for actions/attest.
func TestSubjects(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	releaser := s.releaser("0.2.0")
	releaser.Signer.Why = "for a reason"
	rep, err := releaser.Release(context.Background())
	s.Must(err)
	if got := did(rep, "sign"); got != "not signed: for a reason" {
		t.Errorf("the step printed %q", got)
	}
	var want []string
	for _, a := range rep.Artifacts {
		name := strings.TrimPrefix(a.Name, "release asset ")
		if name == a.Name {
			name = a.Name[:strings.LastIndex(a.Name, ":")]
		}
		want = append(want, strings.TrimPrefix(a.Digest, "sha256:")+"  "+name)
	}
	dir := t.TempDir()
	s.Must(rep.Write(dir))
	list, err := os.ReadFile(filepath.Join(dir, "subjects.txt"))
	s.Must(err)
	got := strings.Split(strings.TrimSpace(string(list)), "\n")
	slices.Sort(got)
	slices.Sort(want)
	if !slices.Equal(got, want) || len(want) < 5 {
		t.Errorf("subjects.txt:\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// The step reports whether GitHub protects the release from changes.
func TestImmutableRelease(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	rep, err := s.release("0.2.0")
	s.Must(err)
	if got := did(rep, "publish"); !strings.Contains(got, "; not immutable: for the next release, turn on ") {
		t.Errorf("the step printed %q", got)
	}
	s.Must(s.Forge.SetImmutable(owned, true))
	rep, err = s.release("0.2.0")
	s.Must(err)
	if got := did(rep, "publish"); !strings.Contains(got, "is already public; not immutable") {
		t.Errorf("of a release that was already public, the step printed %q", got)
	}
}

// After an immutable release is deleted, its tag can never be used again.
func TestDeletedImmutableRelease(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.Must(s.Forge.SetImmutable(owned, true))
	rep, err := s.release("0.2.0")
	s.Must(err)
	if got := did(rep, "publish"); !strings.HasSuffix(got, "; GitHub keeps it immutable") {
		t.Errorf("the step printed %q", got)
	}
	s.deleteRelease()
	before := len(s.Requests())
	_, err = s.release("0.2.0")
	if failedStep(err) != "publish" || outcome.Of(err) != outcome.Wrong ||
		!strings.Contains(err.Error(), "tag_name was used by an immutable release") || !strings.Contains(err.Error(), "take the next version") {
		t.Errorf("saw code %d, %v", outcome.Of(err), err)
	}
	tries := 0
	for _, r := range s.Requests()[before:] {
		if r.Status == http.StatusUnprocessableEntity {
			tries++
		}
	}
	if tries != 1 {
		t.Errorf("it was refused %d times, want once: the answer is final", tries)
	}
}

// deleteRelease deletes the release, as an owner can.
func (s *stage) deleteRelease() {
	s.T.Helper()
	for _, r := range s.releases() {
		req, err := http.NewRequest(http.MethodDelete, fmt.Sprintf("https://api.github.com/repos/%s/releases/%d", owned, r.ID), nil)
		s.Must(err)
		req.Header.Set("Authorization", "Bearer "+s.Token())
		resp, err := (&http.Client{Transport: s.Transport()}).Do(req)
		s.Must(err)
		s.Must(resp.Body.Close())
	}
}
