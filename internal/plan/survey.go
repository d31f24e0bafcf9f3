package plan

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/tree"
)

// The limits for one repository, which need not be trustworthy.
const (
	mostOfDelivery   = 256 << 10 // bytes of delivery.yaml
	mostOfTree       = 128 << 20 // bytes of the tree
	mostOfComponents = 100       // each costs a query of tags
	atOnce           = 16        // repositories that are read at the same time
)

// Survey reads repositories.
//
// It sends two queries to the API, with ETags: the organisation's list, and whether a
// repository has a delivery.yaml. Everything else comes by git, which does not count
// against the API's limit. One query returns the releases and the default branch. One
// fetch without history returns the tree, unless it is in the cache.
type Survey struct {
	Forge  *gh.Client
	Git    git.Repo // in an empty folder
	Server string   // https://github.com
	Keeper gh.Keeper
}

// Plan contains the repositories and the steps.
type Plan struct {
	Organisation string // empty if repositories were named
	Repositories []Repository
	Without      []string // the repositories that have no delivery.yaml
	LeftOut      []LeftOut
	Steps        []Task
	Cycles       []Cycle
	Unchecked    []decide.Unchecked
}

// LeftOut is a repository that was skipped on purpose.
type LeftOut struct {
	Repository string `json:"repository"`
	Because    string `json:"because"`
}

// Organisation plans over all repositories of an organisation.
func (s Survey) Organisation(ctx context.Context, name string) (*Plan, error) {
	all, err := s.Forge.Repositories(ctx, s.Keeper, name)
	if err != nil {
		return nil, err
	}
	p := &Plan{Organisation: name}
	var names []string
	for _, r := range all {
		switch {
		case r.Archived:
			p.LeftOut = append(p.LeftOut, LeftOut{r.Name, "archived"})
		case r.Disabled:
			p.LeftOut = append(p.LeftOut, LeftOut{r.Name, "disabled"})
		default:
			names = append(names, r.Name)
		}
	}
	return p, s.plan(ctx, p, names, &reading{})
}

// Repositories plans over the named repositories.
func (s Survey) Repositories(ctx context.Context, names []string) (*Plan, error) {
	p := &Plan{}
	return p, s.plan(ctx, p, slices.Compact(slices.Sorted(slices.Values(names))), &reading{named: true})
}

func (s Survey) plan(ctx context.Context, p *Plan, names []string, l *reading) error {
	l.Survey, l.released = s, releases{}
	each(names, func(name string) { l.repository(ctx, name) })
	each(l.upstreams(), func(name string) { l.upstream(ctx, name) })
	if err := ctx.Err(); err != nil {
		return err
	}
	slices.Sort(l.without)
	slices.SortFunc(l.open, func(a, b decide.Unchecked) int {
		return cmp.Or(strings.Compare(a.What, b.What), strings.Compare(a.Because, b.Because))
	})
	slices.SortFunc(l.declared, func(a, b declared) int { return strings.Compare(a.name, b.name) })
	p.Without, p.Unchecked = l.without, l.open
	p.Repositories = assemble(l.declared, l.released)
	o := newOrder(newGraph(p.Repositories))
	p.Steps, p.Cycles = o.pending(), o.cycles()
	return nil
}

// each calls a function for each name, for several at the same time.
func each(names []string, do func(string)) {
	var group errgroup.Group
	group.SetLimit(atOnce)
	for _, name := range names {
		group.Go(func() error { do(name); return nil })
	}
	_ = group.Wait() // the function records its own errors
}

// reading collects the repositories. Its methods may be called concurrently.
type reading struct {
	Survey
	named bool // the repositories were named by the user

	mu       sync.Mutex // guards the fields below
	declared []declared
	released releases
	without  []string
	open     []decide.Unchecked
}

func (l *reading) record(f func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	f()
}

func (l *reading) unchecked(what string, err error) {
	l.record(func() { l.open = append(l.open, decide.Unchecked{What: what, Because: shorten(err.Error())}) })
}

// shorten returns a text of others as one line of limited length.
func shorten(text string) string {
	const most = 500
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > most {
		text = strings.ToValidUTF8(text[:most], "") + "…"
	}
	return text
}

// repository reads one repository.
func (l *reading) repository(ctx context.Context, name string) {
	d, unread, err := l.examine(ctx, name)
	switch {
	case errors.Is(err, errNone):
		l.record(func() { l.without = append(l.without, name) })
		return
	case err != nil:
		l.unchecked(name, err)
		return
	}
	l.record(func() { l.declared = append(l.declared, d) })
	for _, u := range unread {
		l.unchecked(name+": "+u.File, errors.New(u.Because))
	}
}

// errNone reports that a repository has no delivery.yaml.
var errNone = errors.New("there is no " + delivery.FileName)

func (l *reading) examine(ctx context.Context, name string) (declared, []find.Unread, error) {
	if err := l.declares(ctx, name); err != nil {
		return declared{}, nil, err
	}
	survey, err := l.query(ctx, name)
	if err != nil {
		return declared{}, nil, err
	}
	tree, err := l.tree(ctx, name, survey.Head)
	if err != nil {
		return declared{}, nil, err
	}
	file, err := load(name, tree)
	if err != nil {
		return declared{}, nil, err
	}
	found, err := find.New(file).Tree(ctx, tree)
	return declared{name, file, find.Pins(found.References)}, found.Unread, err
}

