// Package delivery is what delivery.yaml says: the components, the artifacts
// that their releases publish, and the rules between them.
package delivery

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubestellar/actions/internal/ref"
)

// FileName is where a repository declares its delivery.
const FileName = "delivery.yaml"

// File is a whole delivery.yaml.
type File struct {
	Version     int                  `yaml:"version" json:"version" jsonschema:"enum=1,description=Version of this file's format."`
	Self        string               `yaml:"self" json:"self" jsonschema:"minLength=1,description=The component that this repository releases."`
	Components  map[string]Component `yaml:"components" json:"components" jsonschema:"minProperties=1,description=The components by name: our own and all that this repository refers to."`
	Rules       map[string]Rule      `yaml:"rules,omitempty" json:"rules,omitempty" jsonschema:"description=Rules of verify by name that only warn here and why."`
	Ignore      []Excuse             `yaml:"ignore,omitempty" json:"ignore,omitempty" jsonschema:"description=References that are left alone and why."`
	Bumps       Bumps                `yaml:"bumps,omitempty" json:"bumps,omitempty" jsonschema:"description=What the pull requests are like that move references to others' releases."`
	Downstreams []string             `yaml:"downstreams,omitempty" json:"downstreams,omitempty" jsonschema:"pattern=^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$,description=Repositories (owner/name) that are told of each release."`
}

// Bumps says what pull requests are like that move a component's references. In
// its texts {component} and {version} stand for those.
type Bumps struct {
	Branch string   `yaml:"branch,omitempty" json:"branch,omitempty" jsonschema:"pattern=^[A-Za-z0-9.-]*[{]component[}][A-Za-z0-9.-]*$,description=The branch of a component's one pull request. Default bump-{component}."`
	Title  string   `yaml:"title,omitempty" json:"title,omitempty" jsonschema:"pattern=[{]version[}],description=The title of the pull request and of its commit. Default ✨ Bump {component} to {version}."`
	Body   string   `yaml:"body,omitempty" json:"body,omitempty" jsonschema:"minLength=1,description=Markdown that the text of the pull request begins with."`
	Labels []string `yaml:"labels,omitempty" json:"labels,omitempty" jsonschema:"minLength=1,maxLength=50,description=Labels of the pull request. Default none."`
}

// BranchFor is the branch of a component's pull request.
func (b Bumps) BranchFor(component string) string {
	return strings.ReplaceAll(cmp.Or(b.Branch, "bump-{component}"), "{component}", component)
}

// TitleFor is the title of the pull request that moves a component to a version.
func (b Bumps) TitleFor(component string, v ref.Version) string {
	return b.fill(cmp.Or(b.Title, "✨ Bump {component} to {version}"), component, v)
}

// BodyFor is what the text of such a pull request begins with, "" for nothing.
func (b Bumps) BodyFor(component string, v ref.Version) string { return b.fill(b.Body, component, v) }

func (b Bumps) fill(text, component string, v ref.Version) string {
	return strings.NewReplacer("{component}", component, "{version}", v.String()).Replace(text)
}

// Component is a unit released by git tag from one repository.
type Component struct {
	Repository string              `yaml:"repository" json:"repository" jsonschema:"pattern=^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$,description=The GitHub repository (owner/name) that releases it by a tag v{version}."`
	Signer     string              `yaml:"signer,omitempty" json:"signer,omitempty" jsonschema:"pattern=^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+/[.]github/workflows/[A-Za-z0-9._-]+$,description=The workflow (owner/name/.github/workflows/file) that attests its releases where that is none of its own repository's."`
	License    string              `yaml:"license,omitempty" json:"license,omitempty" jsonschema:"minLength=1,description=The SPDX expression of its licence: https://spdx.org/licenses; charts that are published say it."`
	Lockstep   string              `yaml:"lockstep,omitempty" json:"lockstep,omitempty" jsonschema:"description=Another component whose version is always this one's: references to it are placeholders."`
	Artifacts  map[string]Artifact `yaml:"artifacts,omitempty" json:"artifacts,omitempty" jsonschema:"description=What a release publishes by a name of our choice."`
	Names      []string            `yaml:"names,omitempty" json:"names,omitempty" jsonschema:"pattern=^[A-Za-z_][A-Za-z0-9_.-]*$,description=Identifiers whose value is a version of this component."`
	Patterns   []Pattern           `yaml:"patterns,omitempty" json:"patterns,omitempty" jsonschema:"description=Further places where a version of this component stands."`
	// Prereleases lets places that hold a release move to a prerelease.
	Prereleases bool `yaml:"prereleases,omitempty" json:"prereleases,omitempty" jsonschema:"description=Whether places that hold a release may move to a prerelease."`
	Digests     bool `yaml:"digests,omitempty" json:"digests,omitempty" jsonschema:"description=Whether every image of this component is to be pinned by digest beside its tag."`
	// Derived commands run without a shell: words are what spaces separate.
	Derived []string `yaml:"derived,omitempty" json:"derived,omitempty" jsonschema:"minLength=1,description=Commands that derive files from others once the component's version has changed; such as go mod tidy."`
}

