// Package delivery defines delivery.yaml: the components, the artifacts that their
// releases publish, and the rules between them.
//
// The comments of the fields with a yaml tag are the descriptions in schema.json.
package delivery

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/ref"
)

// FileName is the path of the file in a repository.
const FileName = "delivery.yaml"

// File is the content of a delivery.yaml.
type File struct {
	// Version of this format.
	Version int `yaml:"version" jsonschema:"enum=1"`
	// The component that this repository releases, or a list of those that it releases one by one.
	Selves []string `yaml:"self" jsonschema:"minItems=1,minLength=1"`
	// The components by name: the repository's own, and each one that it refers to.
	Components map[string]Component `yaml:"components" jsonschema:"minProperties=1"`
	// Rules of verify, by name, that only warn.
	Rules map[string]Rule `yaml:"rules,omitempty"`
	// References and targets that are left alone.
	Ignore []Excuse `yaml:"ignore,omitempty"`
	// Files whose references are decided about in another way than those of other files.
	Treat []Treatment `yaml:"treat,omitempty"`
	// Branches that release besides the default branch, each with at most one *. Default release-*.
	Branches []string `yaml:"branches,omitempty" jsonschema:"pattern=^[\\w./-]*[*]?[\\w./-]*$"`
	// The form of pull requests that move references to other components.
	Bumps Bumps `yaml:"bumps,omitempty"`
	// Repositories (owner/name) that are notified of each release.
	Downstreams []string `yaml:"downstreams,omitempty" jsonschema:"pattern=^[\\w.-]+/[\\w.-]+$"`

	// Self is the component to release, or the first one of Selves.
	Self   string `yaml:"-"`
	whole  *File  // of which this is the view of one component
	source document
}

// Line returns the line of the value at a path of keys and indexes, such as ignore, 0. It returns 0 for a file that
// was not parsed.
func (f *File) Line(path ...string) int {
	if f.source.root == nil {
		return 0
	}
	node, _ := f.source.at(path)
	return node.Line
}

// Bumps is the form of pull requests that move a component's references. In its texts
// {component} and {version} are replaced.
type Bumps struct {
	// The branch of the one pull request for a component. Default bump-{component}.
	Branch string `yaml:"branch,omitempty" jsonschema:"pattern=^[A-Za-z0-9.-]*[{]component[}][A-Za-z0-9.-]*$"`
	// The title of the pull request and of its commit. Default ✨ Bump {component} to {version}.
	Title string `yaml:"title,omitempty" jsonschema:"pattern=[{]version[}]"`
	// Markdown at the beginning of the pull request's text.
	Body string `yaml:"body,omitempty" jsonschema:"minLength=1"`
	// Labels of the pull request. Default none.
	Labels []string `yaml:"labels,omitempty" jsonschema:"minLength=1,maxLength=50"`
}

// BranchFor returns the branch of a component's pull request.
func (b Bumps) BranchFor(component string) string {
	return strings.ReplaceAll(cmp.Or(b.Branch, "bump-{component}"), "{component}", component)
}

// TitleFor returns the title of the pull request that moves a component to a version.
func (b Bumps) TitleFor(component string, v ref.Version) string {
	return b.fill(cmp.Or(b.Title, "✨ Bump {component} to {version}"), component, v)
}

// BodyFor returns the beginning of that pull request's text. It may be empty.
func (b Bumps) BodyFor(component string, v ref.Version) string { return b.fill(b.Body, component, v) }

func (b Bumps) fill(text, component string, v ref.Version) string {
	return strings.NewReplacer("{component}", component, "{version}", v.String()).Replace(text)
}

