// Package resolve asks the world about references: is what a place names
// there, and what is it.
package resolve

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/ref"
)

// Target is one thing in the world that references name; many references may
// name the same target.
type Target struct {
	Component string
	Artifact  string        // key in delivery.yaml; "" for the git tag
	Kind      delivery.Kind // "" for the git tag
	At        string        // location; the repository (owner/name) for a git tag
	Tag       string
}

func (t Target) String() string {
	if t.Kind == "" {
		return fmt.Sprintf("git tag %s of %s", t.Tag, t.At)
	}
	return fmt.Sprintf("%s %s:%s", t.Kind, t.At, t.Tag)
}

// Targets are what a reference names, at the version that it names or, for a
// placeholder, at the version given. A place that names a component as a
// whole, by a value, names each of its artifacts; by a link, its git tag.
func Targets(f *delivery.File, r ref.Reference, own ref.Version) ([]Target, error) {
	version, err := r.Version()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Site, err)
	}
	if version.IsPlaceholder() {
		version = own
	}
	c := f.Components[r.Component]
	if r.Syntax == "link" || r.Syntax == "uses" {
		return []Target{{Component: r.Component, At: c.Repository, Tag: version.Tag()}}, nil
	}
	var targets []Target
	for _, name := range c.ArtifactNames() {
		a := c.Artifacts[name]
		published := a.Kind == delivery.Image || a.Kind == delivery.Chart
		if !published || r.Artifact != "" && r.Artifact != name {
			continue
		}
		targets = append(targets, Target{r.Component, name, a.Kind, a.At, tagNamed(r, a, version)})
	}
	return targets, nil
}

// Named are the targets of several references, each with the first place that
// names it.
func Named(f *delivery.File, references []ref.Reference, own ref.Version) (map[Target]string, error) {
	named := map[Target]string{}
	for _, r := range references {
		targets, err := Targets(f, r, own)
		if err != nil {
			return nil, err
		}
		for _, t := range targets {
			if _, before := named[t]; !before {
				named[t] = r.Site.String()
			}
		}
	}
	return named, nil
}

// Lockstep are the artifacts, at our own version, of the components that are
// released in lock step with ours.
func Lockstep(f *delivery.File, own ref.Version) []Target {
	var targets []Target
	for _, name := range f.Names() {
		c := f.Components[name]
		if c.Lockstep != f.Self {
			continue
		}
		for _, artifact := range c.ArtifactNames() {
			if a := c.Artifacts[artifact]; a.Kind == delivery.Image || a.Kind == delivery.Chart {
				targets = append(targets, Target{name, artifact, a.Kind, a.At, a.TagFor(own)})
			}
		}
	}
	return targets
}

// Sorted are the keys of a set of targets, in the order of their texts.
func Sorted[V any](targets map[Target]V) []Target {
	return slices.SortedFunc(maps.Keys(targets), func(a, b Target) int { return strings.Compare(a.String(), b.String()) })
}

// tagNamed is the tag that a place names: as it is written there, where the
// place names an artifact, since a "v" too many is another tag; else, and for
// a placeholder, as the artifact declares its tags.
func tagNamed(r ref.Reference, a delivery.Artifact, version ref.Version) string {
	if r.Artifact == "" || strings.TrimPrefix(r.Written, "v") == ref.Placeholder {
		return a.TagFor(version)
	}
	return r.Written
}

// Answer is what the world says of a target. Err is nil where it is present,
// wraps oci.ErrAbsent where it is absent, and is anything else where it could
// not be asked.
type Answer struct {
	Target
	Digest   string
	Revision string // the commit that it says it was built from
	// Staged says that a release in the making has it, and nobody else yet.
	Staged bool
	// StandIn is the reason why the target is not the real thing, or "".
	StandIn string
	Err     error
}

// Absent tells whether the world answered that there is no such thing.
func (a Answer) Absent() bool { return errors.Is(a.Err, oci.ErrAbsent) }

// Interface resolves one target.
type Interface interface {
	Resolve(ctx context.Context, t Target) Answer
}

// Tags tells the commit of a git tag at a repository (owner/name), "" where
// there is none.
type Tags func(ctx context.Context, repository, tag string) (string, error)

// World asks the registries and the forges themselves.
type World struct {
	Registry *oci.Registry
	Tags     Tags
}

// Resolve asks for the target.
func (w World) Resolve(ctx context.Context, t Target) Answer {
	if t.Kind == "" {
		return w.tag(ctx, t)
	}
	d, err := w.Registry.Describe(ctx, t.At, t.Tag)
	return Answer{Target: t, Digest: d.Digest, Revision: d.Labels[oci.KeyRevision], StandIn: d.StandIn(), Err: err}
}

func (w World) tag(ctx context.Context, t Target) Answer {
	commit, err := w.Tags(ctx, t.At, t.Tag)
	if err == nil && commit == "" {
		err = fmt.Errorf("looking for %s: %w", t, oci.ErrAbsent)
	}
	return Answer{Target: t, Revision: commit, Err: err}
}

// Table resolves what a release has built but not yet promoted, by a table of
// at:tag → digest, and leaves everything else to Next.
type Table struct {
	Digests map[string]string
	Next    Interface
}

// Resolve looks in the table first.
func (t Table) Resolve(ctx context.Context, target Target) Answer {
	if digest, ok := t.Digests[target.At+":"+target.Tag]; ok {
		return Answer{Target: target, Digest: digest, Staged: true}
	}
	return t.Next.Resolve(ctx, target)
}

// atOnce bounds the questions that are open at one time.
const atOnce = 16

// All resolves each distinct target once; the answers are in the order in
// which the targets first appear.
func All(ctx context.Context, by Interface, targets []Target) []Answer {
	distinct := unique(targets)
	answers := make([]Answer, len(distinct))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for i, t := range distinct {
		group.Go(func() error {
			answers[i] = by.Resolve(ctx, t)
			return nil
		})
	}
	_ = group.Wait() // an answer holds its own error
	return answers
}

func unique(targets []Target) []Target {
	seen := map[Target]bool{}
	var out []Target
	for _, t := range targets {
		if !seen[t] {
			seen[t] = true
			out = append(out, t)
		}
	}
	return out
}
