package kinds_test

import (
	"fmt"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/txtar"
)

// kind is the content of a case file.
type kind struct {
	name    string
	steps   []step
	fixed   map[string]bool   // the variations that change the right answer
	open    map[string]string // answers that are not right yet: the reason by label
	fails   string            // part of the error that the case ends with
	partial string            // part of the reason why history could not decide
	shallow bool              // only the last commit is known
	days    []int             // of the commits and of the tree, since the first commit
	commits [][]file          // changes of files, the oldest first
	tree    []file            // with delivery.yaml
	crlf    bool
}

// step is a bump. One with then begins with the tree that the step before leaves.
type step struct {
	component, version string
	then               bool
}

// file is a file of a tree, or one that a commit writes. A nil list of lines removes the file.
type file struct {
	name  string
	lines []line
}

// line is a line, and the right answer about it.
type line struct {
	text string
	mark *mark
}

// mark is the right answer about a line. It is written at the end of the line:
//
//	⇒ [#LABEL ]ANSWER[ | ANSWER]…[ !RULE[ TEXT]]…
//
// There is one answer for all steps, or one for each. An ANSWER is moves, moves to VERSION,
// listed[: TEXT], stays[: TEXT], kept (listed or stays), silent or any. verify finds each RULE with a text, and no other.
type mark struct {
	label    string
	answers  []string
	findings []string
}

const arrow = " ⇒ "

// readKind reads a case file. Its comment has one directive a line; lines with # are for people.
func readKind(t *testing.T, path string) *kind {
	t.Helper()
	archive, err := txtar.ParseFile(path)
	if err != nil {
		t.Fatal(err)
	}
	k := &kind{name: strings.TrimSuffix(filepath.Base(path), ".txtar"), fixed: map[string]bool{}, open: map[string]string{}}
	for text := range strings.Lines(string(archive.Comment)) {
		if err := k.direct(strings.TrimSpace(text)); err != nil {
			t.Fatalf("%s: %v", path, err)
		}
	}
	for _, f := range archive.Files {
		if err := k.add(f); err != nil {
			t.Fatalf("%s: %s: %v", path, f.Name, err)
		}
	}
	for len(k.days) <= len(k.commits) {
		const month = 30
		k.days = append(k.days, month*len(k.days))
	}
	return k
}

// direct reads a directive.
func (k *kind) direct(text string) error {
	word, rest, _ := strings.Cut(text, " ")
	switch fields := strings.Fields(rest); {
	case text == "", word[0] == '#':
	case (word == "bump" || word == "then") && len(fields) == 2:
		k.steps = append(k.steps, step{fields[0], fields[1], word == "then"})
	case word == "fixed":
		for _, name := range fields {
			k.fixed[name] = true
		}
	case word == "open:":
		label, because, _ := strings.Cut(rest, ": ")
		k.open[label] = because
	case word == "fails:":
		k.fails = rest
	case word == "partial:":
		k.partial = rest
	case word == "shallow":
		k.shallow = true
	case word == "days":
		for _, field := range fields {
			var day int
			if _, err := fmt.Sscan(field, &day); err != nil {
				return err
			}
			k.days = append(k.days, day)
		}
	default:
		return fmt.Errorf("unknown directive %q", text)
	}
	return nil
}

var commitAt = regexp.MustCompile(`^commit (\d+)/(.*?)( \(removed\))?$`)

func (k *kind) add(from txtar.File) error {
	f := file{name: from.Name}
	match := commitAt.FindStringSubmatch(from.Name)
	if match != nil {
		f.name = match[2]
	}
	for text := range strings.Lines(string(from.Data)) {
		l, err := readLine(strings.TrimSuffix(text, "\n"))
		if err != nil {
			return err
		}
		f.lines = append(f.lines, l)
	}
	if match == nil {
		k.tree = append(k.tree, f)
		return nil
	}
	var number int
	if _, err := fmt.Sscan(match[1], &number); err != nil {
		return err
	}
	for len(k.commits) < number {
		k.commits = append(k.commits, nil)
	}
	k.commits[number-1] = append(k.commits[number-1], f)
	return nil
}

var answerAt = regexp.MustCompile(`^(?:moves(?: to \S+)?|(?:listed|stays)(?:: .+)?|any|kept|silent)$`)

func readLine(text string) (line, error) {
	before, after, marked := strings.Cut(text, arrow)
	if !marked {
		return line{text: text}, nil
	}
	m := &mark{}
	if label, rest, ok := strings.Cut(after, " "); ok && label[0] == '#' {
		m.label, after = label[1:], rest
	}
	parts := strings.Split(" "+after, " !")
	m.findings = parts[1:]
	for _, answer := range strings.Split(parts[0], "|") {
		if answer = strings.TrimSpace(answer); answer != "" && !answerAt.MatchString(answer) {
			return line{}, fmt.Errorf("unknown answer %q", answer)
		}
		m.answers = append(m.answers, answer)
	}
	return line{before, m}, nil
}

// answer returns the answer for a step, or "" if only edits and lists are wrong.
func (m *mark) answer(step int) string {
	if m == nil {
		return ""
	}
	return m.answers[min(step, len(m.answers)-1)]
}

func (k *kind) text(f file) []byte {
	end := "\n"
	if k.crlf {
		end = "\r\n"
	}
	var b strings.Builder
	for _, l := range f.lines {
		b.WriteString(l.text + end)
	}
	return []byte(b.String())
}

// copied returns a copy that variations may change.
func (k *kind) copied() *kind {
	c := *k
	c.steps = slices.Clone(k.steps)
	c.tree = copies(k.tree)
	c.commits = nil
	for _, files := range k.commits {
		c.commits = append(c.commits, copies(files))
	}
	return &c
}

func copies(files []file) []file {
	all := slices.Clone(files)
	for i, f := range all {
		all[i].lines = slices.Clone(f.lines)
		for j, l := range f.lines {
			if l.mark != nil {
				m := *l.mark
				m.answers, m.findings = slices.Clone(m.answers), slices.Clone(m.findings)
				all[i].lines[j].mark = &m
			}
		}
	}
	return all
}

// each calls change with every file, of the tree and of the commits.
func (k *kind) each(change func(f *file)) {
	for i := range k.tree {
		change(&k.tree[i])
	}
	for _, files := range k.commits {
		for i := range files {
			change(&files[i])
		}
	}
}

// history returns a stream for git fast-import with the commits, and the tree as the last one.
func (k *kind) history(branch string) string {
	var b strings.Builder
	begin := time.Date(2026, 1, 5, 12, 0, 0, 0, time.UTC)
	commit := func(i int) {
		when := begin.AddDate(0, 0, k.days[i]).Unix()
		message := fmt.Sprintf("change %d", i+1)
		fmt.Fprintf(&b, "commit refs/heads/%s\ncommitter a <a@b.invalid> %d +0000\ndata %d\n%s\n", branch, when, len(message), message)
	}
	write := func(f file) {
		data := k.text(f)
		fmt.Fprintf(&b, "M 100644 inline %s\ndata %d\n%s\n", f.name, len(data), data)
	}
	for i, files := range k.commits {
		commit(i)
		for _, f := range files {
			if f.lines == nil {
				fmt.Fprintf(&b, "D %s\n", f.name)
				continue
			}
			write(f)
		}
		b.WriteString("\n")
	}
	commit(len(k.commits))
	b.WriteString("deleteall\n")
	for _, f := range k.tree {
		write(f)
	}
	b.WriteString("\n")
	return b.String()
}
