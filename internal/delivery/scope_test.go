package delivery

import (
	"slices"
	"testing"
)

func TestCovers(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		pattern, name string
		want          bool
	}{
		{"docs/", "docs/a/b.md", true}, {"docs/", "docs", false}, {"docs/", "a/docs/b.md", false},
		{"charts/*/rendered/", "charts/a/rendered/x/y.yaml", true}, {"charts/*/rendered/", "charts/a/b/rendered/y.yaml", false},
		{"*.md", "docs/a.md", true}, {"docs/*.md", "docs/a/b.md", false},
	} {
		if got := Covers(test.pattern, test.name); got != test.want {
			t.Errorf("Covers(%q, %q) = %t", test.pattern, test.name, got)
		}
	}
}

func TestDisjoint(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		a, b string
		want bool
	}{
		{"clusters/staging/", "clusters/production/", true}, {"clusters/", "clusters/production/", false},
		{"clusters/*/", "clusters/a/", false}, {"lines/1.*/", "lines/2.*/", true}, {"lines/1*/", "lines/1.2/", false},
		{"staging.env", "production.env", true}, {"*-staging.env", "*-production.env", true}, {"a*.env", "*b.env", false},
		{"staging/", "production.env", false}, {"x/staging.env", "production.env", true}, {"x/a.env", "*.env", false},
		{"a/b.env", "a/b/", true}, {"a/b/c.env", "a/b/", false}, {"a/b.env", "a/b/c.env", true},
	} {
		for _, got := range []bool{disjoint(test.a, test.b), disjoint(test.b, test.a)} {
			if got != test.want {
				t.Errorf("disjoint(%q, %q) = %t", test.a, test.b, got)
			}
		}
	}
}

func TestGroups(t *testing.T) {
	t.Parallel()
	f := &File{Components: map[string]Component{
		"a-staging": {Repository: "o/a", Files: []string{"staging/"}}, "a-production": {Repository: "o/a", Files: []string{"production/"}},
		"b": {Repository: "o/b"},
	}}
	for _, test := range []struct {
		name, repository string
		want             []string
	}{
		{"a", "", []string{"a-production", "a-staging"}}, {"z", "O/A", []string{"a-production", "a-staging"}},
		{"a-staging", "o/a", []string{"a-staging"}}, {"b", "o/b", []string{"b"}}, {"c", "o/b", []string{"c"}},
	} {
		if got := f.Groups(test.name, test.repository); !slices.Equal(got, test.want) {
			t.Errorf("Groups(%q, %q) = %q, want %q", test.name, test.repository, got, test.want)
		}
	}
}
