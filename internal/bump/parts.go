package bump

import (
	"cmp"
	"fmt"
	"path"
	"slices"
	"strconv"
	"strings"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
)

// part is a table in the texts about a plan, with a sentence before it.
type part struct {
	title  string
	header []string
	rows   [][]string
	folded bool // the table is shown on a click on the title
	note   string
}

// decisions returns the parts that need a person.
func (p *Plan) decisions() []part {
	listed := part{title: "Please check these places, which may have to move too:",
		header: []string{"file", "where", "version", "because"}, rows: p.listedRows()}
	if p.Partial != "" && len(listed.rows) > 0 {
		listed.note = "History might have decided about some of them: " + cell(p.Partial) + "."
	}
	_, behind := p.Split()
	return []part{
		{title: "Findings:", header: []string{"saw", "want", "do"}, rows: p.findingRows()},
		{title: "Could not be checked:", header: []string{"could not check", "because"}, rows: p.openRows()},
		listed,
		{title: "Derive these files, too, or declare `derived`:", header: []string{"file", "because", "command"},
			rows: p.staleRows()},
		{title: p.behindTitle(), header: []string{"place", "from", "to", "because"}, rows: p.behindRows(behind)},
	}
}

func (p *Plan) behindTitle() string {
	title := "These places were behind the others"
	if len(p.Current) > 0 {
		title += ", and catch up in a commit of their own"
	}
	return title + ". If one is behind on purpose, mark its line with `ghhelper:keep` and the reason:"
}

// details returns the parts that the diff or a query shows as well.
func (p *Plan) details() []part {
	current, _ := p.Split()
	byForm := slices.DeleteFunc(slices.Clone(current), func(e decide.Edit) bool { return e.Because != "" })
	byEvidence := slices.DeleteFunc(slices.Clone(current), func(e decide.Edit) bool { return e.Because == "" })
	return []part{
		p.movedPart("Moved because of their history or their surroundings", byEvidence),
		p.movedPart("Moved", byForm),
		{title: "Derived:", header: []string{"file", "by"}, rows: p.derivedRows()},
		{title: "Seen before: " + report.Count(len(p.Seen), "thing"), folded: true,
			header: []string{"name", "found"}, rows: p.seenRows()},
		{title: "Left alone: " + report.Count(len(p.Stays()), "place"), folded: true,
			header: []string{"because", "places", "for example"}, rows: p.stayRows()},
	}
}

// most is the number of rows of a table that is not folded.
const most = 10

// movedPart returns a table of edits with one row a file, or more if versions or reasons
// in it differ.
func (p *Plan) movedPart(title string, edits []decide.Edit) part {
	type row struct{ file, from, to, because string }
	bare := func(version string) string { return strings.TrimPrefix(version, "v") }
	var rows [][]string
	for _, group := range grouped(edits, func(e decide.Edit) row {
		return row{e.File, bare(e.Written), bare(e.To), e.Reason()}
	}) {
		e := group[0]
		because := p.reason(e)
		if because == "" {
			because = cell(forms(group))
		}
		rows = append(rows, []string{report.Code(e.File), lines(sites(group, siteOfEdit)),
			report.Code(bare(e.Written)) + " → " + report.Code(bare(e.To)), because})
	}
	return part{title: fmt.Sprintf("%s: %s", title, report.Count(len(edits), "place")), folded: len(rows) > most,
		header: []string{"file", "where", "version", "because"}, rows: rows}
}

// forms names the forms of places, each once.
func forms(edits []decide.Edit) string {
	var all []string
	for _, e := range edits {
		if form := string(e.Syntax); !slices.Contains(all, form) {
			all = append(all, form)
		}
	}
	return strings.Join(all, ", ")
}

// behindRows returns a row for each place, since each needs a decision of its own.
func (p *Plan) behindRows(behind []decide.Edit) (rows [][]string) {
	for _, e := range behind {
		rows = append(rows, []string{report.Code(fmt.Sprintf("%s:%d", e.File, e.Line)), report.Code(e.Written),
			report.Code(e.To), p.reason(e)})
	}
	return rows
}

// reason returns why a place moves, with links to the commits that are a part of it.
func (p *Plan) reason(e decide.Edit) string {
	var links []string
	for _, commit := range e.Commits {
		short := decide.ShortID(commit)
		links = append(links, short, report.Link(short, p.Address+"/commit/"+commit))
	}
	return strings.NewReplacer(links...).Replace(cell(e.Reason()))
}

// mostFiles is the number of rows beyond which listed places are grouped by folder.
const mostFiles = 20

// listedRows returns a row for each file and reason. Many files, as of rendered copies,
// are grouped by folder.
func (p *Plan) listedRows() (rows [][]string) {
	type key struct{ file, version, because string }
	listed := p.Listed()
	groups := grouped(listed, func(l decide.Left) key { return key{l.File, l.Written, l.Because} })
	if len(groups) <= mostFiles {
		for _, group := range groups {
			l := group[0]
			rows = append(rows, []string{report.Code(l.File), lines(sites(group, siteOfLeft)), report.Code(l.Written),
				cell(l.Because)})
		}
		return rows
	}
	groups = grouped(listed, func(l decide.Left) key { return key{path.Dir(l.File), l.Written, l.Because} })
	for _, group := range groups {
		l := group[0]
		files := len(grouped(group, func(l decide.Left) string { return l.File }))
		where := report.Count(len(group), "place") + " in " + report.Count(files, "file")
		folder := report.Code(path.Dir(l.File) + "/")
		rows = append(rows, []string{folder, where, report.Code(l.Written), cell(l.Because)})
	}
	return rows
}