// Component is a unit released by git tag from one repository.
type Component struct {
	// The GitHub repository (owner/name) that releases the component.
	Repository string `yaml:"repository" jsonschema:"pattern=^[\\w.-]+/[\\w.-]+$"`
	// Former names of the repository. Places that have them are found, and moved to the new name on request only.
	Formerly []string `yaml:"formerly,omitempty" jsonschema:"pattern=^[\\w.-]+/[\\w.-]+$"`
	// The form of its git tags, such as {version} or api/v{version}. Default v{version}.
	Tag string `yaml:"tag,omitempty" jsonschema:"pattern=^([A-Za-z0-9@][\\w./@+-]*)?[{]version[}]$"`
	// The folder of this repository in which goreleaser builds the component, with .goreleaser.yaml and usually go.mod.
	// Default: the root.
	Folder string `yaml:"folder,omitempty" jsonschema:"pattern=^[\\w@+-][\\w./@+-]*$"`
	// The workflow (owner/name/.github/workflows/file) that attests the releases, if it is in another repository.
	Signer string `yaml:"signer,omitempty" jsonschema:"pattern=^[\\w.-]+/[\\w.-]+/[.]github/workflows/[\\w.-]+$"`
	// The SPDX expression of the licence (https://spdx.org/licenses). Published charts contain it.
	License string `yaml:"license,omitempty" jsonschema:"minLength=1"`
	// Another component that always has the same version. References to this component are placeholders.
	Lockstep string `yaml:"lockstep,omitempty"`
	// The artifacts that a release publishes, by a name of your choice.
	Artifacts map[string]Artifact `yaml:"artifacts,omitempty"`
	// The files, as paths or patterns, that hold references of this component. Components of one repository whose files
	// are apart are groups: each has its own version. Default: all files.
	Files []string `yaml:"files,omitempty" jsonschema:"minLength=1"`
	// Identifiers whose value is a version of this component, each everywhere or, as a mapping with name and files, in
	// some files only.
	Names []string `yaml:"names,omitempty" jsonschema:"pattern=^[A-Za-z_][\\w.-]*$"`
	// Charts of this repository around this component's software, as paths or patterns of their folders. The appVersion
	// in their Chart.yaml is a version of this component.
	AppOf []string `yaml:"appOf,omitempty" jsonschema:"minLength=1"`
	// Further places that contain a version of this component.
	Patterns []Pattern `yaml:"patterns,omitempty"`
	// Whether a place that contains a release may move to a prerelease.
	Prereleases bool `yaml:"prereleases,omitempty"`
	// Whether every image of this component must be pinned by digest beside its tag.
	Digests bool `yaml:"digests,omitempty"`
	// Commands, without a shell, that derive files after the component's version has changed, such as go mod tidy.
	Derived []string `yaml:"derived,omitempty" jsonschema:"minLength=1"`

	NameFiles map[string][]string `yaml:"-"` // by name, if it holds in some files only
}

// Pattern finds a version in a form that is not built in.
type Pattern struct {
	// A regular expression (https://pkg.go.dev/regexp/syntax) with one named group, (?P<version>…), around the version.
	// It is multi-line: ^ and $ match at each line.
	Match string `yaml:"match" jsonschema:"minLength=1"`
	// A path or pattern of the files to search. Default all.
	Files string `yaml:"files,omitempty" jsonschema:"minLength=1"`
}

