package actions_test

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"slices"
	"strings"
	"testing"

	"github.com/kubestellar/actions/test/testkit"
)

// builders are the files outside of the code that change the bytes of ghhelper.
var builders = []string{"go.mod", "go.sum", "actions/_lib/build.sh"}

// copyTree copies the tree as a runner unpacks it, without git and without files that the actions do
// not read.
func copyTree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	for _, folder := range []string{"actions/_lib", "cmd", "internal"} {
		if err := os.CopyFS(filepath.Join(dir, folder), os.DirFS(filepath.Join(root, folder))); err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range []string{"go.mod", "go.sum"} {
		data, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		testkit.Write(t, filepath.Join(dir, name), string(data))
	}
	return dir
}

func appendTo(t *testing.T, file, text string) {
	t.Helper()
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	testkit.Write(t, file, string(data)+text)
}

// sourceScript runs source.sh of a tree.
func sourceScript(tree string, env ...string) (string, error) {
	cmd := exec.Command("bash", filepath.Join(tree, "actions", "_lib", "source.sh"))
	cmd.Env = append(os.Environ(), env...)
	out, err := cmd.Output()
	if exit := new(exec.ExitError); errors.As(err, &exit) {
		out = append(out, exit.Stderr...)
	}
	return strings.TrimSpace(string(out)), err
}

func sourceHash(t *testing.T, tree string, env ...string) string {
	t.Helper()
	hash, err := sourceScript(tree, env...)
	if err != nil || !regexp.MustCompile(`^[0-9a-f]{64}$`).MatchString(hash) {
		t.Fatalf("source.sh: saw %q, %v, want a SHA-256", hash, err)
	}
	return hash
}

