package attest

import (
	"bytes"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/partial"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/testkit"
)

const (
	repository = "o/app"
	at         = "ghcr.io/o/app"
	commit     = "0123456789abcdef0123456789abcdef01234567"
	provenance = "https://slsa.dev/provenance/v1"
	workflow   = "o/app/.github/workflows/release.yml"
	store      = "tmaproduction.blob.core.windows.net"
	bundleV03  = "application/vnd.dev.sigstore.bundle.v0.3+json"
)

var policy = Policy{Repository: repository, Tag: "v1.2.3", Commit: commit, Workflow: workflow}

// request is an input of tools/attest-test, which creates attestations.
type request struct {
	File       string   `json:"file"`
	Name       string   `json:"name"`
	Digest     string   `json:"digest"`
	Predicate  string   `json:"predicate"`
	Repository string   `json:"repository"`
	Ref        string   `json:"ref"`
	Commit     string   `json:"commit"`
	Signer     string   `json:"signer"`
	Beside     []string `json:"beside"`
}

// right requests a valid attestation of a digest for the release v1.2.3.
func right(digest string) request {
	return request{"", "app", digest, provenance, repository, "refs/tags/v1.2.3", commit, workflow + "@refs/tags/v1.2.3", nil}
}

// scene is a network with an image, and an authority that attests it.
type scene struct {
	*testkit.Network
	dir    string // for files of the test
	digest string // of the image
	v      Verifier
}

func newScene(t *testing.T) *scene {
	t.Helper()
	s := &scene{Network: testkit.Start(t, network.Options{}, repository), dir: t.TempDir()}
	s.v = Verifier{
		GitHub:   s.GitHub(s.Token()).Attestations,
		Registry: s.OCI(),
		Command:  testkit.Tool(t, "gh"),
		// Nothing answers there: gh has to do without the network.
		Env: []string{"HTTPS_PROXY=http://127.0.0.1:1"},
	}
	config := v1.Config{Labels: map[string]string{"of": t.Name()}}
	image, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: "arm64", Config: config})
	s.Must(err)
	ref, err := name.NewTag(at + ":1.2.3")
	s.Must(err)
	s.Must(remote.Write(ref, image, s.Remote()...))
	hash, err := image.Digest()
	s.Must(err)
	s.digest = hash.String()
	return s
}

// make has an authority of its own make bundles, and trusts it from now on.
func (s *scene) make(requests ...request) [][]byte {
	s.T.Helper()
	dir := s.T.TempDir()
	for i := range requests {
		requests[i].File = fmt.Sprintf("%d.json", i)
	}
	list, err := json.Marshal(requests)
	s.Must(err)
	cmd := exec.Command(testkit.Tool(s.T, "attest-test"), dir)
	cmd.Stdin = bytes.NewReader(list)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.T.Fatalf("attest-test: %v\n%s", err, out)
	}
	s.v.TrustedRoot = filepath.Join(dir, "trusted_root.jsonl")
	var bundles [][]byte
	for _, r := range requests {
		data, err := os.ReadFile(filepath.Join(dir, r.File))
		s.Must(err)
		bundles = append(bundles, data)
	}
	return bundles
}

// inHub stores a bundle for the image at GitHub.
func (s *scene) inHub(bundle []byte) {
	s.T.Helper()
	s.Must(s.Forge.Attest(repository, s.digest, bundle))
}

// inRegistry pushes a bundle that refers to the image, as cosign does.
func (s *scene) inRegistry(bundle []byte) {
	s.T.Helper()
	ref, err := name.NewDigest(at + "@" + s.digest)
	s.Must(err)
	subject, err := remote.Head(ref, s.Remote()...)
	s.Must(err)
	layer := static.NewLayer(bundle, bundleV03)
	image, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{Layer: layer, MediaType: bundleV03})
	s.Must(err)
	image = mutate.Subject(mutate.ConfigMediaType(image, bundleV03), *subject).(v1.Image)
	hash, err := partial.Digest(image)
	s.Must(err)
	s.Must(remote.Write(ref.Digest(hash.String()), image, s.Remote()...))
}

func (s *scene) subject() Subject { return Subject{Name: at + ":1.2.3", At: at, Digest: s.digest} }

func (s *scene) verify() (Result, error) {
	return s.v.Verify(context.Background(), s.subject(), policy)
}

