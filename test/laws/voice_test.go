package laws_test

import (
	"bytes"
	"flag"
	"fmt"
	"go/ast"
	"go/parser"
	"go/scanner"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// room limits the voice and width laws to one folder.
var room = flag.String("room", "", "check only the files below this folder (from the module's root)")

// ban is a phrase that the project does not use, and its replacement.
type ban struct {
	phrase  *regexp.Regexp
	instead string
}

func banned(phrase, instead string) ban { return ban{regexp.MustCompile(`(?i)` + phrase), instead} }

// bans are the phrases of a private idiom that readers would have to translate.
var bans = []ban{
	banned(`\btell(s|ing)? (whether|if|which|what|how|who)\b`, `"reports whether", "returns"`),
	banned(`\b(says|said)\b`, `"reports", "prints", "states", "contains"`),
	banned(`\b(whoever|whomever|whom)\b`, `the person or program by its name`),
	banned(`\b(that which|those of which|such (a )?ones?|the ones that)\b`, `the thing by its name`),
	banned(`\ball (that|else|of it)\b`, `"everything that", "the rest", or the thing by its name`),
	banned(`\bbut for\b`, `"except"`),
	banned(`\b(anew|afresh)\b`, `"again"`),
	banned(`\bany more\b`, `"no longer"`),
	banned(`\bis no [a-z]+\b`, `"is not a …"`),
	banned(`\bbelongs? into\b`, `"belongs in"`),
	banned(`\bworlds?\b`, `"network", "environment", "registries and GitHub"`),
	banned(`\b(is|are|was|were|not|than) what\b`, `the thing by its name`),
	banned(`\bwhat (it|they|that|this|a [a-z]+) (comes?|came) to\b`, `the result by its name`),
	banned(`\b(comes|came) to\b`, `"returns", "results in", "renders to"`),
	banned(`\bheld to\b`, `"checked against"`),
	banned(`\bholds? (it|them|[a-z]+ [a-z]+|[a-z]+) to\b`, `"checks … against"`),
	banned(`\b(stands|stood|standing)\b`, `"is", "exists", "is written"`),
	banned(`\bwish(es|ed)?\b`, `"request"`),
	banned(`\blook(s|ed|ing)? at\b`, `"check", "read", "inspect"`),
	banned(`\b(somebody|nobody|anybody)( else)?\b`, `a person, a token or a program by its name`),
	banned(`\blies? (in|at|there|here|below|beside|beneath|elsewhere)\b`, `"is in"`),
	banned(`\bto be had\b`, `"available"`),
	banned(`\bwhere (none|nothing|there (is|are)|one is|it does|they do)\b`, `"if"`),
	banned(`\bof (its|their|his) own word\b`, `"unverified"`),
	banned(`\b(heard|wild)\b`, `"received", "unknown"`),
	banned(`\b(is|are|was|were|be|been|being) told\b`, `"notified", "informed"`),
}

// sentence finds sentences that begin with a clause in the place of a noun.
var sentence = regexp.MustCompile(`(?:^|[.;:!?]\s+)((?:What|Who|Whoever|That which)\s[^.?!]*[.?!]?)`)

// faults returns the banned phrases of a text.
func faults(text string) []string {
	var all []string
	text = strings.NewReplacer("there is no ", "there's no ", "There is no ", "There's no ").Replace(text) // is plain English
	for _, b := range bans {
		for _, found := range b.phrase.FindAllString(text, -1) {
			all = append(all, fmt.Sprintf("%q: write %s", found, b.instead))
		}
	}
	for _, found := range sentence.FindAllStringSubmatch(text, -1) {
		if !strings.HasSuffix(found[1], "?") {
			all = append(all, fmt.Sprintf("%q begins with a clause: name the thing", first(found[1], 40)))
		}
	}
	return all
}

func first(s string, n int) string { return s[:min(n, len(s))] }

// prose is a piece of text for people, and where it begins.
type prose struct {
	line int
	text string
}

// proseOf returns the text of a file that people read.
func proseOf(t *testing.T, name string, data []byte) []prose {
	t.Helper()
	switch {
	case strings.HasSuffix(name, ".go"):
		return goProse(t, name, data)
	case strings.HasSuffix(name, ".md"), strings.HasSuffix(name, ".gotmpl"):
		return paragraphs(string(data))
	case path.Base(name) == "schema.json", strings.HasSuffix(name, ".sh"), strings.HasPrefix(name, ".ci/"),
		path.Base(name) == "Makefile", strings.HasSuffix(name, ".yml"), strings.HasSuffix(name, ".yaml"):
		var all []prose
		for i, line := range strings.Split(string(data), "\n") {
			all = append(all, prose{i + 1, line})
		}
		return all
	}
	return nil
}

// paragraphs joins the lines of a text up to each empty one, as wrapped phrases span lines.
func paragraphs(text string) []prose {
	var all []prose
	var at int
	var lines []string
	for i, line := range append(strings.Split(text, "\n"), "") {
		if strings.TrimSpace(line) == "" {
			if len(lines) > 0 {
				all = append(all, prose{at, strings.Join(lines, " ")})
			}
			lines = nil
			continue
		}
		if len(lines) == 0 {
			at = i + 1
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	return all
}

// goProse returns the comments of a Go file and, outside tests, its string literals;
// in tests, those of failures.
func goProse(t *testing.T, name string, data []byte) []prose {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, data, parser.ParseComments|parser.SkipObjectResolution)
	if err != nil {
		t.Fatal(err)
	}
	var all []prose
	for _, group := range file.Comments {
		for _, p := range paragraphs(group.Text()) {
			all = append(all, prose{set.Position(group.Pos()).Line + p.line - 1, p.text})
		}
	}
	literal := func(n ast.Node) bool {
		if lit, ok := n.(*ast.BasicLit); ok && lit.Kind == token.STRING {
			if text, err := strconv.Unquote(lit.Value); err == nil && strings.Contains(text, " ") {
				all = append(all, prose{set.Position(lit.Pos()).Line, strings.Join(strings.Fields(text), " ")})
			}
		}
		return true
	}
	test := strings.HasSuffix(name, "_test.go")
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ImportSpec:
			return false
		case *ast.CallExpr:
			if s, ok := n.Fun.(*ast.SelectorExpr); ok && test && len(n.Args) > 0 &&
				slices.Contains([]string{"Error", "Errorf", "Fatal", "Fatalf"}, s.Sel.Name) {
				ast.Inspect(n.Args[0], literal)
			}
		case *ast.BasicLit:
			if !test {
				literal(n)
			}
		}
		return true
	})
	return all
}

