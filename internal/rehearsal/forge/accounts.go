package forge

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base32"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

// The account types of GitHub's API.
const (
	kindUser         = "User"
	kindBot          = "Bot"
	kindOrganization = "Organization"
)

// account is the identity behind a request. A bot's login ends in "[bot]".
type account struct{ login, kind string }

// mainAccount is the account of the main token.
var mainAccount = account{"rehearsal[bot]", kindBot}

// accounts is the set of accounts that the forge knows, with its own lock.
type accounts struct {
	mu  sync.Mutex
	all []account
}

// meet adds an account to the known ones, unless its login is taken.
func (s *accounts) meet(a account) {
	if _, known := s.find(a.login); known {
		return
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, a)
}

// find returns the account with a login, ignoring case.
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

// accountOf returns the account that GitHub shows beside a commit. GitHub finds it by the email
// address; the result is null if no account has it.
func (f *Forge) accountOf(p person) any {
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

// userID returns a number that is always the same for a login.
func userID(login string) int64 {
	id := int64(1)
	for _, b := range []byte(login) {
		id = (id*31 + int64(b)) % 1_000_000_007
	}
	return id
}

// profile returns the JSON of an account, as the API shows it alone.
func (f *Forge) profile(a account) map[string]any {
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

// getAccount lets a client look up the number in a bot's email address.
func (f *Forge) getAccount(c *call) (reply, error) {
	a, known := f.accounts.find(c.PathValue("login"))
	if !known {
		return fail(notFound())
	}
	return ok(f.profile(a))
}

// rateLimit is only reported. The forge counts no requests; injected faults imitate an exhausted
// limit.
const rateLimit = 5000

func (f *Forge) getRateLimit(*call) (reply, error) {
	rate := map[string]any{"limit": rateLimit, "remaining": rateLimit, "used": 0, "reset": f.now().Unix() + 3600}
	return ok(map[string]any{
		"resources": map[string]any{"core": rate, "search": rate, "graphql": rate, "integration_manifest": rate},
		"rate":      rate,
	})
}

func (f *Forge) getUser(c *call) (reply, error) {
	if !c.known {
		return fail(&apiError{status: http.StatusUnauthorized, Message: "Requires authentication"})
	}
	if c.by.isInstallation() {
		return fail(c.by.denial())
	}
	return ok(f.profile(c.who()))
}

// listInstallation refuses a personal token. It also refuses the main token, whose rights are
// reported like a personal token's.
func (f *Forge) listInstallation(c *call) (reply, error) {
	if !c.by.isInstallation() {
		return fail(
			forbidden(
				"You must authenticate with an installation access token " +
					"in order to list repositories for an installation.",
			),
		)
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
	return reply{
		http.StatusOK,
		map[string]any{"total_count": len(reached), "repositories": shown, "repository_selection": "selected"},
		header,
	}, nil
}

// person is the author, committer or tagger of an object. The API allows omitting the time.
type person struct {
	Name  string     `json:"name"`
	Email string     `json:"email"`
	Date  *time.Time `json:"date"`
}

// line formats a person as git stores it. Without a time, it uses the forge's clock.
func (f *Forge) line(p person) string {
	at := f.now()
	if p.Date != nil {
		at = *p.Date
	}
	return fmt.Sprintf("%s <%s> %d %s", p.Name, p.Email, at.Unix(), at.Format("-0700"))
}

// parsePerson parses such a line. Without a time, as in a tag without a tagger, it returns the
// epoch.
func parsePerson(line string) person {
	name, rest, _ := strings.Cut(line, " <")
	email, when, _ := strings.Cut(rest, "> ")
	seconds, _, _ := strings.Cut(when, " ")
	unix, _ := strconv.ParseInt(seconds, 10, 64)
	at := time.Unix(unix, 0)
	return person{name, email, &at}
}

func (p person) json() map[string]any {
	return map[string]any{"name": p.Name, "email": p.Email, "date": stamp(*p.Date)}
}

// refusal returns an error if git would truncate or corrupt a person's name or email address.
func (p person) refusal(role string) error {
	for what, value := range map[string]string{"name": p.Name, "email": p.Email} {
		if strings.TrimSpace(value) == "" {
			return unprocessable(fmt.Sprintf("Invalid request.\n\n%q wasn't supplied.", role+"."+what))
		}
		if strings.ContainsAny(value, "<>\n\x00") {
			return unprocessable(
				fmt.Sprintf("Invalid request.\n\n%s.%s holds a character that git forbids.", role, what),
			)
		}
	}
	return nil
}

// TokenKind is the type of a token's owner. It decides how the forge answers.
type TokenKind string

const (
	// PersonToken is a user's fine-grained personal access token.
	PersonToken TokenKind = "person"
	// InstallationToken is the token of an App installation.
	InstallationToken TokenKind = "installation"
	// WorkflowToken is the GITHUB_TOKEN of a workflow run; it reaches one repository.
	WorkflowToken TokenKind = "workflow"
)

// Permissions maps GitHub's permission names, such as contents, pull_requests, issues, actions,
// administration and workflows, to "read" or "write". Other permissions are not granted. Every
// token may read the metadata:
// https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
type Permissions map[string]string

// Token describes a token besides the main one.
type Token struct {
	Kind TokenKind
	// Login is the account of the token: a user's, or an App's, which ends in [bot]. A workflow's
	// is always github-actions[bot], and may be left empty.
	Login string
	// Repositories are the permissions by repository (owner/name). Public repositories can be read
	// in any case.
	Repositories map[string]Permissions
	// Expires is the time from which the token is invalid, by the forge's clock. Zero means never.
	Expires time.Time
}

// token is a token that the forge accepts.
type token struct {
	Token
	secret  string
	account account
	main    bool   // the main token; its rights are set per repository
	app     string // the client id of the App that signed the JWT; such a token reaches no repository
}

// tokens is the set of tokens of the forge, with its own lock.
type tokens struct {
	mu  sync.Mutex
	all []*token
}

const workflowLogin = "github-actions[bot]"

// AddToken creates a token and returns its secret. It returns an error if GitHub has no such token.
func (f *Forge) AddToken(t Token) (secret string, err error) {
	if t.Kind == WorkflowToken && t.Login == "" {
		t.Login = workflowLogin
	}
	if err := t.check(); err != nil {
		return "", fmt.Errorf("adding a token: %w", err)
	}
	made := &token{Token: t, secret: NewToken(), account: account{t.Login, kindBot}}
	if t.Kind == PersonToken {
		made.secret, made.account.kind = "github_pat_"+strings.TrimPrefix(made.secret, "ghs_"), kindUser
	}
	made.Repositories = maps.Clone(t.Repositories)
	f.accounts.meet(made.account)
	f.tokens.add(made)
	return made.secret, nil
}

// RevokeToken ends a token. GitHub ends an installation's token after an hour, and a workflow's at
// the end of its job. It returns an error if there is no such token.
func (f *Forge) RevokeToken(secret string) error {
	if !f.tokens.remove(secret) {
		return errors.New("revoking a token: there is no such token")
	}
	return nil
}

func (t Token) check() error {
	switch isBot := strings.HasSuffix(t.Login, "[bot]"); {
	case t.Login == "":
		return errors.New("it has no login")
	case t.Kind == WorkflowToken && (t.Login != workflowLogin || len(t.Repositories) != 1):
		return fmt.Errorf(
			"a workflow's is of %s and for one repository; this is of %s and for %d",
			workflowLogin,
			t.Login,
			len(t.Repositories),
		)
	case t.Kind == PersonToken && isBot, t.Kind == InstallationToken && !isBot:
		return fmt.Errorf("login %s is not one of a token of kind %s", t.Login, t.Kind)
	case !slices.Contains([]TokenKind{PersonToken, InstallationToken, WorkflowToken}, t.Kind):
		return fmt.Errorf("unknown kind %q, want %s, %s or %s", t.Kind, PersonToken, InstallationToken, WorkflowToken)
	}
	for fullName, given := range t.Repositories {
		for name, level := range given {
			if t.Kind == WorkflowToken && name == "workflows" {
				return errors.New("no workflow's token can be given the permission workflows")
			}
			if level != rightsRead && level != rightsWrite {
				return fmt.Errorf(
					"permission %s of %s is %q, want %s or %s",
					name,
					fullName,
					level,
					rightsRead,
					rightsWrite,
				)
			}
		}
	}
	return nil
}

func (s *tokens) add(t *token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, t)
}

func (s *tokens) remove(secret string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.all)
	s.all = slices.DeleteFunc(s.all, func(t *token) bool { return t.secret == secret })
	return len(s.all) < before
}

// find returns a token and whether it is still valid at this time.
func (s *tokens) find(secret string, now time.Time) (*token, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.all {
		if subtle.ConstantTimeCompare([]byte(secret), []byte(t.secret)) == 1 {
			return t, t.Expires.IsZero() || now.Before(t.Expires)
		}
	}
	return nil, false
}

// NewToken returns a random secret in the form of GitHub's installation tokens, so that scanners
// and log masks recognize it.
func NewToken() string {
	var b [20]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand.Read never fails on the systems that Go supports
	}
	return "ghs_" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])
}

