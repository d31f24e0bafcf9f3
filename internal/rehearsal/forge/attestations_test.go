package forge_test

import (
	"encoding/base64"
	"encoding/json"
	"net/http"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/test/networktest"
)

const someDigest = "sha256:0000000000000000000000000000000000000000000000000000000000000000"

func TestAttestationsArePublic(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	address := "https://api.github.com/repos/" + networktest.Repository + "/attestations/"
	if status, body, err := networktest.Get(w, address+someDigest); err != nil || status != 404 {
		t.Errorf("without any: %d %s (%v), want 404", status, body, err)
	}
	if err := w.Forge.Attest(networktest.Repository, someDigest, []byte(`{"mediaType":"x"}`)); err != nil {
		t.Fatal(err)
	}
	status, body, getErr := networktest.Get(w, address+someDigest)
	var list struct {
		Attestations []map[string]any
	}
	if err := json.Unmarshal([]byte(body), &list); err != nil || getErr != nil || status != 200 || len(list.Attestations) != 1 {
		t.Fatalf("%d %s (%v, %v), want one", status, body, getErr, err)
	}
	at, _ := list.Attestations[0]["bundle_url"].(string)
	if status, packed, err := networktest.Get(w, at); err != nil || status != 200 || !strings.Contains(packed, `{"mediaType":"x"}`) {
		t.Errorf("the bundle: %d %q (%v)", status, packed, err)
	}
	unsigned, _, _ := strings.Cut(at, "?")
	if status, _, _ := networktest.Get(w, unsigned); status != 404 {
		t.Errorf("the bundle at an address without its signature: %d, want 404", status)
	}
	req, err := http.NewRequest(http.MethodGet, at, nil)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+w.Token())
	resp, err := (&http.Client{Transport: w.Transport()}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	if resp.Body.Close(); resp.StatusCode != 400 {
		t.Errorf("the bundle, asked for with GitHub's token: %d, want 400", resp.StatusCode)
	}
	if status, _, _ := networktest.Get(w, address+someDigest+"?predicate_type=x"); status != 501 {
		t.Errorf("a short name that the forge lacks: %d, want 501", status)
	}
}

// gh requests the attestations of a single predicate.
func TestAttestationsOfAPredicate(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	statement := base64.StdEncoding.EncodeToString([]byte(`{"predicateType":"https://example.com/a"}`))
	for _, bundle := range []string{`{"dsseEnvelope":{"payload":"` + statement + `"}}`, `{"mediaType":"x"}`} {
		if err := w.Forge.Attest(networktest.Repository, someDigest, []byte(bundle)); err != nil {
			t.Fatal(err)
		}
	}
	address := "https://api.github.com/repos/" + networktest.Repository + "/attestations/" + someDigest + "?predicate_type=https://example.com/"
	if status, body, err := networktest.Get(w, address+"a"); err != nil || status != 200 || strings.Count(body, "bundle_url") != 1 {
		t.Errorf("%d %s (%v), want one", status, body, err)
	}
	if status, body, err := networktest.Get(w, address+"b"); err != nil || status != 404 {
		t.Errorf("of a predicate without statements: %d %s (%v), want 404", status, body, err)
	}
}

func TestAttestRefuses(t *testing.T) {
	t.Parallel()
	w, _ := networktest.Seeded(t, forge.Repository{})
	for _, err := range []error{w.Forge.Attest("no/such", someDigest, []byte(`{}`)), w.Forge.Attest(networktest.Repository, someDigest, []byte(`x`)),
		w.Forge.SetImmutable("no/such", true)} {
		if err == nil {
			t.Error("nonsense was taken")
		}
	}
}