// checked returns the files of the project's own text: from the module's root, with
// slashes.
func checked(t *testing.T) map[string][]byte {
	t.Helper()
	files := map[string][]byte{}
	for _, name := range tracked(t) {
		if strings.Contains(name, "testdata/") || strings.HasPrefix(name, "test/trees/kubestellar-") ||
			strings.HasPrefix(name, "test/laws/voice") || *room != "" && !below(name, *room) {
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

func below(name, folder string) bool { return name == folder || strings.HasPrefix(name, folder+"/") }

// The project speaks the language of its field.
func TestVoice(t *testing.T) {
	t.Parallel()
	for name, data := range checked(t) {
		for _, p := range proseOf(t, name, data) {
			for _, fault := range faults(p.text) {
				t.Errorf("%s:%d: %s", name, p.line, fault)
			}
		}
	}
}

// An exported function that returns a bool says so in Go's own words.
func TestReportsWhether(t *testing.T) {
	t.Parallel()
	for name, data := range checked(t) {
		if !strings.HasSuffix(name, ".go") || strings.HasSuffix(name, "_test.go") {
			continue
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, name, data, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		for _, d := range file.Decls {
			f, ok := d.(*ast.FuncDecl)
			if !ok || !f.Name.IsExported() || !returnsBool(f.Type) {
				continue
			}
			if !strings.Contains(strings.Join(strings.Fields(f.Doc.Text()), " "), "reports whether") {
				t.Errorf("%s:%d: %s returns a bool: its comment wants \"reports whether\"", name, set.Position(f.Pos()).Line, f.Name.Name)
			}
		}
	}
}

func returnsBool(f *ast.FuncType) bool {
	if f.Results == nil || len(f.Results.List) != 1 {
		return false
	}
	result, ok := f.Results.List[0].Type.(*ast.Ident)
	return ok && result.Name == "bool"
}

// onlyAddress is a comment that holds an address and nothing else, which cannot be broken.
var onlyAddress = regexp.MustCompile(`^\s*// https?://\S+$`)

// Lines fit a screen: 120 columns in the product, 160 in tests; a tab is 4.
func TestLinesFit(t *testing.T) {
	t.Parallel()
	for name, data := range checked(t) {
		if !strings.HasSuffix(name, ".go") {
			continue
		}
		most := 120
		if strings.HasSuffix(name, "_test.go") || strings.HasPrefix(name, "test/") {
			most = 160
		}
		for i, line := range bytes.Split(data, []byte("\n")) {
			if width := len([]rune(strings.ReplaceAll(string(line), "\t", "    "))); width > most && !onlyAddress.Match(line) && !inRawString(data, i+1) {
				t.Errorf("%s:%d: %d columns, at most %d", name, i+1, width, most)
			}
		}
	}
}

// inRawString reports whether a line is inside of a raw string literal, whose lines
// cannot be broken, or has one that leaves no place for its declaration: the tag of a field.
func inRawString(data []byte, line int) bool {
	set := token.NewFileSet()
	file := set.AddFile("", set.Base(), len(data))
	var s scanner.Scanner
	s.Init(file, data, nil, 0)
	for {
		pos, tok, lit := s.Scan()
		if tok == token.EOF {
			return false
		}
		if tok == token.STRING && strings.HasPrefix(lit, "`") {
			from := set.Position(pos).Line
			to := from + strings.Count(lit, "\n")
			if from < line && line <= to || from == line && to == line && len([]rune(lit)) > 100 {
				return true
			}
		}
	}
}

// See it fail: each banned phrase is found, and plain English is not.
func TestBansBite(t *testing.T) {
	t.Parallel()
	for _, text := range []string{
		"IsOpen tells whether it is open.", "the label says so", "What is left is listed.", "Whoever pushed it.",
		"releases HEAD in a world of its own", "built anew", "it is no file", "belongs into a test", "all else is kept",
		"where there is none", "somebody else's tool", "held to the schema", "looks at the tree", "it stands in git",
	} {
		if len(faults(text)) == 0 {
			t.Errorf("%q passes", text)
		}
	}
	for _, text := range []string{
		"IsOpen reports whether the file is open.", "What moves a pin?", "It returns the digest, or empty if there is none.",
		"stand-ins are only valid in a rehearsal", "where the file is", "empty if there is no image", "it looks like a reference",
	} {
		if found := faults(text); len(found) > 0 {
			t.Errorf("%q: %v", text, found)
		}
	}
}
