package decide

import (
	"cmp"
	"fmt"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/ref"
)

// Finding is something wrong at one place.
type Finding struct {
	Rule      string `json:"rule"`
	File      string `json:"file,omitempty"`
	Line      int    `json:"line,omitempty"`
	Column    int    `json:"column,omitempty"`
	Component string `json:"component,omitempty"`
	Saw       string `json:"saw"`
	Want      string `json:"want"`
	Help      string `json:"help"`
	// Warning is set if delivery.yaml has the rule only warn.
	Warning bool `json:"warning,omitempty"`
}

func (f Finding) String() string {
	where := ""
	if f.File != "" {
		where = fmt.Sprintf("%s:%d:%d: ", f.File, f.Line, f.Column)
	}
	return fmt.Sprintf("%ssaw %s, want %s; %s (%s)", where, f.Saw, f.Want, f.Help, f.Rule)
}

// At returns a finding at a reference's place.
func At(r ref.Reference, rule, saw, want, help string) Finding {
	return Finding{
		Rule: rule, File: r.File, Line: r.Line, Column: r.Column, Component: r.Component,
		Saw: saw, Want: want, Help: help,
	}
}

// Check applies the rules that need only the references found in the tree. tagged is the newest version of our own
// among the git tags, or zero if none is known. Check also returns the notices about places that people decide about.
func Check(f *delivery.File, found find.Found, tagged Tagged) ([]Finding, []Notice) {
	var findings []Finding
	pins := find.Pins(found.References)
	verdicts := Follow(f, pins, newestOwn(f, pins, tagged))
	for _, v := range verdicts {
		if v.Excused == "" {
			findings = append(findings, mostSpecific(f, slices.Concat(
				selfReference(f, v, tagged),
				agreement(f, v),
				Fitting(f, v.Reference),
				recorded(f, v.Reference),
				digestWanted(f, v),
			))...)
		}
	}
	for _, r := range found.References {
		if r.Excused == "" {
			findings = append(findings, moving(f, r)...)
			findings = append(findings, unexpanded(r)...)
		}
	}
	findings = append(findings, usesWithoutV(f, found.References)...)
	for _, r := range found.Suspects {
		if r.Syntax.NamesGitTag() {
			findings = append(findings, unlikeTags(f, r)...)
			continue
		}
		findings = append(findings, At(r, "looks-like",
			fmt.Sprintf("%s behind a name of %s", r.Written, r.Component), "a known form, or an excuse",
			"declare a name or a pattern for it in "+delivery.FileName+", or excuse it"))
	}
	for _, idle := range found.Idle {
		finding := At(ref.Reference{Site: idle.Site}, "idle", idle.What, "an effect", "correct or remove it")
		if idle.IsExcuse {
			finding.Rule = "idle-excuse"
		}
		findings = append(findings, finding)
	}
	Sort(findings)
	return Weigh(f, findings), noticesOf(f, verdicts)
}

// mostSpecific returns the first of the findings at one place, because others may want something else there. A rule
// that only warns hides no error.
func mostSpecific(f *delivery.File, findings []Finding) []Finding {
	if len(findings) == 0 {
		return nil
	}
	i := slices.IndexFunc(findings, func(finding Finding) bool { return f.Rules[finding.Rule].Level != delivery.Warn })
	return findings[max(i, 0):][:1]
}

// Sort sorts findings by their places.
func Sort(findings []Finding) {
	slices.SortStableFunc(findings, func(a, b Finding) int {
		return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
	})
}

// Weigh marks the findings of rules that only warn according to delivery.yaml, and returns all findings.
func Weigh(f *delivery.File, findings []Finding) []Finding {
	for i, finding := range findings {
		findings[i].Warning = f.Rules[finding.Rule].Level == delivery.Warn
	}
	return findings
}

// Errors returns the findings that are not warnings.
func Errors(findings []Finding) []Finding {
	return slices.DeleteFunc(slices.Clone(findings), func(f Finding) bool { return f.Warning })
}

// isPlaceholder reports whether a pin has the placeholder instead of a version.
func isPlaceholder(r ref.Reference) bool {
	return strings.TrimPrefix(r.Written, "v") == ref.Placeholder
}

