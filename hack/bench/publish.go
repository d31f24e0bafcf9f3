package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
)

// The versions of the charts, one for ghhelper and one for helm, so that both push.
const (
	ourVersion  = "9.8.7"
	helmVersion = "9.8.8"
)

// byHelm is the work by hand: copy, sed, package and push, with the dependency on disk. It
// checks nothing.
const byHelm = `set -eu
for chart in chart core-chart; do
  cp -r "$CLONE/$chart" "$OUT/$chart"
  find "$OUT/$chart" -type f -exec sed -i -e '/ghhelper:source-only/d' -e "s/0\.0\.0-unstamped/$VERSION/g" {} +
done
mkdir "$OUT/core-chart/charts"
cp "$DEPENDENCY"/*.tgz "$OUT/core-chart/charts/"
for chart in chart core-chart; do helm package --destination "$OUT" "$OUT/$chart"; done
for package in "$OUT"/*.tgz; do helm push "$package" oci://ghcr.io/kubestellar/kubestellar; done
`

// charts times ghhelper publish of this repository's charts, and sed with helm. Each round
// has a new network, so that everything is pushed.
func charts(dir string) error {
	const rounds = 5
	var own, alone, helm []float64
	for round := range rounds + 1 { // the first warms the caches
		ours, steps, theirs, err := chartsOnce(filepath.Join(dir, "charts-"+strconv.Itoa(round)))
		if err != nil {
			return err
		}
		if round > 0 {
			own, alone, helm = append(own, ours), append(alone, steps), append(helm, theirs)
		}
	}
	row("charts, stamp to prove", median(alone)/median(helm), 0.5, "×",
		fmt.Sprintf("%.2f s of its steps stamp, stage, promote and prove, to %.2f s of sed, helm package and "+
			"helm push (medians of %d)", median(alone), median(helm), rounds))
	fmt.Printf("%-28s %8.1f ×    the whole of ghhelper publish, %.2f s, which also checks all references and rights, "+
		"and proves the staged charts\n", "", median(own)/median(helm), median(own))
	return nil
}

// chartsOnce also returns the time of ghhelper's steps that make, push and prove the
// charts, without its checks before.
func chartsOnce(dir string) (own, alone, helm float64, err error) {
	w, err := networktest.Start(filepath.Join(dir, "network"), network.Options{})
	if err != nil {
		return 0, 0, 0, err
	}
	defer w.Close()
	here, err := staged(dir, w)
	if err != nil {
		return 0, 0, 0, err
	}
	by, err := helmScript(dir, here)
	if err != nil {
		return 0, 0, 0, err
	}
	if helm, err = timed(by); err != nil {
		return 0, 0, 0, err
	}
	report := filepath.Join(dir, "report")
	if own, err = published(here, ourVersion, "--report", report); err != nil {
		return 0, 0, 0, err
	}
	for _, name := range []string{"stamp", "stage", "promote", "prove"} {
		took, err := stepTime(report, name)
		if err != nil {
			return 0, 0, 0, err
		}
		alone += took
	}
	return own, alone, helm, nil
}

// staged returns a clone of this repository in a rehearsal's network, with the tag of the
// charts.
func staged(dir string, w *networktest.Network) (git.Repo, error) {
	version, err := ref.ParseVersion(ourVersion)
	if err != nil {
		return git.Repo{}, err
	}
	file, err := delivery.Load(os.DirFS("."), delivery.FileName)
	if err != nil {
		return git.Repo{}, err
	}
	ctx := context.Background()
	r := &rehearsal.Rehearsal{
		Repo: git.Repo{Dir: ".", Env: os.Environ()}, Config: delivery.FileName, File: file, Version: version,
		Out: io.Discard, Now: time.Now,
	}
	here := git.Repo{Dir: filepath.Join(dir, "clone")}
	if here.Env, err = r.Prepare(ctx, w.Network, here.Dir); err != nil {
		return here, err
	}
	return here, tagged(ctx, here, version.WithV())
}

func tagged(ctx context.Context, here git.Repo, tag string) error {
	_, err := here.Run(ctx, "tag", tag)
	if err == nil {
		_, err = here.Run(ctx, "push", "--quiet", "origin", tag)
	}
	return err
}

// helmScript fetches the dependency, which is not timed: only ghhelper has to fetch it each
// time, to compare it with the recorded digest.
func helmScript(dir string, here git.Repo) (*exec.Cmd, error) {
	dependency, out := filepath.Join(dir, "dependency"), filepath.Join(dir, "out")
	for _, folder := range []string{dependency, out} {
		if err := os.MkdirAll(folder, 0o755); err != nil {
			return nil, err
		}
	}
	pull := exec.Command("helm", "pull", "oci://ghcr.io/kubestellar/kubeflex/chart/kubeflex-operator",
		"--version", "v0.6.1", "--destination", dependency)
	pull.Env = here.Env
	if _, err := timed(pull); err != nil {
		return nil, err
	}
	script := exec.Command("sh", "-c", byHelm)
	script.Env = append(here.Env, "CLONE="+here.Dir, "OUT="+out, "DEPENDENCY="+dependency, "VERSION="+helmVersion)
	return script, nil
}

// published times ghhelper publish. Its exit code is not 0, because of stand-ins.
func published(here git.Repo, version string, flags ...string) (seconds float64, err error) {
	flags = append([]string{"publish", version, "--accept-stand-ins"}, flags...)
	cmd := inFolder(here.Dir, exec.Command("ghhelper", flags...))
	cmd.Env = here.Env
	start := time.Now()
	out, err := cmd.CombinedOutput()
	seconds = time.Since(start).Seconds()
	if !strings.Contains(string(out), "✓ prove ") {
		return 0, fmt.Errorf("ghhelper publish: %w\n%s", err, out)
	}
	return seconds, nil
}
