package charts_test

import (
	"slices"
	"strings"
	"testing"
)

func kindOf(id string) string {
	kind, _, _ := strings.Cut(id, "/")
	return kind
}

// rules returns the rules of the roles of a kind.
func rules(objects []object, kind string) []object {
	var found []object
	for _, o := range objects {
		if o.string("kind") == kind {
			found = append(found, o.list("rules")...)
		}
	}
	return found
}

// leaves splits a rule into one line for each permission.
func leaves(rule object) []string {
	var found []string
	for _, verb := range rule.strings("verbs") {
		for _, url := range rule.strings("nonResourceURLs") {
			found = append(found, verb+" "+url)
		}
		for _, group := range rule.strings("apiGroups") {
			for _, resource := range rule.strings("resources") {
				found = append(found, verb+" "+group+"/"+resource)
			}
		}
	}
	return found
}

func permitted(rules []object) []string {
	var found []string
	for _, rule := range rules {
		found = append(found, leaves(rule)...)
	}
	return found
}

// Kubernetes refuses to create a role with permissions that its creator lacks. The hook that installs
// the chart therefore needs every permission in the chart's roles.
func TestTheHooksMayMakeTheRolesOfTheManagerChart(t *testing.T) {
	t.Parallel()
	chart := mustRender(t, managerChart(t), "")
	for name, hook := range wdsHooks(t) {
		made := run(t, hook, "wds1", nil)
		everywhere := permitted(rules(made, "ClusterRole"))
		here := append(permitted(rules(made, "Role")), everywhere...)
		checkCovered(t, name+", cluster roles", everywhere, permitted(rules(chart.objects, "ClusterRole")))
		checkCovered(t, name+", roles", here, permitted(rules(chart.objects, "Role")))
	}
}

func checkCovered(t *testing.T, where string, may, wanted []string) {
	t.Helper()
	if len(wanted) == 0 {
		t.Fatalf("%s: saw no rule to check", where)
	}
	for _, leaf := range wanted {
		if !slices.Contains(may, leaf) {
			t.Errorf("%s: the hook may not %s, which the chart's role permits", where, leaf)
		}
	}
}

func TestTheHooksMayMakeTheObjectsOfTheManagerChart(t *testing.T) {
	t.Parallel()
	resources := map[string]string{
		"ServiceAccount": "/serviceaccounts", "Service": "/services", "Deployment": "apps/deployments",
		"Role": "rbac.authorization.k8s.io/roles", "RoleBinding": "rbac.authorization.k8s.io/rolebindings",
		"ClusterRole": "rbac.authorization.k8s.io/clusterroles", "ClusterRoleBinding": "rbac.authorization.k8s.io/clusterrolebindings",
	}
	chart := mustRender(t, managerChart(t), "")
	for name, hook := range wdsHooks(t) {
		made := run(t, hook, "wds1", nil)
		may := append(permitted(rules(made, "Role")), permitted(rules(made, "ClusterRole"))...)
		for _, o := range chart.objects {
			resource, known := resources[o.string("kind")]
			for _, verb := range []string{"get", "create", "patch"} {
				if !known || !slices.Contains(may, verb+" "+resource) {
					t.Errorf("%s: the hook may not %s %s", name, verb, o.id())
				}
			}
		}
	}
}

// These charts use neither wildcards nor permissions that bypass RBAC.
func TestNoRoleIsBoundless(t *testing.T) {
	t.Parallel()
	core := mustRender(t, coreChart(t), "ITSes: [{name: its1}]\nWDSes: [{name: wds1}]\n")
	objects := append(mustRender(t, managerChart(t), "").objects, core.objects...)
	objects = append(objects, runFor(t, core.objects, "wds1")...)
	all := append(permitted(rules(objects, "Role")), permitted(rules(objects, "ClusterRole"))...)
	if len(all) == 0 {
		t.Fatal("saw no rule to check")
	}
	for _, leaf := range all {
		verb, _, _ := strings.Cut(leaf, " ")
		if strings.Contains(leaf, "*") || slices.Contains([]string{"bind", "escalate", "impersonate"}, verb) {
			t.Errorf("saw permission to %s", leaf)
		}
	}
}
