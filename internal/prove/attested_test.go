package prove_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/attest"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/test/testkit"
)

// statement is the content of an attestation that tools/attest-test makes.
type statement struct {
	File       string `json:"file"`
	Name       string `json:"name"`
	Digest     string `json:"digest"`
	Predicate  string `json:"predicate"`
	Repository string `json:"repository"`
	Ref        string `json:"ref"`
	Commit     string `json:"commit"`
	Signer     string `json:"signer"`
}

// attested checks attestations with the real gh. If some things of a release are attested and one
// is not, the proof reports that one. It runs last, because attestations cannot be removed.
func attested(t *testing.T, s *stage) {
	var statements []statement
	proof := s.prove(t)
	for i, subject := range proof.Subjects() {
		about := proof.About(subject)
		digest, _, _ := strings.Cut(about[0].Evidence, ",")
		if !strings.HasPrefix(digest, "sha256:") {
			continue // a tag, or the release
		}
		repository, commit := owned, s.commit
		if strings.Contains(subject, engineImage) {
			repository, commit = "example/engine", evidenced(t, about, "image-revision")
		}
		statements = append(statements, statement{fmt.Sprintf("%d.json", i), subject, digest, "https://slsa.dev/provenance/v1", repository,
			"refs/tags/v" + version, commit, repository + "/.github/workflows/release.yml@refs/tags/v" + version})
	}
	wrong := statements[0]
	wrong.File, wrong.Commit = "wrong.json", s.other
	bundles, root := s.makeBundles(t, append(statements, wrong))
	prover := s.prover(t)
	prover.Attestations = &attest.Verifier{GitHub: s.For(t).GitHub("").Attestations, Registry: s.Anonymous(), Command: testkit.Tool(t, "gh"), TrustedRoot: root,
		Env: []string{"HTTPS_PROXY=http://127.0.0.1:1"}}

	proof = look(t, prover)
	wholly(t, proof)
	if notes := strings.Join(proof.Notes, "\n"); !strings.Contains(notes, "Not signed: there is no attestation of "+statements[0].Name) {
		t.Errorf("nothing is signed, and the notes say %q", notes)
	}
	testkit.Must(t, s.Forge.Attest(wrong.Repository, wrong.Digest, bundles["wrong.json"]))
	proof = look(t, prover)
	for _, a := range proof.Associations {
		switch {
		case a.Rule == "signed" && a.Subject == wrong.Name:
			if a.State != report.Refuted || !strings.Contains(a.Evidence, s.other) {
				t.Errorf("an attestation of another commit: %s", line(a))
			}
		case a.Rule == "signed":
			if a.State != report.Unchecked || !strings.Contains(a.Evidence, "there is none, though") {
				t.Errorf("beside something that is attested: %s", line(a))
			}
		case a.State != report.Proven:
			t.Errorf("%s", line(a))
		}
	}
	for _, one := range statements {
		testkit.Must(t, s.Forge.Attest(one.Repository, one.Digest, bundles[one.File]))
	}
	proof = look(t, prover)
	wholly(t, proof)
	signed := 0
	for _, a := range proof.Associations {
		if a.Rule == "signed" {
			signed++
		}
	}
	if signed != len(statements) || len(proof.Notes) > 0 {
		t.Errorf("%d of %d are signed; notes %q", signed, len(statements), proof.Notes)
	}
}

// evidenced returns the first word of the evidence for a rule.
func evidenced(t *testing.T, about []report.Association, rule string) string {
	t.Helper()
	for _, a := range about {
		if a.Rule == rule {
			word, _, _ := strings.Cut(a.Evidence, " ")
			return word
		}
	}
	t.Fatalf("no evidence by %s", rule)
	return ""
}

// makeBundles returns attestations of the statements, signed by an authority of the test, and that
// authority's root.
func (s *stage) makeBundles(t *testing.T, statements []statement) (bundles map[string][]byte, root string) {
	t.Helper()
	dir := t.TempDir()
	list, err := json.Marshal(statements)
	testkit.Must(t, err)
	cmd := exec.Command(testkit.Tool(t, "attest-test"), dir)
	cmd.Stdin = bytes.NewReader(list)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("attest-test: %v\n%s", err, out)
	}
	bundles = map[string][]byte{}
	for _, one := range statements {
		bundles[one.File], err = os.ReadFile(filepath.Join(dir, one.File))
		testkit.Must(t, err)
	}
	return bundles, filepath.Join(dir, "trusted_root.jsonl")
}
