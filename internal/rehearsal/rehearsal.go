// Package rehearsal releases a repository's HEAD into a fake network on loopback. The commands,
// goreleaser, git and the pushes are real.
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
	Repo    git.Repo       // the repository whose HEAD is released
	Config  string         // the path of its delivery.yaml
	File    *delivery.File // its delivery.yaml at HEAD
	Version ref.Version
	// Executable is this program. It runs the release as a process of its own, in the network's
	// environment.
	Executable string
	// Upstream is the upstream release that arrives after the repository's own release. If it is
	// nil, Run chooses one. OnlyUpstream skips the repository's own release.
	Upstream     *Upstream
	OnlyUpstream bool
	// Without has the stand-ins (location:tag) to withhold.
	Without []string
	// Addr is the address that the network listens on. Empty means any free port of 127.0.0.1.
	Addr string
	// ReportDir is the folder for report.md and report.json.
	ReportDir string
	// Verbose shows goreleaser's output while it builds.
	Verbose bool
	Out     io.Writer
	Now     func() time.Time
	// Kept, if not nil, is called after the release, before the network is closed.
	Kept func(context.Context, Kept)
}

// Kept is a running network after a rehearsed release.
type Kept struct {
	Network *network.Network
	Exports []string // environment variables for a person's shell
	Env     []string // whole environment for a process
	Failed  bool     // the release failed
	Addr    string
	Charts  []string // location:tag
	Source  string   // URL of the repository
}

// FailedError is the failure of the rehearsed release, which has printed the cause.
type FailedError struct{ Exit int }

// Code returns the exit code of the release, or outcome.Unchecked if it was killed.
func (e *FailedError) Code() outcome.Code { return codeOf(e.Exit) }

func (e *FailedError) Error() string {
	return fmt.Sprintf("the rehearsed release failed with exit code %d, see above", e.Exit)
}

