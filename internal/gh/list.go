package gh

import (
	"context"
	"encoding/json"
	"fmt"
	"net/http"
)

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
