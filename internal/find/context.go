package find

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"sort"
	"strings"

	"github.com/kubestellar/actions/internal/history"
	"github.com/kubestellar/actions/internal/ref"
)

// context returns the context of a reference, from the text around it.
func (t *text) context(r ref.Reference) ref.Context {
	t.survey()
	c := r.Context
	before, after := t.before(r.Start), t.after(r.End)
	isText := r.Syntax == ref.Prose || r.Syntax == ref.Word
	c.Document = isDocument(t.name)
	c.History = t.history || strings.Contains(t.name, strings.TrimPrefix(r.Written, "v")) ||
		c.Document && pastAfter.Match(after)
	c.Script = !c.Document && (r.Syntax == ref.Prose || r.Syntax == ref.Word && compares.Match(before))
	c.Comment = !c.Document && isCommented(t.name, before) && r.Lock == nil
	const reach = 60 // bytes
	close := before[max(0, len(before)-reach):]
	c.Example = (c.Comment || c.Document) && exampleBefore.Match(close)
	c.Bound = boundBefore.Match(close) || boundAfter.Match(after[:min(reach, len(after))]) ||
		isText && !c.History && (givenBefore.Match(close) || givenAfter.Match(after[:min(reach, len(after))]))
	c.Output = c.Document && t.isOutput(r.Line, before)
	c.Fixed = c.Fixed || r.Syntax == ref.Link
	c.Checksum = t.hasChecksum(r)
	c.Scope = t.scope(r.Start)
	c.List = t.list(r.Start)
	c.Shape, _ = history.Shape(string(before) + string(t.data[r.Start:lineEnd(t.data, r.Start)]))
	return c
}

// compares matches the beginning of a line that prints or compares.
var compares = regexp.MustCompile(`\b(?:echo|printf|print|println|assert|expect|require|log)\b` +
	`|[=!<>]=|\b-(?:eq|ne|lt|gt)\b`)

// survey computes, once, the properties that all references of a text share.
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
	t.history = t.history || changeLog.MatchString(path.Base(t.name)) || rowsName.MatchString(t.name)
	if strings.Contains("/"+t.name, "/.github/workflows/") {
		t.jobs = jobsIn(t.data)
	}
}

var (
	// changeLog matches the name of a change log in any format.
	changeLog = regexp.MustCompile(`(?i)^change-?log\b`)
	// rowsName matches the name of a file of rows, which is a record.
	rowsName = regexp.MustCompile(`(?i)\.(?:csv|tsv)$`)
)

var documents = words(`.md .markdown .mdx .rst .adoc .asciidoc .html .htm .txt`)

// isDocument reports whether the file is a text for people. The NOTES.txt of a chart is
// a template.
func isDocument(name string) bool {
	name = strings.TrimSuffix(strings.TrimSuffix(name, ".gotmpl"), ".tmpl")
	return documents[strings.ToLower(path.Ext(name))] && path.Base(path.Dir(name)) != "templates"
}

var (
	historyName = regexp.MustCompile(`(?i)release[-_ ]?notes|^releases?\.|change-?log|^changes|^history|^news\b|what.?s-?new|(?:upgrad|migrat).*[0-9]`)
	historyDir  = regexp.MustCompile(`(?i)(?:^|/)(?:releases|blog|posts|adrs?|proposals|release-notes|changelogs?)/`)
	historyText = [][]byte{
		[]byte("point-in-time statement"),
		[]byte("this document is frozen"),
		[]byte("this document is archived"),
		[]byte("this page is archived"),
	}
)

// isHistory reports whether the text is about the past, according to its name or its
// first paragraphs.
func (t *text) isHistory() bool {
	const beginning = 2000 // bytes
	text := bytes.ToLower(t.data[:min(beginning, len(t.data))])
	return historyName.MatchString(path.Base(t.name)) || historyDir.MatchString(t.name) ||
		slices.ContainsFunc(historyText, func(words []byte) bool { return bytes.Contains(text, words) })
}

