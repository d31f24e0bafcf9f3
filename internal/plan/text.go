package plan

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/kubestellar/actions/internal/report"
)

// Text prints the plan for people.
func (p *Plan) Text(w io.Writer) error {
	out := bufio.NewWriter(w)
	t := &table{tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)}
	t.line("%s", p.summary())
	for _, l := range p.LeftOut {
		t.line("left out: %s, %s", l.Repository, l.Because)
	}
	if behind := p.Behind(); len(behind) > 0 {
		t.line("\nbehind, and may be bumped now:")
		for _, b := range behind {
			t.line("  %s\t%s\t%s → %s\t%s%s", b.Repository, b.Component, strings.Join(b.From, ", "), b.Version,
				report.Count(b.Places, "place"), leftOf(b.Left))
		}
	}
	if len(p.Steps) > 0 {
		t.line("\nsteps:")
		t.steps(p.Steps, "  ")
	}
	for _, c := range p.Cycles {
		t.cycle(c)
	}
	if len(p.Unchecked) > 0 {
		t.line("\ncould not check:")
	}
	for _, o := range p.Unchecked {
		t.line("  %s: %s", o.What, o.Because)
	}
	return errors.Join(t.Flush(), out.Flush())
}

// summary returns the number of repositories, and of bumps.
func (p *Plan) summary() string {
	declaring, places := 0, 0
	for _, r := range p.Repositories {
		if r.Declares {
			declaring++
		}
	}
	behind := p.Behind()
	for _, b := range behind {
		places += b.Places
	}
	counted := fmt.Sprintf("%s a delivery.yaml, %d without", having(declaring), len(p.Without))
	if len(behind) == 0 {
		return counted + "; nothing is behind"
	}
	return fmt.Sprintf("%s; %s behind, in %s",
		counted, report.Count(len(behind), "thing"), report.Count(places, "place"))
}

func having(n int) string {
	if n == 1 {
		return "1 repository has"
	}
	return fmt.Sprintf("%d repositories have", n)
}

func leftOf(n int) string {
	if n == 0 {
		return ""
	}
	return fmt.Sprintf(", %d left on purpose", n)
}

// table prints lines with cells that tabs separate.
type table struct{ *tabwriter.Writer }

// line prints a line. Tabs in values, such as a file's name, are escaped.
func (t table) line(format string, args ...any) {
	for i, arg := range args {
		if text, ok := arg.(string); ok {
			args[i] = strings.ReplaceAll(report.Plain(text), "\t", `\t`)
		}
	}
	fmt.Fprintf(t, format+"\n", args...)
}

func (t table) steps(steps []Task, indent string) {
	for _, s := range steps {
		t.line("%s%d.\t%s\t%s", indent, s.Number, s.text(), s.when())
	}
}

// text describes a step.
func (s Task) text() string {
	if s.Action == Releases {
		text := "release " + s.Component
		if s.Version != "" {
			text += " " + s.Version
		}
		if len(s.Against) > 0 {
			text += ", with the " + strings.Join(s.Against, ", ") + " that it has"
		}
		return text + " (" + s.Repository + ")"
	}
	to := s.Version
	if to == "" {
		to = fmt.Sprintf("the release of step %d", s.Of)
	}
	return fmt.Sprintf("bump %s to %s in %s", s.Component, to, s.Repository)
}

// when describes the steps that a step waits for, and the repositories that wait for it.
func (s Task) when() string {
	text := "now"
	if len(s.After) > 0 {
		text = "after " + strings.Trim(strings.ReplaceAll(fmt.Sprint(s.After), " ", ", "), "[]")
	}
	if len(s.Unblocks) > 0 {
		text += "; unblocks " + strings.Join(s.Unblocks, ", ")
	}
	return text
}

// cycle prints the arrows of a cycle, and the steps that bring it up to date.
func (t table) cycle(c Cycle) {
	t.line("\ncycle: %s refer to each other:", strings.Join(c.Members, ", "))
	for _, a := range c.Arrows {
		if a.Lockstep {
			t.line("  %s is in lock step after %s", a.From, a.To)
			continue
		}
		t.line("  %s refers to %s %s at %s", a.From, a.Component, strings.Join(a.Versions, ", "), sites(a.Sites))
	}
	for _, l := range c.Late {
		t.line("  %s is released against an older %s: %s", l.From, l.To, l.Because)
	}
	t.line("  a release of all, staggered:")
	t.steps(c.Steps, "    ")
}

// sites returns the first places of many.
func sites(all []string) string {
	const most = 3
	if len(all) <= most {
		return strings.Join(all, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(all[:most], ", "), len(all)-most)
}
