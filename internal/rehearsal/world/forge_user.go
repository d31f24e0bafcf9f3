package world

import "net/http"

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
	return ok(f.profile(c.who()))
}

// listInstallation refuses as GitHub refuses a person's token: the world's token is told of its
// rights, which an App's is not.
func (f *forge) listInstallation(*call) (reply, error) {
	return fail(&apiError{status: http.StatusForbidden, Message: "You must authenticate with an installation access token in order to list repositories for an installation."})
}
