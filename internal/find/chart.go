package find

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/ref"
)

// sources are the folders of charts that the alias of a chart repository names.
type sources map[string][]string

func (s sources) add(alias, folder string) {
	if !slices.Contains(s[alias], folder) {
		s[alias] = append(s[alias], folder)
	}
}

// namedChart is a chart that a text names with the alias of its repository. Its version is at an offset, or beside it.
type namedChart struct {
	needle
	alias   string
	version int
	beside  mapping
}

// chartFolder finds a chart by its folder: in a mapping beside its name, as in the dependencies of a Chart.yaml, or in
// a command with --repo. It records the aliases that stand for the folder.
func chartFolder(_ *Finder, t *text, n needle, start, end int) {
	end = t.skip(slashAt, end)
	if !t.is(n.word, start, start+len(n.word)) || !t.starts(start) || !t.ends(end) {
		return
	}
	r := ref.Reference{Component: n.component, Artifact: n.artifact}
	m := t.mapping(start, end)
	name := m.text(t, "chart")
	if name == "" {
		name = m.text(t, "name")
	}
	switch alias := t.aliasOf(start, m); {
	case name == n.chart:
		t.addBeside(m, r, m.chartKeys())
	case alias != "":
		t.sources.add(alias, n.word)
	case m == nil && repoOption.Match(t.before(start)):
		for _, scope := range t.scopes(start, end) {
			if t.takesChart(scope, n.chart) {
				r.Syntax = ref.Option
				t.add(t.option(start, end), r)
				return
			}
		}
	}
}

// chartKeys returns the keys for the version of a chart in a mapping. Beside chart_version, the key version belongs to
// the module of Terraform around it.
func (m mapping) chartKeys() []string {
	for _, key := range []string{"chart_version", "chartVersion"} {
		if _, ok := m[key]; ok {
			return []string{key}
		}
	}
	return versionKeys
}

var (
	repoOption = regexp.MustCompile(`--repo(?:=|["',\s\\]+)["']?(?:https?://)?$`)
	// addedAs matches the beginning of helm repo add up to a URL, and of an entry ALIAS=URL of ct.yaml.
	addedAs = regexp.MustCompile(`(?:\brepo[\s"',\\]+add[\s"',\\]+(?:--?[a-z][^\s"',]*[\s"',\\]+)*` +
		`|^[ \t]*-[ \t]+["']?)([A-Za-z0-9][A-Za-z0-9._-]*)(?:[\s"',\\]+|=)(?:https?|oci)://$`)
	// isHelmSource matches Flux's HelmRepository, and helmSource its name.
	isHelmSource = regexp.MustCompile(`(?m)^kind:[ \t]*["']?HelmRepository\b`)
	helmSource   = regexp.MustCompile(`(?m)^metadata:[ \t]*\r?\n(?:(?:[ \t#].*)?\r?\n)*?[ \t]+name:[ \t]*["']?` +
		`([A-Za-z0-9._-]+)`)
)

// aliasOf returns the alias that a text gives to the repository at an offset, or "".
func (t *text) aliasOf(start int, m mapping) string {
	scope := t.command(start, start)
	if match := addedAs.FindSubmatch(t.data[scope.Start:start]); match != nil {
		return string(match[1])
	}
	if m == nil || m.keyAt(start) != "url" {
		return ""
	}
	in := t.document(start)
	document := t.data[in.Start:in.End]
	if !isHelmSource.Match(document) {
		return m.text(t, "name")
	}
	if match := helmSource.FindSubmatch(document); match != nil {
		return string(match[1])
	}
	return ""
}

// document returns the span of the YAML document around an offset.
func (t *text) document(i int) ref.Span {
	mark := []byte("\n---")
	start := bytes.LastIndex(t.data[:i], mark) + 1
	if end := bytes.Index(t.data[i:], mark); end >= 0 {
		return ref.Span{Start: start, End: i + end}
	}
	return ref.Span{Start: start, End: len(t.data)}
}

