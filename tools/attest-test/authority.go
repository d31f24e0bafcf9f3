package main

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/asn1"
	"math/big"
	"net/url"
	"strings"
	"time"
)

// authority is a certificate authority like Fulcio, and a time-stamping authority.
type authority struct {
	now      time.Time
	root     *x509.Certificate
	rootKey  *ecdsa.PrivateKey
	stamper  *x509.Certificate
	stampKey *ecdsa.PrivateKey
}

// organization selects the authority in gh's trusted roots.
var organization = pkix.Name{CommonName: "test", Organization: []string{"attest-test"}}

func newAuthority(now time.Time) (*authority, error) {
	a := &authority{now: now}
	var err error
	if a.rootKey, a.root, err = a.certify(&x509.Certificate{
		Subject: organization, IsCA: true, BasicConstraintsValid: true, KeyUsage: x509.KeyUsageCertSign,
	}); err != nil {
		return nil, err
	}
	usage, err := asn1.Marshal([]asn1.ObjectIdentifier{{1, 3, 6, 1, 5, 5, 7, 3, 8}})
	if err != nil {
		return nil, err
	}
	// RFC 3161, 2.3: time stamping must be the only extended key usage, and critical.
	// The template's own field cannot mark it as critical.
	a.stampKey, a.stamper, err = a.certify(&x509.Certificate{
		Subject: organization, KeyUsage: x509.KeyUsageDigitalSignature,
		ExtraExtensions: []pkix.Extension{{Id: asn1.ObjectIdentifier{2, 5, 29, 37}, Critical: true, Value: usage}},
	})
	return a, err
}

// certify creates a key and a certificate for it. The first certificate is self-signed.
func (a *authority) certify(template *x509.Certificate) (*ecdsa.PrivateKey, *x509.Certificate, error) {
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		return nil, nil, err
	}
	template.SerialNumber, err = rand.Int(rand.Reader, new(big.Int).Lsh(big.NewInt(1), 120))
	if err != nil {
		return nil, nil, err
	}
	template.NotBefore, template.NotAfter = a.now.Add(-time.Hour), a.now.Add(time.Hour)
	parent, by := a.root, a.rootKey
	if parent == nil {
		parent, by = template, key
	}
	der, err := x509.CreateCertificate(rand.Reader, template, parent, &key.PublicKey, by)
	if err != nil {
		return nil, nil, err
	}
	certificate, err := x509.ParseCertificate(der)
	return key, certificate, err
}

func oid(last ...int) asn1.ObjectIdentifier {
	return append(asn1.ObjectIdentifier{1, 3, 6, 1, 4, 1, 57264}, last...)
}

// leaf returns a certificate like Fulcio's for a workflow run, and its key. The
// extensions contain the claims of GitHub's OIDC token.
// https://github.com/sigstore/fulcio/blob/main/docs/oid-info.md
func (a *authority) leaf(r Request) (*ecdsa.PrivateKey, []byte, error) {
	const server = "https://github.com/"
	signer, err := url.Parse(server + r.Signer)
	if err != nil {
		return nil, nil, err
	}
	owner, _, _ := strings.Cut(r.Repository, "/")
	template := &x509.Certificate{
		URIs:        []*url.URL{signer},
		KeyUsage:    x509.KeyUsageDigitalSignature,
		ExtKeyUsage: []x509.ExtKeyUsage{x509.ExtKeyUsageCodeSigning},
	}
	for number, value := range map[int]string{
		8: "https://token.actions.githubusercontent.com", 9: signer.String(), 11: "github-hosted",
		12: server + r.Repository, 13: r.Commit, 14: r.Ref, 16: server + owner, 18: signer.String(), 20: "push",
	} {
		der, err := asn1.MarshalWithParams(value, "utf8")
		if err != nil {
			return nil, nil, err
		}
		template.ExtraExtensions = append(template.ExtraExtensions, pkix.Extension{Id: oid(1, number), Value: der})
	}
	key, certificate, err := a.certify(template)
	if err != nil {
		return nil, nil, err
	}
	return key, certificate.Raw, nil
}

// trustedRoot returns the authority's roots in the format of gh's --custom-trusted-root.
// https://github.com/sigstore/protobuf-specs/blob/main/protos/sigstore_trustroot.proto
func (a *authority) trustedRoot() any {
	trust := func(chain ...*x509.Certificate) []object {
		var certificates []object
		for _, c := range chain {
			certificates = append(certificates, object{"rawBytes": c.Raw})
		}
		return []object{{
			"subject":   object{"organization": "attest-test", "commonName": "test"},
			"uri":       "https://authority.example.invalid",
			"certChain": object{"certificates": certificates},
			"validFor":  object{"start": a.root.NotBefore.UTC().Format(time.RFC3339)},
		}}
	}
	return object{
		"mediaType":              "application/vnd.dev.sigstore.trustedroot+json;version=0.1",
		"certificateAuthorities": trust(a.root), "timestampAuthorities": trust(a.stamper, a.root),
	}
}
