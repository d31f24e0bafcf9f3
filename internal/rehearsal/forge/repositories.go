package forge

import (
	"bytes"
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"maps"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
)

// The token's rights on a repository.
const (
	rightsWrite = "write"
	rightsRead  = "read"
	rightsNone  = "none"
)

// Repository configures CreateRepository. The zero value is a public repository that the token may
// write to.
type Repository struct {
	// Private hides it from callers without a token that may read it.
	Private bool
	// Rights are those of the main token: "write" (also if empty), "read" or "none".
	Rights string
	// Branch is the name of the default branch. Default main.
	Branch string
	// Immutable locks each release, its assets and its tag once it is published.
	Immutable bool
}

// repository is a repository of the forge. git's data is on disk, everything else in memory.
type repository struct {
	bare
	Repository
	site        *site
	owner, name string
	id          int64
	created     time.Time
	archived    bool

	releases     []*release // oldest first
	latest       int64      // the release that was last published as the latest
	burned       map[string]bool
	dispatches   []Dispatch
	pulls        []*pull       // oldest first
	attestations []attestation // oldest first
	labels       []label
	past         []past // oldest first
	actions
	checks
}

func (r *repository) fullName() string { return r.owner + "/" + r.name }

// head returns the full name of the default branch.
func (r *repository) head() string { return "refs/heads/" + r.Branch }

var fullNamePattern = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9-]*)/([A-Za-z0-9._-]+)$`)

// CreateRepository creates an empty repository, owner/name. It returns an error if the name is malformed or taken.
func (f *Forge) CreateRepository(fullName string, o Repository) error {
	if err := f.createRepository(fullName, o); err != nil {
		return fmt.Errorf("creating repository %q: %w", fullName, err)
	}
	return nil
}

// RepositoryDir returns the folder of the bare repository, which may not exist.
func (f *Forge) RepositoryDir(fullName string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if r, found := f.repositories[fullName]; found {
		return r.dir
	}
	return f.folder(fullName, 0)
}

// Refs returns the object of each ref of a repository, by full name.
func (f *Forge) Refs(fullName string) (map[string]string, error) {
	r, found := f.repository(fullName)
	if !found {
		return nil, fmt.Errorf("reading the refs of %s: there is no such repository", fullName)
	}
	return r.shas()
}

func (f *Forge) createRepository(fullName string, o Repository) error {
	m := fullNamePattern.FindStringSubmatch(fullName)
	if m == nil || strings.HasSuffix(fullName, ".git") || m[2] == "." || m[2] == ".." {
		return errors.New("want owner/name, without .git")
	}
	if o.Immutable && f.site.isEnterprise() {
		return errors.New("an Enterprise server has no immutable releases")
	}
	o.Rights, o.Branch = cmp.Or(o.Rights, rightsWrite), cmp.Or(o.Branch, "main")
	if o.Rights != rightsWrite && o.Rights != rightsRead && o.Rights != rightsNone {
		return fmt.Errorf("unknown rights %q, want %s, %s or %s", o.Rights, rightsWrite, rightsRead, rightsNone)
	}
	r := &repository{
		bare: bare{ctx: f.closed, env: f.env, answers: &answers{}},
		site: f.site, Repository: o, owner: m[1], name: m[2], created: f.now(), burned: map[string]bool{},
	}
	return f.addRepository(r)
}

func (f *Forge) addRepository(r *repository) error {
	f.mu.Lock()
	defer f.mu.Unlock()
	if _, taken := f.repositories[r.fullName()]; taken {
		return errors.New("the name is taken")
	}
	r.id = f.nextID()
	r.dir = f.folder(r.fullName(), r.id)
	if err := r.init(); err != nil {
		return err
	}
	f.repositories[r.fullName()] = r
	delete(f.renamed, r.fullName())
	f.accounts.meet(account{r.owner, kindOrganization})
	return nil
}

// init creates the bare repository like git init, with GitHub's settings: any commit can be fetched by its SHA, as
// actions/checkout does. Housekeeping is off, since it would outlive the forge.
func (r *repository) init() error {
	for _, folder := range []string{"objects/info", "objects/pack", "refs/heads", "refs/tags", "hooks"} {
		if err := os.MkdirAll(filepath.Join(r.dir, filepath.FromSlash(folder)), 0o755); err != nil {
			return err
		}
	}
	return errors.Join(
		os.WriteFile(filepath.Join(r.dir, "HEAD"), []byte("ref: "+r.head()+"\n"), 0o644),
		os.WriteFile(filepath.Join(r.dir, "config"), []byte(settings), 0o644),
		os.WriteFile(filepath.Join(r.dir, "hooks", "update"), []byte(updateHook), 0o755),
	)
}

const settings = `[core]
	repositoryformatversion = 0
	bare = true
