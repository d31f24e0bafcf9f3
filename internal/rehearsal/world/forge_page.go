package world

import (
	"fmt"
	"net/http"
	"strconv"
	"strings"
)

// paged answers one page of items, with links to the others in the way of GitHub's.
func paged[T any](c *call, items []T, perPage int) ([]T, http.Header) {
	page := number(c, "page", 1)
	if n := number(c, "per_page", perPage); n > 0 {
		perPage = min(n, max(perPage, 100))
	}
	last := max((len(items)+perPage-1)/perPage, 1)
	start := min((page-1)*perPage, len(items))
	return items[start:min(start+perPage, len(items))], pageLinks(c, page, last)
}

func number(c *call, name string, otherwise int) int {
	n, err := strconv.Atoi(c.URL.Query().Get(name))
	if err != nil || n < 1 || n > 1_000_000 {
		return otherwise
	}
	return n
}

func pageLinks(c *call, page, last int) http.Header {
	var all []string
	add := func(rel string, n int) {
		query := c.URL.Query()
		query.Set("page", strconv.Itoa(n))
		all = append(all, fmt.Sprintf(`<%s%s?%s>; rel="%s"`, c.base, c.URL.Path, query.Encode(), rel))
	}
	if page > 1 {
		add("prev", page-1)
	}
	if page < last {
		add("next", page+1)
		add("last", last)
	}
	if page > 1 {
		add("first", 1)
	}
	if all == nil {
		return nil
	}
	return http.Header{"Link": {strings.Join(all, ", ")}}
}