// agreement checks that the pins that follow a component's releases have the same version.
func agreement(f *delivery.File, v Verdict) []Finding {
	stamps := f.Rules["self-reference"].Level != delivery.Warn || v.Context.Document
	stale := v.Context.Rendered && v.Excused == "" && v.isBehind()
	if !v.Lags() && !stale || f.IsOwn(v.Component) && stamps {
		return nil
	}
	help := fmt.Sprintf("move it with ghhelper bump %s %s, or excuse it", v.Component, v.Current)
	if stale {
		help = "render the file again, by the commands of derived in " + delivery.FileName
	}
	want := spell(f, v.Reference, v.Current)
	if named, known := wantsV(f, v.Reference); known && named {
		want = v.Current.WithV()
	}
	return []Finding{At(v.Reference, "agreement",
		fmt.Sprintf("%s %s", v.Component, v.Written), want+", as in other places", help)}
}

// Fitting checks that the version has a "v" if the artifact's tag has one or if the place names a git tag, and no "v"
// otherwise.
func Fitting(f *delivery.File, r ref.Reference) []Finding {
	artifact := f.Components[r.Component].Artifacts[r.Artifact]
	about := fmt.Sprintf("the tags of %s/%s are declared as %q", r.Component, r.Artifact, orDefault(artifact.Tag))
	if r.Syntax.NamesGitTag() {
		about = aboutTags(f, r.Component)
	} else if isOwnChart(r) {
		about = fmt.Sprintf("the %s of %s/%s is declared as %q", r.Syntax, r.Component, r.Artifact, chartForm(f, r))
	}
	named, known := wantsV(f, r)
	if !known || named == strings.HasPrefix(r.Written, "v") || r.Context.Output {
		return nil
	}
	want := strings.TrimPrefix(r.Written, "v")
	if named {
		want = "v" + want
	}
	return []Finding{At(r, "v-prefix", r.Written, want, about)}
}

// wantsV reports whether a place must write the version with a "v". known is false if
// nothing is declared about it.
func wantsV(f *delivery.File, r ref.Reference) (named, known bool) {
	artifact, declared := f.Components[r.Component].Artifacts[r.Artifact]
	switch {
	case r.Syntax.NamesGitTag():
		prefix, hasV := f.Components[r.Component].TagPrefix()
		return hasV, r.Context.Prefix == prefix
	case r.Syntax == ref.FileName || r.Syntax == ref.GoModule:
		return false, false
	case isOwnChart(r):
		return strings.HasPrefix(chartForm(f, r), "v"), declared
	}
	return artifact.HasV(), declared
}

// chartForm returns the declared form of a version in our own Chart.yaml.
func chartForm(f *delivery.File, r ref.Reference) string {
	version, app := f.ChartForms(f.Components[r.Component].Artifacts[r.Artifact])
	if r.Syntax == ref.ChartApp {
		return app
	}
	return version
}

// unlikeTags returns the finding about a git tag that has not the form of those of its repository's components. Of
// several components, the first has it.
func unlikeTags(f *delivery.File, r ref.Reference) []Finding {
	forms := []string{f.Components[r.Component].TagForm()}
	for _, other := range f.Sharing(r.Component) {
		if other < r.Component {
			return nil
		}
		forms = append(forms, f.Components[other].TagForm())
	}
	return []Finding{At(r, "looks-like", "git tag "+r.Written+" of "+f.Components[r.Component].Repository,
		strings.Join(forms, " or "), "declare its form in "+delivery.FileName+", or excuse it")}
}

// aboutTags describes the form of a component's git tags.
func aboutTags(f *delivery.File, component string) string {
	c := f.Components[component]
	if c.Tag == "" {
		return "git tags carry a v, unless " + component + " declares another tag"
	}
	return fmt.Sprintf("the git tags of %s are declared as %q", component, c.Tag)
}

func orDefault(tag string) string {
	if tag == "" {
		return "{version}"
	}
	return tag
}

// wantsDigest reports whether a pin lacks the digest that its component requires.
func wantsDigest(f *delivery.File, r ref.Reference) bool {
	c := f.Components[r.Component]
	return c.Digests && r.Lock == nil && !isPlaceholder(r) &&
		r.Syntax == ref.Tag && c.Artifacts[r.Artifact].Kind == delivery.Image
}

