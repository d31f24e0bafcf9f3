package kinds_test

import (
	"encoding/json"
	"math/rand/v2"
	"path"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// asJSON writes YAML files as JSON.
func asJSON(k *kind, _ *rand.Rand) {
	can := map[string]bool{}
	k.each(func(f *file) {
		_, ok := k.toJSON(f)
		if before, seen := can[f.name]; !seen || before {
			can[f.name] = ok
		}
	})
	k.each(func(f *file) {
		if lines, ok := k.toJSON(f); ok && can[f.name] {
			f.name, f.lines = strings.TrimSuffix(f.name, path.Ext(f.name))+".json", lines
		}
	})
}

// toJSON returns the lines of a YAML file as JSON. It fails if an answer is about a comment, or
// if the file has several documents.
func (k *kind) toJSON(f *file) ([]line, bool) {
	if !isYAML(f) || !k.mayRename(f) || f.lines == nil {
		return nil, false
	}
	crlf := k.crlf
	k.crlf = false
	text := k.text(*f)
	k.crlf = crlf
	var doc yaml.Node
	decoder := yaml.NewDecoder(strings.NewReader(string(text)))
	if decoder.Decode(&doc) != nil || decoder.Decode(new(yaml.Node)) == nil {
		return nil, false
	}
	w := jsonWriter{from: f.lines, marked: map[int]bool{}}
	w.value(doc.Content[0], 0, "")
	isOpen := func(i int) bool { return f.lines[i].mark != nil && !w.marked[i] }
	for i := range f.lines {
		if isOpen(i) {
			return nil, false
		}
	}
	return w.lines, !w.failed
}

type jsonWriter struct {
	from   []line
	lines  []line
	marked map[int]bool // by index of the line in YAML
	failed bool
	text   string // of the line that is not ended
	at     int    // the line in YAML that it has the answer of, or 0
}

func (w *jsonWriter) end() {
	l := line{text: w.text}
	if w.at > 0 && w.from[w.at-1].mark != nil {
		w.failed = w.failed || w.marked[w.at-1] // two places on a line
		w.marked[w.at-1], l.mark = true, w.from[w.at-1].mark
	}
	w.lines, w.text, w.at = append(w.lines, l), "", 0
}

var versionIn = regexp.MustCompile(`[0-9]+\.[0-9]+\.[0-9]+`)

func (w *jsonWriter) value(n *yaml.Node, level int, comma string) {
	const step = "  "
	lead := strings.Repeat(step, level)
	switch n.Kind {
	case yaml.MappingNode:
		w.text += "{"
		w.end()
		for i := 0; i < len(n.Content); i += 2 {
			key, _ := json.Marshal(n.Content[i].Value)
			w.text = lead + step + string(key) + ": "
			w.value(n.Content[i+1], level+1, separator(i+2 < len(n.Content)))
		}
		w.text = lead + "}" + comma
		w.end()
	case yaml.SequenceNode:
		isScalar := func(n *yaml.Node) bool { return n.Kind == yaml.ScalarNode }
		if n.Style&yaml.FlowStyle != 0 && !slices.ContainsFunc(n.Content, func(n *yaml.Node) bool { return !isScalar(n) }) {
			w.at = n.Line
			w.text += "["
			for i, item := range n.Content {
				w.text += scalar(item) + strings.TrimSpace(separator(i+1 < len(n.Content)))
			}
			w.text += "]" + comma
			w.end()
			return
		}
		w.text += "["
		w.end()
		for i, item := range n.Content {
			w.text = lead + step
			w.value(item, level+1, separator(i+1 < len(n.Content)))
		}
		w.text = lead + "]" + comma
		w.end()
	case yaml.ScalarNode:
		if n.Style&(yaml.LiteralStyle|yaml.FoldedStyle) != 0 || n.Anchor != "" {
			w.failed = true
		}
		if mark := w.from[n.Line-1].mark; versionIn.MatchString(n.Value) || mark != nil && !versionIn.MatchString(w.from[n.Line-1].text) {
			w.at = n.Line
		}
		w.text += scalar(n) + comma
		w.end()
	default:
		w.failed = true
	}
}

func separator(more bool) string {
	if more {
		return ","
	}
	return ""
}

// scalar returns a scalar in JSON.
func scalar(n *yaml.Node) string {
	switch n.Tag {
	case "!!bool", "!!int", "!!null":
		return n.Value
	}
	text, _ := json.Marshal(n.Value)
	return string(text)
}