// Kind is the kind of an artifact.
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
	// The kind: a container image, a Helm chart, a Go module, or an asset of the GitHub release.
	Kind Kind `yaml:"kind" jsonschema:"enum=image,enum=chart,enum=module,enum=asset"`
	// The location of an image or chart in its registry, or the path of a module, without a tag. An image without a
	// registry is one of Docker Hub. A chart of a chart repository over https has a
	// scheme: https://host/path/name.
	At string `yaml:"at,omitempty" jsonschema:"pattern=^(https://)?[a-z0-9][a-z0-9.-]*((:[0-9]+)?(/[\\w.-]+)+)?$"`
	// HTTPS is set if the chart is in a chart repository over https. At has no scheme.
	HTTPS bool `yaml:"-"`
	// Former locations of an image, chart or module. Places that have them are found, and moved to the new location on
	// request only.
	Formerly []string `yaml:"formerly,omitempty" jsonschema:"pattern=^(https://)?[a-z0-9][a-z0-9.-]*((:[0-9]+)?(/[\\w.-]+)+)?$"`
	// The file name of an asset. {version} is replaced by the version.
	Name string `yaml:"name,omitempty" jsonschema:"pattern=^[A-Za-z0-9{][\\w.{}-]*$"`
	// The tag of the artifact. For a chart, it is also its version and appVersion. Default {version}.
	Tag string `yaml:"tag,omitempty" jsonschema:"enum={version},enum=v{version}"`
	// The version in Chart.yaml, if its form is not that of the tag. A release leaves a free one as it is.
	ChartVersion string `yaml:"version,omitempty" jsonschema:"enum={version},enum=v{version},enum=free"`
	// The appVersion in Chart.yaml, if its form is not that of the tag. A release leaves a free one as it is.
	AppVersion string `yaml:"appVersion,omitempty" jsonschema:"enum={version},enum=v{version},enum=free"`
	// For a chart around the software of another component: that component. The appVersion in Chart.yaml is a version
	// of it, which a bump moves and a release leaves as it is.
	App string `yaml:"app,omitempty"`
	// The path in this repository from which the artifact is made: a chart's folder or an asset's file.
	Source string `yaml:"source,omitempty" jsonschema:"pattern=^[\\w.][\\w./-]*$"`
	// For an asset: whether its source refers to nothing of this repository's release. Otherwise a source without
	// anything to stamp is an error.
	Static bool `yaml:"static,omitempty"`
	// For a chart of this repository: each chart in its Chart.yaml's dependencies, as location:tag@digest. helm
	// pins dependencies by tag only, and a tag may move.
	Dependencies []string `yaml:"dependencies,omitempty" jsonschema:"pattern=^[a-z0-9][a-z0-9.-]*(:[0-9]+)?(/[\\w.-]+)+:[\\w.-]+@sha256:[0-9a-f]{64}$"`
	// For a chart of this repository: paths or patterns of files with values. The chart is rendered with its own
	// values and with each of these files, and everything that it refers to must exist.
	Values []string `yaml:"values,omitempty" jsonschema:"minLength=1"`
	// For a chart: the artifacts of its component, or component/artifact, that its rendering must refer to. Each
	// has the version of its component that belongs to the release.
	Runs []string `yaml:"runs,omitempty" jsonschema:"pattern=^([a-z0-9][a-z0-9-]*/)?[a-z0-9][a-z0-9-]*$"`
	// For an image: texts with {version} in its files, such as an image that a program writes into a Deployment.
	Embeds []string `yaml:"embeds,omitempty" jsonschema:"pattern=[{]version[}]"`
	// For an image that its own repository does not build: how to build it.
	Build *Build `yaml:"build,omitempty"`
	// The platforms (os/architecture, or os/architecture/variant) that an image must have.
	Platforms []string `yaml:"platforms,omitempty" jsonschema:"pattern=^[a-z0-9]+/[a-z0-9]+(/[a-z0-9]+)?$"`
}

// Build describes how to build an image of another project's tool.
type Build struct {
	// The Go package in the component's repository that the image runs, such as ./cmd/tool.
	Package string `yaml:"package" jsonschema:"pattern=^[.](/[A-Za-z0-9_][\\w.-]*)*$"`
	// The Go module at the root of the repository. Its source comes from the module proxy. Default: the source of the
	// git tag.
	Module string `yaml:"module,omitempty" jsonschema:"pattern=^[A-Za-z0-9][\\w.~/-]*$"`
	// Arguments of go build's -ldflags, after -s -w. {version} is replaced by the version without a v.
	LDFlags []string `yaml:"ldflags,omitempty" jsonschema:"minLength=1"`
	// Other things in the tool, by name: their version for each version of the tool.
	Bundles Bundles `yaml:"bundles,omitempty"`
}

// Bundles are versions of other things, by name and by the version of the tool.
type Bundles map[string]map[string]string

// Bundled is a thing in a tool.
type Bundled struct {
	Name string `json:"name"`
	// Version is empty if delivery.yaml does not record it.
	Version string `json:"version,omitempty"`
}

// Of returns the things in a version of the tool, by name.
func (b Bundles) Of(v ref.Version) []Bundled {
	all := []Bundled{}
	for _, name := range slices.Sorted(maps.Keys(b)) {
		all = append(all, Bundled{name, b[name][v.String()]})
	}
	return all
}

// LDFlagsFor returns the arguments of the linker for a version.
func (b Build) LDFlagsFor(v ref.Version) []string {
	flags := []string{"-s", "-w"}
	for _, flag := range b.LDFlags {
		flags = append(flags, strings.ReplaceAll(flag, "{version}", v.String()))
	}
	return flags
}

// toolPlatforms are the platforms of an image that declares none.
var toolPlatforms = []string{"linux/amd64", "linux/arm64", "linux/ppc64le"}

