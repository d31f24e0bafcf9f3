package charts_test

import (
	"encoding/json"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
)

var gitLink = regexp.MustCompile(`https://github\.com/kubestellar/actions/(?:blob|tree)/([^/\s]+)/(\S+)`)

// A git tag has a v, a chart's version has none: a link made from the one alone leads nowhere.
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
				t.Errorf("%s: %s leads to no file: %v", name, link[0], err)
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

// Every value is in the schema and in the README; the subchart's are described where they are.
func TestEveryValueIsDescribed(t *testing.T) {
	t.Parallel()
	for source, c := range map[string]*chart.Chart{"chart": managerChart(t), "core-chart": coreChart(t)} {
		var described struct{ Properties map[string]any }
		if err := json.Unmarshal(c.Schema, &described); err != nil {
			t.Fatal(err)
		}
		readme := readAll(t, source, "README.md")
		for key := range c.Values {
			if described.Properties[key] == nil || !strings.Contains(readme, key) {
				t.Errorf("%s: value %s is missing in the schema or in the README", source, key)
			}
		}
	}
}

func TestTheDependencyIsPinnedAndCanBeLeftOut(t *testing.T) {
	t.Parallel()
	dependencies := coreChart(t).Metadata.Dependencies
	if len(dependencies) != 1 {
		t.Fatalf("saw %d dependencies, want kubeflex-operator alone", len(dependencies))
	}
	got := *dependencies[0]
	// What OCI calls a tag is no range; KubeFlex's has a v.
	if !regexp.MustCompile(`^v\d+\.\d+\.\d+(-[0-9A-Za-z.-]+)?$`).MatchString(got.Version) {
		t.Errorf("saw version %q, want one version with its v", got.Version)
	}
	if got.Repository != "oci://ghcr.io/kubestellar/kubeflex/chart" || got.Condition != "kubeflex-operator.install" {
		t.Errorf("saw %+v, want KubeFlex's registry, and a condition by which to leave it out", got)
	}
}