// Run rehearses. The report is nil if the release ended without one.
func (r *Rehearsal) Run(ctx context.Context) (*report.Report, error) {
	if host, _, err := net.SplitHostPort(r.Addr); r.Addr != "" && (err != nil || !isLoopback(host)) {
		return nil, outcome.Usagef("--addr %q is not a loopback address with a port: "+
			"want one such as 127.0.0.1:8080, "+
			"because the fake network serves your commit", r.Addr)
	}
	if runtime.GOOS != "linux" {
		return nil, outcome.Usagef("a rehearsal runs only on Linux, this is %s: "+
			"elsewhere Go programs ignore SSL_CERT_FILE (golang/go#77865) and refuse the fake network; "+
			"use a Linux machine or container", runtime.GOOS)
	}
	dir, err := os.MkdirTemp("", "ghhelper-rehearsal-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	n, err := network.Start(filepath.Join(dir, "network"), network.Options{Addr: r.Addr})
	if err != nil {
		return nil, outcome.As(outcome.Usage, err)
	}
	defer n.Close()
	return r.runIn(ctx, n, filepath.Join(dir, "clone"))
}

func isLoopback(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// runIn runs all steps of a rehearsal in a network.
func (r *Rehearsal) runIn(ctx context.Context, n *network.Network, clone string) (*report.Report, error) {
	log := &report.Log{Out: r.Out, Now: r.Now}
	made, here, err := r.prepare(ctx, log, n, clone)
	if err != nil {
		return nil, err
	}
	rep, err := r.releases(ctx, log, made, here)
	if refused := n.Refused(); len(refused) > 0 {
		fmt.Fprintf(r.Out, "refused: the fake network has no %s; a program asked for it\n", strings.Join(refused, ", "))
	}
	if rep != nil && r.Kept != nil && ctx.Err() == nil {
		r.Kept(ctx, r.kept(n, r.File, here.Env, err != nil))
	}
	return rep, err
}

// Prepare prepares a network for a release by the caller. It clones the repository, and makes
// stand-ins for everything that others publish. It returns the environment for the release.
func (r *Rehearsal) Prepare(ctx context.Context, n *network.Network, clone string) (env []string, err error) {
	_, here, err := r.prepare(ctx, &report.Log{Out: r.Out, Now: r.Now}, n, clone)
	return here.Env, err
}

func (r *Rehearsal) prepare(
	ctx context.Context, log *report.Log, n *network.Network, clone string,
) (made *maker, here git.Repo, err error) {
	if err := log.Step("network", func() (string, error) { return r.pushHead(ctx, n) }); err != nil {
		return nil, here, err
	}
	here = git.Repo{Dir: clone, Env: r.env(n)}
	if err := log.Step("clone", func() (string, error) { return r.clone(ctx, here) }); err != nil {
		return nil, here, err
	}
	if err := log.Step("modules", func() (string, error) { return r.modules(ctx, clone) }); err != nil {
		return nil, here, err
	}
	err = log.Step("stand-ins", func() (did string, err error) {
		made, did, err = r.standIns(ctx, n, r.File, clone)
		return did, err
	})
	return made, here, err
}

// releases runs the release, and the arrival of an upstream's.
func (r *Rehearsal) releases(
	ctx context.Context, log *report.Log, made *maker, here git.Repo,
) (rep *report.Report, err error) {
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

// branch returns the name of the repository's default branch, as far as the clone or its origin tell.
func (r *Rehearsal) branch(ctx context.Context) string {
	if name, err := r.Repo.Run(ctx, "symbolic-ref", "--short", "refs/remotes/origin/HEAD"); err == nil {
		return strings.TrimPrefix(name, "origin/")
	}
	if name, err := r.Repo.DefaultBranch(ctx, git.Origin); err == nil {
		return name
	}
	return "main"
}

// pushHead creates the repository on the forge, with HEAD as its default branch.
func (r *Rehearsal) pushHead(ctx context.Context, n *network.Network) (string, error) {
	name := r.File.Own().Repository
	branch := r.branch(ctx)
	if err := n.Forge.CreateRepository(name, forge.Repository{Branch: branch}); err != nil {
		return "", err
	}
	shallow, err := r.Repo.Run(ctx, "rev-parse", "--is-shallow-repository")
	if err != nil {
		return "", err
	}
	if shallow == "true" {
		return "", outcome.Usagef("this clone is shallow, and a release needs the history: " +
			"git fetch --unshallow (in a workflow: fetch-depth: 0)")
	}
	dirty, err := r.Repo.Dirty(ctx)
	if err != nil {
		return "", err
	}
	if len(dirty) > 0 {
		fmt.Fprintf(r.Out, "note: %d changed or untracked files are not part of HEAD, so not rehearsed\n", len(dirty))
	}
	_, err = r.Repo.Run(ctx, "-c", "push.gpgSign=false", "-c", "protocol.file.allow=always",
		"push", "--no-follow-tags", "--quiet", "--no-verify", n.Forge.RepositoryDir(name),
		"+HEAD:refs/heads/"+branch, "refs/tags/*:refs/tags/*")
	return "ghcr.io, quay.io and github.com answer on " + n.Addr(), err
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

// modules downloads the Go modules of the build from the real network.
func (r *Rehearsal) modules(ctx context.Context, clone string) (string, error) {
	dir := goreleaser.ModuleFolder(os.DirFS(clone), r.File.Own().Folder)
	if _, err := os.Stat(filepath.Join(clone, dir, "go.mod")); err != nil {
		return "no go.mod", nil
	}
	toolchain, err := goreleaser.Toolchain(os.DirFS(clone), dir)
	if err != nil {
		return "", err
	}
	outside := *r
	outside.Repo.Env = append(slices.Clone(r.Repo.Env), "GOTOOLCHAIN="+toolchain)
	_, err = outside.goCommand(ctx, filepath.Join(clone, dir), "mod", "download")
	return "toolchain " + toolchain + " and all modules are here; nothing is downloaded from now on", err
}

// goCommand runs go in the user's own environment, outside of the fake network.
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
		said := strings.TrimSpace(stderr.String() + string(out))
		return nil, fmt.Errorf("go %s: %w: %s", strings.Join(args, " "), err, said)
	}
	return out, nil
}

// keptVariables are the variables of the user's environment that locate programs and caches.
var keptVariables = []string{"PATH", "TMPDIR", "LANG", "TERM", "GOROOT"}

// env returns the whole environment of a process that uses the network.
func (r *Rehearsal) env(n *network.Network) []string {
	env := n.Env()
	for _, entry := range r.Repo.Env {
		if name, _, _ := strings.Cut(entry, "="); slices.Contains(keptVariables, name) {
			env = append(env, entry)
		}
	}
	// Without a go command there are no caches. A step that needs go reports that itself.
	for _, name := range []string{"GOPATH", "GOMODCACHE", "GOCACHE"} {
		if out, err := r.goCommand(context.Background(), "", "env", name); err == nil {
			env = append(env, name+"="+strings.TrimSpace(string(out)))
		}
	}
	return append(env, "GOPROXY="+r.moduleCache(), "GOSUMDB=off", "GOTELEMETRY=off")
}

// moduleCache returns a GOPROXY that serves only the modules in the module cache:
// https://go.dev/ref/mod#module-cache
func (r *Rehearsal) moduleCache() string {
	out, err := r.goCommand(context.Background(), "", "env", "GOMODCACHE")
	if err != nil {
		return "off"
	}
	return "file://" + filepath.ToSlash(filepath.Join(strings.TrimSpace(string(out)), "cache", "download"))
}

// release runs `ghhelper release`.
func (r *Rehearsal) release(ctx context.Context, clone string, env []string) (*report.Report, error) {
	dir, err := os.MkdirTemp("", "ghhelper-report-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	tag := r.File.Own().GitTag(r.Version)
	args := []string{"release", tag, "--config", r.Config, "--report", dir, "--accept-stand-ins"}
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
		return rep, errors.New("interrupted; the fake network is gone, and nothing else was changed")
	}
	return rep, &FailedError{exit.ExitCode()}
}

func (r *Rehearsal) kept(n *network.Network, file *delivery.File, env []string, failed bool) Kept {
	own := file.Own()
	k := Kept{
		Network: n, Exports: n.Env(), Env: env, Failed: failed, Addr: n.Addr(),
		Source: "https://github.com/" + own.Repository,
	}
	for _, name := range own.OfKind(delivery.Chart) {
		a := own.Artifacts[name]
		k.Charts = append(k.Charts, a.At+":"+a.TagFor(r.Version))
	}
	return k
}

// registryOf returns a client of the network's registries that may push.
func registryOf(n *network.Network) *oci.Registry {
	return &oci.Registry{Keychain: tokenKeychain(n.Token()), Transport: n.Transport()}
}
