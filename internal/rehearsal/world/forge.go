package world

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"
)

// forge is the GitHub of the world: its REST API, its git and its downloads.
type forge struct {
	over     context.Context // done when the world is closed
	dir      string
	now      func() time.Time
	born     time.Time
	env      []string // of git processes
	backend  string   // path of git's HTTP backend
	site     *site
	observer atomic.Pointer[Observer]
	accounts accounts
	tokens   tokens
	apps     apps

	// mu guards all below and each repository's memory, also while git runs for a request, so
	// that what a handler has looked up stays true until it has answered.
	mu           sync.Mutex
	repositories map[string]*repository
	renamed      map[string]*repository // by a name that it had before
	lag          Lag
	lastID       int64
	work         func(*run) // has a run's work begin; nil leaves runs queued
}

func newForge(over context.Context, dir string, o Options) (*forge, error) {
	for _, sub := range []string{"git", "assets", "spool"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	out, err := exec.CommandContext(over, "git", "--exec-path").Output()
	if err != nil {
		return nil, fmt.Errorf("asking git for its programs: %w; install git", err)
	}
	backend := filepath.Join(strings.TrimSpace(string(out)), "git-http-backend")
	if _, err := os.Stat(backend); err != nil {
		return nil, fmt.Errorf("git has no HTTP backend: %w; install a git with git-http-backend", err)
	}
	f := &forge{
		over: over, dir: dir, site: o.site(), now: o.Now, born: o.Now(), backend: backend,
		env: gitEnv(dir), repositories: map[string]*repository{}, renamed: map[string]*repository{},
	}
	f.accounts.meet(mainAccount)
	f.tokens.add(&token{secret: o.Token, account: mainAccount, main: true})
	return f, nil
}

// nextID is called with mu held.
func (f *forge) nextID() int64 {
	f.lastID++
	return f.lastID
}

// repository finds a repository by owner/name.
func (f *forge) repository(fullName string) (*repository, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.repositories[fullName]
	return r, ok
}

// call is one request to the API: who asks, and about which repository.
type call struct {
	*http.Request
	by    *token      // that the caller showed; nil for none
	known bool        // the caller showed a token
	repo  *repository // nil on paths that name none
	base  string      // the address of the API as the caller wrote it
}

// writes says whether the caller may change the repository's contents.
func (c *call) writes() bool { return c.by.may(c.repo, []string{"contents"}, true) }

// who is the account that the caller acts for.
func (c *call) who() account {
	if c.by == nil {
		return account{}
	}
	return c.by.account
}

// reply is a successful answer of the API; a nil body is no body.
type reply struct {
	status int
	body   any
	header http.Header
}

func ok(body any) (reply, error)    { return reply{status: http.StatusOK, body: body}, nil }
func made(body any) (reply, error)  { return reply{status: http.StatusCreated, body: body}, nil }
func noContent() (reply, error)     { return reply{status: http.StatusNoContent}, nil }
func fail(err error) (reply, error) { return reply{}, err }
func notFound() *apiError           { return &apiError{status: http.StatusNotFound, Message: "Not Found"} }
func unprocessable(m string) *apiError {
	return &apiError{status: http.StatusUnprocessableEntity, Message: m}
}

// apiError is GitHub's shape of an error.
type apiError struct {
	status  int
	Message string       `json:"message"`
	Errors  []fieldError `json:"errors,omitempty"`
	Docs    string       `json:"documentation_url"`
	Status  string       `json:"status"`
}

type fieldError struct {
	Resource string `json:"resource"`
	Code     string `json:"code"`
	Field    string `json:"field,omitempty"`
	Message  string `json:"message,omitempty"`
}

func (e *apiError) Error() string { return e.Message }

// invalid is a validation error about one field.
func invalid(resource, code, field, message string) *apiError {
	e := unprocessable("Validation Failed")
	e.Errors = []fieldError{{resource, code, field, message}}
	return e
}

// endpoint is one path of the API. Placeholders: {x} is a segment, {x...} takes slashes too, and
// {x#} is a number. The first that matches is taken.
type endpoint struct {
	method, path string
	write        bool
	serve        func(*forge, *call) (reply, error)
	pattern      *regexp.Regexp
}

var placeholder = regexp.MustCompile(`\\\{([a-z]+)(\\\.\\\.\\\.|#)?\\\}`)

func compile(all []endpoint) []endpoint {
	for i, e := range all {
		p := placeholder.ReplaceAllStringFunc(regexp.QuoteMeta(e.path), func(s string) string {
			m := placeholder.FindStringSubmatch(s)
			form := map[string]string{"": `[^/]+`, `\.\.\.`: `.+`, "#": `[0-9]+`}[m[2]]
			return "(?P<" + m[1] + ">" + form + ")"
		})
		all[i].pattern = regexp.MustCompile("^" + p + "$")
	}
	return all
}

// dispatcher answers the endpoints of one table, which github.com has at a host of its own, below
// a prefix of the path.
func (f *forge) dispatcher(prefix, host string, all []endpoint) http.Handler {
	all = compile(all)
	return http.StripPrefix(prefix, f.observed(host, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		f.decorate(rw.Header())
		answer, err := f.dispatch(all, r, "https://"+r.Host+prefix)
		maps.Copy(rw.Header(), answer.header)
		if err != nil {
			writeError(rw, err)
			return
		}
		writeReply(rw, answer)
	})))
}

