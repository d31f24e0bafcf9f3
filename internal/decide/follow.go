package decide

import (
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/history"
	"github.com/kubestellar/actions/internal/ref"
)

// Outcome is the decision about a place when its component is released.
type Outcome string

// The outcomes. A listed place is one for people to decide.
const (
	Moves         Outcome = "moves"
	MovesWithTwin Outcome = "moves with its twin"
	Listed        Outcome = "listed"
	Stays         Outcome = "stays"
)

// Verdict is the decision about a place.
type Verdict struct {
	ref.Reference
	Outcome Outcome
	Because string      // the reason; empty for a pin that follows by its form
	Current ref.Version // that the place should have, if it follows; zero if unknown
	Commits []string    // that are the reason, the newest first

	soft   bool // history may overrule the reason
	others bool // the place belongs to something else
}

// Follows reports whether a place follows its component's releases.
func (v Verdict) Follows() bool { return v.Outcome == Moves || v.Outcome == MovesWithTwin }

// Lags reports whether a pin follows and is behind the others.
func (v Verdict) Lags() bool { return v.Follows() && v.isBehind() }

func (v Verdict) isBehind() bool {
	version, err := v.Version()
	return err == nil && !v.Current.IsZero() && version.Compare(v.Current) < 0
}

// Follow decides for each pin whether it follows its component's newest release. current
// holds the newest releases that are known. For other components, the newest version of
// a pin counts. Follow reads no history, so that the same tree has the same findings in
// every clone.
func Follow(f *delivery.File, pins []ref.Reference, current map[string]ref.Version) []Verdict {
	verdicts := make([]Verdict, len(pins))
	for i, r := range pins {
		verdicts[i] = byForm(r)
	}
	newest := newestOf(f, verdicts)
	for i, v := range verdicts {
		verdicts[i].Current = newest.of(f, v)
		if known, ok := current[v.Component]; ok && !isRegular(v.Reference) {
			verdicts[i].Current = known
		}
	}
	s := survey(verdicts)
	s.jobs(f, verdicts, newest)
	decided := slices.Clone(verdicts)
	for i, v := range verdicts {
		if v.Context.Rendered && len(f.Components[v.Component].Derived) == 0 {
			decided[i].Outcome = Listed
		}
		if outcome, because := s.around(v); because != "" && v.Follows() {
			decided[i].Outcome, decided[i].Because = outcome, because
			decided[i].soft = !v.Lags() || outcome == Listed
		}
	}
	return decided
}

// byForm decides about a pin by its form and the text around it.
func byForm(r ref.Reference) Verdict {
	if because := hard(r); because != "" {
		return Verdict{Reference: r, Outcome: Stays, Because: because}
	}
	if because := soft(r); because != "" {
		return Verdict{Reference: r, Outcome: Stays, Because: because, soft: true}
	}
	if r.Context.Doubt != "" {
		return Verdict{Reference: r, Outcome: Listed, Because: r.Context.Doubt}
	}
	return Verdict{Reference: r, Outcome: Moves}
}

// newest holds the newest version of each component that a pin follows, and the newest
// regular one.
type newest struct{ any, regular map[string]ref.Version }

func newestOf(f *delivery.File, verdicts []Verdict) newest {
	n := newest{map[string]ref.Version{}, map[string]ref.Version{}}
	for _, v := range verdicts {
		version, err := v.Version()
		if err != nil || !v.Follows() || version.IsPseudo() {
			continue
		}
		n.any[v.Component] = ref.Newest([]ref.Version{n.any[v.Component], version})
		if version.Prerelease() == "" {
			n.regular[v.Component] = ref.Newest([]ref.Version{n.regular[v.Component], version})
		}
	}
	return n
}

// of returns the version that a pin should have. A pin that follows regular releases
// only is compared with such pins.
func (n newest) of(f *delivery.File, v Verdict) ref.Version {
	version, err := v.Version()
	regular := isRegular(v.Reference) ||
		err == nil && version.Prerelease() == "" && !f.Components[v.Component].Prereleases
	if r := n.regular[v.Component]; regular && !r.IsZero() {
		return r
	}
	return n.any[v.Component]
}

// isRegular reports whether a pin follows regular releases only, by its name or by the
// sentence of a declared pattern.
func isRegular(r ref.Reference) bool {
	return regularName.MatchString(r.Context.Name) ||
		r.Syntax == ref.Matched && regularName.MatchString(beforeVersion(r.Context.Shape))
}

