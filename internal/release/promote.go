package release

import (
	"errors"
	"fmt"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/report"
)

// artifact is one thing to be seen under its final name.
type artifact struct{ at, tag, digest, how string }

// published lists the release's images and charts in the order in which they
// may become visible: what runs before what runs it.
func (r *ride) published() []artifact {
	var all []artifact
	own := r.File.Own()
	for _, name := range own.OfKind(delivery.Image) {
		a := own.Artifacts[name]
		if digest := r.built.Images[a.At]; digest != "" {
			all = append(all, artifact{a.At, a.TagFor(r.Version), digest, "read back: platforms; revision, version and source labels"})
		}
	}
	for _, c := range r.charts {
		all = append(all, artifact{c.at, c.tag, c.digest, "read back; " + count(len(c.targets), "reference") + " of its rendering resolved"})
	}
	return all
}

// promote gives each image and chart its final tag, by digest.
func (r *ride) promote() (string, error) {
	all := r.published()
	for _, a := range all {
		if err := r.Registry.Promote(r.ctx, a.at, a.digest, a.tag); err != nil {
			return "", err
		}
	}
	return count(len(all), "artifact") + " by digest, in dependency order", nil
}

// publish makes the draft release public, last of all.
func (r *ride) publish() (string, error) {
	release, err := r.currentRelease()
	if err != nil {
		return "", err
	}
	if !release.Draft {
		return release.URL + " is public already", nil
	}
	acted := r.Forge.Publish(r.ctx, r.File.Own().Repository, release.ID, r.Version.Prerelease() != "")
	after, looked := r.publishedRelease()
	if looked == nil && after == nil {
		looked = fmt.Errorf("release %s was published, but is not public", r.Version.Tag())
	}
	if looked != nil {
		return "", errors.Join(acted, looked)
	}
	return after.URL, nil
}

// prove looks at everything once more by its final name.
func (r *ride) prove() (string, error) {
	var errs []error
	for _, a := range r.published() {
		errs = append(errs, r.proveArtifact(a))
	}
	release, err := r.publishedRelease()
	if release != nil && len(r.built.Files) > 0 {
		errs = append(errs, r.proveAssets(release))
	}
	return count(len(r.report.Artifacts), "artifact") + " hold what was built", errors.Join(append(errs, err)...)
}

// proveArtifact: a final name holds the digest. What rests on a stand-in is
// noted as such; the artifact itself is ours and real.
func (r *ride) proveArtifact(a artifact) error {
	there, err := r.Registry.Published(r.ctx, a.at, a.tag, a.digest)
	row := report.Artifact{Name: a.at + ":" + a.tag, Digest: a.digest, State: report.Proven, How: a.how}
	if err == nil && !there {
		err = fmt.Errorf("%s is not there", row.Name)
	}
	if err != nil {
		row.State, row.How = report.Refuted, err.Error()
	} else if rests := r.restsOn(a.at); rests > 0 {
		row.State = report.Unchecked
		row.How += "; rests on " + count(rests, "stand-in")
	}
	r.report.Artifacts = append(r.report.Artifacts, row)
	return err
}

// restsOn counts the stand-ins among what a chart of ours refers to.
func (r *ride) restsOn(at string) int {
	n := 0
	seen := map[string]bool{}
	for _, c := range r.charts {
		if c.at != at {
			continue
		}
		for _, t := range c.targets {
			what := t.At + ":" + t.Tag
			if _, open := r.open[what]; open && !seen[what] {
				n++
			}
			seen[what] = true
		}
	}
	return n
}

func (r *ride) proveAssets(release *gh.Release) error {
	err := r.checkAssets(release)
	for _, file := range r.built.Files {
		row := report.Artifact{Name: "release asset " + file.Name, Digest: file.Digest, State: report.Proven, How: "the release's digest is that of the built file"}
		if err != nil {
			row.State, row.How = report.Refuted, err.Error()
		}
		r.report.Artifacts = append(r.report.Artifacts, row)
	}
	return err
}
