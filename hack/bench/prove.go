package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
)

// The release to prove: three images for two platforms each, and two charts that run them.
const (
	example        = "example/app"
	exampleVersion = "1.2.3"
)

var (
	exampleImages = []string{"api", "web", "worker"}
	exampleCharts = map[string][]string{"app-chart": {"api", "web"}, "worker-chart": {"worker"}}
)

// proof times ghhelper prove with a slow registry.
func proof(dir string) error {
	const rounds, delay = 7, 50 * time.Millisecond
	w, err := networktest.Start(filepath.Join(dir, "proof-network"), network.Options{})
	if err != nil {
		return err
	}
	defer w.Close()
	here := git.Repo{Dir: filepath.Join(dir, "proof"), Env: append(w.Env(), "PATH="+os.Getenv("PATH"))}
	if err := releasedExample(w, here); err != nil {
		return err
	}
	w.Intercept(func(r networktest.Request) networktest.Fault {
		if r.Host == "ghcr.io" {
			return networktest.Fault{Delay: delay}
		}
		return networktest.Fault{}
	})
	var times []float64
	asked := 0
	for round := range rounds + 1 { // the first warms the caches
		before := len(asking(w))
		cmd := inFolder(here.Dir, exec.Command("ghhelper", "prove", "app", exampleVersion))
		cmd.Env = here.Env
		took, err := timed(cmd)
		if err != nil {
			return err
		}
		if asked = len(asking(w)) - before; round > 0 {
			times = append(times, took)
		}
	}
	row("prove, registry 50 ms late", median(times), 1.5, "s",
		fmt.Sprintf("three images and two charts, %d requests to the registry; one after the other would take %.1f s "+
			"(median of %d)", asked, float64(asked)*delay.Seconds(), rounds))
	return nil
}

// asking returns the requests to the registry so far.
func asking(w *networktest.Network) []networktest.Request {
	var all []networktest.Request
	for _, r := range w.Requests() {
		if r.Host == "ghcr.io" {
			all = append(all, r)
		}
	}
	return all
}

// releasedExample publishes the release: images without files, because prove only reads
// their labels, and charts by ghhelper.
func releasedExample(w *networktest.Network, here git.Repo) error {
	if err := w.Forge.CreateRepository(example, forge.Repository{}); err != nil {
		return err
	}
	if err := writeFiles(here.Dir, exampleFiles()); err != nil {
		return err
	}
	ctx := context.Background()
	for _, args := range [][]string{
		{"init", "--quiet", "--initial-branch=main"},
		{"remote", "add", "origin", "https://github.com/" + example},
		{"add", "."},
		{"commit", "--quiet", "--message", "Begin"},
		{"push", "--quiet", "origin", "main"},
	} {
		if _, err := here.Run(ctx, args...); err != nil {
			return err
		}
	}
	if err := tagged(ctx, here, "v"+exampleVersion); err != nil {
		return err
	}
	if err := pushExample(ctx, w, here); err != nil {
		return err
	}
	_, err := published(here, exampleVersion)
	return err
}

// pushExample pushes the images, and public packages for the charts, as after an earlier
// release.
func pushExample(ctx context.Context, w *networktest.Network, here git.Repo) error {
	commit, err := here.Head(ctx)
	if err != nil {
		return err
	}
	labels := map[string]string{
		oci.KeyRevision: commit,
		oci.KeyVersion:  exampleVersion,
		oci.KeySource:   "https://github.com/" + example,
	}
	index, err := labelledIndex(labels)
	if err != nil {
		return err
	}
	registry := &oci.Registry{Keychain: login(w.Token()), Transport: w.Transport()}
	var errs []error
	for _, name := range exampleImages {
		_, err := registry.PushIndex(ctx, "ghcr.io/"+example+"/"+name, exampleVersion, index)
		errs = append(errs, err)
	}
	for name := range exampleCharts {
		_, err := registry.PushIndex(ctx, "ghcr.io/"+example+"/"+name, "earlier", index)
		errs = append(errs, err)
	}
	return errors.Join(errs...)
}

type login string

func (l login) Resolve(authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: "bench", Password: string(l)}, nil
}

func labelledIndex(labels map[string]string) (v1.ImageIndex, error) {
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, arch := range []string{"amd64", "arm64"} {
		image, err := mutate.ConfigFile(mutate.MediaType(empty.Image, types.OCIManifestSchema1), &v1.ConfigFile{
			OS: "linux", Architecture: arch, RootFS: v1.RootFS{Type: "layers"}, Config: v1.Config{Labels: labels},
		})
		if err != nil {
			return nil, err
		}
		platform := &v1.Platform{OS: "linux", Architecture: arch}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{
			Add:        image,
			Descriptor: v1.Descriptor{Platform: platform},
		})
	}
	return index, nil
}

func exampleFiles() map[string]string {
	files := map[string]string{}
	declared := "version: 1\nself: app\ncomponents:\n  app:\n    repository: " + example + "\n    artifacts:\n"
	for _, name := range exampleImages {
		declared += fmt.Sprintf("      %s: {kind: image, at: ghcr.io/%s/%s, platforms: [linux/amd64, linux/arm64]}\n",
			name, example, name)
	}
	for name, runs := range exampleCharts {
		declared += fmt.Sprintf("      %s: {kind: chart, at: ghcr.io/%s/%s, source: %s, runs: [%s]}\n",
			name, example, name, name, strings.Join(runs, ", "))
		containers := ""
		for _, image := range runs {
			containers += fmt.Sprintf("  - name: %s\n    image: ghcr.io/%s/%s:{{ .Chart.AppVersion }}\n",
				image, example, image)
		}
		files[name+"/Chart.yaml"] = "apiVersion: v2\nname: " + name + "\ndescription: an example\n" +
			"version: 0.0.0-unstamped\nappVersion: 0.0.0-unstamped\n"
		files[name+"/templates/pod.yaml"] = "apiVersion: v1\nkind: Pod\nmetadata: {name: example}\n" +
			"spec:\n  containers:\n" + containers
	}
	files[delivery.FileName] = declared
	return files
}
