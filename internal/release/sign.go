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

// Signer signs, by digest, what a release has put into registries.
type Signer struct {
	// Command is cosign, found on PATH; "" signs nothing, for the reason in Why.
	Command string
	Env     []string  // cosign's whole environment
	Output  io.Writer // receives cosign's output; nil discards it
	Why     string    // nothing is signed; as the step says it
}

// Check tells whether the command is there that signs.
func (s Signer) Check() error {
	if _, err := exec.LookPath(s.Command); s.Command != "" && err != nil {
		return outcome.Usagef("no command %s found on PATH: install cosign 3 or newer, by sigstore/cosign-installer or from https://docs.sigstore.dev", s.Command)
	}
	return nil
}

// sign signs what has been checked, and lists it for who attests afterwards. A
// signature is about a digest, so it is there before anybody sees the name.
func (r *Releaser) sign(ctx context.Context, artifacts []promotion, files []goreleaser.File, rep *report.Report) (string, error) {
	rep.Subjects = subjects(artifacts, files)
	if r.Signer.Command == "" {
		return "not signed: " + r.Signer.Why, nil
	}
	for _, a := range artifacts {
		if err := r.signOne(ctx, a); err != nil {
			return "", fmt.Errorf("signing %s@%s: %w", a.at, a.digest, err)
		}
	}
	said := "cosign signed " + report.Count(len(artifacts), "artifact") + " by digest"
	if len(files) > 0 {
		said += "; not signed: " + report.Count(len(files), "asset") + ", which are in no registry"
	}
	return said, nil
}

// subjects are named as actions/attest wants them: an image or chart by its
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

// signOne signs, and looks whether the registry then has one signature more. One
// that was there before does not count: only who verifies it knows whose it is.
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
		return outcome.Wrongf("cosign ended well, and the registry has no signature that it had not before: use cosign 3 or newer, which keeps them as Sigstore bundles")
	}
	return nil
}

func contains(bundles [][]byte, one []byte) bool {
	return slices.ContainsFunc(bundles, func(b []byte) bool { return bytes.Equal(b, one) })
}

// run signs one reference. --yes: nobody is there to agree that the identity
// becomes public.
func (s Signer) run(ctx context.Context, reference string) error {
	var said bytes.Buffer
	cmd := exec.CommandContext(ctx, s.Command, "sign", "--yes", reference)
	cmd.Env, cmd.Stdout = s.Env, &said
	if s.Output != nil {
		cmd.Stdout = io.MultiWriter(&said, s.Output)
	}
	cmd.Stderr = cmd.Stdout
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("cosign sign: %w; the end of its output:\n%s", err, report.LastLines(said.String(), 15))
	}
	return nil
}
