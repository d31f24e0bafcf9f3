package find

import (
	"regexp"
	"strconv"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// pattern is a form that is declared in delivery.yaml.
type pattern struct {
	component, files string
	expression       *regexp.Regexp
	group, entry     int
}

func (f *Finder) compilePatterns() {
	for _, name := range f.file.Names() {
		for i, p := range f.file.Components[name].Patterns {
			expression := p.Expression()
			what := "a pattern that matches nothing:" + describe(delivery.Excuse{Files: p.Files, Pattern: p.Match})
			id := f.enter(what, "components", name, "patterns", strconv.Itoa(i))
			group := expression.SubexpIndex(delivery.VersionGroup)
			f.patterns = append(f.patterns, pattern{name, p.Files, expression, group, id})
		}
	}
}

func (p pattern) find(t *text) {
	if p.files != "" && !delivery.Covers(p.files, t.name) || !t.file.Components[p.component].Holds(t.name) {
		return
	}
	for _, match := range p.expression.FindAllSubmatchIndex(t.data, -1) {
		start, end := match[2*p.group], match[2*p.group+1]
		if start >= 0 && versionEnd(t.data[:end], start) == end {
			t.used[p.entry] = t.addEnding(start, end, ref.Reference{Component: p.component, Syntax: ref.Matched}) ||
				t.used[p.entry]
		}
	}
}
