package apply

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
)

// Stamper writes copies of the sources of our own artifacts in which every
// placeholder has become a version.
type Stamper struct {
	Tree    fs.FS
	File    *delivery.File
	Version ref.Version
	Time    time.Time // of the commit; the packages carry it
	// Fetch brings a chart that ours depend on, by its tag.
	Fetch func(ctx context.Context, at, tag string) (archive []byte, d oci.Description, err error)
	// AcceptStandIns takes what stands in for a real chart, whatever digest is
	// recorded for that one.
	AcceptStandIns bool
	// Recorded refuses a dependency whose digest nobody has recorded, as what is
	// published does: nobody could say later that it was the right one.
	Recorded bool
	// Only names the artifacts to stamp; empty, all of them.
	Only []string

	finder *find.Finder
}

// Stamped is one artifact in its stamped form.
type Stamped struct {
	Artifact string
	Kind     delivery.Kind
	Path     string // the chart's folder, or the asset's file
	Package  string // a chart's archive
	Chart    *chart.Chart
	Archive  []byte
	Data     []byte    // of an asset
	Time     time.Time // that its package carries
	// Edits are the places that were stamped, and LeftOut the lines (FILE:LINE)
	// that stand in the source alone.
	Edits   []decide.Edit
	LeftOut []string
}

// Stamp writes the stamped copies to out, which must be absent or empty. On an
// error, out is as it was.
func (s Stamper) Stamp(ctx context.Context, out string) ([]Stamped, error) {
	out, err := filepath.Abs(out)
	if err != nil {
		return nil, err
	}
	if err := mustBeEmpty(out); err != nil {
		return nil, err
	}
	if err := os.MkdirAll(filepath.Dir(out), 0o755); err != nil {
		return nil, err
	}
	work, err := os.MkdirTemp(filepath.Dir(out), ".stamp-*") // beside it, so that moving is renaming
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(work)
	s.finder = find.New(s.File)
	stamped, err := s.all(ctx, work)
	if err != nil {
		return nil, err
	}
	if err := moveInto(work, out); err != nil {
		return nil, err
	}
	for i := range stamped {
		stamped[i].Path = filepath.Join(out, stamped[i].Path)
		if stamped[i].Package != "" {
			stamped[i].Package = filepath.Join(out, stamped[i].Package)
		}
	}
	return stamped, nil
}

// Annotations are what the manifest of a stamped chart says of it. Its times are
// the commit's, and its source is declared, so that they are the same in every
// clone.
func Annotations(f *delivery.File, s Stamped, commit string) map[string]string {
	own := f.Own()
	said := map[string]string{
		oci.KeyTitle:       s.Chart.Name(),
		oci.KeyDescription: s.Chart.Description(),
		oci.KeyVersion:     s.Chart.Version(),
		oci.KeyRevision:    commit,
		oci.KeySource:      "https://github.com/" + own.Repository,
		oci.KeyCreated:     s.Time.UTC().Format(time.RFC3339),
		oci.KeyLicenses:    own.License,
	}
	maps.DeleteFunc(said, func(_, value string) bool { return value == "" })
	return said
}

func mustBeEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("stamping into %s: %w", dir, err)
	}
	if len(entries) > 0 {
		return outcome.Usagef("%s is not empty: name a folder that is empty or does not exist yet", dir)
	}
	return nil
}

// moveInto moves what a folder holds into another, which stays the folder that
// it is: it may be somebody's current one.
func moveInto(from, to string) error {
	if err := os.MkdirAll(to, 0o755); err != nil {
		return err
	}
	entries, err := os.ReadDir(from)
	if err != nil {
		return err
	}
	for _, entry := range entries {
		if err := os.Rename(filepath.Join(from, entry.Name()), filepath.Join(to, entry.Name())); err != nil {
			return err
		}
	}
	return nil
}

func (s Stamper) all(ctx context.Context, work string) ([]Stamped, error) {
	own := s.File.Own()
	names, err := s.names()
	if err != nil {
		return nil, err
	}
	all, errs := make([]Stamped, len(names)), make([]error, len(names))
	var group sync.WaitGroup
	for i, name := range names {
		group.Go(func() {
			if all[i], errs[i] = s.one(ctx, work, name, own.Artifacts[name]); errs[i] != nil {
				errs[i] = fmt.Errorf("stamping %s: %w", name, errs[i])
			}
		})
	}
	group.Wait()
	if err := errors.Join(errs...); err != nil {
		return nil, err
	}
	return all, nil
}

// names are the artifacts to stamp: those that have a source here.
func (s Stamper) names() ([]string, error) {
	own := s.File.Own()
	all := slices.DeleteFunc(own.ArtifactNames(), func(name string) bool { return own.Artifacts[name].Source == "" })
	for _, name := range s.Only {
		if !slices.Contains(all, name) {
			return nil, outcome.Usagef("artifact %q is not among those that are stamped: want one of %s", name, strings.Join(all, ", "))
		}
	}
	if len(s.Only) == 0 {
		return all, nil
	}
	return slices.DeleteFunc(all, func(name string) bool { return !slices.Contains(s.Only, name) }), nil
}

