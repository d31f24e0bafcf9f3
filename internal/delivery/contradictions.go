package delivery

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"regexp/syntax"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"
	"golang.org/x/mod/module"

	"github.com/kubestellar/actions/internal/ref"
)

// plainName matches the names of components and artifacts, which become names of files.
var plainName = regexp.MustCompile(`^[a-z0-9][a-z0-9-]*$`)

// contradictions returns the problems that a schema cannot express: names that are not
// declared, and artifacts without a key that their kind needs.
func (d document) contradictions(f *File) []error {
	errs := d.selfContradictions(f)
	components := child(d.root, "components")
	for _, name := range f.Names() {
		if !plainName.MatchString(name) {
			errs = append(errs, d.problem(child(components, name),
				"component %q: want a name of lower-case letters, digits and dashes", name))
		}
		errs = append(errs, d.componentContradictions(f, f.Components[name], child(components, name))...)
	}
	errs = append(errs, d.bumpsContradictions(f.Bumps)...)
	errs = append(errs, d.ruleContradictions(f)...)
	errs = append(errs, d.excuseContradictions(f)...)
	errs = append(errs, d.sharedTags(f, components)...)
	return append(errs, d.sharedLocations(f, components)...)
}

// RuleNames are the rules whose level can be set.
var RuleNames = []string{
	"agreement", "dependency", "digest", "idle", "idle-excuse", "latest", "lock", "looks-like", "self-reference",
	"unexpanded", "v-prefix",
}

// issueNumber matches the number of an issue, which GitHub turns into a link, even in titles.
var issueNumber = regexp.MustCompile(`#[0-9]`)

func (d document) bumpsContradictions(b Bumps) []error {
	var errs []error
	at := child(d.root, "bumps")
	// https://git-scm.com/docs/git-check-ref-format
	name := b.BranchFor("x")
	if strings.HasPrefix(name, "-") || strings.HasPrefix(name, ".") || strings.Contains(name, "..") ||
		strings.HasSuffix(name, ".") || strings.HasSuffix(name, ".lock") {
		errs = append(errs, d.problem(child(at, "branch"), "bumps: git refuses a branch named %q: "+
			"want letters, digits, dashes and single dots, with a letter or digit at both ends", b.Branch))
	}
	if issueNumber.MatchString(b.Title) || strings.ContainsAny(b.Title, "\r\n") {
		errs = append(errs, d.problem(child(at, "title"),
			"bumps: title %q: want one line, without the number of an issue", b.Title))
	}
	return errs
}

func (d document) ruleContradictions(f *File) []error {
	var errs []error
	rules := child(d.root, "rules")
	for _, name := range slices.Sorted(maps.Keys(f.Rules)) {
		if !slices.Contains(RuleNames, name) {
			errs = append(errs, d.problem(child(rules, name),
				"rules: %q: want a rule whose level can be set: %s", name, strings.Join(RuleNames, ", ")))
		}
	}
	return errs
}

func (d document) excuseContradictions(f *File) []error {
	var errs []error
	for i, e := range f.Ignore {
		at := child(child(d.root, "ignore"), strconv.Itoa(i))
		if e.Files == "" && e.Pattern == "" && e.Component == "" && e.Target == "" {
			errs = append(errs, d.problem(at,
				"ignore: the entry has no condition: want files, a pattern, a component or a target"))
		}
		if _, ok := f.Components[e.Component]; e.Component != "" && !ok {
			errs = append(errs, d.problem(child(at, "component"),
				"ignore: component %q is not declared under components", e.Component))
		}
		if _, err := regexp.Compile(e.Pattern); err != nil {
			errs = append(errs, d.problem(child(at, "pattern"), "ignore: %v", err))
		}
		if _, err := path.Match(e.Files, ""); err != nil {
			errs = append(errs, d.problem(child(at, "files"), "ignore: files %q: %v", e.Files, err))
		}
	}
	for i, t := range f.Treat {
		if _, err := path.Match(t.Files, ""); err != nil {
			at := child(child(d.root, "treat"), strconv.Itoa(i))
			errs = append(errs, d.problem(child(at, "files"), "treat: files %q: %v", t.Files, err))
		}
	}
	return errs
}

