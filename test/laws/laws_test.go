// Package laws_test checks the code against the design: imports between packages, and access to the
// environment.
package laws_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const module = "github.com/kubestellar/actions/"

// source is a file of the product.
type source struct {
	path string // from the module's root
	file *ast.File
}

func (s source) dir() string { return filepath.Dir(s.path) }

func (s source) imports() []string {
	var paths []string
	for _, i := range s.file.Imports {
		path, _ := strconv.Unquote(i.Path.Value) // the parser has read it
		paths = append(paths, path)
	}
	return paths
}

// sources returns the files of the product.
func sources(t *testing.T) []source { return sourcesBelow(t, "cmd", "internal") }

func sourcesBelow(t *testing.T, tops ...string) []source {
	t.Helper()
	var all []source
	root := os.DirFS("../..")
	for _, top := range tops {
		err := fs.WalkDir(root, top, func(path string, entry fs.DirEntry, err error) error {
			if err != nil || entry.IsDir() && entry.Name() == "testdata" {
				return fs.SkipDir
			}
			if filepath.Ext(path) != ".go" || strings.HasSuffix(path, "_test.go") {
				return nil
			}
			file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", path), nil, parser.SkipObjectResolution)
			all = append(all, source{path, file})
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	if len(all) < 50 {
		t.Fatalf("found only %d files", len(all))
	}
	return all
}

// Each of these packages has few importers. Other packages use those.
func TestEdges(t *testing.T) {
	t.Parallel()
	edges := map[string][]string{
		"github.com/google/go-github/": {"internal/gh"},
		"helm.sh/helm/":                {"internal/chart"},
		"github.com/google/go-containerregistry/pkg/v1/remote": {"internal/oci"},
		"github.com/google/go-containerregistry/pkg/registry":  {"internal/rehearsal/registry"},
		"github.com/spf13/cobra":                               {"cmd/ghhelper"},
		"os/exec": {"internal/apply", "internal/attest", "internal/git", "internal/goreleaser",
			"internal/image", "internal/release", "internal/rehearsal", "internal/rehearsal/forge"},
		"github.com/getkin/kin-openapi/":                          {}, // tests do
		module + "internal/goreleaser":                            {"cmd/ghhelper", "internal/prove", "internal/rehearsal", "internal/release"},
		module + "internal/rehearsal":                             {"cmd/ghhelper", "internal/rehearsal", "internal/rehearsal/network"},
		"github.com/google/go-containerregistry/pkg/authn/github": {"cmd/ghhelper"},
		"github.com/docker/cli/":                                  {"cmd/ghhelper"},
	}
	used := map[string]bool{}
	for _, s := range sources(t) {
		for _, path := range s.imports() {
			for edge, allowed := range edges {
				if !strings.HasPrefix(path, edge) {
					continue
				}
				used[edge] = true
				if !slices.Contains(allowed, s.dir()) {
					t.Errorf("%s imports %s: only %s may", s.path, path, strings.Join(allowed, ", "))
				}
			}
		}
	}
	for edge, allowed := range edges {
		if !used[edge] && len(allowed) > 0 {
			t.Errorf("no package imports %s: remove it from the law", edge)
		}
	}
}

// Packages below testing are made for small tests: fstest.MapFS reads the names of a whole
// tree to list one folder.
func TestProductImportsNoTesting(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		for _, path := range s.imports() {
			if path == "testing" || strings.HasPrefix(path, "testing/") {
				t.Errorf("%s imports %s, want no test package in the product", s.path, path)
			}
		}
	}
}

// Values go right, imports go left.
func TestImportsGoLeft(t *testing.T) {
	t.Parallel()
	order := []string{"internal/outcome", "internal/cache", "internal/ref", "internal/history", "internal/tree", "internal/delivery", "internal/event",
		"internal/find",
		"internal/chart", "internal/git", "internal/workspace", "internal/web", "internal/oci",
		"internal/gh", "internal/attest", "internal/resolve", "internal/lookup",
		"internal/decide", "internal/render", "internal/apply", "internal/report", "internal/goreleaser",
		"internal/verify", "internal/bump", "internal/plan", "internal/prove", "internal/dispatch", "internal/tag", "internal/image", "internal/release",
		"internal/rehearsal/forge", "internal/rehearsal/registry", "internal/rehearsal/network", "internal/rehearsal", "cmd/ghhelper"}
	for _, s := range sources(t) {
		at := slices.Index(order, s.dir())
		if at < 0 {
			t.Errorf("%s: its package has no place in the order", s.path)
		}
		for _, path := range s.imports() {
			to, ours := strings.CutPrefix(path, module)
			if ours && slices.Index(order, to) >= at {
				t.Errorf("%s imports %s, which is to the right of it", s.path, to)
			}
		}
	}
}

// The product does not import its tests.
func TestTheProductImportsNoTests(t *testing.T) {
	t.Parallel()
	for _, s := range sources(t) {
		for _, path := range s.imports() {
			if strings.HasPrefix(path, module+"test/") {
				t.Errorf("%s imports %s: only tests may", s.path, path)
			}
		}
	}
}

// Decisions are pure: no query and no process can be reached from them, by way of any of our packages.
func TestDecisionsArePure(t *testing.T) {
	t.Parallel()
	imports := map[string][]string{}
	for _, s := range sources(t) {
		imports[s.dir()] = append(imports[s.dir()], s.imports()...)
	}
	edges := []string{"net/http", "os/exec", module + "internal/oci", module + "internal/gh", module + "internal/git", module + "internal/lookup"}
	via := map[string]string{"internal/decide": ""} // package → the one that imports it
	for queue := []string{"internal/decide"}; len(queue) > 0; queue = queue[1:] {
		for _, path := range imports[queue[0]] {
			if slices.Contains(edges, path) {
				t.Errorf("internal/decide reaches %s: %s imports it, imported by %q", path, queue[0], via[queue[0]])
			}
			ours, ok := strings.CutPrefix(path, module)
			if _, seen := via[ours]; ok && !seen {
				via[ours] = queue[0]
				queue = append(queue, ours)
			}
		}
	}
	if len(via) < 4 {
		t.Errorf("internal/decide reaches only %d of our packages: this test checks nothing", len(via))
	}
}

// Only package main reads the environment, the clock and the arguments, and ends the program. The
// fake network also has a clock.
func TestOnlyTheDoorLooksAround(t *testing.T) {
	t.Parallel()
	forbidden := []string{"os.Getenv", "os.LookupEnv", "os.Environ", "os.Exit", "os.Args", "time.Now", "log.Fatal", "log.Fatalf", "http.DefaultClient",
		"http.Get"}
	network := []string{"internal/rehearsal/network", "internal/rehearsal/forge"}
	seen := 0
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			selector, ok := n.(*ast.SelectorExpr)
			if !ok {
				return true
			}
			x, ok := selector.X.(*ast.Ident)
			if !ok || !slices.Contains(forbidden, x.Name+"."+selector.Sel.Name) {
				return true
			}
			seen++
			if s.dir() != "cmd/ghhelper" && !slices.Contains(network, s.dir()) {
				t.Errorf("%s uses %s.%s: let it come in as a value", s.path, x.Name, selector.Sel.Name)
			}
			return true
		})
	}
	if seen == 0 {
		t.Error("not even package main does: this test checks nothing")
	}
}

