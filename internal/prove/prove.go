// Package prove checks a release from outside, with public data only. It reports for each
// association whether it is proven, refuted, or could not be checked, with the evidence.
package prove

import (
	"context"
	"fmt"
	"io/fs"
	"slices"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/attest"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/lookup"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/render"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
)

// Prover proves one release of a component.
type Prover struct {
	// File is the local declaration of the component. The declaration at the git tag takes
	// precedence, if there is one.
	File      *delivery.File
	Config    string // the path of the file in its repository
	Component string
	Version   ref.Version
	// Repo is a clone for git's commands. Commits that it contains are not fetched.
	Repo git.Repo
	// Server is the address of the Git server: https://github.com.
	Server   string
	Registry *oci.Registry
	// Anonymous queries a registry without credentials; nil skips those queries.
	Anonymous *oci.Registry
	// Resolver may be a *resolve.Once, which then learns the answers of the proof.
	Resolver resolve.Resolver
	// Repositories reads charts of chart repositories over https.
	Repositories *lookup.Repositories
	// Forge queries releases and assets; nil skips them.
	Forge *gh.Client
	// Attestations verifies attestations; nil skips them.
	Attestations *attest.Verifier
	// Only limits the proof to artifacts of one kind, and to what they name.
	Only delivery.Kind
	// Rebuild builds the component again from its commit; nil skips it.
	Rebuild func(context.Context, Source) (Rebuilt, error)

	// A release in progress knows more than is published:

	// Source is its commit; nil means to look it up.
	Source *Source
	// Stamped are its stamped copies; nil means to make them from the source.
	Stamped []apply.Stamped
	// Staged are the digests of names (location:tag) that are not public yet.
	Staged map[string]string
	// Draft is its GitHub release, unless that is public.
	Draft *gh.Release
	// Built are the local files of its assets, by name.
	Built map[string]File

	archives sync.Map // digest of an archive → *examined
	// Renderings caches what packages render to; nil uses a cache for this proof.
	Renderings *render.Memo
}

// File is a local file and its digest.
type File struct{ Path, Digest string }

// Source is the commit of a release and its declaration.
type Source struct {
	Tag    git.Tag
	Commit string
	Time   time.Time
	Tree   fs.FS
	// File is the declaration that counts, and Self the component's name in it.
	File *delivery.File
	Self string
	// Declares is true if the tag contains that declaration. Otherwise the origin of the artifacts
	// is undeclared.
	Declares bool
}

// Prove makes all claims. An error means that nothing could be proven at all; refuted and unchecked
// claims are in the proof.
func (p *Prover) Prove(ctx context.Context) (*report.Proof, error) {
	c, err := p.File.Component(p.Component)
	if err != nil {
		return nil, outcome.As(outcome.Usage, err)
	}
	proof := &report.Proof{Component: p.Component, Version: p.Version.String(), Repository: c.Repository,
		Associations: []report.Association{}}
	run := p.run()
	defer run.cleanUp()
	run.by = resolve.Table{Digests: p.Staged, Next: run.once}
	proof.Associations = settle(run.all(ctx, c))
	proof.Commit, proof.Notes = run.src.Commit, run.notes
	slices.Sort(proof.Notes)
	proof.Settled()
	return proof, ctx.Err()
}

// Lockstep proves only the artifacts in lock step with the source, which must be set.
func (p *Prover) Lockstep(ctx context.Context) []report.Association {
	run := p.run()
	run.src = *p.Source
	var claims []claim
	for _, s := range run.lockstep(ctx).subjects {
		claims = append(claims, s.claims...)
	}
	return settle(claims)
}

// run starts a proof. Things that several charts name are queried once.
func (p *Prover) run() *run {
	once, ok := p.Resolver.(*resolve.Once)
	if !ok {
		once = &resolve.Once{Resolver: p.Resolver}
	}
	if p.Renderings == nil {
		p.Renderings = &render.Memo{}
	}
	return &run{Prover: p, by: once, once: once}
}

// run is a proof in progress.
type run struct {
	*Prover
	by    resolve.Resolver
	once  *resolve.Once // queries of lookups
	src   Source
	mu    sync.Mutex // guards notes
	notes []string

	cleanups []func() // called at the end of the proof
}

// cleanUp releases the files of the commit.
func (r *run) cleanUp() {
	for _, do := range slices.Backward(r.cleanups) {
		do()
	}
}

// note adds a remark that is not an association.
func (r *run) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// thing is an artifact of the component, with its name in the declaration.
type thing struct {
	component, name string
	delivery.Artifact
}

