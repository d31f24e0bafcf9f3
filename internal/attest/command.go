package attest

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/kubestellar/actions/internal/outcome"
)

// run verifies a bundle with gh, and returns the verified claim. gh runs without a shell, and
// sees no other files of the user.
func (v Verifier) run(ctx context.Context, bundle []byte, predicate string, s Subject, p Policy) (claim, error) {
	command, err := exec.LookPath(v.Command)
	if err != nil {
		return claim{}, fmt.Errorf("could not check: no command %s found on PATH: "+
			"install the GitHub CLI, 2.78 or newer, from https://cli.github.com", v.Command)
	}
	dir, err := os.MkdirTemp("", "ghhelper-attest-*")
	if err != nil {
		return claim{}, err
	}
	defer os.RemoveAll(dir)
	args, err := v.arguments(ctx, dir, bundle, predicate, s, p)
	if err != nil {
		return claim{}, err
	}
	var out, errOut bytes.Buffer
	cmd := exec.CommandContext(ctx, command, args...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = dir, &out, &errOut
	cmd.Env = v.environment(dir)
	cmd.WaitDelay = 10 * time.Second
	if err := cmd.Run(); err != nil {
		return claim{}, explain(err, errOut.String())
	}
	return parse(out.Bytes())
}

// arguments writes gh's input files into dir, and returns its arguments. A manifest is passed
// as a file, whose SHA-256 is the digest. Otherwise gh would query the registry with its own
// credentials.
func (v Verifier) arguments(
	ctx context.Context, dir string, bundle []byte, predicate string, s Subject, p Policy,
) ([]string, error) {
	file, err := filepath.Abs(s.Path)
	if s.Path == "" {
		file = filepath.Join(dir, "subject")
		err = v.writeManifest(ctx, file, s)
	}
	if err != nil {
		return nil, err
	}
	bundleFile := filepath.Join(dir, "bundle.json")
	if err := os.WriteFile(bundleFile, bundle, 0o600); err != nil {
		return nil, err
	}
	args := []string{
		"attestation", "verify", file,
		"--bundle", bundleFile,
		"--format", "json",
		"--predicate-type", predicate,
		"--repo", p.Repository,
		"--source-ref", "refs/tags/" + p.Tag,
		"--source-digest", p.Commit,
	}
	if p.Workflow != "" {
		args = append(args, "--signer-workflow", strings.TrimPrefix(server, "https://")+p.Workflow)
	}
	if v.TrustedRoot != "" {
		root, err := filepath.Abs(v.TrustedRoot)
		if err != nil {
			return nil, err
		}
		args = append(args, "--custom-trusted-root", root)
	}
	return args, nil
}

func (v Verifier) writeManifest(ctx context.Context, file string, s Subject) error {
	manifest, err := v.Registry.Manifest(ctx, s.At, s.Digest)
	if err != nil {
		return err
	}
	return os.WriteFile(file, manifest, 0o600)
}

// networkVariables are the variables that configure the network for programs in Go.
var networkVariables = []string{
	"PATH", "HTTPS_PROXY", "https_proxy", "HTTP_PROXY", "http_proxy", "NO_PROXY", "no_proxy",
	"SSL_CERT_FILE", "SSL_CERT_DIR",
}

// Environment returns the variables of a process that a Verifier's gh needs.
func Environment(environ []string) []string {
	return slices.DeleteFunc(slices.Clone(environ), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return !slices.Contains(networkVariables, name)
	})
}

// environment returns an environment without the user's configuration and tokens, in which
// gh does not announce updates.
func (v Verifier) environment(dir string) []string {
	home := v.Home
	if home == "" {
		home = dir
	}
	return append(slices.Clone(v.Env),
		"HOME="+home, "XDG_CONFIG_HOME="+home, "XDG_CACHE_HOME="+home, "XDG_DATA_HOME="+home, "XDG_STATE_HOME="+home,
		"GH_CONFIG_DIR="+home, "GH_NO_UPDATE_NOTIFIER=1", "GH_PROMPT_DISABLED=1", "NO_COLOR=1",
		"GH_TOKEN=", "GITHUB_TOKEN=", "GH_HOST=", "GH_DEBUG=")
}

// refusals are gh's messages about a bundle that is invalid. Any other message means that gh
// could not verify it.
// https://github.com/cli/cli/tree/v2.83.0/pkg/cmd/attestation/verification
var refusals = []struct{ message, means string }{
	{"verifying with issuer", "its signature, certificate, time or digest is invalid"},
	{"no custom verifier found for issuer", "its certificate is from an authority that is not trusted"},
	{"leaf certificate issuer is not recognized", "its certificate is from an authority that is not trusted"},
	{"expected SourceRepository", "it names something else"},
	{"expected Issuer", "GitHub did not issue its identity"},
	{"bundle content could not be parsed", "it is not a Sigstore bundle"},
}

func explain(err error, stderr string) error {
	stderr = strings.TrimSpace(stderr)
	if exit := new(exec.ExitError); errors.As(err, &exit) && exit.Exited() {
		for _, refusal := range refusals {
			if strings.Contains(stderr, refusal.message) {
				return outcome.Wrongf("%s; gh attestation verify printed: %s", refusal.means, lastLine(stderr))
			}
		}
	}
	return fmt.Errorf("could not check: gh attestation verify: %w: %s", err, stderr)
}

func lastLine(text string) string {
	return strings.TrimPrefix(text[strings.LastIndex(text, "\n")+1:], "Error: ")
}

// parse reads gh's output: an entry for each verified attestation.
func parse(out []byte) (claim, error) {
	var entries []struct {
		Result struct {
			Statement statement `json:"statement"`
			Signature struct {
				Certificate struct {
					Name       string `json:"subjectAlternativeName"`
					Repository string `json:"sourceRepositoryURI"`
					Commit     string `json:"sourceRepositoryDigest"`
					Ref        string `json:"sourceRepositoryRef"`
				} `json:"certificate"`
			} `json:"signature"`
		} `json:"verificationResult"`
	}
	if err := json.Unmarshal(out, &entries); err != nil || len(entries) != 1 {
		return claim{}, fmt.Errorf("could not check: gh attestation verify printed %d entries of JSON, want one (%v)",
			len(entries), err)
	}
	verified := entries[0].Result
	c := verified.Signature.Certificate
	return claim{
		predicate:  verified.Statement.PredicateType,
		digests:    verified.Statement.digests(),
		identity:   c.Name,
		repository: c.Repository,
		ref:        c.Ref,
		commit:     c.Commit,
	}, nil
}