// commentMarks are the beginnings of comments by the extension of a file. The default is "#".
var commentMarks = map[string][]string{
	".go": {"//"}, ".js": {"//"}, ".ts": {"//"}, ".java": {"//"}, ".rs": {"//"}, ".c": {"//"},
	".json5": {"//"}, ".jsonc": {"//"},
	".jsonnet": {"//", "#"}, ".libsonnet": {"//", "#"}, ".tf": {"#", "//"}, ".hcl": {"#", "//"}, ".mod": {},
	".tpl": {"{{/*", "{{- /*"}, ".json": {},
}

// isCommented reports whether a comment begins in a part of a line.
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
	// boundBefore matches words and signs before a version that is the end of a range.
	boundBefore = regexp.MustCompile(`(?i)(?:(?:\b|_)(?:at least|minimum|min|since|after|before|higher than|later than|newer than|older than|lower than|greater than|less than|up to|from|until)(?:\b|_)|[<>≥≤~^]=?|>=|<=)[\s*_` + "`" + `"'v]*$`)
	// boundAfter matches those after such a version.
	boundAfter = regexp.MustCompile(`(?i)^[*_` + "`" + `"')]*[\s,]*(?:\(?or|and)[\s]+(?:a[\s]+|any[\s]+)?(?:higher|later|newer|above|greater|up|more recent|lower|earlier|older|below|beyond|better)\b` +
		`|^[*_` + "`" + `"')]*(?:\+|[\s]+onwards?\b|[\s]*\(?(?:minimum|at least)\b)` +
		// the other end of a range, or more of a list
		`|^[*_` + "`" + `"')]*[ \t]*(?:-|–|—|\.\.\.?|\|\||/|,|&|to|through|until|and)[ \t]*` +
		`[*_` + "`" + `"'(]*v?[0-9]+\.[0-9]+`)
	// givenBefore matches words in prose before the name of a component, about one given
	// release. givenAfter matches those after its version.
	givenBefore = regexp.MustCompile(`(?i)\b(?:at least|minimum|min|since|as of|starting (?:with|from)|after|before|prior to|older than|newer than|until|up to|from|to|requires?|required|` +
		`introduced in|added in|fixed in|removed in|deprecated (?:in|since)|new in|bugs? in|affects|broken in|changed in|upgrad(?:e|ed|ing)|migrat(?:e|ed|ing))\b[^.;!?\n]{0,40}$`)
	givenAfter = regexp.MustCompile(`(?i)^[*_` + "`" + `"')]*[ \t]*` +
		`(?:\(\d{4}-\d\d|released\b|introduced\b|and earlier\b|was released\b)`)
	// pastAfter matches the verb of a sentence about the past.
	pastAfter = regexp.MustCompile(`^[*_` + "`" + `"')]*[ \t]+(?:was|were|has been|had been)\b`)
)

// fence is a fenced code block of a Markdown document.
type fence struct {
	first, last int  // lines, without the fences
	prompt      bool // contains commands after a prompt
	output      bool // contains output, alone or after commands
}

// isOutput reports whether a line of a document is the output of a command.
func (t *text) isOutput(line int, before []byte) bool {
	if printed.Match(before) {
		return true
	}
	i := sort.Search(len(t.fences), func(i int) bool { return t.fences[i].last >= line })
	return i < len(t.fences) && t.fences[i].first <= line && t.fences[i].output
}

var (
	// printed matches the beginning of a line of helm, docker or a prerequisite checker.
	printed = regexp.MustCompile(`^[\s>]*(?:Pulled:|Digest:|Status:|imageID:|Image ID:|Downloaded |Successfully |✔|✓|✗|\S+[ \t]+\S+[ \t]+\d+[ \t]+\d{4}-\d\d-\d\d )`)
	fenceAt = regexp.MustCompile("^[ \t>]*(?:```+|~~~+)[ \t]*([A-Za-z]*)")
	// outputAt matches the line that introduces a block of output.
	outputAt = regexp.MustCompile(`(?i)\boutput\b[^.]*:[\s*_]*$`)
	promptAt = regexp.MustCompile(`^[ \t>]*(?:\$|#|PS>|%)[ \t]`)
)

