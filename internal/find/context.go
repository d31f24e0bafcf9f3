package find

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/kubestellar/actions/internal/ref"
)

// context reads off the text in what surroundings a reference stands.
func (t *text) context(r ref.Reference) ref.Context {
	t.survey()
	c := r.Context
	before, after := t.before(r.Start), t.after(r.End)
	c.Document = isDocument(t.name)
	c.History = t.history || strings.Contains(t.name, strings.TrimPrefix(r.Written, "v"))
	c.Script = !c.Document && r.Syntax == ref.Prose
	c.Comment = !c.Document && isCommented(t.name, before) && r.Lock == nil
	const reach = 60 // bytes; what is said about a version stands near it
	close := before[max(0, len(before)-reach):]
	c.Example = (c.Comment || c.Document) && exampleBefore.Match(close)
	c.Bound = boundBefore.Match(close) || boundAfter.Match(after[:min(reach, len(after))]) ||
		r.Syntax == ref.Prose && (givenBefore.Match(close) || givenAfter.Match(after[:min(reach, len(after))]))
	c.Output = c.Document && t.isOutput(r.Line, before)
	c.Fixed = c.Fixed || r.Syntax == ref.Link
	c.Checksum = t.checksumBelow(r)
	c.Scope = t.scope(r.Start)
	return c
}

// survey looks once at what is the same for all references of a text.
func (t *text) survey() {
	if t.surveyed {
		return
	}
	t.surveyed = true
	t.line(0)
	if isDocument(t.name) {
		t.fences, t.history = t.fencesIn(), t.isHistory()
	}
	if path.Base(t.name) == "go.mod" {
		t.unused = unusedIn.FindAllIndex(t.data, -1)
	}
	t.history = t.history || changeLog.MatchString(path.Base(t.name))
	if strings.Contains("/"+t.name, "/.github/workflows/") {
		t.jobs = jobsIn(t.data)
	}
}

// changeLog is one in any format.
var changeLog = regexp.MustCompile(`(?i)^change-?log\b`)

var documents = words(`.md .markdown .mdx .rst .adoc .asciidoc .html .htm .txt`)

// isDocument tells whether people read the file; a chart's NOTES.txt is a
// template.
func isDocument(name string) bool {
	return documents[strings.ToLower(path.Ext(name))] && path.Base(path.Dir(name)) != "templates"
}

var (
	historyName = regexp.MustCompile(`(?i)release[-_ ]?notes|^releases?\.|change-?log|^changes|^history|^news\b|what.?s-?new|upgrad|migrat`)
	historyDir  = regexp.MustCompile(`(?i)(?:^|/)(?:releases|blog|posts|adrs?|proposals|release-notes|changelogs?)/`)
	historySaid = [][]byte{[]byte("point-in-time statement"), []byte("this document is frozen"), []byte("this document is archived"), []byte("this page is archived")}
)

// isHistory tells whether the text is about the past, by its name or because it
// says so at its beginning.
func (t *text) isHistory() bool {
	const beginning = 2000 // bytes
	text := bytes.ToLower(t.data[:min(beginning, len(t.data))])
	return historyName.MatchString(path.Base(t.name)) || historyDir.MatchString(t.name) || slices.ContainsFunc(historySaid, func(said []byte) bool { return bytes.Contains(text, said) })
}

// What begins a comment, by the end of the file's name; "#" elsewhere.
var commentMarks = map[string][]string{
	".go": {"//"}, ".js": {"//"}, ".ts": {"//"}, ".java": {"//"}, ".rs": {"//"}, ".c": {"//"}, ".tpl": {"{{/*", "{{- /*"}, ".json": {},
}

// isCommented tells whether a comment begins in what stands before on a line.
func isCommented(name string, before []byte) bool {
	marks, ok := commentMarks[path.Ext(name)]
	if !ok {
		marks = []string{"#", "{{/*", "{{- /*"}
	}
	for _, mark := range marks {
		if i := bytes.Index(before, []byte(mark)); i == 0 || i > 0 && (before[i-1] == ' ' || before[i-1] == '\t') {
			return true
		}
	}
	return false
}

var (
	exampleBefore = regexp.MustCompile(`(?i)\be\.g\.|\bfor example\b|\bsuch as\b|\bfor instance\b`)
	// Words and signs before a version that make it the end of a range.
	boundBefore = regexp.MustCompile(`(?i)(?:(?:\b|_)(?:at least|minimum|min|since|after|before|higher than|later than|newer than|older than|lower than|greater than|less than|up to|from|until)(?:\b|_)|[<>≥≤~^]=?|>=|<=)[\s*_` + "`" + `"'v]*$`)
	// … and after one.
	boundAfter = regexp.MustCompile(`(?i)^[*_` + "`" + `"')]*[\s,]*(?:\(?or|and)[\s]+(?:a[\s]+|any[\s]+)?(?:higher|later|newer|above|greater|up|more recent|lower|earlier|older|below|beyond|better)\b` +
		`|^[*_` + "`" + `"')]*(?:\+|[\s]+onwards?\b|[\s]*\(?(?:minimum|at least)\b)` +
		// the other end of a range, or more of a list
		`|^[*_` + "`" + `"')]*[ \t]*(?:-|–|—|\.\.\.?|\|\||/|,|&|to|through|until|and)[ \t]*[*_` + "`" + `"'(]*v?[0-9]+\.[0-9]+`)
	// In prose, words before a component's name, and after its version, that
	// tell of one given release.
	givenBefore = regexp.MustCompile(`(?i)\b(?:at least|minimum|min|since|as of|starting (?:with|from)|after|before|prior to|older than|newer than|until|up to|from|to|requires?|required|` +
		`introduced in|added in|fixed in|removed in|deprecated (?:in|since)|new in|bugs? in|affects|broken in|changed in|upgrad(?:e|ed|ing)|migrat(?:e|ed|ing))\b[^.;!?\n]{0,40}$`)
	givenAfter = regexp.MustCompile(`(?i)^[*_` + "`" + `"')]*[ \t]*(?:\(\d{4}-\d\d|released\b|introduced\b|and earlier\b|was released\b)`)
)

