package world

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"regexp"
	"slices"
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
	actions
	checks
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

// The lists of tags, in the repository's folder, of which the update hook knows.
const (
	lockedTags = "locked-tags" // of immutable releases that exist
	burnedTags = "burned-tags" // of all that ever did
)

// updateHook keeps the tags of immutable releases where they are and their names from being used
// again; the tag of one that was deleted may go. And it refuses new commits that touch a folder
// which the token may not write to.
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

// unlockTag lets a tag go that was an immutable release's; its name stays burned.
func (r *repository) unlockTag(tag string) error {
	return r.list(lockedTags, slices.DeleteFunc(r.listed(lockedTags), func(name string) bool { return name == "refs/tags/"+tag }))
}

// listed are the references in one of the lists; one that is not there yet has none.
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
