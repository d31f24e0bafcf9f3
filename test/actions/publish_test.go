package actions_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/testkit"
)

// published returns the digest at ghcr.io for this source and a platform, or "".
func (s *setup) published(platform string) string {
	s.t.Helper()
	registry := &oci.Registry{Keychain: testkit.Login(s.Token()), Transport: s.Transport()}
	digest, err := registry.Digest(context.Background(), "ghcr.io/"+prebuiltAt, s.source+"-"+platform)
	if err != nil && !errors.Is(err, outcome.ErrAbsent) {
		s.t.Fatal(err)
	}
	return digest
}

var prebuiltPlatforms = []string{"linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"}

// The workflow builds and publishes the program for the platforms that have none. A second run builds
// nothing.
func TestPublishWhatIsNotPublished(t *testing.T) {
	t.Parallel()
	s, dir := newSetup(t), filepath.Join(t.TempDir(), "new", "prebuilt")
	here := s.platform
	for _, platform := range prebuiltPlatforms {
		if s.platform = platform; platform != here {
			s.publish([]byte("there is something for " + platform))
		}
	}
	s.platform = here
	out, err := s.hackPrebuilt("build", dir)
	files, _ := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 1 || filepath.Base(files[0]) != "ghhelper-"+here {
		t.Fatalf("saw %q, %v, want what is for %s alone\n%s", files, err, here, out)
	}
	if program, err := os.ReadFile(files[0]); err != nil || string(program) != string(ghhelper(t)) {
		t.Errorf("saw %d bytes, %v, want those that setup.sh builds", len(program), err)
	}
	if digest := s.published(here); digest != "" {
		t.Errorf("saw %s published before it could be attested", digest)
	}
	if out, err := s.hackPrebuilt("push", dir); err != nil || !strings.Contains(out, s.published(here)) || s.published(here) == "" {
		t.Errorf("saw %v and %q, want it published", err, out)
	}
	again := filepath.Join(t.TempDir(), "again")
	if out, err := s.hackPrebuilt("build", again); err != nil || strings.Count(out, "is already published") != 4 || strings.Contains(out, "built") {
		t.Errorf("again: saw %v and\n%s\nwant four that are published", err, out)
	}
	if out, err := s.hackPrebuilt("push", again); err == nil || !strings.Contains(out, "no files ghhelper-OS-ARCH in ") {
		t.Errorf("pushing nothing: saw %v and %q, want it refused", err, out)
	}
}

// The same program may be published twice. Another program is refused, and the published one stays.
func TestPublishOverwritesNothing(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.publish([]byte("one"))
	before := s.published(s.platform)
	s.publish([]byte("one"))
	dir := t.TempDir()
	s.file(filepath.Join(dir, "ghhelper-"+s.platform), "two", 0o755)
	out, err := s.hackPrebuilt("push", dir)
	if err == nil || !strings.Contains(out, "is already published with other bytes: saw "+before+", want sha256:") {
		t.Errorf("saw %v and %q, want it refused", err, out)
	}
	if after := s.published(s.platform); after != before {
		t.Errorf("saw %s, want %s as before", after, before)
	}
}

// A failed query is not taken for an absent program.
func TestPublishWhereTheRegistryFails(t *testing.T) {
	t.Parallel()
	s := newSetup(t)
	s.answers("ghcr.io", "/manifests/", networktest.Fault{Status: http.StatusForbidden, Body: "{}"})
	dir := t.TempDir()
	out, err := s.hackPrebuilt("build", dir)
	if files, _ := filepath.Glob(filepath.Join(dir, "*")); err == nil || len(files) > 0 || !strings.Contains(out, "could not ask") {
		t.Errorf("saw %v, %q and\n%s\nwant nothing built", err, files, out)
	}
	refusal := fmt.Sprintf("saw arguments %q, want build or push", []string{"publish", dir})
	if out, err := s.hackPrebuilt("publish", dir); err == nil || !strings.Contains(out, refusal) {
		t.Errorf("saw %v and %q, want it refused", err, out)
	}
}
