package release

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/kubestellar/actions/internal/report"
)

// Packaged is what goreleaser made.
type Packaged struct {
	Version   string            `json:"version"` // of a snapshot, goreleaser's name for it
	Commit    string            `json:"commit"`
	Snapshot  bool              `json:"snapshot"`
	Images    map[string]string `json:"images"`    // that were pushed: location → digest
	Checksums string            `json:"checksums"` // the path of the file, "" if there is not exactly one
	Notes     []string          `json:"notes"`     // what else is worth knowing
}

// Digest is that of the image, "" if there is not exactly one digest.
func (p *Packaged) Digest() string {
	digests := slices.Compact(slices.Sorted(maps.Values(p.Images)))
	if len(digests) != 1 {
		return ""
	}
	return digests[0]
}

// Text prints what was made for people.
func (p *Packaged) Text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "%s\t%s, commit %s\n", p.what(), report.Plain(p.Version), p.Commit)
	for _, at := range slices.Sorted(maps.Keys(p.Images)) {
		fmt.Fprintf(t, "image\t%s@%s\n", report.Plain(at), p.Images[at])
	}
	if p.Checksums != "" {
		fmt.Fprintf(t, "checksums\t%s\n", report.Plain(p.Checksums))
	}
	return t.Flush()
}

func (p *Packaged) what() string {
	if p.Snapshot {
		return "snapshot"
	}
	return "released"
}

// Markdown is the same as a job summary.
func (p *Packaged) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## goreleaser: %s %s\n\nOf commit `%s`.\n", p.what(), report.Cell(report.Plain(p.Version)), p.Commit)
	var rows [][]string
	for _, at := range slices.Sorted(maps.Keys(p.Images)) {
		rows = append(rows, []string{report.Code(at), report.Code(p.Images[at])})
	}
	b.WriteString(report.Table([]string{"image", "digest"}, rows))
	if p.Checksums != "" {
		fmt.Fprintf(&b, "\nThe checksums of its files are in %s.\n", report.Code(p.Checksums))
	}
	for _, note := range p.Notes {
		fmt.Fprintf(&b, "\n- %s\n", report.Cell(report.Plain(note)))
	}
	return b.String()
}
