//go:build cluster

package cluster_test

import (
	"context"
	"testing/fstest"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/test/testkit"
)

// postgresql replaces the database that KubeFlex's chart installs: a chart of this name, with a pod
// of the name for which KubeFlex waits. No database runs in it, so control planes of type k8s are
// left out.
var postgresql = fstest.MapFS{
	"Chart.yaml": {Data: []byte("apiVersion: v2\nname: postgresql\nversion: 13.1.5\n")},
	"templates/statefulset.yaml": {Data: []byte(`apiVersion: apps/v1
kind: StatefulSet
metadata: {name: postgres-postgresql}
spec:
  serviceName: postgres
  selector: {matchLabels: {app: postgres}}
  template:
    metadata: {labels: {app: postgres}}
    spec: {containers: [{name: postgresql, image: "docker.io/bitnami/postgresql:stand-in"}]}
`)},
}

func (s *scene) addPostgreSQL(ctx context.Context) {
	s.t.Helper()
	must := func(err error) {
		if err != nil {
			s.t.Fatal(err)
		}
	}
	must(s.Network.AddRegistry("docker.io"))
	registry := &oci.Registry{Keychain: testkit.Login(s.Network.Token()), Transport: s.Network.Transport()}
	c, err := chart.LoadFS(postgresql, ".")
	must(err)
	archive, err := c.Package(time.Unix(0, 0))
	must(err)
	image, err := oci.ChartImage(archive, c.Metadata(), nil)
	must(err)
	_, err = registry.PushImage(ctx, "registry-1.docker.io/bitnamicharts/postgresql", "13.1.5", image)
	must(err)
	index := v1.ImageIndex(empty.Index)
	for _, arch := range []string{"amd64", "arm64"} {
		platform := &v1.Platform{OS: "linux", Architecture: arch}
		one, err := mutate.ConfigFile(empty.Image, &v1.ConfigFile{OS: "linux", Architecture: arch, RootFS: v1.RootFS{Type: "layers"}})
		must(err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: one, Descriptor: v1.Descriptor{Platform: platform}})
	}
	_, err = registry.PushIndex(ctx, "docker.io/bitnami/postgresql", "stand-in", index)
	must(err)
}