[uploadpack]
	allowAnySHA1InWant = true
	allowFilter = true
[gc]
	auto = 0
[receive]
	autogc = false
`

// The lists of tags in the repository's folder. The update hook reads them.
const (
	lockedTags = "locked-tags" // of existing immutable releases
	burnedTags = "burned-tags" // of all immutable releases, including deleted ones
)

// updateHook keeps the tags of immutable releases in place and their names reserved. The tag of a
// deleted release may be deleted. It also refuses new commits that touch a folder for which the
// token lacks rights.
// https://docs.github.com/en/code-security/concepts/supply-chain-security/immutable-releases
const updateHook = `#!/bin/sh
none=0000000000000000000000000000000000000000
listed() { test -f "$1" && grep -Fxq -e "$2" "$1"; }
if listed burned-tags "$1" && test "$2" = $none; then
	echo "GH013: Cannot create ref due to creations being restricted: $1 belonged to an immutable release" >&2
	exit 1
fi
if listed locked-tags "$1" || { listed burned-tags "$1" && test "$3" != $none; }; then
	echo "$1 belongs to an immutable release: it neither moves nor goes away" >&2
	exit 1
fi
if test -n "$FORGE_GUARDS" && test "$3" != $none; then
	file=$(git log --format= --name-only "$3" --not --all -- "$FORGE_GUARDS" | head -n 1) || exit 1
	if test -n "$file"; then
		echo "refusing to allow a GitHub App to create or update workflow '$file' without 'workflows' permission" >&2
		exit 1
	fi
