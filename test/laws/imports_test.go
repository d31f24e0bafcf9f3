package laws_test

import (
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// goFiles returns the tracked Go files that people write, with their content.
func goFiles(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range tracked(t) {
		if filepath.Ext(name) != ".go" || strings.Contains(name, "testdata/") {
			continue
		}
		data, err := os.ReadFile(filepath.Join("../..", name))
		if os.IsNotExist(err) {
			continue // removed, and not yet committed
		}
		if err != nil {
			t.Fatal(err)
		}
		files[name] = data
	}
	return files
}

// The imports of a file are up to three groups: the standard library, other modules, and ours.
// Each group is sorted. An empty line separates the groups.
func TestImportsAreGrouped(t *testing.T) {
	t.Parallel()
	for name, data := range goFiles(t) {
		for _, fault := range importFaults(t, name, data) {
			t.Errorf("%s: run goimports -local %s: %s", name, strings.TrimSuffix(module, "/"), fault)
		}
	}
}

// importFaults returns the imports of a file that are in the wrong place.
func importFaults(t *testing.T, name string, data []byte) []string {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, data, parser.ImportsOnly)
	if err != nil {
		t.Fatal(err)
	}
	var faults []string
	lines := strings.Split(string(data), "\n")
	for i := 1; i < len(file.Imports); i++ {
		before, here := file.Imports[i-1], file.Imports[i]
		from, to := set.Position(before.End()).Line, set.Position(here.Pos()).Line
		apart := slices.ContainsFunc(lines[from:to-1], func(line string) bool { return strings.TrimSpace(line) == "" })
		switch was, is := groupOf(before.Path.Value), groupOf(here.Path.Value); {
		case is < was:
			faults = append(faults, here.Path.Value+" is behind the group of "+before.Path.Value)
		case (is > was) != apart:
			faults = append(faults, "an empty line is missing or superfluous before "+here.Path.Value)
		case is == was && here.Path.Value < before.Path.Value:
			faults = append(faults, here.Path.Value+" is not sorted")
		}
	}
	return faults
}

// groupOf returns 0 for the standard library, 1 for other modules, and 2 for this module.
func groupOf(quoted string) int {
	path := strings.Trim(quoted, `"`)
	first, _, _ := strings.Cut(path, "/")
	switch {
	case strings.HasPrefix(path+"/", module):
		return 2
	case strings.Contains(first, "."):
		return 1
	}
	return 0
}

// Each wrong order of imports is found.
func TestImportFaultsAreFound(t *testing.T) {
	t.Parallel()
	const std, other, ours = "\t\"os\"\n", "\t\"example.com/x\"\n", "\t\"" + module + "x\"\n"
	for imports, want := range map[string]int{
		std + "\n" + other + "\n" + ours:     0,
		std + other:                          1,
		other + "\n" + std:                   1,
		std + "\n" + ours + "\n" + other:     1,
		"\t\"strings\"\n" + std:              1,
		"\t\"fmt\"\n\n" + std:                1,
		std + "\n\t// why\n" + other:         0,
		"\t\"fmt\"\n\t_ \"os\"\n\n" + other:  0,
		std + "\n" + other + "\n\n\n" + ours: 0,
	} {
		if faults := importFaults(t, "x.go", []byte("package x\n\nimport (\n"+imports+")\n")); len(faults) != want {
			t.Errorf("%q: %q, want %d faults", imports, faults, want)
		}
	}
}

// `make check` skips a test only if it starts a network or runs a built tool. The helpers for both
// decide that, so that no other reason gets in.
func TestSkipsOfShortTests(t *testing.T) {
	t.Parallel()
	helpers := []string{"test/networktest/harness.go", "test/testkit/testkit.go"}
	var found []string
	for name, data := range goFiles(t) {
		if strings.Contains(string(data), "testing."+"Short()") {
			found = append(found, name)
		}
	}
	slices.Sort(found)
	if !slices.Equal(found, helpers) {
		t.Errorf("testing.Short is called in %q, want only %q", found, helpers)
	}
}