// stayRows returns a row for each reason, with the number of its places and some of them.
func (p *Plan) stayRows() (rows [][]string) {
	const examples = 3
	for _, group := range grouped(p.Stays(), func(l decide.Left) string { return l.Because }) {
		var places []string
		for _, l := range group[:min(len(group), examples)] {
			places = append(places, fmt.Sprintf("%s (%s)",
				report.Code(fmt.Sprintf("%s:%d", l.File, l.Line)), report.Code(l.Written)))
		}
		rows = append(rows, []string{cell(group[0].Because), strconv.Itoa(len(group)), strings.Join(places, ", ")})
	}
	return rows
}

// Listed returns the places that a person has to decide about.
func (p *Plan) Listed() []decide.Left { return p.left(decide.Listed) }

// Stays returns the places that stay.
func (p *Plan) Stays() []decide.Left { return p.left(decide.Stays) }

func (p *Plan) left(outcome decide.Outcome) []decide.Left {
	return slices.DeleteFunc(slices.Clone(p.Left), func(l decide.Left) bool { return l.Outcome() != outcome })
}

func (p *Plan) derivedRows() (rows [][]string) {
	for _, c := range p.Changes {
		if c.By != "" {
			rows = append(rows, []string{report.Code(c.File), report.Code(c.By)})
		}
	}
	return rows
}

func (p *Plan) staleRows() (rows [][]string) {
	for _, s := range p.Stale {
		rows = append(rows, []string{report.Code(s.File), cell(s.Because), report.Code(s.Command)})
	}
	return rows
}

func (p *Plan) findingRows() (rows [][]string) {
	for _, f := range p.Findings {
		rows = append(rows, []string{cell(f.Saw), cell(f.Want), cell(f.Help)})
	}
	return rows
}

func (p *Plan) openRows() (rows [][]string) {
	for _, o := range p.Unchecked {
		rows = append(rows, []string{cell(o.What), cell(o.Because)})
	}
	return rows
}

func (p *Plan) seenRows() (rows [][]string) {
	for _, a := range p.Seen {
		rows = append(rows, []string{report.Code(a.String()), report.Code(cmp.Or(a.Digest, a.Revision, "there"))})
	}
	return rows
}

// grouped returns the elements with the same key together, in the order of the first of each.
func grouped[T any, K comparable](all []T, key func(T) K) (groups [][]T) {
	index := map[K]int{}
	for _, one := range all {
		i, known := index[key(one)]
		if !known {
			i = len(groups)
			index[key(one)], groups = i, append(groups, nil)
		}
		groups[i] = append(groups[i], one)
	}
	return groups
}

// sites returns the sites of edits or of places that are left.
func sites[T any](all []T, at func(T) ref.Site) (sites []ref.Site) {
	for _, one := range all {
		sites = append(sites, at(one))
	}
	return sites
}

func siteOfEdit(e decide.Edit) ref.Site { return e.Site }

func siteOfLeft(l decide.Left) ref.Site { return l.Site }

// lines names the lines of places, each once.
func lines(places []ref.Site) string {
	const shown = 20
	var all []string
	for _, place := range places {
		if line := strconv.Itoa(place.Line); !slices.Contains(all, line) {
			all = append(all, line)
		}
	}
	switch more := len(all) - shown; {
	case more > 0:
		return fmt.Sprintf("lines %s and %d more", strings.Join(all[:shown], ", "), more)
	case len(all) > 1:
		return "lines " + strings.Join(all, ", ")
	}
	return "line " + all[0]
}

// render writes parts as Markdown into at most room bytes. Rows that do not fit are counted
// in the words of rest.
func render(parts []part, room int, rest func(rows int) string) string {
	var b strings.Builder
	const end = "\n</details>\n"
	left := 0
	for _, p := range parts {
		if len(p.rows) == 0 {
			continue
		}
		before, after := "\n"+p.title+"\n", ""
		if p.folded {
			before, after = "\n<details><summary>"+p.title+"</summary>\n", end
		}
		before += fmt.Sprintf("\n| %s |\n|%s\n", strings.Join(p.header, " | "), strings.Repeat("---|", len(p.header)))
		if p.note != "" {
			after = "\n" + p.note + "\n" + after
		}
		room -= len(before) + len(after)
		shown := 0
		for ; left == 0 && shown < len(p.rows); shown++ {
			row := "| " + strings.Join(p.rows[shown], " | ") + " |\n"
			if len(row) > room {
				break
			}
			room -= len(row)
			before += row
		}
		left += len(p.rows) - shown
		if shown > 0 {
			b.WriteString(before + after)
		}
	}
	if left > 0 {
		b.WriteString("\n" + rest(left) + "\n")
	}
	return b.String()
}

// cell escapes a text of others, such as a file's name, and keeps it from mentioning people.
func cell(text string) string {
	return strings.ReplaceAll(report.Cell(report.Plain(text)), "@", "@\u200b")
}
