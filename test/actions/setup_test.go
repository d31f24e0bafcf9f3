package actions_test

import (
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/testkit"
)

const (
	prebuiltRepository = "kubestellar/actions"
	prebuiltAt         = "kubestellar/actions/ghhelper-source"
	prebuiltSigner     = "kubestellar/actions/.github/workflows/prebuilt.yml@refs/heads/main"
)

// Programs that several tests publish: the program of this tree and one of another tree.
var (
	ghhelperOnce, otherOnce   sync.Once
	ghhelperBytes, otherBytes []byte
)

func ghhelper(t *testing.T) []byte {
	ghhelperOnce.Do(func() { ghhelperBytes = program(t, root) })
	return ghhelperBytes
}

func otherGhhelper(t *testing.T) []byte {
	otherOnce.Do(func() {
		tree := copyTree(t)
		appendTo(t, filepath.Join(tree, "cmd/ghhelper/root.go"), "// another source\n")
		otherBytes = program(t, tree)
	})
	return otherBytes
}

// setup is a runner in a fake network in which the action installs ghhelper.
type setup struct {
	runner
	*networktest.Network
	source, platform string
	token            string // of the job, in another repository
	trusted          string // file with the trusted authority
	cache            string // of the runner
	path             string
}

func newSetup(t *testing.T) *setup {
	t.Helper()
	w := testkit.Start(t, network.Options{}, prebuiltRepository, "someone/app").Network
	token, err := w.Forge.AddToken(forge.Token{Kind: forge.WorkflowToken, Repositories: map[string]forge.Permissions{"someone/app": {"contents": "read"}}})
	testkit.Must(t, err)
	s := &setup{
		runner: newRunner(t), Network: w, source: sourceHash(t, root), platform: runtime.GOOS + "-" + runtime.GOARCH,
		token: token, trusted: filepath.Join(t.TempDir(), "trusted_root.jsonl"), cache: t.TempDir(), path: os.Getenv("PATH"),
	}
	s.attest() // creates an authority without attestations
	return s
}

// withoutGo removes go from PATH, and every program that is not listed here.
func (s *setup) withoutGo(without ...string) {
	names := []string{
		"bash", "cat", "chmod", "curl", "cut", "dirname", "env", "find", "grep", "gzip", "head", "ln", "mkdir", "mktemp",
		"mv", "rm", "sed", "sha256sum", "sleep", "sort", "tr", "uname", "wc",
	}
	s.path = commandsOnly(s.t, slices.DeleteFunc(names, func(name string) bool { return slices.Contains(without, name) })...)
}

// putGh puts the real gh on PATH with the tests' authority as its trusted root. Its own authority only
// attests for runs of GitHub.
func (s *setup) putGh() {
	s.t.Helper()
	gh := testkit.Tool(s.t, "gh")
	s.file(filepath.Join(s.commands, "gh"), fmt.Sprintf("#!/usr/bin/env bash\nexec %q \"$@\" --custom-trusted-root %q\n", gh, s.trusted), 0o755)
}

// attestation is a request to the authority to attest a program.
type attestation struct {
	File       string `json:"file"`
	Name       string `json:"name"`
	Digest     string `json:"digest"`
	Predicate  string `json:"predicate"`
	Repository string `json:"repository"`
	Ref        string `json:"ref"`
	Commit     string `json:"commit"`
	Signer     string `json:"signer"`
}

// attested returns the attestation of a program by a run of prebuilt.yml on main.
func attested(program []byte) attestation {
	return attestation{"bundle.json", "ghhelper", fmt.Sprintf("sha256:%x", sha256.Sum256(program)), "https://slsa.dev/provenance/v1",
		prebuiltRepository, "refs/heads/main", strings.Repeat("0123456789", 4), prebuiltSigner}
}

// attest creates an authority with these attestations, trusts it, and stores the attestations at
// GitHub.
func (s *setup) attest(all ...attestation) {
	s.t.Helper()
	dir := s.t.TempDir()
	list, err := json.Marshal(all)
	testkit.Must(s.t, err)
	cmd := exec.Command("attest-test", dir)
	cmd.Stdin = bytes.NewReader(list)
	if out, err := cmd.CombinedOutput(); err != nil {
		s.t.Fatalf("attest-test, which `make test` builds: %v\n%s", err, out)
	}
	for _, a := range all {
		bundle, err := os.ReadFile(filepath.Join(dir, a.File))
		testkit.Must(s.t, err)
		testkit.Must(s.t, s.Forge.Attest(prebuiltRepository, a.Digest, bundle))
	}
	s.trusted = filepath.Join(dir, "trusted_root.jsonl")
	s.putGh()
}

