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

// Kinds of target beside those of artifacts.
const (
	GitTag delivery.Kind = ""     // a tag of a repository
	Branch delivery.Kind = "ref"  // a tag or branch of which the version is the end
	File   delivery.Kind = "file" // a file or folder of a repository at a ref
)

// Target is one thing in the world that references name; many references may
// name the same target.
type Target struct {
	Component string
	Artifact  string        // key in delivery.yaml, if it is declared there
	Kind      delivery.Kind // of artifact, or one of the kinds above
	At        string        // location, module path, or repository (owner/name)
	Tag       string        // the tag or version
	Path      string        // of a file: how it is served, and its path; of an asset: its name
}

func (t Target) String() string {
	switch t.Kind {
	case GitTag:
		return fmt.Sprintf("git tag %s of %s", t.Tag, t.At)
	case Branch:
		return fmt.Sprintf("branch or tag %s of %s", t.Tag, t.At)
	case File, delivery.Asset:
		return t.URL(webServer)
	case delivery.Module:
		return fmt.Sprintf("module %s@%s", t.At, t.Tag)
	}
	return fmt.Sprintf("%s %s:%s", t.Kind, t.At, t.Tag)
}

// Name is what an excuse calls the target: an image or chart by its location
// and tag, all else as it is printed.
func (t Target) Name() string {
	if t.Kind == delivery.Image || t.Kind == delivery.Chart {
		return t.At + ":" + t.Tag
	}
	return t.String()
}

const (
	webServer = "https://github.com"
	rawServer = "https://raw.githubusercontent.com"
)

// URL is where a file or asset is served, by a server such as
// https://github.com.
func (t Target) URL(server string) string {
	how, path, _ := strings.Cut(t.Path, "/")
	switch {
	case t.Kind == delivery.Asset:
		return server + "/" + t.At + "/releases/download/" + t.Tag + "/" + t.Path
	case how == pageRaw && server == webServer:
		return rawServer + "/" + t.At + "/" + t.Tag + "/" + path
	}
	return server + "/" + t.At + "/" + how + "/" + t.Tag + "/" + path
}

const pageRaw = "raw"

// Targets are what a reference names, at the version that it names or, for a
// placeholder, at the version given. A place that names a component as a
// whole, by a value, names each of its images and charts; by other forms, its
// git tag.
func Targets(f *delivery.File, r ref.Reference, own ref.Version) ([]Target, error) {
	version, err := r.Version()
	if err != nil {
		return nil, fmt.Errorf("%s: %w", r.Site, err)
	}
	if version.IsPlaceholder() {
		version = own
	}
	c := f.Components[r.Component]
	if r.Syntax == ref.GoModule {
		return []Target{{Component: r.Component, Artifact: r.Artifact, Kind: delivery.Module, At: modulePath(c, r), Tag: r.Written}}, nil
	}
	if namesArtifacts(r) {
		if targets := published(c, r, version); targets != nil {
			return targets, nil
		}
	}
	return atRef(c.Repository, r, version), nil
}

// namesArtifacts tells whether a place names artifacts rather than a git tag.
func namesArtifacts(r ref.Reference) bool {
	switch r.Syntax {
	case ref.Prose, ref.FileName, ref.Installer, ref.Matched:
		return false
	}
	return !r.Syntax.NamesGitTag()
}

func modulePath(c delivery.Component, r ref.Reference) string {
	if at := c.Artifacts[r.Artifact].At; at != "" {
		return at
	}
	return "github.com/" + c.Repository
}

// published are the images and charts of a component that a place names.
func published(c delivery.Component, r ref.Reference, version ref.Version) []Target {
	var targets []Target
	for _, name := range c.ArtifactNames() {
		a := c.Artifacts[name]
		if a.Kind != delivery.Image && a.Kind != delivery.Chart || r.Artifact != "" && r.Artifact != name {
			continue
		}
		targets = append(targets, Target{Component: r.Component, Artifact: name, Kind: a.Kind, At: a.At, Tag: tagNamed(r, a, version)})
	}
	return targets
}

// atRef are the git tag, or the branch that ends in the version, and what is
// named at it.
func atRef(repository string, r ref.Reference, version ref.Version) []Target {
	t := Target{Component: r.Component, At: repository, Tag: version.Tag()}
	if r.Syntax.NamesGitTag() && !isPlaceholder(r) {
		t.Tag = r.Written // a "v" too few is another tag
	}
	if r.Context.Prefix != "" {
		t.Kind, t.Tag = Branch, r.Context.Prefix+r.Written
	}
	targets := []Target{t}
	switch {
	case r.Path == "":
	case r.Syntax == ref.Download:
		t.Kind, t.Path = delivery.Asset, r.Path
		targets = append(targets, t)
	case r.Syntax == ref.Raw:
		t.Kind, t.Path = File, pageRaw+"/"+r.Path
		targets = append(targets, t)
	case r.Context.Page == "blob" || r.Context.Page == "tree":
		t.Kind, t.Path = File, r.Context.Page+"/"+r.Path
		targets = append(targets, t)
	}
	return targets
}

func isPlaceholder(r ref.Reference) bool {
	return strings.TrimPrefix(r.Written, "v") == ref.Placeholder
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
				targets = append(targets, Target{Component: name, Artifact: artifact, Kind: a.Kind, At: a.At, Tag: a.TagFor(own)})
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
	if r.Artifact == "" || isPlaceholder(r) {
		return a.TagFor(version)
	}
	return r.Written + r.Context.Suffix
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
const atOnce = 32

// All resolves each distinct target once; the answers are in the order in
// which the targets first appear.
func All(ctx context.Context, by Interface, targets []Target) []Answer {
	distinct := unique(targets)
	answers := make([]Answer, len(distinct))
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, i := range spread(distinct) {
		group.Go(func() error {
			answers[i] = by.Resolve(ctx, distinct[i])
			return nil
		})
	}
	_ = group.Wait() // an answer holds its own error
	return answers
}

// spread is the order in which to ask: each place in turn, since the first
// question to a place, which finds out how to ask there, holds up all others.
func spread(targets []Target) []int {
	turn := map[string]int{}
	turns := make([]int, len(targets))
	order := make([]int, len(targets))
	for i, t := range targets {
		order[i], turns[i] = i, turn[t.At]
		turn[t.At]++
	}
	slices.SortStableFunc(order, func(a, b int) int { return turns[a] - turns[b] })
	return order
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
