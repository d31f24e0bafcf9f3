package kinds_test

import (
	"cmp"
	"hash/fnv"
	"math/rand/v2"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v3"

	"github.com/kubestellar/actions/internal/delivery"
)

// variation changes the files of a case, and not the right answer. A case names the variations
// that do not apply to it: fixed NAME….
type variation struct {
	name  string
	apply func(k *kind, r *rand.Rand)
}

// variations are in the order in which they are applied.
var variations = []variation{
	{"quotes", quotes},
	{"order", order},
	{"between", between},
	{"indent", indent},
	{"json", asJSON},
	{"type", fileTypes},
	{"folder", folder},
	{"names", rename},
	{"versions", renumber},
	{"crlf", func(k *kind, _ *rand.Rand) { k.crlf = true }},
}

// varied returns a variant with some of the variations, and their names.
func (k *kind) varied(r *rand.Rand) (*kind, []string) {
	c := k.copied()
	var names []string
	for _, v := range variations {
		if chosen := r.IntN(2) == 0; chosen && !k.fixed[v.name] {
			v.apply(c, r)
			names = append(names, v.name)
		}
	}
	return c, names
}

// isYAML reports whether a file is YAML that no template makes.
func isYAML(f *file) bool {
	ext := path.Ext(f.name)
	isTemplate := func(l line) bool {
		return strings.Contains(l.text, "{{") && !strings.Contains(l.text, "${{")
	}
	return f.name != delivery.FileName && (ext == ".yaml" || ext == ".yml") && !slices.ContainsFunc(f.lines, isTemplate)
}

// hash orders and chooses things in the same way in each commit of a file.
func hash(seed uint64, text string) uint64 {
	h := fnv.New64a()
	h.Write([]byte(strconv.FormatUint(seed, 36) + text))
	return h.Sum64()
}

var (
	plainAt  = regexp.MustCompile(`^(\s*(?:- )?[\w.-]+: +)(v?[0-9]+\.[0-9]+\.[\w.-]+|[a-z][\w-]*[./][\w./:-]+)(\s*(?: #.*)?)$`)
	quotedAt = regexp.MustCompile(`^(\s*(?:- )?[\w.-]+: +)["']([^"'\\]*)["'](\s*(?: #.*)?)$`)
	bareAt   = regexp.MustCompile(`^(?:v?[0-9]+\.[0-9]+\.[0-9][\w.-]*|[a-z][\w-]*[./][\w./:-]+)$`)
)

// quotes adds, changes or removes the quotes of scalars.
func quotes(k *kind, r *rand.Rand) {
	seed := r.Uint64()
	k.each(func(f *file) {
		if !isYAML(f) {
			return
		}
		for i, l := range f.lines {
			quote := []string{`"`, "'", ""}[hash(seed, f.name+keyOf(l.text))%3]
			match := plainAt.FindStringSubmatch(l.text)
			if match == nil {
				match = quotedAt.FindStringSubmatch(l.text)
			}
			if match != nil && (quote != "" || bareAt.MatchString(match[2])) {
				f.lines[i].text = match[1] + quote + match[2] + quote + match[3]
			}
		}
	})
}

// keyOf returns the key on a line, or the line.
func keyOf(text string) string {
	key, _, _ := strings.Cut(strings.TrimLeft(text, " -"), ":")
	return key
}

// order changes the order of the keys of mappings.
func order(k *kind, r *rand.Rand) {
	seed := r.Uint64()
	k.each(func(f *file) {
		if isYAML(f) {
			f.lines = reordered(f.lines, seed)
		}
	})
}

