package charts_test

import (
	"slices"
	"strings"
	"testing"
)

// managerMatrix lists the value files that controller-manager-chart must render.
var managerMatrix = []string{
	"defaults",
	"API groups and ITS",
	"verbosity zero",
	"everything set",
	"emptied",
	"a parent's globals",
}

func TestManagerChartRenders(t *testing.T) {
	t.Parallel()
	for _, name := range managerMatrix {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			got := mustRender(t, managerChart(t), readValues(t, managerName, name))
			checkText(t, got.text)
			checkObjects(t, got.objects)
		})
	}
}

func TestTheDeploymentRunsTheImageOfItsChartsVersion(t *testing.T) {
	t.Parallel()
	got := mustRender(t, managerChart(t), "")
	made := containers(got.objects...)
	expect(t, "manager", made["manager"], "ghcr.io/kubestellar/kubestellar/controller-manager:"+release, "image")
	if image := made["kube-rbac-proxy"].string("image"); !strings.HasPrefix(image, "quay.io/brancz/kube-rbac-proxy:v") {
		t.Errorf("saw %s, want kube-rbac-proxy from its author's registry", image)
	}
	for _, o := range got.objects {
		expect(t, o.id(), o, release, "metadata", "labels", "app.kubernetes.io/version")
		expect(t, o.id(), o, "controller-manager-chart-"+release, "metadata", "labels", "helm.sh/chart")
	}
}

func TestTheManagerIsToldAllThatItNeeds(t *testing.T) {
	t.Parallel()
	got := mustRender(t, managerChart(t), "")
	want := []string{
		"--health-probe-bind-address=:8081", "--metrics-bind-address=127.0.0.1:8080", "--leader-elect",
		"--wds-name=wds1", "--its-name=", "--api-groups=", "-v=2",
	}
	if args := containers(got.objects...)["manager"].strings("args"); !slices.Equal(args, want) {
		t.Errorf("saw  %q\nwant %q", args, want)
	}
}

// Clusters contain Deployments of earlier releases, and Kubernetes allows no change of their selector.
func TestTheSelectorIsThatOfEarlierReleases(t *testing.T) {
	t.Parallel()
	got := mustRender(t, managerChart(t), "")
	deployment := mustFind(t, got.objects, "Deployment/kubestellar-controller-manager")
	selector := asObject(deployment.at("spec", "selector", "matchLabels"))
	if len(selector) != 1 || selector["control-plane"] != "controller-manager" {
		t.Errorf("saw selector %v, want control-plane: controller-manager alone", selector)
	}
	service := mustFind(t, got.objects, "Service/kubestellar-controller-manager-metrics-service")
	for _, labels := range []any{deployment.at("spec", "template", "metadata", "labels"), service.at("spec", "selector")} {
		expect(t, deployment.id(), asObject(labels), "controller-manager", "control-plane")
	}
}

func TestTwoWDSesShareNoClusterScopedName(t *testing.T) {
	t.Parallel()
	clusterScoped := func(values string) []string {
		return slices.DeleteFunc(ids(mustRender(t, managerChart(t), values).objects), func(id string) bool {
			return !slices.Contains([]string{"ClusterRole", "ClusterRoleBinding"}, kindOf(id))
		})
	}
	first, second := clusterScoped("ControlPlaneName: wds1\n"), clusterScoped("ControlPlaneName: wds2\n")
	if len(first) != 5 || len(second) != 5 {
		t.Errorf("saw %v and %v, want five of each", first, second)
	}
	for _, id := range first {
		if slices.Contains(second, id) {
			t.Errorf("both WDSes make %s", id)
		}
	}
}