func (d document) patternContradictions(c Component, at *yaml.Node) []error {
	var errs []error
	for i, p := range c.Patterns {
		node := child(child(at, "patterns"), strconv.Itoa(i))
		if err := checkPattern(p.Match); err != nil {
			errs = append(errs, d.problem(child(node, "match"), "patterns: %v", err))
		}
		if _, err := path.Match(p.Files, ""); err != nil {
			errs = append(errs, d.problem(child(node, "files"), "patterns: files %q: %v", p.Files, err))
		}
	}
	return errs
}

// checkPattern checks that a regular expression has a group for the version, and no other named group.
func checkPattern(match string) error {
	expression, err := regexp.Compile(multiLine + match)
	if err != nil {
		return err
	}
	named := slices.DeleteFunc(expression.SubexpNames(), func(n string) bool { return n == "" })
	if !slices.Equal(named, []string{VersionGroup}) {
		return fmt.Errorf("%q has the named groups %q, want (?P<%s>…) around the version, and no other",
			match, named, VersionGroup)
	}
	return nil
}

// VersionGroup is the named group of a pattern.
const VersionGroup = "version"

// multiLine has ^ and $ match at each line.
const multiLine = "(?m)"

// Expression returns the regular expression of a pattern that loading has checked. Its $ also matches before \r\n.
func (p Pattern) Expression() *regexp.Regexp {
	tree, err := syntax.Parse(multiLine+p.Match, syntax.Perl)
	if err != nil {
		panic(err)
	}
	anyLineEnd(tree)
	return regexp.MustCompile(tree.String())
}

// anyLineEnd replaces each $ in an expression.
func anyLineEnd(re *syntax.Regexp) {
	for i, sub := range re.Sub {
		if sub.Op == syntax.OpEndLine {
			carriageReturn := &syntax.Regexp{Op: syntax.OpLiteral, Rune: []rune{'\r'}}
			optional := &syntax.Regexp{Op: syntax.OpQuest, Sub: []*syntax.Regexp{carriageReturn}}
			re.Sub[i] = &syntax.Regexp{Op: syntax.OpConcat, Sub: []*syntax.Regexp{optional, sub}}
		}
		anyLineEnd(sub)
	}
}

func (d document) componentContradictions(f *File, c Component, at *yaml.Node) []error {
	var errs []error
	if _, ok := f.Components[c.Lockstep]; c.Lockstep != "" && !ok {
		errs = append(errs, d.problem(child(at, "lockstep"),
			"lockstep: component %q is not declared under components", c.Lockstep))
	}
	errs = append(errs, d.patternContradictions(c, at)...)
	errs = append(errs, d.appContradictions(f, c, at)...)
	errs = append(errs, d.groupContradictions(f, c, at)...)
	errs = append(errs, d.runContradictions(f, c, at)...)
	errs = append(errs, d.buildContradictions(c, at)...)
	artifacts := child(at, "artifacts")
	assets := map[string]string{}
	for _, name := range c.ArtifactNames() {
		a := c.Artifacts[name]
		if !plainName.MatchString(name) {
			errs = append(errs, d.problem(child(artifacts, name),
				"artifact %q: want a name of lower-case letters, digits and dashes", name))
		}
		if other, taken := assets[a.Name]; taken && a.Name != "" {
			errs = append(errs, d.problem(child(child(artifacts, name), "name"),
				"asset %q is named %s, and so is %q: two assets cannot share a name", name, a.Name, other))
		}
		assets[a.Name] = name
		if a.Kind == Asset && a.Name == "" {
			errs = append(errs, d.problem(child(artifacts, name), "artifact %q is an asset and needs a name", name))
		}
		if len(a.Dependencies) > 0 && (a.Kind != Chart || a.Source == "") {
			errs = append(errs, d.problem(child(child(artifacts, name), "dependencies"),
				"artifact %q has dependencies, want them at a chart with a source only", name))
		}
		errs = append(errs, d.kindContradictions(name, a, child(artifacts, name))...)
		if a.Kind != Asset && a.At == "" {
			errs = append(errs, d.problem(child(artifacts, name),
				"artifact %q is of kind %s and needs at: its location", name, a.Kind))
		}
	}
	return errs
}