// BuildPlatforms returns the platforms to build an image for.
func (a Artifact) BuildPlatforms() []string {
	if len(a.Platforms) == 0 {
		return slices.Clone(toolPlatforms)
	}
	return a.Platforms
}

// Level is the weight of a rule.
type Level string

// Warn has the findings of a rule printed as warnings.
const Warn Level = "warn"

// Rule changes the level of one rule, for a reason.
type Rule struct {
	// warn: print the findings of the rule, and do not fail because of them.
	Level Level `yaml:"level" jsonschema:"enum=warn"`
	// The reason.
	Because string `yaml:"because" jsonschema:"minLength=1"`
}

// Excuse leaves references alone, for a reason. It has at least one condition, and
// covers the references that meet all of them.
type Excuse struct {
	// A path or a pattern of files (* within a folder; a folder ends in /).
	Files string `yaml:"files,omitempty" jsonschema:"minLength=1"`
	// A regular expression that the line matches.
	Pattern string `yaml:"pattern,omitempty" jsonschema:"minLength=1"`
	// The component that the reference names.
	Component string `yaml:"component,omitempty" jsonschema:"minLength=1"`
	// A target that need not exist, as verify prints it: an image or chart with its tag, or the URL of a file.
	Target string `yaml:"target,omitempty" jsonschema:"minLength=1"`
	// The reason.
	Because string `yaml:"because" jsonschema:"minLength=1"`
}

// Treatment is a way to decide about the references of files.
type Treatment struct {
	// A path or a pattern of files (* within a folder; a folder ends in /).
	Files string `yaml:"files" jsonschema:"minLength=1"`
	// history: the files are about the past, and their references are left alone. rendered: the commands of derived
	// write the files, and no edit does. links: the links of the files to a file, folder or page of a release follow.
	As string `yaml:"as" jsonschema:"enum=history,enum=rendered,enum=links"`
	// The reason.
	Because string `yaml:"because" jsonschema:"minLength=1"`
}

// The treatments of files.
const (
	AsHistory  = "history"
	AsRendered = "rendered"
	AsLinks    = "links"
)

// TagFor returns the tag of the artifact at a version.
func (a Artifact) TagFor(v ref.Version) string { return filled(cmp.Or(a.Tag, "{version}"), v) }

func filled(form string, v ref.Version) string {
	return strings.ReplaceAll(form, "{version}", v.String())
}

// Free is the form of a version that a release leaves as it is.
const Free = "free"

// ChartForms returns the forms of the version and the appVersion in the Chart.yaml of our own chart.
func (f *File) ChartForms(a Artifact) (version, app string) {
	tag := cmp.Or(a.Tag, "{version}")
	version, app = cmp.Or(a.ChartVersion, tag), cmp.Or(a.AppVersion, tag)
	if _, others := f.AppOf(path.Clean(a.Source)); others {
		app = Free
	}
	return version, app
}

// ChartVersions returns the version and the appVersion that our own chart must have, if it has the given ones. A
// library chart needs no appVersion.
func (f *File) ChartVersions(
	a Artifact, v ref.Version, version, app string, library bool,
) (wantVersion, wantApp string) {
	versionForm, appForm := f.ChartForms(a)
	if versionForm != Free {
		version = filled(versionForm, v)
	}
	if appForm != Free && !(library && app == "") {
		app = filled(appForm, v)
	}
	if other, ok := f.AppOf(path.Clean(a.Source)); ok && app != "" {
		if _, err := ref.ParseVersion(app); err != nil {
			app = "a version of " + other
		}
	}
	return version, app
}

// AppOf returns the component of another's software that the chart in a folder is around. The appVersion in its
// Chart.yaml is a version of that component.
func (f *File) AppOf(dir string) (component string, ok bool) {
	if own, artifact, ok := f.ChartAt(dir); ok && f.Components[own].Artifacts[artifact].App != "" {
		return f.Components[own].Artifacts[artifact].App, true
	}
	for _, name := range f.Names() {
		if slices.ContainsFunc(f.Components[name].AppOf, func(pattern string) bool {
			match, err := path.Match(path.Clean(pattern), dir)
			return match && err == nil && f.Components[name].Holds(dir+"/Chart.yaml")
		}) {
			return name, true
		}
	}
	return "", false
}

