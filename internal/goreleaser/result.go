package goreleaser

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	"github.com/kubestellar/actions/internal/report"
)

// Result is the result of a Standalone run.
type Result struct {
	Version   string            `json:"version"` // of a snapshot, goreleaser's name for it
	Commit    string            `json:"commit"`
	Snapshot  bool              `json:"snapshot"`
	Images    map[string]string `json:"images"`    // the pushed images: location → digest
	Checksums string            `json:"checksums"` // the path of the file, "" if there is not exactly one
	Notes     []string          `json:"notes"`     // remarks for the reader
}

// Digest returns the digest of the images, or "" if they do not all have the same one.
func (r *Result) Digest() string {
	digests := slices.Compact(slices.Sorted(maps.Values(r.Images)))
	if len(digests) != 1 {
		return ""
	}
	return digests[0]
}

// Text prints the result for people.
func (r *Result) Text(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	fmt.Fprintf(t, "%s\t%s, commit %s\n", r.kind(), report.Plain(r.Version), r.Commit)
	for _, at := range slices.Sorted(maps.Keys(r.Images)) {
		fmt.Fprintf(t, "image\t%s@%s\n", report.Plain(at), r.Images[at])
	}
	if r.Checksums != "" {
		fmt.Fprintf(t, "checksums\t%s\n", report.Plain(r.Checksums))
	}
	return t.Flush()
}

func (r *Result) kind() string {
	if r.Snapshot {
		return "snapshot"
	}
	return "released"
}

// Markdown returns the result as a job summary.
func (r *Result) Markdown() string {
	var b strings.Builder
	fmt.Fprintf(&b, "\n## goreleaser: %s %s\n\nOf commit `%s`.\n",
		r.kind(), report.Cell(report.Plain(r.Version)), r.Commit)
	var rows [][]string
	for _, at := range slices.Sorted(maps.Keys(r.Images)) {
		rows = append(rows, []string{report.Code(at), report.Code(r.Images[at])})
	}
	b.WriteString(report.Table([]string{"image", "digest"}, rows))
	if r.Checksums != "" {
		fmt.Fprintf(&b, "\nThe checksums of its files are in %s.\n", report.Code(r.Checksums))
	}
	for _, note := range r.Notes {
		fmt.Fprintf(&b, "\n- %s\n", report.Cell(report.Plain(note)))
	}
	return b.String()
}
