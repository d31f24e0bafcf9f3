package charts_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"helm.sh/helm/v3/pkg/chartutil"
	"helm.sh/helm/v3/pkg/strvals"
)

const (
	managerChartAt   = "oci://ghcr.io/kubestellar/kubestellar/controller-manager-chart"
	statusAddonAt    = "oci://ghcr.io/kubestellar/ocm-status-addon-chart"
	transportAt      = "oci://ghcr.io/kubestellar/ocm-transport-plugin/chart/ocm-transport-plugin"
	bindingForHosts  = "ClusterRoleBinding/ks-ns-ks-kubeflex-cluster-admin"
	kubeFlexItself   = "ConfigMap/kubeflex-config"
	kubeFlexSpace    = "Namespace/kubeflex-system"
	deletionOfPlanes = "Job/ks-delete-cps"
)

// matrix lists the value files that core-chart must render. Each has objects that the rendering must
// and must not contain.
var matrix = map[string]struct {
	want    []string
	without []string
}{
	"nothing asked for": {
		want:    []string{"PostCreateHook/its", "PostCreateHook/wds", kubeFlexItself, kubeFlexSpace},
		without: []string{deletionOfPlanes, bindingForHosts},
	},
	"lists left empty": {
		want:    []string{"PostCreateHook/its"},
		without: []string{deletionOfPlanes},
	},
	"one of each, default types": {
		want:    []string{"ControlPlane/its1", "ControlPlane/wds1", deletionOfPlanes},
		without: []string{bindingForHosts},
	},
	"types spelled out": {
		want:    []string{"ControlPlane/its1", "ControlPlane/wds1"},
		without: []string{bindingForHosts},
	},
	"ITS on the host": {
		want: []string{bindingForHosts},
	},
	"WDS on the host": {
		want: []string{bindingForHosts},
	},
	"both on the host": {
		want: []string{bindingForHosts},
	},
	"several of each type": {
		want: []string{
			"ControlPlane/its1", "ControlPlane/its2", "ControlPlane/its3", "ControlPlane/wds1", "ControlPlane/wds2", "ControlPlane/wds3",
			bindingForHosts, deletionOfPlanes,
		},
	},
	"only a WDS": {
		want:    []string{"ControlPlane/wds1", bindingForHosts, deletionOfPlanes},
		without: []string{"ControlPlane/its1"},
	},
	"only an ITS": {
		want: []string{"ControlPlane/its1", deletionOfPlanes},
	},
	"a WDS for an ITS of elsewhere": {
		want: []string{"ControlPlane/wds1", deletionOfPlanes},
	},
	"OpenShift": {
		want: []string{kubeFlexItself, "ControlPlane/its1"},
	},
	"KubeFlex of elsewhere": {
		want:    []string{"ControlPlane/its1", "PostCreateHook/its", bindingForHosts},
		without: []string{kubeFlexItself, kubeFlexSpace, deletionOfPlanes},
	},
	"hooks of elsewhere": {
		want:    []string{"ControlPlane/wds1", kubeFlexItself},
		without: []string{"PostCreateHook/its", "PostCreateHook/wds"},
	},
	"everything set": {
		want: []string{"ControlPlane/its1", "ControlPlane/wds1", kubeFlexItself, deletionOfPlanes, bindingForHosts},
	},
	"a subchart's parent's values": {
		want: []string{"ControlPlane/its1"},
	},
}

// everyVersion completes the file "everything set". The file cannot contain these versions, because
// they are not published. A release's proof queries every version that its charts name.
const everyVersion = `HELM_VERSION: "8.0.1"
KUBECTL_VERSION: "8.0.2"
KUBESTELLAR_VERSION: "8.0.3"
CLUSTERADM_VERSION: "8.0.4"
OCM_STATUS_ADDON_VERSION: "8.0.5-rc1"
OCM_TRANSPORT_PLUGIN_VERSION: "8.0.6"
`

