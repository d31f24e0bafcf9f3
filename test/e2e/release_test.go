package e2e_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestInstallToolsFetchesWhatTheSetupWants(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	program, err := os.Executable()
	s.must(err)
	s.must(os.Symlink(program, filepath.Join(s.bin, "curl")))
	s.must(os.WriteFile(filepath.Join(s.bin, "tar"), []byte(
		"#!/usr/bin/env bash\ncat >/dev/null\ncp \"$(dirname \"$0\")/clusteradm\" \"$3/clusteradm\"\n",
	), 0o755))
	code, _, errOut := s.run("test/e2e/install-tools.sh", filepath.Join(s.temp, "tools"))
	if code != 0 {
		t.Fatalf("saw exit code %d\n%s", code, errOut)
	}
	kubeflex, clusteradm := s.pin("KUBEFLEX_VERSION"), s.pin("CLUSTERADM_VERSION")
	archive := fmt.Sprintf("https://github.com/kubestellar/kubeflex/releases/download/v%[1]s/kubeflex_%[1]s_linux_amd64.tar.gz", kubeflex)
	want(t, "commands", s.asked(), archive)
	archive = fmt.Sprintf("https://github.com/open-cluster-management-io/clusteradm/releases/download/v%s/clusteradm_linux_amd64.tar.gz", clusteradm)
	want(t, "commands", s.asked(), archive)
	if code, _, _ := s.run("test/e2e/install-tools.sh"); code != 2 {
		t.Errorf("without a folder: saw exit code %d, want 2", code)
	}
}

func TestDeliveryIsLookedForInEachCluster(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	code, out, errOut := s.run("test/e2e/check-delivery.sh", "cluster1", "cluster2")
	if code != 0 || out != "seen: delivered to cluster1\nseen: delivered to cluster2\nseen: taken from cluster1\nseen: taken from cluster2\n" {
		t.Errorf("saw exit code %d, %q\n%s", code, out, errOut)
	}
	for _, fails := range []string{"cluster2 --namespace e2e-hello get configmap hello --output", "wds1 apply"} {
		s := newStage(t)
		s.fails(fails)
		s.env = append(s.env, "TIMEOUT=0")
		if code, _, errOut := s.run("test/e2e/check-delivery.sh", "cluster1", "cluster2"); code == 0 || !strings.Contains(errOut, "configured to fail") {
			t.Errorf("%s: saw exit code %d\n%s", fails, code, errOut)
		}
	}
	s = newStage(t)
	s.answers("cluster1 --namespace e2e-hello get configmap hello --ignore-not-found => configmap/hello")
	s.env = append(s.env, "TIMEOUT=0")
	code, _, errOut = s.run("test/e2e/check-delivery.sh", "cluster1")
	want(t, "stderr", errOut, "taken from cluster1: not within 0s")
	if code != 1 {
		t.Errorf("saw exit code %d, want 1", code)
	}
}
