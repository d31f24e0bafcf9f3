package world

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

// Archive makes a repository read-only in the eyes of the API. An unknown one panics: it is a
// wrong test.
func (w *World) Archive(fullName string) {
	r, found := w.forge.repository(fullName)
	if !found {
		panic(fmt.Sprintf("world: unknown repository %q", fullName))
	}
	w.forge.mu.Lock()
	defer w.forge.mu.Unlock()
	r.archived = true
}

// listOrganisation lists what the caller may see of an organisation's repositories. There is an
// organisation where there is a repository of it. Types, orders and defaults:
// https://docs.github.com/en/rest/repos/repos#list-organization-repositories
func (f *forge) listOrganisation(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	exists := false
	var visible []*repository
	for _, r := range f.repositories {
		if !strings.EqualFold(r.owner, c.PathValue("org")) {
			continue
		}
		exists = true
		if c.by.sees(r) && r.isOfType(c.URL.Query().Get("type")) {
			visible = append(visible, r)
		}
	}
	if !exists {
		return fail(notFound())
	}
	sortRepositories(visible, c.URL.Query().Get("sort"), c.URL.Query().Get("direction"))
	page, links := paged(c, visible, 30)
	shown := []map[string]any{}
	for _, r := range page {
		shown = append(shown, repositoryJSON(&call{Request: c.Request, by: c.by, known: c.known, repo: r, base: c.base}))
	}
	return conditional(c, reply{status: http.StatusOK, body: shown, header: links})
}

func (r *repository) isOfType(kind string) bool {
	switch kind {
	case "public":
		return !r.Private
	case "private":
		return r.Private
	case "forks":
		return false // the world has none
	}
	return true
}

// sortRepositories orders by name, upwards, or by time, which here is one for all sorts,
// downwards.
func sortRepositories(all []*repository, by, direction string) {
	slices.SortFunc(all, func(a, b *repository) int {
		order := cmp.Or(b.created.Compare(a.created), cmp.Compare(b.id, a.id))
		upwards := "desc"
		if by == "full_name" {
			order, upwards = cmp.Compare(a.fullName(), b.fullName()), "asc"
		}
		if direction != "" && direction != upwards {
			return -order
		}
		return order
	})
}

// conditional answers 304 without a body where the caller has the same already:
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
func conditional(c *call, answer reply) (reply, error) {
	body, err := json.Marshal(answer.body)
	if err != nil {
		return fail(err)
	}
	if plain, ok := answer.body.(text); ok {
		body = []byte(plain.body)
	}
	sum := sha256.Sum256(bytes.Join([][]byte{body, []byte(c.Header.Get("Accept")), []byte(answer.header.Get("Link"))}, []byte{0}))
	tag := fmt.Sprintf(`W/"%x"`, sum)
	if answer.header == nil {
		answer.header = http.Header{}
	}
	answer.header["Etag"] = []string{tag}
	if c.Header.Get("If-None-Match") == tag {
		return reply{status: http.StatusNotModified, header: answer.header}, nil
	}
	return answer, nil
}