// Two values must keep their defaults, because otherwise the other values have no effect. Other cases
// of the matrix set them.
func TestEverythingIsSet(t *testing.T) {
	t.Parallel()
	given, err := chartutil.ReadValues([]byte(everyVersion + readValues(t, coreName, "everything set")))
	if err != nil {
		t.Fatal(err)
	}
	unset := same("", coreChart(t).Values, given)
	slices.Sort(unset)
	if want := []string{".InstallPCHs", ".kubeflex-operator.install"}; !slices.Equal(unset, want) {
		t.Errorf("saw the defaults in %v, want them in %v alone", unset, want)
	}
}

// same returns the keys that have the same value in both maps or are missing in the second.
func same(at string, defaults, given map[string]any) []string {
	var found []string
	for key, value := range defaults {
		path := at + "." + key
		inner, mapping := value.(map[string]any)
		other, otherMapping := given[key].(map[string]any)
		switch {
		case mapping && otherMapping:
			found = append(found, same(path, inner, other)...)
		case given[key] == nil, fmt.Sprint(value) == fmt.Sprint(given[key]):
			found = append(found, path)
		}
	}
	return found
}

func TestCoreChartRenders(t *testing.T) {
	t.Parallel()
	for name, c := range matrix {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := mustRender(t, coreChart(t), readValues(t, coreName, name))
			checkText(t, got.text)
			checkObjects(t, got.objects)
			for _, o := range got.objects {
				checkKubeFlex(t, o)
			}
			checkPresence(t, got.made(), c.want, c.without)
			checkEveryHookRuns(t, got.objects)
		})
	}
}

func checkPresence(t *testing.T, objects []object, want, without []string) {
	t.Helper()
	made := ids(objects)
	for _, id := range want {
		if !slices.Contains(made, id) {
			t.Errorf("saw no %s among %v", id, made)
		}
	}
	for _, id := range without {
		if slices.Contains(made, id) {
			t.Errorf("saw %s, which these values do not request", id)
		}
	}
}

// checkEveryHookRuns runs the hooks for the release's control planes, and once as another release
// would use them.
func checkEveryHookRuns(t *testing.T, objects []object) {
	t.Helper()
	for _, o := range objects {
		switch {
		case o.string("kind") == "PostCreateHook":
			run(t, o, "other", nil)
		case o.string("kind") == "ControlPlane" && slices.Contains(ids(objects), "PostCreateHook/"+o.string("spec", "postCreateHook")):
			runFor(t, objects, o.string("metadata", "name"))
		}
	}
}

func TestValuesReachKubeFlex(t *testing.T) {
	t.Parallel()
	got := mustRender(t, coreChart(t), "kubeflex-operator: {isOpenShift: true, domain: apps.example.com}\n")
	config := mustFind(t, got.made(), kubeFlexItself)
	expect(t, "kubeflex-config", config, "true", "data", "isOpenShift")
	expect(t, "kubeflex-config", config, "apps.example.com", "data", "domain")
}

// versions returns a different version for each key.
func versions(keys ...string) chartutil.Values {
	given := chartutil.Values{}
	for i, key := range keys {
		given[key] = fmt.Sprintf("9.0.%d", i)
	}
	return given
}

// othersVersions are the keys of values.yaml that contain other components' versions.
var othersVersions = []string{
	"HELM_VERSION", "KUBECTL_VERSION", "CLUSTERADM_VERSION", "OCM_STATUS_ADDON_VERSION", "OCM_TRANSPORT_PLUGIN_VERSION",
}

func TestEachVersionIsWhereItBelongs(t *testing.T) {
	t.Parallel()
	given := versions(othersVersions...)
	got, err := renderValues(coreChart(t), merged(t, given, "ITSes: [{name: its1}]\nWDSes: [{name: wds1}]\n"), withSchema)
	if err != nil {
		t.Fatal(err)
	}
	made := append(runFor(t, got.objects, "its1"), runFor(t, got.objects, "wds1")...)
	checkHookVersions(t, containers(made...), given)
	for name, container := range containers(mustFind(t, got.objects, deletionOfPlanes)) {
		expect(t, name, container, fmt.Sprint("quay.io/kubestellar/kubectl:", given["KUBECTL_VERSION"]), "image")
	}
}

