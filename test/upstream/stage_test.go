// Package upstream_test publishes real artifacts of a component, o/up, and runs verify and bump on
// references to them.
package upstream_test

import (
	"context"
	"math/rand"
	"os"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-containerregistry/pkg/v1/random"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/lookup"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/internal/verify"
	"github.com/kubestellar/actions/test/testkit"
)

const declared = `version: 1
self: us
components:
  us: {repository: o/us}
  up:
    repository: o/up
    artifacts:
      image: {kind: image, at: ghcr.io/o/up}
      chart: {kind: chart, at: ghcr.io/o/up-chart, tag: "v{version}"}
`

// stage is a network in which o/up has released 1.2.3: image, chart and files.
type stage struct {
	*testkit.Network
	registry    *oci.Registry
	commit      string
	digest      string // of the image
	chartDigest string
}

func newStage(t *testing.T) *stage {
	return newStageAt(t, func() time.Time { return time.Unix(1_800_000_000, 0) })
}

// newStageAt is newStage with a clock.
func newStageAt(t *testing.T, now func() time.Time) *stage {
	t.Helper()
	s := &stage{Network: testkit.Start(t, network.Options{Now: now}, "o/up", us)}
	s.registry = s.OCI()
	repo := s.git(s.Forge.RepositoryDir("o/up"))
	empty := testkit.Git(t, repo, "commit-tree", "-m", "first", testkit.EmptyTree)
	var err error
	s.commit, err = repo.CommitFiles(t.Context(), empty, "files", []git.File{
		{Name: "docs/guide.md", Data: []byte("x\n")}, {Name: "install.sh", Data: []byte("x\n")},
	})
	s.Must(err)
	for _, ref := range []string{"refs/heads/main", "refs/heads/release-1.2.3", "refs/tags/v1.2.3"} {
		testkit.Git(t, repo, "update-ref", ref, s.commit)
	}
	s.digest = s.image(t, "1.2.3")
	s.chartDigest = s.chart(t, "v1.2.3", "ghcr.io/o/up:1.2.3")
	return s
}

// image publishes an image of o/up, and returns its digest.
func (s *stage) image(t *testing.T, tag string) string {
	t.Helper()
	image, err := random.Image(64, 1, random.WithSource(rand.NewSource(int64(len(tag)))))
	if err != nil {
		t.Fatal(err)
	}
	digest, err := s.registry.PushImage(t.Context(), "ghcr.io/o/up", tag, image)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// git returns a folder in which git uses the network, with fixed dates.
func (s *stage) git(dir string) git.Repo {
	return git.Repo{Dir: dir, Env: append(s.Env(), "PATH="+os.Getenv("PATH"), "GIT_AUTHOR_DATE=1800000000 +0000", "GIT_COMMITTER_DATE=1800000000 +0000")}
}

// asker queries the network.
func (s *stage) asker(t *testing.T, f *delivery.File) *verify.Asker {
	return &verify.Asker{File: f, Charts: s.registry.ChartArchive, Resolver: lookup.Resolver{
		Registry: s.registry, Server: "https://github.com", HTTP: s.Transport(), Brief: true,
		Refs: s.git(t.TempDir()).Refs("https://github.com"),
	}}
}

func parsed(t *testing.T, config string) *delivery.File {
	t.Helper()
	f, err := delivery.Parse("delivery.yaml", []byte(config))
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// chart publishes a chart that runs an image and names a file of the release in its NOTES. It returns
// the digest.
func (s *stage) chart(t *testing.T, version, image string) string {
	t.Helper()
	c, err := chart.LoadFS(fstest.MapFS{
		"Chart.yaml":                {Data: []byte("apiVersion: v2\nname: up-chart\nversion: " + version + "\n")},
		"templates/deployment.yaml": {Data: []byte("kind: Deployment\nspec:\n  image: " + image + "\n")},
		"templates/NOTES.txt":       {Data: []byte("See https://github.com/o/up/blob/v1.2.3/docs/guide.md\n")},
	}, ".")
	if err != nil {
		t.Fatal(err)
	}
	archive, err := c.Package(time.Unix(0, 0))
	if err != nil {
		t.Fatal(err)
	}
	made, err := oci.ChartImage(archive, c.Metadata(), nil)
	if err != nil {
		t.Fatal(err)
	}
	digest, err := s.registry.PushImage(t.Context(), "ghcr.io/o/up-chart", version, made)
	if err != nil {
		t.Fatal(err)
	}
	return digest
}

// check verifies a tree of one file.
func (s *stage) check(t *testing.T, config, name, text string) verify.Result {
	t.Helper()
	f := parsed(t, config)
	found, err := find.New(f).Tree(t.Context(), fstest.MapFS{name: {Data: []byte(text)}})
	if err != nil {
		t.Fatal(err)
	}
	result := verify.Offline(f, found, nil)
	if err := s.asker(t, f).Check(context.Background(), found.References, nil, &result); err != nil {
		t.Fatal(err)
	}
	return result
}
