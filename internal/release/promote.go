package release

import (
	"context"
	"errors"
	"fmt"

	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/report"
)

// promote gives each image and chart its final tag, by digest.
func (t *Train) promote(ctx context.Context, artifacts []artifact) (string, error) {
	for _, a := range artifacts {
		if err := t.Registry.Promote(ctx, a.at, a.digest, a.tag); err != nil {
			return "", err
		}
	}
	return report.Count(len(artifacts), "artifact") + " by digest, in dependency order", nil
}

// publish makes the draft release public, last of all.
func (t *Train) publish(ctx context.Context, src source) (string, error) {
	release, err := t.currentRelease(ctx)
	if err != nil {
		return "", err
	}
	if !release.Draft {
		return release.URL + " is public already", nil
	}
	acted := t.Forge.Publish(ctx, t.File.Own().Repository, release.ID, t.Version.Prerelease() != "")
	after, looked := t.publishedRelease(ctx)
	if looked == nil && after == nil {
		looked = outcome.Wrongf("release %s was published, but is not public", t.Version.Tag())
	}
	if looked != nil {
		return "", errors.Join(acted, looked)
	}
	return after.URL, t.confirmTag(ctx, t.Version.Tag(), src.commit)
}

// prove looks at everything once more by its final name. Its rows are complete
// also beside an error.
func (t *Train) prove(ctx context.Context, artifacts []artifact, files []BuiltFile, rep *report.Report) ([]report.Artifact, string, error) {
	var rows []report.Artifact
	var errs []error
	for _, a := range artifacts {
		row, err := t.proveArtifact(ctx, a, rep)
		rows, errs = append(rows, row), append(errs, err)
	}
	if len(files) > 0 {
		assets, err := t.proveAssets(ctx, files)
		rows, errs = append(rows, assets...), append(errs, err)
	}
	return rows, report.Count(len(rows), "artifact") + " hold what was built", errors.Join(errs...)
}

// proveArtifact: a final name holds the digest. What rests on a stand-in is
// not called proven, though the artifact itself is ours and real.
func (t *Train) proveArtifact(ctx context.Context, a artifact, rep *report.Report) (report.Artifact, error) {
	row := report.Artifact{Name: a.at + ":" + a.tag, Digest: a.digest, State: report.Proven, How: a.how}
	there, err := t.Registry.Published(ctx, a.at, a.tag, a.digest)
	if err == nil && !there {
		err = outcome.Wrongf("%s was promoted, and is not there", row.Name)
	}
	if err != nil {
		row.State, row.How = stateOf(err), err.Error()
		return row, err
	}
	if err := t.seenByAnybody(ctx, a); err != nil {
		rep.Open([]report.Open{{What: row.Name, Because: "seen with our credentials only: a new package is private until it is made public in its settings: " + err.Error()}})
		row.State, row.How = report.Unchecked, row.How+"; nobody else can see it"
		return row, nil
	}
	rests := 0
	for _, target := range a.targets {
		if rep.IsOpen(target.At + ":" + target.Tag) {
			rests++
		}
	}
	if rests > 0 {
		row.State = report.Unchecked
		row.How += "; rests on " + report.Count(rests, "stand-in")
	}
	return row, nil
}

// seenByAnybody looks without credentials.
func (t *Train) seenByAnybody(ctx context.Context, a artifact) error {
	there, err := t.Public.Published(ctx, a.at, a.tag, a.digest)
	if err == nil && !there {
		err = oci.ErrAbsent
	}
	return err
}

// stateOf tells refuted from could not ask.
func stateOf(err error) report.State {
	if outcome.Of(err) == outcome.Wrong {
		return report.Refuted
	}
	return report.Unchecked
}

func (t *Train) proveAssets(ctx context.Context, files []BuiltFile) ([]report.Artifact, error) {
	release, err := t.publishedRelease(ctx)
	if err == nil && release == nil {
		err = outcome.Wrongf("there is no public release %s", t.Version.Tag())
	}
	if err != nil {
		return nil, err
	}
	var rows []report.Artifact
	var errs []error
	for _, file := range files {
		row := report.Artifact{Name: "release asset " + file.Name, Digest: file.Digest, State: report.Proven, How: "the release's digest is that of the built file"}
		if err := t.checkAssets(ctx, release, []BuiltFile{file}); err != nil {
			row.State, row.How = stateOf(err), err.Error()
			errs = append(errs, fmt.Errorf("%s: %w", row.Name, err))
		}
		rows = append(rows, row)
	}
	return rows, errors.Join(errs...)
}
