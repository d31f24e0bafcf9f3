package charts_test

import (
	"context"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"helm.sh/helm/v3/pkg/chart"
	"helm.sh/helm/v3/pkg/chart/loader"
	"helm.sh/helm/v3/pkg/chartutil"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal"
	"github.com/kubestellar/actions/test/testkit"
)

const (
	placeholder = "0.0.0-unstamped"
	release     = "1.2.3"
	root        = "../.."

	managerName = "controller-manager-chart"
	coreName    = "core-chart"
)

// sources are the folders that are stamped. A chart's key is its name.
var sources = map[string]string{managerName: "chart", coreName: "core-chart", "hooks": "config/postcreate-hooks"}

// scratch is a temporary folder for this run of the tests.
var scratch string

func TestMain(m *testing.M) {
	os.Exit(func() int {
		var err error
		if scratch, err = os.MkdirTemp("", "charts-*"); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return 1
		}
		defer os.RemoveAll(scratch)
		return m.Run()
	}())
}

// stampedOnce runs `ghhelper stamp` on this tree once, with the chart from KubeFlex's module, and
// returns the output folder.
var stampedOnce = sync.OnceValues(func() (string, error) {
	file, err := delivery.Load(os.DirFS(root), delivery.FileName)
	if err != nil {
		return "", err
	}
	version, err := ref.ParseVersion(release)
	if err != nil {
		return "", err
	}
	dir := filepath.Join(scratch, "stamped")
	fetch := func(ctx context.Context, at, tag string) ([]byte, oci.Description, error) {
		archive, err := fetched(ctx, file, at, tag)
		return archive, oci.Description{Labels: map[string]string{oci.KeyStandIn: "packaged here"}}, err
	}
	stamper := apply.Stamper{
		Tree: os.DirFS(root), File: file, Version: version, Time: time.Unix(0, 0), Fetch: fetch, AcceptStandIns: true,
	}
	_, err = stamper.Stamp(context.Background(), dir)
	return dir, err
})

// fetched returns another component's chart as a rehearsal makes it.
func fetched(ctx context.Context, file *delivery.File, at, tag string) ([]byte, error) {
	for _, name := range file.Names() {
		for _, artifact := range file.Components[name].OfKind(delivery.Chart) {
			if file.Components[name].Artifacts[artifact].At != at {
				continue
			}
			c, _, err := rehearsal.ModuleChart(ctx, os.Environ(), file, name, tag)
			if err != nil {
				return nil, err
			}
			return c.Package(time.Unix(0, 0))
		}
	}
	return nil, fmt.Errorf("no component publishes the chart %s", at)
}

// stamped returns a path in the stamped output.
func stamped(t *testing.T, name string) string {
	t.Helper()
	dir, err := stampedOnce()
	if err != nil {
		t.Fatalf("stamping this tree: %v", err)
	}
	return filepath.Join(dir, name)
}

// copied returns a copy of a folder that the test may change.
func copied(t *testing.T, dir string) string {
	t.Helper()
	to := t.TempDir()
	if err := os.CopyFS(to, os.DirFS(dir)); err != nil {
		t.Fatal(err)
	}
	return to
}

// eachFile calls do with the path below source and the text of every file.
func eachFile(t *testing.T, source string, do func(name, text string)) {
	t.Helper()
	tree := os.DirFS(filepath.Join(root, source))
	err := fs.WalkDir(tree, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		text, err := fs.ReadFile(tree, name)
		if err == nil {
			do(name, string(text))
		}
		return err
	})
	if err != nil {
		t.Fatalf("reading %s: %v", source, err)
	}
}

// managerChart loads controller-manager-chart as released.
func managerChart(t *testing.T) *chart.Chart {
	t.Helper()
	return load(t, stamped(t, managerName))
}

// coreChart loads core-chart as released, including KubeFlex's chart.
func coreChart(t *testing.T) *chart.Chart {
	t.Helper()
	return load(t, stamped(t, coreName))
}

func load(t *testing.T, dir string) *chart.Chart {
	t.Helper()
	loaded, err := loader.LoadDir(dir)
	if err != nil {
		t.Fatalf("loading the chart: %v", err)
	}
	return loaded
}

func TestThePlaceholderStandsWhereItIsStampedAndNowhereElse(t *testing.T) {
	t.Parallel()
	want := map[string]int{
		"chart/Chart.yaml":                         2,
		"core-chart/Chart.yaml":                    2,
		"config/postcreate-hooks/kubestellar.yaml": 1,
	}
	for _, source := range sources {
		eachFile(t, source, func(name, text string) {
			path := source + "/" + name
			if got := strings.Count(text, placeholder); got != want[path] {
				t.Errorf("%s: saw the placeholder %d times, want %d", path, got, want[path])
			}
		})
	}
}

// helm puts dependencies into charts/ as archives. A .helmignore that excluded archives would leave
// the chart without them.
func TestADependencyMayBeAnArchive(t *testing.T) {
	t.Parallel()
	dir := copied(t, stamped(t, coreName))
	unpacked := filepath.Join(dir, "charts", "kubeflex-operator")
	if _, err := chartutil.Save(load(t, unpacked), filepath.Dir(unpacked)); err != nil {
		t.Fatal(err)
	}
	if err := os.RemoveAll(unpacked); err != nil {
		t.Fatal(err)
	}
	testkit.Write(t, filepath.Join(dir, "core-chart-0.0.1.tgz"), "a package made here before")
	got := load(t, dir)
	checkPresence(t, mustRender(t, got, "").made(), []string{kubeFlexItself}, nil)
	for _, file := range got.Raw {
		if file.Name == "core-chart-0.0.1.tgz" {
			t.Errorf("saw %s in the chart", file.Name)
		}
	}
}

// Users of the chart do not need the template of its README.
func TestThePackageHoldsTheReadmeAndNotItsTemplate(t *testing.T) {
	t.Parallel()
	for _, c := range []*chart.Chart{managerChart(t), coreChart(t)} {
		var files []string
		for _, file := range c.Files {
			files = append(files, file.Name)
		}
		if got := strings.Join(files, " "); !strings.Contains(got, "README.md") || strings.Contains(got, "gotmpl") {
			t.Errorf("%s: saw %s, want README.md and not its template", c.Name(), got)
		}
	}
}
