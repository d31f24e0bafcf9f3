package cluster

import (
	"context"
	"errors"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Follower installs a release as a user does and records each arrow that is used.
type Follower struct {
	File    *delivery.File
	Version ref.Version
	Shell   Shell
	Events  <-chan Event
	// Out gets a line for each followed arrow.
	Out io.Writer
	// OnBroken is called with an arrow that cannot be followed, and returns nil to continue. A nil
	// function never continues.
	OnBroken func(context.Context, Arrow, error) error

	mu       sync.Mutex // guards followed
	followed map[Arrow]bool
	charts   map[Object]string // the chart of each object
}

// Followed returns the arrows so far.
func (f *Follower) Followed() []Arrow {
	f.mu.Lock()
	defer f.mu.Unlock()
	return slices.SortedFunc(maps.Keys(f.followed), compareArrows)
}

// values request one ITS and one WDS on the hosting cluster itself. The other types need a database
// (k8s) or a cluster in pods (vcluster) behind their API servers, which no kubelet runs here.
const values = `ITSes: [{name: its1, type: host}]
WDSes: [{name: wds1, type: host, APIGroups: "apps,batch"}]
`

// planes are the resources that `kflex create` makes, with the standalone hooks.
const planes = `apiVersion: tenancy.kflex.kubestellar.org/v1alpha1
kind: ControlPlane
metadata: {name: its2}
spec:
  backend: shared
  type: host
  postCreateHook: ocm
  postCreateHookVars: {ITSSecretName: admin-kubeconfig, ITSSecretKey: kubeconfig-incluster}
---
apiVersion: tenancy.kflex.kubestellar.org/v1alpha1
kind: ControlPlane
metadata: {name: wds2}
spec:
  backend: shared
  type: host
  postCreateHook: kubestellar
  postCreateHookVars: {ITSName: its1}
`

// Follow runs everything: install, the control planes and their hooks, the standalone hooks,
// uninstall.
func (f *Follower) Follow(ctx context.Context) error {
	f.followed, f.charts = map[Arrow]bool{}, map[Object]string{}
	before, err := f.settled(ctx)
	if err != nil {
		return err
	}
	for _, step := range []struct {
		name string
		do   func(context.Context) error
	}{
		{"helm install core-chart", f.install},
		{"the hooks its and wds", f.jobs("its1-system/its", "wds1-system/wds")},
		{"what they installed", f.deployments},
		{"the standalone hooks", f.standalone},
		{"the hooks ocm and kubestellar", f.jobs("its2-system/ocm", "wds2-system/kubestellar")},
		{"what they installed", f.deployments},
		{"taking down what the standalone hooks made", f.takeDown},
		{"helm uninstall core-chart", f.uninstall},
	} {
		fmt.Fprintf(f.Out, "  %s\n", step.name)
		if err := f.while(ctx, step.do); err != nil {
			return fmt.Errorf("%s: %w", step.name, err)
		}
	}
	return f.nothingLeft(ctx, before)
}

// while runs a step and handles the events meanwhile.
func (f *Follower) while(ctx context.Context, do func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, 3*time.Minute)
	defer cancel()
	done := make(chan error, 1)
	go func() { done <- do(ctx) }()
	for {
		select {
		case err := <-done:
			return errors.Join(err, f.drain(ctx))
		case e := <-f.Events:
			if err := f.see(ctx, e); err != nil {
				cancel()
				<-done
				return err
			}
		}
	}
}

func (f *Follower) drain(ctx context.Context) error {
	for {
		select {
		case e := <-f.Events:
			if err := f.see(ctx, e); err != nil {
				return err
			}
		default:
			return nil
		}
	}
}

// see records an event of a container.
func (f *Follower) see(ctx context.Context, e Event) error {
	from := f.from(ctx, e.Owner)
	image := Arrow{From: from}
	at, tag := split(e.Image)
	image.To, image.Version = artifactAt(f.File, at, tag)
	inside, ran := f.helmChart(from, e.Argv)
	switch {
	case e.What == Missing && f.isExcused(e.Image):
		fmt.Fprintf(f.Out, "    %s is not there, as %s allows; its container does not run\n", e.Image, delivery.FileName)
	case e.What == Missing:
		return f.broken(ctx, image, e.err())
	case e.What == Failed && ran:
		return f.broken(ctx, inside, e.err())
	case e.What == Failed:
		return f.broken(ctx, image, e.err())
	case e.What == Started || e.What == Held:
		f.follow(image, fmt.Sprintf("%s, container %s: %s is there, %s", e.Owner, e.Container, e.Image, e.What))
	case e.What == Done && ran:
		f.follow(inside, fmt.Sprintf("%s, container %s: %s", e.Owner, e.Container, strings.Join(e.Argv, " ")))
	}
	return nil
}

