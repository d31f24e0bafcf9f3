package delivery

import (
	"encoding/json"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"go.yaml.in/yaml/v3"
)

const pageOfKeys = "../../docs/delivery-yaml.md"

// sections are the headings of the page below which the keys of a type are explained.
var sections = map[string]string{
	"Treatment": "Treat",
	"":          "Top level", "Component": "Components", "Artifact": "Artifacts", "Build": "Build", "Pattern": "Patterns",
	"Rule": "Rules", "Excuse": "Ignore", "Bumps": "Bumps",
}

// The page explains each key of the schema in its type's section, and bold if it is required.
func TestDocumentExplainsEachKey(t *testing.T) {
	type object struct {
		Properties map[string]any
		Required   []string
	}
	var schema struct {
		object
		Defs map[string]object `json:"$defs"`
	}
	if err := json.Unmarshal(schemaText, &schema); err != nil {
		t.Fatal(err)
	}
	page := string(read(t, pageOfKeys))
	schema.Defs[""] = schema.object
	for name, def := range schema.Defs {
		if len(def.Properties) == 0 {
			continue // a mapping with names of the user's choice
		}
		_, section, found := strings.Cut(page, "# "+sections[name]+"\n")
		if !found || sections[name] == "" {
			t.Errorf("%s has no section for %q", pageOfKeys, name)
			continue
		}
		section, _, _ = strings.Cut(section, "\n#")
		rows := map[string]bool{}
		for _, m := range regexp.MustCompile("(?m)^\\| (\\**)`([a-zA-Z]+)`\\**").FindAllStringSubmatch(section, -1) {
			rows[m[2]] = m[1] != ""
		}
		for key := range def.Properties {
			if _, ok := rows[key]; !ok {
				t.Errorf("%s, %s: no row explains the key %s", pageOfKeys, sections[name], key)
			}
		}
		for key, bold := range rows {
			if _, ok := def.Properties[key]; !ok {
				t.Errorf("%s, %s: a row explains the key %s, which does not exist", pageOfKeys, sections[name], key)
			}
			if required := slices.Contains(def.Required, key); required != bold {
				t.Errorf("%s, %s: %s is required: %t, bold: %t", pageOfKeys, sections[name], key, required, bold)
			}
		}
	}
	for _, rule := range RuleNames {
		if !strings.Contains(page, "`"+rule+"`") {
			t.Errorf("%s does not name the rule %s", pageOfKeys, rule)
		}
	}
}

// Each example of the page is a delivery.yaml, or a part of one.
func TestExamplesOfTheDocumentLoad(t *testing.T) {
	examples := regexp.MustCompile("(?s)```yaml\n(.*?)```").FindAllStringSubmatch(string(read(t, pageOfKeys)), -1)
	if len(examples) < 10 {
		t.Fatalf("saw %d examples", len(examples))
	}
	for _, example := range examples {
		text := complete(t, example[1])
		if _, err := Load(fstest.MapFS{FileName: {Data: []byte(text)}}, FileName); err != nil {
			t.Errorf("%v\n%s", err, text)
		}
	}
}

// complete adds what an example leaves out of a file.
func complete(t *testing.T, text string) string {
	t.Helper()
	var shown struct {
		Version    int
		Self       yaml.Node
		Components yaml.Node
	}
	if err := yaml.Unmarshal([]byte(text), &shown); err != nil {
		t.Fatalf("%v\n%s", err, text)
	}
	if shown.Components.IsZero() {
		text += "components: {shop: {repository: example/shop}, pay: {repository: example/pay}}\n"
	}
	if shown.Self.IsZero() {
		self := "shop"
		if !shown.Components.IsZero() {
			self = shown.Components.Content[0].Value
		}
		text = "self: " + self + "\n" + text
	}
	if shown.Version == 0 {
		text = "version: 1\n" + text
	}
	return text
}

func read(t *testing.T, name string) []byte {
	t.Helper()
	data, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return data
}