// kindContradictions returns the keys that only have a meaning for another kind.
func (d document) kindContradictions(name string, a Artifact, at *yaml.Node) []error {
	var errs []error
	if len(a.Values) > 0 && (a.Kind != Chart || a.Source == "") {
		errs = append(errs, d.problem(child(at, "values"),
			"artifact %q has values, want them at a chart with a source only", name))
	}
	switch isOwn := a.Source != ""; {
	case a.HTTPS && (a.Kind != Chart || isOwn):
		errs = append(errs, d.problem(child(at, "at"), "artifact %q is at %s%s, want that at a chart without a source "+
			"only: a release publishes charts to registries", name, HTTPS, a.At))
	case a.Kind == Chart && a.At != "" && !strings.Contains(a.At, "/"):
		errs = append(errs, d.problem(child(at, "at"), "artifact %q is at %q, want registry/path", name, a.At))
	}
	if a.Static && (a.Kind != Asset || a.Source == "") {
		errs = append(errs, d.problem(child(at, "static"),
			"artifact %q is static, want that at an asset with a source only", name))
	}
	if len(a.Runs) > 0 && a.Kind != Chart {
		errs = append(errs, d.problem(child(at, "runs"), "artifact %q has runs, want them at a chart only", name))
	}
	if len(a.Embeds) > 0 && a.Kind != Image {
		errs = append(errs, d.problem(child(at, "embeds"), "artifact %q has embeds, want them at an image only", name))
	}
	for i, pattern := range a.Values {
		if _, err := path.Match(pattern, ""); err != nil {
			errs = append(errs, d.problem(child(child(at, "values"), strconv.Itoa(i)), "values %q: %v", pattern, err))
		}
	}
	return errs
}

// groupContradictions returns the files of a component that may be those of another group as well.
func (d document) groupContradictions(f *File, c Component, at *yaml.Node) []error {
	var errs []error
	for i, pattern := range c.Files {
		if _, err := path.Match(pattern, ""); err != nil {
			errs = append(errs, d.problem(child(child(at, "files"), strconv.Itoa(i)), "files: %q: %v", pattern, err))
		}
	}
	for _, name := range f.Names() {
		other := f.Components[name]
		same := other.Repository == c.Repository && at != child(child(d.root, "components"), name)
		if same && len(c.Files) > 0 && len(other.Files) > 0 && !c.apart(other) {
			errs = append(errs, d.problem(child(at, "files"),
				"files: a file may be one of %s as well, of the same repository: want files that are apart", name))
		}
	}
	return errs
}

// appContradictions returns the charts whose appVersion cannot be a version of the declared component.
func (d document) appContradictions(f *File, c Component, at *yaml.Node) []error {
	var errs []error
	for i, dir := range c.AppOf {
		if _, err := path.Match(dir, ""); err != nil {
			errs = append(errs, d.problem(child(child(at, "appOf"), strconv.Itoa(i)), "appOf: %q: %v", dir, err))
		}
	}
	for _, name := range c.ArtifactNames() {
		a, node := c.Artifacts[name], child(child(at, "artifacts"), name)
		_, declared := f.Components[a.App]
		own, _, _ := f.ChartAt(path.Clean(a.Source))
		switch {
		case a.Kind != Chart && a.ChartVersion+a.AppVersion+a.App != "":
			errs = append(errs, d.problem(node,
				"artifact %q has a version, appVersion or app, want them at a chart only", name))
		case a.App != "" && a.AppVersion != "":
			errs = append(errs, d.problem(child(node, "app"),
				"artifact %q has an app and an appVersion: want one of them", name))
		case a.App != "" && (!declared || f.IsOwn(a.App) && (own == "" || f.OwnOf(a.App) == own)):
			errs = append(errs, d.problem(child(node, "app"),
				"app: %q is not another component that is declared under components", a.App))
		}
	}
	return errs
}

