// Package prove looks at a release from outside, by what anybody can read, and
// says of each association whether it is proven, refuted, or could not be
// checked, with the evidence.
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
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/render"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
)

// Prover proves one release of a component.
type Prover struct {
	// File declares the component for whoever asks; the git tag's own
	// declaration is what counts where there is one.
	File      *delivery.File
	Config    string // the path of the file in its repository
	Component string
	Version   ref.Version
	// Repo is where git runs. What it holds already is not fetched.
	Repo git.Repo
	// Server is where repositories are served: https://github.com.
	Server   string
	Registry *oci.Registry
	// Anybody is a registry's edge without credentials; nil asks nobody else.
	Anybody *oci.Registry
	// Resolver may be a *resolve.Once, which then learns the answers of the proof.
	Resolver resolve.Resolver
	// Forge is where releases and their assets are; nil looks at none.
	Forge *gh.Client
	// Attestations verifies those that there are; nil looks for none.
	Attestations *attest.Verifier
	// Only limits the proof to artifacts of one kind, and to what they name.
	Only delivery.Kind
	// Rebuild builds the component again from its commit; nil does not.
	Rebuild func(context.Context, Source) (Rebuilt, error)

	// A release in the making knows more than is published:

	// Source is its commit, which is looked up where it is nil.
	Source *Source
	// Stamped are its stamped copies; nil makes them from the source.
	Stamped []apply.Stamped
	// Staged are the digests behind names (location:tag) that are not public.
	Staged map[string]string
	// Draft is its GitHub release, if that is no public one yet.
	Draft *gh.Release
	// Built are the files that its assets were made of, by name.
	Built map[string]File

	archives sync.Map // digest of an archive → what its programs say
	// Renderings remembers what packages render to; nil is one of the proof's own.
	Renderings *render.Memo
}

// File is a file at hand and the digest of its bytes.
type File struct{ Path, Digest string }

// Source is what a release was made of.
type Source struct {
	Tag    git.Tag
	Commit string
	Time   time.Time
	Tree   fs.FS
	// File is the declaration that counts, and Self the component's name in it.
	File *delivery.File
	Self string
	// Declares tells whether the tag itself holds that declaration; else nobody
	// says what the artifacts are made of.
	Declares bool
}

// Prove looks at everything. An error says that there was nothing to look at;
// what is refuted or could not be checked is in the proof.
func (p *Prover) Prove(ctx context.Context) (*report.Proof, error) {
	c, err := p.File.Component(p.Component)
	if err != nil {
		return nil, outcome.As(outcome.Usage, err)
	}
	proof := &report.Proof{Component: p.Component, Version: p.Version.String(), Repository: c.Repository, Associations: []report.Association{}}
	run := p.run()
	defer run.cleanUp()
	run.by = resolve.Table{Digests: p.Staged, Next: run.once}
	proof.Associations = settle(run.all(ctx, c))
	proof.Commit, proof.Notes = run.src.Commit, run.notes
	slices.Sort(proof.Notes)
	proof.Settled()
	return proof, ctx.Err()
}

// Lockstep proves what is released in lock step with the source alone, which
// must be known.
func (p *Prover) Lockstep(ctx context.Context) []report.Association {
	run := p.run()
	run.src = *p.Source
	var claims []claim
	for _, s := range run.lockstep(ctx).subjects {
		claims = append(claims, s.claims...)
	}
	return settle(claims)
}

// run begins a proof. Several charts name the same things, which are asked for once.
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

// run is one proof while it is made.
type run struct {
	*Prover
	by    resolve.Resolver
	once  *resolve.Once // what by asks
	src   Source
	mu    sync.Mutex // guards notes
	notes []string

	cleanups []func() // to call when the proof is made
}

// cleanUp releases the files of the commit.
func (r *run) cleanUp() {
	for _, do := range slices.Backward(r.cleanups) {
		do()
	}
}

// note keeps what is no association, and worth knowing.
func (r *run) note(format string, args ...any) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.notes = append(r.notes, fmt.Sprintf(format, args...))
}

// thing is an artifact of the component, by the name that it is declared with.
type thing struct {
	component, name string
	delivery.Artifact
}

// all makes every claim, in the order in which they are read.
func (r *run) all(ctx context.Context, c delivery.Component) []claim {
	tag := &subject{name: fmt.Sprintf("git tag %s of %s", r.Version.Tag(), c.Repository)}
	var group errgroup.Group
	if r.Source == nil {
		r.source(ctx, c, tag)
	} else {
		r.src = *r.Source
		group.Go(func() error { r.confirmTag(ctx, c, tag); return nil }) // all else knows its source already
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

// part is what was found of one thing.
type part struct {
	subjects []*subject
	// revisions are the commits that published things say they were made of.
	revisions []string
}

// together puts the claims in order, once all that tells of the tag is known.
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

// thing proves one artifact. Modules are for the checksum database to vouch
// for, and assets are proven together.
func (r *run) thing(ctx context.Context, t thing) part {
	switch t.Kind {
	case delivery.Image:
		return r.image(ctx, t, r.src.Commit, r.tagKey(), r.repository())
	case delivery.Chart:
		return r.chart(ctx, t)
	}
	return part{}
}

// things are the artifacts that the tag declares or, where it declares nothing,
// those that whoever asks expects.
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
			return t.Kind == a.Kind && t.At == a.At && t.TagFor(r.Version) == a.TagFor(r.Version) && t.AssetName(r.Version) == a.AssetName(r.Version)
		})
		switch {
		case known:
		case r.src.Declares:
			r.note("%s is declared here, and not by the tag: %s is no part of this release.", name, a.Where(r.Version))
		default:
			all = append(all, thing{r.src.Self, name, a})
		}
	}
	return slices.DeleteFunc(all, func(t thing) bool { return r.Only != "" && t.Kind != r.Only })
}

// lockstep proves the images that are released in lock step with this one:
// its charts run them.
func (r *run) lockstep(ctx context.Context) part {
	var all part
	for _, name := range r.src.File.Names() {
		c := r.src.File.Components[name]
		if c.Lockstep != r.src.Self || r.Only != "" {
			continue
		}
		tag := &subject{name: fmt.Sprintf("git tag %s of %s", r.Version.Tag(), c.Repository)}
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

// identify is what a tag is asked for by: a staged one by its digest.
func (r *run) identify(at, tag string) string {
	if digest, ok := r.Staged[at+":"+tag]; ok {
		return digest
	}
	return tag
}

func (r *run) repository() string { return r.src.File.Components[r.src.Self].Repository }

func (r *run) tagKey() string {
	return ruleGitTag + " git tag " + r.Version.Tag() + " of " + r.File.Components[r.Component].Repository
}
