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

// maxPages bounds every list: at 100 a page, ten thousand.
const maxPages = 100

// pages reads a list page by page to its end, each page as a T. It ends with the
// first error. A list that GitHub shows in part only is an error.
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
		yield(none, fmt.Errorf("reading %s: it has more than %d pages, which is more than are read", path, maxPages))
	}
}

// list is all items of a list whose pages are arrays.
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

// read is get that tells the answer's header.
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

// nextPage is the address of the next page, which must be GitHub's own; "" after
// the last one.
func (c *Client) nextPage(header http.Header, path string) (string, error) {
	if sso := header.Get(headerSSO); strings.HasPrefix(sso, "partial-results") {
		return "", fmt.Errorf("reading %s: GitHub shows a part only, without the organisations that the token (%s) is not authorized for by single sign-on", path, c.token)
	}
	found := nextLink.FindStringSubmatch(strings.Join(header.Values("Link"), ", "))
	if found == nil {
		return "", nil
	}
	next, err := url.Parse(found[1])
	if err != nil || originOf(next) != originOf(c.api.BaseURL) || next.User != nil {
		return "", fmt.Errorf("reading %s: GitHub names a next page that is not at %s", path, c.api.BaseURL.Host)
	}
	return next.String(), nil
}

// within reads all of a list whose pages hold it in a field, beside its length.
func within[T any](ctx context.Context, c *Client, path, field string) ([]T, error) {
	var all []T
	for page, err := range pages[map[string]json.RawMessage](ctx, c, path) {
		if err != nil {
			return nil, err
		}
		var some []T
		if err := json.Unmarshal(page[field], &some); err != nil {
			return nil, fmt.Errorf("reading %s: its %q is no list: %w", path, field, err)
		}
		all = append(all, some...)
	}
	return all, nil
}

// post asks for something that has an effect. An answer without a body leaves
// out as it is.
func (c *Client) post(ctx context.Context, path string, body, out any) error {
	req, err := c.api.NewRequest(http.MethodPost, path, body)
	if err == nil {
		_, err = c.api.Do(ctx, req, out)
	}
	return err
}