fi
`

// lockTag makes the update hook refuse changes of a tag.
func (r *repository) lockTag(tag string) error {
	for _, list := range []string{lockedTags, burnedTags} {
		tags := append(r.listed(list), "refs/tags/"+tag)
		if err := r.list(list, tags); err != nil {
			return err
		}
	}
	return nil
}

// unlockTag allows deleting the tag of a deleted immutable release. Its name stays reserved.
func (r *repository) unlockTag(tag string) error {
	return r.list(
		lockedTags,
		slices.DeleteFunc(r.listed(lockedTags), func(name string) bool { return name == "refs/tags/"+tag }),
	)
}

// listed returns the references in one of the lists, or none if it does not exist yet.
func (r *repository) listed(list string) []string {
	text, err := os.ReadFile(filepath.Join(r.dir, list))
	if err != nil {
		return nil
	}
	return strings.Fields(string(text))
}

func (r *repository) list(list string, names []string) error {
	return os.WriteFile(filepath.Join(r.dir, list), []byte(strings.Join(append(names, ""), "\n")), 0o644)
}

func (f *Forge) getRepository(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return ok(repositoryJSON(c))
}

func repositoryJSON(c *call) map[string]any {
	r := c.repo
	shown := map[string]any{
		"id":                          r.id,
		"node_id":                     nodeID("Repository", r.id),
		"name":                        r.name,
		"full_name":                   r.fullName(),
		"owner":                       r.site.user(account{r.owner, kindOrganization}),
		"organization":                r.site.user(account{r.owner, kindOrganization}),
		"private":                     r.Private,
		"visibility":                  map[bool]string{false: "public", true: "private"}[r.Private],
		"html_url":                    r.page(""),
		"url":                         r.api(""),
		"description":                 nil,
		"fork":                        false,
		"default_branch":              r.Branch,
		"permissions":                 permissions(c),
		"allow_forking":               true,
		"is_template":                 false,
		"web_commit_signoff_required": false,
		"topics":                      []string{},
		"has_issues":                  true,
		"has_projects":                false,
		"has_wiki":                    false,
		"has_pages":                   false,
		"has_discussions":             false,
		"has_downloads":               true,
		"archived":                    r.archived,
		"disabled":                    false,
		"homepage":                    nil,
		"language":                    nil,
		"license":                     nil,
		"mirror_url":                  nil,
		"forks":                       0,
		"forks_count":                 0,
		"network_count":               0,
		"open_issues":                 0,
		"open_issues_count":           0,
		"size":                        0,
		"stargazers_count":            0,
		"subscribers_count":           0,
		"watchers":                    0,
		"watchers_count":              0,
		"created_at":                  stamp(r.created),
		"updated_at":                  stamp(r.created),
		"pushed_at":                   stamp(r.created),
		"clone_url":                   r.page(".git"),
		"svn_url":                     r.page(""),
		"git_url":                     "git:" + strings.TrimPrefix(r.page(".git"), "https:"),
		"ssh_url": "git@" + strings.TrimPrefix(r.site.web, "https://") + ":" +
			r.fullName() + ".git",
	}
	for _, link := range strings.Fields(repositoryLinks) {
		name, path, _ := strings.Cut(link, "=")
		shown[name+"_url"] = r.api("%s", path)
	}
	return shown
}

// permissions returns the caller's rights as the API reports them. An App sees none, whatever it
// may do.
func permissions(c *call) map[string]bool {
	if c.by.isInstallation() {
		return map[string]bool{"admin": false, "maintain": false, "push": false, "triage": false, "pull": false}
	}
	return map[string]bool{
		"admin":    false,
		"maintain": false,
		"push":     c.writes(),
		"triage":   c.writes(),
		"pull":     c.by.may(c.repo, []string{"metadata"}, false),
	}
}

// repositoryLinks are the addresses below a repository, name=path.
const repositoryLinks = `
archive=/{archive_format}{/ref} assignees=/assignees{/user} blobs=/git/blobs{/sha} branches=/branches{/branch}
collaborators=/collaborators{/collaborator} comments=/comments{/number} commits=/commits{/sha} compare=/compare/{base}...{head}
contents=/contents/{+path} contributors=/contributors deployments=/deployments downloads=/downloads events=/events forks=/forks
git_commits=/git/commits{/sha} git_refs=/git/refs{/sha} git_tags=/git/tags{/sha} hooks=/hooks issue_comment=/issues/comments{/number}
issue_events=/issues/events{/number} issues=/issues{/number} keys=/keys{/key_id} labels=/labels{/name} languages=/languages merges=/merges
milestones=/milestones{/number} notifications=/notifications{?since,all,participating} pulls=/pulls{/number} releases=/releases{/id}
stargazers=/stargazers statuses=/statuses/{sha} subscribers=/subscribers subscription=/subscription tags=/tags teams=/teams trees=/git/trees{/sha}`

// Archive makes a repository read-only for the API. It panics if there is no such repository, since
// the test is wrong then.
func (f *Forge) Archive(fullName string) {
	r, found := f.repository(fullName)
	if !found {
		panic(fmt.Sprintf("forge: unknown repository %q", fullName))
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r.archived = true
}

// listOrganisation returns the repositories of an organisation that the caller may see. An
// organisation exists if a repository of it does. Types, orders and defaults:
// https://docs.github.com/en/rest/repos/repos#list-organization-repositories
func (f *Forge) listOrganisation(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	exists := false
	var visible []*repository
	for _, r := range f.repositories {
		if !strings.EqualFold(r.owner, c.PathValue("org")) {
			continue
		}
		exists = true
		if c.by.sees(r) && r.isOfType(c.URL.Query().Get("type")) {
			visible = append(visible, r)
		}
	}
	if !exists {
		return fail(notFound())
	}
	sortRepositories(visible, c.URL.Query().Get("sort"), c.URL.Query().Get("direction"))
	page, links := paged(c, visible, 30)
	shown := []map[string]any{}
	for _, r := range page {
		shown = append(
			shown,
			repositoryJSON(&call{Request: c.Request, by: c.by, known: c.known, repo: r, base: c.base}),
		)
	}
	return conditional(c, reply{status: http.StatusOK, body: shown, header: links})
}

func (r *repository) isOfType(kind string) bool {
	switch kind {
	case "public":
		return !r.Private
	case "private":
		return r.Private
	case "forks":
		return false // the forge has none
	}
	return true
}

// sortRepositories orders by name ascending, or by time descending. All time orders are the same
// here.
func sortRepositories(all []*repository, by, direction string) {
	slices.SortFunc(all, func(a, b *repository) int {
		order := cmp.Or(b.created.Compare(a.created), cmp.Compare(b.id, a.id))
		upwards := "desc"
		if by == "full_name" {
			order, upwards = cmp.Compare(a.fullName(), b.fullName()), "asc"
		}
		if direction != "" && direction != upwards {
			return -order
		}
		return order
	})
}

// conditional answers 304 without a body if the caller already has the same answer:
// https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api#use-conditional-requests-if-appropriate
func conditional(c *call, answer reply) (reply, error) {
	body, err := json.Marshal(answer.body)
	if err != nil {
		return fail(err)
	}
	if plain, ok := answer.body.(text); ok {
		body = []byte(plain.body)
	}
	sum := sha256.Sum256(
		bytes.Join([][]byte{body, []byte(c.Header.Get("Accept")), []byte(answer.header.Get("Link"))}, []byte{0}),
	)
	tag := fmt.Sprintf(`W/"%x"`, sum)
	if answer.header == nil {
		answer.header = http.Header{}
	}
	answer.header["Etag"] = []string{tag}
	if c.Header.Get("If-None-Match") == tag {
		return reply{status: http.StatusNotModified, header: answer.header}, nil
	}
	return answer, nil
}

// Rename gives a repository another name, owner/name, as GitHub does. The old name redirects to the
// new one until another repository takes it. Tokens keep their rights. Rename must not run while a
// request to the repository is handled, except the request that an Intercept function is deciding.
// It returns an error if there is no such repository, or if the new name is malformed or taken.
func (f *Forge) Rename(old, to string) error {
	if err := f.rename(old, to); err != nil {
		return fmt.Errorf("renaming %s to %s: %w", old, to, err)
	}
	return nil
}

func (f *Forge) rename(old, to string) error {
	m := fullNamePattern.FindStringSubmatch(to)
	if m == nil {
		return errors.New("want owner/name")
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r, found := f.repositories[old]
	if !found {
		return errors.New("there is no such repository")
	}
	if _, taken := f.repositories[to]; taken {
		return errors.New("the name is taken")
	}
	delete(f.repositories, old)
	delete(f.renamed, to)
	f.repositories[to], f.renamed[old] = r, r
	r.owner, r.name = m[1], m[2]
	f.accounts.meet(account{r.owner, kindOrganization})
	f.tokens.rename(old, to)
	return nil
}

func (s *tokens) rename(old, to string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.all {
		if given, has := t.Repositories[old]; has {
			delete(t.Repositories, old)
			t.Repositories[to] = given
		}
	}
}

// movedFrom returns the repository that had a name before, if the caller may see it.
func (f *Forge) movedFrom(by *token, fullName string) (*repository, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, found := f.renamed[fullName]
	return r, found && by.sees(r)
}

// forward redirects an API request from an old name to the repository's id, so that the address
// survives the next rename. Only a GET may be repeated as a GET.
func (c *call) forward(r *repository) (reply, error) {
	rest := strings.TrimPrefix(c.URL.EscapedPath(), "/repos/"+c.PathValue("owner")+"/"+c.PathValue("repo"))
	to := fmt.Sprintf("%s%s%d%s", c.base, byNumber, r.id, rest)
	if c.URL.RawQuery != "" {
		to += "?" + c.URL.RawQuery
	}
	status, words := http.StatusTemporaryRedirect, "Temporary Redirect"
	if c.Method == http.MethodGet || c.Method == http.MethodHead {
		status, words = http.StatusMovedPermanently, "Moved Permanently"
	}
	return reply{
		status,
		map[string]string{"message": words, "url": to, "documentation_url": docs},
		http.Header{"Location": {to}},
	}, nil
}

const byNumber = "/repositories/"

// unnumbered returns the API path by name for a path by id, or "" if there is no such repository.
func (f *Forge) unnumbered(path string) string {
	number, rest, _ := strings.Cut(strings.TrimPrefix(path, byNumber), "/")
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, r := range f.repositories {
		if strconv.FormatInt(r.id, 10) == number {
			return strings.TrimSuffix("/repos/"+r.fullName()+"/"+rest, "/")
		}
	}
	return ""
}

// leads redirects old names below base, for pages and files. git follows the first redirect and
// keeps the new address.
func (f *Forge) leads(base string, next http.HandlerFunc) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		parts := strings.SplitN(strings.TrimPrefix(r.URL.Path, "/"), "/", 3)
		if len(parts) < 2 {
			next(rw, r)
			return
		}
		by, _ := f.authenticate(r)
		name := strings.TrimSuffix(parts[1], ".git")
		repo, moved := f.movedFrom(by, parts[0]+"/"+name)
		if !moved {
			next(rw, r)
			return
		}
		parts[0], parts[1] = repo.owner, repo.name+strings.TrimPrefix(parts[1], name)
		to := url.URL{Path: "/" + strings.Join(parts, "/"), RawQuery: r.URL.RawQuery}
		http.Redirect(rw, r, base+to.String(), http.StatusMovedPermanently)
	}
}

// Lag is the delay of the API's reads behind its writes, as if GitHub answered from a replica of
// its database. A write becomes visible after For by the forge's clock, or after Reads answers,
// whichever is set. Git objects are visible at once, and git itself never lags. The zero value means none.
type Lag struct {
	For   time.Duration
	Reads int
}

// SetLag delays the API's reads from now on.
func (f *Forge) SetLag(l Lag) {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.lag = l
	for _, r := range f.repositories {
		r.past = nil
	}
}

// past is a repository before a write.
type past struct {
	at    time.Time
	reads int // answers since then
	state *repository
}

// noteWrite keeps the state before a write if reads lag. The caller holds mu.
func (f *Forge) noteWrite(r *repository) error {
	if f.lag == (Lag{}) {
		return nil
	}
	state, err := f.shadow(r)
	if err != nil {
		return err
	}
	r.past = append(r.past, past{at: f.now(), state: state})
	return nil
}

// read returns the repository as a read of the API sees it: before the first write that is not
// visible yet. The caller holds mu.
func (f *Forge) read(r *repository) *repository {
	r.past = slices.DeleteFunc(r.past, func(p past) bool {
		return f.lag.For > 0 && f.now().Sub(p.at) >= f.lag.For || f.lag.Reads > 0 && p.reads >= f.lag.Reads
	})
	for i := range r.past {
		r.past[i].reads++
	}
	if len(r.past) > 0 {
		return r.past[0].state
	}
	return r
}

// shadow returns a copy of a repository with the same objects and its own refs.
func (f *Forge) shadow(r *repository) (*repository, error) {
	dir, err := os.MkdirTemp(filepath.Join(f.dir, "spool"), "past-*")
	if err != nil {
		return nil, err
	}
	all, err := r.refs("refs/")
	if err != nil {
		return nil, err
	}
	var packed strings.Builder
	for _, one := range all {
		packed.WriteString(one.sha + " " + one.name + "\n")
	}
	for name, content := range map[string]string{
		"HEAD":        "ref: " + r.head() + "\n",
		"config":      "[core]\n\trepositoryformatversion = 0\n\tbare = true\n",
		"refs/.keep":  "",
		"packed-refs": packed.String(), "objects/info/alternates": filepath.Join(r.dir, "objects") + "\n",
	} {
		file := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			return nil, err
		}
		if err := os.WriteFile(file, []byte(content), 0o644); err != nil {
			return nil, err
		}
	}
	return r.copied(dir), nil
}

// copied returns a copy of the in-memory state for another folder. Assets are shared, since they
// arrive completely or not at all.
func (r *repository) copied(dir string) *repository {
	c := *r
	c.bare.dir, c.past, c.burned = dir, nil, maps.Clone(r.burned)
	if dir != r.dir {
		c.answers = &answers{}
	}
	c.labels, c.dispatches, c.attestations = slices.Clone(
		r.labels,
	), slices.Clone(
		r.dispatches,
	), slices.Clone(
		r.attestations,
	)
	c.checkRuns, c.statuses, c.required = maps.Clone(r.checkRuns), maps.Clone(r.statuses), maps.Clone(r.required)
	c.pulls, c.releases, c.runs = nil, nil, nil
	for _, one := range r.runs {
		was := *one
		c.runs = append(c.runs, &was)
	}
	for _, p := range r.pulls {
		one := *p
		one.Labels, one.remarks = slices.Clone(p.Labels), slices.Clone(p.remarks)
		c.pulls = append(c.pulls, &one)
	}
	for _, rel := range r.releases {
		one := *rel
		one.assets = slices.Clone(rel.assets)
		c.releases = append(c.releases, &one)
	}
	return &c
}

// Checkpoint keeps the repositories as they are, and returns a function that restores them. Accounts,
// tokens and Apps are not part of it. Neither function may be called while a request is answered.
func (f *Forge) Checkpoint() (restore func() error, err error) {
	f.running.Wait()
	f.mu.Lock()
	defer f.mu.Unlock()
	dir := filepath.Join(f.dir, "git")
	kept, err := os.MkdirTemp(filepath.Join(f.dir, "spool"), "checkpoint-*")
	if err != nil {
		return nil, err
	}
	all, renamed := f.copies(f.repositories, f.renamed)
	lastID := f.lastID
	return func() error {
		f.running.Wait()
		f.mu.Lock()
		defer f.mu.Unlock()
		f.repositories, f.renamed = f.copies(all, renamed)
		f.lastID, f.lag = lastID, Lag{}
		return errors.Join(os.RemoveAll(dir), os.CopyFS(dir, os.DirFS(kept)))
	}, os.CopyFS(kept, os.DirFS(dir))
}

// copies returns a copy of the repositories' memory, by name and by former name.
func (f *Forge) copies(all, renamed map[string]*repository) (byName, byFormer map[string]*repository) {
	byName, byFormer = map[string]*repository{}, map[string]*repository{}
	for name, r := range all {
		byName[name] = r.copied(r.dir)
	}
	for name, r := range renamed {
		byFormer[name] = byName[r.fullName()]
	}
	return byName, byFormer
}

// folder is where a new repository's git is kept; a name that was given away by renaming may be
// in use on disk still.
func (f *Forge) folder(fullName string, id int64) string {
	dir := filepath.Join(f.dir, "git", filepath.FromSlash(fullName)+".git")
	if _, err := os.Stat(dir); err == nil {
		return filepath.Join(f.dir, "git", filepath.FromSlash(fullName)+"."+strconv.FormatInt(id, 10)+".git")
	}
	return dir
}

// getImmutableReleases answers 404 if the setting is off:
// https://docs.github.com/en/rest/repos/repos
func (f *Forge) getImmutableReleases(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !c.repo.Immutable {
		return fail(notFound())
	}
	return ok(map[string]bool{"enabled": true, "enforced_by_owner": false})
}

// SetImmutable changes the repository's setting of immutable releases, for releases that are
// published later. It returns an error if there is no such repository.
func (f *Forge) SetImmutable(repository string, on bool) error {
	r, found := f.repository(repository)
	if !found {
		return fmt.Errorf("setting releases of %s immutable: there is no such repository", repository)
	}
	if f.site.isEnterprise() {
		return fmt.Errorf("setting releases of %s immutable: an Enterprise server has no such setting", repository)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	r.Immutable = on
	return nil
}