// beforeVersion returns the part of a shape before its first version.
func beforeVersion(shape string) string {
	before, _, _ := strings.Cut(shape, history.Blank)
	return before
}

var regularName = regexp.MustCompile(`(?i)regular`)

func isOwnChart(r ref.Reference) bool {
	return r.Syntax == ref.ChartVersion || r.Syntax == ref.ChartApp
}

var testData = regexp.MustCompile(`_test\.(?:go|ya?ml|py|js|ts)$|(?:^|/)testdata/`)

// endToEnd matches the path of an end-to-end test, which installs what it fetches.
var endToEnd = regexp.MustCompile(`(?:^|/)e2e/`)

// installs reports whether a place is a file that an end-to-end test fetches.
func installs(r ref.Reference) bool {
	return endToEnd.MatchString(r.File) && (isFetched(r) || r.Syntax == ref.Raw || r.Syntax == ref.Archive)
}

var stableName = regexp.MustCompile(`(?i)stable`)

// reason is a reason to stay, if it holds.
type reason struct {
	holds bool
	text  string
}

func firstOf(reasons ...reason) string {
	for _, r := range reasons {
		if r.holds {
			return r.text
		}
	}
	return ""
}

// hard returns the reason why a place stays at any version, whatever its history, or "".
// A declared pattern overrules every guess.
func hard(r ref.Reference) string {
	c, declared := r.Context, r.Syntax.IsDeclared()
	version, err := r.Version()
	return firstOf(
		reason{r.Excused != "", "excused: " + r.Excused},
		reason{c.Rendered, "rendered from other files: derived moves it"},
		reason{strings.HasPrefix(strings.TrimPrefix(r.Written, "v"), "0.0.0"), "a placeholder"},
		reason{c.Encoded, "inside base64 data: change the source of the data"},
		reason{isOwnChart(r), "a version that publishing sets"},
		reason{c.Owner.Self, "the version of the file itself"},
		reason{err == nil && version.IsDated(), "a build of a date: choose the build by hand"},
		reason{err == nil && version.IsPseudo(), "a commit between releases: go get decides"},
		reason{declared, ""},
		reason{c.Bound && !declared, "a bound: moving it is a decision of its own"},
		reason{c.Output && !declared, "pasted output of a command"},
		reason{c.Listed && !declared, "one of several versions in a list"},
		reason{c.Checksum && !declared, "has a checksum beside it, which would no longer match"},
		reason{stableName.MatchString(c.Name) && !declared, "marks a release that was chosen as stable"},
		reason{c.Comment && !declared && r.Syntax == ref.Value, "commented out"},
		reason{c.Script && !declared && c.Owner.Ours == "", "printed or compared by a script: often a bound"},
	)
}

// soft returns the reason why a pin stays unless it has moved with the others, or "".
func soft(r ref.Reference) string {
	if r.Syntax.IsDeclared() {
		return ""
	}
	c := r.Context
	return firstOf(
		reason{c.Comment && r.Syntax != ref.Prose && r.Syntax != ref.Word, "commented out"},
		reason{c.Example, "an example"},
		reason{c.History, "a text about the past"},
		reason{c.Fixed, "a link to a given release"},
		reason{r.Syntax == ref.Prose, "in prose: declare a pattern for it to make it follow"},
		reason{testData.MatchString(r.File) && !installs(r), "test data"},
	)
}

// surroundings describes the pins around a pin.
type surroundings struct {
	places map[inFile]*versionsIn        // of one component in one file
	shapes map[history.Place]*rungs      // of one shape in one file
	older  map[string]map[string]bool    // the older versions of a component in documents
	kinds  map[history.Place]ref.Version // the newest of one shape in all units of one name
	scopes map[string]*scope
	sums   map[checked]bool
}

// checked is a version of a component of which a file holds a checksum.
type checked struct{ file, component, version string }

func checkedBy(r ref.Reference) checked {
	return checked{r.File, r.Component, strings.TrimPrefix(r.Plain(), "v")}
}

// unitName matches the files of which each describes one thing that is deployed, such as
// a chart or an overlay.
var unitName = regexp.MustCompile(`^(?:values.*\.ya?ml|kustomization\.ya?ml|Chart\.yaml)$`)

type inFile struct{ file, component string }

// versionsIn holds the versions of a component's pins in a file.
type versionsIn struct {
	newest   ref.Version
	distinct map[string]bool
}