// wants checks the code of an error, and that its text contains these parts.
func wants(t *testing.T, err error, code outcome.Code, parts ...string) {
	t.Helper()
	if outcome.Of(err) != code {
		t.Errorf("code %d, want %d: %v", outcome.Of(err), code, err)
	}
	for _, part := range parts {
		if err == nil || !strings.Contains(err.Error(), part) {
			t.Errorf("it does not contain %q: %v", part, err)
		}
	}
}

func TestAttested(t *testing.T) {
	t.Parallel()
	const signed = workflow + "@refs/tags/v1.2.3"
	for name, test := range map[string]struct {
		place func(s *scene)
		want  Result
	}{
		"in GitHub":       {func(s *scene) { s.inHub(s.make(right(s.digest))[0]) }, Result{1, signed, Hub}},
		"in the registry": {func(s *scene) { s.inRegistry(s.make(right(s.digest))[0]) }, Result{1, signed, Registry}},
		"as one of many": {func(s *scene) {
			r := right("sha256:" + strings.Repeat("0", 64))
			r.Beside = []string{"sha256:" + strings.Repeat("1", 64), s.digest}
			s.inHub(s.make(r)[0])
		}, Result{1, signed, Hub}},
		"by cosign sign": {func(s *scene) {
			r := right(s.digest)
			r.Predicate = "https://sigstore.dev/cosign/sign/v1"
			s.inRegistry(s.make(r)[0])
		}, Result{1, signed, Registry}},
		"twice": {func(s *scene) {
			for _, b := range s.make(right(s.digest), right(s.digest)) {
				s.inHub(b)
			}
		}, Result{2, signed, Hub}},
		"beside one of another tag": {func(s *scene) {
			other := right(s.digest)
			other.Ref = "refs/heads/main"
			for _, b := range s.make(other, right(s.digest)) {
				s.inHub(b)
			}
		}, Result{1, signed, Hub}},
		"in the registry, and refuted in GitHub": {func(s *scene) {
			other := right(s.digest)
			other.Ref = "refs/heads/main"
			bundles := s.make(other, right(s.digest))
			s.inHub(bundles[0])
			s.inRegistry(bundles[1])
		}, Result{1, signed, Registry}},
		"not": {func(*scene) {}, Result{}},
		"not, but an SBOM is": {func(s *scene) {
			r := right(s.digest)
			r.Predicate = "https://cyclonedx.org/bom"
			b := s.make(r)[0]
			s.inHub(b)
			s.inRegistry(b)
		}, Result{}},
		"not, and the registry redirects the query": {func(s *scene) {
			s.Intercept(func(r networktest.Request) networktest.Fault {
				if strings.Contains(r.Path, "/referrers/") {
					return networktest.Fault{Status: http.StatusSeeOther, Header: http.Header{"Location": {"https://github.com/"}}}
				}
				return networktest.Fault{}
			})
		}, Result{}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			test.place(s)
			got, err := s.verify()
			if err != nil || got.Count == 0 && test.want.Count > 0 || got != test.want && got.Count > 0 || got.Count != test.want.Count {
				t.Errorf("saw %+v, %v, want %+v", got, err, test.want)
			}
		})
	}
}

// Each required field of an attestation is checked.
var wrong = map[string]struct {
	change func(*request)
	text   string
}{
	"digest":     {func(r *request) { r.Digest = "sha256:" + strings.Repeat("0", 64) }, "its subject is sha256:000"},
	"repository": {func(r *request) { r.Repository = "o/fork" }, `it names repository "https://github.com/o/fork", want "https://github.com/o/app"`},
	"tag":        {func(r *request) { r.Ref = "refs/tags/v1.2.4" }, `it names ref "refs/tags/v1.2.4", want "refs/tags/v1.2.3"`},
	"branch":     {func(r *request) { r.Ref = "refs/heads/v1.2.3" }, `it names ref "refs/heads/v1.2.3"`},
	"commit":     {func(r *request) { r.Commit = strings.Repeat("f", 40) }, `it names commit "ffff`},
	"workflow": {func(r *request) { r.Signer = "o/app/.github/workflows/ci.yml@refs/tags/v1.2.3" },
		`it names workflow "https://github.com/o/app/.github/workflows/ci.yml", want "https://github.com/o/app/.github/workflows/release.yml"`},
	"signer": {func(r *request) { r.Signer = "x/app/.github/workflows/release.yml@refs/tags/v1.2.3" }, `it names workflow "https://github.com/x/app/`},
}

func TestRefuted(t *testing.T) {
	t.Parallel()
	for name, test := range wrong {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			r := right(s.digest)
			test.change(&r)
			b := s.make(r)[0]
			s.inHub(b)
			_, err := s.verify()
			wants(t, err, outcome.Wrong, at+":1.2.3: attestation 1 in GitHub: "+test.text)
			s.inRegistry(b)
			_, err = s.verify()
			wants(t, err, outcome.Wrong, "attestation 1 in registry: "+test.text)
		})
	}
}

