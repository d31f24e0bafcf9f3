package world

import (
	"errors"
	"io/fs"
	"net/http"
	"net/url"
	"regexp"
	"strings"
	"time"
	"unicode/utf8"
)

// spot is a place among the files of a commit; an empty path is the top.
type spot struct{ ref, commit, path string }

// locate finds where the ref ends and the path begins: after the longest ref that exists.
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

// fullRef is what a name in a web address stands for. A partial ref, such as heads/main, is none there.
func fullRef(exists map[string]bool, name string) (string, bool) {
	for _, full := range []string{name, "refs/heads/" + name, "refs/tags/" + name} {
		if exists[full] {
			return full, true
		}
	}
	return name, name == "HEAD" || shortSHA.MatchString(name)
}

// entry is the kind and the name of the object at a spot, or "" if there is none.
func (r *repository) entry(s spot) (kind, sha string, err error) {
	if s.path == "" {
		return "tree", s.commit, nil
	}
	if !fs.ValidPath(s.path) || strings.ContainsRune(s.path, 0) {
		return "", "", nil
	}
	out, err := r.run("", "--literal-pathspecs", "ls-tree", "-z", "--full-tree", s.commit, "--", s.path)
	if err != nil || out == "" {
		return "", "", err
	}
	fields := strings.Fields(out)
	return fields[1], fields[2], nil
}

// find is locate and entry in one; the kind is "" also where there is no such ref.
func (r *repository) find(rest string) (s spot, kind, sha string, err error) {
	s, found, err := r.locate(rest)
	if err != nil || !found {
		return s, "", "", err
	}
	kind, sha, err = r.entry(s)
	return s, kind, sha, err
}

var rawPath = regexp.MustCompile(`^/([^/]+)/([^/]+)/(.+/.+)$`)

// raw answers as raw.githubusercontent.com, which has the files of repositories and nothing else.
func (f *forge) raw() http.Handler {
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

// file reads a file, and knows no folders.
func (r *repository) file(rest string) (sha, body string, err error) {
	_, kind, sha, err := r.find(rest)
	if err == nil && kind != "blob" {
		err = notFound()
	}
	if err != nil {
		return "", "", err
	}
	body, err = r.run("", "cat-file", "blob", sha)
	return sha, body, err
}

// plainError is an error for who expects no JSON.
func plainError(rw http.ResponseWriter, err error) {
	e := &apiError{status: http.StatusInternalServerError, Message: err.Error()}
	errors.As(err, &e)
	http.Error(rw, e.Message, e.status)
}

// visit finds a repository that the caller of a web address may read.
func (f *forge) visit(r *http.Request, fullName string) (*repository, bool) {
	by, refused := f.authenticate(r)
	repo, found := f.repository(fullName)
	reads := r.Method == http.MethodGet || r.Method == http.MethodHead
	return repo, reads && refused == nil && found && by.sees(repo) && by.may(repo, []string{"contents"}, false)
}

// escaped is a path as it stands in an address.
func escaped(path string) string { return (&url.URL{Path: path}).EscapedPath() }
