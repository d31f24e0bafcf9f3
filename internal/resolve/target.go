package resolve

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Kind is a kind of target.
type Kind string

// The kinds of target: those of artifacts, then those of a repository.
const (
	Image  = Kind(delivery.Image)
	Chart  = Kind(delivery.Chart)
	Module = Kind(delivery.Module)
	Asset  = Kind(delivery.Asset)

	GitTag Kind = "git tag"
	Branch Kind = "branch or tag" // its name ends in the version
	Raw    Kind = "raw"           // the content of a file
	Blob   Kind = "blob"          // the page of a file
	Tree   Kind = "tree"          // the page of a folder
)

// Target is something published that references name. Many references may name the same target.
type Target struct {
	Component string
	Artifact  string // the key in delivery.yaml, empty if it is not declared there
	Kind      Kind
	At        string // a location, a module path, or a repository (owner/name)
	Tag       string // a tag, version or branch
	Path      string // of a file or folder in the repository; of an asset, its name
}

// GitTagOf returns the target of the git tag of a component's version.
func GitTagOf(f *delivery.File, component string, v ref.Version) Target {
	c := f.Components[component]
	return Target{Component: component, Kind: GitTag, At: c.Repository, Tag: c.GitTag(v)}
}

func (t Target) String() string {
	switch t.Kind {
	case GitTag, Branch:
		return fmt.Sprintf("%s %s of %s", t.Kind, t.Tag, t.At)
	case Raw, Blob, Tree, Asset:
		return t.URL(webServer)
	case Module:
		return fmt.Sprintf("module %s@%s", t.At, t.Tag)
	}
	return fmt.Sprintf("%s %s:%s", t.Kind, t.At, t.Tag)
}

// Name returns the target's name in an entry of ignore: location:tag for an image or chart, else its String.
func (t Target) Name() string {
	if t.Kind == Image || t.Kind == Chart {
		return t.At + ":" + t.Tag
	}
	return t.String()
}

const (
	webServer = "https://github.com"
	rawServer = "https://raw.githubusercontent.com"
)

// URL returns the address of a file, folder or asset on a server such as https://github.com.
func (t Target) URL(server string) string {
	switch {
	case t.Kind == Asset:
		return server + "/" + t.At + "/releases/download/" + t.Tag + "/" + t.Path
	case t.Kind == Raw && server == webServer:
		return rawServer + "/" + t.At + "/" + t.Tag + "/" + t.Path
	}
	return server + "/" + t.At + "/" + string(t.Kind) + "/" + t.Tag + "/" + t.Path
}

// Place is where a target is named.
type Place struct {
	ref.Site // in the tree; zero if the target is named elsewhere, such as in a rendered chart
	Text     string
}

func (p Place) String() string { return p.Text }

// PlaceOf returns the place of a reference in the tree.
func PlaceOf(r ref.Reference) Place { return Place{r.Site, r.Site.String()} }

// Named holds targets, each with the first place that names it.
type Named map[Target]Place

// Add adds a target, unless it has a place already.
func (n Named) Add(t Target, p Place) {
	if _, known := n[t]; !known {
		n[t] = p
	}
}

// Refer adds the targets of a reference. A placeholder adds none if own is zero.
func (n Named) Refer(f *delivery.File, r ref.Reference, own ref.Version) error {
	targets, err := Targets(f, r, own)
	for _, t := range targets {
		if t.Tag != "" {
			n.Add(t, PlaceOf(r))
		}
	}
	return err
}

// Sorted returns the targets that are the keys of a map, in the order of their texts.
func Sorted[V any](targets map[Target]V) []Target {
	return slices.SortedFunc(maps.Keys(targets), func(a, b Target) int {
		return strings.Compare(a.String(), b.String())
	})
}

// Targets returns what a reference names, at the version written there. A placeholder means our own version. A value
// without an artifact names each image and chart of its component. Other references without one name the git tag.
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
		return []Target{{r.Component, r.Artifact, Module, modulePath(c, r), r.Written, ""}}, nil
	}
	if namesArtifacts(r) {
		if targets := published(c, r, version); targets != nil {
			return targets, nil
		}
	}
	return atRef(f, r, version), nil
}

