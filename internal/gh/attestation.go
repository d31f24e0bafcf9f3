package gh

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"

	"github.com/klauspost/compress/snappy"
)

const (
	maxBundle  = 16 << 20 // bytes of one unpacked bundle
	maxBundles = 1000     // bundles of one digest
)

// attestation is one item of GitHub's list. Since July 2026, the list contains the URL
// of a compressed bundle instead of the bundle (aaif-goose/goose#10557). Enterprise
// servers may return either.
type attestation struct {
	Bundle json.RawMessage `json:"bundle"`
	URL    string          `json:"bundle_url"`
}

// Attestations returns the Sigstore bundles that GitHub stores for a repository's
// artifact with a digest ("sha256:…"), each as JSON. The list is empty if there are
// none, or if the server does not support attestations.
// https://docs.github.com/en/rest/repos/attestations
func (c *Client) Attestations(ctx context.Context, repository, digest string) ([][]byte, error) {
	type page struct{ Attestations []attestation }
	var bundles [][]byte
	for page, err := range pages[page](ctx, c, "repos/"+repository+"/attestations/"+digest+"?per_page=100") {
		if errors.Is(err, ErrAbsent) {
			return bundles, nil
		}
		if err != nil {
			return nil, err
		}
		for _, a := range page.Attestations {
			bundle, err := c.bundle(ctx, a)
			if err != nil {
				return nil, fmt.Errorf("reading an attestation of %s: %w", digest, err)
			}
			bundles = append(bundles, bundle)
		}
		if len(bundles) > maxBundles {
			return nil, fmt.Errorf("reading attestations of %s: %s has more than %d, which is the limit",
				digest, repository, maxBundles)
		}
	}
	return bundles, nil
}

// bundle returns the bundle in an item, or the one at the item's URL.
func (c *Client) bundle(ctx context.Context, a attestation) ([]byte, error) {
	if len(a.Bundle) > 0 && !bytes.Equal(a.Bundle, []byte("null")) {
		return a.Bundle, nil
	}
	if a.URL == "" {
		return nil, errors.New("could not ask: GitHub returned neither the bundle nor its URL")
	}
	return c.fetchBundle(ctx, a.URL)
}

// fetchBundle downloads a bundle without the token, because the URL is signed and not
// on the API's host.
func (c *Client) fetchBundle(ctx context.Context, address string) ([]byte, error) {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, address, nil)
	if err != nil {
		return nil, err
	}
	res, err := c.plain.Do(req)
	if err != nil {
		return nil, fmt.Errorf("could not ask: %w", bare(err))
	}
	defer res.Body.Close()
	if res.StatusCode != http.StatusOK {
		return nil, fmt.Errorf("could not ask: the storage host %s answered %s", req.URL.Host, res.Status)
	}
	packed, err := io.ReadAll(io.LimitReader(res.Body, maxBundle+1))
	if err != nil {
		return nil, fmt.Errorf("could not ask: %w", err)
	}
	return unpack(packed)
}

// unpack decodes snappy's block format, or returns data if it is plain JSON. It tries
// snappy first: short compressed data can look like JSON with leading blanks, but no
// JSON looks compressed.
func unpack(data []byte) ([]byte, error) {
	size, err := snappy.DecodedLen(data)
	if err == nil && (size > maxBundle || len(data) > maxBundle) && !json.Valid(data) {
		return nil, fmt.Errorf("could not read the bundle: it has %d bytes, want at most %d", size, maxBundle)
	}
	if err == nil && size <= maxBundle {
		if unpacked, err := snappy.Decode(nil, data); err == nil {
			return unpacked, nil
		}
	}
	if !json.Valid(data) {
		return nil, errors.New("could not read the bundle: it is neither JSON nor compressed with snappy")
	}
	return data, nil
}
