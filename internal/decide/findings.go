package decide

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
)

// Findings is an error of one or more findings.
type Findings struct{ List []Finding }

// Code returns outcome.Wrong.
func (f *Findings) Code() outcome.Code { return outcome.Wrong }

// Found returns the findings as an error, or nil if there are none.
func Found(list []Finding) error {
	if len(list) == 0 {
		return nil
	}
	return &Findings{list}
}

func (f *Findings) Error() string {
	groups := Grouped(f.List)
	text := "1 finding"
	if len(groups) > 1 {
		text = fmt.Sprintf("%d findings", len(groups))
	}
	for _, g := range groups {
		text += "\n  " + strings.ReplaceAll(g.String(), "\n", "\n  ")
	}
	return text
}

// Unlisted returns findings, followed by more of them at other places.
func Unlisted(findings, more []Finding) []Finding {
	known := map[ref.Site]bool{}
	for _, f := range findings {
		known[f.site()] = true
	}
	return append(findings, slices.DeleteFunc(more, func(f Finding) bool { return known[f.site()] })...)
}

func (f Finding) site() ref.Site { return ref.Site{File: f.File, Line: f.Line, Column: f.Column} }

// Group is one finding at one or more places: of one rule about one component, with the same remedy.
type Group struct {
	Finding            // the first
	Places  []ref.Site // of all, in their order
	saws    []string   // distinct
	wants   []string
}

// Grouped returns the findings in groups, in the order of their first places.
func Grouped(findings []Finding) []Group {
	var groups []Group
	at := map[Finding]int{}
	for _, f := range findings {
		key := Finding{Rule: f.Rule, Component: f.Component, Saw: withoutV(f.Saw), Want: withoutV(f.Want), Help: f.Help}
		key.Warning = f.Warning
		if f.Rule == "agreement" {
			key.Saw = "" // places that are behind are moved by one command
		}
		i, known := at[key]
		if !known || f.File == "" { // what is at no place is about a thing of its own
			i = len(groups)
			at[key] = i
			groups = append(groups, Group{Finding: f})
		}
		g := &groups[i]
		g.Places = append(g.Places, f.site())
		g.saws, g.wants = distinct(g.saws, f.Saw), distinct(g.wants, f.Want)
	}
	return groups
}

func distinct(all []string, text string) []string {
	if slices.Contains(all, text) {
		return all
	}
	return append(all, text)
}

var vAt = regexp.MustCompile(`\bv([0-9]+\.[0-9])`)

// withoutV returns a text with its versions without a "v".
func withoutV(text string) string { return vAt.ReplaceAllString(text, "$1") }

// Seen returns everything that was seen, as one text. It has the name of the component once.
func (g Group) Seen() string {
	text := g.saws[0]
	for _, saw := range g.saws[1:] {
		text += ", " + strings.TrimPrefix(saw, g.Component+" ")
	}
	return text
}

// Wanted returns what is wanted. If the places write a version differently, it has no "v".
func (g Group) Wanted() string {
	if len(g.wants) > 1 {
		return withoutV(g.Want)
	}
	return g.Want
}

// String returns a line for a finding at one place. Otherwise it returns a line with everything but the places, and
// then the places.
func (g Group) String() string {
	if len(g.Places) == 1 {
		return g.Finding.String()
	}
	lines := []string{fmt.Sprintf("saw %s at %d places, want %s; %s (%s)",
		g.Seen(), len(g.Places), g.Wanted(), g.Help, g.Rule)}
	const most = 10 // files
	files := g.Files()
	for _, f := range files[:min(len(files), most)] {
		lines = append(lines, "  "+f.String())
	}
	if more := files[min(len(files), most):]; len(more) > 0 {
		places := 0
		for _, f := range more {
			places += len(f.Sites)
		}
		lines = append(lines, fmt.Sprintf("  and %d in %d more files (--format json lists each)", places, len(more)))
	}
	return strings.Join(lines, "\n")
}

