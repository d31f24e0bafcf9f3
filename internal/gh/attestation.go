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

// Bounds of what is read of attestations: bytes of one bundle, unpacked, and
// bundles of one digest.
const (
	maxBundle  = 16 << 20
	maxBundles = 1000
)

// attestation is one item of GitHub's list. Since July 2026 a bundle is not in
// the list but at an address, where it is packed (aaif-goose/goose#10557);
// Enterprise servers may give either.
type attestation struct {
	Bundle json.RawMessage `json:"bundle"`
	URL    string          `json:"bundle_url"`
}

// Attestations are the Sigstore bundles that GitHub holds for what a repository
// made with this digest, "sha256:…", each as JSON. None, and a server that knows
// no attestations, is an empty list; an error means that it could not be asked.
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
			return nil, fmt.Errorf("reading attestations of %s: %s holds more than %d, which is more than are read", digest, repository, maxBundles)
		}
	}
	return bundles, nil
}

// bundle is in the list, or at the address that the list gives.
func (c *Client) bundle(ctx context.Context, a attestation) ([]byte, error) {
	if len(a.Bundle) > 0 && !bytes.Equal(a.Bundle, []byte("null")) {
		return a.Bundle, nil
	}
	if a.URL == "" {
		return nil, errors.New("could not ask: GitHub gave neither the bundle nor its address")
	}
	return c.fetchBundle(ctx, a.URL)
}

// fetchBundle goes without the token: the address is signed, and is not of
// GitHub's API but of whatever stores things for it.
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
		return nil, fmt.Errorf("could not ask: the store of bundles, %s, answered %s", req.URL.Host, res.Status)
	}
	packed, err := io.ReadAll(io.LimitReader(res.Body, maxBundle+1))
	if err != nil {
		return nil, fmt.Errorf("could not ask: %w", err)
	}
	return unpack(packed)
}

// unpack undoes snappy's block format, unless what came is JSON as it is. Of the
// two, snappy is tried first: a short text that is packed can look like JSON
// with blanks before it, while no JSON text looks packed.
func unpack(data []byte) ([]byte, error) {
	size, err := snappy.DecodedLen(data)
	if err == nil && (size > maxBundle || len(data) > maxBundle) && !json.Valid(data) {
		return nil, fmt.Errorf("could not read the bundle of %d bytes: it is larger than %d", size, maxBundle)
	}
	if err == nil && size <= maxBundle {
		if unpacked, err := snappy.Decode(nil, data); err == nil {
			return unpacked, nil
		}
	}
	if !json.Valid(data) {
		return nil, errors.New("could not read the bundle, which is neither JSON nor packed by snappy")
	}
	return data, nil
}
