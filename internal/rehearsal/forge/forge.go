// Package forge is a fake GitHub: the part of its REST API that this project uses, git over HTTP
// with git's own services, release downloads, and the web pages that documents link to. It
// answers as github.com and its further hosts, or as one GitHub Enterprise server.
package forge

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"time"
)

// The hosts of github.com that the forge answers as.
const (
	hostWeb     = "github.com"
	hostAPI     = "api.github.com"
	hostUploads = "uploads.github.com"
	hostRaw     = "raw.githubusercontent.com"
	// hostBundles is the Azure host where GitHub keeps attestations.
	hostBundles = "tmaproduction.blob.core.windows.net"
)

// Options configure a forge.
type Options struct {
	// Token is the secret of the main token, which has each repository's Rights.
	Token string
	// Now is the clock.
	Now func() time.Time
	// Enterprise is the host of a GitHub Enterprise server that the forge answers as instead of
	// github.com. The API, uploads, git and pages are then on this host. Commits are unsigned, and
	// there are no immutable releases, attestations, rate limits or return_run_details. Empty means
	// github.com.
	Enterprise string
}

// Forge is a fake GitHub: its REST API, git over HTTP, release downloads and web pages.
// Its methods may be called from several goroutines.
type Forge struct {
	closed   context.Context // done when the forge stops
	dir      string
	now      func() time.Time
	born     time.Time
	env      []string // environment of git processes
	site     *site
	accounts accounts
	tokens   tokens
	apps     apps
	running  sync.WaitGroup // functions of OnRun

	// mu guards all fields below and the state of each repository. Handlers hold it while git runs,
	// so that the state they read is still current when they answer.
	mu           sync.Mutex
	repositories map[string]*repository
	renamed      map[string]*repository // by former name
	lag          Lag
	lastID       int64
	work         func(*run) // starts a run; nil leaves runs queued
}

// New returns a forge that keeps its state in dir. It stops its git processes when ctx is done.
func New(ctx context.Context, dir string, o Options) (*Forge, error) {
	for _, sub := range []string{"git", "assets", "spool"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			return nil, err
		}
	}
	if _, err := exec.LookPath("git"); err != nil {
		return nil, fmt.Errorf("looking for git: %w; install git 2.30 or newer", err)
	}
	f := &Forge{
		closed: ctx, dir: dir, site: siteOf(o.Enterprise), now: o.Now, born: o.Now(),
		env: gitEnv(dir), repositories: map[string]*repository{}, renamed: map[string]*repository{},
	}
	f.accounts.meet(mainAccount)
	f.tokens.add(&token{secret: o.Token, account: mainAccount, main: true})
	return f, nil
}

// Wait returns when all functions passed to OnRun have returned.
func (f *Forge) Wait() { f.running.Wait() }

// IsEnterprise reports whether the forge answers as a GitHub Enterprise server.
func (f *Forge) IsEnterprise() bool { return f.site.isEnterprise() }

// URL returns the address of the web pages, such as https://github.com.
func (f *Forge) URL() string { return f.site.web }

// APIURL returns the address of the REST API, such as https://api.github.com.
func (f *Forge) APIURL() string { return f.site.api }

// nextID requires mu to be held.
func (f *Forge) nextID() int64 {
	f.lastID++
	return f.lastID
}

// repository returns a repository by owner/name.
func (f *Forge) repository(fullName string) (*repository, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, ok := f.repositories[fullName]
	return r, ok
}

func (f *Forge) api() http.Handler     { return f.dispatcher("", apiEndpoints()) }
func (f *Forge) uploads() http.Handler { return f.dispatcher("", uploadEndpoints()) }

