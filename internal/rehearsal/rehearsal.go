// Package rehearsal releases a repository's HEAD in a world of its own on
// loopback: the real commands, the real goreleaser, real git, real pushes.
package rehearsal

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strings"
	"time"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/internal/report"
)

// Rehearsal is one rehearsed release.
type Rehearsal struct {
	Repo    git.Repo       // whose HEAD is released
	Config  string         // the delivery.yaml in it
	File    *delivery.File // what that says at HEAD
	Version ref.Version
	// Executable is this program: the release is a process of its own, in the
	// world's environment, as it would be in the real one.
	Executable string
	// Upstream is whose release arrives here after our own; nil is the first
	// that can be made up. OnlyUpstream leaves out our own release.
	Upstream     *Upstream
	OnlyUpstream bool
	// Without names stand-ins (location:tag) to be withheld.
	Without []string
	// Addr is where the world listens; "" is any free port of 127.0.0.1.
	Addr string
	// ReportDir receives report.md and report.json.
	ReportDir string
	// Verbose shows what goreleaser says while it builds.
	Verbose bool
	Out     io.Writer
	Now     func() time.Time
	// Kept is called with the world up after the release, if it is not nil;
	// the world ends when it returns.
	Kept func(context.Context, Kept)
}

// Kept is a network that stays up for a person to look around in.
type Kept struct {
	Network *network.Network
	Exports []string // what a person's shell must set to be in it
	Env     []string // the whole environment of a process in it
	Failed  bool     // the release failed
	Addr    string
	Charts  []string // location:tag
	Source  string   // URL of the repository
}

// FailedError says that the release did not succeed in the rehearsal; the
// release has said why. Exit is its exit code.
type FailedError struct{ Exit int }

// Code is that of the release; a release that was killed has none.
func (e *FailedError) Code() outcome.Code { return codeOf(e.Exit) }

func (e *FailedError) Error() string {
	return fmt.Sprintf("the rehearsed release failed with exit code %d, see above", e.Exit)
}