// reordered orders the keys of one YAML document by their hashes.
func reordered(lines []line, seed uint64) []line {
	if i := slices.IndexFunc(lines, func(l line) bool { return l.text == "---" }); i >= 0 {
		rest := reordered(slices.Clone(lines[i+1:]), seed)
		return append(append(reordered(slices.Clone(lines[:i]), seed), lines[i]), rest...)
	}
	first := slices.IndexFunc(lines, isContent)
	if first < 0 {
		return lines
	}
	column := indentOf(lines[first].text)
	if strings.HasPrefix(lines[first].text[column:], "- ") {
		return reorderedItems(lines, seed, column)
	}
	var groups [][]line
	var above []line // comments and blank lines, which belong to the next key
	for _, l := range lines {
		isKey := isContent(l) && indentOf(l.text) == column && !strings.HasPrefix(l.text[column:], "-")
		switch {
		case !isContent(l) && indentOf(l.text) <= column:
			above = append(above, l)
		case isKey:
			if !keyAt.MatchString(l.text) {
				return lines
			}
			groups = append(groups, append(above, l))
			above = nil
		case len(groups) == 0:
			return lines
		default:
			groups[len(groups)-1] = append(append(groups[len(groups)-1], above...), l)
			above = nil
		}
	}
	slices.SortStableFunc(groups, func(a, b []line) int { return cmp.Compare(hash(seed, head(a)), hash(seed, head(b))) })
	var all []line
	for _, g := range groups {
		i := slices.IndexFunc(g, isContent)
		all = append(all, g[:i+1]...)
		if text := strings.TrimSpace(g[i].text); strings.HasSuffix(text, "|") || strings.HasSuffix(text, ">") {
			all = append(all, g[i+1:]...)
			continue
		}
		all = append(all, reordered(slices.Clone(g[i+1:]), seed)...)
	}
	return append(all, above...)
}

var keyAt = regexp.MustCompile(`^\s*["']?[\w./-]+["']?:(?:\s|$)`)

func head(group []line) string { return keyOf(group[slices.IndexFunc(group, isContent)].text) }

// reorderedItems orders the keys of each item of a list.
func reorderedItems(lines []line, seed uint64, column int) []line {
	var all, item []line
	end := func() {
		if len(item) > 0 && keyAt.MatchString(item[0].text) {
			item = reordered(item, seed)
			if i := slices.IndexFunc(item, isContent); i > 0 {
				text := item[i].text
				item[i].text = text[:column] + "- " + text[column+len("- "):]
				all, item = append(all, item...), nil
				return
			}
		}
		if len(item) > 0 {
			item[0].text = item[0].text[:column] + "- " + item[0].text[column+len("- "):]
		}
		all, item = append(all, item...), nil
	}
	for _, l := range lines {
		if indentOf(l.text) == column && strings.HasPrefix(l.text[column:], "- ") {
			end()
			l.text = l.text[:column] + "  " + l.text[column+len("- "):]
		} else if len(item) == 0 || !isContent(l) && indentOf(l.text) <= column {
			end()
			all = append(all, l)
			continue
		}
		item = append(item, l)
	}
	end()
	return all
}

func indentOf(text string) int { return len(text) - len(strings.TrimLeft(text, " ")) }

func isContent(l line) bool {
	text := strings.TrimSpace(l.text)
	return text != "" && text[0] != '#'
}

var notes = []string{"", "# keep this sorted", "# ask the platform team", "# TODO: review in spring"}

// between adds comments and blank lines between entries.
func between(k *kind, r *rand.Rand) {
	seed := r.Uint64()
	k.each(func(f *file) {
		var all []line
		block := -1 // the column of the key of a block scalar
		for _, l := range f.lines {
			column := indentOf(l.text)
			if block >= 0 && isContent(l) && column <= block {
				block = -1
			}
			entry := isYAML(f) && block < 0 && (keyAt.MatchString(l.text) || strings.HasPrefix(strings.TrimSpace(l.text), "- ")) ||
				path.Base(f.name) == "Makefile" && makeAt.MatchString(l.text)
			if h := hash(seed, f.name+l.text[:min(len(l.text), column+9)]); entry && h%3 == 0 {
				text := notes[h/3%uint64(len(notes))]
				if text != "" {
					text = strings.Repeat(" ", column) + text
				}
				all = append(all, line{text: text})
			}
			if text := strings.TrimSpace(l.text); isYAML(f) && block < 0 && (strings.HasSuffix(text, "|") || strings.HasSuffix(text, ">")) {
				block = column
			}
			all = append(all, l)
		}
		f.lines = all
	})
}

var makeAt = regexp.MustCompile(`^[\w-]+ *[:?]?=`)