// hackPrebuilt runs hack/prebuilt as the workflow does.
func (s *setup) hackPrebuilt(args ...string) (string, error) {
	s.t.Helper()
	cmd := exec.Command("go", append([]string{"run", "./hack/prebuilt"}, args...)...)
	cmd.Dir, cmd.Env = root, s.env()
	out, err := cmd.CombinedOutput()
	return string(out), err
}

// publish publishes a program for this source and platform.
func (s *setup) publish(program []byte) {
	s.t.Helper()
	dir := s.t.TempDir()
	s.file(filepath.Join(dir, "ghhelper-"+s.platform), string(program), 0o755)
	if out, err := s.hackPrebuilt("push", dir); err != nil {
		s.t.Fatalf("hack/prebuilt: %v\n%s", err, out)
	}
}

// env returns the environment of a step on GitHub's runner, in this network.
func (s *setup) env() []string {
	caches, err := testkit.GoCaches()
	testkit.Must(s.t, err)
	return slices.Concat(caches, s.Network.Env(), []string{"GOPROXY=off", "GOFLAGS=-modcacherw", "PATH=" + s.commands + string(filepath.ListSeparator) + s.path,
		"RUNNER_TEMP=" + s.temp, "RUNNER_TOOL_CACHE=" + s.cache, "GITHUB_PATH=" + filepath.Join(s.temp, "path"),
		"GITHUB_OUTPUT=" + filepath.Join(s.temp, "output"),
		"GITHUB_SERVER_URL=https://github.com", "GITHUB_ACTIONS=true", "TOOLS=false", "GH_TOKEN=" + s.token})
}

// does runs a script of actions/_lib.
func (s *setup) does(env []string, script string, args ...string) (code int, out string) {
	s.t.Helper()
	cmd := exec.Command("bash", append([]string{filepath.Join(root, "actions", "_lib", script)}, args...)...)
	cmd.Env = append(s.env(), env...)
	said, err := cmd.CombinedOutput()
	if cmd.ProcessState == nil {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), string(said)
}

// setsUp runs setup.sh. It checks that the next steps find the program of this source, and that no
// other file is left behind.
func (s *setup) setsUp(env ...string) (said string) {
	s.t.Helper()
	code, said := s.does(env, "setup.sh")
	if code != 0 {
		s.t.Fatalf("saw exit code %d, want 0\n%s", code, said)
	}
	bin := strings.TrimSpace(s.wrote("path"))
	want(s.t, "outputs", s.wrote("output"), "path="+bin+"\nversion=source "+s.source+" (go")
	if program, err := os.ReadFile(filepath.Join(bin, "ghhelper")); err != nil || !bytes.Equal(program, ghhelper(s.t)) {
		s.t.Errorf("ghhelper on PATH: saw %d bytes, %v, want those of this source\n%s", len(program), err, said)
	}
	if left, _ := filepath.Glob(filepath.Join(s.kept(), "new.*")); len(left) > 0 {
		s.t.Errorf("left behind in the tool cache: %q", left)
	}
	if left, _ := filepath.Glob(filepath.Join(s.temp, "ghhelper-prebuilt.*")); len(left) > 0 {
		s.t.Errorf("left behind: %q", left)
	}
	for _, name := range []string{"path", "output"} {
		s.file(filepath.Join(s.temp, name), "", 0o644)
	}
	return said
}

func (s *setup) kept() string { return filepath.Join(s.cache, "ghhelper", s.source, s.platform) }

const (
	usedPrebuilt = "using the prebuilt ghhelper: prebuilt.yml built it from the same source on main"
	usedKept     = "ghhelper is in the tool cache already"
	passedOver   = "no prebuilt ghhelper is used: "
	distrusted   = "::warning title=ghhelper::a prebuilt ghhelper is not used: ghcr.io/" + prebuiltAt + ":"
)

