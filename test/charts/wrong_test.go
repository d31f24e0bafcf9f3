package charts_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chartutil"
)

func TestUnstampedSourceIsRefused(t *testing.T) {
	t.Parallel()
	for _, source := range []string{managerName, coreName} {
		for name, spoil := range map[string]func(*chart.Metadata){
			"version":    func(m *chart.Metadata) { m.Version = placeholder },
			"appVersion": func(m *chart.Metadata) { m.AppVersion = placeholder },
			"both":       func(m *chart.Metadata) { m.Version, m.AppVersion = placeholder, placeholder },
		} {
			t.Run(source+", "+name, func(t *testing.T) {
				t.Parallel()
				spoiled := load(t, stamped(t, source))
				spoil(spoiled.Metadata)
				_, err := render(spoiled, "", withSchema)
				checkError(t, err, "unstamped source", "ghhelper stamp VERSION --out DIR", placeholder)
			})
		}
	}
}

// The sources in git trigger the guard in the templates. Stamped copies do not.
func TestTheSourceIsUnstampedInGit(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"chart", "core-chart"} {
		_, err := render(load(t, filepath.Join(root, source)), "kubeflex-operator: {install: false}\n", withoutSchema)
		checkError(t, err, "unstamped source")
	}
}

func checkError(t *testing.T, err error, want ...string) {
	t.Helper()
	if err == nil {
		t.Fatalf("saw no error, want one with %q", want)
	}
	for _, part := range want {
		if !strings.Contains(err.Error(), part) {
			t.Errorf("saw %v\nwant %q in it", err, part)
		}
	}
}

// refusals are values that core-chart must refuse. message is the templates' error if the schema is
// skipped.
var refusals = map[string]struct {
	values  string
	key     string
	message string
}{
	"an ITS without a name": {"ITSes: [{type: host}]", "name", "ITSes[0].name: saw nothing"},
	"a WDS without a name":  {"WDSes: [{name: wds1}, {type: host}]", "name", "WDSes[1].name: saw nothing"},
	"two ITSes of one name": {"ITSes: [{name: a}, {name: a}]", "ITSes[1].name", `ITSes[1].name: saw "a", which is also the name of ITSes[0]`},
	"two WDSes of one name": {
		"ITSes: [{name: i}]\nWDSes: [{name: a}, {name: b}, {name: a}]", "WDSes[2].name", `WDSes[2].name: saw "a", which is also the name of WDSes[0]`,
	},
	"an ITS and a WDS of one name": {
		"ITSes: [{name: a}]\nWDSes: [{name: a}]", "WDSes[0].name", `WDSes[0].name: saw "a", which is also the name of ITSes[0]`,
	},
	"an ITS of a WDS's type":                    {"ITSes: [{name: a, type: k8s}]", "type", `ITSes[0].type: saw "k8s", want one of: vcluster, host`},
	"a WDS of an ITS's type":                    {"WDSes: [{name: a, type: vcluster}]", "type", `WDSes[0].type: saw "vcluster", want one of: k8s, host`},
	"a name whose namespace is Kubernetes' own": {"WDSes: [{name: kube}]", "/WDSes/0/name", `WDSes[0].name: saw "kube", want another name`},
	"a name whose namespace is KubeFlex's own":  {"ITSes: [{name: kubeflex}]", "/ITSes/0/name", `ITSes[0].name: saw "kubeflex", want another name`},
	"a WDS that must choose":                    {"ITSes: [{name: i}, {name: j}]\nWDSes: [{name: a}]", "WDSes[0].ITSName", "want one of: i, j"},
	"a WDS that names nobody": {
		"ITSes: [{name: i}]\nWDSes: [{name: a, ITSName: x}]", "WDSes[0].ITSName", `saw "x", want one of the names in ITSes: i`,
	},
}

