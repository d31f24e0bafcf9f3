package delivery

import (
	"bytes"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"
	"sync"

	"github.com/santhosh-tekuri/jsonschema/v6"
	"github.com/santhosh-tekuri/jsonschema/v6/kind"
	"go.yaml.in/yaml/v3"
	"golang.org/x/text/language"
	"golang.org/x/text/message"

	"github.com/kubestellar/actions/internal/outcome"
)

//go:embed schema.json
var schemaText []byte

// Problem is a problem in a delivery.yaml.
type Problem struct {
	File         string
	Line, Column int
	Text         string
}

func (p Problem) Error() string {
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Text)
}

// Code returns outcome.Usage: the configuration is wrong.
func (p Problem) Code() outcome.Code { return outcome.Usage }

// page documents each key of the file.
const page = "https://github.com/kubestellar/actions/blob/main/docs/delivery-yaml.md"

// Load reads and checks the delivery.yaml of a name in fsys. The error joins all
// problems, each a Problem.
func Load(fsys fs.FS, name string) (*File, error) {
	data, err := fs.ReadFile(fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("reading %s: there is none; declare what this repository releases there, "+
			"or name another file with --config; see %s", name, page)
	}
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	return Parse(name, data)
}

// Parse checks the text of a delivery.yaml. Errors contain its name.
func Parse(name string, data []byte) (*File, error) {
	var doc yaml.Node
	decoder := yaml.NewDecoder(bytes.NewReader(data))
	if err := decoder.Decode(&doc); errors.Is(err, io.EOF) {
		return nil, Problem{name, 1, 1, "the file is empty: want YAML that declares a component"}
	} else if err != nil {
		return nil, outcome.Usagef("%s: not readable as YAML: %w", name, err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, outcome.Usagef("%s: it contains a second YAML document: keep one", name)
	}
	source := document{name, doc.Content[0]}
	if err := errors.Join(source.duplicates(source.root)...); err != nil {
		return nil, err
	}
	if err := source.validate(); err != nil {
		return nil, err
	}
	if self := child(source.root, "self"); self.Kind == yaml.ScalarNode { // a list of one
		name := *self
		*self = yaml.Node{Kind: yaml.SequenceNode, Content: []*yaml.Node{&name}, Line: self.Line, Column: self.Column}
	}
	var f File
	if err := source.root.Decode(&f); err != nil {
		return nil, fmt.Errorf("%s: %w", name, err)
	}
	f.locate()
	f.Self = f.Selves[0] // the schema wants one
	f.source = source
	return &f, errors.Join(source.contradictions(&f)...)
}

// document is the file with the positions of its values.
type document struct {
	name string
	root *yaml.Node
}

func (d document) problem(n *yaml.Node, format string, args ...any) error {
	return Problem{d.name, n.Line, n.Column, fmt.Sprintf(format, args...)}
}

// duplicates returns the keys that a mapping contains twice.
func (d document) duplicates(n *yaml.Node) []error {
	var errs []error
	if n.Kind == yaml.MappingNode {
		first := map[string]int{}
		for i := 0; i < len(n.Content); i += 2 {
			key := n.Content[i]
			if line, ok := first[key.Value]; ok {
				errs = append(errs, d.problem(key, "key %q occurs twice, first on line %d: keep one", key.Value, line))
			}
			first[key.Value] = key.Line
		}
	}
	for _, child := range n.Content {
		errs = append(errs, d.duplicates(child)...)
	}
	return errs
}

// schemaURL is the schema's name for its compiler, which resolves a relative name
// against the current folder. The name of that folder may not be valid in a URL.
const schemaURL = "embedded:///schema.json"

var compiled = sync.OnceValues(func() (*jsonschema.Schema, error) {
	doc, err := jsonschema.UnmarshalJSON(bytes.NewReader(schemaText))
	if err != nil {
		return nil, err
	}
	c := jsonschema.NewCompiler()
	if err := c.AddResource(schemaURL, doc); err != nil {
		return nil, err
	}
	return c.Compile(schemaURL)
})

// validate checks the document against the JSON schema.
func (d document) validate() error {
	schema, err := compiled()
	if err != nil {
		return fmt.Errorf("compiling the schema of %s: %w", FileName, err)
	}
	var value any
	if err := d.root.Decode(&value); err != nil {
		return fmt.Errorf("%s: %w", d.name, err)
	}
	err = schema.Validate(value)
	var invalid *jsonschema.ValidationError
	if errors.As(err, &invalid) {
		return errors.Join(d.explain(invalid)...)
	}
	return err
}

// explain turns the leaves of a schema error into problems with positions.
func (d document) explain(e *jsonschema.ValidationError) []error {
	if len(e.Causes) > 0 {
		var errs []error
		for _, cause := range e.Causes {
			errs = append(errs, d.explain(cause)...)
		}
		return errs
	}
	node, path := d.at(e.InstanceLocation)
	if unknown, ok := e.ErrorKind.(*kind.AdditionalProperties); ok {
		return d.unknownKeys(node, unknown.Properties, keysAt(e.SchemaURL))
	}
	text := e.ErrorKind.LocalizedString(message.NewPrinter(language.English))
	if path == "" {
		return []error{d.problem(node, "%s", text)}
	}
	return []error{d.problem(node, "%s: %s", path, text)}
}

func (d document) unknownKeys(mapping *yaml.Node, keys, known []string) []error {
	var errs []error
	for i := 0; i < len(mapping.Content); i += 2 {
		key := mapping.Content[i]
		if !slices.Contains(keys, key.Value) {
			continue
		}
		did := ""
		if similar := similar(key.Value, known); similar != "" {
			did = "did you mean " + similar + "? "
		}
		errs = append(errs, d.problem(key, "unknown key %q: %sthe keys are explained in %s", key.Value, did, page))
	}
	return errs
}

// keysAt returns the keys of the mapping that a part of the schema describes, sorted.
func keysAt(url string) []string {
	var part map[string]any
	if json.Unmarshal(schemaText, &part) != nil {
		return nil
	}
	_, pointer, _ := strings.Cut(url, "#/")
	for _, step := range strings.FieldsFunc(pointer, func(r rune) bool { return r == '/' }) {
		part, _ = part[step].(map[string]any)
	}
	keys, _ := part["properties"].(map[string]any)
	return slices.Sorted(maps.Keys(keys))
}

// at returns the node at a path of keys.
func (d document) at(path []string) (*yaml.Node, string) {
	n := d.root
	for _, key := range path {
		n = child(n, key)
	}
	return n, strings.Join(path, ".")
}

func child(n *yaml.Node, key string) *yaml.Node {
	if n.Kind == yaml.MappingNode {
		for i := 0; i < len(n.Content); i += 2 {
			if n.Content[i].Value == key {
				return n.Content[i+1]
			}
		}
	}
	if n.Kind == yaml.SequenceNode {
		for i, item := range n.Content {
			if fmt.Sprint(i) == key {
				return item
			}
		}
	}
	return n
}