// rungs holds the versions of one shape in a file.
type rungs struct {
	distinct map[string]bool
	lines    map[int]string          // by line
	lists    map[int]map[string]bool // by the list that holds the place
}

// scope describes the pins of a workflow's job, or of a file.
type scope struct {
	behind    map[string]bool // the components with a pin that lags
	upToDate  bool            // a pin does not lag
	ownBehind bool            // a pin of our own component lags
}

func survey(all []Verdict) surroundings {
	s := surroundings{map[inFile]*versionsIn{}, map[history.Place]*rungs{},
		map[string]map[string]bool{}, map[history.Place]ref.Version{}, map[string]*scope{}, map[checked]bool{}}
	for _, v := range all {
		version, err := v.Version()
		if v.Context.Checksum && !v.Syntax.IsDeclared() {
			s.sums[checkedBy(v.Reference)] = true
		}
		if err != nil || v.Outcome == Stays && !v.soft {
			continue
		}
		here := s.in(v)
		here.newest = ref.Newest([]ref.Version{here.newest, version})
		here.distinct[version.String()] = true
		kind := kindOf(v)
		s.kinds[kind] = ref.Newest([]ref.Version{s.kinds[kind], version})
		r := s.rungs(v)
		r.distinct[version.String()] = true
		r.lines[v.Line] = version.String()
		if r.lists[v.Context.List] == nil {
			r.lists[v.Context.List] = map[string]bool{}
		}
		r.lists[v.Context.List][version.String()] = true
	}
	s.documents(all)
	return s
}

// documents collects the older versions in documents, of each document the newest.
func (s surroundings) documents(all []Verdict) {
	for _, v := range all {
		if !v.Lags() || !v.Context.Document || isOld(v.File) || s.leads(v) {
			continue
		}
		if s.older[v.Component] == nil {
			s.older[v.Component] = map[string]bool{}
		}
		s.older[v.Component][strings.TrimPrefix(v.Plain(), "v")] = true
	}
}

// jobs describes the scopes, relative to the newest version of each component.
func (s surroundings) jobs(f *delivery.File, all []Verdict, n newest) {
	for _, v := range all {
		if v.Follows() {
			v.Current = n.of(f, v)
			s.scope(f, v)
		}
	}
}

func (s surroundings) in(v Verdict) *versionsIn {
	key := inFile{v.File, v.Component}
	if s.places[key] == nil {
		s.places[key] = &versionsIn{distinct: map[string]bool{}}
	}
	return s.places[key]
}

func (s surroundings) rungs(v Verdict) *rungs {
	key := history.Place{File: v.File, Shape: v.Component + " " + v.Context.Shape}
	if s.shapes[key] == nil {
		s.shapes[key] = &rungs{map[string]bool{}, map[int]string{}, map[int]map[string]bool{}}
	}
	return s.shapes[key]
}

func (s surroundings) scope(f *delivery.File, v Verdict) {
	here := s.scopes[v.Context.Scope]
	if here == nil {
		here = &scope{behind: map[string]bool{}}
		s.scopes[v.Context.Scope] = here
	}
	if !v.Lags() {
		here.upToDate = true
		return
	}
	here.behind[v.Component] = true
	here.ownBehind = here.ownBehind || f.IsOwn(v.Component)
}

// around returns the reason why a pin that follows by its form does not by the pins
// around it, or no reason.
func (s surroundings) around(v Verdict) (Outcome, string) {
	switch {
	case v.Syntax.IsDeclared():
		return Moves, "" // delivery.yaml declares that it follows
	case s.sums[checkedBy(v.Reference)] && !v.Context.Document:
		return Stays, besideChecksum
	case s.isRecord(v):
		return Stays, "one of many versions in a record of releases"
	case s.rungs(v).isLadder(v):
		return Listed, "one of several versions in a list"
	case s.testsOldRelease(v.Context.Scope) && !isFetched(v.Reference):
		return Stays, "belongs to an older release, like everything in " + v.Context.Scope
	case !v.Lags():
		return Moves, ""
	case !fitsMajor(v.Context.Module, v.Current):
		return Stays, "another major: the path of the module would change"
	case upgradeName.MatchString(path.Base(v.File)):
		return Stays, "belongs to the upgrade in the name of the file"
	case oldFolder.MatchString(v.File):
		return Stays, "its folder is not maintained"
	case len(s.rungs(v).distinct) > 1:
		return Listed, "other versions stand in the same form in this file"
	case s.parallel(v):
		return Listed, "a file of the same kind elsewhere holds a newer version: they may move apart on purpose"
	case s.leads(v) && !isRegular(v.Reference):
		return Listed, "its file holds a newer version, and moved without it"
	case v.Context.Document && len(s.older[v.Component]) > 1:
		return Listed, "documents hold several older versions"
	case testFolder.MatchString(v.File):
		return Listed, behindInTests
	}
	return Moves, ""
}

