package release_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/networktest/faults"
)

// bin is the folder for programs that the tests build.
var bin string

// run creates that folder, and runs the tests.
func run(m *testing.M) (code int) {
	var err error
	if bin, err = os.MkdirTemp("", "ghhelper-test-*"); err != nil {
		panic(err)
	}
	defer os.RemoveAll(bin)
	return m.Run()
}

// program builds ghhelper, once for all tests.
var program = sync.OnceValues(func() (string, error) {
	path := filepath.Join(bin, "ghhelper")
	out, err := exec.Command("go", "build", "-o", path, "github.com/kubestellar/actions/cmd/ghhelper").CombinedOutput()
	if err != nil {
		err = fmt.Errorf("%w: %s", err, out)
	}
	return path, err
})

// whole is a stage for a release, its dispatch and the downstream's bump, each as a process.
type whole struct {
	*stage
	consumer git.Repo
	group    atomic.Int64 // the process group of the running process
	extra    []string     // environment
	output   strings.Builder
	temp     string // the processes' folder for temporary files
}

const (
	consumer = "example/consumer"
	declares = `version: 1
self: consumer
components:
  consumer: { repository: example/consumer }
  tiny:
    repository: example/tiny
    artifacts:
      image: { kind: image, at: ghcr.io/example/tiny }
      edge-chart: { kind: chart, at: ghcr.io/example/charts/edge-chart, tag: "v{version}" }
bumps: { labels: [dependencies] }
`
	names = `image: ghcr.io/example/tiny:0.1.0
# helm install edge oci://ghcr.io/example/charts/edge-chart --version v0.1.0
`
)

func newWhole(t *testing.T) *whole {
	t.Helper()
	s := newStage(t)
	w := &whole{stage: s, consumer: git.Repo{Dir: t.TempDir(), Env: s.clone.Env}, temp: t.TempDir()}
	s.prepare("whole", []string{w.consumer.Dir, s.Forge.RepositoryDir(consumer)}, func() {
		for name, text := range map[string]string{"delivery.yaml": declares, "values.yaml": names} {
			s.Must(os.WriteFile(filepath.Join(w.consumer.Dir, name), []byte(text), 0o644))
		}
		s.Git(w.consumer.Dir, "init", "--quiet", "--initial-branch=main")
		s.Git(w.consumer.Dir, "add", ".")
		s.commit(w.consumer.Dir, "Begin")
		s.Git(w.consumer.Dir, "push", "--quiet", "https://github.com/"+consumer, "main")
	})
	return w
}

// ride runs the release, and then a bump for each dispatched event, as a receiving workflow
// does.
func (w *whole) ride() error {
	if err := w.process(w.clone.Dir, "release", "0.2.0", "--report", filepath.Join(w.temp, "report"), "--verbose"); err != nil {
		return err
	}
	for _, event := range w.Forge.Dispatches(consumer) {
		var payload gh.Event
		w.Must(json.Unmarshal(event.ClientPayload, &payload))
		if err := w.process(w.consumer.Dir, "bump", "--pull-request", "--", payload.Component, payload.Version); err != nil {
			return err
		}
	}
	return nil
}

// process runs ghhelper in a process group of its own.
func (w *whole) process(dir string, args ...string) error {
	path, err := program()
	w.Must(err)
	cmd := exec.Command(path, args...)
	cmd.Dir, cmd.Env = dir, slices.Concat(w.clone.Env, []string{"TMPDIR=" + w.temp}, w.extra)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	out := new(strings.Builder)
	cmd.Stdout, cmd.Stderr = out, out
	w.Must(cmd.Start())
	w.group.Store(int64(cmd.Process.Pid))
	err = cmd.Wait()
	w.output.WriteString(out.String())
	if err != nil {
		return fmt.Errorf("ghhelper %s: %w\n%s", strings.Join(args, " "), err, out)
	}
	return nil
}

// A moment is the time at which the process dies, relative to a request.
type moment string

const (
	beforeIt   moment = "before it"
	afterIt    moment = "after it"
	answerLost moment = "after it with the answer lost"
)

// killAt kills the process group at the nth request with an effect.
func (w *whole) killAt(n int, when moment) (killed func() bool) {
	var seen atomic.Int64
	var died atomic.Bool
	kill := func() {
		died.Store(true)
		syscall.Kill(-int(w.group.Load()), syscall.SIGKILL)
	}
	w.Intercept(func(r networktest.Request) networktest.Fault {
		switch {
		case died.Load():
			return networktest.Fault{CutBefore: true} // it was already sent
		case seen.Load() > int64(n): // the next one, of any kind
			kill()
			return networktest.Fault{CutBefore: true}
		case !r.Effect || seen.Add(1) != int64(n)+1:
			return networktest.Fault{}
		case when == beforeIt:
			kill()
			return networktest.Fault{CutBefore: true}
		case when == answerLost:
			kill()
			return networktest.Fault{CutAfter: true}
		}
		return networktest.Fault{}
	})
	return died.Load
}

// end returns the state of the registries and GitHub, including the downstream.
func (w *whole) end() string {
	w.T.Helper()
	var b strings.Builder
	b.WriteString(w.state())
	fmt.Fprintln(&b, w.Git(w.Forge.RepositoryDir(consumer), "for-each-ref", "--format=%(refname) %(tree) %(contents:subject)"))
	for _, p := range w.Forge.PullRequests(consumer) {
		p.HeadSHA = "" // it depends on the time
		fmt.Fprintf(&b, "%+v\n", p)
	}
	return b.String()
}

