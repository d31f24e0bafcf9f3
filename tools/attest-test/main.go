// Command attest-test makes attestations for tests. They look like those of a GitHub
// workflow run, but are signed by a throwaway authority. The real authority, Fulcio,
// only issues certificates to workflow runs.
//
//	attest-test DIR
//
// It reads a JSON list of requests from standard input. It writes a bundle for each
// into DIR, and trusted_root.jsonl, which contains the throwaway authority.
package main

import (
	"bytes"
	"crypto"
	"crypto/ecdsa"
	"crypto/rand"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/digitorus/timestamp"
)

// Request describes one attestation.
type Request struct {
	File   string `json:"file"`   // the name of the bundle's file
	Name   string `json:"name"`   // the subject's name
	Digest string `json:"digest"` // the subject's digest, sha256:…
	// Beside contains the digests of further subjects: a release is one statement.
	Beside     []string `json:"beside"`
	Predicate  string   `json:"predicate"`  // the predicate's type
	Repository string   `json:"repository"` // owner/name
	Ref        string   `json:"ref"`
	Commit     string   `json:"commit"`
	Signer     string   `json:"signer"` // owner/name/path/of/workflow.yml@ref
}

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "attest-test:", err)
		os.Exit(1)
	}
}

func run() error {
	if len(os.Args) != 2 {
		return fmt.Errorf("saw %d arguments, want one: the folder to write to", len(os.Args)-1)
	}
	var requests []Request
	if err := json.NewDecoder(os.Stdin).Decode(&requests); err != nil {
		return fmt.Errorf("reading the list of attestations: %w", err)
	}
	a, err := newAuthority(time.Now())
	if err != nil {
		return err
	}
	dir := os.Args[1]
	for _, request := range requests {
		bundle, err := a.attest(request)
		if err != nil {
			return fmt.Errorf("attesting %s: %w", request.Name, err)
		}
		if err := write(dir, request.File, bundle); err != nil {
			return err
		}
	}
	return write(dir, "trusted_root.jsonl", a.trustedRoot())
}

// write writes JSON as one line with a newline: gh ignores a line without it.
func write(dir, name string, value any) error {
	data, err := json.Marshal(value)
	if err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, name), append(data, '\n'), 0o644)
}

type object = map[string]any

const payloadType = "application/vnd.in-toto+json"

// attest returns a bundle: a statement about the subject, its signature, the signer's
// certificate and the time stamp of the signature.
// https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto
func (a *authority) attest(r Request) (any, error) {
	var subjects []object
	for _, digest := range append([]string{r.Digest}, r.Beside...) {
		algorithm, hex, _ := strings.Cut(digest, ":")
		subjects = append(subjects, object{"name": r.Name, "digest": object{algorithm: hex}})
	}
	statement, err := json.Marshal(object{
		"_type": "https://in-toto.io/Statement/v1", "predicateType": r.Predicate, "predicate": object{},
		"subject": subjects,
	})
	if err != nil {
		return nil, err
	}
	key, certificate, err := a.leaf(r)
	if err != nil {
		return nil, err
	}
	signature, err := sign(key, statement)
	if err != nil {
		return nil, err
	}
	stamp, err := a.stamp(signature)
	if err != nil {
		return nil, err
	}
	return object{
		"mediaType": "application/vnd.dev.sigstore.bundle.v0.3+json",
		"verificationMaterial": object{
			"certificate":               object{"rawBytes": certificate},
			"timestampVerificationData": object{"rfc3161Timestamps": []object{{"signedTimestamp": stamp}}},
		},
		"dsseEnvelope": object{
			"payload":     statement,
			"payloadType": payloadType,
			"signatures":  []object{{"sig": signature}},
		},
	}, nil
}

// sign returns the signature over DSSE's pre-authentication encoding of a payload.
// https://github.com/secure-systems-lab/dsse/blob/master/protocol.md
func sign(key *ecdsa.PrivateKey, payload []byte) ([]byte, error) {
	var b bytes.Buffer
	fmt.Fprintf(&b, "DSSEv1 %d %s %d %s", len(payloadType), payloadType, len(payload), payload)
	sum := sha256.Sum256(b.Bytes())
	return ecdsa.SignASN1(rand.Reader, key, sum[:])
}

// stamp returns a time stamp for a signature (RFC 3161).
func (a *authority) stamp(signature []byte) ([]byte, error) {
	sum := sha256.Sum256(signature)
	t := timestamp.Timestamp{
		HashAlgorithm: crypto.SHA256, HashedMessage: sum[:], Time: a.now,
		Policy: oid(2), AddTSACertificate: false,
	}
	return t.CreateResponseWithOpts(a.stamper, a.stampKey, crypto.SHA256)
}