// PackageRights returns the rights of a token on packages of ghcr.io. The second result is
// false if secret is invalid, or the main token, which the registry checks itself.
func (f *Forge) PackageRights(secret string) (rights func(pkg string) (pull, push bool), valid bool) {
	t, good := f.tokens.find(secret, f.now())
	if !good || t.main {
		return nil, false
	}
	return t.packageRights, true
}

// level returns the token's access level for one permission in a repository. A nil token has none.
func (t *token) level(r *repository, permission string) string {
	if t == nil {
		return rightsNone
	}
	if t.main {
		return r.Rights
	}
	given, reaches := t.Repositories[r.fullName()]
	if level, named := given[permission]; named {
		return level
	}
	if reaches && permission == "metadata" {
		return rightsRead
	}
	return rightsNone
}

// packageRights returns the token's rights on a package of ghcr.io, such as owner/name/chart. They
// come from the permission packages in any repository of the package's owner.
func (t *token) packageRights(pkg string) (pull, push bool) {
	owner, _, _ := strings.Cut(pkg, "/")
	for name, given := range t.Repositories {
		if of, _, _ := strings.Cut(name, "/"); strings.EqualFold(of, owner) && given["packages"] != "" {
			pull, push = true, push || given["packages"] == rightsWrite
		}
	}
	return pull, push
}