// fence is a block of a Markdown document that is shown as it is.
type fence struct {
	first, last int  // lines, without the fences
	prompt      bool // shows commands as they were typed
	output      bool // shows what was printed, if only beside what was typed
}

// isOutput tells whether a line of a document shows what a command printed.
func (t *text) isOutput(line int, before []byte) bool {
	if printed.Match(before) {
		return true
	}
	i := sort.Search(len(t.fences), func(i int) bool { return t.fences[i].last >= line })
	return i < len(t.fences) && t.fences[i].first <= line && t.fences[i].output
}

var (
	// What helm, docker and prerequisite checkers print at the beginning of a line.
	printed  = regexp.MustCompile(`^[\s>]*(?:Pulled:|Digest:|Status:|imageID:|Image ID:|Downloaded |Successfully |✔|✓|✗|\S+[ \t]+\S+[ \t]+\d+[ \t]+\d{4}-\d\d-\d\d )`)
	fenceAt  = regexp.MustCompile("^[ \t>]*(?:```+|~~~+)[ \t]*([A-Za-z]*)")
	promptAt = regexp.MustCompile(`^[ \t>]*(?:\$|#|PS>|%)[ \t]`)
)

// showsOutput tells whether a block has lines that nobody typed: then it shows
// what once happened, and its commands belong to that.
func (t *text) showsOutput(f fence) bool {
	joined := false
	for line := f.first; line <= f.last; line++ {
		text := t.data[t.lines[line-1]:lineEnd(t.data, t.lines[line-1])]
		if !joined && len(bytes.TrimSpace(text)) > 0 && !promptAt.Match(text) {
			return true
		}
		joined = endsInBackslash(text)
	}
	return false
}

func (t *text) fencesIn() []fence {
	var all []fence
	var open *fence
	number := 0
	for line := range bytes.Lines(t.data) {
		number++
		var match [][]byte
		if bare := bytes.TrimLeft(line, " \t>"); len(bare) > 0 && (bare[0] == '`' || bare[0] == '~') {
			match = fenceAt.FindSubmatch(line)
		}
		switch {
		case match != nil && open == nil:
			kind := strings.ToLower(string(match[1]))
			open = &fence{first: number + 1, output: kind == "output" || kind == "text"}
		case match != nil:
			open.last = number - 1
			all, open = append(all, *open), nil
		case open != nil && promptAt.Match(line) && !bytes.HasPrefix(bytes.TrimLeft(line, " \t>"), []byte("#")):
			open.prompt = true
		}
	}
	if open != nil {
		open.last = number
		all = append(all, *open)
	}
	for i, f := range all {
		all[i].output = f.output || f.prompt && t.showsOutput(f)
	}
	return all
}

var checksumAt = regexp.MustCompile(`\b(?:sha256|sha512|digest|checksum)\b.*\b[0-9a-f]{64}`)

// checksumBelow tells whether one of the next two lines holds a checksum, which
// an edit of the version alone would leave behind.
func (t *text) checksumBelow(r ref.Reference) bool {
	if r.Lock != nil || r.Syntax != ref.Download && r.Syntax != ref.Archive && r.Syntax != ref.FileName {
		return false
	}
	end := lineEnd(t.data, r.End)
	for range 2 {
		end = lineEnd(t.data, end+1)
	}
	return checksumAt.Match(bytes.ToLower(t.data[lineEnd(t.data, r.End):end]))
}

var (
	jobsAt = regexp.MustCompile(`(?m)^jobs:`)
	jobAt  = regexp.MustCompile(`(?m)^  ["']?([A-Za-z_][A-Za-z0-9_-]*)["']?:`)
)

// job is a job of a workflow.
type job struct {
	start int
	name  string
}

func jobsIn(data []byte) []job {
	at := jobsAt.FindIndex(data)
	if at == nil {
		return nil
	}
	var all []job
	for _, match := range jobAt.FindAllSubmatchIndex(data[at[1]:], -1) {
		all = append(all, job{at[1] + match[0], string(data[at[1]+match[2] : at[1]+match[3]])})
	}
	return all
}

// scope is what belongs together around a place: a job of a workflow, else the
// file.
func (t *text) scope(i int) string {
	next := sort.Search(len(t.jobs), func(k int) bool { return t.jobs[k].start > i })
	if next == 0 {
		return t.name
	}
	return t.name + "#" + t.jobs[next-1].name
}
