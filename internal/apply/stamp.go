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

// Stamper writes copies of the sources of our own artifacts, with a version in the place of every placeholder.
type Stamper struct {
	Tree    fs.FS
	File    *delivery.File
	Version ref.Version
	Time    time.Time // of the commit; the packages have it as well
	// Fetch fetches a chart that ours depend on, by its tag.
	Fetch func(ctx context.Context, at, tag string) (archive []byte, d oci.Description, err error)
	// AcceptStandIns accepts the stand-in of a chart whatever digest is recorded.
	AcceptStandIns bool
	// Recorded refuses a dependency without a recorded digest. A release requires it, because later nothing else could
	// show that the dependency was the right one.
	Recorded bool
	Only     []string // the artifacts to stamp; empty for all

	finder *find.Finder
}

// Stamped is a stamped artifact.
type Stamped struct {
	Artifact string
	Kind     delivery.Kind
	Path     string // the chart's folder, or the asset's file
	Package  string // the path of a chart's archive
	Chart    *chart.Chart
	Archive  []byte
	Data     []byte        // of an asset
	Time     time.Time     // of its package
	Edits    []decide.Edit // the stamped places
	LeftOut  []string      // the lines that only the source has, as FILE:LINE
}

// Stamp writes the stamped copies to the folder out, which must be absent or empty. An error leaves out unchanged.
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
	work, err := os.MkdirTemp(filepath.Dir(out), ".stamp-*") // beside it, because rename needs the same file system
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

// Annotations returns the annotations of a stamped chart's manifest. They are the same in every clone: the time is the
// commit's, and the source is declared.
func Annotations(f *delivery.File, s Stamped, commit string) map[string]string {
	own := f.Own()
	annotations := map[string]string{
		oci.KeyTitle:       s.Chart.Name(),
		oci.KeyDescription: s.Chart.Description(),
		oci.KeyVersion:     s.Chart.Version(),
		oci.KeyRevision:    commit,
		oci.KeySource:      "https://github.com/" + own.Repository,
		oci.KeyCreated:     s.Time.UTC().Format(time.RFC3339),
		oci.KeyLicenses:    own.License,
	}
	maps.DeleteFunc(annotations, func(_, value string) bool { return value == "" })
	return annotations
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

// moveInto moves the contents of a folder into another. The other folder itself is kept, because it may be a shell's
// current one.
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

// names returns the artifacts to stamp. They have a source in the tree.
func (s Stamper) names() ([]string, error) {
	own := s.File.Own()
	all := slices.DeleteFunc(own.ArtifactNames(), func(name string) bool { return own.Artifacts[name].Source == "" })
	for _, name := range s.Only {
		if !slices.Contains(all, name) {
			return nil, outcome.Usagef("artifact %q is not stamped: want one of %s", name, strings.Join(all, ", "))
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
	return Stamped{
		Artifact: name, Kind: a.Kind, Path: to, Data: copied.data, Time: s.Time,
		Edits: copied.edits, LeftOut: copied.leftOut,
	}, err
}

// idleStamp returns the error for an asset that is declared static and has placeholders, or the other way round.
func idleStamp(a delivery.Artifact, places int) error {
	if places == 0 {
		return outcome.Wrongf("%s has no placeholder to stamp: write %q where it names our own release or, "+
			"if it names none, static: true in %s", a.Source, ref.Placeholder, delivery.FileName)
	}
	return outcome.Wrongf("%s has %d placeholders, and %s declares it static: remove static: true", a.Source, places,
		delivery.FileName)
}

// chart copies a chart's folder, adds its dependencies and packages it.
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
	return Stamped{
		Artifact: name, Kind: a.Kind, Path: name, Package: file, Chart: c, Archive: archive, Time: s.Time,
		Edits: copied.edits, LeftOut: copied.leftOut,
	}, nil
}

// declares checks that a stamped chart has the version and name that delivery.yaml declares.
func (s Stamper) declares(c *chart.Chart, a delivery.Artifact) error {
	version, app := s.File.ChartVersions(a, s.Version, c.Version(), c.AppVersion(), c.IsLibrary())
	if c.Version() != version || c.AppVersion() != app {
		return fmt.Errorf("%s/Chart.yaml: stamped, it has version %q and appVersion %q, want %q and %q: "+
			"write %q where the release sets them, or declare version, appVersion or app in %s",
			a.Source, c.Version(), c.AppVersion(), version, app, ref.Placeholder, delivery.FileName)
	}
	if base := path.Base(a.At); c.Name() != base {
		return fmt.Errorf("%s/Chart.yaml: the chart is named %q and published at %s: want the name %q, as helm does",
			a.Source, c.Name(), a.At, base)
	}
	return nil
}

// dependencies writes the charts that the chart in dir depends on into its folder, unpacked. The bytes of their own
// archives then do not matter.
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
			return fmt.Errorf("dependency %s %s comes from %q: want a registry (oci://…)",
				d.Name, d.Version, d.Repository)
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
			return fmt.Errorf("dependency %s %s: the registry's chart is named %s %s",
				d.Name, d.Version, sub.Name(), sub.Version())
		}
		if err := writeFiles(filepath.Join(dir, "charts", d.Name), sub.Files()); err != nil {
			return err
		}
	}
	return nil
}