// nameOr returns the former name that a reference has, or else the name of today.
func nameOr(today string, r ref.Reference) string {
	if r.Former != nil {
		return r.Former.Written
	}
	return today
}

// namesArtifacts reports whether a reference names artifacts instead of a git tag.
func namesArtifacts(r ref.Reference) bool {
	switch r.Syntax {
	case ref.Prose, ref.FileName, ref.Installer, ref.Matched:
		return false
	}
	return !r.Syntax.NamesGitTag()
}

func modulePath(c delivery.Component, r ref.Reference) string {
	if at := c.Artifacts[r.Artifact].At; at != "" {
		return nameOr(at, r)
	}
	return "github.com/" + nameOr(c.Repository, r)
}

// published returns the images and charts that a reference names.
func published(c delivery.Component, r ref.Reference, version ref.Version) []Target {
	var targets []Target
	for _, name := range c.ArtifactNames() {
		a := c.Artifacts[name]
		isChart := a.Kind == delivery.Chart && r.Syntax != ref.AppVersion // which its images run at
		if a.Kind != delivery.Image && !isChart || r.Artifact != "" && r.Artifact != name {
			continue
		}
		at := a.Location()
		if r.Artifact != "" {
			at = nameOr(at, r)
		}
		targets = append(targets, Target{r.Component, name, Kind(a.Kind), at, tagNamed(r, a, version), ""})
	}
	return targets
}

// tagNamed returns the tag that a reference names. A reference to an artifact names the tag as written, because a wrong
// "v" makes it another tag. Otherwise, and for a placeholder, the tag has the form that the artifact declares.
func tagNamed(r ref.Reference, a delivery.Artifact, version ref.Version) string {
	if r.Artifact == "" || isPlaceholder(r) {
		return a.TagFor(version)
	}
	return r.Written + r.Context.Suffix
}

// atRef returns the git tag, or the branch that ends in the version, and the file or asset that is named at it.
func atRef(f *delivery.File, r ref.Reference, version ref.Version) []Target {
	t := GitTagOf(f, r.Component, version)
	t.At = nameOr(t.At, r)
	prefix, _ := f.Components[r.Component].TagPrefix()
	if r.Syntax.NamesGitTag() && !isPlaceholder(r) {
		t.Tag = r.Context.Prefix + r.Written // as written, because a missing "v" makes it another tag
	}
	if r.Context.Prefix != prefix && r.Context.Prefix != "" {
		t.Kind, t.Tag = Branch, r.Context.Prefix+r.Written
	}
	targets := []Target{t}
	if kind := fileKind(r); kind != "" {
		t.Kind, t.Path = kind, r.Path
		targets = append(targets, t)
	}
	return targets
}

// fileKind returns the kind of file, folder or asset that a reference names, or "".
func fileKind(r ref.Reference) Kind {
	switch page := Kind(r.Context.Page); {
	case r.Path == "":
		return ""
	case r.Syntax == ref.Download:
		return Asset
	case r.Syntax == ref.Raw:
		return Raw
	case page == Blob || page == Tree:
		return page
	}
	return ""
}

func isPlaceholder(r ref.Reference) bool {
	return strings.TrimPrefix(r.Written, "v") == ref.Placeholder
}

// Lockstep returns the images and charts, at our own version, of the components in lock step with ours.
func Lockstep(f *delivery.File, own ref.Version) Named {
	named := Named{}
	place := Place{Text: delivery.FileName + " (lock step with " + f.Self + ")"}
	for name, c := range f.Components {
		if c.Lockstep != f.Self {
			continue
		}
		for artifact, a := range c.Artifacts {
			if a.Kind == delivery.Image || a.Kind == delivery.Chart {
				named[Target{name, artifact, Kind(a.Kind), a.Location(), a.TagFor(own), ""}] = place
			}
		}
	}
	return named
}