// declares returns errNone if there is no delivery.yaml. Its content is read from the
// tree, to be of the same commit.
func (l *reading) declares(ctx context.Context, name string) error {
	_, err := l.Forge.File(ctx, l.Keeper, name, delivery.FileName)
	if !errors.Is(err, gh.ErrAbsent) {
		return err
	}
	if !l.named {
		return errNone
	}
	// The repository itself may be absent.
	if _, err := l.Forge.DefaultBranch(ctx, name); err != nil {
		return err
	}
	return errNone
}

// load reads delivery.yaml, and checks that it is about this repository.
func load(name string, tree fs.FS) (*delivery.File, error) {
	data, err := fs.ReadFile(tree, delivery.FileName)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errNone
	}
	if err != nil {
		return nil, err
	}
	if len(data) > mostOfDelivery {
		return nil, fmt.Errorf("%s has %d bytes, want at most %d", delivery.FileName, len(data), mostOfDelivery)
	}
	file, err := delivery.Parse(delivery.FileName, data)
	if err != nil {
		return nil, err
	}
	if own := file.Own().Repository; !strings.EqualFold(own, name) {
		return nil, fmt.Errorf("%s is about repository %s, want its own: correct repository of %s there",
			delivery.FileName, own, file.Self)
	}
	if len(file.Components) > mostOfComponents {
		return nil, fmt.Errorf("%s declares %d components, want at most %d",
			delivery.FileName, len(file.Components), mostOfComponents)
	}
	for _, component := range file.Names() {
		if upstream := file.Components[component].Repository; !gh.IsRepository(upstream) {
			return nil, fmt.Errorf("%s: repository of %s is %q, want owner/name",
				delivery.FileName, component, upstream)
		}
	}
	return file, nil
}

// upstreams returns the repositories that others refer to, if their releases are not
// known yet.
func (l *reading) upstreams() []string {
	missing := map[string]string{}
	for _, d := range l.declared {
		for _, c := range d.file.Components {
			if _, known := l.released[fold(c.Repository)]; !known {
				missing[fold(c.Repository)] = c.Repository
			}
		}
	}
	var names []string
	for _, name := range missing {
		names = append(names, name)
	}
	return names
}

func (l *reading) upstream(ctx context.Context, name string) {
	if _, err := l.query(ctx, name); err != nil {
		l.unchecked("the releases of "+name, err)
	}
}

// query returns the default branch and the releases of a repository.
func (l *reading) query(ctx context.Context, name string) (git.Survey, error) {
	survey, err := l.Git.Survey(ctx, l.remote(name))
	if err != nil {
		return survey, fmt.Errorf("could not ask: %w", err)
	}
	l.record(func() { l.released[fold(name)] = survey })
	return survey, nil
}

func (l *reading) remote(name string) git.Remote { return git.Remote(l.Server + "/" + name) }

// kept is a tree in the cache.
type kept struct {
	Commit string
	Files  map[string][]byte // the texts
}

// tree returns the tree of a repository's commit, from the cache or by a fetch.
func (l *reading) tree(ctx context.Context, name, commit string) (fs.FS, error) {
	if commit == "" {
		return nil, errors.New("its default branch has no commit")
	}
	key := "tree " + string(l.remote(name))
	var k kept
	data, found := l.Keeper.Load(key)
	if found && json.Unmarshal(data, &k) == nil && k.Commit == commit {
		return k.tree()
	}
	files, err := l.fetch(ctx, name, commit)
	if err != nil {
		return nil, fmt.Errorf("fetching commit %s: %w", commit, err)
	}
	k = kept{commit, files}
	if data, err = json.Marshal(k); err != nil {
		return nil, err
	}
	if err := l.Keeper.Save(key, data); err != nil {
		return nil, err
	}
	return k.tree()
}

func (k kept) tree() (fs.FS, error) {
	var files []tree.File
	for name, data := range k.Files {
		files = append(files, tree.Bytes(name, data))
	}
	return tree.New(files)
}

// fetch reads a commit's files by git, in a temporary folder.
func (l *reading) fetch(ctx context.Context, name, commit string) (files map[string][]byte, err error) {
	dir, err := os.MkdirTemp(l.Git.Dir, "fetch-*")
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, os.RemoveAll(dir)) }()
	repo, err := l.Git.FetchedCommit(ctx, dir, l.remote(name), commit)
	if err != nil {
		return nil, err
	}
	size, err := repo.Size(ctx, commit)
	if err != nil {
		return nil, err
	}
	if size > mostOfTree {
		return nil, fmt.Errorf("its files have %d bytes, want at most %d", size, mostOfTree)
	}
	snapshot, err := repo.Snapshot(ctx, commit)
	if err != nil {
		return nil, err
	}
	defer snapshot.Close()
	return texts(snapshot)
}

// texts returns the files in which references are possible. Binary files would only
// fill the cache.
func texts(tree fs.FS) (map[string][]byte, error) {
	names, err := find.Names(tree)
	if err != nil {
		return nil, err
	}
	files := map[string][]byte{}
	for _, name := range names {
		if !fs.ValidPath(name) {
			files[name] = nil // find reports the name
			continue
		}
		info, err := fs.Lstat(tree, name)
		if err != nil {
			return nil, err
		}
		if !info.Mode().IsRegular() {
			continue
		}
		data, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		if !find.IsBinary(data) {
			files[name] = data
		}
	}
	return files, nil
}
