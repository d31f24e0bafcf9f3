package world

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"
)

// The rights that the token may have on a repository.
const (
	rightsWrite = "write"
	rightsRead  = "read"
	rightsNone  = "none"
)

// Repository says how CreateRepository makes a repository. The zero value is a public one that
// the token may write to.
type Repository struct {
	// Private hides it from all but callers with the token and at least the right to read.
	Private bool
	// Rights is what the token may do: "write" (also if empty), "read" or "none".
	Rights string
	// Immutable locks each release, its assets and its tag once it is published.
	Immutable bool
}

// repository is a repository of the forge: git on disk, all else in memory.
type repository struct {
	bare
	Repository
	site        *site
	owner, name string
	id          int64
	created     time.Time
	archived    bool

	releases     []*release // oldest first
	latest       int64      // the release that was last published as the latest one
	burned       map[string]bool
	dispatches   []Dispatch
	pulls        []*pull       // oldest first
	attestations []attestation // oldest first
	labels       []label
	past         []past // oldest first
}

func (r *repository) fullName() string { return r.owner + "/" + r.name }

var fullNamePattern = regexp.MustCompile(`^([A-Za-z0-9][A-Za-z0-9-]*)/([A-Za-z0-9._-]+)$`)

// CreateRepository makes an empty repository, default branch main, named owner/name. It returns
// an error if the name is not of that form or is taken.
func (w *World) CreateRepository(fullName string, o Repository) error {
	if err := w.forge.createRepository(fullName, o); err != nil {
		return fmt.Errorf("creating repository %q: %w", fullName, err)
	}
	return nil
}

// RepositoryDir is the folder of the bare repository, whether it exists or not.
func (w *World) RepositoryDir(fullName string) string {
	w.forge.mu.Lock()
	defer w.forge.mu.Unlock()
	if r, found := w.forge.repositories[fullName]; found {
		return r.dir
	}
	return w.forge.folder(fullName, 0)
}

func (f *forge) createRepository(fullName string, o Repository) error {
	m := fullNamePattern.FindStringSubmatch(fullName)
	if m == nil || strings.HasSuffix(fullName, ".git") || m[2] == "." || m[2] == ".." {
		return errors.New("want owner/name, without .git")
	}
	if o.Immutable && f.site.isEnterprise() {
		return errors.New("an Enterprise server has no immutable releases")
	}
	if o.Rights == "" {
		o.Rights = rightsWrite
	}
	if o.Rights != rightsWrite && o.Rights != rightsRead && o.Rights != rightsNone {
		return fmt.Errorf("unknown rights %q, want %s, %s or %s", o.Rights, rightsWrite, rightsRead, rightsNone)
	}
	r := &repository{
		bare: bare{ctx: f.over, env: f.env},
		site: f.site, Repository: o, owner: m[1], name: m[2], created: f.now(), burned: map[string]bool{},
	}
	return f.addRepository(r)
}

func (f *forge) addRepository(r *repository) error {
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

// init makes the bare repository with GitHub's manners: fetching any commit by its SHA works
// (actions/checkout does so). Housekeeping is off, since it would outlive the world.
func (r *repository) init() error {
	if _, err := r.run("", "init", "--quiet", "--bare", "--initial-branch=main", "--template=", r.dir); err != nil {
		return err
	}
	for _, setting := range []string{"http.receivepack=true", "uploadpack.allowAnySHA1InWant=true", "uploadpack.allowFilter=true", "gc.auto=0", "receive.autogc=false"} {
		key, value, _ := strings.Cut(setting, "=")
		if _, err := r.run("", "config", key, value); err != nil {
			return err
		}
	}
	if err := os.MkdirAll(filepath.Join(r.dir, "hooks"), 0o755); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(r.dir, "hooks", "update"), []byte(updateHook), 0o755)
}

// updateHook keeps the tags of immutable releases where they are, and refuses new commits that
// touch a folder which the token may not write to.
const updateHook = `#!/bin/sh
if test -f locked-tags && grep -Fxq -e "$1" locked-tags; then
	echo "$1 belongs to an immutable release: it neither moves nor goes away" >&2
	exit 1
fi
if test -n "$FORGE_GUARDS" && test "$3" != "0000000000000000000000000000000000000000"; then
	file=$(git log --format= --name-only "$3" --not --all -- "$FORGE_GUARDS" | head -n 1) || exit 1
	if test -n "$file"; then
		echo "refusing to allow a GitHub App to create or update workflow '$file' without 'workflows' permission" >&2
		exit 1
	fi
fi
`

// lockTag makes the update hook refuse changes of a tag.
func (r *repository) lockTag(tag string) error {
	f, err := os.OpenFile(filepath.Join(r.dir, "locked-tags"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = fmt.Fprintf(f, "refs/tags/%s\n", tag)
	return err
}
