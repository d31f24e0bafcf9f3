package decide

import (
	"fmt"
	"path"
	"regexp"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/ref"
)

// plainUse matches a template or variable that renders to the value of an identifier.
var plainUse = regexp.MustCompile(`^(?:\$?\{\{-?[ \t]*(?:\$?[A-Za-z0-9_]*\.)*([A-Za-z_][A-Za-z0-9_]*)[ \t]*-?\}\}|` +
	`\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\(([A-Za-z_][A-Za-z0-9_]*)\)|\$([A-Za-z_][A-Za-z0-9_]*))$`)

// identifierOf returns the identifier whose value a use renders to, or "".
func identifierOf(r ref.Reference) string {
	m := plainUse.FindStringSubmatch(r.Written)
	if m == nil {
		return ""
	}
	return m[1] + m[2] + m[3] + m[4]
}

// usesWithoutV checks the uses that name a git tag: a "v" must be before an identifier whose value has none.
func usesWithoutV(f *delivery.File, found []ref.Reference) []Finding {
	values := map[string][]ref.Reference{}
	for _, r := range find.Pins(found) {
		if name := r.Context.Name; name != "" && r.Syntax == ref.Value {
			values[r.Component+" "+name] = append(values[r.Component+" "+name], r)
		}
	}
	var findings []Finding
	for _, r := range found {
		name := identifierOf(r)
		if !r.Use || r.Excused != "" || !r.Syntax.NamesGitTag() || r.Context.Prefix != "" || name == "" {
			continue
		}
		pins := closest(f, r.File, values[r.Component+" "+name])
		if len(pins) == 0 || strings.HasPrefix(r.Written, "v") {
			continue
		}
		findings = append(findings, At(r, "v-prefix", r.Written, "v"+r.Written,
			fmt.Sprintf("git tags carry a v, and %s is %s at %s", name, pins[0].Written, pins[0].Site)))
	}
	return findings
}

// closest returns the pins that give an identifier its value in a file, if none of them has a "v": those in the file
// itself, those in the values of its chart, or all.
func closest(f *delivery.File, file string, pins []ref.Reference) []ref.Reference {
	inFile := func(name string) (some []ref.Reference) {
		for _, p := range pins {
			if p.File == name {
				some = append(some, p)
			}
		}
		return some
	}
	if here := inFile(file); len(here) > 0 {
		pins = here
	} else if chart, ok := chartOf(f, file); ok {
		if here := inFile(path.Join(chart, "values.yaml")); len(here) > 0 {
			pins = here
		}
	}
	for _, p := range pins {
		if strings.HasPrefix(p.Written, "v") {
			return nil
		}
	}
	return pins
}

// chartOf returns the folder of our own chart that a file is in.
func chartOf(f *delivery.File, file string) (dir string, ok bool) {
	for dir = path.Dir(file); dir != "."; dir = path.Dir(dir) {
		if _, ok := f.ChartAt(dir); ok {
			return dir, true
		}
	}
	return "", false
}
