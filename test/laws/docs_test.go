package laws_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

var (
	heading = regexp.MustCompile(`(?m)^#+ (.+)$`)
	link    = regexp.MustCompile(`\]\(([^)\s]+)\)`)
	fence   = regexp.MustCompile("(?ms)^```.*?^```$")
	ruleOf  = regexp.MustCompile(`^[a-z]+(-[a-z]+)*$`)
)

// anchors returns the names by which GitHub links to the headings of a page.
func anchors(page string) []string {
	var all []string
	for _, m := range heading.FindAllStringSubmatch(fence.ReplaceAllString(page, ""), -1) {
		text := regexp.MustCompile(`\[([^\]]*)\]\([^)]*\)`).ReplaceAllString(m[1], "$1")
		text = regexp.MustCompile(`[^\pL\pN _-]`).ReplaceAllString(strings.ToLower(text), "")
		all = append(all, strings.ReplaceAll(text, " ", "-"))
	}
	return all
}

// Each relative link of a page leads to a file of the repository and, behind #, to a
// heading of it.
func TestLinksLead(t *testing.T) {
	t.Parallel()
	files := tracked(t)
	for _, name := range files {
		if !strings.HasSuffix(name, ".md") || strings.Contains(name, "testdata/") || strings.HasPrefix(name, "test/trees/") {
			continue
		}
		data, err := os.ReadFile(filepath.Join("../..", name))
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range link.FindAllStringSubmatch(fence.ReplaceAllString(string(data), ""), -1) {
			target, err := url.Parse(m[1])
			if err != nil || target.IsAbs() {
				continue
			}
			to := name
			if target.Path != "" {
				to = path.Join(path.Dir(name), target.Path)
			}
			if !slices.ContainsFunc(files, func(f string) bool { return below(f, to) }) {
				t.Errorf("%s: %s: there is no such file", name, m[1])
				continue
			}
			if target.Fragment == "" {
				continue
			}
			page, err := os.ReadFile(filepath.Join("../..", to))
			if err != nil || !slices.Contains(anchors(string(page)), target.Fragment) {
				t.Errorf("%s: %s: there is no such heading", name, m[1])
			}
		}
	}
}

// Each rule of a finding or an association has a section in docs/errors.md.
func TestEachRuleIsExplained(t *testing.T) {
	t.Parallel()
	page, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	explained := anchors(string(page))
	rules := map[string]string{}
	for _, name := range tracked(t) {
		if strings.HasPrefix(name, "internal/") && strings.HasSuffix(name, ".go") && !strings.HasSuffix(name, "_test.go") {
			for _, rule := range rulesIn(t, name) {
				rules[rule] = name
			}
		}
	}
	const known = 45 // rules that there were when this was written
	if len(rules) < known {
		t.Errorf("saw %d rules in the code, want at least %d", len(rules), known)
	}
	for rule, name := range rules {
		if !slices.Contains(explained, rule) {
			t.Errorf("docs/errors.md has no section for the rule %s of %s", rule, name)
		}
	}
	for _, m := range regexp.MustCompile(`(?m)^### (.+)$`).FindAllStringSubmatch(string(page), -1) {
		if _, ok := rules[m[1]]; !ok {
			t.Errorf("docs/errors.md explains the rule %s, which the code does not have", m[1])
		}
	}
}

// rulesIn returns the names of rules in a file: a field Rule, a constant whose name
// begins with rule, and an argument for a parameter rule of At and add.
func rulesIn(t *testing.T, name string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), filepath.Join("../..", name), nil, parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	literal := func(e ast.Expr) {
		lit, ok := e.(*ast.BasicLit)
		if !ok || lit.Kind != token.STRING {
			return
		}
		if text, err := strconv.Unquote(lit.Value); err == nil && ruleOf.MatchString(text) {
			all = append(all, text)
		}
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.KeyValueExpr:
			if key, ok := n.Key.(*ast.Ident); ok && key.Name == "Rule" {
				literal(n.Value)
			}
		case *ast.ValueSpec:
			if strings.HasPrefix(n.Names[0].Name, "rule") && len(n.Values) == 1 {
				literal(n.Values[0])
			}
		case *ast.CallExpr:
			if called := calledName(n); (called == "At" || called == "add") && len(n.Args) > 2 {
				literal(n.Args[1])
			}
		}
		return true
	})
	return all
}

func calledName(call *ast.CallExpr) string {
	switch f := call.Fun.(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	}
	return ""
}