// web returns the handler of github.com: git, downloads and the pages that documents link to. It
// also serves the API under an Enterprise server's paths, for tools that take one base URL for
// everything.
func (f *Forge) web() http.Handler {
	api := f.dispatcher("/api/v3", apiEndpoints())
	up := f.dispatcher("/api/uploads", uploadEndpoints())
	pages, raw := f.leads(f.site.web, f.pages), http.StripPrefix("/raw", f.raw())
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/api/v3/"):
			api.ServeHTTP(rw, r)
		case strings.HasPrefix(r.URL.Path, "/api/uploads/"):
			up.ServeHTTP(rw, r)
		case f.site.isEnterprise() && strings.HasPrefix(r.URL.Path, "/raw/"):
			raw.ServeHTTP(rw, r)
		default:
			pages(rw, r)
		}
	})
}

func (f *Forge) pages(rw http.ResponseWriter, r *http.Request) {
	switch {
	case gitPath.MatchString(r.URL.Path):
		f.serveGit(rw, r)
	case downloadPath.MatchString(r.URL.Path):
		f.serveDownload(rw, r)
	case pagePath.MatchString(r.URL.Path):
		f.servePage(rw, r)
	default:
		http.Error(
			rw,
			fmt.Sprintf("the rehearsal's github.com has no %s %s", r.Method, r.URL.Path),
			http.StatusNotImplemented,
		)
	}
}

// site is the set of addresses and the product that the forge answers as.
type site struct {
	web, api, uploads, raw string // URLs without a trailing slash
	mail                   string // the domain of noreply email addresses
	gitHub                 person // the committer of commits made by pages and the API
	version                string // of an Enterprise server; "" for github.com
}

var dotcom = &site{
	web: "https://" + hostWeb, api: "https://" + hostAPI, uploads: "https://" + hostUploads, raw: "https://" + hostRaw,
	mail: "users.noreply.github.com", gitHub: person{Name: "GitHub", Email: "noreply@github.com"},
}

// enterpriseVersion is a version without return_run_details, which was added in 3.21.
const enterpriseVersion = "3.19.0"

// enterprise returns the site of an Enterprise server without subdomain isolation, with everything
// on one host:
// https://docs.github.com/en/enterprise-server@3.19/rest/using-the-rest-api/getting-started-with-the-rest-api
func enterprise(host string) *site {
	web := "https://" + host
	return &site{
		web:     web,
		api:     web + "/api/v3",
		uploads: web + "/api/uploads",
		raw:     web + "/raw",
		mail:    "users.noreply." + host,
		gitHub:  person{Name: "GitHub Enterprise", Email: "noreply@" + host},
		version: enterpriseVersion,
	}
}

func siteOf(enterpriseHost string) *site {
	if enterpriseHost == "" {
		return dotcom
	}
	return enterprise(enterpriseHost)
}

func (s *site) isEnterprise() bool { return s.version != "" }

// Hosts returns a handler for each host that the forge answers as.
func (f *Forge) Hosts() map[string]http.Handler {
	if f.site.isEnterprise() {
		return map[string]http.Handler{strings.TrimPrefix(f.site.web, "https://"): f.web()}
	}
	return map[string]http.Handler{
		hostWeb: f.web(), hostAPI: f.api(), hostUploads: f.uploads(), hostRaw: f.raw(),
		hostBundles: http.HandlerFunc(f.serveBundle),
	}
}

// person returns the account as a git author. The email address is the only form that GitHub maps
// to a bot: https://github.com/actions/create-github-app-token
func (s *site) person(a account) person {
	return person{Name: a.login, Email: fmt.Sprintf("%d+%s@%s", userID(a.login), a.login, s.mail)}
}

// user returns the short JSON of an account.
func (s *site) user(a account) map[string]any {
	at := s.api + "/users/" + url.PathEscape(a.login)
	page := s.web + "/" + a.login
	if a.kind == kindBot {
		page = s.web + "/apps/" + strings.TrimSuffix(a.login, "[bot]")
	}
	return map[string]any{
		"login":               a.login,
		"id":                  userID(a.login),
		"node_id":             nodeID("User", a.login),
		"type":                a.kind,
		"site_admin":          false,
		"avatar_url":          "https://avatars.githubusercontent.com/u/0?v=4",
		"gravatar_id":         "",
		"url":                 at,
		"html_url":            page,
		"followers_url":       at + "/followers",
		"following_url":       at + "/following{/other_user}",
		"gists_url":           at + "/gists{/gist_id}",
		"starred_url":         at + "/starred{/owner}{/repo}",
		"subscriptions_url":   at + "/subscriptions",
		"organizations_url":   at + "/orgs",
		"repos_url":           at + "/repos",
		"events_url":          at + "/events{/privacy}",
		"received_events_url": at + "/received_events",
	}
}

