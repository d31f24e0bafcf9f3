package forge_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
)

// sign returns an App's JWT.
func sign(t *testing.T, key *rsa.PrivateKey, c forge.Claims) string {
	t.Helper()
	body, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	text := base64.RawURLEncoding.EncodeToString([]byte(`{"alg":"RS256","typ":"JWT"}`)) + "." + base64.RawURLEncoding.EncodeToString(body)
	sum := sha256.Sum256([]byte(text))
	signature, err := rsa.SignPKCS1v15(rand.Reader, key, crypto.SHA256, sum[:])
	if err != nil {
		t.Fatal(err)
	}
	return text + "." + base64.RawURLEncoding.EncodeToString(signature)
}

func newKey(t *testing.T) *rsa.PrivateKey {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// askToken requests an installation's token. It returns the token, or the error message.
func askToken(t *testing.T, w *networktest.Network, bearer string, installation int64, ask string) (int, string) {
	t.Helper()
	req, err := http.NewRequestWithContext(
		t.Context(),
		http.MethodPost,
		fmt.Sprintf("https://api.github.com/app/installations/%d/access_tokens", installation),
		strings.NewReader(ask),
	)
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Authorization", "Bearer "+bearer)
	req.Header.Set("Content-Type", "application/json")
	resp, err := (&http.Client{Transport: w.Transport()}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	if err != nil {
		t.Fatal(err)
	}
	var said struct{ Token, Message string }
	if err := json.Unmarshal(body, &said); err != nil {
		t.Fatal(err)
	}
	return resp.StatusCode, said.Token + said.Message
}

func TestAnAppGetsTokens(t *testing.T) {
	t.Parallel()
	w := networktest.New(t, network.Options{})
	for _, name := range []string{"o/a", "o/b"} {
		if err := w.Forge.CreateRepository(name, forge.Repository{}); err != nil {
			t.Fatal(err)
		}
	}
	key := newKey(t)
	w.Forge.AddApp(forge.App{ClientID: "Iv1", Login: "mover[bot]", Key: &key.PublicKey, Installation: 7, Repositories: map[string]forge.Permissions{
		"o/a": {"contents": "write", "pull_requests": "write"}, "o/b": {"contents": "write", "pull_requests": "write"}}})
	now := time.Now()
	good := forge.Claims{now.Add(-time.Minute).Unix(), now.Add(5 * time.Minute).Unix(), "Iv1"}

	status, secret := askToken(t, w, sign(t, key, good), 7, `{"repositories":["a"],"permissions":{"contents":"write"}}`)
	if status != http.StatusCreated || !strings.HasPrefix(secret, "ghs_") {
		t.Fatalf("%d %s", status, secret)
	}
	dispatch := `{"event_type":"x"}`
	if status, said, _ := callAs(t, w, secret, "POST", "/repos/o/a/dispatches", dispatch); status != http.StatusNoContent {
		t.Errorf("what was given: %d %s", status, said)
	}
	if status, _, _ := callAs(t, w, secret, "POST", "/repos/o/b/dispatches", dispatch); status != http.StatusForbidden {
		t.Errorf("another repository: %d", status)
	}
	if status, _, _ := callAs(t, w, secret, "POST", "/repos/o/a/labels", `{"name":"x"}`); status != http.StatusForbidden {
		t.Errorf("another permission: %d", status)
	}

	late := forge.Claims{now.Add(-time.Hour).Unix(), now.Add(-time.Minute).Unix(), "Iv1"}
	long := forge.Claims{now.Unix() - 1, now.Add(time.Hour).Unix(), "Iv1"}
	for name, c := range map[string]struct {
		bearer       string
		installation int64
		ask          string
		status       int
	}{
		"another key":          {sign(t, newKey(t), good), 7, "", http.StatusUnauthorized},
		"another app":          {sign(t, key, forge.Claims{good.Issued, good.Expires, "Iv2"}), 7, "", http.StatusUnauthorized},
		"too late":             {sign(t, key, late), 7, "", http.StatusUnauthorized},
		"for too long":         {sign(t, key, long), 7, "", http.StatusUnauthorized},
		"the main token":       {w.Token(), 7, "", http.StatusUnauthorized},
		"another installation": {sign(t, key, good), 8, "", http.StatusNotFound},
		"not installed there":  {sign(t, key, good), 7, `{"repositories":["c"]}`, http.StatusUnprocessableEntity},
		"more than it has":     {sign(t, key, good), 7, `{"permissions":{"workflows":"write"}}`, http.StatusUnprocessableEntity},
	} {
		if status, said := askToken(t, w, c.bearer, c.installation, c.ask); status != c.status {
			t.Errorf("%s: %d %s, want %d", name, status, said, c.status)
		}
	}
}