func (s Stamper) one(ctx context.Context, work, name string, a delivery.Artifact) (Stamped, error) {
	if a.Kind == delivery.Chart {
		return s.chart(ctx, work, name, a)
	}
	to := a.AssetName(s.Version)
	copied, err := s.copyFile(a.Source, filepath.Join(work, to))
	if err == nil && a.Static != (len(copied.edits) == 0) {
		err = idleStamp(a, len(copied.edits))
	}
	return Stamped{Artifact: name, Kind: a.Kind, Path: to, Data: copied.data, Time: s.Time, Edits: copied.edits, LeftOut: copied.leftOut}, err
}

// idleStamp says that an asset's source and what is declared of it do not agree
// on whether there is anything to stamp.
func idleStamp(a delivery.Artifact, places int) error {
	if places == 0 {
		return outcome.Wrongf("%s: there is nothing to stamp in it: write %q where it names our own release or, if it names none, static: true in %s", a.Source, ref.Placeholder, delivery.FileName)
	}
	return outcome.Wrongf("%s: %d places in it were to be stamped, and %s says static: true, that there are none", a.Source, places, delivery.FileName)
}

// chart copies a chart's folder, brings its dependencies and packages it.
func (s Stamper) chart(ctx context.Context, work, name string, a delivery.Artifact) (Stamped, error) {
	dir := filepath.Join(work, name)
	copied, err := s.copyFolder(path.Clean(a.Source), dir)
	if err != nil {
		return Stamped{}, err
	}
	if err := s.dependencies(ctx, a, dir); err != nil {
		return Stamped{}, err
	}
	c, err := chart.LoadDir(dir)
	if err != nil {
		return Stamped{}, err
	}
	if err := s.declares(c, a); err != nil {
		return Stamped{}, err
	}
	archive, err := c.Package(s.Time)
	if err != nil {
		return Stamped{}, err
	}
	file := fmt.Sprintf("%s-%s.tgz", c.Name(), c.Version())
	if err := os.WriteFile(filepath.Join(work, file), archive, 0o644); err != nil {
		return Stamped{}, err
	}
	return Stamped{Artifact: name, Kind: a.Kind, Path: name, Package: file, Chart: c, Archive: archive, Time: s.Time, Edits: copied.edits, LeftOut: copied.leftOut}, nil
}

// declares holds the stamped chart against what delivery.yaml says of it.
func (s Stamper) declares(c *chart.Chart, a delivery.Artifact) error {
	want := a.TagFor(s.Version)
	if c.Version() != want || c.AppVersion() != want {
		return fmt.Errorf("%s/Chart.yaml: stamped, it declares version %q and appVersion %q, want %q for both: git must hold %q in both places",
			a.Source, c.Version(), c.AppVersion(), want, ref.Placeholder)
	}
	if base := path.Base(a.At); c.Name() != base {
		return fmt.Errorf("%s/Chart.yaml: the chart is called %q, but is published at %s: want the name %q, since helm finds a chart by it", a.Source, c.Name(), a.At, base)
	}
	return nil
}

// dependencies brings the charts that the chart in dir contains, unpacked, so
// that its package depends on their files alone.
func (s Stamper) dependencies(ctx context.Context, a delivery.Artifact, dir string) error {
	c, err := chart.LoadDir(dir)
	if err != nil {
		return err
	}
	if err := idleRecords(a, c.Dependencies()); err != nil {
		return err
	}
	for _, d := range c.Missing() {
		if d.At() == "" {
			return fmt.Errorf("dependency %s %s comes from %q: want a registry (oci://…)", d.Name, d.Version, d.Repository)
		}
		archive, err := s.dependency(ctx, a, d)
		if err != nil {
			return err
		}
		sub, err := chart.LoadArchive(d.At()+":"+d.Version, archive)
		if err != nil {
			return err
		}
		if sub.Name() != d.Name || sub.Version() != d.Version {
			return fmt.Errorf("dependency %s %s: the registry's chart calls itself %s %s", d.Name, d.Version, sub.Name(), sub.Version())
		}
		if err := writeFiles(filepath.Join(dir, "charts", d.Name), sub.Files()); err != nil {
			return err
		}
	}
	return nil
}

// idleRecords refuses a record of what the chart does not depend on: it would
// look as if it held something.
func idleRecords(a delivery.Artifact, dependencies []chart.Dependency) error {
	for _, record := range a.Dependencies {
		if !slices.ContainsFunc(dependencies, func(d chart.Dependency) bool { return strings.HasPrefix(record, d.At()+":") }) {
			return outcome.Wrongf("%s records %s, which %s/Chart.yaml does not depend on: correct it or take it out", delivery.FileName, record, a.Source)
		}
	}
	return nil
}