// all makes every claim, in the order of the report.
func (r *run) all(ctx context.Context, c delivery.Component) []claim {
	tag := &subject{name: fmt.Sprintf("git tag %s of %s", c.GitTag(r.Version), c.Repository)}
	var group errgroup.Group
	if r.Source == nil {
		r.source(ctx, c, tag)
	} else {
		r.src = *r.Source
		group.Go(func() error { r.confirmTag(ctx, c, tag); return nil }) // the others know their source
	}
	things := r.things()
	if len(things) == 0 {
		r.note("Nothing is declared that a release of %s publishes.", r.Component)
	}
	parts := make([]part, len(things)+1)
	var lockstep part
	var made Rebuilt
	var rebuildErr error
	for i, t := range things {
		group.Go(func() error { parts[i] = r.thing(ctx, t); return nil })
	}
	group.Go(func() error { parts[len(things)] = r.assets(ctx, things); return nil })
	group.Go(func() error { lockstep = r.lockstep(ctx); return nil })
	if r.Rebuild != nil {
		group.Go(func() error { made, rebuildErr = r.rebuild(ctx); return nil })
	}
	_ = group.Wait() // claims hold their own errors
	if r.Rebuild != nil {
		if s := r.compare(parts, made, rebuildErr); s != nil {
			parts = append(parts, part{subjects: []*subject{s}})
		}
	}
	r.seals(append(parts, lockstep))
	return r.together(tag, parts, lockstep)
}

// part is the result for one thing.
type part struct {
	subjects []*subject
	// revisions are the commits that published things name as their origin.
	revisions []string
}

// together orders the claims once everything about the tag is known.
func (r *run) together(tag *subject, parts []part, lockstep part) []claim {
	var revisions []string
	claims := []claim{}
	for _, p := range parts {
		revisions = append(revisions, p.revisions...)
		for _, s := range p.subjects {
			claims = append(claims, s.claims...)
		}
	}
	judgeTag(tag, r.src.Commit, revisions)
	claims = slices.Concat(tag.claims, claims)
	for _, s := range lockstep.subjects {
		claims = append(claims, s.claims...)
	}
	return claims
}

// thing proves one artifact. The checksum database covers modules, and assets are proven together.
func (r *run) thing(ctx context.Context, t thing) part {
	switch t.Kind {
	case delivery.Image:
		return r.image(ctx, t, r.src.Commit, r.tagKey(), r.repository())
	case delivery.Chart:
		return r.chart(ctx, t)
	}
	return part{}
}

// things returns the artifacts that the tag declares. If it declares none, they are those of the
// local declaration.
func (r *run) things() []thing {
	var all []thing
	own := r.src.File.Components[r.src.Self]
	for _, name := range own.ArtifactNames() {
		all = append(all, thing{r.src.Self, name, own.Artifacts[name]})
	}
	expected := r.File.Components[r.Component]
	for _, name := range expected.ArtifactNames() {
		a := expected.Artifacts[name]
		known := slices.ContainsFunc(all, func(t thing) bool {
			return t.Kind == a.Kind && t.At == a.At && t.TagFor(r.Version) == a.TagFor(r.Version) &&
				t.AssetName(r.Version) == a.AssetName(r.Version)
		})
		switch {
		case known:
		case r.src.Declares:
			r.note("%s is declared here, but not at the tag: %s is not part of this release.", name, a.Where(r.Version))
		default:
			all = append(all, thing{r.src.Self, name, a})
		}
	}
	return slices.DeleteFunc(all, func(t thing) bool { return r.Only != "" && t.Kind != r.Only })
}

// lockstep proves the images in lock step with this release, which its charts run.
func (r *run) lockstep(ctx context.Context) part {
	var all part
	for _, name := range r.src.File.Names() {
		c := r.src.File.Components[name]
		if c.Lockstep != r.src.Self || r.Only != "" {
			continue
		}
		tag := &subject{name: fmt.Sprintf("git tag %s of %s", c.GitTag(r.Version), c.Repository)}
		found, _ := r.findTag(ctx, name, c.Repository, tag) // the claim holds the error
		all.subjects = append(all.subjects, tag)
		var revisions []string
		for _, artifact := range c.OfKind(delivery.Image) {
			t := thing{name, artifact, c.Artifacts[artifact]}
			one := r.image(ctx, t, found.Commit, tag.keyOf(ruleGitTag), c.Repository)
			all.subjects = append(all.subjects, one.subjects...)
			revisions = append(revisions, one.revisions...)
		}
		judgeTag(tag, found.Commit, revisions)
	}
	return all
}

// identify returns the reference for querying a tag: for a staged one, its digest.
func (r *run) identify(at, tag string) string {
	if digest, ok := r.Staged[at+":"+tag]; ok {
		return digest
	}
	return tag
}

func (r *run) repository() string { return r.src.File.Components[r.src.Self].Repository }

// folder returns the folder that the component is built in.
func (r *run) folder() string { return r.src.File.Components[r.src.Self].Folder }

// gitTag returns the git tag of the component's version.
func (r *run) gitTag() string { return r.File.Components[r.Component].GitTag(r.Version) }

func (r *run) tagKey() string {
	return ruleGitTag + " git tag " + r.gitTag() + " of " + r.File.Components[r.Component].Repository
}
