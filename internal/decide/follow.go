package decide

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Verdict is the decision whether a pin follows its component's releases.
type Verdict struct {
	ref.Reference
	Because string      // why the pin stays as it is; empty if it follows
	Current ref.Version // that all pins that follow should have; zero if none follows
}

// Lags reports whether a pin follows and is behind the others.
func (v Verdict) Lags() bool {
	version, err := v.Version()
	return v.Because == "" && err == nil && !v.Current.IsZero() && version.Compare(v.Current) < 0
}

// Follow decides for each pin whether it follows its component's newest release. current holds the newest releases that
// are known. For other components, the newest version of a pin counts.
func Follow(f *delivery.File, pins []ref.Reference, current map[string]ref.Version) []Verdict {
	verdicts := make([]Verdict, len(pins))
	newest, usual := map[string]ref.Version{}, votes{}
	for i, r := range pins {
		verdicts[i] = Verdict{Reference: r, Because: staysAlways(r)}
		if v, err := r.Version(); err == nil && verdicts[i].Because == "" && !isOwnChart(r) {
			newest[r.Component] = ref.Newest([]ref.Version{newest[r.Component], v})
			usual.count(r, v)
		}
	}
	for component, v := range current {
		newest[component] = v
	}
	for i := range verdicts {
		verdicts[i].Current = newest[verdicts[i].Component]
	}
	s := survey(f, verdicts)
	s.usual = usual
	stays := make([]string, len(verdicts))
	for i, v := range verdicts {
		switch {
		case isOwnChart(v.Reference) && v.Because == "" && !v.isCurrent() && !isPlaceholder(v.Reference):
			stays[i] = "a version that publishing sets"
		case v.Lags():
			stays[i] = s.staysBehind(v)
		}
	}
	for i := range verdicts {
		if stays[i] != "" {
			verdicts[i].Because = stays[i]
		}
	}
	return verdicts
}

func isOwnChart(r ref.Reference) bool {
	return r.Syntax == ref.ChartVersion || r.Syntax == ref.ChartApp
}

var testData = regexp.MustCompile(`_test\.go$|(?:^|/)testdata/`)

var stableName = regexp.MustCompile(`(?i)stable`)

// staysAlways returns the reason why a pin stays at any version, or "".
func staysAlways(r ref.Reference) string {
	c := r.Context
	for _, reason := range []struct {
		holds bool
		text  string
	}{
		{r.Excused != "", "excused: " + r.Excused},
		{strings.HasPrefix(strings.TrimPrefix(r.Written, "v"), "0.0.0"), "a placeholder"},
		{c.Encoded, "inside base64 data: change the source of the data"},
		{c.History, "a text about the past"},
		{c.Bound, "a bound: moving it is a decision of its own"},
		{c.Example, "an example"},
		{c.Output, "pasted output of a command"},
		{c.Fixed, "a link to a given release"},
		{c.Listed, "one of several versions in a list"},
		{c.Checksum, "has a checksum beside it, which would no longer match"},
		{stableName.MatchString(c.Name), "marks a release that was chosen as stable"},
		{c.Script, "printed or compared by a script: often a bound"},
		{r.Syntax == ref.Prose, "in prose: declare a pattern for it to make it follow"},
		{testData.MatchString(r.File), "test data"},
	} {
		if reason.holds {
			return reason.text
		}
	}
	return ""
}

// surroundings describes the pins around a pin.
type surroundings struct {
	// kept has the pairs of a file and a component of which the file has the current version.
	kept   map[[2]string]bool
	scopes map[string]*scope
	usual  votes
}

// votes counts the places of each component and version, except those in documents.
type votes map[string]map[string]int

func (v votes) count(r ref.Reference, version ref.Version) {
	if r.Context.Document {
		return
	}
	if v[r.Component] == nil {
		v[r.Component] = map[string]int{}
	}
	v[r.Component][version.String()]++
}

// has reports whether no other version of the component has more places than a pin's version.
func (v votes) has(r ref.Reference) bool {
	version, err := r.Version()
	mine := v[r.Component][version.String()]
	if err != nil || mine == 0 {
		return false
	}
	for _, others := range v[r.Component] {
		if others > mine {
			return false
		}
	}
	return true
}

var upgradeName = regexp.MustCompile(`(?i)upgrade|migrat|compat`)

// isNamedAfter reports whether a file's name is about upgrades, or contains the pin's version as MAJOR.MINOR.
func isNamedAfter(file string, r ref.Reference) bool {
	base := path.Base(file)
	parts := strings.SplitN(strings.TrimPrefix(r.Plain(), "v"), ".", 3)
	return upgradeName.MatchString(base) ||
		len(parts) == 3 && slices.Contains(numbersIn.FindAllString(base, -1), parts[0]+"."+parts[1])
}

var numbersIn = regexp.MustCompile(`[0-9]+\.[0-9]+`)

// isCurrent reports whether a pin has the current version.
func (v Verdict) isCurrent() bool {
	version, err := v.Version()
	return err == nil && !v.Current.IsZero() && version.Compare(v.Current) == 0
}

// scope describes the pins of a workflow's job, or of a file.
type scope struct {
	behind    map[string]bool // the components with a pin that lags
	upToDate  bool            // a pin does not lag
	ownBehind bool            // a pin of our own component lags
}

func survey(f *delivery.File, all []Verdict) surroundings {
	s := surroundings{kept: map[[2]string]bool{}, scopes: map[string]*scope{}}
	for _, v := range all {
		if v.Because != "" {
			continue
		}
		here := s.scopes[v.Context.Scope]
		if here == nil {
			here = &scope{behind: map[string]bool{}}
			s.scopes[v.Context.Scope] = here
		}
		if v.Lags() {
			here.behind[v.Component] = true
			here.ownBehind = here.ownBehind || f.IsOwn(v.Component)
			continue
		}
		here.upToDate = true
		s.kept[[2]string{v.File, v.Component}] = true
	}
	return s
}

// staysBehind returns the reason why a pin that lags was probably left behind on purpose, or "".
func (s surroundings) staysBehind(v Verdict) string {
	switch {
	case v.Syntax == ref.Matched:
		return "" // delivery.yaml declares that it follows
	case v.Context.Comment:
		return "commented out, and behind"
	case isNamedAfter(v.File, v.Reference):
		return "belongs to the release or upgrade in the name of the file"
	case v.Context.Document && !s.kept[[2]string{v.File, v.Component}] && !s.usual.has(v.Reference):
		return "a document that names an older release"
	case s.testsOldRelease(v.Context.Scope):
		return "belongs to an older release, like everything in " + v.Context.Scope
	}
	return ""
}

// testsOldRelease reports whether a workflow's job tests an older release: it pins an older release of our own
// component, or three or more components, all of which lag. A script that lags as a whole was probably forgotten.
func (s surroundings) testsOldRelease(name string) bool {
	here := s.scopes[name]
	const several = 3
	return here != nil && strings.Contains(name, "#") &&
		(here.ownBehind || len(here.behind) >= several && !here.upToDate)
}