// indent changes the indent of YAML and JSON: twice as much, or none for lists.
func indent(k *kind, r *rand.Rand) {
	isFlush := r.IntN(2) == 0
	k.each(func(f *file) {
		ext := path.Ext(f.name)
		if !isYAML(f) && ext != ".json" {
			return
		}
		if isYAML(f) && isFlush {
			flush(f.lines)
			return
		}
		for i, l := range f.lines {
			column := indentOf(l.text)
			text := l.text[column:]
			lead := strings.Repeat("  ", column)
			if ext == ".json" {
				lead = strings.Repeat("\t", column/2)
			}
			for isYAML(f) && strings.HasPrefix(text, "- ") {
				lead, text = lead+"-   ", text[len("- "):]
			}
			f.lines[i].text = lead + text
		}
	})
}

// flush removes the indent of lists below their keys.
func flush(lines []line) {
	var lists []int // the columns of the lists around a line
	above := ""     // the content above
	for i, l := range lines {
		column := indentOf(l.text)
		if isContent(l) {
			for len(lists) > 0 && column < lists[len(lists)-1] {
				lists = lists[:len(lists)-1]
			}
			isItem := strings.HasPrefix(l.text[column:], "- ")
			if isNew := len(lists) == 0 || column > lists[len(lists)-1]; isItem && isNew && keyColumn(above) == column-len("- ") &&
				strings.HasSuffix(above, ":") {
				lists = append(lists, column)
			}
			above = l.text
		}
		lines[i].text = strings.Repeat(" ", max(0, column-len("- ")*len(lists))) + l.text[column:]
	}
}

// keyColumn returns the column of the key on a line.
func keyColumn(text string) int { return len(text) - len(strings.TrimLeft(text, " -")) }

// namedFiles are files whose names have a meaning.
var namedFiles = regexp.MustCompile(`^(?:Chart|values.*|kustomization|delivery|questions|plugin|galaxy|action|NEWS|CHANGELOG|README)\.|^\.github/`)

// mayRename reports whether a file may get another name. A case may name it in delivery.yaml.
func (k *kind) mayRename(f *file) bool {
	isNamed := func(l line) bool { return strings.Contains(l.text, f.name) }
	named := namedFiles.MatchString(path.Base(f.name)) || strings.HasPrefix(f.name, ".")
	for _, other := range k.tree {
		named = named || other.name == delivery.FileName && slices.ContainsFunc(other.lines, isNamed)
	}
	return !named
}

// fileTypes changes the extensions of files.
func fileTypes(k *kind, _ *rand.Rand) {
	others := map[string]string{".yaml": ".yml", ".md": ".markdown", ".sh": ".bash"}
	k.each(func(f *file) {
		if ext := path.Ext(f.name); others[ext] != "" && k.mayRename(f) {
			f.name = strings.TrimSuffix(f.name, ext) + others[ext]
		}
	})
}

// folder moves the files to another folder. A case whose delivery.yaml has paths keeps them.
func folder(k *kind, r *rand.Rand) {
	dir := []string{"deploy/", "infra/production/", "components/x1/", "a b/"}[r.IntN(4)]
	paths := regexp.MustCompile(`(?:files|source|values):`)
	for _, f := range k.tree {
		hasPaths := func(l line) bool { return paths.MatchString(l.text) }
		if f.name == delivery.FileName && slices.ContainsFunc(f.lines, hasPaths) {
			return
		}
	}
	k.each(func(f *file) {
		if f.name != delivery.FileName && f.name[0] != '.' {
			f.name = dir + f.name
		}
	})
}

// change replaces a text in all files, their names, the steps and the answers.
func (k *kind) change(replace func(text string) string) {
	for i, s := range k.steps {
		k.steps[i].component, k.steps[i].version = replace(s.component), replace(s.version)
	}
	k.fails = replace(k.fails)
	k.each(func(f *file) {
		f.name = replace(f.name)
		for i, l := range f.lines {
			f.lines[i].text = replace(l.text)
			if l.mark == nil {
				continue
			}
			for j, a := range l.mark.answers {
				l.mark.answers[j] = replace(a)
			}
			for j, a := range l.mark.findings {
				l.mark.findings[j] = replace(a)
			}
		}
	})
}

// otherNames are names for components and organisations.
var otherNames = []string{"billing", "pay-gate", "k8s-sync", "node2", "zeta-7", "orbit-x9-agent", "cell", "quartz-db", "m3proxy", "ab"}

