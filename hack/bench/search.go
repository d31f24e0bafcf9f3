package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"time"
)

// tree is a real tree. Its declaration is in test/trees.
const (
	tree        = "github.com/kubestellar/kubestellar@v0.30.0"
	declaration = "test/trees/kubestellar-0.30.0/delivery.yaml"
	names       = "kubestellar|kubeflex|ocm-status-addon|ocm-transport-plugin|clusteradm|helm|kubectl|kube-rbac-proxy"
)

// search times verify --offline, and ripgrep with the names of the components.
func search(dir string) error {
	if _, err := exec.LookPath("rg"); err != nil {
		return errors.New("ripgrep is not on PATH: apt-get install ripgrep, or brew install ripgrep")
	}
	copies, err := copied(dir, 100)
	if err != nil {
		return err
	}
	config, err := filepath.Abs(declaration)
	if err != nil {
		return err
	}
	const rounds = 9
	times := map[string][]float64{}
	peak := 0.0
	for range rounds {
		for _, n := range []int{1, 10, 100} {
			took, memory, err := verified(copies[n], config)
			if err != nil {
				return err
			}
			peak = max(peak, memory)
			times[strconv.Itoa(n)] = append(times[strconv.Itoa(n)], took)
		}
		took, err := timed(inFolder(copies[10], exec.Command("rg", "--hidden", "--no-ignore", "--count", names)))
		if err != nil {
			return err
		}
		times["rg"] = append(times["rg"], took)
	}
	one, ten, hundred, rg := median(times["1"]), median(times["10"]), median(times["100"]), median(times["rg"])
	row("verify --offline, 620 files", one*1000, 100, "ms", "start-up included")
	row("… 6,200 files, to ripgrep", ten/rg, 3, "×",
		fmt.Sprintf("%.0f ms beside ripgrep's %.0f ms (medians of %d)", ten*1000, rg*1000, rounds))
	row("… 62,000 files, to 6,200", hundred/ten, 11, "×", fmt.Sprintf("%.2f s", hundred))
	row("… peak memory", peak, 150, "MB", "on 62,000 files")
	return shapes(dir, config)
}

// shapes times verify --offline on single files of many lines. A search that goes back and
// forth could take quadratic time for each shape.
func shapes(dir, config string) error {
	const some, more = 8_000, 80_000 // lines or so
	worst, of := 0.0, ""
	for name, line := range map[string]string{
		"values.yaml":               "image: ghcr.io/kubestellar/kubeflex/manager\n",
		"pins.yaml":                 "kubeflex: 0.8.9 # ghhelper:keep for a reason\n",
		"marks.yaml":                "# ghhelper:keep for a reason \\\n",
		"go.mod":                    "require github.com/kubestellar/kubeflex v0.8.9\n",
		"fences.md":                 "```\nkubeflex 0.8.9\n```\n",
		"typed.md":                  "$ kubeflex 0.8.9\n",
		".github/workflows/ci.yaml": "  kubeflex: {version: 0.8.9}\n",
		"install.sh":                "helm install oci://ghcr.io/kubestellar/kubeflex/chart/kubeflex-operator \\\n",
	} {
		var took [2]float64
		for i, n := range []int{some, more} {
			folder := filepath.Join(dir, "shapes", strconv.Itoa(n), name)
			first := map[string]string{"typed.md": "```\n", ".github/workflows/ci.yaml": "jobs:\n"}[name]
			if err := writeFiles(folder, map[string]string{name: first + strings.Repeat(line, n)}); err != nil {
				return err
			}
			var err error
			if took[i], _, err = verified(folder, config); err != nil {
				return err
			}
		}
		if ratio := took[1] / took[0]; ratio > worst {
			worst, of = ratio, name
		}
	}
	row("… one file, ten times longer", worst, 15, "×", "the worst of eight shapes: "+of)
	return nil
}

