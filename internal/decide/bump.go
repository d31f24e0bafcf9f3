package decide

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"golang.org/x/mod/module"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Left is a place that a bump does not move, with the reason.
type Left struct {
	ref.Reference
	Because string
	// Listed is set if a person has to decide about the place.
	Listed bool
}

// Outcome returns Listed or Stays.
func (l Left) Outcome() Outcome {
	if l.Listed {
		return Listed
	}
	return Stays
}

// Move is the request of a bump: a component and the version that its pins move to.
type Move struct {
	Component string
	Version   ref.Version
	// From limits the move to pins of this version. Zero moves every pin that
	// follows the component's releases.
	From ref.Version
	// AllowDowngrade moves newer pins too.
	AllowDowngrade bool
	// Rename replaces former names by those of today.
	Rename bool
}

// Bump returns the edits that move a component's places to a version, and the places
// that stay or that people have to decide about, with the reasons. A place that has the
// version already is in neither list.
func Bump(f *delivery.File, e Evidence, move Move) (edits []Edit, left []Left) {
	pins := follow(f, e.Pins, move)
	d := newDeciding(f, e, pins, move)
	for _, v := range d.pins() {
		d.take(v, &edits, &left)
	}
	words := d.words(edits)
	for _, v := range words {
		if v.Follows() || v.Because != "" {
			d.take(v, &edits, &left)
		}
	}
	left = append(left, leftOver(words, edits)...)
	byPlace := func(a, b ref.Reference) int { return cmp.Or(cmp.Compare(a.File, b.File), a.Start-b.Start) }
	slices.SortStableFunc(edits, func(a, b Edit) int { return byPlace(a.Reference, b.Reference) })
	slices.SortStableFunc(left, func(a, b Left) int { return byPlace(a.Reference, b.Reference) })
	return edits, left
}

// leftOver returns the words that nothing tells anything about: those in files that are
// edited, and all if they are few.
func leftOver(words []Verdict, edits []Edit) []Left {
	edited, moved := map[string]bool{}, map[string]bool{}
	for _, e := range edits {
		edited[e.File], moved[strings.TrimPrefix(e.Written, "v")] = true, true
	}
	var near, all []Left
	for _, v := range words {
		if v.Follows() || v.Because != "" || v.others || !moved[strings.TrimPrefix(v.Written, "v")] {
			continue
		}
		l := Left{v.Reference, "also holds " + v.Written + ", of an unknown component", true}
		all = append(all, l)
		if edited[v.File] {
			near = append(near, l)
		}
	}
	const few = 5
	if len(all) <= few {
		return all
	}
	return near
}

// take adds a verdict to the edits, or to the places that are left.
func (d *deciding) take(v Verdict, edits *[]Edit, left *[]Left) {
	version, err := v.Version()
	wants, name := wantsDigest(d.file, v.Reference), d.newName(v.Reference)
	switch because := stays(d.file, v, version, d.move); {
	case err != nil:
		*left = append(*left, Left{v.Reference, err.Error(), false})
	case version.Compare(d.move.Version) == 0 && !(because == "" && (wants || name != "")):
	case because != "":
		*left = append(*left, Left{v.Reference, because, v.Outcome == Listed})
	default:
		*edits = append(*edits, Edit{
			Reference:   v.Reference,
			To:          spell(d.file, v.Reference, d.move.Version),
			NameTo:      name,
			WantsDigest: wants,
			Behind:      !d.base.IsZero() && version.Compare(d.base) < 0,
			Because:     v.Because,
			Commits:     v.Commits,
		})
	}
}

// newName returns the name that replaces the former one of a place, or "".
func (d *deciding) newName(r ref.Reference) string {
	artifact := d.file.Components[r.Component].Artifacts[r.Artifact]
	if !d.move.Rename || r.Former == nil || r.Former.End == 0 ||
		strings.HasPrefix(r.Former.Written, delivery.HTTPS) != artifact.HTTPS {
		return ""
	}
	return todayOf(d.file, r)
}

// todayOf returns the location or repository whose former name a place has.
func todayOf(f *delivery.File, r ref.Reference) string {
	c := f.Components[r.Component]
	if r.Artifact != "" {
		return c.Artifacts[r.Artifact].At
	}
	return c.Repository
}