// A published and verified program is used without go. Later it is used from the tool cache without a
// network.
func TestSetupUsesWhatIsProven(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.publish(ghhelper(t))
	s.attest(attested(ghhelper(t)))
	s.withoutGo()
	want(t, "log", s.setsUp(), usedPrebuilt)

	before := len(s.Requests())
	s.Down("ghcr.io")
	want(t, "log, the second time", s.setsUp(), usedKept)
	if after := s.Requests(); len(after) != before {
		t.Errorf("the second time, it asked for %v", after[before:])
	}
}

// A program that cannot be verified is not used. The log gives the reason, and ghhelper is built from
// this source.
func TestSetupBuildsWhatIsNotProven(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(s *setup)
		says  []string
	}{
		"not published": {func(*setup) {}, []string{passedOver, "is not published"}},
		"not attested":  {func(s *setup) { s.publish(ghhelper(s.t)) }, []string{distrusted, "not proven to be built by prebuilt.yml on main", "HTTP 404"}},
		"by another workflow": {func(s *setup) {
			a := attested(ghhelper(s.t))
			a.Signer = strings.Replace(a.Signer, "prebuilt", "ci", 1)
			s.publish(ghhelper(s.t))
			s.attest(a)
		}, []string{distrusted, "not proven to be built by prebuilt.yml on main"}},
		"another program": {func(s *setup) {
			s.publish(otherGhhelper(s.t))
			s.attest(attested(otherGhhelper(s.t)))
		}, []string{distrusted, "but prints the version \"ghhelper source ", "want source "}},
		"an altered blob": {func(s *setup) {
			s.publish(ghhelper(s.t))
			s.attest(attested(ghhelper(s.t)))
			s.Intercept(func(r networktest.Request) networktest.Fault {
				if r.Method == http.MethodGet && strings.Contains(r.Path, "/blobs/") {
					return networktest.Fault{Status: http.StatusOK, Body: string(zipped(s.t, append([]byte("#"), ghhelper(s.t)...)))}
				}
				return networktest.Fault{}
			})
		}, []string{distrusted, "has other bytes than its manifest's layer, sha256:"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t)
			c.spoil(s)
			said := s.setsUp()
			for _, part := range c.says {
				want(t, "log", said, part)
			}
			if strings.Contains(said, usedPrebuilt) {
				t.Errorf("saw it used:\n%s", said)
			}
		})
	}
}

func zipped(t *testing.T, data []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w := gzip.NewWriter(&b)
	_, err := w.Write(data)
	testkit.Must(t, err)
	testkit.Must(t, w.Close())
	return b.Bytes()
}

// pushed publishes any bytes as the blob of this source and platform.
func (s *setup) pushed(blob []byte) {
	s.t.Helper()
	const kind = "application/gzip"
	image, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1), mutate.Addendum{Layer: static.NewLayer(blob, kind), MediaType: kind})
	testkit.Must(s.t, err)
	registry := &oci.Registry{Keychain: testkit.Login(s.Token()), Transport: s.Transport()}
	_, err = registry.PushImage(context.Background(), "ghcr.io/"+prebuiltAt, s.source+"-"+s.platform, image)
	testkit.Must(s.t, err)
}

// answers makes the network answer one kind of request with a fault.
func (s *setup) answers(host, path string, fault networktest.Fault) {
	s.Intercept(func(r networktest.Request) networktest.Fault {
		if r.Host == host && strings.Contains(r.Path, path) {
			return fault
		}
		return networktest.Fault{}
	})
}

// small returns a short program that prints the version of this source.
func (s *setup) small() []byte {
	return fmt.Appendf(nil, "#!/usr/bin/env bash\necho 'ghhelper source %s (small)'\n", s.source)
}

// right publishes it with a valid attestation. Without another fault it is used.
func (s *setup) right() { s.wronged(func(*attestation) {}) }

// wronged publishes it with a changed attestation.
func (s *setup) wronged(change func(*attestation)) {
	a := attested(s.small())
	change(&a)
	s.publish(s.small())
	s.attest(a)
}

