package render

import (
	"cmp"
	"fmt"
	"io/fs"
	"path"
	"strings"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/resolve"
)

// Source is a chart of our own in a tree. verify and a release render it in the same way.
type Source struct {
	File     *delivery.File
	Tree     fs.FS
	Names    []string // of the files in Tree
	Artifact string
	Version  ref.Version // that the chart is stamped with
	Preview  bool        // Version is only assumed, and findings do not name it
}

// Render renders the chart with its own values and with those that it is tested with. It judges the references in the
// rendering like those of the tree, and moves findings and targets to the templates that they come from.
func (s Source) Render(with func(...Values) (Rendering, error)) (Rendering, error) {
	sets, err := ReadValues(s.Tree, s.File.Own().Artifacts[s.Artifact].Values)
	if err != nil {
		return Rendering{}, err
	}
	r, err := with(sets...)
	if err != nil {
		return Rendering{}, err
	}
	own := Rendering{Named: resolve.Named{}, References: r.References}
	for i, f := range r.Findings {
		at := s.origin(ref.Site{File: f.File, Line: f.Line, Column: f.Column}, r.findingLines[i])
		f.File, f.Line, f.Column = at.File, at.Line, at.Column
		own.Findings = append(own.Findings, f)
	}
	known := map[decide.Finding]bool{}
	for i, reference := range r.References {
		for _, f := range s.judge(reference, r.lines[i]) {
			if !known[f] { // with several sets of values
				known[f] = true
				own.Findings = append(own.Findings, f)
			}
		}
	}
	for target, place := range r.Named {
		at := s.origin(place.Site, r.targetLines[target])
		own.Named[target] = resolve.Place{Site: at.Site, Text: at.String()}
	}
	return own, nil
}

// judge returns the findings about a rendered reference, unless its template is not ours to correct.
func (s Source) judge(r ref.Reference, line string) []decide.Finding {
	at := s.origin(r.Site, line)
	if r.Use || r.Moving || !at.ours {
		return nil
	}
	value := r.Written
	if v, err := r.Version(); err == nil && v.Compare(s.Version) == 0 && s.Preview {
		value = strings.Replace(value, s.Version.String(), ref.Placeholder, 1)
	}
	named := s.File.Components[r.Component].Artifacts[r.Artifact].At
	if named != "" {
		named += ":"
	}
	findings := decide.Fitting(s.File, r)
	for i := range findings {
		findings[i].Saw, findings[i].Want = named+value, "v"+value
		if strings.HasPrefix(value, "v") {
			findings[i].Want = strings.TrimPrefix(value, "v")
		}
		if at.expression != "" && !strings.HasPrefix(value, "v") {
			findings[i].Saw = fmt.Sprintf("%s with the value %s", at.expression, value)
			findings[i].Want = "v" + at.expression
		}
	}
	if len(findings) == 0 {
		findings = decide.OwnPath(s.File, r, s.Version, s.Names)
	}
	for i := range findings {
		findings[i].File, findings[i].Line, findings[i].Column = at.File, at.Line, at.Column
		if !at.exact {
			findings[i].Saw += fmt.Sprintf(" in line %d of the rendering", r.Line)
		}
	}
	return findings
}

// origin is the place in the tree that a rendered line comes from.
type origin struct {
	ref.Site
	expression string // that renders to the reference, if it is known
	ours       bool   // the template is in the tree
	exact      bool   // the line of the template is known
}

// origin returns the place of a rendered text. Only the file is known if no line of the template matches the text.
func (s Source) origin(at ref.Site, rendered string) origin {
	_, inChart, _ := strings.Cut(at.File, "/") // the name of the chart
	file := path.Join(s.File.Own().Artifacts[s.Artifact].Source, inChart)
	text, err := fs.ReadFile(s.Tree, file)
	if err != nil {
		return origin{Site: at}
	}
	found := origin{Site: ref.Site{File: file, Line: 1, Column: 1}, ours: true}
	best := 0
	for number, line := range strings.Split(string(text), "\n") {
		m := matchTemplate(line, rendered)
		if m.literal <= best {
			continue
		}
		best, found.exact = m.literal, true
		found.Line, found.Column, found.expression = number+1, 1, ""
		for _, e := range m.expressions {
			if v := e.at - (at.Column - 1); v == 0 || v == 1 { // the template may have a v before it
				found.Column, found.expression = e.column-v, e.text
			}
		}
		if len(m.expressions) == 0 {
			found.Column = cmp.Or(at.Column, 1)
		}
	}
	return found
}

// match describes how a line of a template renders to a text.
type match struct {
	literal     int // bytes of the template that are in the text; 0 without a match
	expressions []expression
}

// expression is an expression of a template, with its column and the offset of its value in the rendered text.
type expression struct {
	text       string
	column, at int
}

// matchTemplate matches a line of a template with a rendered one. It requires enough literal text, because a line with
// nothing but an expression renders to any text.
func matchTemplate(template, rendered string) match {
	const enough = 6 // bytes, such as image:
	var m match
	offset, from := 0, 0
	for rest := template; ; {
		start := strings.Index(rest, "{{")
		length := -1
		if start >= 0 {
			length = strings.Index(rest[start:], "}}")
		}
		if length < 0 {
			if end := len(rendered) - len(rest); end < from || rendered[end:] != rest {
				return match{}
			}
			m.literal += len(strings.TrimSpace(rest))
			break
		}
		text := rest[:start]
		i := strings.Index(rendered[from:], text)
		if i < 0 || offset == 0 && i > 0 {
			return match{}
		}
		from += i + len(text)
		m.literal += len(strings.TrimSpace(text))
		end := start + length + len("}}")
		m.expressions = append(m.expressions, expression{rest[start:end], offset + start + 1, from})
		offset, rest = offset+end, rest[end:]
	}
	if m.literal < enough {
		return match{}
	}
	return m
}

// lineOf returns a line of a text, which counts from 1.
func lineOf(text string, number int) string {
	for i := 1; i < number; i++ {
		_, text, _ = strings.Cut(text, "\n")
	}
	line, _, _ := strings.Cut(text, "\n")
	return line
}
