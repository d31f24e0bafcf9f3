package world

import (
	"fmt"
	"io"
	"log"
	"net/http"
	"net/http/cgi"
	"os"
	"path/filepath"
	"regexp"
	"strings"
)

var gitPath = regexp.MustCompile(`^/([^/]+)/([^/]+?)(?:\.git)?/(info/refs|git-upload-pack|git-receive-pack)$`)

// serveGit speaks git's smart HTTP protocol with git's own backend, whose locks make pushes
// at the same time right.
func (f *forge) serveGit(rw http.ResponseWriter, r *http.Request) {
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
		http.Error(rw, fmt.Sprintf("Permission to %s.git denied to %s.", repo.fullName(), by.account.login), http.StatusForbidden)
	default:
		if err := f.beforePush(repo, m[3]); err != nil {
			http.Error(rw, err.Error(), http.StatusInternalServerError)
			return
		}
		f.runBackend(rw, r, repo, m[3], by)
	}
}

// beforePush lets the reads of the API lag behind a push too.
func (f *forge) beforePush(r *repository, service string) error {
	if service != "git-receive-pack" {
		return nil
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.noteWrite(r)
}

func (f *forge) runBackend(rw http.ResponseWriter, r *http.Request, repo *repository, service string, by *token) {
	if err := f.spool(r); err != nil {
		http.Error(rw, err.Error(), http.StatusBadRequest)
		return
	}
	defer r.Body.Close()
	root := filepath.Join(f.dir, "git")
	folder, err := filepath.Rel(root, repo.dir)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	r.URL.Path = "/" + filepath.ToSlash(folder) + "/" + service
	env := append([]string{"GIT_PROJECT_ROOT=" + root, "GIT_HTTP_EXPORT_ALL=1"}, f.env...)
	if !by.touchesWorkflows(repo) {
		env = append(env, "FORGE_GUARDS="+guardedFolder) // the update hook reads it
	}
	(&cgi.Handler{
		Path: f.backend,
		Dir:  f.dir,
		Env:  env,
		// What git has to say goes to the client within the protocol.
		Logger: log.New(io.Discard, "", 0),
		Stderr: io.Discard,
	}).ServeHTTP(rw, r)
}

// spool gives a chunked body a length: CGI needs one, and git sends large pushes in chunks.
func (f *forge) spool(r *http.Request) error {
	if r.ContentLength >= 0 {
		return nil
	}
	file, err := os.CreateTemp(filepath.Join(f.dir, "spool"), "push-*")
	if err != nil {
		return err
	}
	os.Remove(file.Name()) // the open file stays readable; no path to clean up later
	n, err := io.Copy(file, r.Body)
	if err == nil {
		_, err = file.Seek(0, io.SeekStart)
	}
	if err != nil {
		file.Close()
		return fmt.Errorf("reading the request's body: %w", err)
	}
	r.Body, r.ContentLength, r.TransferEncoding = file, n, nil
	return nil
}

// repoURL is an address of the API below a repository.
func (r *repository) api(format string, args ...any) string {
	return r.site.api + "/repos/" + r.fullName() + fmt.Sprintf(format, args...)
}

// page is an address of the web pages of a repository.
func (r *repository) page(format string, args ...any) string {
	return strings.TrimSuffix(r.site.web+"/"+r.fullName()+fmt.Sprintf(format, args...), "/")
}
