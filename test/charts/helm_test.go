package charts_test

import (
	"cmp"
	"errors"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	diff "github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/test/testkit"
)

// helm runs the real helm, without a cluster.
func helm(t *testing.T, args ...string) (stdout, stderr string, err error) {
	t.Helper()
	var out, errOut strings.Builder
	cmd := exec.Command("helm", args...)
	cmd.Stdout, cmd.Stderr = &out, &errOut
	err = cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		t.Fatalf("%v: run the tests with `make test`, which builds helm", err)
	}
	return out.String(), errOut.String(), err
}

func mustHelm(t *testing.T, args ...string) string {
	t.Helper()
	out, errOut, err := helm(t, args...)
	if err != nil {
		t.Fatalf("helm %s: %v\n%s%s", strings.Join(args, " "), err, out, errOut)
	}
	return out
}

// helmTemplate renders with the release name and namespace that the other tests use.
func helmTemplate(t *testing.T, chart string, args ...string) []object {
	t.Helper()
	found, err := decodeLoosely(mustHelm(t, append([]string{"template", "ks", chart, "--namespace", "ks-ns"}, args...)...))
	if err != nil {
		t.Fatal(err)
	}
	return found
}

func sorted(objects []object) []object {
	return slices.SortedFunc(slices.Values(objects), func(a, b object) int { return cmp.Compare(a.id(), b.id()) })
}

// The real helm lints every rendering, and renders the same objects as the library that the other
// tests use.
func TestHelmMakesWhatTheTestsLookAt(t *testing.T) {
	t.Parallel()
	for _, r := range renderings() {
		t.Run(r.file(), func(t *testing.T) {
			t.Parallel()
			values := r.valuesFile()
			out, errOut, err := helm(t, "lint", "--strict", stamped(t, r.chart), "--values", values)
			if err != nil || strings.Contains(errOut, "Fail:") { // a template that fails is reported here, and the exit code is still 0
				t.Errorf("helm lint: %v\n%s%s", err, out, errOut)
			}
			want, err := decodeLoosely(mustRender(t, load(t, stamped(t, r.chart)), readValues(t, r.chart, r.name)).whole)
			if err != nil {
				t.Fatal(err)
			}
			got := helmTemplate(t, stamped(t, r.chart), "--values", values)
			if diff := diff.Diff(sorted(want), sorted(got)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

// The package that `ghhelper stamp` writes and one that helm makes from the folder beside it render to
// the same objects.
func TestHelmPackagesWhatIsStamped(t *testing.T) {
	t.Parallel()
	for _, name := range []string{managerName, coreName} {
		dir := t.TempDir()
		mustHelm(t, "package", stamped(t, name), "--destination", dir)
		file := name + "-" + release + ".tgz"
		want := sorted(helmTemplate(t, stamped(t, name)))
		for _, archive := range []string{filepath.Join(dir, file), stamped(t, file)} {
			if diff := diff.Diff(want, sorted(helmTemplate(t, archive))); diff != "" {
				t.Errorf("%s: the folder (-) and the package (+) differ\n%s", archive, diff)
			}
		}
	}
}

// Each helm command on the source fails and explains how to stamp it. (`helm upgrade` is not tested,
// because it queries a cluster first.)
func TestHelmRefusesTheSource(t *testing.T) {
	t.Parallel()
	for _, source := range []string{"chart", "core-chart"} {
		dir := filepath.Join(root, source)
		for _, args := range [][]string{
			{"package", dir, "--destination", t.TempDir()},
			{"package", dir, "--destination", t.TempDir(), "--version", release, "--app-version", release},
			{"template", "ks", dir},
			{"install", "ks", dir},
			{"install", "ks", dir, "--dry-run=client"},
			{"lint", "--strict", dir},
			{"dependency", "build", dir},
		} {
			checkRefused(t, args)
		}
	}
}

// The templates are the second guard. If the first one is removed from a copy, helm packages it, but
// the package does not render.
func TestHelmMakesNothingOfAPackageOfTheSource(t *testing.T) {
	t.Parallel()
	for _, name := range []string{managerName, coreName} {
		dir := copied(t, stamped(t, name))
		declaration := filepath.Join(dir, "Chart.yaml")
		unstamped := strings.ReplaceAll(readFile(t, declaration), "ersion: "+release, "ersion: "+placeholder)
		testkit.Write(t, declaration, unstamped)
		mustHelm(t, "package", dir, "--destination", dir)
		archive := filepath.Join(dir, name+"-"+placeholder+".tgz")
		checkRefused(t, []string{"template", "ks", archive})
		checkRefused(t, []string{"template", "ks", archive, "--skip-schema-validation", "--is-upgrade"})
	}
}

func checkRefused(t *testing.T, args []string) {
	t.Helper()
	out, errOut, err := helm(t, args...)
	if said := out + errOut; err == nil || !strings.Contains(said, "unstamped source") || !strings.Contains(said, "ghhelper stamp VERSION --out DIR") {
		t.Errorf("helm %s: saw %v and\n%s\nwant an error that explains how to stamp", strings.Join(args, " "), err, said)
	}
}

func TestHelmNamesTheKeyThatIsWrong(t *testing.T) {
	t.Parallel()
	for _, c := range []struct{ chart, values, says string }{
		{coreName, "bogus: 1", "at '': additional properties 'bogus' not allowed"},
		{coreName, "verbosity: {kubstellar: 1}", "at '/verbosity': additional properties 'kubstellar' not allowed"},
		{coreName, "kubeflex-operator: {isOpenShfit: true}", "at '/kubeflex-operator': additional properties 'isOpenShfit' not allowed"},
		{coreName, "kubeflex-operator: {isOpenShift: 1}", "at '/kubeflex-operator/isOpenShift': value must be one of true, false"},
		{coreName, "ITSes: [{type: host}]", "at '/ITSes/0': missing property 'name'"},
		{coreName, "ITSes: [{name: a, type: k8s}]", "at '/ITSes/0/type': value must be one of 'vcluster', 'host'"},
		{coreName, "WDSes: [{name: a}, {name: a}]", `WDSes[1].name: saw "a", which is also the name of WDSes[0]`},
		{coreName, "ITSes: [{name: i}, {name: j}]\nWDSes: [{name: a}]", "WDSes[0].ITSName: saw nothing, want one of: i, j"},
		{coreName, "ITSes: [{name: i}]\nWDSes: [{name: a, ITSName: x}]", `WDSes[0].ITSName: saw "x", want one of the names in ITSes: i`},
		{coreName, "InstallPCHs: maybe", "at '/InstallPCHs': got string, want boolean"},
		{coreName, "verbosity: {default: high}", "at '/verbosity/default': got string, want null or integer"},
		{coreName, "HELM_VERSION: v3.14.0", "at '/HELM_VERSION': 'v3.14.0' is not valid semver"},
		{managerName, "Verbosity: 3", "at '': additional properties 'Verbosity' not allowed"},
		{managerName, "ControllerManager: {Verbosity: two}", "at '/ControllerManager/Verbosity': got string, want integer"},
		{managerName, "APIGroups: [apps]", "at '/APIGroups': got array, want null or string"},
	} {
		values := filepath.Join(t.TempDir(), "values.yaml")
		testkit.Write(t, values, c.values)
		_, said, err := helm(t, "template", "ks", stamped(t, c.chart), "--values", values)
		if err == nil || !strings.Contains(said, c.says) {
			t.Errorf("%s: saw %v and\n%s\nwant %s", c.values, err, said, c.says)
		}
	}
}
