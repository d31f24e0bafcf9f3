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

const dispatchHelp = `Notifies repositories that VERSION of COMPONENT, or of the own component, is
released. The receivers are the downstreams in delivery.yaml, or those that --to
names.

Without --workflow the event is a repository_dispatch of type upstream-released,
with component, version and id as its payload. With it, that workflow is started
by workflow_dispatch, with the same three as its inputs. Every try of one release
has the same id. The receiver's workflow sets its run-name to the id, so a run
shows that the receiver was notified, and nothing is sent twice.

First dispatch checks that the version is released, that the token may dispatch,
and that the receiver has a workflow that listens. A receiver that fails a check
is skipped with an error, and the others are notified.

--wait follows the run to its end and prints the pull request that it opened or
updated. A failed run is exit code 1. A run that takes longer than --timeout is
exit code 3.

Needs DISPATCH_TOKEN or GITHUB_TOKEN, with contents: write in each receiver, or
actions: write for --workflow. A workflow's own token reaches no other repository.`

const dispatchExample = `  # Notify the downstreams of our release
  DISPATCH_TOKEN=… ghhelper dispatch 0.29.0

  # Start a workflow of one repository, and follow its run
  DISPATCH_TOKEN=… ghhelper dispatch 0.29.0 --to kubestellar/ui --workflow bump.yml --wait`

type dispatchFlags struct {
	config, format, workflow, ref string
	to                            []string
	wait                          bool
	timeout                       time.Duration
}

func newDispatch(p process) *cobra.Command {
	var f dispatchFlags
	cmd := &cobra.Command{
		Use:               "dispatch [COMPONENT] VERSION",
		GroupID:           groupMany,
		Short:             "Notify repositories of a release",
		Long:              dispatchHelp,
		Example:           dispatchExample,
		SuggestFor:        []string{"notify", "announce"},
		Args:              cobra.RangeArgs(1, 2),
		ValidArgsFunction: p.completeComponent,
	}
	addConfig(cmd, &f.config)
	flags := cmd.Flags()
	flags.StringArrayVar(&f.to, "to", nil,
		"receivers (owner/name), separated by commas; may be repeated (default: the downstreams in delivery.yaml)")
	flags.StringVar(&f.workflow, "workflow", "", "start this workflow of the receivers, such as bump.yml")
	flags.StringVar(&f.ref, "ref", "",
		"the branch or tag at which --workflow is started (default: the receiver's default branch)")
	flags.BoolVar(&f.wait, "wait", false, "follow each run to its end")
	flags.DurationVar(&f.timeout, "timeout", 30*time.Minute, "how long to follow one run")
	addFormat(cmd, &f.format, "text", "json")
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
		return usage("--workflow %+q: want the name of a file in .github/workflows, such as bump.yml",
			ref.Shorten(f.workflow))
	}
	for _, repository := range f.to {
		if !gh.IsRepository(repository) {
			return usage("--to %+q: want owner/name", ref.Shorten(repository))
		}
	}
	if f.ref != "" && !gh.IsRef(f.ref) {
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
	event := gh.NewEvent(component, v.String())
	a, err := p.announcer(ctx, f, event, src.File.Components[component], v)
	if err != nil {
		return err
	}
	defer p.warnRenamed(ctx, a.Forge)
	return p.announce(ctx, a, f)
}

// announcer returns an Announcer of a component's release.
func (p process) announcer(
	ctx context.Context, f dispatchFlags, event gh.Event, of delivery.Component, v ref.Version,
) (*dispatch.Announcer, error) {
	own, err := p.forge(p.tokenFor("GITHUB_TOKEN", dispatchToken))
	if err != nil {
		return nil, err
	}
	forge, err := p.forge(p.tokenFor(dispatchToken, "GITHUB_TOKEN"))
	if err != nil {
		return nil, err
	}
	defer p.warnRenamed(ctx, own)
	release, err := dispatch.Released(ctx, own, event.Component, of.Repository, of.GitTag(v))
	if err != nil {
		return nil, err
	}
	return &dispatch.Announcer{
		Forge: forge, Event: event, Since: release.Published, Workflow: f.workflow, Ref: f.ref,
		Now: time.Now, Wait: web.Wait, Progress: p.Stderr,
	}, nil
}

// tokenFor returns the name of the first variable if it is set, or else the other.
func (p process) tokenFor(name, other string) string {
	if p.Getenv(name) != "" {
		return name
	}
	return other
}

// announce notifies the receivers one after another. An error at one does not keep
// the others from being notified.
func (p process) announce(ctx context.Context, a *dispatch.Announcer, f dispatchFlags) error {
	timeout := f.timeout
	if !f.wait {
		timeout = 0
	}
	doc := dispatch.Document{
		Component: a.Event.Component, Version: a.Event.Version, ID: a.Event.ID, Receivers: []dispatch.Result{},
	}
	var errs []error
	for _, receiver := range f.to {
		result, err := a.Announce(ctx, receiver, timeout)
		doc.Receivers, errs = append(doc.Receivers, result), append(errs, err)
		if f.format == "text" {
			p.printResult(doc, result)
		}
	}
	p.summarize(doc.Markdown())
	errs = append(errs, p.outputDispatch(doc))
	if f.format == "json" {
		errs = append(errs, p.printJSON(doc))
	}
	return errors.Join(errs...)
}

// outputDispatch sets the outputs for later steps: all receivers, and the result
// of a single one.
func (p process) outputDispatch(doc dispatch.Document) error {
	receivers, err := json.Marshal(doc.Receivers)
	if err != nil {
		return err
	}
	values := map[string]string{"component": doc.Component, "version": doc.Version, "receivers": string(receivers)}
	if len(doc.Receivers) == 1 {
		maps.Copy(values, outputsOfResult(doc.Receivers[0]))
	}
	p.output("dispatch", values)
	return nil
}

func outputsOfResult(r dispatch.Result) map[string]string {
	values := map[string]string{"state": string(r.Status)}
	if r.Run != nil {
		values["run-url"], values["conclusion"] = r.Run.URL, r.Run.Conclusion
	}
	if r.Pull != nil {
		values["pull-request-number"], values["pull-request-url"] = strconv.Itoa(r.Pull.Number), r.Pull.URL
	}
	return values
}

// printResult prints one receiver's result as a line.
func (p process) printResult(doc dispatch.Document, r dispatch.Result) {
	var line bytes.Buffer
	did := "not notified, see below"
	if r.Status != "" {
		did = fmt.Sprintf("%s of %s", r.Status, doc.ID)
	}
	fmt.Fprintf(&line, "%s: %s", r.Receiver, did)
	if r.Run != nil {
		fmt.Fprintf(&line, "; run %d", r.Run.ID)
		printIf(&line, " is %s", r.Run.State())
		printIf(&line, "  %s", r.Run.URL)
	}
	if r.Pull != nil {
		fmt.Fprintf(&line, "; pull request %d, %s  %s", r.Pull.Number, r.Pull.State, r.Pull.URL)
	}
	fmt.Fprintln(p.Stdout, report.Plain(line.String()))
	for _, note := range r.Notes {
		p.warn("%s", note)
	}
}

func printIf(to io.Writer, format, text string) {
	if text != "" {
		fmt.Fprintf(to, format, text)
	}
}
