package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/networktest/contract"
	"github.com/kubestellar/actions/test/networktest/faults"
	"github.com/kubestellar/actions/test/testkit"
)

var update = flag.Bool("update", false, "write what the scripts compare with anew")

func TestMain(m *testing.M) {
	testscript.Main(m, map[string]func(){"ghhelper": func() { os.Exit(run()) }})
}

// Each script runs the real program in its own fake network, with a repository example/tiny. A
// script whose name begins with enterprise has an Enterprise server, ghe.example.
func TestScripts(t *testing.T) {
	t.Parallel()
	networktest.SkipIfShort(t)
	testscript.Run(t, testscript.Params{
		Dir:                 "testdata/script",
		UpdateScripts:       *update,
		RequireExplicitExec: true,
		Setup:               inWorld,
		Condition: func(name string) (bool, error) {
			if name != "all" {
				return false, fmt.Errorf("no condition %q, want all", name)
			}
			return faults.Takes(0, false), nil
		},
		Cmds: map[string]func(*testscript.TestScript, bool, []string){
			"base":        base,
			"check":       check,
			"checks":      checks,
			"concludes":   concludes,
			"described":   described,
			"exits":       exits,
			"received":    received,
			"helm-source": helmSource,
			"is":          is,
			"listen":      listen,
			"module":      moduleOf,
			"page":        page,
			"password":    password,
			"private":     private,
			"published":   published,
			"pulled":      pulled,
			"raced":       raced,
			"refused":     refused,
			"released":    released,
			"renamed":     renamed,
			"roots":       roots,
			"steps":       steps,
			"repository":  repository,
			"unpublished": unpublished,
			"valid":       valid,
			"without":     without,

			"repositories":   repositories,
			"workflow-token": workflowToken,
		},
	})
}

func inWorld(env *testscript.Env) error {
	var options network.Options
	if strings.HasPrefix(filepath.Base(env.WorkDir), "script-enterprise") {
		options.Enterprise = "ghe.example"
	}
	w, err := networktest.Start(filepath.Join(env.WorkDir, ".network"), options)
	if err != nil {
		return err
	}
	broken := &breaches{}
	w.Observe(contract.Hold(broken))
	env.Defer(func() {
		w.Close()
		broken.tell(env.T())
	})
	env.Values[worldKey{}] = w
	path := env.Getenv("PATH")
	env.Vars = append(env.Vars, w.Env()...)
	env.Setenv("PATH", path)
	caches, err := testkit.GoCaches()
	if err != nil {
		return err
	}
	env.Vars = append(env.Vars, caches...)
	env.Setenv("SRV", w.Forge.RepositoryDir("example/tiny"))
	out, err := exec.Command("git", "rev-parse", "--show-toplevel").Output()
	if err != nil {
		return err
	}
	env.Setenv("ROOT", strings.TrimSpace(string(out)))
	return w.Forge.CreateRepository("example/tiny", forge.Repository{})
}

type worldKey struct{}

func worldOf(ts *testscript.TestScript) *networktest.Network {
	return ts.Value(worldKey{}).(*networktest.Network)
}

// password HOST PASSWORD: the registry accepts this password, and no longer the network's token.
func password(ts *testscript.TestScript, _ bool, args []string) {
	worldOf(ts).Registry(args[0]).SetToken(args[1])
}

// private LOCATION: from now on, only authenticated clients see it.
func private(ts *testscript.TestScript, _ bool, args []string) {
	host, repository, _ := strings.Cut(args[0], "/")
	worldOf(ts).Registry(host).SetPrivate(repository, true)
}

// published LOCATION:TAG pushes an image there, with the network's token.
func published(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	at, tag, _ := strings.Cut(args[0], ":")
	r := &oci.Registry{Keychain: testkit.Login(w.Token()), Transport: w.Transport()}
	_, err := r.PushImage(context.Background(), at, tag, empty.Image)
	ts.Check(err)
}

// repository NAME [FOLDER WORD…] creates a repository, empty or with the folder's files on main.
// Words are its tags, or private, or archived.
func repository(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	if len(args) == 1 {
		ts.Check(w.Forge.CreateRepository(args[0], forge.Repository{}))
		return
	}
	name, folder, words := args[0], ts.MkAbs(args[1]), args[2:]
	ts.Check(w.Forge.CreateRepository(name, forge.Repository{Private: slices.Contains(words, "private")}))
	git := func(args ...string) {
		ts.Check(ts.Exec("git", append([]string{"--git-dir=" + w.Forge.RepositoryDir(name), "--work-tree=" + folder}, args...)...))
	}
	git("-C", folder, "add", "--all")
	git("commit", "--quiet", "--message=begin")
	for _, word := range words {
		switch word {
		case "private":
		case "archived":
			w.Forge.Archive(name)
		default:
			git("tag", word)
		}
	}
}

// repositories PREFIX N creates N empty repositories.
func repositories(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	for i := range n {
		ts.Check(worldOf(ts).Forge.CreateRepository(args[0]+strconv.Itoa(i), forge.Repository{}))
	}
}

// refused PATH: the API answers 403 if a request's path contains this.
func refused(ts *testscript.TestScript, _ bool, args []string) {
	worldOf(ts).Intercept(func(r networktest.Request) networktest.Fault {
		if strings.Contains(r.Path, args[0]) {
			return networktest.Fault{Status: 403, Body: `{"message":"Resource not accessible by personal access token"}`}
		}
		return networktest.Fault{}
	})
}

// exits CODE COMMAND ARG…: the command ends with this exit code.
func exits(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: exits CODE COMMAND ARG…")
	}
	code := 0
	var exit *exec.ExitError
	if err := ts.Exec(args[1], args[2:]...); errors.As(err, &exit) {
		code = exit.ExitCode()
	} else if err != nil {
		ts.Fatalf("%v", err)
	}
	if want, err := strconv.Atoi(args[0]); err != nil || want != code {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// listen VAR reserves a port of 127.0.0.1 for the rest of the script.
func listen(ts *testscript.TestScript, _ bool, args []string) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	ts.Check(err)
	ts.Defer(func() { l.Close() })
	ts.Setenv(args[0], l.Addr().String())
}

// without COMMAND removes the folders with the command from PATH, except the folder of ghhelper.
func without(ts *testscript.TestScript, _ bool, args []string) {
	dirs := filepath.SplitList(ts.Getenv("PATH"))
	kept := dirs[:1]
	for _, dir := range dirs[1:] {
		if _, err := os.Stat(filepath.Join(dir, args[0])); err != nil {
			kept = append(kept, dir)
		}
	}
	ts.Setenv("PATH", strings.Join(kept, string(os.PathListSeparator)))
}
