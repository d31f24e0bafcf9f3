package world

import (
	"crypto"
	"crypto/rsa"
	"crypto/sha256"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"
)

// App is a GitHub App that is installed once.
type App struct {
	// ClientID is by what it calls itself, and Login as whom its tokens act; it ends in [bot].
	ClientID, Login string
	// Key proves what it signs.
	Key *rsa.PublicKey
	// Installation is the number of its installation.
	Installation int64
	// Repositories are those that it is installed in, by owner/name, each with what it may do there.
	Repositories map[string]Permissions
}

// apps are those of the forge, under a lock of their own.
type apps struct {
	mu  sync.Mutex
	all []App
}

// AddApp installs an App. Whoever has its private key gets tokens as GitHub gives them, by
// POST /app/installations/{installation_id}/access_tokens.
func (w *World) AddApp(a App) {
	w.forge.accounts.meet(account{a.Login, kindBot})
	w.forge.apps.mu.Lock()
	defer w.forge.apps.mu.Unlock()
	w.forge.apps.all = append(w.forge.apps.all, a)
}

// claims are what an App signs of itself:
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
type claims struct {
	Issued  int64  `json:"iat"`
	Expires int64  `json:"exp"`
	Issuer  string `json:"iss"`
}

// maxClaim is for how long an App may sign.
const maxClaim = 10 * time.Minute

func (c claims) holds(now time.Time) bool {
	from, to := time.Unix(c.Issued, 0), time.Unix(c.Expires, 0)
	return !now.Before(from) && now.Before(to) && to.Sub(now) <= maxClaim
}

// signer finds the App that signed a JSON Web Token (RFC 7519, RS256).
func (s *apps) signer(jwt string, now time.Time) (App, bool) {
	parts := strings.Split(jwt, ".")
	if len(parts) != 3 {
		return App{}, false
	}
	var said claims
	body, err := base64.RawURLEncoding.DecodeString(parts[1])
	if err != nil || json.Unmarshal(body, &said) != nil || !said.holds(now) {
		return App{}, false
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.all, func(a App) bool { return a.ClientID == said.Issuer })
	signature, err := base64.RawURLEncoding.DecodeString(parts[2])
	if err != nil || i < 0 {
		return App{}, false
	}
	sum := sha256.Sum256([]byte(parts[0] + "." + parts[1]))
	return s.all[i], rsa.VerifyPKCS1v15(s.all[i].Key, crypto.SHA256, sum[:], signature) == nil
}

// find finds the App that an installation is of.
func (s *apps) find(installation string) (App, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.all, func(a App) bool { return fmt.Sprint(a.Installation) == installation })
	if i < 0 {
		return App{}, false
	}
	return s.all[i], true
}

// tokenAsk says with what an installation's token is content; nothing is all that there is.
type tokenAsk struct {
	Repositories []string    `json:"repositories"` // without their owner
	Permissions  Permissions `json:"permissions"`
}

func (f *forge) createInstallationToken(c *call) (reply, error) {
	app, found := f.apps.find(c.PathValue("id"))
	switch {
	case c.by == nil || c.by.app == "":
		return fail(&apiError{status: http.StatusUnauthorized, Message: "A JSON web token could not be decoded"})
	case !found || app.ClientID != c.by.app:
		return fail(notFound())
	}
	ask, err := decodeIfAny[tokenAsk](c.Request)
	if err != nil {
		return fail(err)
	}
	given, refused := app.grant(ask)
	if refused != nil {
		return fail(refused)
	}
	expires := f.now().Add(time.Hour)
	minted := &token{Token: Token{InstallationToken, app.Login, given, expires}, secret: newToken(), account: account{app.Login, kindBot}}
	f.tokens.add(minted)
	return made(map[string]any{
		"token": minted.secret, "expires_at": stamp(expires), "permissions": ask.Permissions, "repository_selection": "selected",
	})
}

// grant is what a token gets of what its App has.
func (a App) grant(ask tokenAsk) (map[string]Permissions, *apiError) {
	given := map[string]Permissions{}
	for name, has := range a.Repositories {
		_, short, _ := strings.Cut(name, "/")
		if len(ask.Repositories) > 0 && !slices.Contains(ask.Repositories, short) {
			continue
		}
		given[name] = maps.Clone(has)
		if ask.Permissions == nil {
			continue
		}
		for permission, level := range ask.Permissions {
			if has[permission] != level && has[permission] != rightsWrite {
				return nil, unprocessable("The permissions requested are not granted to this installation.")
			}
		}
		given[name] = maps.Clone(ask.Permissions)
	}
	if len(given) < len(ask.Repositories) || len(given) == 0 {
		return nil, unprocessable("There is at least one repository that does not exist or is not accessible to the parent installation.")
	}
	return given, nil
}
