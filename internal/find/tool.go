package find

import (
	"path"
	"regexp"
	"strings"

	"github.com/kubestellar/actions/internal/ref"
)

// installKeys are the inputs of an action that hold the version of what it installs.
var installKeys = []string{"with.version", "with.tag", "with.release"}

// installAffix matches the part of an action's name that is not the name of its tool.
var installAffix = regexp.MustCompile(`^(?:setup|install|run)-|-(?:gh-|github-)?(?:action|installer|setup|install)$`)

// action finds the version that an action installs: `version` below `with`, beside
// `uses: OWNER/setup-NAME@v2`. An action with the very name of the component may take the
// version of something else, unless that is the action's own.
func action(f *Finder, t *text, n needle, start, end int) {
	if before := at(t.data, start-1); before != '/' && before != '-' || !usesLine.Match(t.before(start)) {
		return
	}
	s := lineStart(t.data, start)
	k, ok := t.keyAt(s)
	if !ok || k.name != "uses" || start >= k.value.End {
		return
	}
	name, version, _ := strings.Cut(string(t.data[k.value.Start:k.value.End]), "@")
	m := t.block(k, s)
	tool := installAffix.ReplaceAllString(path.Base(name), "")
	if tool != n.word || len(f.called(tool)) != 1 {
		return
	}
	r := ref.Reference{Component: n.component}
	for _, key := range installKeys {
		bare := strings.TrimPrefix(m.text(t, key), "v")
		if tool != path.Base(name) || bare == strings.TrimPrefix(version, "v") {
			t.addBeside(m, r, []string{key})
		}
	}
}

// called returns the components that have a name.
func (f *Finder) called(name string) []string {
	var all []string
	for _, a := range f.aliases {
		if a.word == plainName(name) {
			all = append(all, a.component)
		}
	}
	return all
}

// registryNames match the repositories of Terraform's modules and providers. The registry
// names them OWNER/NAME/PROVIDER and OWNER/NAME:
// https://developer.hashicorp.com/terraform/registry/modules/publish
var registryNames = regexp.MustCompile(`^([^/]+)/terraform-(?:provider-(.+)|([a-z0-9]+)-(.+))$`)

// registryName returns the name of a repository in Terraform's registry, or "".
func registryName(repository string) string {
	match := registryNames.FindStringSubmatch(repository)
	switch {
	case match == nil:
		return ""
	case match[2] != "":
		return match[1] + "/" + match[2]
	}
	return match[1] + "/" + match[4] + "/" + match[3]
}

var registryBefore = regexp.MustCompile(`^(?:registry\.(?:terraform\.io|opentofu\.org)/)?$`)

// registered finds the version beside a name of Terraform's registry.
func registered(_ *Finder, t *text, n needle, start, end int) {
	m := t.enclosed(start, end)
	value := m["source"]
	if m == nil || start < value.Start || value.End < end || !registryBefore.Match(t.data[value.Start:start]) {
		return
	}
	if end == value.End || string(t.data[end:min(end+2, value.End)]) == "//" {
		t.addBeside(m, ref.Reference{Component: n.component}, []string{"version"})
	}
}
