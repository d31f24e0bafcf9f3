package world

import (
	"maps"
	"net/http"
	"slices"
)

// rateLimit is an answer only: the world counts nothing, faults do that.
const rateLimit = 5000

func (f *forge) getRateLimit(*call) (reply, error) {
	rate := map[string]any{"limit": rateLimit, "remaining": rateLimit, "used": 0, "reset": f.now().Unix() + 3600}
	return ok(map[string]any{
		"resources": map[string]any{"core": rate, "search": rate, "graphql": rate, "integration_manifest": rate},
		"rate":      rate,
	})
}

func (f *forge) getUser(c *call) (reply, error) {
	if !c.known {
		return fail(&apiError{status: http.StatusUnauthorized, Message: "Requires authentication"})
	}
	if c.by.isInstallation() {
		return fail(c.by.denial())
	}
	return ok(f.profile(c.who()))
}

// listInstallation refuses a person's token, and the world's main one, which is told of its
// rights as a person's is.
func (f *forge) listInstallation(c *call) (reply, error) {
	if !c.by.isInstallation() {
		return fail(forbidden("You must authenticate with an installation access token in order to list repositories for an installation."))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	var reached []*repository
	for _, name := range slices.Sorted(maps.Keys(c.by.Repositories)) {
		if r, found := f.repositories[name]; found {
			reached = append(reached, r)
		}
	}
	page, header := paged(c, reached, pullsPage)
	shown := []any{}
	for _, r := range page {
		shown = append(shown, repositoryJSON(&call{Request: c.Request, by: c.by, known: true, repo: r}))
	}
	return reply{http.StatusOK, map[string]any{"total_count": len(reached), "repositories": shown, "repository_selection": "selected"}, header}, nil
}
