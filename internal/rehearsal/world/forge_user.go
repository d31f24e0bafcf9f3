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
	u := user(botLogin, "Bot")
	for key, value := range map[string]any{
		"name": identityName, "company": nil, "blog": "", "location": nil, "email": identityEmail, "hireable": nil, "bio": nil,
		"public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
		"created_at": stamp(f.now()), "updated_at": stamp(f.now()),
	} {
		u[key] = value
	}
	return ok(u)
}

const botLogin = "rehearsal[bot]"

func bot() map[string]any { return user(botLogin, "Bot") }

// user is an account as the API shows it inside other things.
func user(login, kind string) map[string]any {
	at := "https://" + hostAPI + "/users/" + login
	return map[string]any{
		"login": login, "id": userID(login), "node_id": nodeID("User", login), "type": kind, "site_admin": false,
		"avatar_url": "https://avatars.githubusercontent.com/u/0?v=4", "gravatar_id": "",
		"url": at, "html_url": "https://" + hostWeb + "/" + login,
		"followers_url": at + "/followers", "following_url": at + "/following{/other_user}",
		"gists_url": at + "/gists{/gist_id}", "starred_url": at + "/starred{/owner}{/repo}",
		"subscriptions_url": at + "/subscriptions", "organizations_url": at + "/orgs", "repos_url": at + "/repos",
		"events_url": at + "/events{/privacy}", "received_events_url": at + "/received_events",
	}
}

// userID is any number that is always the same for a login.
func userID(login string) int64 {
	id := int64(1)
	for _, b := range []byte(login) {
		id = (id*31 + int64(b)) % 1_000_000_007
	}
	return id
}

// listInstallation refuses as GitHub refuses a person's token: the world's token is told of its
// rights, which an App's is not.
func (f *forge) listInstallation(*call) (reply, error) {
	return fail(&apiError{status: http.StatusForbidden, Message: "You must authenticate with an installation access token in order to list repositories for an installation."})
}
