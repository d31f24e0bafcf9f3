package decide

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Verdict says of a pin whether it follows its component's releases.
type Verdict struct {
	ref.Reference
	// Because is the reason why the pin stays as it is, "" where it follows.
	Because string
	// Current is the version that the pins which follow agree on, or should;
	// zero where the component has none.
	Current ref.Version
}

// Lags tells whether a pin that follows is behind the others.
func (v Verdict) Lags() bool {
	version, err := v.Version()
	return v.Because == "" && err == nil && !v.Current.IsZero() && version.Compare(v.Current) < 0
}

// Follow decides for each pin whether it is meant to follow its component's
// newest release. current says of components which version that is now, where
// it is known; else it is the newest that a pin holds.
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

// staysAlways is the reason why a pin stays whatever its version is, or "".
func staysAlways(r ref.Reference) string {
	c := r.Context
	for _, reason := range []struct {
		holds bool
		text  string
	}{
		{r.Excused != "", "excused: " + r.Excused},
		{strings.HasPrefix(strings.TrimPrefix(r.Written, "v"), "0.0.0"), "a placeholder"},
		{c.Encoded, "inside base64 data: change what that was made from"},
		{c.History, "a text about the past"},
		{c.Bound, "a bound: moving it is a decision of its own"},
		{c.Example, "an example"},
		{c.Output, "what a command once printed"},
		{c.Fixed, "a link to a given release"},
		{c.Listed, "one of several versions in a list"},
		{c.Checksum, "a checksum stands beside it, which would no longer fit"},
		{stableName.MatchString(c.Name), "marks a release that was chosen as stable"},
		{c.Script, "what a script prints or compares: often a bound"},
		{r.Syntax == ref.Prose, "told in a text: declare a pattern for it if it is to follow"},
		{testData.MatchString(r.File), "test data"},
	} {
		if reason.holds {
			return reason.text
		}
	}
	return ""
}

// surroundings are what the pins around one say about it.
type surroundings struct {
	// kept are the files, each with a component, that hold the component's
	// current version.
	kept   map[[2]string]bool
	scopes map[string]*scope
	usual  votes
}

// votes count the places, documents left out, that hold a version: by component
// and version.
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

// has tells whether no other version is held by more places than a pin's.
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

// isNamedAfter tells whether a file is about upgrades, or has the release that
// a pin holds in its own name, by MAJOR.MINOR.
func isNamedAfter(file string, r ref.Reference) bool {
	base := path.Base(file)
	parts := strings.SplitN(strings.TrimPrefix(r.Plain(), "v"), ".", 3)
	return upgradeName.MatchString(base) || len(parts) == 3 && slices.Contains(numbersIn.FindAllString(base, -1), parts[0]+"."+parts[1])
}

var numbersIn = regexp.MustCompile(`[0-9]+\.[0-9]+`)

// isCurrent tells whether a pin holds what the others agree on.
func (v Verdict) isCurrent() bool {
	version, err := v.Version()
	return err == nil && !v.Current.IsZero() && version.Compare(v.Current) == 0
}

// scope is what belongs together: a job, or a file.
type scope struct {
	behind    map[string]bool // components
	upToDate  bool            // some pin is
	ownBehind bool            // a pin of our own component is behind
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

// staysBehind is the reason why a pin that is behind the others was probably
// left there on purpose, or "".
func (s surroundings) staysBehind(v Verdict) string {
	switch {
	case v.Syntax == ref.Matched:
		return "" // somebody has declared that it is to be followed
	case v.Context.Comment:
		return "commented out, and behind"
	case isNamedAfter(v.File, v.Reference):
		return "belongs to the release or the upgrade that the file is named after"
	case v.Context.Document && !s.kept[[2]string{v.File, v.Component}] && !s.usual.has(v.Reference):
		return "a document that names an older release"
	case s.testsOldRelease(v.Context.Scope):
		return "belongs to an older release, as all in " + v.Context.Scope
	}
	return ""
}

// testsOldRelease tells whether what belongs together is held at an older
// release as a whole: a job of a workflow that pins an older release of this
// repository's own component, or in which three components or more are all
// behind. A script that is behind as a whole was rather forgotten.
func (s surroundings) testsOldRelease(name string) bool {
	here := s.scopes[name]
	const several = 3
	return here != nil && strings.Contains(name, "#") && (here.ownBehind || len(here.behind) >= several && !here.upToDate)
}
