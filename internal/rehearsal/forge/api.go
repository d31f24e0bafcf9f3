package forge

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/http"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// call is one request to the API, with its caller and repository.
type call struct {
	*http.Request
	by    *token      // the caller's token; nil without one
	known bool        // the caller has a token
	repo  *repository // nil if the path has no repository
	base  string      // the API's base URL, as the caller wrote it
}

// writes reports whether the caller may change the repository's contents.
func (c *call) writes() bool { return c.by.may(c.repo, []string{"contents"}, true) }

// who returns the account of the caller.
func (c *call) who() account {
	if c.by == nil {
		return account{}
	}
	return c.by.account
}

// reply is a successful answer; a nil body is an empty one.
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

// apiError is GitHub's JSON form of an error.
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

// invalid returns a validation error about one field.
func invalid(resource, code, field, message string) *apiError {
	e := unprocessable("Validation Failed")
	e.Errors = []fieldError{{resource, code, field, message}}
	return e
}

// endpoint is one path of the API. {x} matches a segment, {x...} also matches slashes, and {x#}
// matches a number. The first match is used.
type endpoint struct {
	method, path string
	write        bool
	serve        func(*Forge, *call) (reply, error)
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

// dispatcher returns a handler for a table of endpoints below a path prefix.
func (f *Forge) dispatcher(prefix string, all []endpoint) http.Handler {
	all = compile(all)
	return http.StripPrefix(prefix, http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		f.decorate(rw.Header())
		answer, err := f.dispatch(all, r, "https://"+r.Host+prefix)
		maps.Copy(rw.Header(), answer.header)
		if err != nil {
			writeError(rw, err)
			return
		}
		writeReply(rw, answer)
	}))
}

// dispatch answers unsupported requests with 501. A 404 would mean "absent".
func (f *Forge) dispatch(all []endpoint, r *http.Request, base string) (reply, error) {
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
	return fail(
		&apiError{
			status:  http.StatusNotImplemented,
			Message: fmt.Sprintf("the rehearsal's forge has no %s %s", r.Method, r.URL.Path),
		},
	)
}

func (e endpoint) takes(method string) bool {
	return e.method == method || e.method == http.MethodGet && method == http.MethodHead
}

// admit checks the caller's rights on the repository in the path, if any.
func (f *Forge) admit(e endpoint, c *call) (reply, error) {
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

// bring adds the repository to a call: the current state for a write, a possibly lagging one for a
// read.
func (f *Forge) bring(c *call, r *repository, write bool) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if c.repo = r; write {
		return f.noteWrite(r)
	}
	c.repo = f.read(r)
	return nil
}

