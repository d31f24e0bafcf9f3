package world

import (
	"encoding/base64"
	"net/http"
	"path"
	"strings"
)

// largestInJSON is the size, in bytes, from which on GitHub leaves a file's content out of its
// JSON: https://docs.github.com/en/rest/repos/contents#get-repository-content
const largestInJSON = 1 << 20

// getContents shows a file, or lists a folder, of a branch, a tag or a commit.
func (f *forge) getContents(c *call) (reply, error) {
	ref := c.URL.Query().Get("ref")
	name := ref
	if name == "" {
		ref, name = "main", "HEAD"
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
	case kind != "blob": // nothing, or a submodule, of which the world knows no address
		return fail(notFound())
	}
	return c.showFile(s)
}

// treeEntry is a line of git ls-tree.
type treeEntry struct{ mode, kind, sha, path string }

// listTree lists a folder, whose path ends in /, or one entry.
func (r *repository) listTree(commit, path string) ([]treeEntry, error) {
	out, err := r.run("", "--literal-pathspecs", "ls-tree", "-z", "--full-tree", commit, "--", path)
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

// showFile shows a file, or a link.
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
		return conditional(c, reply{status: http.StatusOK, body: text{"application/vnd.github.raw+json; charset=utf-8", content}})
	case len(content) > largestInJSON:
		shown["encoding"], shown["content"] = "none", ""
	default:
		shown["encoding"], shown["content"] = "base64", base64.StdEncoding.EncodeToString([]byte(content))
	}
	return conditional(c, reply{status: http.StatusOK, body: shown})
}

// entryJSON is what a listing shows of an entry; content is that of a file, or a link's target.
func (c *call) entryJSON(s spot, e treeEntry) (shown map[string]any, content string, err error) {
	kind := map[string]string{"tree": "dir", "commit": "submodule"}[e.kind]
	if kind == "" {
		kind = map[bool]string{true: "symlink", false: "file"}[e.mode == "120000"]
		if content, err = c.repo.run("", "cat-file", "blob", e.sha); err != nil {
			return nil, "", err
		}
	}
	git, page := "/git/blobs/", "/blob/"
	if e.kind == "tree" {
		git, page = "/git/trees/", "/tree/"
	}
	self, html := c.repo.api("/contents/%s?ref=%s", escaped(e.path), s.ref), c.repo.page("%s%s/%s", page, s.ref, escaped(e.path))
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
