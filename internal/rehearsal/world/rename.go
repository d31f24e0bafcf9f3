package world

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
)

// Rename gives a repository another name, owner/name, as GitHub does: the old one leads to the
// new one until somebody takes it, and the rights of tokens stay. It must not run while a request
// to the repository is handled, other than the one about which a function given to Intercept was
// asked. It returns an error if there is no such repository, or the new name cannot be.
func (w *World) Rename(old, to string) error {
	if err := w.forge.rename(old, to); err != nil {
		return fmt.Errorf("renaming %s to %s: %w", old, to, err)
	}
	return nil
}

func (f *forge) rename(old, to string) error {
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

// movedFrom finds the repository that had a name before, if the caller may see it.
func (f *forge) movedFrom(by *token, fullName string) (*repository, bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	r, found := f.renamed[fullName]
	return r, found && by.sees(r)
}

// forward answers a request to the API at the old name: by the number of the repository, so that
// the address outlives the next name too. Only a question may be asked anew as a GET.
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
	return reply{status, map[string]string{"message": words, "url": to, "documentation_url": docs}, http.Header{"Location": {to}}}, nil
}

const byNumber = "/repositories/"

// unnumbered is the path of the API by name for one by the repository's number; "" if there is
// no such repository.
func (f *forge) unnumbered(path string) string {
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

// leads sends who asks below base, for pages or for files, by an old name to the new one. git
// follows that when it begins to talk, and keeps to the new address.
func (f *forge) leads(base string, next http.HandlerFunc) http.HandlerFunc {
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
