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

// attestation is a Sigstore bundle that a workflow of the repository uploaded.
type attestation struct {
	id     int64
	digest string // of the subject
	bundle []byte
}

const attestationsPage = 30 // the page size if the client sets none

// Attest stores a Sigstore bundle (JSON) for a digest, as actions/attest does. It returns an error
// if there is no such repository, or if the bundle is not JSON. Judging its content is left to
// verifiers.
func (f *Forge) Attest(repository, digest string, bundle []byte) error {
	r, found := f.repository(repository)
	if !found {
		return fmt.Errorf("attesting %s: there is no repository %s", digest, repository)
	}
	if !json.Valid(bundle) {
		return fmt.Errorf("attesting %s: the bundle is not JSON", digest)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r.attestations = append(r.attestations, attestation{f.nextID(), digest, slices.Clone(bundle)})
	return nil
}

// states reports whether a bundle's statement has a predicate type.
func (a attestation) states(predicate string) bool {
	var b struct {
		Envelope struct{ Payload []byte } `json:"dsseEnvelope"`
	}
	var statement struct {
		PredicateType string `json:"predicateType"`
	}
	return json.Unmarshal(a.bundle, &b) == nil && json.Unmarshal(b.Envelope.Payload, &statement) == nil &&
		statement.PredicateType == predicate
}

// listAttestations answers 404 if there are none. Of each bundle it returns only the address, as
// GitHub does since July 2026 (aaif-goose/goose#10557).
func (f *Forge) listAttestations(c *call) (reply, error) {
	query := c.URL.Query()
	predicate := query.Get("predicate_type")
	if query.Has("before") || predicate != "" && !strings.Contains(predicate, "://") {
		return fail(
			&apiError{
				status: http.StatusNotImplemented,
				Message: "the rehearsal's forge lists attestations only from the first page, " +
					"and supports no short names of predicates",
			},
		)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	after, _ := strconv.ParseInt(query.Get("after"), 10, 64) // 0 if absent
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
		address := fmt.Sprintf(
			"https://%s/attestations/%s/%d.json.sn?sig=%s",
			hostBundles,
			r.fullName(),
			a.id,
			nodeID("Attestation", a.id),
		)
		shown = append(shown, map[string]any{"bundle_url": address, "repository_id": r.id, "initiator": "user"})
	}
	return shown
}

var bundlePath = regexp.MustCompile(`^/attestations/([^/]+/[^/]+)/([0-9]+)\.json\.sn$`)

// serveBundle acts as the bundle store. The store does not know GitHub's tokens and refuses
// requests with one, while gh sends its token to all of GitHub's hosts.
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
	rw.Write(packed) // the client may be gone
}

// findBundle returns the bundle in snappy's block format.
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