// rename gives other names to the components and to the organisation of their repositories.
func rename(k *kind, r *rand.Rand) {
	var declared struct {
		Components map[string]struct{ Repository string }
	}
	for _, f := range k.tree {
		if f.name == delivery.FileName && yaml.Unmarshal(k.text(f), &declared) != nil {
			return
		}
	}
	old := map[string]bool{}
	for name, c := range declared.Components {
		owner, base, _ := strings.Cut(c.Repository, "/")
		old[name], old[owner], old[base] = true, true, true
	}
	var words []string
	for word := range old {
		words = append(words, word)
	}
	slices.SortFunc(words, func(a, b string) int { return cmp.Or(len(b)-len(a), cmp.Compare(a, b)) })
	chosen := r.Perm(len(otherNames))
	to := map[string]string{}
	for i, word := range words {
		to[word] = otherNames[chosen[i%len(chosen)]]
	}
	k.change(func(text string) string { return renamed(text, words, to) })
}

// renamed replaces names that are whole words: name, NAME and the name in camel case. In an
// identifier, dashes become underscores.
func renamed(text string, words []string, to map[string]string) string {
	var b strings.Builder
next:
	for i := 0; i < len(text); {
		for _, word := range words {
			for _, spelled := range []string{word, strings.ToUpper(strings.ReplaceAll(word, "-", "_"))} {
				if !strings.HasPrefix(text[i:], spelled) || i > 0 && isLetterOrDigit(text[i-1]) {
					continue
				}
				end := i + len(spelled)
				after := byte(' ')
				if end < len(text) {
					after = text[end]
				}
				upper := spelled != word
				isCamel := !upper && 'A' <= after && after <= 'Z'
				if isLetterOrDigit(after) && !isCamel {
					continue
				}
				name := to[word]
				switch {
				case upper:
					name = strings.ToUpper(strings.ReplaceAll(name, "-", "_"))
				case isCamel:
					name = camel(name)
				case after == '_' || i > 0 && text[i-1] == '_':
					name = strings.ReplaceAll(name, "-", "_")
				}
				b.WriteString(name)
				i = end
				continue next
			}
		}
		b.WriteByte(text[i])
		i++
	}
	return b.String()
}

func camel(name string) string {
	parts := strings.Split(name, "-")
	for i := 1; i < len(parts); i++ {
		parts[i] = strings.ToUpper(parts[i][:1]) + parts[i][1:]
	}
	return strings.Join(parts, "")
}

func isLetterOrDigit(b byte) bool {
	return '0' <= b && b <= '9' || 'a' <= b && b <= 'z' || 'A' <= b && b <= 'Z'
}

var (
	versionAt = regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+`)
	majorAt   = regexp.MustCompile(`/v[0-9]+\b|\.v[0-9]+\b`)
)

// renumber adds the same numbers to the parts of all versions. Paths of Go modules contain the
// major, and folders and texts may contain the minor.
func renumber(k *kind, r *rand.Rand) {
	add := [3]int{10 * r.IntN(3), r.IntN(20), r.IntN(20)}
	k.each(func(f *file) {
		for _, l := range f.lines {
			if path.Base(f.name) == "go.mod" || majorAt.MatchString(l.text) {
				add[0] = 0
			}
		}
	})
	k.change(func(text string) string {
		var b strings.Builder
		last := 0
		for _, at := range versionAt.FindAllStringIndex(text, -1) {
			b.WriteString(text[last:at[0]])
			last = at[1]
			b.WriteString(renumbered(text, at[0], at[1], add))
		}
		return b.String() + text[last:]
	})
}

func renumbered(text string, start, end int, add [3]int) string {
	version := text[start:end]
	before, after := start-1, byte(' ')
	if end < len(text) {
		after = text[end]
	}
	if before >= 0 && text[before] == 'v' {
		before--
	}
	joined := before >= 0 && (isLetterOrDigit(text[before]) || text[before] == '.')
	if joined || after == '.' && end+1 < len(text) && isLetterOrDigit(text[end+1]) && '0' <= text[end+1] && text[end+1] <= '9' ||
		strings.HasPrefix(version, "0.0.0") {
		return version
	}
	parts := strings.Split(version, ".")
	for i, part := range parts {
		n, _ := strconv.Atoi(part)
		parts[i] = strconv.Itoa(n + add[i])
	}
	return strings.Join(parts, ".")
}
