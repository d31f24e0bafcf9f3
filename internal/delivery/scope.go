package delivery

import (
	"path"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Covers reports whether a pattern matches a file: its path, a folder above it (with a slash at the end), or, if the
// pattern has no slash, its base name.
func Covers(pattern, name string) bool {
	if strings.HasSuffix(pattern, "/") {
		parts := strings.SplitAfter(name, "/")
		name = strings.Join(parts[:min(strings.Count(pattern, "/"), len(parts))], "")
	} else if !strings.Contains(pattern, "/") {
		name = path.Base(name)
	}
	ok, err := path.Match(pattern, name)
	return ok && err == nil
}

// CoversAny reports whether one of some patterns matches a file. No patterns match all files.
func CoversAny(patterns []string, name string) bool {
	return len(patterns) == 0 || slices.ContainsFunc(patterns, func(p string) bool { return Covers(p, name) })
}

// Holds reports whether references of a file may be those of the component.
func (c Component) Holds(file string) bool { return CoversAny(c.Files, file) }

// Groups returns the component of a name or, if there is none, the groups of the repository that is named like this or
// that sent a dispatch. Without any, it returns the name.
func (f *File) Groups(name, repository string) []string {
	var all []string
	if _, declared := f.Components[name]; !declared {
		all = slices.DeleteFunc(f.Names(), func(n string) bool {
			c := f.Components[n]
			return len(c.Files) == 0 || path.Base(c.Repository) != name && !strings.EqualFold(c.Repository, repository)
		})
	}
	if len(all) == 0 {
		return []string{name}
	}
	return all
}

// apart reports whether no file can be in the scopes of both components.
func (c Component) apart(other Component) bool {
	overlaps := func(a string) bool {
		return slices.ContainsFunc(other.Files, func(b string) bool { return !disjoint(a, b) })
	}
	return len(c.Files) > 0 && len(other.Files) > 0 && !slices.ContainsFunc(c.Files, overlaps)
}

// disjoint reports whether no file can match both of two patterns. It compares the parts of their paths.
func disjoint(a, b string) bool {
	as, bs := strings.Split(a, "/"), strings.Split(b, "/")
	switch base := len(as) == 1 || len(bs) == 1; {
	case base && (strings.HasSuffix(a, "/") || strings.HasSuffix(b, "/")):
		return false
	case base:
		as, bs = as[len(as)-1:], bs[len(bs)-1:]
	case !strings.HasSuffix(a, "/") && !strings.HasSuffix(b, "/") && len(as) != len(bs):
		return true
	case len(as) > len(bs) && !strings.HasSuffix(b, "/"), len(bs) > len(as) && !strings.HasSuffix(a, "/"):
		return true // a file cannot be above a folder
	}
	for i := range min(len(as), len(bs)) {
		if as[i] != "" && bs[i] != "" && differ(as[i], bs[i]) {
			return true
		}
	}
	return false
}

// differ reports whether no name can match both of two patterns, by their literal beginnings and ends.
func differ(a, b string) bool {
	const special = `*?[\`
	if !strings.ContainsAny(a, special) && !strings.ContainsAny(b, special) {
		return a != b
	}
	begin := func(s string) string {
		if i := strings.IndexAny(s, special); i >= 0 {
			return s[:i]
		}
		return s
	}
	end := func(s string) string { return s[strings.LastIndexAny(s, special+"]")+1:] }
	unlike := func(a, b string, in func(s, part string) bool) bool { return !in(a, b) && !in(b, a) }
	return unlike(begin(a), begin(b), strings.HasPrefix) || unlike(end(a), end(b), strings.HasSuffix)
}

// UnmarshalYAML accepts a mapping with a name and its files in the list of names.
func (c *Component) UnmarshalYAML(node *yaml.Node) error {
	type plain Component
	copied := *node
	copied.Content = slices.Clone(node.Content)
	scopes := map[string][]string{}
	for i := 0; i+1 < len(copied.Content); i += 2 {
		if copied.Content[i].Value != "names" {
			continue
		}
		names := *copied.Content[i+1]
		names.Content = slices.Clone(names.Content)
		for k, item := range names.Content {
			var scoped struct {
				Name  string   `yaml:"name"`
				Files []string `yaml:"files"`
			}
			if item.Kind == yaml.MappingNode && item.Decode(&scoped) == nil {
				names.Content[k] = child(item, "name")
				scopes[scoped.Name] = append(scopes[scoped.Name], scoped.Files...)
			}
		}
		copied.Content[i+1] = &names
	}
	err := copied.Decode((*plain)(c))
	c.NameFiles = scopes
	return err
}