// Run rehearses. The report is nil where the release did not come to one.
func (r *Rehearsal) Run(ctx context.Context) (*report.Report, error) {
	if host, _, err := net.SplitHostPort(r.Addr); r.Addr != "" && (err != nil || !isLoopback(host)) {
		return nil, outcome.Usagef("--addr %q is no loopback address with a port: want one such as 127.0.0.1:8080, since the world holds the user's commit and asks nobody for a name", r.Addr)
	}
	if runtime.GOOS != "linux" {
		return nil, outcome.Usagef("a rehearsal runs on Linux only, this is %s: elsewhere Go's programs take no authority from SSL_CERT_FILE (golang/go#77865), and would refuse the world; use a Linux machine or container", runtime.GOOS)
	}
	dir, err := os.MkdirTemp("", "ghhelper-rehearsal-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	w, err := network.Start(filepath.Join(dir, "world"), network.Options{Addr: r.Addr})
	if err != nil {
		return nil, outcome.As(outcome.Usage, err)
	}
	defer w.Close()
	return r.in(ctx, w, filepath.Join(dir, "clone"))
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// in tells the whole story of a rehearsal.
func (r *Rehearsal) in(ctx context.Context, w *network.Network, clone string) (*report.Report, error) {
	log := &report.Log{Out: r.Out, Now: r.Now}
	made, here, err := r.scene(ctx, log, w, clone)
	if err != nil {
		return nil, err
	}
	rep, err := r.acts(ctx, log, made, here)
	if refused := w.Refused(); len(refused) > 0 {
		fmt.Fprintf(r.Out, "refused: the world has no %s; something asked for it\n", strings.Join(refused, ", "))
	}
	if rep != nil && r.Kept != nil && ctx.Err() == nil {
		r.Kept(ctx, r.kept(w, r.File, here.Env, err != nil))
	}
	return rep, err
}

// Stage sets a rehearsal's scene in a world of the caller's, who acts in it: a
// clone, and a stand-in for all that others publish. It gives the environment of
// a process there.
func (r *Rehearsal) Stage(ctx context.Context, w *network.Network, clone string) (env []string, err error) {
	_, here, err := r.scene(ctx, &report.Log{Out: r.Out, Now: r.Now}, w, clone)
	return here.Env, err
}

func (r *Rehearsal) scene(ctx context.Context, log *report.Log, w *network.Network, clone string) (made *maker, here git.Repo, err error) {
	if err := log.Step("world", func() (string, error) { return r.found(ctx, w) }); err != nil {
		return nil, here, err
	}
	here = git.Repo{Dir: clone, Env: r.env(w)}
	if err := log.Step("clone", func() (string, error) { return r.clone(ctx, here) }); err != nil {
		return nil, here, err
	}
	if err := log.Step("modules", func() (string, error) { return r.modules(ctx, clone) }); err != nil {
		return nil, here, err
	}
	err = log.Step("stand-ins", func() (did string, err error) {
		made, did, err = r.standIns(ctx, w, r.File, clone)
		return did, err
	})
	return made, here, err
}

// acts are what is rehearsed: the release, and that of an upstream's arrival.
func (r *Rehearsal) acts(ctx context.Context, log *report.Log, made *maker, here git.Repo) (rep *report.Report, err error) {
	if !r.OnlyUpstream {
		if rep, err = r.release(ctx, here.Dir, here.Env); err != nil || rep == nil {
			return rep, err
		}
	}
	upstream, err := r.upstream(made)
	if upstream == nil || err != nil {
		return rep, err
	}
	second := git.Repo{Dir: here.Dir + "-downstream", Env: here.Env}
	return rep, r.arrival(ctx, log, made, second, *upstream)
}

// found makes the repository's own place in the world, from HEAD.
func (r *Rehearsal) found(ctx context.Context, w *network.Network) (string, error) {
	name := r.File.Own().Repository
	if err := w.Forge.CreateRepository(name, forge.Repository{}); err != nil {
		return "", err
	}
	shallow, err := r.Repo.Run(ctx, "rev-parse", "--is-shallow-repository")
	if err != nil {
		return "", err
	}
	if shallow == "true" {
		return "", outcome.Usagef("this clone is shallow, and a release needs the history: git fetch --unshallow (in a workflow: fetch-depth: 0)")
	}
	dirty, err := r.Repo.Dirty(ctx)
	if err != nil {
		return "", err
	}
	if len(dirty) > 0 {
		fmt.Fprintf(r.Out, "note: %d changed or untracked files are not part of HEAD and so not rehearsed\n", len(dirty))
	}
	_, err = r.Repo.Run(ctx, "-c", "push.gpgSign=false", "-c", "protocol.file.allow=always", "push", "--no-follow-tags", "--quiet", "--no-verify", w.Forge.RepositoryDir(name), "+HEAD:refs/heads/main", "refs/tags/*:refs/tags/*")
	return "ghcr.io, quay.io and github.com answer on " + w.Addr(), err
}

func (r *Rehearsal) clone(ctx context.Context, here git.Repo) (string, error) {
	name := r.File.Own().Repository
	outside := git.Repo{Dir: filepath.Dir(here.Dir), Env: here.Env}
	if _, err := outside.Run(ctx, "clone", "--quiet", "https://github.com/"+name, here.Dir); err != nil {
		return "", err
	}
	commit, err := here.Head(ctx)
	return name + " at " + commit, err
}

// modules brings the Go modules that the build needs while there is a network.
func (r *Rehearsal) modules(ctx context.Context, clone string) (string, error) {
	if _, err := os.Stat(filepath.Join(clone, "go.mod")); err != nil {
		return "no go.mod", nil
	}
	toolchain, err := goreleaser.Toolchain(os.DirFS(clone))
	if err != nil {
		return "", err
	}
	outside := *r
	outside.Repo.Env = append(slices.Clone(r.Repo.Env), "GOTOOLCHAIN="+toolchain)
	_, err = outside.goCommand(ctx, clone, "mod", "download")
	return "toolchain " + toolchain + " and all modules are here; from now on nothing is fetched", err
}

// goCommand runs go in the user's own environment, outside the world.
func (r *Rehearsal) goCommand(ctx context.Context, dir string, args ...string) ([]byte, error) {
	return goCommand(ctx, r.Repo.Env, dir, args...)
}

func goCommand(ctx context.Context, env []string, dir string, args ...string) ([]byte, error) {
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", args...)
	cmd.Dir, cmd.Env, cmd.Stderr = dir, env, &stderr
	out, err := cmd.Output()
	if errors.Is(err, exec.ErrNotFound) {
		return nil, outcome.Usagef("no go command found on PATH: install Go, see go.mod for the version")
	}
	if err != nil {
		return nil, fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(stderr.String()+string(out)))
	}
	return out, nil
}

// kept variables of the user's environment: where programs and caches are.
var keptVariables = []string{"PATH", "TMPDIR", "LANG", "TERM", "GOROOT"}

// env is the whole environment of a process in the world.
func (r *Rehearsal) env(w *network.Network) []string {
	env := w.Env()
	for _, entry := range r.Repo.Env {
		if name, _, _ := strings.Cut(entry, "="); slices.Contains(keptVariables, name) {
			env = append(env, entry)
		}
	}
	// Without a go command there are no caches; what needs one says so itself.
	for _, name := range []string{"GOPATH", "GOMODCACHE", "GOCACHE"} {
		if out, err := r.goCommand(context.Background(), "", "env", name); err == nil {
			env = append(env, name+"="+strings.TrimSpace(string(out)))
		}
	}
	return append(env, "GOPROXY="+r.moduleCache(), "GOSUMDB=off", "GOTELEMETRY=off")
}

// moduleCache is a GOPROXY that has just the modules that are here:
// https://go.dev/ref/mod#module-cache
func (r *Rehearsal) moduleCache() string {
	out, err := r.goCommand(context.Background(), "", "env", "GOMODCACHE")
	if err != nil {
		return "off"
	}
	return "file://" + filepath.ToSlash(filepath.Join(strings.TrimSpace(string(out)), "cache", "download"))
}

// release runs the release as a user would.
func (r *Rehearsal) release(ctx context.Context, clone string, env []string) (*report.Report, error) {
	dir, err := os.MkdirTemp("", "ghhelper-report-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	args := []string{"release", r.Version.String(), "--config", r.Config, "--report", dir, "--accept-stand-ins"}
	if r.Verbose {
		args = append(args, "--verbose")
	}
	cmd := exec.CommandContext(ctx, r.Executable, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = clone, env, r.Out, r.Out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	ran := cmd.Run()
	rep, readErr := report.Read(dir)
	if readErr == nil && r.ReportDir != "" {
		readErr = rep.Write(r.ReportDir)
	}
	var exit *exec.ExitError
	switch {
	case ran != nil && !errors.As(ran, &exit):
		return nil, fmt.Errorf("running the release: %w", ran)
	case readErr != nil:
		return nil, errors.Join(ran, readErr)
	case ran == nil || exit.ExitCode() == int(outcome.Unchecked) && rep.Failed == "" && rep.OnlyStandIns():
		return rep, nil
	}
	if ctx.Err() != nil {
		return rep, errors.New("interrupted; the world is gone, and nothing else was touched")
	}
	return rep, &FailedError{exit.ExitCode()}
}

func (r *Rehearsal) kept(w *network.Network, file *delivery.File, env []string, failed bool) Kept {
	k := Kept{Network: w, Exports: w.Env(), Env: env, Failed: failed, Addr: w.Addr(), Source: "https://github.com/" + file.Own().Repository}
	own := file.Own()
	for _, name := range own.OfKind(delivery.Chart) {
		a := own.Artifacts[name]
		k.Charts = append(k.Charts, a.At+":"+a.TagFor(r.Version))
	}
	return k
}

// registryOf is the edge to the world's registries, with the right to push.
func registryOf(w *network.Network) *oci.Registry {
	return &oci.Registry{Keychain: tokenKeychain(w.Token()), Transport: w.Transport()}
}