// gh refuses the same attestations.
func TestGhItselfRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range wrong {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			r := right(s.digest)
			test.change(&r)
			bundle := s.make(r)[0]
			_, err := s.v.run(context.Background(), bundle, provenance, s.subject(), policy)
			wants(t, err, outcome.Wrong, "gh attestation verify printed")
		})
	}
}

// An attestation without a valid signature of a trusted authority is refuted.
func TestInvalid(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		bundle func(s *scene) []byte
		text   string
	}{
		"a broken signature": {func(s *scene) []byte {
			return edit(s, s.make(right(s.digest))[0], func(b map[string]any) {
				signature := b["dsseEnvelope"].(map[string]any)["signatures"].([]any)[0].(map[string]any)
				sig := []byte(signature["sig"].(string))
				sig[10] ^= 'A' ^ 'B'
				signature["sig"] = string(sig)
			})
		}, "its signature, certificate, time or digest is invalid"},
		"another's statement": {func(s *scene) []byte {
			other := right(s.digest)
			other.Digest = "sha256:" + strings.Repeat("0", 64)
			bundles := s.make(right(s.digest), other)
			return edit(s, bundles[1], func(b map[string]any) {
				var first map[string]any
				s.Must(json.Unmarshal(bundles[0], &first))
				b["dsseEnvelope"].(map[string]any)["payload"] = first["dsseEnvelope"].(map[string]any)["payload"]
			})
		}, "its signature, certificate, time or digest is invalid"},
		"an authority that is not trusted": {func(s *scene) []byte {
			b := s.make(right(s.digest))[0]
			s.make()
			return b
		}, "its signature, certificate, time or digest is invalid"},
		"no time": {func(s *scene) []byte {
			return edit(s, s.make(right(s.digest))[0], func(b map[string]any) {
				delete(b["verificationMaterial"].(map[string]any), "timestampVerificationData")
			})
		}, "gh attestation verify printed"},
		"a key": {func(s *scene) []byte {
			return edit(s, s.make(right(s.digest))[0], func(b map[string]any) {
				b["verificationMaterial"] = map[string]any{"publicKey": map[string]any{"hint": "x"}}
			})
		}, "it contains no certificate"},
		"a certificate that is none": {func(s *scene) []byte {
			return edit(s, s.make(right(s.digest))[0], func(b map[string]any) {
				b["verificationMaterial"] = map[string]any{"certificate": map[string]any{"rawBytes": "eA=="}}
			})
		}, "its certificate cannot be read"},
		"no bundle": {func(s *scene) []byte { return []byte(`[]`) }, "it is not a Sigstore bundle"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.inHub(test.bundle(s))
			_, err := s.verify()
			wants(t, err, outcome.Wrong, "attestation 1 in GitHub: ", test.text)
		})
	}
}

func edit(s *scene, data []byte, change func(map[string]any)) []byte {
	s.T.Helper()
	var b map[string]any
	s.Must(json.Unmarshal(data, &b))
	change(b)
	edited, err := json.Marshal(b)
	s.Must(err)
	return edited
}

// A failed query or program is not an answer, even if another attestation was refuted.
func TestCouldNotCheck(t *testing.T) {
	t.Parallel()
	answer := func(host, path string, status int) func(*scene) {
		return func(s *scene) {
			s.Intercept(func(r networktest.Request) networktest.Fault {
				if r.Host == host && strings.Contains(r.Path, path) {
					return networktest.Fault{Status: status, Body: `{}`}
				}
				return networktest.Fault{}
			})
		}
	}
	for name, test := range map[string]struct {
		spoil func(s *scene)
		text  string
	}{
		"gh is missing":            {func(s *scene) { s.v.Command = "no-such-gh" }, "no command no-such-gh found on PATH: install the GitHub CLI"},
		"no trusted root exists":   {func(s *scene) { s.v.TrustedRoot = "" }, "could not check: gh attestation verify: exit status 1"},
		"gh is older or newer":     {func(s *scene) { s.v.Command = testkit.Tool(s.T, "false") }, "could not check: gh attestation verify: exit status 1"},
		"gh prints something else": {func(s *scene) { s.v.Command = testkit.Tool(s.T, "true") }, "printed 0 entries of JSON"},
		"GitHub forbids":           {answer("api.github.com", "/attestations/", 403), "looking for attestations in GitHub: "},
		"GitHub fails":             {answer("api.github.com", "/attestations/", 500), "looking for attestations in GitHub: "},
		"GitHub's store fails":     {answer(store, "/attestations/", 500), "the storage host " + store + " answered 500"},
		"GitHub's store has other": {answer(store, "/attestations/", 204), "the storage host " + store + " answered 204"},
		"the manifest is away":     {func(s *scene) { s.Must(s.Registry("ghcr.io").DeleteManifest("o/app", s.digest)) }, "not found in the registry"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newScene(t)
			s.inHub(s.make(right(s.digest))[0])
			test.spoil(s)
			_, err := s.verify()
			code := outcome.Unchecked
			if name == "the manifest is away" {
				code = outcome.Wrong // the artifact does not exist
			}
			wants(t, err, code, at+":1.2.3: ", test.text)
		})
	}
}

