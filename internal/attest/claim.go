package attest

import (
	"crypto/x509"
	"encoding/asn1"
	"encoding/json"
	"errors"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/outcome"
)

// server is the prefix of GitHub's identities. An Enterprise server has no attestations.
const server = "https://github.com/"

// claim is the content of one attestation.
type claim struct {
	predicate  string   // the type of its statement
	digests    []string // of its subjects, sha256:…
	identity   string   // the signer
	repository string   // https://github.com/owner/name
	ref        string   // refs/tags/…
	commit     string
}

// signer returns the identity in the short form owner/name/path@ref.
func (c claim) signer() string { return strings.TrimPrefix(c.identity, server) }

// predicates are the types of statements that identify a builder: the provenance of
// actions/attest and the signature of `cosign sign`.
var predicates = []string{"https://slsa.dev/provenance/v1", "https://sigstore.dev/cosign/sign/v1"}

// errOther is the error for a bundle that does not identify a builder, such as an SBOM or
// GitHub's attestation of an immutable release.
var errOther = errors.New("does not identify a builder")

// bundle is the part of a Sigstore bundle that ghhelper reads.
// https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_bundle.proto
type bundle struct {
	Material struct {
		Certificate *struct{ RawBytes []byte }
		Chain       *struct {
			Certificates []struct{ RawBytes []byte }
		} `json:"x509CertificateChain"` // before version 0.3
	} `json:"verificationMaterial"`
	Envelope *struct {
		Payload     []byte
		PayloadType string
	} `json:"dsseEnvelope"`
}

// statement is the part of an in-toto statement that is the same for every predicate:
// https://github.com/in-toto/attestation/blob/main/spec/v1/statement.md
type statement struct {
	PredicateType string `json:"predicateType"`
	Subject       []struct {
		Digest map[string]string `json:"digest"`
	} `json:"subject"`
}

func (s statement) digests() []string {
	var all []string
	for _, subject := range s.Subject {
		all = append(all, "sha256:"+subject.Digest["sha256"])
	}
	return all
}

// read returns the unverified content of a bundle. Other bytes than a bundle are Wrong,
// because they prove nothing.
func read(data []byte) (claim, error) {
	var b bundle
	if err := json.Unmarshal(data, &b); err != nil {
		return claim{}, outcome.Wrongf("it is not a Sigstore bundle: %w", err)
	}
	if b.Envelope == nil || b.Envelope.PayloadType != "application/vnd.in-toto+json" {
		return claim{}, errOther
	}
	var s statement
	if err := json.Unmarshal(b.Envelope.Payload, &s); err != nil {
		return claim{}, outcome.Wrongf("its payload is not an in-toto statement: %w", err)
	}
	if !slices.Contains(predicates, s.PredicateType) {
		return claim{}, errOther
	}
	c, err := b.signed()
	c.predicate, c.digests = s.PredicateType, s.digests()
	return c, err
}

// signed returns the claim of the certificate about the signer.
func (b bundle) signed() (claim, error) {
	var der []byte
	switch {
	case b.Material.Certificate != nil:
		der = b.Material.Certificate.RawBytes
	case b.Material.Chain != nil && len(b.Material.Chain.Certificates) > 0:
		der = b.Material.Chain.Certificates[0].RawBytes
	default:
		return claim{}, outcome.Wrongf(
			"it contains no certificate, want that of a workflow: a key does not identify a repository, tag or commit")
	}
	c, err := x509.ParseCertificate(der)
	if err != nil {
		return claim{}, outcome.Wrongf("its certificate cannot be read: %w", err)
	}
	names := slices.Clone(c.EmailAddresses)
	for _, uri := range c.URIs {
		names = append(names, uri.String())
	}
	return claim{
		identity:   strings.Join(names, ", "),
		repository: extension(c, 12),
		commit:     extension(c, 13),
		ref:        extension(c, 14),
	}, nil
}

// extension returns an extension in which Fulcio stores a claim of the workflow's token, or "".
// https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
func extension(c *x509.Certificate, number int) string {
	id := asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264, 1, number}
	for _, e := range c.Extensions {
		if !e.Id.Equal(id) {
			continue
		}
		var value string
		if rest, err := asn1.Unmarshal(e.Value, &value); err == nil && len(rest) == 0 {
			return value
		}
	}
	return ""
}