// built returns our files from which the go command builds ghhelper, for every system that the actions
// support.
func built(t *testing.T) []string {
	t.Helper()
	top, err := filepath.Abs(root)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]bool{}
	for _, system := range []string{"linux", "darwin"} {
		for _, arch := range []string{"amd64", "arm64"} {
			cmd := exec.Command("go", "list", "-deps", "-json=Dir,Module,GoFiles,CgoFiles,SFiles,HFiles,CFiles,SysoFiles,EmbedFiles", "./cmd/ghhelper")
			cmd.Dir, cmd.Stderr = top, os.Stderr
			cmd.Env = append(os.Environ(), "GOOS="+system, "GOARCH="+arch, "CGO_ENABLED=0", "GOFLAGS=-mod=readonly", "GOWORK=off")
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			for _, file := range ours(t, out) {
				rel, err := filepath.Rel(top, file)
				if err != nil {
					t.Fatal(err)
				}
				all[filepath.ToSlash(rel)] = true
			}
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// ours returns the files of this module in the output of go list.
func ours(t *testing.T, listed []byte) (files []string) {
	t.Helper()
	for decoder := json.NewDecoder(bytes.NewReader(listed)); ; {
		var p struct {
			Dir                                                              string
			Module                                                           *struct{ Main bool }
			GoFiles, CgoFiles, SFiles, HFiles, CFiles, SysoFiles, EmbedFiles []string
		}
		if err := decoder.Decode(&p); err == io.EOF {
			return files
		} else if err != nil {
			t.Fatal(err)
		}
		if p.Module == nil || !p.Module.Main {
			continue
		}
		for _, name := range slices.Concat(p.GoFiles, p.CgoFiles, p.SFiles, p.HFiles, p.CFiles, p.SysoFiles, p.EmbedFiles) {
			files = append(files, filepath.Join(p.Dir, name))
		}
	}
}

// The hash covers every file of ghhelper. Each change gives a new hash.
func TestSourceHashHoldsAllThatIsBuilt(t *testing.T) {
	t.Parallel()
	tree := copyTree(t)
	files := append(built(t), builders...)
	if len(files) < 150 || !slices.Contains(files, "internal/delivery/schema.json") {
		t.Fatalf("go list names %d files, want those of ghhelper, with what is embedded: %q", len(files), files)
	}
	seen := map[string]string{sourceHash(t, tree): "the tree as it was"}
	for _, file := range files {
		appendTo(t, filepath.Join(tree, file), "\n")
		hash := sourceHash(t, tree)
		if before, known := seen[hash]; known {
			t.Errorf("with a change of %s, the hash is that of %s", file, before)
		}
		seen[hash] = file
	}
}

// The hash ignores all other files, because their changes need no new build.
func TestSourceHashHoldsNothingElse(t *testing.T) {
	t.Parallel()
	tree := copyTree(t)
	before := sourceHash(t, tree)
	for _, file := range []string{
		"README.md", "hack/x/main.go", "cmd/other/main.go", "cmd/ghhelper/x_test.go", "internal/oci/testdata/x.go",
		"internal/testdata/a/b", "actions/_lib/x.sh",
	} {
		testkit.Write(t, filepath.Join(tree, file), "x")
	}
	if after := sourceHash(t, tree); after != before {
		t.Errorf("saw %s, want %s as before", after, before)
	}
	testkit.Write(t, filepath.Join(tree, "internal/a b/new.go"), "x")
	if after := sourceHash(t, tree); after == before {
		t.Error("a new file does not change the hash")
	}
}

// The hash is the same with and without git, in every locale, and with sha256sum or, as on macOS,
// shasum. It matches its description.
func TestSourceHashIsTheSameEverywhere(t *testing.T) {
	t.Parallel()
	tree := copyTree(t)
	want := hashOf(t, tree)
	for name, got := range map[string]string{
		"here":              sourceHash(t, root),
		"in a copy":         sourceHash(t, tree),
		"in another locale": sourceHash(t, tree, "LC_ALL=en_US.UTF-8", "LANG=en_US.UTF-8"),
		"with shasum":       sourceHash(t, tree, "PATH="+commandsOnly(t, "bash", "cut", "dirname", "find", "perl", "shasum", "sort")),
	} {
		if got != want {
			t.Errorf("%s: saw %s, want %s", name, got, want)
		}
	}
}

// hashOf computes the source hash from its description.
func hashOf(t *testing.T, tree string) string {
	t.Helper()
	files := slices.Clone(builders)
	for _, top := range []string{"cmd/ghhelper", "internal"} {
		err := fs.WalkDir(os.DirFS(tree), top, func(path string, entry fs.DirEntry, err error) error {
			switch {
			case err != nil:
				return err
			case entry.Name() == "testdata":
				return fs.SkipDir
			case !entry.IsDir() && !strings.HasSuffix(path, "_test.go"):
				files = append(files, path)
			}
			return nil
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	var lines []string
	for _, file := range files {
		data, err := os.ReadFile(filepath.Join(tree, file))
		if err != nil {
			t.Fatal(err)
		}
		lines = append(lines, fmt.Sprintf("%x  %s\n", sha256.Sum256(data), file))
	}
	slices.Sort(lines)
	sum := sha256.Sum256([]byte(strings.Join(lines, "")))
	return hex.EncodeToString(sum[:])
}

// commandsOnly returns a PATH with only these commands.
func commandsOnly(t *testing.T, names ...string) string {
	t.Helper()
	dir := t.TempDir()
	for _, name := range names {
		path, err := exec.LookPath(name)
		if err == nil {
			err = os.Symlink(path, filepath.Join(dir, name))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

func TestSourceHashRefuses(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		spoil func(t *testing.T, tree string) error
		says  string
	}{
		"a link to a file": {func(_ *testing.T, tree string) error {
			return os.Symlink("root.go", filepath.Join(tree, "cmd/ghhelper/link.go"))
		}, `"cmd/ghhelper/link.go" is not a regular file`},
		"a link to a folder": {func(_ *testing.T, tree string) error {
			return os.Symlink("oci", filepath.Join(tree, "internal/link"))
		}, `"internal/link" is not a regular file`},
		"a link at the top": {func(t *testing.T, tree string) error {
			if err := os.Rename(filepath.Join(tree, "internal"), filepath.Join(tree, "moved")); err != nil {
				return err
			}
			return os.Symlink("moved", filepath.Join(tree, "internal"))
		}, `"internal" is not a regular file`},
		"a line in a name": {func(t *testing.T, tree string) error {
			testkit.Write(t, filepath.Join(tree, "internal/a\nb.go"), "")
			return nil
		}, `is not a regular file`},
		"no go.sum": {func(_ *testing.T, tree string) error { return os.Remove(filepath.Join(tree, "go.sum")) }, "cannot list go.sum"},
		"no code": {func(_ *testing.T, tree string) error {
			folder := filepath.Join(tree, "internal")
			return errors.Join(os.RemoveAll(folder), os.Mkdir(folder, 0o755))
		}, "no files below internal"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			tree := copyTree(t)
			if err := c.spoil(t, tree); err != nil {
				t.Fatal(err)
			}
			said, err := sourceScript(tree)
			if err == nil || !strings.Contains(said, c.says) {
				t.Errorf("saw %q, %v, want %q", said, err, c.says)
			}
		})
	}
}

// program builds ghhelper from a tree as the actions do, for this machine.
func program(t *testing.T, tree string, env ...string) []byte {
	t.Helper()
	file := filepath.Join(t.TempDir(), "ghhelper")
	cmd := exec.Command("bash", filepath.Join(tree, "actions", "_lib", "build.sh"), runtime.GOOS, runtime.GOARCH, file)
	cmd.Env = append(os.Environ(), env...)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("build.sh: %v\n%s", err, out)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// The same source gives the same program in every folder and with every configuration of Go.
func TestTheSameSourceIsTheSameProgram(t *testing.T) {
	t.Parallel()
	here := program(t, root)
	there := program(t, copyTree(t), "GOFLAGS=-mod=mod -tags=x", "GOAMD64=v3", "GOARM64=v9.0", "CGO_ENABLED=1", "GOWORK=nowhere",
		"GOEXPERIMENT=nogreenteagc", "GOOS=plan9", "GOARCH=386", "GOTOOLCHAIN=local")
	if !bytes.Equal(here, there) {
		t.Errorf("saw SHA-256 %x, and in another folder and environment %x", sha256.Sum256(here), sha256.Sum256(there))
	}
	if hash := sourceHash(t, root); !bytes.Contains(here, []byte(hash)) {
		t.Errorf("the program does not contain its source hash, %s", hash)
	}
}