func TestTheRegistryCouldNotBeAsked(t *testing.T) {
	t.Parallel()
	for _, path := range []string{"/referrers/", "/manifests/sha256-"} {
		s := newScene(t)
		r := right(s.digest)
		r.Ref = "refs/tags/v9.9.9"
		s.inHub(s.make(r)[0]) // refuted, but the registry may have a valid one
		s.Intercept(func(r networktest.Request) networktest.Fault {
			if strings.Contains(r.Path, path) {
				return networktest.Fault{Status: http.StatusInternalServerError}
			}
			return networktest.Fault{}
		})
		_, err := s.verify()
		wants(t, err, outcome.Unchecked, "looking for attestations in registry: ", "could not ask", "v9.9.9")
	}
}

// A release's asset has no manifest: gh gets the file.
func TestFile(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	path := filepath.Join(s.dir, "app.tar.gz")
	s.Must(os.WriteFile(path, []byte("bytes"), 0o644))
	s.digest = fmt.Sprintf("sha256:%x", sha256.Sum256([]byte("bytes")))
	s.inHub(s.make(right(s.digest))[0])
	subject := Subject{Name: "app.tar.gz", Digest: s.digest, Path: path}
	if got, err := s.v.Verify(context.Background(), subject, policy); err != nil || got.Count != 1 {
		t.Errorf("saw %+v, %v", got, err)
	}
	s.Must(os.WriteFile(path, []byte("other bytes"), 0o644))
	_, err := s.v.Verify(context.Background(), subject, policy)
	wants(t, err, outcome.Wrong, "app.tar.gz: attestation 1 in GitHub: ")
	subject.Digest = "sha256:" + strings.Repeat("0", 64)
	if got, err := s.v.Verify(context.Background(), subject, policy); err != nil || got.Count != 0 {
		t.Errorf("of a file without an attestation: %+v, %v", got, err)
	}
}

// If the policy names no workflow, any workflow of the repository may sign.
func TestAnyWorkflow(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	own, foreign := right(s.digest), right(s.digest)
	own.Signer, foreign.Signer = "o/app/.github/workflows/x.yml@refs/tags/v1.2.3", "o/application/.github/workflows/x.yml@refs/tags/v1.2.3"
	bundles := s.make(foreign, own)
	any := policy
	any.Workflow = ""
	s.inHub(bundles[0])
	_, err := s.v.Verify(context.Background(), s.subject(), any)
	wants(t, err, outcome.Wrong, `it was signed by "https://github.com/o/application/`, "want a workflow of o/app")
	s.inHub(bundles[1])
	if got, err := s.v.Verify(context.Background(), s.subject(), any); err != nil || got.Signer != own.Signer {
		t.Errorf("saw %+v, %v", got, err)
	}
}

func TestInterrupted(t *testing.T) {
	t.Parallel()
	s := newScene(t)
	s.inHub(s.make(right(s.digest))[0])
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	_, err := s.v.Verify(ctx, s.subject(), policy)
	wants(t, err, outcome.Unchecked)
	_, err = s.v.run(ctx, nil, provenance, Subject{Path: "x"}, policy)
	if !errors.Is(err, context.Canceled) {
		t.Errorf("gh was not interrupted: %v", err)
	}
}

func TestEnvironment(t *testing.T) {
	t.Parallel()
	got := Environment([]string{"HTTPS_PROXY=p", "GH_TOKEN=secret", "HOME=/h", "PATH=/b", "https_proxy=q"})
	if want := "HTTPS_PROXY=p PATH=/b https_proxy=q"; strings.Join(got, " ") != want {
		t.Errorf("saw %q, want %q", got, want)
	}
}