func (f *Follower) follow(a Arrow, how string) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if a.From == "" || a.To == "" || f.followed[a] {
		return // not declared in delivery.yaml, or not the first time
	}
	f.followed[a] = true
	fmt.Fprintf(f.Out, "  ✓ %s\n      %s\n", a, how)
}

func (f *Follower) broken(ctx context.Context, a Arrow, err error) error {
	if f.OnBroken != nil {
		return f.OnBroken(ctx, a, err)
	}
	return &BrokenError{a, err}
}

// BrokenError names the arrow at which the chain broke.
type BrokenError struct {
	Arrow Arrow
	Err   error
}

func (e *BrokenError) Error() string { return fmt.Sprintf("%s cannot be followed: %v", e.Arrow, e.Err) }
func (e *BrokenError) Unwrap() error { return e.Err }

func (f *Follower) isExcused(image string) bool {
	return slices.ContainsFunc(f.File.Ignore, func(e delivery.Excuse) bool { return e.Target == image })
}

// split separates an image's repository and tag.
func split(image string) (at, tag string) {
	i := strings.LastIndex(image, ":")
	if i < strings.LastIndex(image, "/") || i < 0 {
		return image, ""
	}
	return image[:i], image[i+1:]
}

// helmChart returns the arrow to the chart that a container installs, if it installs one.
func (f *Follower) helmChart(from string, argv []string) (a Arrow, ok bool) {
	i := slices.IndexFunc(argv, func(arg string) bool { return strings.HasPrefix(arg, "oci://") })
	v := slices.Index(argv, "--version")
	if i < 0 || v < 0 || v+1 >= len(argv) {
		return Arrow{}, false
	}
	a.From = from
	a.To, a.Version = artifactAt(f.File, strings.TrimPrefix(argv[i], "oci://"), argv[v+1])
	return a, true
}

// from returns the artifact of an object: the chart with its template, or the hook with the name of
// the Job that KubeFlex made from it.
func (f *Follower) from(ctx context.Context, o Object) string {
	var err error
	for range 2 {
		if chart, ok := f.charts[o]; ok {
			return chartCalled(f.File, chart)
		}
		for hook, chart := range f.charts {
			if hook.Kind == "PostCreateHook" && hook.Name == o.Name && strings.HasSuffix(o.Namespace, "-system") {
				return chartCalled(f.File, chart)
			}
		}
		if asset := f.File.Self + "/" + o.Name + "-hook"; o.Kind == "Job" && runs(f.File, asset) {
			return asset
		}
		if f.charts, err = f.Shell.charts(ctx); err != nil {
			fmt.Fprintf(f.Out, "    from which chart %s is, helm does not say: %v\n", o, err)
		}
	}
	return ""
}

func (f *Follower) install(ctx context.Context) error {
	core := Arrow{To: f.File.Self + "/core-chart", Version: f.Version.String()}
	at := f.File.Own().Artifacts["core-chart"].At
	for {
		_, err := f.Shell.Run(ctx, values, "helm", "install", "ks-core", "oci://"+at, "--version", f.Version.String(), "--values", "-")
		if err == nil {
			return f.contained(ctx, core.To)
		}
		if err := f.broken(ctx, core, err); err != nil {
			return err
		}
	}
}

// contained follows the arrow from core-chart to the chart in it, as shown by the release.
func (f *Follower) contained(ctx context.Context, from string) error {
	text, err := f.Shell.Run(ctx, "", "helm", "get", "metadata", "ks-core", "--output", "json")
	if err != nil {
		return err
	}
	dependencies, err := dependenciesIn(text)
	for _, d := range dependencies {
		f.follow(Arrow{from, chartCalled(f.File, d.Name), strings.TrimPrefix(d.Version, "v")}, "helm get metadata: a dependency of the release")
	}
	return err
}