// Pattern finds a version where no built-in form does.
type Pattern struct {
	// Match is a regular expression (https://pkg.go.dev/regexp/syntax) with
	// one named group, version.
	Match string `yaml:"match" json:"match" jsonschema:"minLength=1,description=A regular expression with one named group (?P<version>…) around the version."`
	Files string `yaml:"files,omitempty" json:"files,omitempty" jsonschema:"minLength=1,description=A path or pattern of the files that it holds for. Default all."`
}

// Kind tells what an artifact is.
type Kind string

// The kinds of artifact.
const (
	Image  Kind = "image"
	Chart  Kind = "chart"
	Module Kind = "module"
	Asset  Kind = "asset"
)

// Artifact is one thing that a release publishes.
type Artifact struct {
	Kind   Kind   `yaml:"kind" json:"kind" jsonschema:"enum=image,enum=chart,enum=module,enum=asset,description=What it is: a container image; a Helm chart; a Go module; an asset of the GitHub release."`
	At     string `yaml:"at,omitempty" json:"at,omitempty" jsonschema:"pattern=^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[A-Za-z0-9._-]+)+$,description=Where images; charts and modules are found: registry and repository or module path; without a tag."`
	Name   string `yaml:"name,omitempty" json:"name,omitempty" jsonschema:"pattern=^[A-Za-z0-9{][A-Za-z0-9._{}-]*$,description=The file name of an asset; {version} stands for the version."`
	Tag    string `yaml:"tag,omitempty" json:"tag,omitempty" jsonschema:"enum={version},enum=v{version},description=The artifact's tag; and for a chart also its version and appVersion. Default {version}."`
	Source string `yaml:"source,omitempty" json:"source,omitempty" jsonschema:"pattern=^[A-Za-z0-9._][A-Za-z0-9._/-]*$,description=Where this repository keeps what the artifact is made of: a chart's folder or an asset's file."`
	// Static says that finding nothing to stamp is no mistake.
	Static bool `yaml:"static,omitempty" json:"static,omitempty" jsonschema:"description=For an asset: whether its source names nothing of our own release so that nothing in it is stamped."`
	// Dependencies pin what helm names by tags alone: a tag may be another thing tomorrow.
	Dependencies []string `yaml:"dependencies,omitempty" json:"dependencies,omitempty" jsonschema:"pattern=^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[A-Za-z0-9._-]+)+:[A-Za-z0-9._-]+@sha256:[0-9a-f]{64}$,description=For a chart that we release: each chart that its Chart.yaml depends on as location:tag@digest."`
	// Values are those that the chart is tested with: what it names with any of them has to be there.
	Values []string `yaml:"values,omitempty" json:"values,omitempty" jsonschema:"minLength=1,description=For a chart that we release: paths or patterns of files with values that it is to be rendered with beside its own."`
	// Runs are associations that a chart must not lose: a rendering that names another thing, or nothing, is refuted.
	Runs []string `yaml:"runs,omitempty" json:"runs,omitempty" jsonschema:"pattern=^([a-z0-9][a-z0-9-]*/)?[a-z0-9][a-z0-9-]*$,description=For a chart: the artifacts of its own release (or component/artifact) that it must name when it is rendered; each at the version of its own component that belongs to the release."`
	// Embeds are texts in a binary that no reference outside it shows.
	Embeds    []string `yaml:"embeds,omitempty" json:"embeds,omitempty" jsonschema:"pattern=[{]version[}],description=For an image: texts with {version} that files in it hold; such as the image that a program writes into a Deployment."`
	Build     *Build   `yaml:"build,omitempty" json:"build,omitempty" jsonschema:"description=How the image is built where its own repository does not build it."`
	Platforms []string `yaml:"platforms,omitempty" json:"platforms,omitempty" jsonschema:"pattern=^[a-z0-9]+/[a-z0-9]+$,description=The platforms (os/architecture) that an image must have."`
}

