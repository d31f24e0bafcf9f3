package apply

import (
	"context"
	"fmt"
	"path/filepath"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/testkit"
)

// pushed is the digest of a chart sub 1.0.0 in a registry of its own, and that registry.
func pushed(t *testing.T, says string, labels map[string]string) (string, *oci.Registry) {
	t.Helper()
	w := testkit.Start(t, network.Options{})
	files := fstest.MapFS{"Chart.yaml": {Data: []byte("apiVersion: v2\nname: sub\nversion: 1.0.0\ndescription: " + says + "\n")}}
	return w.PushChart("ghcr.io/o/sub", "1.0.0", files, labels), w.OCI()
}

// The tag of another project's chart may move. The chart stamped into ours may not.
func TestADependencyIsWhatIsRecorded(t *testing.T) {
	t.Parallel()
	recorded, right := pushed(t, "as it was", nil)
	moved, wrong := pushed(t, "as somebody has made it since", nil)
	_, standIn := pushed(t, "made up", map[string]string{oci.KeyStandIn: "in a test"})
	files := tree()
	files["src/Chart.yaml"] = &fstest.MapFile{Data: []byte("apiVersion: v2\nname: app\nversion: 0.0.0-unstamped\nappVersion: 0.0.0-unstamped\n" +
		"dependencies: [{name: sub, version: 1.0.0, repository: 'oci://ghcr.io/o'}]\n")}
	for name, c := range map[string]struct {
		registry *oci.Registry
		pin      string
		standIns bool
		says     []string
	}{
		"the same":                      {registry: right, pin: "sub:1.0.0@" + recorded},
		"another":                       {registry: wrong, pin: "sub:1.0.0@" + recorded, says: []string{"ghcr.io/o/sub:1.0.0", recorded, moved}},
		"another, and stand-ins may be": {registry: wrong, pin: "sub:1.0.0@" + recorded, standIns: true, says: []string{recorded, moved}},
		"a stand-in":                    {registry: standIn, pin: "sub:1.0.0@" + recorded, says: []string{recorded}},
		"a stand-in, which may be":      {registry: standIn, pin: "sub:1.0.0@" + recorded, standIns: true},
		"a record of what is no dependency": {
			registry: right, pin: "other:1.0.0@" + recorded,
			says: []string{"ghcr.io/o/other:1.0.0@" + recorded, "does not depend on"},
		},
		"a record of another version": {
			registry: right, pin: "sub:1.0.1@" + recorded,
			says: []string{"records ghcr.io/o/sub:1.0.1@" + recorded, "version 1.0.0"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			declared := fmt.Sprintf(`version: 1
self: us
components: {us: {repository: o/us, artifacts: {app: {kind: chart, at: ghcr.io/o/app, source: src, dependencies: ['ghcr.io/o/%s']}}}}
`, c.pin)
			file, err := delivery.Parse("delivery.yaml", []byte(declared))
			if err != nil {
				t.Fatal(err)
			}
			version, err := ref.ParseVersion("1.2.3")
			if err != nil {
				t.Fatal(err)
			}
			s := Stamper{Tree: files, File: file, Version: version, Time: time.Unix(0, 0), Fetch: c.registry.Chart, AcceptStandIns: c.standIns}
			_, err = s.Stamp(context.Background(), filepath.Join(t.TempDir(), "out"))
			if (err == nil) != (len(c.says) == 0) {
				t.Fatalf("saw error %v, want one that contains %q", err, c.says)
			}
			for _, part := range c.says {
				if !strings.Contains(err.Error(), part) {
					t.Errorf("saw %v, want it to say %q", err, part)
				}
			}
		})
	}
}
