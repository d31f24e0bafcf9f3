package forge

import (
	"encoding/json"
	"fmt"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/klauspost/compress/snappy"
)

// attestation is a Sigstore bundle that a repository's workflow gave to the forge.
type attestation struct {
	id     int64
	digest string // of the subject
	bundle []byte
}

const attestationsPage = 30 // attestations in one answer unless the client asks for another number

// Attest has the forge hold a Sigstore bundle, which is JSON, for what the repository made with
// this digest, as actions/attest does. It returns an error if there is no such repository, or the
// bundle is no JSON; what the bundle says is for those to judge who verify it.
func (f *Forge) Attest(repository, digest string, bundle []byte) error {
	r, found := f.repository(repository)
	if !found {
		return fmt.Errorf("attesting %s: there is no repository %s", digest, repository)
	}
	if !json.Valid(bundle) {
		return fmt.Errorf("attesting %s: the bundle is no JSON", digest)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r.attestations = append(r.attestations, attestation{f.nextID(), digest, slices.Clone(bundle)})
	return nil
}

// states tells whether a bundle's statement is of a type of predicate.
func (a attestation) states(predicate string) bool {
	var b struct {
		Envelope struct{ Payload []byte } `json:"dsseEnvelope"`
	}
	var statement struct {
		PredicateType string `json:"predicateType"`
	}
	return json.Unmarshal(a.bundle, &b) == nil && json.Unmarshal(b.Envelope.Payload, &statement) == nil && statement.PredicateType == predicate
}

// listAttestations answers 404 where there are none, and gives of each bundle only the address, as
// GitHub does since July 2026 (aaif-goose/goose#10557).
func (f *Forge) listAttestations(c *call) (reply, error) {
	query := c.URL.Query()
	predicate := query.Get("predicate_type")
	if query.Has("before") || predicate != "" && !strings.Contains(predicate, "://") {
		return fail(&apiError{status: http.StatusNotImplemented, Message: "the rehearsal's forge lists attestations from the first on, and knows no short names of predicates"})
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	after, _ := strconv.ParseInt(query.Get("after"), 10, 64) // without one, from the first on
	var all []attestation
	for _, a := range c.repo.attestations {
		if a.digest == c.PathValue("digest") && a.id > after && (predicate == "" || a.states(predicate)) {
			all = append(all, a)
		}
	}
	if len(all) == 0 && after == 0 {
		return fail(notFound())
	}
	size := min(number(c, "per_page", attestationsPage), 100)
	page, header := all[:min(size, len(all))], http.Header(nil)
	if len(all) > size {
		query.Set("after", strconv.FormatInt(page[size-1].id, 10))
		header = http.Header{"Link": {fmt.Sprintf(`<%s%s?%s>; rel="next"`, c.base, c.URL.Path, query.Encode())}}
	}
	return reply{http.StatusOK, map[string]any{"attestations": c.repo.attestationsJSON(page)}, header}, nil
}

func (r *repository) attestationsJSON(all []attestation) []any {
	shown := []any{}
	for _, a := range all {
		address := fmt.Sprintf("https://%s/attestations/%s/%d.json.sn?sig=%s", hostBundles, r.fullName(), a.id, nodeID("Attestation", a.id))
		shown = append(shown, map[string]any{"bundle_url": address, "repository_id": r.id, "initiator": "user"})
	}
	return shown
}

var bundlePath = regexp.MustCompile(`^/attestations/([^/]+/[^/]+)/([0-9]+)\.json\.sn$`)

// serveBundle takes the place of the store of bundles, which knows no token of GitHub's, and
// refuses who shows one; gh shows its own to all of GitHub's hosts.
func (f *Forge) serveBundle(rw http.ResponseWriter, r *http.Request) {
	if r.Header.Get("Authorization") != "" {
		http.Error(rw, "the address is signed, and takes no other authorization", http.StatusBadRequest)
		return
	}
	var packed []byte
	m, found := bundlePath.FindStringSubmatch(r.URL.Path), false
	if m != nil {
		packed, found = f.findBundle(m[1], m[2], r.URL.Query().Get("sig"))
	}
	if !found {
		http.Error(rw, "Not Found", http.StatusNotFound)
		return
	}
	rw.Header().Set("Content-Type", "application/x-snappy")
	rw.Write(packed) // a client that has gone needs no answer
}

// findBundle is the bundle in snappy's block format.
func (f *Forge) findBundle(repository, id, signature string) ([]byte, bool) {
	r, found := f.repository(repository)
	if !found {
		return nil, false
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, a := range r.attestations {
		if strconv.FormatInt(a.id, 10) == id && signature == nodeID("Attestation", a.id) {
			return snappy.Encode(nil, a.bundle), true
		}
	}
	return nil, false
}
