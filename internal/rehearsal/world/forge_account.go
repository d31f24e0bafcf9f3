package world

import (
	"fmt"
	"net/url"
	"regexp"
	"strings"
	"sync"
)

// The kinds of account in GitHub's API.
const (
	kindUser         = "User"
	kindBot          = "Bot"
	kindOrganization = "Organization"
)

// account is who acts on the forge; a bot's login ends in "[bot]".
type account struct{ login, kind string }

// mainAccount is whom the world's one good token acts for.
var mainAccount = account{"rehearsal[bot]", kindBot}

// webFlow is GitHub itself, which commits what is done through its pages and API.
var webFlow = person{Name: "GitHub", Email: "noreply@github.com"}

// person is the account as git knows it. The mail is the only one that GitHub takes for a bot's:
// https://github.com/actions/create-github-app-token
func (a account) person() person {
	return person{Name: a.login, Email: fmt.Sprintf("%d+%s@users.noreply.github.com", userID(a.login), a.login)}
}

// accounts are all that the forge has met, under a lock of their own.
type accounts struct {
	mu  sync.Mutex
	all []account
}

// meet remembers an account, so that it can be looked up, unless the login is taken.
func (s *accounts) meet(a account) {
	if _, known := s.find(a.login); known {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, a)
}

// find finds an account by its login, whatever its case.
func (s *accounts) find(login string) (account, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, a := range s.all {
		if strings.EqualFold(a.login, login) {
			return a, true
		}
	}
	return account{}, false
}

var noreplyMail = regexp.MustCompile(`^(?:[0-9]+\+)?([^@]+)@users\.noreply\.github\.com$`)

// accountOf is the account that GitHub shows beside a commit, which it finds by the mail; null
// where it knows none.
func (f *forge) accountOf(p person) any {
	if p.Email == webFlow.Email {
		return user("web-flow", kindUser)
	}
	if m := noreplyMail.FindStringSubmatch(p.Email); m != nil {
		if a, known := f.accounts.find(m[1]); known {
			return a.json()
		}
	}
	return nil
}

// json is the account as the API shows it inside other things.
func (a account) json() map[string]any { return user(a.login, a.kind) }

// user is an account as the API shows it inside other things.
func user(login, kind string) map[string]any {
	at := "https://" + hostAPI + "/users/" + url.PathEscape(login)
	page := "https://" + hostWeb + "/" + login
	if kind == kindBot {
		page = "https://" + hostWeb + "/apps/" + strings.TrimSuffix(login, "[bot]")
	}
	return map[string]any{
		"login": login, "id": userID(login), "node_id": nodeID("User", login), "type": kind, "site_admin": false,
		"avatar_url": "https://avatars.githubusercontent.com/u/0?v=4", "gravatar_id": "",
		"url": at, "html_url": page,
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

// profile is an account as it is shown alone.
func (f *forge) profile(a account) map[string]any {
	shown := a.json()
	for key, value := range map[string]any{
		"name": a.login, "company": nil, "blog": "", "location": nil, "email": nil, "hireable": nil, "bio": nil,
		"public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
		"created_at": stamp(f.born), "updated_at": stamp(f.born),
	} {
		shown[key] = value
	}
	return shown
}

// getAccount is how a client finds the number that belongs into a bot's mail address.
func (f *forge) getAccount(c *call) (reply, error) {
	a, known := f.accounts.find(c.PathValue("login"))
	if !known {
		return fail(notFound())
	}
	return ok(f.profile(a))
}