// sees reports whether the token may know that a repository exists.
func (t *token) sees(r *repository) bool { return !r.Private || t.level(r, "metadata") != rightsNone }

// may reports whether one of the permissions allows reading or writing. Everyone may read a public
// repository.
func (t *token) may(r *repository, permissions []string, write bool) bool {
	for _, p := range permissions {
		if level := t.level(r, p); level == rightsWrite || level == rightsRead && !write {
			return true
		}
	}
	return !write && !r.Private
}

// touchesWorkflows reports whether the token may write workflow files, which need their own
// permission (stefanzweifel/git-auto-commit-action#322).
func (t *token) touchesWorkflows(r *repository) bool { return t.level(r, "workflows") == rightsWrite }

const guardedFolder = ".github/workflows/"

// isInstallation reports whether the token is an App's; a workflow's token is one too.
func (t *token) isInstallation() bool {
	return t != nil && (t.Kind == InstallationToken || t.Kind == WorkflowToken)
}

// denial returns GitHub's answer if a permission is missing.
func (t *token) denial() *apiError {
	if t.Kind == PersonToken {
		return forbidden("Resource not accessible by personal access token")
	}
	return forbidden("Resource not accessible by integration")
}

// App is a GitHub App with one installation.
type App struct {
	// ClientID identifies the App in a JWT. Login is the account of its tokens; it ends in [bot].
	ClientID, Login string
	// Key verifies the App's signatures.
	Key *rsa.PublicKey
	// Installation is the id of its installation.
	Installation int64
	// Repositories are the App's permissions by repository (owner/name).
	Repositories map[string]Permissions
}

// apps is the set of Apps of the forge, with its own lock.
type apps struct {
	mu  sync.Mutex
	all []App
}

// AddApp installs an App. Its private key then gets tokens as on GitHub, from POST
// /app/installations/{installation_id}/access_tokens.
func (f *Forge) AddApp(a App) {
	f.accounts.meet(account{a.Login, kindBot})
	f.apps.mu.Lock()
	defer f.apps.mu.Unlock()
	f.apps.all = append(f.apps.all, a)
}

// claims are the claims of an App's JWT:
// https://docs.github.com/en/apps/creating-github-apps/authenticating-with-a-github-app/generating-a-json-web-token-jwt-for-a-github-app
type claims struct {
	Issued  int64  `json:"iat"`
	Expires int64  `json:"exp"`
	Issuer  string `json:"iss"`
}

// maxClaim is the longest lifetime of a JWT.
const maxClaim = 10 * time.Minute

func (c claims) holds(now time.Time) bool {
	from, to := time.Unix(c.Issued, 0), time.Unix(c.Expires, 0)
	return !now.Before(from) && now.Before(to) && to.Sub(now) <= maxClaim
}

// signer returns the App that signed a JSON Web Token (RFC 7519, RS256).
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

// find returns the App of an installation.
func (s *apps) find(installation string) (App, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	i := slices.IndexFunc(s.all, func(a App) bool { return fmt.Sprint(a.Installation) == installation })
	if i < 0 {
		return App{}, false
	}
	return s.all[i], true
}

// tokenAsk restricts the requested token to some repositories and permissions; empty means all.
type tokenAsk struct {
	Repositories []string    `json:"repositories"` // without the owner
	Permissions  Permissions `json:"permissions"`
}

func (f *Forge) createInstallationToken(c *call) (reply, error) {
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
	minted := &token{
		Token:   Token{InstallationToken, app.Login, given, expires},
		secret:  NewToken(),
		account: account{app.Login, kindBot},
	}
	f.tokens.add(minted)
	return made(map[string]any{
		"token":                minted.secret,
		"expires_at":           stamp(expires),
		"permissions":          ask.Permissions,
		"repository_selection": "selected",
	})
}

// grant returns the part of the App's permissions that a token gets.
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
		return nil, unprocessable(
			"There is at least one repository that does not exist or is not accessible to the parent installation.",
		)
	}
	return given, nil
}