// Dependency returns the recorded digest of the chart at a location and tag, or "" if
// there is none. It returns an error if only another tag of the chart is recorded.
func (a Artifact) Dependency(at, tag string) (digest string, err error) {
	for _, d := range a.Dependencies {
		pin, digest, _ := strings.Cut(d, "@")
		recorded, found := strings.CutPrefix(pin, at+":")
		if found && recorded == tag {
			return digest, nil
		}
		if found {
			err = fmt.Errorf("%s records %s, and the chart depends on version %s of it: "+
				"write the same version in both places, with the digest that belongs to it", FileName, d, tag)
		}
	}
	return "", err
}

// Run returns the component and the artifact that an entry of Runs names in a release
// of the component.
func Run(component, entry string) (string, string) {
	if other, artifact, ok := strings.Cut(entry, "/"); ok {
		return other, artifact
	}
	return component, entry
}

// Where returns the artifact's location and tag at a version, or the name of an asset.
func (a Artifact) Where(v ref.Version) string {
	if a.Kind == Asset {
		return a.AssetName(v)
	}
	return a.Location() + ":" + a.TagFor(v)
}

// AssetName returns the file name of an asset at a version.
func (a Artifact) AssetName(v ref.Version) string {
	return strings.ReplaceAll(a.Name, "{version}", v.String())
}

// HasV reports whether the artifact's tag begins with "v".
func (a Artifact) HasV() bool { return strings.HasPrefix(a.Tag, "v") || a.Kind == Module }

// ReleaseBranches returns the patterns of the branches that release besides the default branch.
func (f *File) ReleaseBranches() []string {
	if len(f.Branches) == 0 {
		return []string{"release-*"}
	}
	return f.Branches
}

// Own returns the component to release.
func (f *File) Own() Component { return f.Components[f.Self] }

// Names returns the names of the components, sorted.
func (f *File) Names() []string { return slices.Sorted(maps.Keys(f.Components)) }

// Component returns a component by name. The error lists the declared names, and
// suggests the most similar one.
func (f *File) Component(name string) (Component, error) {
	c, ok := f.Components[name]
	if ok {
		return c, nil
	}
	did := ""
	if similar := similar(name, f.Names()); similar != "" {
		did = "; did you mean " + similar + "?"
	}
	return Component{}, fmt.Errorf("component %+q is not declared in %s, which has %s%s",
		ref.Shorten(name), FileName, strings.Join(f.Names(), ", "), did)
}

// similar returns the known name that is at most two typing errors away, or
// contains the given one.
func similar(name string, names []string) string {
	const most = 2
	if len(name) <= most || len(name) > 100 {
		return ""
	}
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

// ArtifactNames returns the names of the component's artifacts, sorted.
func (c Component) ArtifactNames() []string { return slices.Sorted(maps.Keys(c.Artifacts)) }

// OfKind returns the names of the component's artifacts of one kind, sorted.
func (c Component) OfKind(k Kind) []string {
	return slices.DeleteFunc(c.ArtifactNames(), func(n string) bool { return c.Artifacts[n].Kind != k })
}

// Built returns the component's image that its own repository does not build, if there is one.
func (c Component) Built() (Artifact, bool) {
	for _, name := range c.ArtifactNames() {
		if a := c.Artifacts[name]; a.Build != nil {
			return a, true
		}
	}
	return Artifact{}, false
}

// ChartAt returns the repository's own chart whose source is a folder, and its component.
func (f *File) ChartAt(dir string) (component, artifact string, ok bool) {
	for _, component := range f.Selves {
		for name, a := range f.Components[component].Artifacts {
			if a.Kind == Chart && a.Source != "" && path.Clean(a.Source) == dir {
				return component, name, true
			}
		}
	}
	return "", "", false
}

// Locate returns the component and the artifact at a location such as
// ghcr.io/kubestellar/ocm-status-addon.
func (f *File) Locate(at string) (component, artifact string, ok bool) {
	at = imageAt(at)
	for _, component := range f.Names() {
		for name, a := range f.Components[component].Artifacts {
			if imageAt(a.At) == at {
				return component, name, true
			}
		}
	}
	return "", "", false
}