// runContradictions returns the entries of runs that do not name an image or a chart.
func (d document) runContradictions(f *File, c Component, at *yaml.Node) []error {
	var errs []error
	for _, name := range c.ArtifactNames() {
		for i, entry := range c.Artifacts[name].Runs {
			artifacts := c.Artifacts
			other, artifact := Run("", entry)
			if other != "" {
				artifacts = f.Components[other].Artifacts
			}
			if kind := artifacts[artifact].Kind; kind != Image && kind != Chart {
				node := child(child(child(child(at, "artifacts"), name), "runs"), strconv.Itoa(i))
				errs = append(errs, d.problem(node,
					"runs: %q is not an image or chart that is declared under components", entry))
			}
		}
	}
	return errs
}

// buildContradictions returns the images that cannot be built as declared.
func (d document) buildContradictions(c Component, at *yaml.Node) []error {
	var errs []error
	first := ""
	for _, name := range c.ArtifactNames() {
		a := c.Artifacts[name]
		if a.Build == nil {
			continue
		}
		node := child(child(child(at, "artifacts"), name), "build")
		if a.Kind != Image {
			errs = append(errs, d.problem(node, "artifact %q has a build, want one at an image only", name))
		}
		if first != "" {
			errs = append(errs, d.problem(node,
				"artifact %q has a build, and so has %q: want one in each component", name, first))
		}
		if a.Build.Module != "" && module.CheckPath(a.Build.Module) != nil {
			errs = append(errs, d.problem(child(node, "module"), "build: %v", module.CheckPath(a.Build.Module)))
		}
		errs = append(errs, d.bundleContradictions(a.Build.Bundles, child(node, "bundles"))...)
		first = name
	}
	return errs
}

// bundleContradictions returns the versions that no version of the tool equals.
func (d document) bundleContradictions(b Bundles, at *yaml.Node) []error {
	var errs []error
	for _, name := range slices.Sorted(maps.Keys(b)) {
		for _, version := range slices.Sorted(maps.Keys(b[name])) {
			if v, err := ref.ParseVersion(version); err != nil || v.String() != version {
				errs = append(errs, d.problem(child(child(at, name), version),
					"bundles: %q is not a version of the tool, want one such as 1.2.3, without a v", version))
			}
		}
	}
	return errs
}

// sharedLocations returns the artifacts at a location of another one, and the repositories that are the former one of
// another component. A reference to such a name would be ambiguous.
func (d document) sharedLocations(f *File, components *yaml.Node) []error {
	var errs []error
	owners, repositories := map[string][]string{}, map[string]bool{}
	for _, component := range f.Names() {
		c := f.Components[component]
		repositories[c.Repository] = true
		for _, name := range c.ArtifactNames() {
			node := child(child(child(components, component), "artifacts"), name)
			for i, at := range append([]string{c.Artifacts[name].At}, c.Artifacts[name].Formerly...) {
				place := child(node, "at")
				if i > 0 {
					place = child(child(node, "formerly"), strconv.Itoa(i-1))
				}
				for _, other := range owners[at] {
					if group, _, _ := strings.Cut(other, "/"); at != "" && !f.Components[group].apart(c) {
						errs = append(errs, d.problem(place, "%s/%s is published there, and so is %s: "+
							"want one artifact at a location, or files that are apart", component, name, other))
					}
				}
				owners[at] = append(owners[at], component+"/"+name)
			}
		}
	}
	for _, component := range f.Names() {
		for i, former := range f.Components[component].Formerly {
			if repositories[former] {
				errs = append(errs, d.problem(child(child(child(components, component), "formerly"), strconv.Itoa(i)),
					"formerly: %s is the repository of a component now: want former names only", former))
			}
			repositories[former] = true
		}
	}
	return errs
}
