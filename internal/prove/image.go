package prove

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/attest"
	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
)

// claimsOfImage are the claims about each image.
var claimsOfImage = map[string]string{
	ruleImagePlatforms: "it has every declared platform",
	ruleImageRevision:  "its revision label is the tagged commit",
	ruleImageVersion:   "its version label is the version",
	ruleImageSource:    "its source label is the repository",
	ruleImageEmbeds:    "the texts embedded in its files name the version",
	ruleImageSBOM:      "an SBOM of it is attached",
}

// image proves an image of a component. The commit is that of the component's tag, and tag is the
// key of the tag's claim.
func (r *run) image(ctx context.Context, t thing, commit, tag, repository string) part {
	at := t.At + ":" + t.TagFor(r.Version)
	s := &subject{name: "image " + at}
	result := part{subjects: []*subject{s}}
	order := []string{ruleImagePlatforms, ruleImageRevision, ruleImageVersion, ruleImageSource}
	if len(t.Embeds) > 0 {
		order = append(order, ruleImageEmbeds)
	}
	attachesSBOM := tag == r.tagKey() && r.src.Tree != nil && goreleaser.AttachesSBOM(r.src.Tree, r.folder(), t.At)
	if attachesSBOM {
		order = append(order, ruleImageSBOM)
	}
	d, err := r.Registry.Describe(ctx, t.At, r.identify(t.At, t.TagFor(r.Version)))
	s.add(ruleImageExists, "it is there").is(d.Digest, r.explainAbsent(ctx, t, err))
	if err != nil {
		s.missing(ruleImageExists, claimsOfImage, order...)
		return result
	}
	if len(d.Each) == 0 {
		s.claims[0].err = outcome.Wrongf("what is there is no image: it is for no platform")
		s.missing(ruleImageExists, claimsOfImage, order...)
		return result
	}
	if why := d.StandIn(); why != "" {
		s.standsIn(why, order)
		return result
	}
	if tag == r.tagKey() {
		s.built = t.At
	}
	s.digest, s.after = d.Digest, []string{tag}
	seal := r.seal(ctx, attest.Subject{Name: s.name, At: t.At, Digest: d.Digest}, t.component, commit, repository)
	result.revisions = append(result.revisions, d.Labels[oci.KeyRevision])
	s.add(ruleImagePlatforms, claimsOfImage[ruleImagePlatforms]).is(platforms(t, d))
	s.add(ruleImageRevision, claimsOfImage[ruleImageRevision], tag).is(r.revision(d, commit))
	s.add(ruleImageVersion, claimsOfImage[ruleImageVersion],
		ruleImageRevision).is(r.label(d, oci.KeyVersion, r.Version.String()))
	s.add(ruleImageSource, claimsOfImage[ruleImageSource],
		ruleImageRevision).is(r.label(d, oci.KeySource, r.sourceOf(repository)...))
	if len(t.Embeds) > 0 {
		s.add(ruleImageEmbeds, claimsOfImage[ruleImageEmbeds], ruleImageRevision,
			ruleImageVersion).is(r.embeds(ctx, t, d))
	}
	if attachesSBOM {
		s.add(ruleImageSBOM, claimsOfImage[ruleImageSBOM], ruleImagePlatforms, ruleImageRevision, ruleImageVersion,
			ruleImageSource, ruleImageEmbeds).is(r.sbom(ctx, t, d))
	}
	r.seenAnonymously(ctx, s, t, d.Digest)
	s.seal = seal()
	return result
}

// standsIn adds claims about a stand-in, which proves nothing.
func (s *subject) standsIn(why string, order []string) {
	s.claims[0].err = &standInError{why}
	for _, rule := range order {
		s.add(rule, claimsOfImage[rule]).err = &standInError{why}
	}
}

// sourceOf returns the accepted values of the source label: the URL on github.com, which our builds
// set, and the URL on the server.
func (r *run) sourceOf(repository string) []string {
	return slices.Compact([]string{"https://github.com/" + repository, r.Server + "/" + repository})
}

// explainAbsent adds to an error the artifact that exists with one v too many, or too few.
func (r *run) explainAbsent(ctx context.Context, t thing, err error) error {
	if !errors.Is(err, outcome.ErrAbsent) {
		return err
	}
	tag := t.TagFor(r.Version)
	other := strings.TrimPrefix(tag, "v")
	if other == tag {
		other = "v" + tag
	}
	if _, e := r.Registry.Digest(ctx, t.At, other); e == nil {
		return outcome.Wrongf("%s:%s is not there, but %s is: the declared tag is %s", t.At, tag, other, tag)
	}
	return err
}

// platforms compares the image with the declared platforms, and each platform with its own
// configuration.
func platforms(t thing, d oci.Description) (evidence string, err error) {
	for _, want := range t.Platforms {
		has := func(p string) bool { return p == want || strings.HasPrefix(p, want+"/") }
		if !slices.ContainsFunc(d.Platforms, has) {
			return "", outcome.Wrongf("%s is missing; it has %s", want, strings.Join(d.Platforms, ", "))
		}
	}
	for _, p := range d.Each {
		if p.Name != p.Configured {
			return "", outcome.Wrongf("the manifest for %s is an image for %s", p.Name, p.Configured)
		}
	}
	if len(t.Platforms) == 0 {
		return strings.Join(d.Platforms, ", ") + "; none is declared", nil
	}
	return strings.Join(d.Platforms, ", "), nil
}

// label compares a label of every platform, and the manifest's annotation of the same name, with
// the accepted values.
func (r *run) label(d oci.Description, key string, want ...string) (evidence string, err error) {
	for _, p := range d.Each {
		got, present := p.Labels[key]
		if !present && !r.src.Declares {
			return "", r.silent(fmt.Sprintf("label %s of %s", key, p.Name))
		}
		if !slices.Contains(want, got) {
			return "", outcome.Wrongf("label %s of %s is %q, want %q", key, p.Name, got, want[0])
		}
	}
	if got, ok := d.Annotations[key]; ok && !slices.Contains(want, got) {
		return "", outcome.Wrongf("annotation %s is %q, want %q", key, got, want[0])
	}
	return fmt.Sprintf("%s on %s; by the label alone, which the builder wrote", want[0],
		strings.Join(d.Platforms, ", ")), nil
}

// revision compares the revision label with the tag's commit, if the commit is known.
func (r *run) revision(d oci.Description, commit string) (evidence string, err error) {
	if commit == "" {
		return "", &restsOnError{ruleGitTag}
	}
	return r.label(d, oci.KeyRevision, commit)
}

// silent returns an error for missing information. It is not wrong if the tag declares nothing.
func (r *run) silent(what string) error {
	return fmt.Errorf("there is no %s, so it does not say", what)
}

// seenAnonymously claims that no credentials are needed.
func (r *run) seenAnonymously(ctx context.Context, s *subject, t thing, digest string) {
	if r.Anonymous == nil {
		return
	}
	seen, err := r.Anonymous.Digest(ctx, t.At, t.TagFor(r.Version))
	claim := s.add(rulePublic, "it can be fetched without credentials")
	switch {
	case errors.Is(err, outcome.ErrAbsent) || errors.Is(err, oci.ErrDenied):
		// Only the message is kept: another query has seen the artifact.
		claim.err = fmt.Errorf(
			"seen with credentials only; a new package is private until it is made public in its settings: %s", err)
	case err == nil && seen != digest:
		claim.err = outcome.Wrongf("without credentials it is %s, with them %s", seen, digest)
	default:
		claim.is("seen without credentials", err)
	}
}
