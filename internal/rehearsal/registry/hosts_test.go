package registry_test

import (
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
)

func TestFurtherRegistries(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{Registries: []string{"gcr.io", "quay.io", "docker.io"}})
	if err := w.AddRegistry("registry.k8s.io"); err != nil {
		t.Fatal(err)
	}
	img := push(t, w, "gcr.io/project/a:1")
	for _, at := range []string{"registry.k8s.io/pause:1", "docker.io/a/b:1", "quay.io/a/b:1"} {
		if err := remote.Write(mustRef(t, at), img, known(t, w)...); err != nil {
			t.Errorf("%s: %v", at, err)
		}
	}
	for at, there := range map[string]bool{
		"gcr.io/project/a:1": true, "registry.k8s.io/pause:1": true, "a/b:1": true, "registry-1.docker.io/a/b:1": true,
		"gcr.io/project/a:2": false, "registry.k8s.io/project/a:1": false, "gcr.io/a/b:1": false,
	} {
		if got, err := remote.Head(mustRef(t, at), anonymous(w)...); (err == nil) != there || there && got.Digest.String() != digest(t, img) {
			t.Errorf("%s: %v (%v), want it there: %t", at, got, err, there)
		}
	}
	if err := remote.Write(mustRef(t, "gcr.io/project/a:2"), img, anonymous(w)...); err == nil {
		t.Error("pushed without credentials")
	}
	if got := w.Refused(); got != nil {
		t.Errorf("refused %q", got)
	}
}

func TestRegistriesThatAreNotNamedAreRefused(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{Registries: []string{"index.docker.io"}})
	for _, url := range []string{"https://gcr.io/v2/", "https://docker.io/v2/", "https://registry-1.docker.io/v2/"} {
		networktest.Get(w, url)
	}
	if got := w.Refused(); !slices.Equal(got, []string{"gcr.io", "docker.io"}) {
		t.Errorf("refused %q, want gcr.io and docker.io, which are not added", got)
	}
}

func TestAnAddedRegistryIsLikeTheOthers(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	if err := w.AddRegistry("gcr.io"); err != nil {
		t.Fatal(err)
	}
	img := push(t, w, "gcr.io/p/a:1")
	if err := w.AddRegistry("gcr.io"); err != nil {
		t.Fatalf("again: %v", err)
	}
	w.Registry("gcr.io").SetPrivate("p/a", true)
	if _, err := remote.Head(mustRef(t, "gcr.io/p/a:1"), anonymous(w)...); err == nil {
		t.Error("a private repository was shown to the public")
	}
	w.Registry("gcr.io").DenyPush("p/")
	if err := remote.Write(mustRef(t, "gcr.io/p/b:1"), img, known(t, w)...); err == nil {
		t.Error("pushed to a repository that refuses pushes")
	}
	if err := w.Registry("gcr.io").DeleteManifest("p/a", "1"); err != nil {
		t.Error(err)
	}
	if _, err := w.Network.Registry("example.com"); err == nil || !strings.Contains(err.Error(), "want one of gcr.io, ghcr.io, quay.io") {
		t.Errorf("unknown registry: %v", err)
	}
	w.Down("gcr.io")
	if _, _, err := networktest.Get(w, "https://gcr.io/v2/"); err == nil {
		t.Error("a dead registry answered")
	}
}

func TestWrongRegistriesAreRefused(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	for _, host := range []string{"", "localhost", "gcr.io:443", "https://gcr.io", "GCR.io", "../x", "gcr.io/a", "github.com", "raw.githubusercontent.com"} {
		if err := w.AddRegistry(host); err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", host)) {
			t.Errorf("%q: %v, want an error with the name", host, err)
		}
	}
	_, err := networktest.Start(filepath.Join(t.TempDir(), "network"), network.Options{Registries: []string{"no host"}})
	if err == nil || !strings.Contains(err.Error(), `"no host"`) {
		t.Errorf("as an option: %v, want an error with the name", err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	if err := w.AddRegistry("gcr.io"); err == nil || !strings.Contains(err.Error(), "closed") {
		t.Errorf("after Close: %v", err)
	}
}

func TestRegistriesAddedAtTheSameTime(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			host := fmt.Sprintf("r%d.example.com", i%4)
			if err := w.AddRegistry(host); err != nil {
				t.Error(err)
			}
			if status, body, err := networktest.Get(w, "https://"+host+"/v2/"); err != nil || status != 401 {
				t.Errorf("%s: %d %s (%v), want 401", host, status, body, err)
			}
		})
	}
	all.Wait()
}
