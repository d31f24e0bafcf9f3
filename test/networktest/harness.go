package networktest

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest/contract"
)

// Repository is the name of the repository that Seeded creates.
const Repository = "kubestellar/actions"

// New starts a network that ends with the test, and checks the forge's answers against GitHub's
// description of its API.
func New(t *testing.T, o network.Options) *Network {
	t.Helper()
	SkipIfShort(t)
	n, err := Start(filepath.Join(t.TempDir(), "network"), o)
	if err != nil {
		t.Fatal(err)
	}
	n.Observe(contract.HoldForge(t))
	t.Cleanup(func() {
		if err := n.Close(); err != nil {
			t.Error(err)
		}
	})
	return n
}

// SkipIfShort skips a test that starts a network if only unit tests are to run, as in `make check`.
func SkipIfShort(t testing.TB) {
	t.Helper()
	if testing.Short() {
		t.Skip("starts a network: `make test` runs this")
	}
}

// Seeded starts a network with one repository, which Seed creates, and returns its clone.
func Seeded(t *testing.T, o forge.Repository) (n *Network, clone string) {
	t.Helper()
	n = New(t, network.Options{})
	return n, Seed(t, n, Repository, o)
}

// Seed creates a repository with one commit on main, and returns a clone.
func Seed(t *testing.T, n *Network, fullName string, o forge.Repository) string {
	t.Helper()
	if err := n.Forge.CreateRepository(fullName, o); err != nil {
		t.Fatal(err)
	}
	clone := filepath.Join(t.TempDir(), "clone")
	Git(t, n, ".", "clone", "--quiet", "https://github.com/"+fullName, clone)
	CommitFile(t, n, clone, "README.md", "first\n")
	Git(t, n, clone, "push", "--quiet", "origin", "main")
	return clone
}

// CommitFile commits a file in a clone, and returns the commit.
func CommitFile(t *testing.T, n *Network, clone, name, content string) string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(clone, name), []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	Git(t, n, clone, "add", "--", name)
	Git(t, n, clone, "commit", "--quiet", "-m", "change "+name)
	return Git(t, n, clone, "rev-parse", "HEAD")
}

// TryGit runs git with the network's environment, and returns its output.
func TryGit(n *Network, dir string, args ...string) (string, error) {
	cmd := exec.Command("git", args...)
	cmd.Dir = dir
	cmd.Env = append(n.Env(), "PATH="+os.Getenv("PATH"), "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	if err != nil {
		err = fmt.Errorf("git %s: %w: %s", strings.Join(args, " "), err, out)
	}
	return strings.TrimSpace(string(out)), err
}

// Git is TryGit, and ends the test on an error.
func Git(t *testing.T, n *Network, dir string, args ...string) string {
	t.Helper()
	out, err := TryGit(n, dir, args...)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// Get sends a request without credentials, and returns the status and the body of the answer.
func Get(n *Network, url string) (int, string, error) {
	resp, err := (&http.Client{Transport: n.Transport()}).Get(url)
	if err != nil {
		return 0, "", err
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	return resp.StatusCode, string(body), err
}

// Do sends a request, and returns the status and the body of the answer.
func Do(t *testing.T, n *Network, req *http.Request) (int, string) {
	t.Helper()
	resp, err := (&http.Client{Transport: n.Transport()}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	b, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, string(b)
}

// Dial opens a connection to a host through the proxy, before TLS.
func Dial(t *testing.T, n *Network, host string) net.Conn {
	t.Helper()
	conn, err := net.Dial("tcp", n.Addr())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { conn.Close() })
	if err := conn.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	fmt.Fprintf(conn, "CONNECT %[1]s:443 HTTP/1.1\r\nHost: %[1]s:443\r\n\r\n", host)
	answer := make([]byte, len("HTTP/1.1 200 Connection established\r\n\r\n"))
	if _, err := io.ReadFull(conn, answer); err != nil || !strings.Contains(string(answer), " 200 ") {
		t.Fatalf("CONNECT %s: %q (%v)", host, answer, err)
	}
	return conn
}

// Until waits a bounded time until a condition holds that no channel reports.
func Until(t *testing.T, what string, is func() bool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	for !is() {
		if runtime.Gosched(); ctx.Err() != nil {
			stacks := make([]byte, 1<<20)
			t.Fatalf("not so: %s\n%s", what, stacks[:runtime.Stack(stacks, true)])
		}
	}
}