// showsOutput reports whether a block with a prompt has lines without one. Then it is a
// record of the past, with its commands.
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
	var above []byte // the last line with text before a block
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
			open = &fence{first: number + 1, output: kind == "output" || kind == "text" || outputAt.Match(above)}
		case match != nil:
			open.last = number - 1
			all, open = append(all, *open), nil
		case open != nil && promptAt.Match(line) && !bytes.HasPrefix(bytes.TrimLeft(line, " \t>"), []byte("#")):
			open.prompt = true
		}
		if len(bytes.TrimSpace(line)) > 0 {
			above = line
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

var (
	checksumAt = regexp.MustCompile(`\b(?:sha256|sha512|digest|checksum)\b.*\b[0-9a-f]{64}`)
	// checksumValue matches the assignment of a checksum to an identifier.
	checksumValue = regexp.MustCompile(
		`^[^\n=:]*?([a-z0-9_.-]*(?:sha|checksum|digest)[a-z0-9_.-]*)["']?[ \t]*(?:[:?+]?=|:)[ \t]*["']?(?:sha\d+:)?[0-9a-f]{40,128}\b`)
	// versionWord matches the end of an identifier whose value is a version.
	versionWord = regexp.MustCompile(`[_-]?(?:version|tag|release|ver)$`)
)

// hasChecksum reports whether a checksum is beside a version, in its mapping or in the next
// two lines. It would be wrong after an edit of the version alone.
func (t *text) hasChecksum(r ref.Reference) bool {
	switch isFile := r.Syntax == ref.Download || r.Syntax == ref.Archive || r.Syntax == ref.FileName; {
	case r.Lock != nil || !isFile && r.Syntax != ref.Value && r.Syntax != ref.Key:
		return false
	case t.checksumIn(r):
		return true
	case !isFile:
		return r.Syntax == ref.Value && t.checksumOf(r)
	}
	end := lineEnd(t.data, r.End)
	for range 2 {
		end = lineEnd(t.data, end+1)
	}
	return checksumAt.Match(bytes.ToLower(t.data[lineEnd(t.data, r.End):end]))
}

// checksumIn reports whether the mapping around a place has a checksum.
func (t *text) checksumIn(r ref.Reference) bool {
	m, _ := t.siblings(r)
	for key, value := range m {
		if checksumKey.MatchString(key) && hexValue.Match(t.data[value.Start:value.End]) {
			return true
		}
	}
	return false
}

// checksumOf reports whether the lines around the value of an identifier assign a checksum to an identifier of the
// same beginning.
func (t *text) checksumOf(r ref.Reference) bool {
	const reach = 2 // lines
	stem := []byte(versionWord.ReplaceAllString(strings.ToLower(r.Context.Name), ""))
	isChecksum := func(s int) bool {
		match := checksumValue.FindSubmatch(bytes.ToLower(t.data[min(s, len(t.data)):lineEnd(t.data, s)]))
		return match != nil && bytes.HasPrefix(match[1], stem)
	}
	above, below := lineStart(t.data, r.Start), lineEnd(t.data, r.End)
	for range reach {
		if isChecksum(below + 1) {
			return true
		}
		below = lineEnd(t.data, below+1)
		if above > 0 {
			above = lineStart(t.data, above-1)
			if isChecksum(above) {
				return true
			}
		}
	}
	return false
}

var (
	// checksumKey matches a key for a checksum, and hexValue its value.
	checksumKey = regexp.MustCompile(`(?i)^(?:sha(?:256|512)(?:sum)?|digest|checksum)$`)
	hexValue    = regexp.MustCompile(`^(?:sha\d+:)?[0-9a-f]{64,128}$`)
)

var (
	jobsAt = regexp.MustCompile(`(?m)^jobs:`)
	jobAt  = regexp.MustCompile(`(?m)^([ \t]+)["']?([A-Za-z_][A-Za-z0-9_-]*)["']?:`)
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
	data = data[at[1]:]
	var all []job
	indent := -1 // of the first job
	for _, match := range jobAt.FindAllSubmatchIndex(data, -1) {
		if indent < 0 {
			indent = match[3] - match[2]
		}
		if match[3]-match[2] == indent {
			all = append(all, job{at[1] + match[0], string(data[match[4]:match[5]])})
		}
	}
	return all
}

// scope returns the name of the workflow's job around a place, or of the file.
func (t *text) scope(i int) string {
	next := sort.Search(len(t.jobs), func(k int) bool { return t.jobs[k].start > i })
	if next == 0 {
		return t.name
	}
	return t.name + "#" + t.jobs[next-1].name
}