// PlacesIn are the places of a group in one file.
type PlacesIn struct {
	File  string
	Sites []ref.Site
}

// Files returns the places by file, in the order of the files' first places.
func (g Group) Files() []PlacesIn {
	var all []PlacesIn
	at := map[string]int{}
	for _, p := range g.Places {
		i, known := at[p.File]
		if !known {
			i = len(all)
			at[p.File] = i
			all = append(all, PlacesIn{File: p.File})
		}
		all[i].Sites = append(all[i].Sites, p)
	}
	return all
}

// String returns FILE:LINE:COLUMN for one place, and else the lines.
func (p PlacesIn) String() string {
	if len(p.Sites) == 1 {
		return p.Sites[0].String()
	}
	var lines []string
	for _, s := range p.Sites {
		lines = distinct(lines, fmt.Sprint(s.Line))
	}
	if len(lines) == 1 {
		return fmt.Sprintf("%s: line %s", p.File, lines[0])
	}
	return fmt.Sprintf("%s: lines %s", p.File, strings.Join(lines, ", "))
}

// Notice is about the places of a component that are behind, perhaps on purpose, or that have a former name. It is not
// a finding.
type Notice struct {
	Component string `json:"component"`
	Version   string `json:"version"` // that other places have
	Places    int    `json:"places"`  // the number of them
	// Former is the former name that the places have.
	Former string `json:"former,omitempty"`
	// Command lists the places, or replaces the name.
	Command string `json:"command"`
}

func (n Notice) String() string {
	place, are := "place", "is"
	if n.Places > 1 {
		place, are = "places", "are"
	}
	if n.Former != "" {
		return fmt.Sprintf("%d %s of %s: the former name %s: %s", n.Places, place, n.Component, n.Former, n.Command)
	}
	return fmt.Sprintf("%d %s of %s %s behind %s, perhaps on purpose: %s",
		n.Places, place, n.Component, are, n.Version, n.Command)
}

// noticesOf returns a notice for each component with places behind that no rule wants moved: listed ones, and those
// that name our newest release.
func noticesOf(f *delivery.File, verdicts []Verdict) []Notice {
	count, current := map[string]int{}, map[string]ref.Version{}
	for _, v := range verdicts {
		version, err := v.Version()
		open := v.Outcome == Listed && !f.IsOwn(v.Component) || v.Follows() && isAnnounced(f, v.Reference)
		if err != nil || !open || v.Excused != "" || v.Current.IsZero() || version.Compare(v.Current) >= 0 {
			continue
		}
		count[v.Component]++
		current[v.Component] = ref.Newest([]ref.Version{current[v.Component], v.Current})
	}
	notices := []Notice{}
	for _, name := range f.Names() {
		if count[name] > 0 {
			version := current[name].String()
			notices = append(notices, Notice{Component: name, Version: version, Places: count[name],
				Command: fmt.Sprintf("ghhelper bump %s %s --dry-run --offline", name, version)})
		}
	}
	return append(notices, formerNames(verdicts)...)
}

// formerNames returns a notice for each former name that places have, with the newest version there.
func formerNames(verdicts []Verdict) []Notice {
	var notices []Notice
	for _, v := range verdicts {
		version, err := v.Version()
		if v.Former == nil || err != nil || v.Excused != "" || v.Context.History {
			continue
		}
		i := slices.IndexFunc(notices, func(n Notice) bool {
			return n.Component == v.Component && n.Former == v.Former.Written
		})
		if i < 0 {
			i = len(notices)
			notices = append(notices, Notice{Component: v.Component, Former: v.Former.Written})
		}
		n := &notices[i]
		known, _ := ref.ParseVersion(n.Version)
		n.Places, n.Version = n.Places+1, ref.Newest([]ref.Version{known, version, v.Current}).String()
		n.Command = fmt.Sprintf("ghhelper bump %s %s --rename", n.Component, n.Version)
	}
	return notices
}
