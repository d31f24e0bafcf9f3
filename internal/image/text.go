package image

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/report"
)

// Text prints the result for people.
func (i *Image) Text(w io.Writer) error {
	fmt.Fprintf(w, "%s %s\nfrom %s\n\n", i.Component, i.Version, report.Plain(i.Source.String()))
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "PLATFORM\tDIGEST")
	for _, p := range i.Platforms {
		fmt.Fprintf(t, "%s\t%s\n", report.Plain(p.Name), p.Digest)
	}
	fmt.Fprintf(t, "all\t%s\n", i.Digest)
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintln(w)
	for _, b := range i.Bundles {
		fmt.Fprintln(w, report.Plain(i.bundled(b)))
	}
	_, err := fmt.Fprintln(w, report.Plain(i.conclusion()))
	return err
}

// Markdown returns the result as a job summary.
func (i *Image) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Image of %s %s\n\nFrom %s.\n\n| platform | digest |\n|---|---|\n",
		i.Component, i.Version, report.Cell(i.Source.String()))
	for _, p := range i.Platforms {
		fmt.Fprintf(&b, "| %s | `%s` |\n", report.Cell(p.Name), p.Digest)
	}
	fmt.Fprintf(&b, "| all | `%s` |\n\n", i.Digest)
	for _, bundled := range i.Bundles {
		fmt.Fprintf(&b, "- %s\n", report.Cell(i.bundled(bundled)))
	}
	fmt.Fprintf(&b, "- %s\n", report.Cell(i.conclusion()))
	return b.String()
}

func (s Source) String() string {
	text := fmt.Sprintf("commit %s, the tag %s of %s", s.Commit, s.Tag, s.Repository)
	switch {
	case s.Because != "":
		text += ", not from the module, because " + s.Because
	case s.Module != "":
		text += fmt.Sprintf(", as the module %s (%s), whose files equal the commit's", s.Module, s.Sum)
	}
	return text
}

func (i *Image) bundled(b delivery.Bundled) string {
	if b.Version == "" {
		return fmt.Sprintf(
			"bundles %s in an unrecorded version: find it out, and write it under bundles.%s in %s, for %s",
			b.Name, b.Name, delivery.FileName, i.Version)
	}
	return fmt.Sprintf("bundles %s %s", b.Name, b.Version)
}

func (i *Image) conclusion() string {
	switch i.State {
	case Pushed:
		return fmt.Sprintf("%s is pushed; next: %s", i.Name, i.Next)
	case AlreadyDone:
		return fmt.Sprintf("%s already exists with this digest; next, unless it is done: %s", i.Name, i.Next)
	}
	text := fmt.Sprintf("%s was built, but not pushed", i.Name)
	if i.Layout != "" {
		text += "; its OCI layout is in " + i.Layout
	}
	return text
}
