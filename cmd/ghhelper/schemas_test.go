package main

import (
	"bytes"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	derive "github.com/invopop/jsonschema"
	"github.com/rogpeppe/go-internal/testscript"
	"github.com/santhosh-tekuri/jsonschema/v6"

	"github.com/kubestellar/actions/internal/bump"
	"github.com/kubestellar/actions/internal/dispatch"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/image"
	"github.com/kubestellar/actions/internal/plan"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/verify"
)

const schemas = "docs/schemas"

// printed are the values that commands print for programs, and the report of a release.
var printed = map[string]any{
	"bump":       bump.Document{},
	"dispatch":   dispatch.Document{},
	"goreleaser": goreleaser.Result{},
	"image":      image.Image{},
	"plan":       plan.Document{},
	"prove":      report.Proof{},
	"references": []ref.Reference{},
	"report":     report.Report{},
	"verify":     verify.Result{},
}

// The published schemas are derived from the types. Their descriptions come from the
// comments of the fields: hack/verify-codegen.sh compares those, and this test the rest.
func TestSchemasAreDerived(t *testing.T) {
	t.Parallel()
	reflector := derive.Reflector{ExpandedStruct: true, AllowAdditionalProperties: true, Anonymous: true}
	if err := reflector.AddGoComments("github.com/kubestellar/actions/cmd/ghhelper", "../../internal"); err != nil {
		t.Fatal(err)
	}
	for name, value := range printed {
		schema := reflector.Reflect(value)
		schema.Title = "ghhelper " + name + " --format json"
		if name == "report" {
			schema.Title = "report.json of ghhelper release, publish and rehearse --report"
		}
		var want bytes.Buffer
		encoder := json.NewEncoder(&want)
		encoder.SetEscapeHTML(false)
		encoder.SetIndent("", "  ")
		if err := encoder.Encode(schema); err != nil {
			t.Fatal(err)
		}
		file := filepath.Join("../..", schemas, name+".schema.json")
		if *update {
			if err := os.WriteFile(file, want.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		got, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		if diff := cmp.Diff(undescribed(t, want.Bytes()), undescribed(t, got)); diff != "" {
			t.Errorf("%s is stale, run make all-generated:\n%s", file, diff)
		}
	}
	files, err := filepath.Glob(filepath.Join("../..", schemas, "*"))
	if err != nil || len(files) != len(printed) {
		t.Errorf("%s has %d files, want %d: %v", schemas, len(files), len(printed), err)
	}
}

// undescribed returns a schema without its descriptions.
func undescribed(t *testing.T, schema []byte) any {
	t.Helper()
	var value any
	if err := json.Unmarshal(schema, &value); err != nil {
		t.Fatal(err)
	}
	var strip func(v any)
	strip = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			if _, ok := v["description"].(string); ok {
				delete(v, "description")
			}
			for _, inner := range v {
				strip(inner)
			}
		case []any:
			for _, inner := range v {
				strip(inner)
			}
		}
	}
	strip(value)
	return value
}

// valid NAME FILE: the file, or stdout, is as the published schema NAME describes it.
func valid(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: valid NAME FILE")
	}
	compiler := jsonschema.NewCompiler()
	schema, err := compiler.Compile(filepath.Join(ts.Getenv("ROOT"), schemas, args[0]+".schema.json"))
	ts.Check(err)
	value, err := jsonschema.UnmarshalJSON(strings.NewReader(ts.ReadFile(args[1])))
	ts.Check(err)
	if err := schema.Validate(value); err != nil {
		ts.Fatalf("%s: %#v", args[1], err)
	}
}
