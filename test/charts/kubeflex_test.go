package charts_test

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"text/template"
)

const kubeFlexAPI = "tenancy.kflex.kubestellar.org/v1alpha1"

// checkKubeFlex checks one of KubeFlex's objects against its CRD. It refuses unknown fields, because
// the API server drops them silently.
func checkKubeFlex(t *testing.T, o object) {
	t.Helper()
	switch o.string("kind") {
	case "ControlPlane":
		checkControlPlane(t, o)
	case "PostCreateHook":
		checkHook(t, o)
	}
}

func checkControlPlane(t *testing.T, o object) {
	t.Helper()
	expect(t, o.id(), o, kubeFlexAPI, "apiVersion")
	checkKeys(t, o.id()+".spec", asObject(o.at("spec")), "backend", "type", "postCreateHook", "postCreateHookVars")
	checkOneOf(t, o, []string{"shared", "dedicated"}, "spec", "backend")
	checkOneOf(t, o, []string{"k8s", "ocm", "vcluster", "host"}, "spec", "type")
	checkOneOf(t, o, []string{"its", "wds"}, "spec", "postCreateHook")
	for name, value := range asObject(o.at("spec", "postCreateHookVars")) {
		if _, ok := value.(string); !ok {
			t.Errorf("%s: variable %s: saw %T, want a string", o.id(), name, value)
		}
	}
}

func checkHook(t *testing.T, o object) {
	t.Helper()
	expect(t, o.id(), o, kubeFlexAPI, "apiVersion")
	checkKeys(t, o.id()+".spec", asObject(o.at("spec")), "templates")
	// KubeFlex copies every label to the control plane, and a release's labels would be wrong there.
	checkKeys(t, o.id()+".metadata.labels", asObject(o.at("metadata", "labels")), "kflex.kubestellar.io/cptype")
	checkOneOf(t, o, []string{"its", "wds"}, "metadata", "labels", "kflex.kubestellar.io/cptype")
	for _, inner := range o.list("spec", "templates") {
		checkEmbedded(t, inner)
	}
}

// checkEmbedded checks an embedded object as the API server does before KubeFlex fills it in.
func checkEmbedded(t *testing.T, o object) {
	t.Helper()
	checkObject(t, o)
	// KubeFlex searches for the kind in "group/version", which matches nothing in the core group.
	if !strings.Contains(o.string("apiVersion"), "/") {
		t.Errorf("%s: saw apiVersion %q, want a group: KubeFlex creates no objects of the core group", o.id(), o.string("apiVersion"))
	}
	if name := o.string("metadata", "name"); strings.ContainsAny(name, "/%") {
		t.Errorf("%s: saw a name with a slash or a percent sign", o.id())
	}
	if namespace := o.string("metadata", "namespace"); strings.Contains(namespace, "{") {
		t.Errorf("%s: saw namespace %q, which the API server refuses", o.id(), namespace)
	}
}

func checkKeys(t *testing.T, where string, o object, known ...string) {
	t.Helper()
	if len(o) == 0 {
		t.Errorf("%s: saw nothing", where)
	}
	for key := range o {
		if !slices.Contains(known, key) {
			t.Errorf("%s: saw %s, want only %v", where, key, known)
		}
	}
}

func checkOneOf(t *testing.T, o object, known []string, path ...string) {
	t.Helper()
	if got := o.string(path...); !slices.Contains(known, got) {
		t.Errorf("%s: %s: saw %q, want one of %v", o.id(), strings.Join(path, "."), got, known)
	}
}

// run fills in each object of a hook as KubeFlex does, in its JSON, and checks the results.
func run(t *testing.T, hook object, controlPlane string, vars map[string]any) []object {
	t.Helper()
	all := map[string]any{
		"Namespace":        controlPlane + "-system",
		"ControlPlaneName": controlPlane,
		"HookName":         hook.string("metadata", "name"),
	}
	for name, value := range vars {
		all[name] = value
	}
	made := make([]object, 0, len(hook.list("spec", "templates")))
	for _, inner := range hook.list("spec", "templates") {
		made = append(made, fill(t, inner, all))
	}
	checkObjects(t, made)
	return made
}

func fill(t *testing.T, o object, vars map[string]any) object {
	t.Helper()
	raw, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	parsed, err := template.New(o.id()).Parse(string(raw))
	if err != nil {
		t.Fatalf("%s: %v", o.id(), err)
	}
	var out strings.Builder
	if err := parsed.Execute(&out, vars); err != nil {
		t.Fatal(err)
	}
	checkText(t, out.String())
	if strings.Contains(out.String(), "{{") {
		t.Errorf("%s: saw a template that was not filled in:\n%s", o.id(), out.String())
	}
	var filled object
	if err := json.Unmarshal([]byte(out.String()), &filled); err != nil {
		t.Fatalf("%s: %v", o.id(), err)
	}
	return filled
}

// runFor fills in the hook that a control plane names.
func runFor(t *testing.T, objects []object, controlPlane string) []object {
	t.Helper()
	plane := mustFind(t, objects, "ControlPlane/"+controlPlane)
	hook := mustFind(t, objects, "PostCreateHook/"+plane.string("spec", "postCreateHook"))
	return run(t, hook, controlPlane, asObject(plane.at("spec", "postCreateHookVars")))
}

// versionOf returns the argument after --version of a helm container that installs this chart.
func versionOf(t *testing.T, container object, chart string) string {
	t.Helper()
	args := container.strings("args")
	at := slices.Index(args, "--version")
	if !slices.Contains(args, chart) || at < 0 || at+1 == len(args) {
		t.Fatalf("container %s: saw %v, want the chart %s and its version", container.string("name"), args, chart)
	}
	return fmt.Sprint(args[at+1])
}
