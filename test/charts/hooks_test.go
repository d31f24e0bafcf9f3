package charts_test

import (
	"os"
	"reflect"
	"testing"
)

// standalone returns the released hooks of config/postcreate-hooks by name.
func standalone(t *testing.T) map[string]object {
	t.Helper()
	found := map[string]object{}
	for _, name := range []string{"ocm", "kubestellar"} {
		text, err := os.ReadFile(stamped(t, name+".yaml"))
		if err != nil {
			t.Fatal(err)
		}
		objects, err := decode(string(text))
		if err != nil || len(objects) != 1 {
			t.Fatalf("%s.yaml: saw %d objects (%v), want one hook", name, len(objects), err)
		}
		expect(t, name+".yaml", objects[0], name, "metadata", "name")
		found[name] = objects[0]
	}
	return found
}

// wdsHooks returns the two hooks that set up a WDS.
func wdsHooks(t *testing.T) map[string]object {
	t.Helper()
	core := mustRender(t, coreChart(t), "")
	return map[string]object{
		"core-chart":       mustFind(t, core.objects, "PostCreateHook/wds"),
		"kubestellar.yaml": standalone(t)["kubestellar"],
	}
}

func TestStandaloneHooksAreValidBeforeAndAfterKubeFlexFillsThemIn(t *testing.T) {
	t.Parallel()
	for _, hook := range standalone(t) {
		checkHook(t, hook)
		run(t, hook, "cp1", nil)
		run(t, hook, "cp1", map[string]any{
			"ITSName": "its1", "APIGroups": "apps,batch", "ITSSecretName": "admin-kubeconfig", "ITSSecretKey": "kubeconfig-incluster",
		})
	}
}

// The charts and the standalone hooks pin the same versions.
func TestStandaloneHooksNameTheVersionsOfCoreChart(t *testing.T) {
	t.Parallel()
	hooks := standalone(t)
	made := append(run(t, hooks["ocm"], "its1", nil), run(t, hooks["kubestellar"], "wds1", nil)...)
	checkHookVersions(t, containers(made...), coreChart(t).Values)
}

// The standalone hooks have no values, so they pass fewer arguments to helm and clusteradm. The rest
// is the same in both files.
func TestStandaloneHooksAreThoseOfTheChart(t *testing.T) {
	t.Parallel()
	core := mustRender(t, coreChart(t), "")
	for alone, inChart := range map[string]string{"ocm": "its", "kubestellar": "wds"} {
		hook := standalone(t)[alone]
		other := mustFind(t, core.objects, "PostCreateHook/"+inChart)
		if !reflect.DeepEqual(withoutArgs(hook.at("spec")), withoutArgs(other.at("spec"))) {
			t.Errorf("%s.yaml and the chart's hook %s differ in more than arguments", alone, inChart)
		}
		mine, theirs := containers(run(t, hook, "cp1", nil)...), containers(run(t, other, "cp1", nil)...)
		for name, c := range mine {
			checkStartsAlike(t, name, c.strings("args"), theirs[name].strings("args"))
		}
	}
}

// checkStartsAlike checks that the short list is the long list with some arguments left out.
func checkStartsAlike(t *testing.T, name string, short, long []string) {
	t.Helper()
	at := 0
	for _, arg := range long {
		if at < len(short) && short[at] == arg {
			at++
		}
	}
	if at == 0 || at != len(short) {
		t.Errorf("container %s: saw %q, want a subset of %q", name, short, long)
	}
}

func withoutArgs(value any) any {
	switch v := value.(type) {
	case object:
		return withoutArgs(map[string]any(v))
	case map[string]any:
		kept := map[string]any{}
		for key, inner := range v {
			if key != "args" {
				kept[key] = withoutArgs(inner)
			}
		}
		return kept
	case []any:
		kept := make([]any, 0, len(v))
		for _, inner := range v {
			kept = append(kept, withoutArgs(inner))
		}
		return kept
	}
	return value
}
