package release_test

import (
	"context"
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/report"
)

// logins are the passwords by registry.
type logins map[string]string

func (l logins) Resolve(at authn.Resource) (authn.Authenticator, error) {
	return &authn.Basic{Username: "u", Password: l[at.RegistryStr()]}, nil
}

// docker writes the logins into docker's configuration, which goreleaser reads.
func (l logins) docker(s *stage) {
	s.T.Helper()
	type entry struct {
		Username, Password string
	}
	config := map[string]map[string]entry{"auths": {}}
	for host, password := range l {
		config["auths"][host] = entry{"u", password}
	}
	data, err := json.Marshal(config)
	s.Must(err)
	s.Must(os.WriteFile(filepath.Join(s.variable("DOCKER_CONFIG"), "config.json"), data, 0o600))
}

// variable returns a variable of the clone's environment.
func (s *stage) variable(name string) string {
	s.T.Helper()
	for _, entry := range s.clone.Env {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	s.T.Fatalf("the environment has no %s", name)
	return ""
}

// The image is in one registry and the charts are in another. Each registry refuses the
// credentials of the other.
func TestReleaseToTwoRegistries(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.PushImage("quay.io/example/tiny", "0.1.0", nil)
	s.change(".goreleaser.yaml", "[ghcr.io/example/tiny]", "[quay.io/example/tiny]")
	s.change("delivery.yaml", "at: ghcr.io/example/tiny,", "at: quay.io/example/tiny,")
	s.change("app-chart/templates/deployment.yaml", "ghcr.io/example/tiny:", "quay.io/example/tiny:")
	right := logins{"quay.io": "of-quay", "ghcr.io": "of-ghcr"}
	for host, password := range right {
		s.Registry(host).SetToken(password)
	}
	for name, wrong := range map[string]logins{
		"quay.io/example/tiny":              {"quay.io": "of-ghcr", "ghcr.io": "of-ghcr"},
		"ghcr.io/example/charts/zeta-chart": {"quay.io": "of-quay", "ghcr.io": "of-quay"},
	} {
		if _, err := s.releaseAs(wrong); failedStep(err) != "preflight" || !strings.Contains(err.Error(), "no right to push to "+name) {
			t.Errorf("with the credentials of the other: %v, want no right to push to %s", err, name)
		}
	}
	rep, err := s.releaseAs(right)
	if err != nil {
		t.Fatal(err)
	}
	for _, a := range rep.Artifacts {
		if a.State != report.Proven {
			t.Errorf("%s: %s: %s", a.Name, a.State, a.How)
		}
	}
	for _, name := range []string{"quay.io/example/tiny:0.2.0", "ghcr.io/example/charts/zeta-chart:0.2.0"} {
		if !mentions(rep, name) {
			t.Errorf("the report lacks %s", name)
		}
	}
}

func (s *stage) releaseAs(l logins) (*report.Report, error) {
	s.T.Helper()
	l.docker(s)
	releaser := s.releaser("0.2.0")
	releaser.Registry = &oci.Registry{Keychain: l, Transport: s.Transport(), Backoff: remote.Backoff{Steps: 1}}
	return releaser.Release(context.Background())
}

// goreleaser's own credentials must allow it to push the images.
func TestTheBuilderMayPush(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	releaser := s.releaser("0.2.0")
	releaser.BuilderRegistry = s.Anonymous()
	_, err := releaser.Release(context.Background())
	const want = "goreleaser, which does not read helm's credentials: no right to push to ghcr.io/example/tiny"
	if failedStep(err) != "preflight" || !strings.Contains(err.Error(), want) {
		t.Fatalf("got %v, want %q", err, want)
	}
	if strings.Contains(err.Error(), "goreleaser, which does not read helm's credentials: no right to push to ghcr.io/example/charts") {
		t.Error("goreleaser pushes no chart")
	}
}
