package main

import (
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
)

// block is a fenced block of a page.
type block struct {
	heading string // of its section
	info    string // console, or yaml title="delivery.yaml"
	text    string
}

var fenced = regexp.MustCompile("(?ms)^(#+ [^\n]+)$|^```([^\n]*)\n(.*?)^```$")

// blocksOf returns the fenced blocks of a page, in order.
func blocksOf(page string) []block {
	var all []block
	heading := ""
	for _, m := range fenced.FindAllStringSubmatch(page, -1) {
		if m[1] != "" {
			heading = strings.TrimLeft(m[1], "# ")
			continue
		}
		all = append(all, block{heading, m[2], m[3]})
	}
	return all
}

var titled = regexp.MustCompile(`title="([^"]+)"`)

// pages guards the files that -update rewrites, as several scripts may show one page.
var pages sync.Mutex

// page FILE [HEADING]: in the order of a page of the documentation, or of one of its
// sections, files with a title are written and console blocks are run and compared.
func page(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 || len(args) > 2 {
		ts.Fatalf("usage: page FILE [HEADING]")
	}
	file := filepath.Join(ts.Getenv("ROOT"), filepath.FromSlash(args[0]))
	data, err := os.ReadFile(file)
	ts.Check(err)
	used := 0
	for _, b := range blocksOf(string(data)) {
		title := titled.FindStringSubmatch(b.info)
		switch {
		case len(args) == 2 && b.heading != args[1]:
			continue
		case title != nil:
			name := ts.MkAbs(title[1])
			ts.Check(os.MkdirAll(filepath.Dir(name), 0o755))
			ts.Check(os.WriteFile(name, []byte(b.text), 0o644))
		case b.info == "console":
			compareBlock(ts, file, b)
		default:
			continue
		}
		used++
	}
	if used == 0 {
		ts.Fatalf("%s has no file with a title and no console block", strings.Join(args, ": "))
	}
}

// compareBlock runs a console block in bash, and compares what a terminal would show.
func compareBlock(ts *testscript.TestScript, file string, b block) {
	pwd := filepath.Join(ts.Getenv("WORK"), ".pwd")
	if err := ts.Exec("bash", "-c", shellOf(b.text)+"pwd >'"+pwd+"'\n"); err != nil {
		ts.Fatalf("%s: %v", file, err)
	}
	got := ts.ReadFile("stdout")
	ts.Check(ts.Chdir(strings.TrimSpace(ts.ReadFile(pwd))))
	if shows(b.text, got) {
		return
	}
	if !*update {
		ts.Fatalf("%s: the block shows\n%s\nand the commands print\n%s\n(go test ./cmd/ghhelper -update rewrites the block)", file, b.text, got)
	}
	pages.Lock()
	defer pages.Unlock()
	data, err := os.ReadFile(file)
	ts.Check(err)
	old, renewed := "```console\n"+b.text+"```", "```console\n"+updated(b.text, got)+"```"
	if !strings.Contains(string(data), old) {
		ts.Fatalf("%s: the block has changed meanwhile", file)
	}
	ts.Check(os.WriteFile(file, []byte(strings.Replace(string(data), old, renewed, 1)), 0o644))
}