var dispatchPath = regexp.MustCompile(`/actions/workflows/[^/]+/dispatches$`)

// lacking returns an Enterprise server's answer to a request that only github.com supports, or nil.
func (s *site) lacking(r *http.Request) error {
	if !s.isEnterprise() {
		return nil
	}
	path := r.URL.Path
	switch {
	case path == "/rate_limit":
		return &apiError{status: http.StatusNotFound, Message: "Rate limiting is not enabled."}
	case strings.HasSuffix(path, "/immutable-releases"), strings.Contains(path, "/attestations/"):
		return notFound()
	case dispatchPath.MatchString(path):
		return refuseRunDetails(r)
	}
	return nil
}

// refuseRunDetails parses the body and restores it for the handler (benc-uk/workflow-dispatch#86).
func refuseRunDetails(r *http.Request) error {
	keys, body, err := peek(r)
	if err != nil {
		return err
	}
	r.Body = body
	if _, asked := keys["return_run_details"]; asked {
		return &apiError{
			status:  http.StatusBadRequest,
			Message: "Invalid request.\n\n\"return_run_details\" is not a permitted key.",
		}
	}
	return nil
}

// peek returns a JSON object's keys, and the body to read again.
func peek(r *http.Request) (map[string]json.RawMessage, io.ReadCloser, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the request's body: %w", err)
	}
	var keys map[string]json.RawMessage
	_ = json.Unmarshal(raw, &keys) // the endpoint refuses bodies that are not objects
	return keys, io.NopCloser(bytes.NewReader(raw)), nil
}

var pagePath = regexp.MustCompile(`^/([^/]+)/([^/]+)/(blob|tree|raw|releases/tag|archive)/(.+)$`)

// servePage answers at the web addresses that documents link to, with just enough to show that the
// thing exists.
func (f *Forge) servePage(rw http.ResponseWriter, r *http.Request) {
	m := pagePath.FindStringSubmatch(r.URL.Path)
	repo, visible := f.visit(r, m[1]+"/"+m[2])
	answer, err := fail(notFound())
	if visible {
		answer, err = f.page(repo, m[3], m[4])
	}
	if err != nil {
		plainError(rw, err)
		return
	}
	writeReply(rw, answer)
}

func (f *Forge) page(r *repository, kind, rest string) (reply, error) {
	switch kind {
	case "releases/tag":
		return f.releasePage(r, rest)
	case "archive":
		return r.archive(rest)
	}
	return r.filePage(kind, rest)
}

// filePage redirects like GitHub: a folder requested as a file, the reverse, and requests for the
// raw bytes.
func (r *repository) filePage(kind, rest string) (reply, error) {
	if kind == "tree" {
		rest = strings.TrimSuffix(rest, "/")
	}
	s, is, _, err := r.find(rest)
	if err != nil {
		return fail(err)
	}
	switch at := escaped(rest); {
	case kind != "tree" && s.path == "":
		return fail(notFound())
	case kind == "raw" && is == "blob":
		return redirect(r.site.raw + "/" + r.fullName() + "/" + at)
	case kind == "blob" && is == "tree":
		return redirect(r.page("/tree/%s", at))
	case kind == "tree" && is == "blob":
		return redirect(r.page("/blob/%s", at))
	case is != kind:
		return fail(notFound())
	}
	return r.plainPage("%s %s at %s", kind, s.path, s.ref)
}

