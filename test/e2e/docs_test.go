package e2e_test

import (
	"bytes"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const getStarted = "docs/get-started.md"

var bashBlock = regexp.MustCompile("(?ms)^```bash\n(.*?)^```$")

// blocks returns the code blocks that a reader pastes.
func blocks(t *testing.T) []string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(root, getStarted))
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, match := range bashBlock.FindAllStringSubmatch(string(text), -1) {
		all = append(all, match[1])
	}
	if fences := strings.Count("\n"+string(text), "\n```"); fences != 2*len(all) || len(all) == 0 {
		t.Errorf("saw %d fences and %d blocks of bash, want no other blocks", fences, len(all))
	}
	return all
}

func TestInstructionsAreBash(t *testing.T) {
	t.Parallel()
	for i, block := range blocks(t) {
		if out, err := exec.Command("bash", "-n", "-c", block).CombinedOutput(); err != nil {
			t.Errorf("block %d: %v\n%s", i+1, err, out)
		}
	}
	shellcheck, err := exec.LookPath("shellcheck")
	if err != nil && os.Getenv("CI") == "true" {
		t.Fatal("no command shellcheck found on PATH, which CI installs")
	}
	if err != nil {
		t.Skip("no command shellcheck found on PATH: install it, by apt-get install shellcheck or brew install shellcheck")
	}
	// Later blocks use the variables of earlier ones.
	cmd := exec.Command(shellcheck, "--shell=bash", "-")
	cmd.Stdin = strings.NewReader(strings.Join(blocks(t), "\n"))
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v\n%s", err, out)
	}
}

// bump moves the versions in the instructions and the scripts.
func TestVersionsAreReferences(t *testing.T) {
	t.Parallel()
	program, err := ghhelper()
	if err != nil {
		t.Fatal(err)
	}
	var errOut bytes.Buffer
	cmd := exec.Command(program, "references", "--format", "json")
	cmd.Dir, cmd.Stderr = root, &errOut
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("%v\n%s", err, errOut.Bytes())
	}
	var found []struct{ File, Component, Version, Excused string }
	if err := json.Unmarshal(out, &found); err != nil {
		t.Fatal(err)
	}
	pins := map[string][]string{}
	for _, f := range found {
		if regexp.MustCompile(`^v?\d+\.`).MatchString(f.Version) && f.Excused == "" {
			at := f.File + " " + f.Component
			pins[at] = append(pins[at], f.Version)
		}
	}
	for _, at := range []string{
		getStarted + " kubeflex", getStarted + " clusteradm",
		setup + " kubeflex", setup + " clusteradm", setup + " ocm-transport-plugin",
		"test/e2e/install-tools.sh kubeflex", "test/e2e/install-tools.sh clusteradm",
		"scripts/deploy-transport-controller.sh ocm-transport-plugin", "scripts/deploy-transport-controller.sh kubectl",
	} {
		if len(pins[at]) == 0 {
			t.Errorf("%s: saw no pin, want one that bump moves", at)
		}
	}
}

// The script, its options and the chart's values in the instructions exist.
func TestInstructionsNameWhatIsThere(t *testing.T) {
	t.Parallel()
	text := strings.Join(blocks(t), "\n")
	want(t, getStarted, text, "/v$KUBESTELLAR_VERSION/scripts/import-cp-contexts.sh")
	declared, err := os.ReadFile(filepath.Join(root, "core-chart/values.schema.json"))
	if err != nil {
		t.Fatal(err)
	}
	var schema struct {
		Properties map[string]struct{ Properties map[string]any }
	}
	if err := json.Unmarshal(declared, &schema); err != nil {
		t.Fatal(err)
	}
	named := regexp.MustCompile(`kubeflex-operator\.(\w+)=`).FindAllStringSubmatch(text, -1)
	for _, name := range named {
		if schema.Properties["kubeflex-operator"].Properties[name[1]] == nil {
			t.Errorf("the instructions set kubeflex-operator.%s, which core-chart does not have", name[1])
		}
	}
	if len(named) == 0 {
		t.Error("saw no values, want some")
	}
}

// The page of GitHub's latest release redirects to the newest release. If there is no release, it
// redirects to the list of releases.
func TestInstructionsFindTheNewestRelease(t *testing.T) {
	t.Parallel()
	for leads, says := range map[string]string{"/releases/tag/v0.10.0": "KubeStellar 0.10.0\n", "/releases": "KubeStellar \n"} {
		mux := http.NewServeMux()
		mux.Handle("/releases/latest", http.RedirectHandler(leads, http.StatusFound))
		mux.HandleFunc(leads, func(http.ResponseWriter, *http.Request) {})
		server := httptest.NewServer(mux)
		t.Cleanup(server.Close)
		block := strings.ReplaceAll(blocks(t)[0], "https://github.com/kubestellar/actions", server.URL)
		out, err := exec.Command("bash", "-euo", "pipefail", "-c", block).CombinedOutput()
		if err != nil || string(out) != says {
			t.Errorf("%s: saw %q, %v, want %q", leads, out, err, says)
		}
	}
}

// The instructions run from the first block to the last with stand-ins, as for a reader who uses kind.
// A variable that no block sets is an error.
func TestInstructionsRun(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.answers()
	all := slices.DeleteFunc(blocks(t)[1:], func(block string) bool {
		return strings.Contains(block, "k3d-") || strings.Contains(block, "HOSTING=$(") // alternatives to kind
	})
	program, err := os.Executable()
	s.must(err)
	s.must(os.Symlink(program, filepath.Join(s.bin, "curl")))
	s.must(os.WriteFile(filepath.Join(s.bin, "tar"), []byte("#!/usr/bin/env bash\ncat >/dev/null\n"), 0o755))
	script := filepath.Join(s.notes, "script.sh")
	versions := "KUBESTELLAR_VERSION=1.2.3 KUBEFLEX_VERSION=1 CLUSTERADM_VERSION=1\n"
	s.must(os.WriteFile(script, []byte("set -euo pipefail\nHOME=$PWD/home\n"+versions+strings.Join(all, "\n")), 0o644))
	code, _, errOut := s.run(relative(t, s.root, script))
	if code != 0 {
		t.Fatalf("saw exit code %d\n%s", code, errOut)
	}
	asked := s.asked()
	for _, line := range []string{
		"kflex init --create-kind",
		"helm upgrade --install ks-core oci://ghcr.io/kubestellar/kubestellar/core-chart --version 1.2.3 " +
			"--kube-context kind-kubeflex --set kubeflex-operator.install=false",
		"curl -fsSL https://raw.githubusercontent.com/kubestellar/actions/v1.2.3/scripts/import-cp-contexts.sh",
		"clusteradm join --hub-token TOKEN --hub-apiserver URL --cluster-name cluster2 --context cluster2 --singleton --force-internal-endpoint-lookup",
		"kubectl --context cluster2 --namespace hello get configmap hello",
		"helm uninstall ks-core --kube-context kind-kubeflex",
	} {
		want(t, "commands", asked, line)
	}
}

func relative(t *testing.T, from, to string) string {
	t.Helper()
	path, err := filepath.Rel(from, to)
	if err != nil {
		t.Fatal(err)
	}
	return path
}