// ghcr.io redirects requests for blobs to another host.
func TestPrebuiltIsUsed(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.right()
	const elsewhere = "/signed/blob"
	s.Intercept(func(r networktest.Request) networktest.Fault {
		switch {
		case r.Host == "ghcr.io" && strings.Contains(r.Path, "/blobs/"):
			return networktest.Fault{Status: http.StatusTemporaryRedirect, Header: http.Header{"Location": {"https://quay.io" + elsewhere}}}
		case r.Path == elsewhere:
			return networktest.Fault{Status: http.StatusOK, Body: string(zipped(s.t, s.small()))}
		}
		return networktest.Fault{}
	})
	file := filepath.Join(t.TempDir(), "ghhelper")
	code, said := s.does(nil, "prebuilt.sh", s.source, s.platform, file)
	program, err := os.ReadFile(file)
	if code != 0 || err != nil || !bytes.Equal(program, s.small()) || !strings.HasPrefix(said, usedPrebuilt) {
		t.Errorf("saw exit code %d, %d bytes, %v\n%s", code, len(program), err, said)
	}
}

// If no program can be used, the script ends without an error. Its log has one line with the reason,
// and a warning if the published program is wrong.
func TestPrebuiltSaysWhyNot(t *testing.T) {
	t.Parallel()
	const tag = "manifests/"
	for name, c := range map[string]struct {
		spoil func(s *setup)
		env   []string
		says  string
	}{
		"an Enterprise server": {
			func(*setup) {}, []string{"GITHUB_SERVER_URL=https://git.example.com"},
			passedOver + "only github.com stores its provenance, and this run is on https://git.example.com",
		},
		"no runner of GitHub": {
			func(*setup) {}, []string{"GITHUB_SERVER_URL="},
			passedOver + "only github.com stores its provenance, and this run is on another server",
		},
		"no gh":      {func(s *setup) { s.commands = s.t.TempDir(); s.withoutGo() }, nil, passedOver + "no command gh found on PATH"},
		"no curl":    {func(s *setup) { s.withoutGo("curl") }, nil, passedOver + "no command curl found on PATH"},
		"no token":   {func(*setup) {}, []string{"GH_TOKEN="}, passedOver + "GH_TOKEN is empty"},
		"no network": {func(s *setup) { s.Down("ghcr.io") }, nil, passedOver + "curl: ("},
		"not public": {func(s *setup) { s.right(); s.Registry("ghcr.io").SetPrivate(prebuiltAt, true) }, nil,
			passedOver + "ghcr.io/" + prebuiltAt + ":"},
		"the registry fails": {
			func(s *setup) { s.right(); s.answers("ghcr.io", tag, networktest.Fault{Status: 418}) }, nil,
			passedOver + "ghcr.io answered HTTP 418",
		},
		"the registry babbles": {
			func(s *setup) { s.answers("ghcr.io", "token", networktest.Fault{Status: 200, Body: "\n::error::x"}) }, nil,
			passedOver + "ghcr.io gave no token",
		},
		"the blob is cut short": {
			func(s *setup) { s.right(); s.answers("ghcr.io", "/blobs/", networktest.Fault{Truncated: true}) }, nil,
			passedOver + "curl: (18)",
		},
		"the blob is away": {
			func(s *setup) { s.right(); s.answers("ghcr.io", "/blobs/", networktest.Fault{Status: 404}) }, nil,
			"is not published, or not publicly: HTTP 404",
		},
		"the manifest is none":  {func(s *setup) { s.right(); s.answers("ghcr.io", tag, networktest.Fault{Status: 200, Body: "{}"}) }, nil, distrusted},
		"the blob is too large": {func(s *setup) { s.pushed(make([]byte, 64<<20+1)) }, nil, passedOver + "curl: (63)"},
		"the blob is a bomb":    {func(s *setup) { s.pushed(zipped(s.t, make([]byte, 300<<20))) }, nil, "does not unpack to at most 268435456 bytes"},
		"the blob is no gzip":   {func(s *setup) { s.pushed([]byte("MZ")) }, nil, "does not unpack"},
		"not attested":          {func(s *setup) { s.publish(s.small()) }, nil, distrusted},
		"another workflow": {func(s *setup) {
			s.wronged(func(a *attestation) { a.Signer = strings.Replace(a.Signer, "prebuilt", "ci", 1) })
		}, nil, distrusted},
		"another repository": {func(s *setup) { s.wronged(func(a *attestation) { a.Repository = "someone/actions" }) }, nil, distrusted},
		"a workflow of a fork": {func(s *setup) {
			s.wronged(func(a *attestation) { a.Signer = "someone" + strings.TrimPrefix(a.Signer, "kubestellar") })
		}, nil, distrusted},
		"another branch":    {func(s *setup) { s.wronged(func(a *attestation) { a.Ref = "refs/heads/next" }) }, nil, distrusted},
		"a tag":             {func(s *setup) { s.wronged(func(a *attestation) { a.Ref = "refs/tags/main" }) }, nil, distrusted},
		"another authority": {func(s *setup) { s.right(); s.attest() }, nil, distrusted},
		"GitHub fails": {func(s *setup) {
			s.right()
			s.answers("api.github.com", "/attestations/", networktest.Fault{Status: 403})
		}, nil, passedOver + "gh attestation verify could not check"},
		"GitHub is away": {func(s *setup) { s.right(); s.Down("api.github.com") }, nil, passedOver + "gh attestation verify could not check"},
		"gh is too old": {func(s *setup) {
			s.right()
			s.file(filepath.Join(s.commands, "gh"), "#!/usr/bin/env bash\necho 'unknown flag: --source-ref' >&2; exit 1\n", 0o755)
		}, nil, passedOver + "gh attestation verify could not check its provenance (exit code 1): unknown flag"},
		"gh babbles": {func(s *setup) {
			s.right()
			s.file(filepath.Join(s.commands, "gh"), "#!/usr/bin/env bash\nprintf '\\n::error::x\\r##[error]y\\e[1m' >&2; exit 1\n", 0o755)
		}, nil, passedOver + "gh attestation verify could not check its provenance (exit code 1):  ::error::x # # [error]y [1m"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t)
			c.spoil(s)
			file := filepath.Join(t.TempDir(), "ghhelper")
			code, said := s.does(c.env, "prebuilt.sh", s.source, s.platform, file)
			_, err := os.Stat(file)
			if code != 1 || err == nil || !strings.Contains(said, c.says) || strings.Count(said, "\n") != 1 {
				t.Errorf("saw exit code %d, a file: %t, and\n%s\nwant 1, none, and one line with %q", code, err == nil, said, c.says)
			}
			if c.says == distrusted {
				want(t, "log", said, ":"+s.source+"-"+s.platform+" ")
			}
		})
	}
}

