package charts_test

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v3/pkg/chart"
)

var gitLink = regexp.MustCompile(`https://github\.com/kubestellar/actions/(?:blob|tree)/([^/\s]+)/(\S+)`)

// Git tags start with v and chart versions do not. A link made from the chart version would be broken.
func TestNotesLinkToTheTagOfTheRelease(t *testing.T) {
	t.Parallel()
	for name, notes := range map[string]string{
		"manager":         mustRender(t, managerChart(t), "").notes,
		"core":            mustRender(t, coreChart(t), "").notes,
		"core with plans": mustRender(t, coreChart(t), "ITSes: [{name: its1}]\nWDSes: [{name: wds1, type: host}]").notes,
	} {
		checkText(t, notes)
		links := gitLink.FindAllStringSubmatch(notes, -1)
		if len(links) == 0 {
			t.Errorf("%s: saw no link in\n%s", name, notes)
		}
		for _, link := range links {
			if link[1] != "v"+release {
				t.Errorf("%s: saw %s, want the tag v%s", name, link[0], release)
			}
			if _, err := os.Stat(filepath.Join(root, link[2])); err != nil {
				t.Errorf("%s: %s is not a file here: %v", name, link[0], err)
			}
		}
	}
}

func TestNotesOfferAContextForEachControlPlaneThatIsNotTheHost(t *testing.T) {
	t.Parallel()
	notes := mustRender(t, coreChart(t), "ITSes: [{name: its1}]\nWDSes: [{name: wds1, type: host}]").notes
	if !strings.Contains(notes, "kflex ctx its1\n") || strings.Contains(notes, "kflex ctx wds1") {
		t.Errorf("want a context for its1 and none for wds1, saw\n%s", notes)
	}
}

// property is a value's entry in a JSON schema.
type property struct {
	Properties map[string]property
	Items      *property
}

// paths returns the paths of the values in a schema as people write them, such as ITSes[].name. It
// leaves out values that a parent chart passes down.
func (p property) paths(at string) []string {
	if p.Items != nil {
		return append(p.Items.paths(at+"[]"), at)
	}
	if len(p.Properties) == 0 {
		return []string{at}
	}
	var found []string
	for key, inner := range p.Properties {
		if key != "global" {
			found = append(found, inner.paths(strings.TrimPrefix(at+"."+key, "."))...)
		}
	}
	return found
}

// defaults returns the paths of the values in values.yaml.
func defaults(at string, values map[string]any) []string {
	var found []string
	for key, value := range values {
		path := strings.TrimPrefix(at+"."+key, ".")
		if inner, ok := value.(map[string]any); ok {
			found = append(found, defaults(path, inner)...)
		} else {
			found = append(found, path)
		}
	}
	return found
}

var row = regexp.MustCompile("(?m)^\\| `([^`]+)` \\|(?:.* \\|)? [^|]*[^| ][^|]* \\|$")

// The README's tables, the schema and values.yaml list the same values, and the tables describe each
// of them. values.yaml has no defaults for the entries of a list. It also has none for KubeFlex's
// chart, which has its own.
func TestEveryValueIsDescribed(t *testing.T) {
	t.Parallel()
	for source, c := range map[string]*chart.Chart{"chart": managerChart(t), "core-chart": coreChart(t)} {
		var schema property
		if err := json.Unmarshal(c.Schema, &schema); err != nil {
			t.Fatal(err)
		}
		_, values, _ := strings.Cut(readAll(t, source, "README.md"), "\n## Values\n")
		values, _, _ = strings.Cut(values, "\n## ")
		var described []string
		for _, match := range row.FindAllStringSubmatch(values, -1) {
			described = append(described, match[1])
		}
		want := schema.paths("")
		slices.Sort(want)
		slices.Sort(described)
		if diff := cmp.Diff(want, described); diff != "" {
			t.Errorf("%s: the schema (-) and the README's tables (+) differ\n%s", source, diff)
		}
		for _, path := range defaults("", c.Values) {
			if !slices.Contains(want, path) {
				t.Errorf("%s: values.yaml has %s, and the schema does not", source, path)
			}
		}
		for _, path := range want {
			ofKubeFlex := strings.HasPrefix(path, "kubeflex-operator.") && path != "kubeflex-operator.install"
			if !ofKubeFlex && !strings.Contains(path, "[]") && !slices.Contains(defaults("", c.Values), path) {
				t.Errorf("%s: the schema has %s, and values.yaml has no default for it", source, path)
			}
		}
	}
}

// If a new version of KubeFlex has another value, this test fails before the schema refuses it to
// users.
func TestTheSchemaKnowsTheValuesOfKubeFlex(t *testing.T) {
	t.Parallel()
	core := coreChart(t)
	var schema property
	if err := json.Unmarshal(core.Schema, &schema); err != nil {
		t.Fatal(err)
	}
	want := append(slices.Collect(maps.Keys(core.Dependencies()[0].Values)), "install", "global")
	got := slices.Collect(maps.Keys(schema.Properties["kubeflex-operator"].Properties))
	slices.Sort(want)
	slices.Sort(got)
	if !slices.Equal(got, want) {
		t.Errorf("saw %v, want %v", got, want)
	}
}

func TestTheDependencyIsPinnedAndCanBeLeftOut(t *testing.T) {
	t.Parallel()
	dependencies := coreChart(t).Metadata.Dependencies
	if len(dependencies) != 1 {
		t.Fatalf("saw %d dependencies, want kubeflex-operator alone", len(dependencies))
	}
	got := *dependencies[0]
	// A dependency in an OCI registry is found by its tag, which cannot be a range. KubeFlex's tags
	// start with v.
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`).MatchString(got.Version) {
		t.Errorf("saw version %q, want one version with its v", got.Version)
	}
	if got.Repository != "oci://ghcr.io/kubestellar/kubeflex/chart" || got.Condition != "kubeflex-operator.install" {
		t.Errorf("saw %+v, want KubeFlex's registry, and a condition to leave it out", got)
	}
}