// The process dies at each request with an effect: before it, after it, and after it with
// the answer lost. There must be no incomplete release. Everything runs again, once for each
// state that a death leaves. The state must then be as after a run without a fault.
//
// The requests are those of a recording. FAULTS=all tests all three moments of each, and CI
// a share of the first two and of unfinished uploads.
func TestTheProcessDiesAtEachEffect(t *testing.T) {
	t.Parallel()
	recording := newWhole(t)
	before := len(recording.Requests())
	if err := recording.ride(); err != nil {
		t.Fatal(err)
	}
	want, half := recording.end(), recording.state()
	var effects []networktest.Request
	for _, r := range recording.Requests()[before:] {
		if r.Effect {
			effects = append(effects, r)
		}
	}
	for i, request := range effects {
		for k, when := range []moment{beforeIt, afterIt, answerLost} {
			if when == afterIt && i == len(effects)-1 || !faults.Takes(3*i+k, when == answerLost && !isUpload(request)) {
				continue // after the last one, no later request shows that it is over
			}
			name := fmt.Sprintf("%03d %s %s%s, %s", i, request.Method, request.Host, request.Path, when)
			t.Run(strings.ReplaceAll(name, "/", "|"), func(t *testing.T) {
				t.Parallel()
				w := newWhole(t)
				killed := w.killAt(i, when)
				died := w.ride()
				w.Intercept(nil)
				if !killed() || died == nil {
					t.Fatalf("killed: %t, and it ended with %v", killed(), died)
				}
				w.noHalfRelease(half)
				if w.isRepeated("process", w.clone.Dir, w.consumer.Dir, w.temp) {
					return
				}
				if err := w.ride(); err != nil {
					t.Fatalf("started again: %v\nbefore: %v", err, died)
				}
				w.noSecret()
				if diff := cmp.Diff(want, w.end()); diff != "" {
					t.Errorf("the state differs from that without a fault (-want +got):\n%s\nbefore: %v", diff, died)
				}
			})
		}
	}
}

// forms returns the texts that reveal a token: the token, and its Base64 form at each offset,
// because Basic authentication encodes it.
func forms(token string) []string {
	all := []string{token}
	for before := range 3 {
		encoded := base64.StdEncoding.EncodeToString([]byte(strings.Repeat("x", before) + token))
		all = append(all, encoded[4:len(encoded)-4])
	}
	return all
}

// noSecret checks that the token was not printed, written or left behind. A killed process
// leaves the most files.
func (w *whole) noSecret() {
	w.T.Helper()
	searched := 0
	search := func(name string, data []byte) {
		searched++
		for _, form := range forms(w.Token()) {
			if i := bytes.Index(data, []byte(form)); i >= 0 {
				w.T.Errorf("%s contains the token: …%s…", name, data[max(0, i-80):i])
			}
		}
	}
	search("the output", []byte(w.output.String()))
	for _, dir := range []string{w.temp, w.clone.Dir, w.consumer.Dir} {
		w.Must(filepath.WalkDir(dir, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || !entry.Type().IsRegular() {
				return err
			}
			data, err := os.ReadFile(path)
			search(path, data)
			return err
		}))
	}
	for _, p := range w.Forge.PullRequests(consumer) {
		search("the pull request", []byte(p.Title+p.Body+strings.Join(p.Comments, "")))
	}
	if searched < 50 {
		w.T.Fatalf("only %d texts were searched", searched)
	}
}

// The token is not revealed even with all traces on, or if a host refuses it or fails.
func TestTheTokenIsNotRevealed(t *testing.T) {
	t.Parallel()
	traces := []string{
		"GIT_TRACE=1", "GIT_TRACE_CURL=1", "GIT_CURL_VERBOSE=1", "GIT_TRACE_PACKET=1", "GIT_TRACE_REDACT=0",
		"GODEBUG=http2debug=2", "RUNNER_DEBUG=1", "ACTIONS_STEP_DEBUG=true",
	}
	refusals := map[string]networktest.Fault{
		"refused": {Status: http.StatusUnauthorized, Header: http.Header{"Www-Authenticate": {`Basic realm="x"`}}, Body: `{"message":"Bad credentials"}`},
		"denied":  {Status: http.StatusForbidden, Body: `{"message":"Resource not accessible by integration"}`},
		"broken":  {CutBefore: true},
	}
	t.Run("undisturbed", func(t *testing.T) {
		t.Parallel()
		w := newWhole(t)
		w.extra = append(traces, "GITHUB_ACTIONS=true",
			"GITHUB_STEP_SUMMARY="+filepath.Join(w.temp, "summary.md"), "GITHUB_OUTPUT="+filepath.Join(w.temp, "output"))
		w.Must(w.ride())
		w.noSecret()
	})
	for _, host := range []string{"github.com", "api.github.com", "ghcr.io", "uploads.github.com"} {
		for name, fault := range refusals {
			t.Run(host+" "+name, func(t *testing.T) {
				t.Parallel()
				w := newWhole(t)
				w.extra = append(traces, "GITHUB_ACTIONS=true")
				w.Intercept(func(r networktest.Request) networktest.Fault {
					if r.Host == host && (r.Effect || host == "github.com") { // git only reads
						return fault
					}
					return networktest.Fault{}
				})
				if err := w.ride(); err == nil {
					t.Error("there was no error")
				}
				w.noSecret()
			})
		}
	}
}