// Build says what an image of other people's tool is made of.
type Build struct {
	Package string `yaml:"package" json:"package" jsonschema:"pattern=^[.](/[A-Za-z0-9_][A-Za-z0-9._-]*)*$,description=The Go package in the component's repository that the image runs; such as ./cmd/tool."`
	Module  string `yaml:"module,omitempty" json:"module,omitempty" jsonschema:"pattern=^[A-Za-z0-9][A-Za-z0-9.~_/-]*$,description=The Go module at the root of the repository; whose source is taken from the module proxy. Default: the source is that of the git tag."`
	// LDFlags come after -s -w. Most tools learn their own version from them.
	LDFlags []string `yaml:"ldflags,omitempty" json:"ldflags,omitempty" jsonschema:"minLength=1,description=Arguments of go build's -ldflags; {version} stands for the version without a v."`
	Bundles Bundles  `yaml:"bundles,omitempty" json:"bundles,omitempty" jsonschema:"description=What the tool brings with it by name: for each of its own versions the version of that."`
}

// Bundles are versions of other things, by their names and by the tool's version.
type Bundles map[string]map[string]string

// Bundled is something that comes with a tool.
type Bundled struct {
	Name string `json:"name"`
	// Version is "" where delivery.yaml does not record it.
	Version string `json:"version,omitempty"`
}

// Of lists what comes with a version of the tool, by name.
func (b Bundles) Of(v ref.Version) []Bundled {
	all := []Bundled{}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		all = append(all, Bundled{name, b[name][v.String()]})
	}
	return all
}

// LDFlagsFor are the linker's arguments for a version.
func (b Build) LDFlagsFor(v ref.Version) []string {
	flags := []string{"-s", "-w"}
	for _, flag := range b.LDFlags {
		flags = append(flags, strings.ReplaceAll(flag, "{version}", v.String()))
	}
	return flags
}

// toolPlatforms are those of an image that declares none.
var toolPlatforms = []string{"linux/amd64", "linux/arm64", "linux/ppc64le"}

// BuildPlatforms are the platforms that an image is built for here.
func (a Artifact) BuildPlatforms() []string {
	if len(a.Platforms) == 0 {
		return slices.Clone(toolPlatforms)
	}
	return a.Platforms
}

// Level says how much weight a rule has.
type Level string

// Warn has what a rule finds printed, without failing.
const Warn Level = "warn"

// Rule changes the level of one rule, for a reason.
type Rule struct {
	Level   Level  `yaml:"level" json:"level" jsonschema:"enum=warn,description=warn: what the rule finds is printed and fails nothing."`
	Because string `yaml:"because" json:"because" jsonschema:"minLength=1,description=The reason."`
}

// Excuse leaves references alone, for a reason: all that its conditions hold
// for, of which it has at least one.
type Excuse struct {
	Files     string `yaml:"files,omitempty" json:"files,omitempty" jsonschema:"minLength=1,description=A path or a pattern (* within a folder; a folder ends in /) of files."`
	Pattern   string `yaml:"pattern,omitempty" json:"pattern,omitempty" jsonschema:"minLength=1,description=A regular expression that the line matches."`
	Component string `yaml:"component,omitempty" json:"component,omitempty" jsonschema:"minLength=1,description=The component that the reference names."`
	Target    string `yaml:"target,omitempty" json:"target,omitempty" jsonschema:"minLength=1,description=What need not exist; as verify prints it: an image or chart with its tag or the URL of a file."`
	Because   string `yaml:"because" json:"because" jsonschema:"minLength=1,description=The reason."`
	Line      int    `yaml:"-" json:"-"` // where it stands in its file
}

// UnmarshalYAML keeps the line of the excuse for findings about it.
func (e *Excuse) UnmarshalYAML(node *yaml.Node) error {
	type plain Excuse
	e.Line = node.Line
	return node.Decode((*plain)(e))
}

// TagFor is the tag under which a is published at version v.
func (a Artifact) TagFor(v ref.Version) string {
	if a.Tag == "" {
		return v.String()
	}
	return strings.ReplaceAll(a.Tag, "{version}", v.String())
}

