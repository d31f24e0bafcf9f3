package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/kubestellar/actions/internal/rehearsal"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/test/networktest"
)

// ghhelper returns the program, which is built once for these tests.
func ghhelper(t *testing.T) string {
	t.Helper()
	networktest.SkipIfShort(t)
	path := filepath.Join(t.TempDir(), "ghhelper")
	if out, err := exec.Command("go", "build", "-o", path, ".").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

func rehearse(t *testing.T, program string, args ...string) (output string, code int) {
	t.Helper()
	cmd := exec.Command(program, append([]string{"rehearse"}, args...)...)
	out, _ := cmd.CombinedOutput() // the exit code shows the error
	return string(out), cmd.ProcessState.ExitCode()
}

var standIn = regexp.MustCompile(`(?m)^  stand-in for \w+ (\S+)$`)

// Each artifact of others that this release refers to, directly or through a chart, makes the
// rehearsal fail before the tag if it is withheld, and is named.
func TestWithholdingAnyStandInFails(t *testing.T) {
	t.Parallel()
	program := ghhelper(t)
	listed, code := rehearse(t, program, "--without", "no/such:thing")
	if code != 2 {
		t.Fatalf("withholding nothing: exit code %d\n%s", code, listed)
	}
	for _, component := range []string{"controller-manager:", "ocm-status-addon:", "ocm-status-addon-chart:", "ocm-transport-plugin/transport-controller:",
		"chart/ocm-transport-plugin:", "clusteradm:", "helm:", "kubectl:", "kube-rbac-proxy:", "kubeflex-operator:", "kubeflex/manager:"} {
		if !strings.Contains(listed, component) {
			t.Errorf("there is no stand-in for %s", component)
		}
	}
	for _, match := range standIn.FindAllStringSubmatch(listed, -1) {
		withheld := match[1]
		t.Run(strings.ReplaceAll(withheld, "/", "|"), func(t *testing.T) {
			t.Parallel()
			out, code := rehearse(t, program, "--without", withheld)
			if code != 1 {
				t.Fatalf("exit code %d, want 1\n%s", code, out)
			}
			_, told, _ := strings.Cut(out, "✗")
			if !strings.Contains(told, withheld) || strings.Contains(out, "✓ tag") {
				t.Errorf("want the failure to name %s, before the tag:\n%s", withheld, out)
			}
		})
	}
}

// The kept network answers the real helm and git by the real names. Two rehearsals of one commit,
// from clones in two folders, have the same digests.
func TestRehearseKept(t *testing.T) {
	t.Parallel()
	first := keptRehearsal(t, lookAround)
	second := keptRehearsal(t, func(*testing.T, rehearsal.Kept) {})
	if len(first.Artifacts) < 10 || len(first.Artifacts) != len(second.Artifacts) {
		t.Fatalf("%d and %d artifacts", len(first.Artifacts), len(second.Artifacts))
	}
	digests := map[string]string{}
	for _, a := range first.Artifacts {
		digests[a.Name] = a.Digest
	}
	for _, a := range second.Artifacts {
		if digests[a.Name] != a.Digest {
			t.Errorf("%s: %s, and in another folder on another port %s", a.Name, digests[a.Name], a.Digest)
		}
	}
}

// keptRehearsal rehearses HEAD of a fresh clone of this repository.
func keptRehearsal(t *testing.T, kept func(*testing.T, rehearsal.Kept)) *report.Report {
	t.Helper()
	networktest.SkipIfShort(t)
	dir := filepath.Join(t.TempDir(), "clone of it")
	if out, err := exec.Command("git", "clone", "--quiet", "../..", dir).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	var out bytes.Buffer
	w := process{Stdout: &out, Stderr: &out, Environ: os.Environ()}
	src, err := w.opener("delivery.yaml").Head(context.Background(), dir)
	if err != nil {
		t.Fatal(err)
	}
	v, err := parseVersion("9.8.7")
	if err != nil {
		t.Fatal(err)
	}
	r := &rehearsal.Rehearsal{Repo: src.Repo, Config: "delivery.yaml", File: src.File, Version: v, Executable: ghhelper(t), Out: &out, Now: time.Now,
		Kept: func(_ context.Context, k rehearsal.Kept) { kept(t, k) }}
	rep, err := r.Run(context.Background())
	if err != nil {
		t.Fatalf("%v\n%s", err, out.String())
	}
	return rep
}

// lookAround runs the commands that --keep prints.
func lookAround(t *testing.T, k rehearsal.Kept) {
	dir := t.TempDir()
	for _, c := range k.Charts {
		at, version, _ := strings.Cut(c, ":")
		shown := inKept(t, k, dir, "helm", "show", "chart", "oci://"+at, "--version", version)
		if !strings.Contains(shown, "\nversion: 9.8.7\n") || !strings.Contains(shown, "appVersion: 9.8.7\n") {
			t.Errorf("helm show chart %s:\n%s", c, shown)
		}
		rendered := inKept(t, k, dir, "helm", "template", "x", "oci://"+at, "--version", version)
		if !strings.Contains(rendered, "9.8.7") || strings.Contains(rendered, "unstamped") {
			t.Errorf("helm template %s does not run version 9.8.7", c)
		}
	}
	inKept(t, k, dir, "git", "clone", "--quiet", "--branch", "v9.8.7", k.Source, "cloned")
	stampThere(t, k, dir)
}

// stampThere checks that the output of `ghhelper stamp` in the released clone passes the real
// helm's lint. It proves the published artifacts, and sees the proof fail once the tag has moved.
func stampThere(t *testing.T, k rehearsal.Kept, dir string) {
	program, clone := ghhelper(t), filepath.Join(dir, "cloned")
	inKept(t, k, clone, program, "stamp", "v9.8.7", "--out", "../stamped")
	for _, c := range k.Charts {
		at, _, _ := strings.Cut(c, ":")
		inKept(t, k, dir, "helm", "lint", "--strict", filepath.Join("stamped", path.Base(at)))
	}
	prove := func() (string, int) {
		cmd := exec.Command(program, "prove", "actions", "9.8.7", "--accept-stand-ins")
		cmd.Dir, cmd.Env = clone, append(slices.Clone(k.Env), "GITHUB_TOKEN=")
		out, _ := cmd.CombinedOutput() // the exit code shows the error
		return string(out), cmd.ProcessState.ExitCode()
	}
	if out, code := prove(); code != 0 || strings.Count(out, ", byte for byte\n") != 1 || !strings.Contains(out, " 0 refuted") {
		t.Errorf("the release is not proven: exit code %d\n%s", code, out)
	}
	inKept(t, k, clone, "git", "rm", "--quiet", "chart/README.md")
	inKept(t, k, clone, "git", "commit", "--quiet", "--message", "another")
	inKept(t, k, clone, "git", "push", "--quiet", "--force", "origin", "HEAD:refs/tags/v9.8.7")
	if out, code := prove(); code != 1 || !strings.Contains(out, "1 refuted") || !strings.Contains(out, "the tag has moved") {
		t.Errorf("with the tag on another commit: exit code %d\n%s", code, out)
	}
}

func inKept(t *testing.T, k rehearsal.Kept, dir, command string, args ...string) string {
	t.Helper()
	cmd := exec.Command(command, args...)
	cmd.Dir, cmd.Env = dir, k.Env
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%s %s: %v\n%s", command, strings.Join(args, " "), err, out)
	}
	return string(out)
}