func TestCoreChartRefusesWrongControlPlanes(t *testing.T) {
	t.Parallel()
	for name, c := range refusals {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			_, err := render(coreChart(t), c.values, withSchema)
			checkError(t, err, c.key)
			_, err = render(coreChart(t), c.values, withoutSchema)
			checkError(t, err, c.message)
		})
	}
}

func TestSchemasNameTheKeyThatIsWrong(t *testing.T) {
	t.Parallel()
	for values, key := range map[string]string{
		"TRANSPORT: x":                                       "TRANSPORT",
		"verbosity: {kubstellar: 3}":                         "kubstellar",
		"verbosity: {default: -1}":                           "/verbosity/default",
		"verbosity: {transport: high}":                       "/verbosity/transport",
		"kubeflex-operator: {install: 'yes'}":                "/kubeflex-operator/install",
		"status_controller: {verbosity: 2}":                  "status_controller",
		"status_agent: {hub_burst: 0.5}":                     "/status_agent/hub_burst",
		"status_agent: {hub_qps: 0}":                         "/status_agent/hub_qps",
		"status_agent: {logging_format: xml}":                "/status_agent/logging_format",
		"status_agent: {log_flush_frequency: 5}":             "/status_agent/log_flush_frequency",
		"status_agent: {vmodule: '{{.Namespace}}'}":          "/status_agent/vmodule",
		"InstallPCHs: 'true'":                                "/InstallPCHs",
		"ITSes: [null]":                                      "/ITSes/0",
		"ITSes: {name: its1}":                                "/ITSes",
		"ITSes: [{name: Its_1}]":                             "/ITSes/0/name",
		"ITSes: [{name: 1}]":                                 "/ITSes/0/name",
		"ITSes: [{name: its1, ITSName: x}]":                  "ITSName",
		"WDSes: [{name: wds1, APIGroups: [apps]}]":           "/WDSes/0/APIGroups",
		"WDSes: [{name: wds1, APIGroups: 'apps\\,batch'}]":   "/WDSes/0/APIGroups",
		"WDSes: [{name: " + strings.Repeat("a", 57) + "}]\n": "/WDSes/0/name",
	} {
		_, err := render(coreChart(t), values, withSchema)
		checkError(t, err, key)
	}
	for values, key := range map[string]string{
		"ControlPlaneName: ''":              "/ControlPlaneName",
		"ControlPlaneName:":                 "ControlPlaneName",
		"ITSName: UP":                       "/ITSName",
		"APIGroups: [apps]":                 "/APIGroups",
		"ControllerManager: {Verbosity: }":  "Verbosity",
		"ControllerManager: {verbosity: 2}": "verbosity",
		"image: x":                          "image",
	} {
		_, err := render(managerChart(t), values, withSchema)
		checkError(t, err, key)
	}
}

func TestVersionsAreWholeAndWithoutTheirV(t *testing.T) {
	t.Parallel()
	for _, key := range append(othersVersions, "KUBESTELLAR_VERSION") {
		for _, wrong := range []any{"v9.0.1", "latest", "9.0", "9.0.1@sha256:0", 9.1} {
			_, err := renderValues(coreChart(t), chartutil.Values{key: wrong}, withSchema)
			checkError(t, err, key)
		}
	}
	for _, key := range othersVersions {
		for _, wrong := range []any{"", nil} {
			_, err := renderValues(coreChart(t), chartutil.Values{key: wrong}, withSchema)
			checkError(t, err, key)
		}
	}
}

func TestManagerChartNeedsAWDSEvenWithoutItsSchema(t *testing.T) {
	t.Parallel()
	_, err := render(managerChart(t), "ControlPlaneName:", withoutSchema)
	checkError(t, err, "ControlPlaneName: saw nothing")
}

func readAll(t *testing.T, path ...string) string {
	t.Helper()
	return readFile(t, filepath.Join(append([]string{root}, path...)...))
}

func readFile(t *testing.T, path string) string {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}
