package release

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"time"

	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/report"
)

// Signer signs, by digest, the images and charts of a release.
type Signer struct {
	// Command is cosign, looked up on PATH; "" signs nothing, for the reason in Why.
	Command string
	Env     []string  // cosign's whole environment
	Output  io.Writer // receives cosign's output; nil discards it
	Why     string    // the reason, for the log of the step
}

// Check checks that the command is on PATH.
func (s Signer) Check() error {
	if _, err := exec.LookPath(s.Command); s.Command != "" && err != nil {
		return outcome.Usagef("no command %s found on PATH: "+
			"install cosign 3 or newer, with sigstore/cosign-installer or from https://docs.sigstore.dev", s.Command)
	}
	return nil
}

// sign signs the checked artifacts, and lists them for actions/attest. A signature refers to
// a digest, so it can exist before the final name does.
func (r *Releaser) sign(
	ctx context.Context, artifacts []promotion, files []goreleaser.File, rep *report.Report,
) (string, error) {
	rep.Subjects = subjects(artifacts, files)
	if r.Signer.Command == "" {
		return "not signed: " + r.Signer.Why, nil
	}
	for _, a := range artifacts {
		if err := r.signOne(ctx, a); err != nil {
			return "", fmt.Errorf("signing %s@%s: %w", a.at, a.digest, err)
		}
	}
	did := "cosign signed " + report.Count(len(artifacts), "artifact") + " by digest"
	if len(files) > 0 {
		did += "; not signed: " + report.Count(len(files), "asset") + ", which are in no registry"
	}
	return did, nil
}

// subjects returns the subjects in the form of actions/attest: an image or chart by its
// location without a tag, a file by its name.
func subjects(artifacts []promotion, files []goreleaser.File) []report.Subject {
	var all []report.Subject
	for _, a := range artifacts {
		all = append(all, report.Subject{Name: a.at, Digest: a.digest})
	}
	for _, f := range files {
		all = append(all, report.Subject{Name: f.Name, Digest: f.Digest})
	}
	return all
}

// signOne signs one artifact, and checks that the registry then has a new signature. An
// older signature does not count, because it may be from another signer.
func (r *Releaser) signOne(ctx context.Context, a promotion) error {
	before, err := r.Registry.Bundles(ctx, a.at, a.digest)
	if err != nil {
		return err
	}
	if err := r.Signer.run(ctx, a.at+"@"+a.digest); err != nil {
		return err
	}
	after, err := r.Registry.Bundles(ctx, a.at, a.digest)
	if err != nil {
		return err
	}
	isNew := func(bundle []byte) bool { return !contains(before, bundle) }
	if !slices.ContainsFunc(after, isNew) {
		return outcome.Wrongf("cosign succeeded, but the registry has no new signature: " +
			"use cosign 3 or newer, which stores signatures as Sigstore bundles")
	}
	return nil
}

func contains(bundles [][]byte, one []byte) bool {
	return slices.ContainsFunc(bundles, func(b []byte) bool { return bytes.Equal(b, one) })
}

// run signs one reference. --yes agrees that the signer's identity becomes public.
func (s Signer) run(ctx context.Context, reference string) error {
	var output bytes.Buffer
	cmd := exec.CommandContext(ctx, s.Command, "sign", "--yes", reference)
	cmd.Env, cmd.Stdout = s.Env, &output
	if s.Output != nil {
		cmd.Stdout = io.MultiWriter(&output, s.Output)
	}
	cmd.Stderr = cmd.Stdout
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cosign sign: %w; the end of its output:\n%s", err, report.LastLines(output.String(), 15))
	}
	return nil
}
