package charts_test

import (
	"fmt"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// object is a Kubernetes object or a part of one.
type object map[string]any

func (o object) at(path ...string) any {
	var here any = o
	for _, key := range path {
		switch m := here.(type) {
		case object:
			here = m[key]
		case map[string]any:
			here = m[key]
		default:
			return nil
		}
	}
	return here
}

func (o object) string(path ...string) string {
	text, _ := o.at(path...).(string)
	return text
}

func (o object) list(path ...string) []object {
	items, _ := o.at(path...).([]any)
	found := make([]object, 0, len(items))
	for _, item := range items {
		found = append(found, asObject(item))
	}
	return found
}

func (o object) strings(path ...string) []string {
	items, _ := o.at(path...).([]any)
	found := make([]string, 0, len(items))
	for _, item := range items {
		found = append(found, fmt.Sprint(item))
	}
	return found
}

func (o object) id() string {
	return o.string("kind") + "/" + o.string("metadata", "name")
}

func asObject(value any) object {
	switch m := value.(type) {
	case object:
		return m
	case map[string]any:
		return m
	}
	return nil
}

// each calls do with the value and everything inside it.
func each(value any, do func(any)) {
	do(value)
	switch v := value.(type) {
	case object:
		each(map[string]any(v), do)
	case map[string]any:
		for _, inner := range v {
			each(inner, do)
		}
	case []any:
		for _, inner := range v {
			each(inner, do)
		}
	}
}

func ids(objects []object) []string {
	found := make([]string, 0, len(objects))
	for _, o := range objects {
		found = append(found, o.id())
	}
	return found
}

func mustFind(t *testing.T, objects []object, id string) object {
	t.Helper()
	for _, o := range objects {
		if o.id() == id {
			return o
		}
	}
	t.Fatalf("saw no %s among %v", id, ids(objects))
	return nil
}

// containers returns the containers of every pod in the objects, by name.
func containers(objects ...object) map[string]object {
	found := map[string]object{}
	for _, o := range objects {
		each(o, func(value any) {
			pod := asObject(value)
			for _, c := range append(pod.list("initContainers"), pod.list("containers")...) {
				found[c.string("name")] = c
			}
		})
	}
	return found
}

var (
	pinned    = regexp.MustCompile(`^[a-z0-9.-]+\.[a-z]+(/[a-z0-9._-]+)+(:[0-9A-Za-z._-]+|@sha256:[0-9a-f]{64})$`)
	labelText = regexp.MustCompile(`^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$`)
)

// checkText checks a text that is applied to a cluster.
func checkText(t *testing.T, text string) {
	t.Helper()
	for _, wrong := range []string{"latest", "${", "<no value>", "<nil>", placeholder, "%!"} {
		if strings.Contains(text, wrong) {
			t.Errorf("saw %q in a text for the cluster:\n%s", wrong, text)
		}
	}
}

// checkObjects checks objects that are applied together.
func checkObjects(t *testing.T, objects []object) {
	t.Helper()
	if len(objects) == 0 {
		t.Fatal("saw no object to check")
	}
	seen := map[string]bool{}
	for _, o := range objects {
		if seen[o.id()] {
			t.Errorf("%s: made twice", o.id())
		}
		seen[o.id()] = true
		checkObject(t, o)
	}
}

func checkObject(t *testing.T, o object) {
	t.Helper()
	if o.string("apiVersion") == "" || o.string("kind") == "" || o.string("metadata", "name") == "" {
		t.Errorf("saw an object without apiVersion, kind or name: %v", o)
	}
	for key, value := range asObject(o.at("metadata", "labels")) {
		if text, ok := value.(string); !ok || !labelText.MatchString(text) {
			t.Errorf("%s: label %s: saw %v, which is not valid in a label", o.id(), key, value)
		}
	}
	each(o, func(value any) {
		if pod := asObject(value); pod.list("containers") != nil && pod.at("containers") != nil {
			checkPod(t, o.id(), pod)
		}
	})
}

// checkPod checks that a pod meets the restricted Pod Security Standard and has a read-only root file
// system. It also checks that the pod's nodes have a platform that images are built for.
func checkPod(t *testing.T, id string, pod object) {
	t.Helper()
	expect(t, id, pod, true, "securityContext", "runAsNonRoot")
	expect(t, id, pod, "RuntimeDefault", "securityContext", "seccompProfile", "type")
	expect(t, id, pod, nil, "securityContext", "runAsUser")
	var nodes []string
	for _, term := range asObject(pod.at("affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution")).list("nodeSelectorTerms") {
		for _, e := range term.list("matchExpressions") {
			nodes = append(nodes, fmt.Sprint(e.string("key"), " ", e.string("operator"), " ", e.strings("values")))
		}
	}
	if want := []string{"kubernetes.io/os In [linux]", "kubernetes.io/arch In [amd64 arm64]"}; !slices.Equal(nodes, want) {
		t.Errorf("%s: saw nodes %q, want %q", id, nodes, want)
	}
	for _, c := range append(pod.list("initContainers"), pod.list("containers")...) {
		checkContainer(t, id+", container "+c.string("name"), c)
	}
}

func checkContainer(t *testing.T, id string, c object) {
	t.Helper()
	if !pinned.MatchString(c.string("image")) {
		t.Errorf("%s: saw image %q, want a registry and a tag or digest", id, c.string("image"))
	}
	expect(t, id, c, false, "securityContext", "allowPrivilegeEscalation")
	expect(t, id, c, true, "securityContext", "readOnlyRootFilesystem")
	expect(t, id, c, nil, "securityContext", "runAsUser")
	if got := object(c).strings("securityContext", "capabilities", "drop"); len(got) != 1 || got[0] != "ALL" {
		t.Errorf("%s: saw dropped capabilities %v, want ALL", id, got)
	}
}

func expect(t *testing.T, id string, o object, want any, path ...string) {
	t.Helper()
	if got := o.at(path...); got != want {
		t.Errorf("%s: %s: saw %v, want %v", id, strings.Join(path, "."), got, want)
	}
}