// Only the verification gets the job's token. The build does not.
func TestSetupShowsNoTokenToABuild(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	goCommand, err := exec.LookPath("go")
	testkit.Must(t, err)
	seen := filepath.Join(t.TempDir(), "seen")
	s.file(filepath.Join(s.commands, "go"), fmt.Sprintf("#!/usr/bin/env bash\nenv >>%q\nexec %q \"$@\"\n", seen, goCommand), 0o755)
	said := s.setsUp()
	data, err := os.ReadFile(seen)
	testkit.Must(t, err)
	if !strings.Contains(string(data), "GOFLAGS=-mod=readonly\n") || strings.Contains(string(data), s.token) || strings.Contains(said, s.token) {
		t.Errorf("go saw the environment\n%s\nwant the build's, without the token", data)
	}
}

// Leftovers of interrupted writes or of other programs in the tool cache are replaced.
func TestSetupMistrustsTheToolCache(t *testing.T) {
	t.Parallel()
	sum := func(data []byte) string { return fmt.Sprintf("%x  -\n", sha256.Sum256(data)) }
	for name, left := range map[string]func(t *testing.T) (program []byte, sum string){
		"half of it":        func(t *testing.T) ([]byte, string) { all := ghhelper(t); return all[:len(all)/2], sum(all) },
		"all but a page":    func(t *testing.T) ([]byte, string) { all := ghhelper(t); return all[:len(all)-4096], sum(all) },
		"without its hash":  func(t *testing.T) ([]byte, string) { return ghhelper(t)[:1<<20], "" },
		"of another source": func(t *testing.T) ([]byte, string) { return otherGhhelper(t), sum(otherGhhelper(t)) },
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t)
			program, sum := left(t)
			testkit.Must(t, os.MkdirAll(s.kept(), 0o755))
			s.file(filepath.Join(s.kept(), "ghhelper"), string(program), 0o755)
			if sum != "" {
				s.file(filepath.Join(s.kept(), "ghhelper.sha256"), sum, 0o644)
			}
			want(t, "log", s.setsUp(), passedOver)
			s.withoutGo()
			want(t, "log, the second time", s.setsUp(), usedKept)
		})
	}
}