// checkHookVersions checks that the containers of both hooks run the versions given by the keys of
// values.yaml.
func checkHookVersions(t *testing.T, made map[string]object, want chartutil.Values) {
	t.Helper()
	for name, tool := range map[string]string{
		"clusteradm": "clusteradm", "status-addon": "helm", "kubestellar": "helm", "ocm-transport-plugin": "helm",
	} {
		version := want[strings.ToUpper(tool)+"_VERSION"]
		expect(t, name, made[name], fmt.Sprintf("quay.io/kubestellar/%s:%v", tool, version), "image")
	}
	for _, c := range []struct{ container, chart, want string }{
		{"status-addon", statusAddonAt, fmt.Sprint("v", want["OCM_STATUS_ADDON_VERSION"])},
		{"ocm-transport-plugin", transportAt, fmt.Sprint(want["OCM_TRANSPORT_PLUGIN_VERSION"])},
		{"kubestellar", managerChartAt, release},
	} {
		if saw := versionOf(t, made[c.container], c.chart); saw != c.want {
			t.Errorf("%s: saw version %q, want %q", c.chart, saw, c.want)
		}
	}
}

// merged adds the values of a YAML text to values made in code.
func merged(t *testing.T, given chartutil.Values, text string) chartutil.Values {
	t.Helper()
	more, err := chartutil.ReadValues([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return chartutil.CoalesceTables(more, given)
}

func TestKubeStellarsVersionIsTheChartsUnlessGiven(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		given any
		want  string
	}{{nil, release}, {"", release}, {"9.9.9", "9.9.9"}} {
		got, err := renderValues(coreChart(t), chartutil.Values{"KUBESTELLAR_VERSION": c.given}, withSchema)
		if err != nil {
			t.Fatal(err)
		}
		made := containers(run(t, mustFind(t, got.objects, "PostCreateHook/wds"), "wds1", nil)...)
		if version := versionOf(t, made["kubestellar"], managerChartAt); version != c.want {
			t.Errorf("given %q: saw controller-manager-chart %s, want %s", c.given, version, c.want)
		}
	}
}

func TestAControlPlaneHasTheTypeAskedForAndTheHookOfItsKind(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ list, asked, want, hook string }{
		{"ITSes", "", "vcluster", "its"},
		{"ITSes", "vcluster", "vcluster", "its"},
		{"ITSes", "host", "host", "its"},
		{"WDSes", "", "k8s", "wds"},
		{"WDSes", "k8s", "k8s", "wds"},
		{"WDSes", "host", "host", "wds"},
	} {
		got := mustRender(t, coreChart(t), fmt.Sprintf("%s: [{name: cp1, type: %s}]\n", c.list, c.asked))
		plane := mustFind(t, got.objects, "ControlPlane/cp1")
		expect(t, c.list, plane, c.want, "spec", "type")
		expect(t, c.list, plane, c.hook, "spec", "postCreateHook")
		expect(t, c.list, plane, "shared", "spec", "backend")
	}
}

func TestAnITSIsReachedByTheKubeconfigOfItsType(t *testing.T) {
	t.Parallel()
	for kind, want := range map[string][2]string{
		"host":     {"admin-kubeconfig", "/etc/kube/kubeconfig-incluster"},
		"vcluster": {"vc-vcluster", "/etc/kube/config-incluster"},
	} {
		got := mustRender(t, coreChart(t), "ITSes: [{name: its1, type: "+kind+"}]\n")
		job := mustFind(t, runFor(t, got.objects, "its1"), "Job/its")
		pod := asObject(job.at("spec", "template", "spec"))
		secret := pod.list("volumes")[0].string("secret", "secretName")
		for name, c := range containers(job) {
			if env := c.list("env")[1]; secret != want[0] || env.string("value") != want[1] {
				t.Errorf("%s, %s: saw %s in secret %s, want %s in %s", kind, name, env.string("value"), secret, want[1], want[0])
			}
		}
	}
}