// takesChart reports whether the last name in a command before an option or its end is that of a chart. A name before
// another one is that of the release.
func (t *text) takesChart(in ref.Span, chart string) bool {
	fields := strings.FieldsFunc(string(t.data[in.Start:in.End]), func(r rune) bool {
		return strings.ContainsRune(" \t\r\n\"',\\[]", r)
	})
	for i, field := range fields {
		if field == chart && (i+1 == len(fields) || fields[i+1][0] == '-') && i > 0 && fields[i-1] != "-" {
			return true
		}
	}
	return false
}

// aliasBefore matches the alias of a chart repository before the name of a chart.
var aliasBefore = regexp.MustCompile(`(?:^|[\s"'=,\[(])([A-Za-z0-9][A-Za-z0-9._-]*)/$`)

// chartName finds a chart by the alias of its repository: ALIAS/NAME in a command or mapping, or a name beside the
// sourceRef of Flux.
func chartName(_ *Finder, t *text, n needle, start, end int) {
	next := at(t.data, end)
	if !t.is(n.word, start, end) || !t.ends(end) || next == ':' || next == '@' {
		return
	}
	named := namedChart{needle: n, version: -1}
	from := start
	if at(t.data, start-1) == '/' {
		match := aliasBefore.FindSubmatch(t.before(start))
		if match == nil || generic[string(match[1])] {
			return
		}
		named.alias = string(match[1])
		from -= len(named.alias) + 1
		named.version = t.option(from, end)
	}
	if named.version < 0 {
		named.beside = t.mapping(from, end)
		if key := named.beside.keyAt(from); key != "chart" && key != "chart_ref" {
			return
		}
	}
	if from == start {
		named.alias = t.sourceName(named.beside)
	}
	if named.alias != "" {
		t.charts = append(t.charts, named)
	}
}

// sourceName returns the name of the HelmRepository in a mapping's sourceRef, or "".
func (t *text) sourceName(m mapping) string {
	source, ok := m["sourceRef"]
	if !ok {
		return ""
	}
	below := t.nested(lineStart(t.data, source.Start))
	if below.text(t, "kind") != "HelmRepository" {
		return ""
	}
	return below.text(t, "name")
}

// nameCharts adds the charts that a text names with aliases. An alias that nothing defines is enough if it is a part of
// the location. Otherwise the place is a suspect.
func (f *Finder) nameCharts(t *text) {
	for _, c := range t.charts {
		folder := path.Dir(f.file.Components[c.component].Artifacts[c.artifact].At)
		defined := append(slices.Clone(t.sources[c.alias]), f.sources[c.alias]...)
		if len(t.sources[c.alias]) == 0 {
			t.asks = append(t.asks, c.alias)
		}
		isPart := isPartOf(plainName(c.alias), plainName(folder))
		if !slices.Contains(defined, folder) && (len(defined) > 0 && !isPart || t.definesOther(c.alias)) {
			continue
		}
		first := len(t.found)
		r := ref.Reference{Component: c.component, Artifact: c.artifact, Syntax: ref.Option}
		if c.beside != nil {
			t.addBeside(c.beside, r, c.beside.chartKeys())
		} else {
			t.add(c.version, r)
		}
		if len(defined) == 0 && !isPart {
			t.unread = append(t.unread, Pins(t.found[first:])...)
			t.found = t.found[:first]
		}
	}
}

// isPartOf reports whether a location contains each word of an alias, and one that is not generic.
func isPartOf(alias, location string) bool {
	parts := strings.FieldsFunc(location, func(r rune) bool { return strings.ContainsRune("./:-", r) })
	special := false
	for word := range strings.SplitSeq(alias, "-") {
		if !slices.Contains(parts, word) {
			return false
		}
		special = special || !generic[word] && !common[word]
	}
	return special
}

// common are words of the locations of many chart repositories.
var common = words(`com dev github helm io net org repo stable`)

// definesOther reports whether a text gives an alias to a repository that no component declares.
func (t *text) definesOther(alias string) bool {
	if len(t.sources[alias]) > 0 {
		return false
	}
	defined := regexp.MustCompile(`\brepo[\s"',\\]+add[\s"',\\]+` + regexp.QuoteMeta(alias) + `[\s"',\\]+[a-z]+://`)
	return defined.Match(t.data)
}