// idleRecords refuses a record of a chart that is not a dependency, because it would seem to pin something.
func idleRecords(a delivery.Artifact, dependencies []chart.Dependency) error {
	for _, record := range a.Dependencies {
		recorded := func(d chart.Dependency) bool { return strings.HasPrefix(record, d.At()+":") }
		if !slices.ContainsFunc(dependencies, recorded) {
			return outcome.Wrongf("%s records %s, which %s/Chart.yaml does not depend on: correct or remove it",
				delivery.FileName, record, a.Source)
		}
	}
	return nil
}

// DependencyError is returned for a dependency without the recorded digest.
type DependencyError struct {
	Name       string // location:tag
	Seen, Want string // digests; Want is empty if none is recorded
}

// Code returns outcome.Wrong.
func (e *DependencyError) Code() outcome.Code { return outcome.Wrong }

func (e *DependencyError) Error() string {
	if e.Want == "" {
		return fmt.Sprintf("dependency %s has no digest in %s: if it is the right one, add dependencies: [%s@%s]",
			e.Name, delivery.FileName, e.Name, e.Seen)
	}
	return fmt.Sprintf("dependency %s is %s, want %s as %s records: the tag was moved, or the record is wrong; "+
		"nothing was stamped", e.Name, e.Seen, e.Want, delivery.FileName)
}

// dependency fetches a chart, and checks its digest against the recorded one.
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

// copied describes the differences between copied files and their sources.
type copied struct {
	edits   []decide.Edit
	leftOut []string
	data    []byte // the copy, if it is a single file
}

func (s Stamper) copyFolder(from, to string) (copied, error) {
	var all copied
	err := fs.WalkDir(s.Tree, from, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		if !entry.Type().IsRegular() {
			return fmt.Errorf("%s is not a regular file: a chart's source has nothing else", name)
		}
		done, err := s.copyFile(name, filepath.Join(to, strings.TrimPrefix(name, from+"/")))
		all.edits, all.leftOut = append(all.edits, done.edits...), append(all.leftOut, done.leftOut...)
		return err
	})
	return all, err
}

// sourceOnly ends the comment of a line of Chart.yaml that stamped copies omit. helm refuses to package a chart without
// a dependency. A source that declares a missing dependency in such a line cannot be packaged by mistake.
const sourceOnly = "ghhelper:source-only"

// withoutSourceOnly omits such lines, and returns their places.
func withoutSourceOnly(name string, data []byte) (kept []byte, leftOut []string) {
	if path.Base(name) != "Chart.yaml" {
		return data, nil
	}
	kept = []byte{}
	number := 0
	for line := range bytes.Lines(data) {
		number++
		_, comment, _ := bytes.Cut(line, []byte("# "))
		if bytes.HasSuffix(bytes.TrimSpace(comment), []byte(sourceOnly)) {
			leftOut = append(leftOut, fmt.Sprintf("%s:%d", name, number))
			continue
		}
		kept = append(kept, line...)
	}
	return kept, leftOut
}

// copyFile writes a stamped copy of one file. A placeholder that is not recognised is an error.
func (s Stamper) copyFile(from, to string) (copied, error) {
	done, err := s.stamped(from)
	if err != nil {
		return copied{}, err
	}
	if i := bytes.Index(done.data, []byte(ref.Placeholder)); i >= 0 {
		line := 1 + bytes.Count(done.data[:i], []byte("\n"))
		return copied{}, fmt.Errorf("%s:%d: the placeholder %q is not recognised and would be published: "+
			"write it in a form that `ghhelper references` lists", from, line, ref.Placeholder)
	}
	if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
		return copied{}, err
	}
	return done, os.WriteFile(to, done.data, 0o644)
}

// stamped returns the stamped text of one file.
func (s Stamper) stamped(from string) (copied, error) {
	data, err := fs.ReadFile(s.Tree, from)
	if err != nil {
		return copied{}, err
	}
	edits := decide.Stamp(s.File, s.finder.Text(from, data), s.Version)
	data, err = Edits(s.finder, from, data, edits)
	if err != nil {
		return copied{}, err
	}
	data, leftOut := withoutSourceOnly(from, data)
	return copied{edits, leftOut, data}, nil
}

// Preview returns the stamped chart of an artifact without writing anything. It leaves out the dependencies that Fetch
// does not return. If Fetch is nil, it leaves out those that are not in the tree.
func (s Stamper) Preview(ctx context.Context, artifact string) (*chart.Chart, error) {
	s.finder = find.New(s.File)
	source := path.Clean(s.File.Own().Artifacts[artifact].Source)
	var files []chart.File
	err := fs.WalkDir(s.Tree, source, func(name string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.Type().IsRegular() {
			return err
		}
		done, err := s.stamped(name)
		files = append(files, chart.File{Name: strings.TrimPrefix(name, source+"/"), Data: done.data})
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("reading the chart in %s: %w", source, err)
	}
	c, err := chart.Load("in "+source, files)
	if err != nil || s.Fetch == nil || len(c.Missing()) == 0 {
		return c, err
	}
	for _, d := range c.Missing() {
		if d.At() == "" {
			continue
		}
		archive, _, err := s.Fetch(ctx, d.At(), d.Version)
		if err != nil {
			continue // the query of the dependency reports it
		}
		sub, err := chart.LoadArchive(d.At()+":"+d.Version, archive)
		if err != nil {
			return nil, err
		}
		for _, f := range sub.Files() {
			files = append(files, chart.File{Name: path.Join("charts", d.Name, f.Name), Data: f.Data})
		}
	}
	return chart.Load("in "+source, files)
}