// dispatch refuses with 501 what the world does not know: a 404 would read as "absent".
func (f *forge) dispatch(all []endpoint, r *http.Request, base string) (reply, error) {
	by, refused := f.authenticate(r)
	if refused != nil {
		return fail(refused)
	}
	if strings.HasPrefix(r.URL.Path, byNumber) {
		if r.URL.Path = f.unnumbered(r.URL.Path); r.URL.Path == "" {
			return fail(notFound())
		}
	}
	if err := f.site.lacking(r); err != nil {
		return fail(err)
	}
	for _, e := range all {
		values := e.pattern.FindStringSubmatch(r.URL.Path)
		if values == nil || !e.takes(r.Method) {
			continue
		}
		for i, name := range e.pattern.SubexpNames()[1:] {
			r.SetPathValue(name, values[i+1])
		}
		return f.admit(e, &call{Request: r, by: by, known: by != nil, base: base})
	}
	return fail(&apiError{status: http.StatusNotImplemented, Message: fmt.Sprintf("the rehearsal's forge has no %s %s", r.Method, r.URL.Path)})
}

func (e endpoint) takes(method string) bool {
	return e.method == method || e.method == http.MethodGet && method == http.MethodHead
}

// admit checks the caller's rights on the repository that the path names, if any.
func (f *forge) admit(e endpoint, c *call) (reply, error) {
	if c.PathValue("owner") == "" {
		return e.serve(f, c)
	}
	name := c.PathValue("owner") + "/" + c.PathValue("repo")
	r, found := f.repository(name)
	if !found || !c.by.sees(r) {
		if moved, has := f.movedFrom(c.by, name); has {
			return c.forward(moved)
		}
		return fail(notFound())
	}
	if e.write && !c.known {
		return fail(&apiError{status: http.StatusUnauthorized, Message: "Requires authentication"})
	}
	if !c.by.may(r, e.permissions(), e.write) {
		return reply{header: http.Header{"X-Accepted-Github-Permissions": {e.accepted()}}}, c.by.denial()
	}
	if err := f.bring(c, r, e.write); err != nil {
		return fail(err)
	}
	return e.serve(f, c)
}

// bring gives a call the repository as it sees it: a write the true one, and a read one that may
// lag.
func (f *forge) bring(c *call, r *repository, write bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.repo = r; write {
		return f.noteWrite(r)
	}
	c.repo = f.read(r)
	return nil
}

// authenticate finds the token that the caller showed, nil for none; a wrong one is refused
// everywhere, also where none is needed.
func (f *forge) authenticate(r *http.Request) (*token, *apiError) {
	secret := credential(r)
	if secret == "" && r.Header.Get("Authorization") == "" {
		return nil, nil
	}
	if t, good := f.tokens.find(secret, f.now()); good {
		return t, nil
	}
	if app, signed := f.apps.signer(secret, f.now()); signed {
		return &token{app: app.ClientID, account: account{app.Login, kindBot}}, nil
	}
	return nil, &apiError{status: http.StatusUnauthorized, Message: "Bad credentials"}
}

// credential is the secret in any of the forms that GitHub takes.
func credential(r *http.Request) string {
	if _, password, given := r.BasicAuth(); given {
		return password
	}
	scheme, secret, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	if strings.EqualFold(scheme, "bearer") || strings.EqualFold(scheme, "token") {
		return strings.TrimSpace(secret)
	}
	return ""
}

func (f *forge) decorate(h http.Header) {
	h.Set("X-GitHub-Media-Type", "github.v3; format=json")
	h.Set("X-GitHub-Api-Version-Selected", "2022-11-28")
	if f.site.isEnterprise() { // where limits are off unless the administrator sets them
		h.Set("X-GitHub-Enterprise-Version", f.site.version)
		return
	}
	h.Set("X-RateLimit-Limit", strconv.Itoa(rateLimit))
	h.Set("X-RateLimit-Remaining", strconv.Itoa(rateLimit))
	h.Set("X-RateLimit-Used", "0")
	h.Set("X-RateLimit-Resource", "core")
	h.Set("X-RateLimit-Reset", strconv.FormatInt(f.now().Add(time.Hour).Unix(), 10))
}

func writeReply(rw http.ResponseWriter, a reply) {
	maps.Copy(rw.Header(), a.header)
	switch body := a.body.(type) {
	case nil:
		rw.WriteHeader(a.status)
	case content:
		body.write(rw)
	case text:
		rw.Header().Set("Content-Type", body.kind)
		io.WriteString(rw, body.body) // a client that has gone needs no answer
	default:
		writeJSON(rw, a.status, body)
	}
}

const docs = "https://docs.github.com/rest"

func writeError(rw http.ResponseWriter, err error) {
	e := &apiError{status: http.StatusInternalServerError, Message: err.Error()}
	errors.As(err, &e)
	shown := *e
	shown.Docs, shown.Status = docs, strconv.Itoa(e.status)
	writeJSON(rw, e.status, shown)
}

func writeJSON(rw http.ResponseWriter, status int, body any) {
	rw.Header().Set("Content-Type", "application/json; charset=utf-8")
	rw.WriteHeader(status)
	json.NewEncoder(rw).Encode(body) // a client that has gone needs no answer
}

// decode reads a JSON body.
func decode[T any](r *http.Request) (T, error) {
	var v T
	if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
		return v, &apiError{status: http.StatusBadRequest, Message: "Problems parsing JSON"}
	}
	return v, nil
}

// decodeIfAny reads a JSON body that may be left out.
func decodeIfAny[T any](r *http.Request) (T, error) {
	if r.ContentLength == 0 {
		var none T
		return none, nil
	}
	return decode[T](r)
}

// stamp is a time as the API writes it.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// nodeID is an opaque global id, another one for each kind and number or name.
func nodeID(kind string, of any) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s:%v", kind, of))
}
