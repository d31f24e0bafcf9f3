package forge

import (
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"net/url"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// kindOfMode is the object type of each mode in a tree.
var kindOfMode = map[string]string{
	"100644": "blob",
	"100755": "blob",
	"120000": "blob",
	"040000": "tree",
	"160000": "commit",
}

// leaf is one requested entry of a tree: an object by its name, a file by its content, or a removal
// if the name is null.
type leaf struct {
	Path, Mode, Type string
	SHA              json.RawMessage
	Content          *string
}

// sha returns the given name. The other two results are "removed" and "not given".
func (l leaf) sha() (name string, removed bool) {
	if l.SHA == nil {
		return "", false
	}
	if string(l.SHA) == "null" {
		return "", true
	}
	if json.Unmarshal(l.SHA, &name) != nil {
		name = string(l.SHA) // a name that is not a string is never found
	}
	return name, false
}

func (f *Forge) createTree(c *call) (reply, error) {
	ask, err := decode[struct {
		BaseTree *string `json:"base_tree"`
		Tree     []leaf
	}](c.Request)
	if err != nil {
		return fail(err)
	}
	if len(ask.Tree) == 0 {
		return fail(unprocessable("Invalid tree info"))
	}
	if err := c.repo.notEmpty(); err != nil {
		return fail(err)
	}
	base, err := c.repo.baseTree(ask.BaseTree)
	if err != nil {
		return fail(err)
	}
	if err := c.repo.checkLeaves(ask.Tree); err != nil {
		return fail(err)
	}
	if !c.by.touchesWorkflows(c.repo) &&
		slices.ContainsFunc(ask.Tree, func(l leaf) bool { return strings.HasPrefix(l.Path, guardedFolder) }) {
		return fail(c.by.denial())
	}
	sha, err := f.writeTree(c.repo, base, ask.Tree)
	if err != nil {
		return fail(err)
	}
	shown, err := c.repo.treeJSON(sha, false)
	if err != nil {
		return fail(err)
	}
	return createdAt(shown)
}

// baseTree returns the tree that a new one starts from, or "". A commit means its tree.
func (r *repository) baseTree(given *string) (string, error) {
	if given == nil {
		return "", nil
	}
	if !fullSHA.MatchString(*given) {
		return "", unprocessable("base_tree is not a valid tree oid")
	}
	kind, err := r.kind(*given)
	switch {
	case err != nil:
		return "", err
	case kind == "":
		return "", notFound()
	case kind != "tree" && kind != "commit":
		return "", unprocessable("base_tree is not a valid tree oid")
	}
	out, err := r.fact("", "rev-parse", "--verify", *given+"^{tree}")
	return strings.TrimSpace(out), err
}

// checkLeaves refuses what GitHub refuses, before anything is written.
func (r *repository) checkLeaves(all []leaf) error {
	var names []string
	for _, l := range all {
		if name, _ := l.sha(); fullSHA.MatchString(name) {
			names = append(names, name)
		}
	}
	kinds, err := r.kinds(names)
	if err != nil {
		return err
	}
	for _, l := range all {
		if err := l.refusal(kinds); err != nil {
			return err
		}
	}
	return nil
}

func (l leaf) refusal(kinds map[string]string) error {
	if err := pathRefusal(l.Path); err != nil {
		return err
	}
	want, known := kindOfMode[l.Mode]
	if !known {
		return unprocessable("Must supply a valid tree.mode")
	}
	if l.Type != "" && l.Type != want {
		return unprocessable(fmt.Sprintf("tree.type %s does not match tree.mode %s", l.Type, l.Mode))
	}
	name, removed := l.sha()
	switch {
	case removed && l.Content == nil:
		return nil
	case (l.SHA == nil) == (l.Content == nil):
		return unprocessable("Must supply either tree.sha or tree.content")
	case l.Content != nil && want != "blob":
		return unprocessable(fmt.Sprintf("tree.content is for a blob, not for a %s", want))
	case l.Content != nil:
		return nil
	case want == "commit" && fullSHA.MatchString(name):
		return nil // it is in another repository
	case kinds[name] != want:
		return unprocessable(fmt.Sprintf("tree.sha %s is not a valid %s", name, want))
	}
	return nil
}

func pathRefusal(path string) error {
	if strings.HasPrefix(path, "/") {
		return unprocessable("tree.path cannot start with a slash")
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." || strings.EqualFold(part, ".git") ||
			strings.ContainsRune(part, 0) ||
			!utf8.ValidString(part) {
			return unprocessable("tree.path contains a malformed path component")
		}
	}
	return nil
}

// writeTree builds a tree in a separate index.
func (f *Forge) writeTree(r *repository, base string, all []leaf) (string, error) {
	dir, err := os.MkdirTemp(filepath.Join(f.dir, "spool"), "index-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	index := r.bare
	index.env = append(slices.Clone(r.env), "GIT_INDEX_FILE="+filepath.Join(dir, "index"))
	if base != "" {
		if _, err := index.run("", "read-tree", base); err != nil {
			return "", err
		}
	}
	if err := index.put(all); err != nil {
		return "", err
	}
	sha, err := index.run("", "write-tree")
	return strings.TrimSpace(sha), err
}

// put applies the changes to the index in one command, removals first.
func (b *bare) put(all []leaf) error {
	var lines strings.Builder
	for _, l := range all {
		name, removed := l.sha()
		var err error
		switch {
		case removed:
			err = b.remove(l.Path)
		case l.Content != nil:
			name, err = b.writeObject("blob", *l.Content)
			fmt.Fprintf(&lines, "%s %s\t%s\x00", l.Mode, name, l.Path)
		case l.Mode == "040000":
			err = b.graft(&lines, l.Path, name)
		default:
			fmt.Fprintf(&lines, "%s %s\t%s\x00", l.Mode, name, l.Path)
		}
		if err != nil {
			return err
		}
	}
	_, err := b.run(lines.String(), "update-index", "--replace", "-z", "--index-info")
	return err
}

// remove removes a file or a folder. GitHub refuses to remove an absent one.
func (b *bare) remove(path string) error {
	out, err := b.below(path)
	if err != nil {
		return err
	}
	if out == "" {
		return unprocessable("GitRPC::BadObjectState")
	}
	return b.drop(out)
}

// below returns the files at and below a path, each followed by NUL.
func (b *bare) below(path string) (string, error) {
	return b.run("", "--literal-pathspecs", "ls-files", "-z", "--", path)
}

func (b *bare) drop(paths string) error {
	var lines strings.Builder
	for path := range strings.SplitSeq(strings.TrimSuffix(paths, "\x00"), "\x00") {
		fmt.Fprintf(&lines, "0 %s\t%s\x00", zeroSHA, path)
	}
	_, err := b.run(lines.String(), "update-index", "-z", "--index-info")
	return err
}

// graft replaces a path by the files of a tree. git's own command for it requires a working tree.
func (b *bare) graft(lines *strings.Builder, path, tree string) error {
	out, err := b.below(path)
	if err == nil && out != "" {
		err = b.drop(out)
	}
	if err != nil {
		return err
	}
	if out, err = b.fact("", "ls-tree", "-r", "-z", tree); err != nil {
		return err
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		if head, name, found := strings.Cut(line, "\t"); found {
			fields := strings.Fields(head) // mode, kind, object
			fmt.Fprintf(lines, "%s %s\t%s/%s\x00", fields[0], fields[2], path, name)
		}
	}
	return nil
}

// kinds returns the types of objects by name, without those that do not exist.
func (b *bare) kinds(names []string) (map[string]string, error) {
	found := map[string]string{}
	for _, name := range names {
		kind, err := b.kind(name)
		if err != nil {
			return nil, err
		}
		if kind != "" {
			found[name] = kind
		}
	}
	return found, nil
}

// getTree accepts the name of a tree, a commit, a branch or a tag.
func (f *Forge) getTree(c *call) (reply, error) {
	sha := c.PathValue("sha")
	kind, err := c.repo.kind(sha)
	if err != nil {
		return fail(err)
	}
	if kind != "tree" {
		commit, found, err := c.repo.commitOf(sha)
		if err != nil {
			return fail(err)
		}
		if !found {
			return fail(notFound())
		}
		if sha, err = c.repo.baseTree(&commit); err != nil {
			return fail(err)
		}
	}
	shown, err := c.repo.treeJSON(sha, c.URL.Query().Has("recursive"))
	if err != nil {
		return fail(err)
	}
	return ok(shown)
}

// treeJSON returns the JSON of a tree. GitHub truncates trees of more than 100,000 entries; the
// forge does not.
func (r *repository) treeJSON(sha string, recursive bool) (map[string]any, error) {
	args := []string{"ls-tree", "-z", "--long"}
	if recursive {
		args = append(args, "-r", "-t")
	}
	out, err := r.fact("", append(args, sha)...)
	if err != nil {
		return nil, err
	}
	entries := []any{}
	for line := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		if head, path, found := strings.Cut(line, "\t"); found {
			entries = append(entries, r.entryJSON(strings.Fields(head), path))
		}
	}
	return map[string]any{"sha": sha, "url": r.api("/git/trees/%s", sha), "tree": entries, "truncated": false}, nil
}

// entryJSON returns the JSON of an entry with the fields mode, kind, name and size.
func (r *repository) entryJSON(fields []string, path string) map[string]any {
	shown := map[string]any{"path": path, "mode": fields[0], "type": fields[1], "sha": fields[2]}
	if fields[1] != "commit" {
		shown["url"] = r.api("/git/%ss/%s", fields[1], fields[2])
	}
	if size, err := strconv.Atoi(fields[3]); err == nil {
		shown["size"] = size
	}
	return shown
}

// largestInJSON is the size in bytes from which GitHub omits a file's content from the JSON:
// https://docs.github.com/en/rest/repos/contents#get-repository-content
const largestInJSON = 1 << 20

// getContents returns a file, or the list of a folder, at a branch, a tag or a commit.
func (f *Forge) getContents(c *call) (reply, error) {
	ref := c.URL.Query().Get("ref")
	name := ref
	if name == "" {
		ref, name = c.repo.Branch, "HEAD"
	}
	commit, found, err := c.repo.commitOf(name)
	if err != nil {
		return fail(err)
	}
	if !found {
		return fail(notFound())
	}
	s := spot{ref, commit, strings.Trim(c.PathValue("path"), "/")}
	kind, _, err := c.repo.entry(s)
	switch {
	case err != nil:
		return fail(err)
	case kind == "tree":
		return c.showFolder(s)
	case kind != "blob": // absent, or a submodule, whose address the forge does not know
		return fail(notFound())
	}
	return c.showFile(s)
}

// treeEntry is a line of git ls-tree.
type treeEntry struct{ mode, kind, sha, path string }

// listTree returns the entries of a folder if the path ends in /, or a single entry.
func (r *repository) listTree(commit, path string) ([]treeEntry, error) {
	out, err := r.fact("", "--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit, "--", path)
	if err != nil {
		return nil, err
	}
	var all []treeEntry
	for _, line := range strings.FieldsFunc(out, func(c rune) bool { return c == 0 }) {
		about, name, _ := strings.Cut(line, "\t")
		fields := strings.Fields(about)
		all = append(all, treeEntry{fields[0], fields[1], fields[2], name})
	}
	return all, nil
}

func (c *call) showFolder(s spot) (reply, error) {
	entries, err := c.repo.listTree(s.commit, s.path+"/")
	if err != nil {
		return fail(err)
	}
	shown := []map[string]any{}
	for _, e := range entries {
		one, _, err := c.entryJSON(s, e)
		if err != nil {
			return fail(err)
		}
		shown = append(shown, one)
	}
	return conditional(c, reply{status: http.StatusOK, body: shown})
}

// showFile answers with a file or a link.
func (c *call) showFile(s spot) (reply, error) {
	entries, err := c.repo.listTree(s.commit, s.path)
	if err != nil {
		return fail(err)
	}
	shown, content, err := c.entryJSON(s, entries[0])
	switch {
	case err != nil:
		return fail(err)
	case shown["type"] == "symlink":
		shown["target"] = content
	case strings.Contains(c.Header.Get("Accept"), ".raw"):
		return conditional(
			c,
			reply{status: http.StatusOK, body: text{"application/vnd.github.raw+json; charset=utf-8", content}},
		)
	case len(content) > largestInJSON:
		shown["encoding"], shown["content"] = "none", ""
	default:
		shown["encoding"], shown["content"] = "base64", base64.StdEncoding.EncodeToString([]byte(content))
	}
	return conditional(c, reply{status: http.StatusOK, body: shown})
}

// entryJSON returns the JSON of an entry in a listing, and the content of a file or the target of a
// link.
func (c *call) entryJSON(s spot, e treeEntry) (shown map[string]any, content string, err error) {
	kind := map[string]string{"tree": "dir", "commit": "submodule"}[e.kind]
	if kind == "" {
		kind = map[bool]string{true: "symlink", false: "file"}[e.mode == "120000"]
		if content, err = c.repo.fact("", "cat-file", "blob", e.sha); err != nil {
			return nil, "", err
		}
	}
	git, page := "/git/blobs/", "/blob/"
	if e.kind == "tree" {
		git, page = "/git/trees/", "/tree/"
	}
	self, html := c.repo.api(
		"/contents/%s?ref=%s",
		escaped(e.path),
		s.ref,
	), c.repo.page(
		"%s%s/%s",
		page,
		s.ref,
		escaped(e.path),
	)
	shown = map[string]any{
		"name": path.Base(e.path), "path": e.path, "sha": e.sha, "size": len(content), "type": kind,
		"url": self, "html_url": html, "git_url": c.repo.api("%s%s", git, e.sha), "download_url": nil,
		"_links": map[string]any{"self": self, "html": html, "git": c.repo.api("%s%s", git, e.sha)},
	}
	if kind == "file" {
		shown["download_url"] = c.repo.site.raw + "/" + c.repo.fullName() + "/" + s.ref + "/" + escaped(e.path)
	}
	return shown, content, nil
}

// spot is a path at a commit; an empty path is the root.
type spot struct{ ref, commit, path string }

// locate splits a web path into ref and file path, at the longest ref that exists.
func (r *repository) locate(rest string) (spot, bool, error) {
	all, err := r.refs("refs/")
	if err != nil {
		return spot{}, false, err
	}
	exists := map[string]bool{}
	for _, one := range all {
		exists[one.name] = true
	}
	parts := strings.Split(rest, "/")
	for n := len(parts); n > 0; n-- {
		name := strings.Join(parts[:n], "/")
		if full, ok := fullRef(exists, name); ok {
			sha, found, err := r.commitOf(full)
			return spot{name, sha, strings.Join(parts[n:], "/")}, found, err
		}
	}
	return spot{}, false, nil
}

// fullRef returns the ref of a name in a web address. A partial ref, such as heads/main, is not
// accepted there.
func fullRef(exists map[string]bool, name string) (string, bool) {
	for _, full := range []string{name, "refs/heads/" + name, "refs/tags/" + name} {
		if exists[full] {
			return full, true
		}
	}
	return name, name == "HEAD" || shortSHA.MatchString(name)
}

// entry returns the kind and the name of the object at a spot, or "" if there is none.
func (r *repository) entry(s spot) (kind, sha string, err error) {
	if s.path == "" {
		return "tree", s.commit, nil
	}
	if !fs.ValidPath(s.path) || strings.ContainsRune(s.path, 0) {
		return "", "", nil
	}
	out, err := r.fact("", "--literal-pathspecs", "ls-tree", "-z", "--full-tree", s.commit, "--", s.path)
	if err != nil || out == "" {
		return "", "", err
	}
	fields := strings.Fields(out)
	return fields[1], fields[2], nil
}

// find combines locate and entry. The kind is "" if there is no such ref or path.
func (r *repository) find(rest string) (s spot, kind, sha string, err error) {
	s, found, err := r.locate(rest)
	if err != nil || !found {
		return s, "", "", err
	}
	kind, sha, err = r.entry(s)
	return s, kind, sha, err
}

var rawPath = regexp.MustCompile(`^/([^/]+)/([^/]+)/(.+/.+)$`)

// raw returns the handler of raw.githubusercontent.com, which serves files of repositories.
func (f *Forge) raw() http.Handler {
	return f.leads(f.site.raw, func(rw http.ResponseWriter, r *http.Request) {
		m := rawPath.FindStringSubmatch(r.URL.Path)
		if m == nil {
			plainError(rw, &apiError{status: http.StatusBadRequest, Message: "Invalid request"})
			return
		}
		repo, visible := f.visit(r, m[1]+"/"+m[2])
		if !visible {
			plainError(rw, notFound())
			return
		}
		serveRaw(rw, r, repo, m[3])
	})
}

func serveRaw(rw http.ResponseWriter, r *http.Request, repo *repository, rest string) {
	sha, body, err := repo.file(rest)
	if err != nil {
		plainError(rw, err)
		return
	}
	rw.Header().Set("Content-Type", "application/octet-stream")
	if utf8.ValidString(body) {
		rw.Header().Set("Content-Type", "text/plain; charset=utf-8")
	}
	rw.Header().Set("Etag", `"`+sha+`"`)
	http.ServeContent(rw, r, "", time.Time{}, strings.NewReader(body))
}

// file returns the content of a file. Folders are absent.
func (r *repository) file(rest string) (sha, body string, err error) {
	_, kind, sha, err := r.find(rest)
	if err == nil && kind != "blob" {
		err = notFound()
	}
	if err != nil {
		return "", "", err
	}
	body, err = r.fact("", "cat-file", "blob", sha)
	return sha, body, err
}

// plainError writes an error as plain text.
func plainError(rw http.ResponseWriter, err error) {
	e := &apiError{status: http.StatusInternalServerError, Message: err.Error()}
	errors.As(err, &e)
	http.Error(rw, e.Message, e.status)
}

// visit returns a repository if the caller of a web address may read it.
func (f *Forge) visit(r *http.Request, fullName string) (*repository, bool) {
	by, refused := f.authenticate(r)
	repo, found := f.repository(fullName)
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	return repo, reads && refused == nil && found && by.sees(repo) && by.may(repo, []string{"contents"}, false)
}

// escaped returns a path in the form for URLs.
func escaped(path string) string { return (&url.URL{Path: path}).EscapedPath() }