// A function is one thought.
func TestFunctionsAreShort(t *testing.T) {
	t.Parallel()
	const most = 60 // lines
	for _, s := range sourcesBelow(t, "cmd", "internal", "test") {
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, filepath.Join("../..", s.path), nil, parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			if n := set.Position(f.End()).Line - set.Position(f.Pos()).Line + 1; n > most {
				t.Errorf("%s: %s has %d lines, at most %d", s.path, f.Name.Name, n, most)
			}
		}
	}
}

// TestPackagesAreSmall checks that a package has at most 12 files, or a reason for more.
func TestPackagesAreSmall(t *testing.T) {
	t.Parallel()
	const most = 12 // files, without tests
	reasons := map[string]string{
		"cmd/ghhelper":  "one file a command",
		"internal/find": "one file a form of reference",
	}
	files := map[string]int{}
	for _, s := range sourcesBelow(t, "cmd", "internal", "test") {
		files[s.dir()]++
	}
	for dir, n := range files {
		switch _, excused := reasons[dir]; {
		case n > most && !excused:
			t.Errorf("%s has %d files, at most %d: split it, merge files, or give the reason here", dir, n, most)
		case n <= most && excused:
			t.Errorf("%s has %d files: it needs no reason", dir, n)
		}
	}
	for dir := range reasons {
		if files[dir] == 0 {
			t.Errorf("%s has a reason and no files", dir)
		}
	}
}

// Only internal/goreleaser knows goreleaser's files, flags, variables and keys.
func TestOneReaderOfGoreleaser(t *testing.T) {
	t.Parallel()
	const owner = "internal/goreleaser"
	words := regexp.MustCompile(`^"?(\.goreleaser\.ya?ml|artifacts\.json|metadata\.json|--snapshot|--clean|--skip=.*)"?$` +
		`|^"(GORELEASER_|RELEASE_PUBLISHED=|STAGE=)|yaml:"(kos|base_image|dockers|dockers_v2|docker_manifests|sboms|skip_push)"`)
	used := map[string]bool{}
	for _, s := range sources(t) {
		ast.Inspect(s.file, func(n ast.Node) bool {
			literal, ok := n.(*ast.BasicLit)
			if !ok || !words.MatchString(literal.Value) {
				return true
			}
			used[literal.Value] = true
			if s.dir() != owner {
				t.Errorf("%s contains %s: only %s reads and runs goreleaser", s.path, literal.Value, owner)
			}
			return true
		})
	}
	const known = 15
	if len(used) < known {
		t.Errorf("the law finds %d of goreleaser's words, want at least %d: %v", len(used), known, slices.Sorted(maps.Keys(used)))
	}
}