// An upstream's release moves every pin in one pull request. It is merged, and verify has no
// findings afterwards.
func TestUpstreamArrives(t *testing.T) {
	t.Parallel()
	program := ghhelper(t)
	out, code := rehearse(t, program, "--upstream", "ocm-transport-plugin@0.1.12")
	if code != 0 {
		t.Fatalf("exit code %d\n%s", code, out)
	}
	for _, want := range []string{"pull request 1: https://github.com/kubestellar/actions/pull/1", "+OCM_TRANSPORT_PLUGIN_VERSION: \"0.1.12\"", "✓ merge",
		" 0 findings", "✓ verify"} {
		if !strings.Contains(out, want) {
			t.Errorf("the output lacks %q:\n%s", want, out)
		}
	}
	if strings.Contains(out, "✓ build") {
		t.Error("our own release was rehearsed too")
	}
	if out, code := rehearse(t, program, "--upstream", "ocm-transport-plugin@0.1.10"); code != 1 || !strings.Contains(out, "is newer already") {
		t.Errorf("an older release: exit code %d\n%s", code, out)
	}
	for _, wrong := range []string{"nobody@1.0.0", "actions@1.0.0", "ocm-transport-plugin", "ocm-transport-plugin@new", "--version@1.0.0"} {
		if out, code := rehearse(t, program, "--upstream", wrong); code != 2 {
			t.Errorf("--upstream %s: exit code %d\n%s", wrong, code, out)
		}
	}
}