// shellOf returns the commands of a console block as a program that prints what a
// terminal would show. A command that fails is followed by its exit code.
func shellOf(text string) string {
	b := new(strings.Builder)
	b.WriteString("exec 2>&1\n")
	lines := strings.Split(text, "\n")
	for i := 0; i < len(lines); i++ {
		command, ok := strings.CutPrefix(lines[i], "$ ")
		if !ok {
			continue
		}
		shown := lines[i]
		for strings.HasSuffix(lines[i], `\`) && i+1 < len(lines) {
			i++
			command, shown = command+"\n"+lines[i], shown+"\n"+lines[i]
		}
		fmt.Fprintf(b, "cat <<'SHOWN'\n%s\nSHOWN\n%s\ncode=$?; [ $code = 0 ] || echo \"exit code $code\"\n", shown, command)
	}
	return b.String()
}

// varying are the parts of an output that differ from run to run.
var varying = regexp.MustCompile(`sha256:[0-9a-f]{12,64}|\b[0-9a-f]{40}\b|\bwith the others in [0-9a-f]{8}\b|\bobject [0-9a-f]{12}\b| *[0-9]+\.[0-9]s\b|\b127\.0\.0\.1:[0-9]+`)

func steady(text string) string { return varying.ReplaceAllString(text, "*") }

// shows reports whether a block shows an output. In a block, … is any text of a line,
// and alone on a line it is any number of lines.
func shows(text, output string) bool {
	pattern := `\A`
	for line := range strings.Lines(steady(text)) {
		if strings.TrimSpace(line) == "…" {
			pattern += `(?:[^\n]*\n)*?`
			continue
		}
		pattern += strings.ReplaceAll(regexp.QuoteMeta(line), "…", `[^\n]*?`)
	}
	return regexp.MustCompile(pattern + `\z`).MatchString(steady(output))
}

// updated returns an output as a block shows it: lines that the block left out by …
// stay left out, and a line that still fits stays as it is.
func updated(text, output string) string {
	old, lines := slices.Collect(strings.Lines(text)), slices.Collect(strings.Lines(output))
	// costs[i][j] is the least cost of old[i:] and lines[j:]: likeness of the pairs that
	// are one line, and a line's cost for each that is new or gone.
	costs := make([][]float64, len(old)+1)
	for i := len(old); i >= 0; i-- {
		costs[i] = make([]float64, len(lines)+1)
		for j := len(lines); j >= 0; j-- {
			costs[i][j], _ = cheapest(costs, old, lines, i, j)
		}
	}
	b := new(strings.Builder)
	for i, j := 0, 0; i < len(old) || j < len(lines); {
		_, step := cheapest(costs, old, lines, i, j)
		switch {
		case step == pair && shows(old[i], lines[j]):
			b.WriteString(old[i])
		case step == pair || step == insert:
			b.WriteString(lines[j])
		case step == leaveOut:
			j++
			continue
		case step == drop && strings.TrimSpace(old[i]) == "…":
			b.WriteString(old[i])
		}
		if step != insert {
			i++
		}
		if step != drop {
			j++
		}
	}
	return b.String()
}

// The steps from a block to its update.
const (
	pair     = iota // an old line is a line of the output
	insert          // a line of the output is new
	drop            // an old line is gone, or … ends
	leaveOut        // … covers a line of the output
)

// cheapest returns the least cost from here, and the step that leads to it.
func cheapest(costs [][]float64, old, lines []string, i, j int) (float64, int) {
	if i == len(old) && j == len(lines) {
		return 0, drop
	}
	least, step := 1e9, drop
	try := func(cost float64, s int) {
		if cost < least {
			least, step = cost, s
		}
	}
	elided := i < len(old) && strings.TrimSpace(old[i]) == "…"
	if i < len(old) && j < len(lines) && !elided {
		try(costs[i+1][j+1]+unlike(old[i], lines[j]), pair)
	}
	if elided {
		try(costs[i+1][j], drop)
		if j < len(lines) {
			try(costs[i][j+1]+0.01, leaveOut)
		}
	} else if i < len(old) {
		try(costs[i+1][j]+1.5, drop)
	}
	if j < len(lines) {
		try(costs[i][j+1]+0.5, insert)
	}
	return least, step
}

// unlike is 0 for two lines of the same words, and 1 for two without a common one.
func unlike(a, b string) float64 {
	if shows(a, b) {
		return 0
	}
	words := strings.Fields(a)
	other := strings.Fields(b)
	common := 0
	for _, w := range words {
		if slices.Contains(other, w) {
			common++
		}
	}
	return 1 - float64(common)/float64(max(len(words), len(other), 1))
}

// documents returns the pages for users, from the module's root.
func documents(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("../../docs/*.md")
	if err != nil || len(all) == 0 {
		t.Fatalf("no pages in docs: %v", err)
	}
	return append(all, "../../README.md")
}

// Each console block is run: a script names its page, or the section that it is in.
func TestEachConsoleBlockIsRun(t *testing.T) {
	t.Parallel()
	scripts, err := filepath.Glob("testdata/script/*.txtar")
	if err != nil {
		t.Fatal(err)
	}
	run := map[string]bool{}
	for _, name := range scripts {
		script, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range regexp.MustCompile(`(?m)^page (\S+)(?: '?([^'\n]+)'?)?$`).FindAllStringSubmatch(string(script), -1) {
			run[m[1]+"#"+m[2]] = true
		}
	}
	for _, name := range documents(t) {
		data, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		name = strings.TrimPrefix(filepath.ToSlash(name), "../../")
		for _, b := range blocksOf(string(data)) {
			if b.info == "" {
				t.Errorf("%s, %s: a block without a language: console is run, text is not", name, b.heading)
			}
			if b.info == "console" && !run[name+"#"] && !run[name+"#"+b.heading] {
				t.Errorf("%s, %s: no script runs the console block\n%s", name, b.heading, b.text)
			}
		}
	}
}

// A block is compared line by line, and -update keeps what it leaves out.
func TestBlocksAreCompared(t *testing.T) {
	t.Parallel()
	const shown = "$ x\nfirst sha256:0123456789ab in 0.1s\n…\nlast of …\n"
	for output, want := range map[string]bool{
		"$ x\nfirst sha256:ba9876543210 in   12.3s\nmiddle\nlast of all\n": true,
		"$ x\nfirst sha256:ba9876543210 in 0.3s\nlast of all\n":            true,
		"$ x\nfirst sha256:ba9876543210 in 0.3s\nlast\n":                   false,
		"$ x\nsecond sha256:ba9876543210 in 0.3s\nlast of all\n":           false,
		"$ x\nfirst sha256:ba9876543210 in 0.3s\nlast of all\nmore\n":      false,
	} {
		if got := shows(shown, output); got != want {
			t.Errorf("%q: shown %t, want %t", output, got, want)
		}
	}
	got := updated(shown, "$ x\nfirst sha256:ba9876543210 in 0.3s\nmiddle\nanother\nlast two of all\nexit code 1\n")
	if want := "$ x\nfirst sha256:0123456789ab in 0.1s\n…\nlast two of all\nexit code 1\n"; got != want {
		t.Errorf("updated to\n%s\nwant\n%s", got, want)
	}
}
