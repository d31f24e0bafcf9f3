package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/dispatch"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/web"
)

const dispatchHelp = `Tells repositories that VERSION of COMPONENT, or of the own component, is released:
those that delivery.yaml lists as downstreams, or those named by --to.

Without --workflow the event is a repository_dispatch of type upstream-released,
whose payload has component, version and id; with it, that workflow is started by
workflow_dispatch, with the same three as its inputs. The id is the same on every
try of one release. A receiver's workflow sets its run-name to it; by that, one
that was told already is not told again, and its run is found.

First it is looked at whether the version is released, the token may dispatch,
and the receiver has a workflow that listens. A receiver where that is not so is
not told; the others are.

With --wait, the run is followed to its end, and the pull request that it led to
is named. A run that fails is exit code 1, one that takes longer than --timeout 3.

Needs DISPATCH_TOKEN or GITHUB_TOKEN with contents: write in each receiver, or
actions: write for --workflow. A workflow's own token reaches no other repository.`

type dispatchFlags struct {
	config, format, workflow, ref string
	to                            []string
	wait                          bool
	timeout                       time.Duration
}

func newDispatch(p process) *cobra.Command {
	var f dispatchFlags
	cmd := &cobra.Command{Use: "dispatch [COMPONENT] VERSION", Short: "Tell repositories of a release", Long: dispatchHelp, Args: cobra.RangeArgs(1, 2)}
	cmd.Flags().StringVar(&f.config, "config", delivery.FileName, "the file that declares the components")
	cmd.Flags().StringArrayVar(&f.to, "to", nil, "repositories (owner/name) to tell, separated by commas; may be given several times (default: the downstreams in delivery.yaml)")
	cmd.Flags().StringVar(&f.workflow, "workflow", "", "start this workflow of the receivers, such as bump.yml")
	cmd.Flags().StringVar(&f.ref, "ref", "main", "the branch or tag at which --workflow is started")
	cmd.Flags().BoolVar(&f.wait, "wait", false, "follow each run to its end")
	cmd.Flags().DurationVar(&f.timeout, "timeout", 30*time.Minute, "how long to follow one run")
	cmd.Flags().StringVar(&f.format, "format", "text", "text or json")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if len(f.to) > 0 {
			f.to = strings.Split(strings.Join(f.to, ","), ",")
		}
		if err := f.check(); err != nil {
			return err
		}
		return p.dispatch(cmd.Context(), f, args)
	}
	return cmd
}

func (f dispatchFlags) check() error {
	if f.workflow != "" && !dispatch.IsWorkflow(f.workflow) {
		return usage("--workflow %+q: want the name of a file in .github/workflows, such as bump.yml", ref.Shorten(f.workflow))
	}
	for _, repository := range f.to {
		if !gh.IsRepository(repository) {
			return usage("--to %+q: want owner/name", ref.Shorten(repository))
		}
	}
	if !gh.IsRef(f.ref) {
		return usage("--ref %+q: want the name of a branch or a tag, such as main", ref.Shorten(f.ref))
	}
	if f.timeout <= 0 {
		return usage("--timeout %s: want more than nothing", f.timeout)
	}
	return oneOf(f.format, "text", "json")
}

func (p process) dispatch(ctx context.Context, f dispatchFlags, args []string) error {
	src, err := p.opener(f.config).Folder(ctx, "")
	if err != nil {
		return err
	}
	component, v, err := releaseOf(src.File, args)
	if err != nil {
		return err
	}
	if len(f.to) == 0 {
		f.to = src.File.Downstreams
	}
	if len(f.to) == 0 {
		return usage("%s lists no downstreams: name a receiver with --to", f.config)
	}
	a, err := p.announcer(ctx, f, gh.NewEvent(component, v.String()), src.File.Components[component].Repository, v.Tag())
	if err != nil {
		return err
	}
	defer p.warnRenamed(ctx, a.Forge)
	return p.announce(ctx, a, f)
}