// spell returns a version as a place writes it. A place gets the declared form of the git
// tags, or of its artifact's tags.
func spell(f *delivery.File, r ref.Reference, v ref.Version) string {
	declared := !r.Syntax.NamesGitTag() || f.Components[r.Component].Tag != ""
	if named, known := wantsV(f, r); known && declared {
		if named {
			return v.WithV()
		}
		return v.String()
	}
	return r.Spell(v)
}

// follow decides about the component's pins relative to the version that they hold now.
func follow(f *delivery.File, pins []ref.Reference, move Move) []Verdict {
	current := move.From
	if current.IsZero() {
		current = base(pins, move)
	}
	known := map[string]ref.Version{}
	if !current.IsZero() {
		known[move.Component] = current
	}
	return Follow(f, pins, known)
}

// base returns the version of a component that a tree holds now: the newest that two
// places hold, or else that one holds. If three times as many hold an older one, it is
// that. Pins of a version after the new one do not count.
func base(pins []ref.Reference, move Move) ref.Version {
	var verdicts []Verdict
	for _, r := range pins {
		version, err := r.Version()
		if v := byForm(r); r.Component == move.Component && err == nil && v.Follows() &&
			(move.AllowDowngrade || version.Compare(move.Version) <= 0) {
			verdicts = append(verdicts, v)
		}
	}
	s := survey(verdicts)
	for _, doubtful := range []func(Verdict) bool{
		func(v Verdict) bool { return s.isRecord(v) || oldFolder.MatchString(v.File) },
		func(v Verdict) bool { return len(s.rungs(v).distinct) > 1 },
		func(v Verdict) bool { return v.Context.Document },
	} {
		if rest := slices.DeleteFunc(slices.Clone(verdicts), doubtful); len(rest) > 0 {
			verdicts = rest
		}
	}
	return usual(verdicts)
}

// usual returns the version that the base of a bump is counted from.
func usual(verdicts []Verdict) ref.Version {
	count := map[string]int{}
	var versions []ref.Version
	for _, v := range verdicts {
		version, _ := v.Version()
		if count[version.String()]++; count[version.String()] == 1 {
			versions = append(versions, version)
		}
	}
	slices.SortFunc(versions, func(a, b ref.Version) int { return b.Compare(a) })
	var newest, most ref.Version
	for _, v := range versions {
		if n := count[v.String()]; newest.IsZero() || n > 1 && count[newest.String()] == 1 {
			newest = v
		}
		if most.IsZero() || count[v.String()] > count[most.String()] {
			most = v
		}
	}
	const many = 3
	if !most.IsZero() && count[most.String()] >= many*count[newest.String()] {
		return most
	}
	return newest
}

// stays returns the reason why a place is not moved, or "".
func stays(f *delivery.File, v Verdict, version ref.Version, move Move) string {
	prerelease := !version.IsZero() && move.Version.Prerelease() != ""
	line := lineOf(v.Reference)
	switch {
	case line != "" && !move.Version.IsLine(line) && !v.Syntax.IsDeclared():
		return "belongs to the release line in its path"
	case !v.Follows():
		return v.Because
	case version.IsZero():
		return ""
	case !move.From.IsZero() && version.Compare(move.From) != 0:
		return fmt.Sprintf("has another version than %s", move.From)
	case version.Compare(move.Version) > 0 && !move.AllowDowngrade:
		return "is newer already"
	case prerelease && isRegular(v.Reference):
		return "follows regular releases only"
	case prerelease && version.Prerelease() == "" && !f.Components[move.Component].Prereleases:
		return fmt.Sprintf("has a release, and %s is a prerelease: set prereleases for %s in %s to accept it",
			move.Version, move.Component, delivery.FileName)
	case !fitsMajor(v.Context.Module, move.Version):
		return "another major: the path of the module would change"
	}
	return ""
}

// fitsMajor reports whether a module of a path may have a version:
// https://go.dev/ref/mod#major-version-suffixes
func fitsMajor(path string, v ref.Version) bool {
	_, major, ok := module.SplitPathVersion(path)
	return path == "" || !ok || module.MatchPathMajor(v.WithV(), major)
}
