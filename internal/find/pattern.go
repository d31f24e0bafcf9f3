package find

import (
	"regexp"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// pattern is a form that is declared in delivery.yaml.
type pattern struct {
	component, files string
	expression       *regexp.Regexp
	group            int
}

func compilePatterns(f *delivery.File) []pattern {
	var all []pattern
	for _, name := range f.Names() {
		for _, p := range f.Components[name].Patterns {
			expression := regexp.MustCompile(p.Match)
			all = append(all, pattern{name, p.Files, expression, expression.SubexpIndex(delivery.VersionGroup)})
		}
	}
	return all
}

func (p pattern) find(t *text) {
	if p.files != "" && !covers(p.files, t.name) {
		return
	}
	for _, match := range p.expression.FindAllSubmatchIndex(t.data, -1) {
		start, end := match[2*p.group], match[2*p.group+1]
		if start >= 0 && versionEnd(t.data[:end], start) == end {
			t.addEnding(start, end, ref.Reference{Component: p.component, Syntax: ref.Matched})
		}
	}
}