// copied makes folders with 1, 10 and most copies of the tree.
func copied(dir string, most int) (map[int]string, error) {
	out, err := inFolder(dir, exec.Command("go", "mod", "download", "-json", tree)).Output()
	var module struct{ Dir string }
	if jsonErr := json.Unmarshal(out, &module); err != nil || jsonErr != nil {
		return nil, fmt.Errorf("fetching %s: %w", tree, errors.Join(err, jsonErr))
	}
	folders := map[int]string{}
	for _, n := range []int{1, 10, most} {
		folders[n] = filepath.Join(dir, "copies-"+strconv.Itoa(n))
		for i := range n {
			if err := os.CopyFS(filepath.Join(folders[n], strconv.Itoa(i)), os.DirFS(module.Dir)); err != nil {
				return nil, err
			}
		}
	}
	return folders, nil
}

func inFolder(dir string, cmd *exec.Cmd) *exec.Cmd {
	cmd.Dir = dir
	return cmd
}

// verified times verify --offline, which has findings, and returns the memory that it took
// at most, in MB.
func verified(dir, config string) (seconds, megabytes float64, err error) {
	cmd := inFolder(dir, exec.Command("ghhelper", "verify", "--offline", "--dir", ".", "--config", config))
	start := time.Now()
	out, err := cmd.CombinedOutput()
	seconds = time.Since(start).Seconds()
	if !strings.Contains(string(out), "offline: ") {
		return 0, 0, fmt.Errorf("ghhelper verify: %w\n%s", err, out)
	}
	return seconds, peakOf(cmd.ProcessState), nil
}

// targets times verify on 1,000 distinct images in a slow registry.
func targets(dir string) error {
	const components, tags, delay = 20, 50, 50 * time.Millisecond
	var open, most atomic.Int32
	registry := httptest.NewServer(http.HandlerFunc(func(rw http.ResponseWriter, req *http.Request) {
		now := open.Add(1)
		defer open.Add(-1)
		for seen := most.Load(); now > seen && !most.CompareAndSwap(seen, now); seen = most.Load() {
		}
		time.Sleep(delay)
		if strings.Contains(req.URL.Path, "/manifests/") {
			rw.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			fmt.Fprint(rw, `{"schemaVersion":2,"mediaType":"application/vnd.oci.image.index.v1+json","manifests":[]}`)
		}
	}))
	defer registry.Close()
	host := strings.TrimPrefix(registry.URL, "http://")
	config, text := "version: 1\nself: us\ncomponents:\n  us: {repository: o/us}\n", ""
	for c := range components {
		config += fmt.Sprintf("  c%d: {repository: o/c%d, artifacts: {image: {kind: image, at: \"%s/o/c%d\"}}}\n",
			c, c, host, c)
		for tag := range tags {
			text += fmt.Sprintf("image: %s/o/c%d:1.0.%d\n", host, c, tag)
		}
	}
	folder := filepath.Join(dir, "targets")
	if err := writeFiles(folder, map[string]string{"delivery.yaml": config, "images.yaml": text}); err != nil {
		return err
	}
	start := time.Now()
	out, err := inFolder(folder, exec.Command("ghhelper", "verify", "--dir", ".", "--format", "json")).Output()
	took := time.Since(start).Seconds()
	var result struct {
		Targets   int
		Unchecked []any
	}
	jsonErr := json.Unmarshal(out, &result)
	if jsonErr != nil || result.Targets != components*tags || len(result.Unchecked) > 0 {
		return fmt.Errorf("verify queried %d targets, %d unchecked: %w",
			result.Targets, len(result.Unchecked), errors.Join(err, jsonErr))
	}
	row("1,000 targets at 50 ms each", took, 3, "s",
		fmt.Sprintf("one after the other would take %.0f s", float64(components*tags)*delay.Seconds()))
	row("… requests at once", float64(most.Load()), 32, "", "")
	return nil
}
