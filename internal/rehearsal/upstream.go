package rehearsal

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"time"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
)

// Upstream is a release of a component that this repository refers to.
type Upstream struct {
	Component string
	Version   ref.Version
}

// upstream returns the upstream release that arrives: the one asked for, or the next release of the
// first component with a chart that a stand-in can replace. It returns nil if there is none.
func (r *Rehearsal) upstream(made *maker) (*Upstream, error) {
	if r.Upstream != nil {
		return r.Upstream, nil
	}
	for _, v := range decide.Follow(r.File, find.Pins(made.references), nil) {
		c := r.File.Components[v.Component]
		canStandIn := len(c.OfKind(delivery.Chart)) > 0 && len(c.OfKind(delivery.Module)) == 0
		if v.Follows() && !r.File.Whole().IsOwn(v.Component) && canStandIn {
			return &Upstream{v.Component, v.Current.Next()}, nil
		}
	}
	return nil, nil
}

// arrival publishes a release of an upstream, which notifies this repository. Then it does the steps
// of the receiving workflow: it opens a pull request, shows and merges it, and runs verify.
func (r *Rehearsal) arrival(ctx context.Context, log *report.Log, made *maker, here git.Repo, up Upstream) error {
	fmt.Fprintf(r.Out, "\n%s %s arrives\n", up.Component, up.Version)
	forge, err := made.client()
	if err != nil {
		return err
	}
	own := r.File.Own().Repository
	for _, step := range []struct {
		name string
		do   func() (string, error)
	}{
		{"upstream", func() (string, error) { return r.publishUpstream(ctx, made, forge, up) }},
		{"clone", func() (string, error) { return r.clone(ctx, here) }},
		{"receive", func() (string, error) { return r.receive(ctx, made, here) }},
		{"merge", func() (string, error) {
			return r.merge(ctx, forge, here, own, r.File.Bumps.BranchFor(up.Component))
		}},
		{"verify", func() (string, error) {
			return "no findings; what rests on stand-ins is not proven",
				r.ghhelper(ctx, here, "verify", "--config", r.Config, "--accept-stand-ins")
		}},
	} {
		if err := log.Step(step.name, step.do); err != nil {
			return err
		}
	}
	return nil
}

// publishUpstream makes stand-ins for the artifacts of the release, and dispatches the event to this
// repository.
func (r *Rehearsal) publishUpstream(ctx context.Context, made *maker, forge *gh.Client, up Upstream) (string, error) {
	c, err := r.File.Component(up.Component)
	if err != nil {
		return "", outcome.As(outcome.Usage, err)
	}
	targets := []resolve.Target{resolve.GitTagOf(r.File, up.Component, up.Version)}
	for _, name := range c.ArtifactNames() {
		if a := c.Artifacts[name]; a.Kind == delivery.Image || a.Kind == delivery.Chart {
			targets = append(targets, resolve.Target{
				Component: up.Component, Artifact: name,
				Kind: resolve.Kind(a.Kind), At: a.Location(), Tag: a.TagFor(up.Version),
			})
		}
	}
	if err := made.all(ctx, targets); err != nil {
		return "", err
	}
	event := gh.NewEvent(up.Component, up.Version.String())
	own := r.File.Own().Repository
	did := fmt.Sprintf("%s published %s and notified %s", c.Repository, up.Version, own)
	return did, forge.Dispatch(ctx, own, event)
}

// receive handles the event like the receiving workflow. It passes the component and the version to
// bump, which checks everything itself.
func (r *Rehearsal) receive(ctx context.Context, made *maker, here git.Repo) (string, error) {
	events := made.network.Forge.Dispatches(r.File.Own().Repository)
	if len(events) == 0 {
		return "", errors.New("no event has arrived")
	}
	var event gh.Event
	if err := json.Unmarshal(events[len(events)-1].ClientPayload, &event); err != nil {
		return "", fmt.Errorf("reading the event: %w", err)
	}
	return "bump read the component and the version from the event, and checked the release itself",
		r.ghhelper(ctx, here, "bump", "--config", r.Config, "--accept-stand-ins", "--pull-request",
			"--", event.Component, event.Version)
}

// merge prints the diff of the pull request, and merges it.
func (r *Rehearsal) merge(
	ctx context.Context, forge *gh.Client, here git.Repo, repository, branch string,
) (string, error) {
	pull, err := forge.OpenPull(ctx, repository, branch)
	if err != nil {
		return "", err
	}
	if pull == nil {
		return "", outcome.Wrongf("there is no pull request from %s: bump had nothing to move", branch)
	}
	if _, err := here.Run(ctx, "fetch", "--quiet", "origin", branch); err != nil {
		return "", err
	}
	diff, err := here.Raw(ctx, "diff", "--unified=0", "HEAD...FETCH_HEAD")
	if err != nil {
		return "", err
	}
	fmt.Fprint(r.Out, diff)
	if err := forge.MergePull(ctx, repository, pull); err != nil {
		return "", err
	}
	_, err = here.Run(ctx, "pull", "--quiet", "--ff-only")
	return fmt.Sprintf("pull request %d: %s", pull.Number, pull.URL), err
}

// ghhelper runs this program in a clone, with the network's environment.
func (r *Rehearsal) ghhelper(ctx context.Context, here git.Repo, args ...string) error {
	cmd := exec.CommandContext(ctx, r.Executable, args...)
	cmd.Dir, cmd.Env, cmd.Stdout, cmd.Stderr = here.Dir, here.Env, r.Out, r.Out
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	cmd.WaitDelay = 20 * time.Second
	err := cmd.Run()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		err = fmt.Errorf("ghhelper %s failed with exit code %d, see above", args[0], exit.ExitCode())
		return outcome.As(codeOf(exit.ExitCode()), err)
	}
	return err
}

// codeOf returns the exit code for that of a child process. A killed child has none.
func codeOf(exit int) outcome.Code {
	if exit == int(outcome.Wrong) || exit == int(outcome.Usage) {
		return outcome.Code(exit)
	}
	return outcome.Unchecked
}