// Dependency is the digest that is recorded for the chart at a location and
// tag, "" where none is. A record of another tag of it is an error.
func (a Artifact) Dependency(at, tag string) (digest string, err error) {
	for _, d := range a.Dependencies {
		pin, digest, _ := strings.Cut(d, "@")
		recorded, found := strings.CutPrefix(pin, at+":")
		if found && recorded == tag {
			return digest, nil
		}
		if found {
			err = fmt.Errorf("%s records %s, and the chart depends on version %s of it: write the same version in both places, with the digest that belongs to it", FileName, d, tag)
		}
	}
	return "", err
}

// Run is the component and artifact that an entry of Runs names, in a release of
// the component.
func Run(component, entry string) (string, string) {
	if other, artifact, ok := strings.Cut(entry, "/"); ok {
		return other, artifact
	}
	return component, entry
}

// Where is what a is called at version v where people look for it.
func (a Artifact) Where(v ref.Version) string {
	if a.Kind == Asset {
		return a.AssetName(v)
	}
	return a.At + ":" + a.TagFor(v)
}

// AssetName is the file name of the asset a at version v.
func (a Artifact) AssetName(v ref.Version) string {
	return strings.ReplaceAll(a.Name, "{version}", v.String())
}

// HasV tells whether the artifact's tag carries a "v".
func (a Artifact) HasV() bool { return strings.HasPrefix(a.Tag, "v") || a.Kind == Module }

// Own is the component that the repository itself releases.
func (f *File) Own() Component { return f.Components[f.Self] }

// IsOwn tells whether references to the component are placeholders in git:
// the repository's own, and all in lock step with it.
func (f *File) IsOwn(component string) bool {
	return component == f.Self || f.Components[component].Lockstep == f.Self
}

// Names of the components, sorted.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.Components)) }

// Component returns a component by name. The error lists the declared names, and
// suggests the most similar one.
func (f *File) Component(name string) (Component, error) {
	c, ok := f.Components[name]
	if ok {
		return c, nil
	}
	did := ""
	if similar := f.similar(name); similar != "" {
		did = "; did you mean " + similar + "?"
	}
	return Component{}, fmt.Errorf("component %+q is not declared in %s, which has %s%s",
		ref.Shorten(name), FileName, strings.Join(f.Names(), ", "), did)
}

// similar returns the declared name that is at most two typing errors away, or
// contains the given one.
func (f *File) similar(name string) string {
	const most = 2
	if len(name) <= most || len(name) > 100 {
		return ""
	}
	names := f.Names()
	slices.SortStableFunc(names, func(a, b string) int { return cmp.Compare(distance(name, a), distance(name, b)) })
	i := slices.IndexFunc(names, func(n string) bool { return distance(name, n) <= most || strings.Contains(n, name) })
	if i < 0 {
		return ""
	}
	return names[i]
}

// distance returns how many bytes must be inserted, removed or replaced to turn a
// into b.
func distance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			replaced := diagonal
			if a[i] != b[j] {
				replaced++
			}
			diagonal = row[j+1]
			row[j+1] = min(replaced, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}

// ArtifactNames of the component, sorted.
func (c Component) ArtifactNames() []string { return slices.Sorted(maps.Keys(c.Artifacts)) }

// OfKind lists the names of the component's artifacts of one kind, sorted.
func (c Component) OfKind(k Kind) []string {
	return slices.DeleteFunc(c.ArtifactNames(), func(n string) bool { return c.Artifacts[n].Kind != k })
}

// Built is the component's image that is built here, since its own repository
// does not build it.
func (c Component) Built() (Artifact, bool) {
	for _, name := range c.ArtifactNames() {
		if a := c.Artifacts[name]; a.Build != nil {
			return a, true
		}
	}
	return Artifact{}, false
}

// ChartAt is the chart of ours whose source is a folder.
func (f *File) ChartAt(dir string) (artifact string, ok bool) {
	for name, a := range f.Own().Artifacts {
		if a.Kind == Chart && a.Source != "" && path.Clean(a.Source) == dir {
			return name, true
		}
	}
	return "", false
}

// Locate finds the component and artifact that are published at a location
// such as ghcr.io/kubestellar/ocm-status-addon.
func (f *File) Locate(at string) (component, artifact string, ok bool) {
	for _, component := range f.Names() {
		for name, a := range f.Components[component].Artifacts {
			if a.At == at {
				return component, name, true
			}
		}
	}
	return "", "", false
}