// kindOf returns the base name of a pin's file, with the pin's shape.
func kindOf(v Verdict) history.Place {
	return history.Place{File: path.Base(v.File), Shape: v.Component + " " + v.Context.Shape}
}

// parallel reports whether a chart or overlay lags behind another one, which holds a newer
// version in the same form.
func (s surroundings) parallel(v Verdict) bool {
	version, err := v.Version()
	return err == nil && unitName.MatchString(path.Base(v.File)) && version.Compare(s.kinds[kindOf(v)]) < 0
}

// several is the number of bumps after which a pin that stayed was not forgotten.
const several = 3

// besideChecksum is the reason to leave the other places of a file whose checksum stays.
const besideChecksum = "its file holds a checksum of this version, which would no longer match"

// behindInTests is the reason to list a pin that history may move.
const behindInTests = "test data that is behind"

// testFolder matches the path of a manifest in a folder of tests.
var testFolder = regexp.MustCompile(`(?:^|/)(?:tests?|e2e|testing|fixtures|samples?|examples?)/(?:.*/)?[^/]*\.ya?ml$`)

// isRecord reports whether the file of a pin holds so many versions of its component that
// it is a record of releases.
func (s surroundings) isRecord(v Verdict) bool {
	const many = 6
	return len(s.in(v).distinct) >= many
}

// leads reports whether the file of a pin holds a newer version of the component.
func (s surroundings) leads(v Verdict) bool {
	version, err := v.Version()
	return err == nil && version.Compare(s.in(v).newest) < 0
}

// isLadder reports whether a neighbour of the pin, by its line or in its list, has its
// form and another version, or the file has three versions in that form.
func (r *rungs) isLadder(v Verdict) bool {
	mine := r.lines[v.Line]
	for _, next := range []int{v.Line - 1, v.Line + 1} {
		if other, ok := r.lines[next]; ok && other != mine {
			return true
		}
	}
	return v.Context.List != 0 && len(r.lists[v.Context.List]) > 1 || len(r.distinct) >= several
}

// isFetched reports whether a pin names something that is downloaded, and not a value.
func isFetched(r ref.Reference) bool { return r.Syntax == ref.Download || r.Syntax == ref.Installer }

// testsOldRelease reports whether a workflow's job tests an older release: it pins an
// older release of our own component, or three or more components, all of which lag. A
// script that lags as a whole was probably forgotten.
func (s surroundings) testsOldRelease(name string) bool {
	here := s.scopes[name]
	const several = 3
	return here != nil && strings.Contains(name, "#") &&
		(here.ownBehind || len(here.behind) >= several && !here.upToDate)
}

// oldFolder matches the path of a file in a folder of old things.
var oldFolder = regexp.MustCompile(`(?i)(?:^|/)(?:old[a-z-]*|to-be-(?:delet|remov)ed|archived?|attic|legacy|` +
	`deprecated|historical|milestones|[^/]* milestones|(?:version-)?v?[0-9]+\.[0-9]+(?:\.[0-9x]+)?)/`)

// isOld reports whether a file is about an upgrade, or not maintained.
func isOld(file string) bool {
	return oldFolder.MatchString(file) || upgradeName.MatchString(path.Base(file))
}

var upgradeName = regexp.MustCompile(`(?i)upgrade|migrat|compat`)

// lineOf returns the release line, as MAJOR.MINOR, that the path of a pin's file names,
// or "". A path names the line of a pin if it has the same numbers.
func lineOf(r ref.Reference) string {
	parts := strings.SplitN(strings.TrimPrefix(r.Plain(), "v"), ".", 3)
	if len(parts) == 3 && slices.Contains(numbersIn.FindAllString(r.File, -1), parts[0]+"."+parts[1]) {
		return parts[0] + "." + parts[1]
	}
	return ""
}

var numbersIn = regexp.MustCompile(`[0-9]+\.[0-9]+`)