func redirect(to string) (reply, error) {
	return reply{status: http.StatusFound, header: http.Header{"Location": {to}}}, nil
}

func (r *repository) plainPage(format string, args ...any) (reply, error) {
	return ok(text{"text/plain; charset=utf-8", r.fullName() + ": " + fmt.Sprintf(format, args...) + "\n"})
}

// releasePage exists for a published release, and for a tag without a release.
func (f *Forge) releasePage(r *repository, tag string) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, rel := range r.releases {
		if !rel.draft && rel.tag == tag {
			return r.plainPage("release %s", tag)
		}
	}
	_, found, err := r.ref("refs/tags/" + tag)
	if err != nil {
		return fail(err)
	}
	if !found {
		return fail(notFound())
	}
	return r.plainPage("tag %s", tag)
}

var archiveName = regexp.MustCompile(`^(.+)\.(tar\.gz|zip)$`)

// archive serves the archive directly. GitHub redirects to another host.
func (r *repository) archive(name string) (reply, error) {
	m := archiveName.FindStringSubmatch(name)
	if m == nil {
		return fail(notFound())
	}
	s, found, err := r.locate(m[1])
	if err != nil {
		return fail(err)
	}
	if !found || s.path != "" {
		return fail(notFound())
	}
	out, err := r.run("", "archive", "--format="+m[2], "--prefix="+r.name+"-"+folderName(s.ref)+"/", s.commit)
	return reply{
		status: http.StatusOK,
		body:   text{map[string]string{"zip": "application/zip", "tar.gz": "application/x-gzip"}[m[2]], out},
	}, err
}

var versionTag = regexp.MustCompile(`^v[0-9]`)

// folderName returns the name that GitHub puts into an archive's folder: v1.2.3 loses its v.
func folderName(ref string) string {
	name := strings.TrimPrefix(strings.TrimPrefix(ref, "refs/heads/"), "refs/tags/")
	if versionTag.MatchString(name) {
		name = name[1:]
	}
	return strings.ReplaceAll(name, "/", "-")
}

var gitPath = regexp.MustCompile(`^/([^/]+)/([^/]+?)(?:\.git)?/(info/refs|git-upload-pack|git-receive-pack)$`)

// serveGit speaks git's smart HTTP protocol. Git's locks serialize simultaneous pushes.
func (f *Forge) serveGit(rw http.ResponseWriter, r *http.Request) {
	m := gitPath.FindStringSubmatch(r.URL.Path)
	write := m[3] == "git-receive-pack" || r.URL.Query().Get("service") == "git-receive-pack"
	by, refused := f.authenticate(r)
	repo, found := f.repository(m[1] + "/" + m[2])
	switch visible := found && by.sees(repo); {
	case refused != nil, by == nil && (!visible || write):
		rw.Header().Set("WWW-Authenticate", `Basic realm="GitHub"`)
		http.Error(rw, "Authentication failed: no good credentials were shown.", http.StatusUnauthorized)
	case !visible:
		http.Error(rw, "Repository not found.", http.StatusNotFound)
	case !by.may(repo, []string{"contents"}, write):
		http.Error(
			rw,
			fmt.Sprintf("Permission to %s.git denied to %s.", repo.fullName(), by.account.login),
			http.StatusForbidden,
		)
	default:
		if err := f.beforePush(repo, m[3]); err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		f.serveRPC(rw, r, repo, m[3], by)
	}
}

// beforePush makes the API's reads lag behind a push too.
func (f *Forge) beforePush(r *repository, service string) error {
	if service != "git-receive-pack" {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.noteWrite(r)
}

// api returns an API address of the repository.
func (r *repository) api(format string, args ...any) string {
	return r.site.api + "/repos/" + r.fullName() + fmt.Sprintf(format, args...)
}

// page returns a web address of the repository.
func (r *repository) page(format string, args ...any) string {
	return strings.TrimSuffix(r.site.web+"/"+r.fullName()+fmt.Sprintf(format, args...), "/")
}
