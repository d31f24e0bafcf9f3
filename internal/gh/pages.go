package gh

import (
	"context"
	"encoding/json"
	"fmt"
	"iter"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// maxPages is the maximum length of a list: ten thousand items at 100 a page.
const maxPages = 100

// pages returns an iterator over all pages of a list, each decoded into a T. It stops at
// the first error. A list that GitHub shows only in part is an error.
// https://docs.github.com/en/rest/using-the-rest-api/using-pagination-in-the-rest-api
func pages[T any](ctx context.Context, c *Client, path string) iter.Seq2[T, error] {
	return func(yield func(T, error) bool) {
		next := path
		for range maxPages {
			var page T
			header, err := c.read(ctx, next, &page)
			if err == nil {
				next, err = c.nextPage(header, path)
			}
			if !yield(page, err) || err != nil || next == "" {
				return
			}
		}
		var none T
		yield(none, fmt.Errorf("reading %s: it has more pages than the limit of %d", path, maxPages))
	}
}

// list returns all items of a list whose pages are arrays.
func list[T any](ctx context.Context, c *Client, path string) ([]T, error) {
	var all []T
	for page, err := range pages[[]T](ctx, c, path) {
		if err != nil {
			return nil, err
		}
		all = append(all, page...)
	}
	return all, nil
}

// read is get, and returns the header of the response.
func (c *Client) read(ctx context.Context, path string, out any) (http.Header, error) {
	req, err := c.api.NewRequest(http.MethodGet, path, nil)
	if err != nil {
		return nil, err
	}
	res, err := c.api.Do(ctx, req, out)
	if err != nil {
		return nil, c.explain("reading "+path, err)
	}
	return res.Header, nil
}

var nextLink = regexp.MustCompile(`<([^>]*)>\s*;[^,]*\brel="?next"?`)

// nextPage returns the URL of the next page, or "" after the last one. The URL must be
// on GitHub's own host.
func (c *Client) nextPage(header http.Header, path string) (string, error) {
	if sso := header.Get(headerSSO); strings.HasPrefix(sso, "partial-results") {
		return "", fmt.Errorf("reading %s: the list is incomplete, because the token (%s) is not authorized for the "+
			"single sign-on of all organisations: authorize it", path, c.token)
	}
	found := nextLink.FindStringSubmatch(strings.Join(header.Values("Link"), ", "))
	if found == nil {
		return "", nil
	}
	next, err := url.Parse(found[1])
	if err != nil || originOf(next) != originOf(c.api.BaseURL) || next.User != nil {
		return "", fmt.Errorf("reading %s: the next page is on another host, want %s", path, c.api.BaseURL.Host)
	}
	return next.String(), nil
}

// within returns all items of a list whose pages are objects with the items in a field.
func within[T any](ctx context.Context, c *Client, path, field string) ([]T, error) {
	var all []T
	for page, err := range pages[map[string]json.RawMessage](ctx, c, path) {
		if err != nil {
			return nil, err
		}
		var some []T
		if err := json.Unmarshal(page[field], &some); err != nil {
			return nil, fmt.Errorf("reading %s: the field %q is not a list: %w", path, field, err)
		}
		all = append(all, some...)
	}
	return all, nil
}

// post sends a POST request. A response without a body leaves out unchanged.
func (c *Client) post(ctx context.Context, path string, body, out any) error {
	req, err := c.api.NewRequest(http.MethodPost, path, body)
	if err == nil {
		_, err = c.api.Do(ctx, req, out)
	}
	return err
}