func TestTheITSOfAWDS(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"WDSes: [{name: wds1}]\n":                                                        "",
		"WDSes: [{name: wds1, ITSName: its9}]\n":                                         "its9",
		"ITSes: [{name: its1}]\nWDSes: [{name: wds1}]\n":                                 "its1",
		"ITSes: [{name: its1}, {name: its2}]\nWDSes: [{name: wds1, ITSName: its2}]\n":    "its2",
		"ITSes: [{name: its1}]\nWDSes: [{name: wds1, ITSName: its1}]\nInstallPCHs: true": "its1",
	} {
		got := mustRender(t, coreChart(t), values)
		plane := mustFind(t, got.objects, "ControlPlane/wds1")
		expect(t, values, plane, want, "spec", "postCreateHookVars", "ITSName")
	}
}

// handed parses the --set and --set-literal arguments of a helm container as helm does.
func handed(t *testing.T, container object) map[string]any {
	t.Helper()
	values := map[string]any{}
	args := container.strings("args")
	for i, arg := range args {
		var err error
		switch arg {
		case "--set":
			err = strvals.ParseInto(args[i+1], values)
		case "--set-literal":
			err = strvals.ParseLiteralInto(args[i+1], values)
		}
		if err != nil {
			t.Fatalf("%s %s: %v", arg, args[i+1], err)
		}
	}
	return values
}

func TestTheControllerManagerGetsWhatCoreChartHandsOver(t *testing.T) {
	t.Parallel()
	core := mustRender(t, coreChart(t), "ITSes: [{name: its1}]\nverbosity: {kubestellar: 0}\n"+
		"WDSes: [{name: wds7, APIGroups: 'apps,batch,'}]\n")
	hook := containers(runFor(t, core.objects, "wds7")...)
	manager, err := renderValues(managerChart(t), handed(t, hook["kubestellar"]), withSchema)
	if err != nil {
		t.Fatalf("controller-manager-chart refuses the values that core-chart passes: %v", err)
	}
	args := containers(mustFind(t, manager.objects, "Deployment/kubestellar-controller-manager"))["manager"].strings("args")
	for _, want := range []string{"--wds-name=wds7", "--its-name=its1", "--api-groups=apps,batch,", "-v=0"} {
		if !slices.Contains(args, want) {
			t.Errorf("saw %v, want %s among them", args, want)
		}
	}
}

func TestTheTransportGetsBothNames(t *testing.T) {
	t.Parallel()
	core := mustRender(t, coreChart(t), "ITSes: [{name: its1}]\nWDSes: [{name: wds7}]\nverbosity: {transport: 5}\n")
	got := handed(t, containers(runFor(t, core.objects, "wds7")...)["ocm-transport-plugin"])
	want := map[string]any{"wds_cp_name": "wds7", "transport_cp_name": "its1", "verbosity": int64(5)}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("saw %v, want %v", got, want)
	}
}

func TestTheStatusAddonGetsItsSettings(t *testing.T) {
	t.Parallel()
	core := mustRender(t, coreChart(t), "ITSes: [{name: its1}]\nstatus_controller: {v: 0}\n"+
		"verbosity: {default: 3, status_controller: 7, status_agent: 4}\n"+
		"status_agent: {hub_burst: 100000, hub_qps: 2.5, vmodule: 'a=1,b=2', metrics_bind_addr: ':1'}\n")
	got := handed(t, containers(runFor(t, core.objects, "its1")...)["status-addon"])
	want := map[string]any{
		"controller": map[string]any{"verbosity": int64(0)},
		"agent": map[string]any{
			"hub_burst": int64(100000), "hub_qps": "2.5", "local_burst": int64(10), "local_qps": int64(5),
			"log_flush_frequency": "5s", "logging_format": "text", "metrics_bind_addr": ":1", "pprof_bind_addr": ":8082",
			"v": int64(4), "vmodule": "a=1,b=2",
		},
	}
	if fmt.Sprint(got) != fmt.Sprint(want) {
		t.Errorf("saw  %v\nwant %v", got, want)
	}
}

