package world

import (
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

// accountOf is the account that GitHub shows beside a commit, which it finds by the mail; null
// where it knows none.
func (f *forge) accountOf(p person) any {
	if p.Email == f.site.gitHub.Email {
		return f.site.user(account{"web-flow", kindUser})
	}
	login, mine := strings.CutSuffix(p.Email, "@"+f.site.mail)
	if _, after, numbered := strings.Cut(login, "+"); numbered {
		login = after
	}
	if a, known := f.accounts.find(login); mine && known {
		return f.site.user(a)
	}
	return nil
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
	shown := f.site.user(a)
	for key, value := range map[string]any{
		"name": a.login, "company": nil, "blog": "", "location": nil, "email": nil, "hireable": nil, "bio": nil,
		"user_view_type": "public", "public_repos": 0, "public_gists": 0, "followers": 0, "following": 0,
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