// authenticate returns the caller's token, or nil without one. A wrong token is refused even if
// none is needed, as on GitHub.
func (f *Forge) authenticate(r *http.Request) (*token, *apiError) {
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

// credential returns the secret, in any of the forms that GitHub accepts.
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

func (f *Forge) decorate(h http.Header) {
	h.Set("X-GitHub-Media-Type", "github.v3; format=json")
	h.Set("X-GitHub-Api-Version-Selected", "2022-11-28")
	if f.site.isEnterprise() { // Enterprise servers have no limits unless the administrator sets them
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
		io.WriteString(rw, body.body) // the client may be gone
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
	json.NewEncoder(rw).Encode(body) // the client may be gone
}

// decode parses a JSON body.
func decode[T any](r *http.Request) (T, error) {
	var v T
	if err := json.NewDecoder(r.Body).Decode(&v); err != nil {
		return v, &apiError{status: http.StatusBadRequest, Message: "Problems parsing JSON"}
	}
	return v, nil
}

// decodeIfAny parses an optional JSON body.
func decodeIfAny[T any](r *http.Request) (T, error) {
	if r.ContentLength == 0 {
		var none T
		return none, nil
	}
	return decode[T](r)
}

// stamp formats a time as the API does.
func stamp(t time.Time) string { return t.UTC().Format("2006-01-02T15:04:05Z") }

// nodeID returns an opaque global id, unique for each kind and number or name.
func nodeID(kind string, of any) string {
	return base64.RawURLEncoding.EncodeToString(fmt.Appendf(nil, "%s:%v", kind, of))
}

const repoPath = "/repos/{owner}/{repo}"

func apiEndpoints() []endpoint {
	return slices.Concat(generalEndpoints(), actionsEndpoints(), releaseEndpoints(), pullEndpoints(), gitEndpoints())
}

func generalEndpoints() []endpoint {
	const read = false
	return []endpoint{
		{"GET", "/rate_limit", read, (*Forge).getRateLimit, nil},
		{"GET", "/installation/repositories", read, (*Forge).listInstallation, nil},
		{"POST", "/app/installations/{id#}/access_tokens", read, (*Forge).createInstallationToken, nil},
		{"GET", "/user", read, (*Forge).getUser, nil},
		{"GET", "/users/{login}", read, (*Forge).getAccount, nil},
		{"GET", "/orgs/{org}/repos", read, (*Forge).listOrganisation, nil},
		{"GET", repoPath, read, (*Forge).getRepository, nil},
	}
}

func actionsEndpoints() []endpoint {
	const read, write = false, true
	return []endpoint{
		{"GET", repoPath + "/actions/runs", read, (*Forge).listRuns, nil},
		{"GET", repoPath + "/actions/runs/{id#}", read, (*Forge).getRun, nil},
		{"GET", repoPath + "/actions/runs/{id#}/jobs", read, (*Forge).listJobs, nil},
		{"GET", repoPath + "/actions/workflows", read, (*Forge).listWorkflows, nil},
		{"GET", repoPath + "/actions/workflows/{id}", read, (*Forge).getWorkflow, nil},
		{"POST", repoPath + "/actions/workflows/{id}/dispatches", write, (*Forge).dispatchWorkflow, nil},
		{"GET", repoPath + "/actions/workflows/{id}/runs", read, (*Forge).listWorkflowRuns, nil},
		{"POST", repoPath + "/dispatches", write, (*Forge).dispatchEvent, nil},
	}
}

func releaseEndpoints() []endpoint {
	const read, write = false, true
	return []endpoint{
		{"GET", repoPath + "/attestations/{digest}", read, (*Forge).listAttestations, nil},
		{"GET", repoPath + "/immutable-releases", read, (*Forge).getImmutableReleases, nil},
		{"GET", repoPath + "/releases", read, (*Forge).listReleases, nil},
		{"POST", repoPath + "/releases", write, (*Forge).createRelease, nil},
		{"POST", repoPath + "/releases/generate-notes", write, (*Forge).generateNotes, nil},
		{"GET", repoPath + "/releases/latest", read, (*Forge).getLatestRelease, nil},
		{"GET", repoPath + "/releases/tags/{tag...}", read, (*Forge).getReleaseByTag, nil},
		{"GET", repoPath + "/releases/assets/{id#}", read, (*Forge).getAsset, nil},
		{"DELETE", repoPath + "/releases/assets/{id#}", write, (*Forge).deleteAsset, nil},
		{"GET", repoPath + "/releases/{id#}", read, (*Forge).getRelease, nil},
		{"PATCH", repoPath + "/releases/{id#}", write, (*Forge).editRelease, nil},
		{"DELETE", repoPath + "/releases/{id#}", write, (*Forge).deleteRelease, nil},
		{"GET", repoPath + "/releases/{id#}/assets", read, (*Forge).listAssets, nil},
	}
}

func pullEndpoints() []endpoint {
	const read, write = false, true
	return []endpoint{
		{"GET", repoPath + "/pulls", read, (*Forge).listPulls, nil},
		{"POST", repoPath + "/pulls", write, (*Forge).createPull, nil},
		{"GET", repoPath + "/pulls/{number#}", read, (*Forge).getPull, nil},
		{"PATCH", repoPath + "/pulls/{number#}", write, (*Forge).editPull, nil},
		{"GET", repoPath + "/pulls/{number#}/files", read, (*Forge).listPullFiles, nil},
		{"GET", repoPath + "/pulls/{number#}/merge", read, (*Forge).isMerged, nil},
		{"PUT", repoPath + "/pulls/{number#}/merge", write, (*Forge).mergePull, nil},
		{"GET", repoPath + "/labels", read, (*Forge).listRepositoryLabels, nil},
		{"POST", repoPath + "/labels", write, (*Forge).createLabel, nil},
		{"GET", repoPath + "/issues/{number#}", read, (*Forge).getIssue, nil},
		{"PATCH", repoPath + "/issues/{number#}", write, (*Forge).editIssue, nil},
		{"GET", repoPath + "/issues/{number#}/labels", read, (*Forge).listLabels, nil},
		{"POST", repoPath + "/issues/{number#}/labels", write, (*Forge).addLabels, nil},
		{"PUT", repoPath + "/issues/{number#}/labels", write, (*Forge).setLabels, nil},
		{"GET", repoPath + "/issues/{number#}/comments", read, (*Forge).listComments, nil},
		{"POST", repoPath + "/issues/{number#}/comments", write, (*Forge).createComment, nil},
	}
}

func gitEndpoints() []endpoint {
	const read, write = false, true
	return []endpoint{
		{"GET", repoPath + "/contents/{path...}", read, (*Forge).getContents, nil},
		{"GET", repoPath + "/pulls/{number#}/commits", read, (*Forge).listPullCommits, nil},
		{"GET", repoPath + "/git/ref/{ref...}", read, (*Forge).getRef, nil},
		{"GET", repoPath + "/git/matching-refs/{ref...}", read, (*Forge).listMatchingRefs, nil},
		{"POST", repoPath + "/git/refs", write, (*Forge).createRefs, nil},
		{"PATCH", repoPath + "/git/refs/{ref...}", write, (*Forge).updateRef, nil},
		{"DELETE", repoPath + "/git/refs/{ref...}", write, (*Forge).deleteRef, nil},
		{"GET", repoPath + "/git/tags/{sha}", read, (*Forge).getTag, nil},
		{"POST", repoPath + "/git/tags", write, (*Forge).createTag, nil},
		{"POST", repoPath + "/git/blobs", write, (*Forge).createBlob, nil},
		{"GET", repoPath + "/git/blobs/{sha}", read, (*Forge).getBlob, nil},
		{"POST", repoPath + "/git/trees", write, (*Forge).createTree, nil},
		{"GET", repoPath + "/git/trees/{sha...}", read, (*Forge).getTree, nil},
		{"POST", repoPath + "/git/commits", write, (*Forge).createGitCommit, nil},
		{"GET", repoPath + "/git/commits/{sha}", read, (*Forge).getGitCommit, nil},
		{"GET", repoPath + "/commits/{ref...}/check-runs", read, (*Forge).listCheckRuns, nil},
		{"GET", repoPath + "/commits/{ref...}/status", read, (*Forge).getCombinedStatus, nil},
		{"GET", repoPath + "/rules/branches/{branch...}", read, (*Forge).listRules, nil},
		{"GET", repoPath + "/commits/{ref...}", read, (*Forge).getCommit, nil},
		{"GET", repoPath + "/compare/{basehead...}", read, (*Forge).compare, nil},
		{"GET", repoPath + "/branches/{branch...}", read, (*Forge).getBranch, nil},
	}
}

func uploadEndpoints() []endpoint {
	return []endpoint{
		{"POST", repoPath + "/releases/{id#}/assets", true, (*Forge).uploadAsset, nil},
	}
}

// need lists the permissions for the endpoints at and below a path. An empty method means every
// method, and an empty path the repository itself.
type need struct {
	method, under string
	names         []string
}

func (n need) fits(method, rest string) bool {
	return (n.method == "" || n.method == method) &&
		(rest == n.under || n.under != "" && strings.HasPrefix(rest, n.under+"/"))
}

// permissionsOf are the permissions that GitHub requires below a repository, by the rest of the
// path. The first matching line counts, and any one of its permissions is enough:
// https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
var permissionsOf = []need{
	{"PUT", "/pulls/{number#}/merge", []string{"contents"}},
	{"", "/pulls", []string{"pull_requests"}},
	{"", "/issues", []string{"issues", "pull_requests"}},
	{"", "/labels", []string{"issues", "pull_requests"}},
	{"", "/immutable-releases", []string{"administration"}},
	{"", "/attestations", []string{"attestations"}},
	{"", "/actions", []string{"actions"}},
	{"", "/collaborators", []string{"metadata"}},
	{"", "/rules", []string{"metadata"}},
	{"", "/check-runs", []string{"checks"}},
	{"", "/commits/{ref}/check-runs", []string{"checks"}},
	{"", "/commits/{ref...}/check-runs", []string{"checks"}},
	{"", "/commits/{ref}/status", []string{"statuses"}},
	{"", "/commits/{ref...}/status", []string{"statuses"}},
	{"", "/statuses", []string{"statuses"}},
	{"", "/releases", []string{"contents"}},
	{"", "/dispatches", []string{"contents"}},
	{"", "/contents", []string{"contents"}},
	{"", "/git", []string{"contents"}},
	{"", "/commits", []string{"contents"}},
	{"", "/compare", []string{"contents"}},
	{"", "/branches", []string{"contents"}},
	{"", "/tags", []string{"metadata"}},
	{"GET", "", []string{"metadata"}},
	{"", "", []string{"administration"}},
}

// permissions returns the permissions of which the endpoint requires one. Every endpoint below a
// repository has a line.
func (e endpoint) permissions() []string {
	rest := strings.TrimPrefix(e.path, repoPath)
	i := slices.IndexFunc(permissionsOf, func(n need) bool { return n.fits(e.method, rest) })
	if i < 0 {
		return nil
	}
	return permissionsOf[i].names
}

// accepted returns GitHub's header about an endpoint's permissions.
func (e endpoint) accepted() string {
	level := map[bool]string{false: rightsRead, true: rightsWrite}[e.write]
	var all []string
	for _, name := range e.permissions() {
		all = append(all, name+"="+level)
	}
	return strings.Join(all, "; ")
}

func forbidden(m string) *apiError { return &apiError{status: http.StatusForbidden, Message: m} }

// paged returns one page of items, and links to the other pages as GitHub sends them.
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