func TestVerbosityFallsBackOnlyWhereNothingIsSet(t *testing.T) {
	t.Parallel()
	for values, want := range map[string]string{
		"":                          "-v=2",
		"verbosity: {default: 0}\n": "-v=0",
		"verbosity: {default: 5, clusteradm: 0}\n": "-v=0",
		"verbosity: {default: 5, clusteradm: }\n":  "-v=5",
		"verbosity: {default: }\n":                 "-v=2",
	} {
		got := mustRender(t, coreChart(t), values)
		made := containers(run(t, mustFind(t, got.objects, "PostCreateHook/its"), "its1", nil)...)
		if args := made["clusteradm"].strings("args"); !slices.Contains(args, want) {
			t.Errorf("with %q: saw %v, want %s among them", values, args, want)
		}
	}
}

// The job must end before KubeFlex is removed, and each WDS before its ITS.
func TestDeletionTakesWDSesFirst(t *testing.T) {
	t.Parallel()
	got := mustRender(t, coreChart(t), "ITSes: [{name: its1}]\nWDSes: [{name: wds1}, {name: wds2}]\n")
	job := mustFind(t, got.objects, deletionOfPlanes)
	expect(t, job.id(), job, "pre-delete", "metadata", "annotations", "helm.sh/hook")
	pod := asObject(job.at("spec", "template", "spec"))
	first, last := pod.list("initContainers")[0].strings("args"), pod.list("containers")[0].strings("args")
	if !slices.Equal(first[len(first)-2:], []string{"wds1", "wds2"}) || last[len(last)-1] != "its1" {
		t.Errorf("saw first %v, then %v; want wds1 and wds2, then its1", first, last)
	}
	role := mustFind(t, got.objects, "ClusterRole/ks-ns-ks-delete-cps")
	if names := role.list("rules")[0].strings("resourceNames"); !slices.Equal(names, []string{"wds1", "wds2", "its1"}) {
		t.Errorf("saw permission to delete %v, want wds1, wds2 and its1", names)
	}
}

// Removing an ITS on the hosting cluster does not remove a cluster. The job therefore uninstalls its
// status add-on after the WDSes, because they use it, and before the ITS. This also holds if the chart
// does not install KubeFlex.
func TestTheStatusAddonOfAHostITSIsUninstalled(t *testing.T) {
	t.Parallel()
	for values, want := range map[string][]string{
		"ITSes: [{name: its1, type: host}]\nWDSes: [{name: wds1}]\n": {
			"delete-wdses", "uninstall-status-addon", "delete-itses",
		},
		"ITSes: [{name: its1, type: host}]\nWDSes: [{name: wds1}]\nkubeflex-operator: {install: false}\n": {
			"uninstall-status-addon",
		},
		"ITSes: [{name: its1}]\nWDSes: [{name: wds1, type: host}]\n": {"delete-wdses", "delete-itses"},
	} {
		got := mustRender(t, coreChart(t), values)
		pod := asObject(mustFind(t, got.objects, deletionOfPlanes).at("spec", "template", "spec"))
		var steps []string
		for _, c := range append(pod.list("initContainers"), pod.list("containers")...) {
			steps = append(steps, c.string("name"))
		}
		if !slices.Equal(steps, want) {
			t.Errorf("%s: saw steps %v, want %v", values, steps, want)
		}
		admin := slices.Contains(ids(got.objects), "ClusterRoleBinding/ks-ns-ks-delete-cps-status-addon")
		if admin != slices.Contains(want, "uninstall-status-addon") {
			t.Errorf("%s: saw the right to uninstall it: %v", values, admin)
		}
	}
}

// helm creates the namespace of a release itself, and refuses to adopt one that exists.
func TestKubeFlexsNamespaceIsLeftToAReleaseThatLivesInIt(t *testing.T) {
	t.Parallel()
	got, err := renderIn(coreChart(t), "kubeflex-system", nil, withSchema)
	if err != nil {
		t.Fatal(err)
	}
	checkPresence(t, got.made(), []string{kubeFlexItself}, []string{kubeFlexSpace})
}