// digestWanted checks that the images of a component have a digest if the component requires it.
func digestWanted(f *delivery.File, v Verdict) []Finding {
	if !v.Follows() || !wantsDigest(f, v.Reference) {
		return nil
	}
	return []Finding{At(v.Reference, "digest", v.Written+" without a digest", v.Written+"@sha256:…",
		"ghhelper bump adds it: "+v.Component+" requires digests in "+delivery.FileName)}
}

// recorded checks that delivery.yaml has a digest for each chart that ours depend on. Helm's own files name those
// charts by tag: the digest in Chart.lock is only that of the names.
func recorded(f *delivery.File, r ref.Reference) []Finding {
	component, artifact, ours := f.ChartAt(path.Dir(r.File))
	chart := f.Components[r.Component].Artifacts[r.Artifact]
	if !ours || path.Base(r.File) != "Chart.yaml" || chart.Kind != delivery.Chart || IsOwn(f, r) {
		return nil
	}
	if chart.HTTPS {
		return []Finding{At(r, "dependency", r.Written+" of "+chart.Location(), "a chart in a registry (oci://…)",
			"a release packages dependencies from registries only")}
	}
	digest, err := f.Components[component].Artifacts[artifact].Dependency(chart.At, r.Written)
	pin := fmt.Sprintf("%s:%s@sha256:…", chart.At, r.Written)
	switch {
	case err != nil:
		return []Finding{At(r, "agreement", r.Written, "the version that "+delivery.FileName+" records", err.Error())}
	case digest == "":
		return []Finding{At(r, "dependency", r.Written+" without a digest", pin,
			"write it under dependencies of "+artifact+" in "+delivery.FileName+": the tag of a chart can move")}
	}
	return nil
}

// moving checks that a place does not name a tag that moves, such as latest.
func moving(f *delivery.File, r ref.Reference) []Finding {
	isLabel := r.Syntax == ref.Value && strings.EqualFold(r.Context.Name, r.Component) && r.Written != "latest"
	if !r.Moving || r.Context.Document || isLabel {
		return nil
	}
	want, help := "a version", "name the version that you tested: "
	if f.IsOwn(r.Component) && r.Syntax == ref.Uses {
		want, help = "a path in this repository (./…)", "a path names the commit of the workflow itself: "
	}
	return []Finding{At(r, "latest", r.Component+" at "+r.Written, want, help+r.Written+" moves")}
}

// unexpanded checks that a file in which helm expands no variables has none.
func unexpanded(r ref.Reference) []Finding {
	base := path.Base(r.File)
	if !r.Use || base != "Chart.yaml" && base != "values.yaml" ||
		!strings.HasPrefix(strings.TrimPrefix(r.Written, "v"), "$") {
		return nil
	}
	return []Finding{At(r, "unexpanded", r.Written, "a version",
		"helm expands no variables here: the text would be published as written")}
}

// plainUse matches a template or variable that renders to the value of an identifier.
var plainUse = regexp.MustCompile(`^v?(?:\$?\{\{-?[ \t]*(?:\$?[A-Za-z0-9_]*\.)*([A-Za-z_][A-Za-z0-9_]*)[ \t]*-?\}\}|` +
	`\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$\(([A-Za-z_][A-Za-z0-9_]*)\)|\$([A-Za-z_][A-Za-z0-9_]*))$`)

// identifierOf returns the identifier whose value a use renders to, or "".
func identifierOf(r ref.Reference) string {
	m := plainUse.FindStringSubmatch(r.Written)
	if m == nil {
		return ""
	}
	return m[1] + m[2] + m[3] + m[4]
}

// usesWithoutV checks the uses that name a git tag: if the value of the identifier has no "v", the use must have the
// one of the tag, and no other.
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
		named, known := wantsV(f, r)
		if !r.Use || r.Excused != "" || !r.Syntax.NamesGitTag() || !known || name == "" {
			continue
		}
		pins := closest(f, r.File, values[r.Component+" "+name])
		if len(pins) == 0 || strings.HasPrefix(r.Written, "v") == named {
			continue
		}
		want := strings.TrimPrefix(r.Written, "v")
		if named {
			want = "v" + want
		}
		findings = append(findings, At(r, "v-prefix", r.Written, want,
			fmt.Sprintf("%s, and %s is %s at %s", aboutTags(f, r.Component), name, pins[0].Written, pins[0].Site)))
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
		if _, _, ok := f.ChartAt(dir); ok {
			return dir, true
		}
	}
	return "", false
}
