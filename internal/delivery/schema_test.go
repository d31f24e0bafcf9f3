package delivery

import (
	"bytes"
	"encoding/json"
	"flag"
	"os"
	"reflect"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/invopop/jsonschema"
)

var update = flag.Bool("update", false, "write schema.json")

// The schema that editors and the loader use is derived from the Go types.
func TestSchemaIsDerived(t *testing.T) {
	comments := jsonschema.Reflector{}
	if err := comments.AddGoComments("github.com/kubestellar/actions/internal/delivery", "."); err != nil {
		t.Fatal(err)
	}
	reflector := jsonschema.Reflector{Anonymous: true, ExpandedStruct: true, FieldNameTag: "yaml"}
	reflector.LookupComment = func(t reflect.Type, field string) string {
		if field == "" {
			return "" // a comment of a type is about Go
		}
		return strings.Join(strings.Fields(comments.CommentMap[t.PkgPath()+"."+t.Name()+"."+field]), " ")
	}
	schema := reflector.Reflect(&File{})
	schema.Title = FileName
	self, _ := schema.Properties.Get("self")
	self.Type, self.Extras = "", map[string]any{"type": []string{"string", "array"}}
	component, _ := schema.Definitions["Component"].Properties.Get("names")
	component.Items = scopedName(component.Items)
	var out bytes.Buffer
	encoder := json.NewEncoder(&out)
	encoder.SetEscapeHTML(false)
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(schema); err != nil {
		t.Fatal(err)
	}
	if *update {
		if err := os.WriteFile("schema.json", out.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	committed, err := os.ReadFile("schema.json")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(committed), out.String()); diff != "" {
		t.Errorf("schema.json is stale, run go test ./internal/delivery -update:\n%s", diff)
	}
}

// scopedName returns the schema of a name, which is a text, or a mapping with the files that it holds for.
func scopedName(text *jsonschema.Schema) *jsonschema.Schema {
	properties := jsonschema.NewProperties()
	properties.Set("name", &jsonschema.Schema{Type: "string", Pattern: text.Pattern})
	properties.Set("files", &jsonschema.Schema{Type: "array", Items: &jsonschema.Schema{Type: "string"}})
	return &jsonschema.Schema{
		Extras:     map[string]any{"type": []string{"string", "object"}},
		Pattern:    text.Pattern,
		Properties: properties, Required: []string{"name", "files"}, AdditionalProperties: jsonschema.FalseSchema,
	}
}