// Two jobs may use one machine at the same time, whether they build or not.
func TestSetupTwiceAtOnce(t *testing.T) {
	t.Parallel()
	for says, prepare := range map[string]func(s *setup){
		usedPrebuilt: func(s *setup) { s.publish(ghhelper(s.t)); s.attest(attested(ghhelper(s.t))) },
		passedOver:   func(*setup) {},
	} {
		t.Run(says, func(t *testing.T) {
			t.Parallel()
			first := newSetup(t)
			prepare(first)
			second := *first
			second.runner = newRunner(t)
			second.putGh()
			var both sync.WaitGroup
			for _, s := range []*setup{first, &second} {
				both.Go(func() { s.ends(says) })
			}
			both.Wait()
			for _, s := range []*setup{first, &second} {
				for _, name := range []string{"path", "output"} {
					s.file(filepath.Join(s.temp, name), "", 0o644)
				}
				want(t, "log, afterwards", s.setsUp(), usedKept)
			}
		})
	}
}

// ends runs setup.sh beside another one. It must succeed and print a text.
func (s *setup) ends(says string) {
	code, said := s.does(nil, "setup.sh")
	out, err := exec.Command(filepath.Join(strings.TrimSpace(s.wrote("path")), "ghhelper"), "--version").Output()
	if code != 0 || err != nil || !strings.HasPrefix(string(out), "ghhelper source "+s.source+" ") || !strings.Contains(said, says) {
		s.t.Errorf("saw exit code %d, version %q, %v\n%s", code, out, err, said)
	}
}

// Without a writable tool cache, the program is kept for the job.
func TestSetupWithoutAToolCache(t *testing.T) {
	t.Parallel()
	barred := t.TempDir()
	testkit.Must(t, os.WriteFile(filepath.Join(barred, "ghhelper"), nil, 0o644)) // a file that blocks the folder
	for name, cache := range map[string]string{"none": "", "gone": "/proc/nowhere/at/all", "not ours": barred} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newSetup(t)
			s.cache = cache
			want(t, "log", s.setsUp(), passedOver)
			want(t, "log, the second time", s.setsUp(), usedKept)
		})
	}
}

// The tools are on PATH and exist, in every locale, and without prebuilt programs.
func TestSetupWithTools(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	code, said := s.does([]string{"TOOLS=ko", "LC_ALL=xx_XX.UTF-8", "GHHELPER_PREBUILT=false"}, "setup.sh")
	want(t, "log", said, "no prebuilt ghhelper is used: GHHELPER_PREBUILT is \"false\"")
	paths := strings.Fields(s.wrote("path"))
	if code != 0 || len(paths) != 2 {
		t.Fatalf("saw exit code %d and the paths %q, want 0 and two\n%s", code, paths, said)
	}
	if out, err := exec.Command(filepath.Join(paths[0], "ko"), "version").CombinedOutput(); err != nil {
		t.Errorf("ko on PATH: %v: %s", err, out)
	}
	if _, err := os.Stat(filepath.Join(paths[1], "ghhelper")); err != nil {
		t.Error(err)
	}
}

// Without a program to use and without go, the job fails.
func TestSetupWithoutGo(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.withoutGo()
	code, said := s.does(nil, "setup.sh")
	if code != 2 {
		t.Errorf("saw exit code %d, want 2", code)
	}
	want(t, "log", said, passedOver)
	want(t, "log", said, "::error title=ghhelper::no command go found on PATH: run actions/setup-go in a step before this one")
}

func TestBounded(t *testing.T) {
	t.Parallel()
	for command, code := range map[string]int{"bounded 1 sleep 60": 143, "bounded 600 true": 0, "bounded 600 bash -c 'exit 7'": 7} {
		begin := time.Now()
		err := exec.Command("bash", "-euo", "pipefail", "-c", "source "+root+"/actions/_lib/bounded.sh; "+command).Run()
		got := 0
		if exit := new(exec.ExitError); errors.As(err, &exit) {
			got = exit.ExitCode()
		}
		if took := time.Since(begin); got != code || took > time.Minute/2 {
			t.Errorf("%s: saw exit code %d, %v, after %v, want %d", command, got, err, took, code)
		}
	}
}