// announcer tells of a release that it has seen, at its tag of a repository.
func (p process) announcer(ctx context.Context, f dispatchFlags, event gh.Event, repository, tag string) (*dispatch.Announcer, error) {
	own, err := p.forge(p.tokenFor("GITHUB_TOKEN", dispatchToken))
	if err != nil {
		return nil, err
	}
	forge, err := p.forge(p.tokenFor(dispatchToken, "GITHUB_TOKEN"))
	if err != nil {
		return nil, err
	}
	defer p.warnRenamed(ctx, own)
	release, err := dispatch.Released(ctx, own, event.Component, repository, tag)
	if err != nil {
		return nil, err
	}
	return &dispatch.Announcer{Forge: forge, Event: event, Since: release.Published, Workflow: f.workflow, Ref: f.ref,
		Now: time.Now, Wait: web.Wait, Progress: p.Stderr}, nil
}

// tokenFor is the name of a variable with a token or, where it is not set, of
// another.
func (p process) tokenFor(name, other string) string {
	if p.Getenv(name) != "" {
		return name
	}
	return other
}

// announce tells the receivers one after another. What goes wrong with one keeps
// no other from being told.
func (p process) announce(ctx context.Context, a *dispatch.Announcer, f dispatchFlags) error {
	timeout := f.timeout
	if !f.wait {
		timeout = 0
	}
	all := []dispatch.Heard{}
	var errs []error
	for _, receiver := range f.to {
		heard, err := a.Announce(ctx, receiver, timeout)
		all, errs = append(all, heard), append(errs, err)
		if f.format == "text" {
			p.printHeard(a, heard)
		}
	}
	told := dispatch.Document{Component: a.Event.Component, Version: a.Event.Version, ID: a.Event.ID, Receivers: all}
	p.summarize(told.Markdown())
	errs = append(errs, p.outputTold(told))
	if f.format == "json" {
		errs = append(errs, p.printJSON(told))
	}
	return errors.Join(errs...)
}

// outputTold gives the later steps all receivers and, where there is one alone,
// what became of it.
func (p process) outputTold(told dispatch.Document) error {
	receivers, err := json.Marshal(told.Receivers)
	if err != nil {
		return err
	}
	values := map[string]string{"component": told.Component, "version": told.Version, "receivers": string(receivers)}
	if len(told.Receivers) == 1 {
		maps.Copy(values, heardOf(told.Receivers[0]))
	}
	p.output("dispatch", values)
	return nil
}

func heardOf(h dispatch.Heard) map[string]string {
	values := map[string]string{"state": string(h.State)}
	if h.Run != nil {
		values["run-url"], values["conclusion"] = h.Run.URL, h.Run.Conclusion
	}
	if h.Pull != nil {
		values["pull-request-number"], values["pull-request-url"] = strconv.Itoa(h.Pull.Number), h.Pull.URL
	}
	return values
}

// printHeard says what is known of one receiver in a line.
func (p process) printHeard(a *dispatch.Announcer, h dispatch.Heard) {
	var line bytes.Buffer
	did := "not told, see below"
	if h.State != "" {
		did = fmt.Sprintf("%s of %s", h.State, a.Event.ID)
	}
	fmt.Fprintf(&line, "%s: %s", h.Receiver, did)
	if h.Run != nil {
		fmt.Fprintf(&line, "; run %d", h.Run.ID)
		printIf(&line, " is %s", h.Run.State())
		printIf(&line, "  %s", h.Run.URL)
	}
	if h.Pull != nil {
		fmt.Fprintf(&line, "; pull request %d, %s  %s", h.Pull.Number, h.Pull.State, h.Pull.URL)
	}
	fmt.Fprintln(p.Stdout, report.Plain(line.String()))
	for _, note := range h.Notes {
		p.warn("%s", note)
	}
}

func printIf(to io.Writer, format, text string) {
	if text != "" {
		fmt.Fprintf(to, format, text)
	}
}
