package gh_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"

	"github.com/klauspost/compress/snappy"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/test/networktest"
)

const digest = "sha256:982d9e3eb996f559e633f4d194def3761d909f5a3b647d1a851fead67c32c9d1"

// More than a page of attestations, in their original order.
func TestAttestations(t *testing.T) {
	t.Parallel()
	w, c := start(t, forge.Repository{})
	if none, err := c.Attestations(context.Background(), repository, digest); err != nil || len(none) != 0 {
		t.Fatalf("before: %d, %v", len(none), err)
	}
	const n = 250
	for i := range n {
		if err := w.Forge.Attest(repository, digest, fmt.Appendf(nil, `{"n":%d}`, i)); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Forge.Attest(repository, "sha256:other", []byte(`{}`)); err != nil {
		t.Fatal(err)
	}
	all, err := c.Attestations(context.Background(), repository, digest)
	if err != nil || len(all) != n {
		t.Fatalf("saw %d, %v, want %d", len(all), err, n)
	}
	for i, bundle := range all {
		if want := fmt.Sprintf(`{"n":%d}`, i); string(bundle) != want {
			t.Fatalf("saw %s, want %s", bundle, want)
		}
	}
}

// The forms of GitHub's response, past and possible.
func TestAttestationsAnswers(t *testing.T) {
	t.Parallel()
	at := `{"attestations":[{"bundle":null,"bundle_url":"https://github.com/bundles/o/app/1.json.sn?sig=secret"}]}`
	for name, test := range map[string]struct {
		list, bundle string
		status       int // of the bundle
		want, says   string
	}{
		"an empty list":                   {list: `{"attestations":[]}`},
		"a bundle in the list":            {list: `{"attestations":[{"bundle":{"a":1}}]}`, want: `{"a":1}`},
		"neither bundle nor address":      {list: `{"attestations":[{"bundle":null}]}`, says: "GitHub returned neither the bundle nor its URL"},
		"a packed bundle":                 {list: at, bundle: string(snappy.Encode(nil, []byte(`{"a":2}`))), want: `{"a":2}`},
		"a bundle that is not packed":     {list: at, bundle: `{"a":3}`, want: `{"a":3}`},
		"neither packed nor JSON":         {list: at, bundle: "\xff\xff\xff\xff\xff\xff", says: "neither JSON nor compressed with snappy"},
		"packed, and too large":           {list: at, bundle: "\xff\xff\xff\x7f\x00", says: "bytes, want at most"},
		"an address that has gone":        {list: at, bundle: "x", status: http.StatusForbidden, says: "the storage host github.com answered 403"},
		"an address that does not answer": {list: strings.ReplaceAll(at, "github.com", "elsewhere.example"), says: "could not ask"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, c := start(t, forge.Repository{})
			w.Intercept(func(r networktest.Request) networktest.Fault {
				if strings.HasPrefix(r.Path, "/bundles/") {
					return networktest.Fault{Status: max(test.status, http.StatusOK), Body: test.bundle}
				}
				return networktest.Fault{Status: http.StatusOK, Body: test.list}
			})
			got, err := c.Attestations(context.Background(), repository, digest)
			switch {
			case test.says != "" && (err == nil || !strings.Contains(err.Error(), test.says) || strings.Contains(err.Error(), "secret")):
				t.Errorf("saw %v, want %q and no signature", err, test.says)
			case test.says == "" && err != nil, test.want == "" && len(got) > 0, test.want != "" && (len(got) != 1 || string(got[0]) != test.want):
				t.Errorf("saw %q, %v, want %q", got, err, test.want)
			}
		})
	}
}

func TestAttestationsCouldNotBeAsked(t *testing.T) {
	t.Parallel()
	for _, status := range []int{401, 403, 500, 502} {
		w, c := start(t, forge.Repository{})
		w.Intercept(func(networktest.Request) networktest.Fault { return networktest.Fault{Status: status, Body: `{}`} })
		if got, err := c.Attestations(context.Background(), repository, digest); err == nil {
			t.Errorf("%d: saw %d, want an error", status, len(got))
		}
	}
}