// DependencyError says that a chart which ours contain is not what is recorded.
type DependencyError struct {
	Name       string // location:tag
	Seen, Want string // digests; Want is "" where none is recorded
}

// Code of other bytes: something is wrong.
func (e *DependencyError) Code() outcome.Code { return outcome.Wrong }

func (e *DependencyError) Error() string {
	if e.Want == "" {
		return fmt.Sprintf("dependency %s has no digest recorded in %s, so any bytes would do: add dependencies: [%s@%s] to the chart, if that is the chart you mean", e.Name, delivery.FileName, e.Name, e.Seen)
	}
	return fmt.Sprintf("dependency %s is %s, want %s as %s records: somebody has moved the tag, or the record was never right; nothing was stamped", e.Name, e.Seen, e.Want, delivery.FileName)
}

// dependency fetches one chart, and holds it to the digest that is recorded.
func (s Stamper) dependency(ctx context.Context, a delivery.Artifact, d chart.Dependency) ([]byte, error) {
	want, err := a.Dependency(d.At(), d.Version)
	if err != nil {
		return nil, outcome.As(outcome.Wrong, err)
	}
	archive, is, err := s.Fetch(ctx, d.At(), d.Version)
	if err != nil {
		return nil, fmt.Errorf("fetching dependency %s %s: %w", d.Name, d.Version, err)
	}
	standIn := s.AcceptStandIns && is.StandIn() != ""
	if unrecorded := want == "" && !s.Recorded; want != is.Digest && !unrecorded && !standIn {
		return nil, &DependencyError{d.At() + ":" + d.Version, is.Digest, want}
	}
	return archive, nil
}

func writeFiles(dir string, files []chart.File) error {
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	root, err := os.OpenRoot(dir) // a chart's file names come from outside
	if err != nil {
		return err
	}
	defer root.Close()
	for _, f := range files {
		if err := root.MkdirAll(path.Dir(f.Name), 0o755); err != nil {
			return err
		}
		if err := root.WriteFile(f.Name, f.Data, 0o644); err != nil {
			return err
		}
	}
	return nil
}

// copied is what became of files on their way into a copy.
type copied struct {
	edits   []decide.Edit
	leftOut []string
	data    []byte // of a single file
}

func (s Stamper) copyFolder(from, to string) (copied, error) {
	var all copied
	err := fs.WalkDir(s.Tree, from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if !entry.Type().IsRegular() {
			return fmt.Errorf("%s is no regular file: a chart's source holds nothing else", name)
		}
		done, err := s.copyFile(name, filepath.Join(to, strings.TrimPrefix(name, from+"/")))
		all.edits, all.leftOut = append(all.edits, done.edits...), append(all.leftOut, done.leftOut...)
		return err
	})
	return all, err
}

// sourceOnly ends the comment of a line of Chart.yaml that stands in the source alone. helm renders nothing
// when it packages a chart, but refuses one that lacks a dependency; so a source
// may declare one that nobody has, in such a line, and cannot be packaged.
const sourceOnly = "ghhelper:source-only"

// withoutSourceOnly leaves such lines out, and says which.
func withoutSourceOnly(name string, data []byte) (kept []byte, leftOut []string) {
	if path.Base(name) != "Chart.yaml" {
		return data, nil
	}
	kept = []byte{}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		if _, comment, _ := bytes.Cut(line, []byte("# ")); bytes.HasSuffix(bytes.TrimSpace(comment), []byte(sourceOnly)) {
			leftOut = append(leftOut, fmt.Sprintf("%s:%d", name, number))
			continue
		}
		kept = append(kept, line...)
	}
	return kept, leftOut
}

// copyFile writes a stamped copy of one file and looks at it again.
func (s Stamper) copyFile(from, to string) (copied, error) {
	data, err := fs.ReadFile(s.Tree, from)
	if err != nil {
		return copied{}, err
	}
	edits := decide.Stamp(s.File, s.finder.Text(from, data), s.Version)
	stamped, err := Edits(s.finder, from, data, edits)
	if err != nil {
		return copied{}, err
	}
	stamped, leftOut := withoutSourceOnly(from, stamped)
	if i := bytes.Index(stamped, []byte(ref.Placeholder)); i >= 0 {
		line := 1 + bytes.Count(stamped[:i], []byte("\n"))
		return copied{}, fmt.Errorf("%s:%d: a placeholder %q is not recognised as a reference and would survive: write it in a form that `ghhelper references` lists", from, line, ref.Placeholder)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return copied{}, err
	}
	return copied{edits, leftOut, stamped}, os.WriteFile(to, stamped, 0o644)
}
