package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"path"
	"strconv"
	"text/tabwriter"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/bump"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/event"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/workspace"
)

const bumpHelp = `Moves every pin of COMPONENT that follows its releases to VERSION, in one
change. Only the characters of the version change. Each place keeps or lacks its
"v" as before, unless delivery.yaml declares the git tags, or the tags of its
artifact, otherwise.
Pins that were behind the others catch up.

Other places may hold the current version too. bump moves them if they belong to
the component, are next to a place that moves, or have moved together with the
pins before, which git history shows. The reason is printed, with its commits. A
place is listed if a person has to decide about it. A shallow clone has less
history, so more places are listed, and bump prints that: fetch all commits, with
fetch-depth: 0 in a workflow.

Pins that stay are printed with the reason. These are pins that delivery.yaml or a
mark in the line excuses (ghhelper:keep with a reason), links to a given release,
texts about the past, bounds, examples, pasted output, jobs that test an older
release as a whole, and pins that are newer already. A pin moves to a prerelease
only if it has one, or if the component sets prereleases in delivery.yaml.

Versions are ordered by strict semver, except that prereleases such as rc9 and
rc10 are ordered by their numbers.

Before bump writes anything, it checks that the git tag of the release exists, the
artifacts that the moved pins name, and the images that its charts run. It also
runs the commands that the component declares as derived, in a copy of the tree
without the .git folder. Their changes are part of the same change. --offline
skips both.

--pull-request keeps one pull request for each component, by GitHub's API. The
change and delivery.yaml are those of the default branch's tip, whatever is
checked out. Pins that were behind the others catch up in a second commit. Newer
commits replace ours. Commits and comments of people stay, with our commits on
top, and people resolve a conflict. A pull request is closed when nothing is left
to change. This needs GITHUB_TOKEN with contents: write, pull-requests: write, and
workflows: write if a workflow changes. If a dispatch started the run, its values
must be plain words: any other dispatch is refused as a whole, with exit code 2.`

const bumpExample = `  # Show the change without writing it
  ghhelper bump pay 1.4.0 --dry-run --format diff

  # Change the files of the work tree
  ghhelper bump pay 1.4.0

  # Open or update the component's pull request
  GITHUB_TOKEN=$(gh auth token) ghhelper bump pay 1.4.0 --pull-request`

type bumpFlags struct {
	dir, config, format, from                 string
	dryRun, offline, allowDowngrade, standIns bool
	pullRequest, rename                       bool
}

func newBump(p process) *cobra.Command {
	var f bumpFlags
	cmd := &cobra.Command{
		Use:               "bump COMPONENT VERSION",
		GroupID:           groupReferences,
		Short:             "Move every pin of a component to a version",
		Long:              bumpHelp,
		Example:           bumpExample,
		SuggestFor:        []string{"update", "upgrade"},
		Args:              cobra.ExactArgs(2),
		ValidArgsFunction: p.completeComponent,
	}
	addTree(cmd, &f.dir, &f.config)
	addFormat(cmd, &f.format, "text", "json", "diff")
	flags := cmd.Flags()
	flags.StringVar(&f.from, "from", "", "move only pins of this version")
	flags.BoolVar(&f.dryRun, "dry-run", false, "write nothing")
	flags.BoolVar(&f.offline, "offline", false, "use no network")
	flags.BoolVar(&f.allowDowngrade, "allow-downgrade", false, "also move pins that are newer")
	flags.BoolVar(&f.rename, "rename", false, "also replace former names of the component by those of today")
	addStandIns(cmd, &f.standIns)
	flags.BoolVar(&f.pullRequest, "pull-request", false,
		"keep a pull request with the change to the tip of the default branch, and leave the clone as it is;\n"+
			"needs GITHUB_TOKEN")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if err := oneOf(f.format, "text", "json", "diff"); err != nil {
			return err
		}
		if f.pullRequest && (f.offline || f.dryRun) {
			return usage("--pull-request queries the network and writes: leave out --offline and --dry-run")
		}
		return p.bump(cmd.Context(), f, args[0], args[1])
	}
	return cmd
}

func (p process) bump(ctx context.Context, f bumpFlags, component, version string) error {
	if f.pullRequest {
		return p.propose(ctx, f, component, version)
	}
	src, err := p.opener(f.config).Folder(ctx, f.dir)
	if err != nil {
		return err
	}
	c, err := src.File.Component(component)
	if err != nil {
		return outcome.As(outcome.Usage, err)
	}
	move, err := moveOf(f, c, component, version)
	if err != nil {
		return err
	}
	plan, err := p.planBump(ctx, f, src, move)
	if err != nil {
		return err
	}
	failed := plan.Err(f.standIns)
	if failed == nil && !f.dryRun {
		if err := apply.Write(src.Repo.Dir, plan.Changes); err != nil {
			return err
		}
	}
	p.summarize(plan.Markdown(didBump(failed, f)))
	return errors.Join(p.printBump(ctx, src.Repo, plan, f), failed)
}

// didBump describes for the summary the result of a plan without a pull request.
func didBump(failed error, f bumpFlags) string {
	switch {
	case failed != nil:
		return "refused"
	case f.dryRun:
		return "would be moved"
	}
	return "moved"
}

func (p process) planBump(ctx context.Context, f bumpFlags, src workspace.Workspace, move decide.Move) (*bump.Plan,
	error) {
	b := bump.Bump{
		File: src.File, Tree: src.Tree, Names: src.Names, Move: move,
		AcceptStandIns: f.standIns, Env: p.withoutTokens(), History: bump.HistoryOf(src.Repo, "HEAD"),
		Address: p.server() + "/" + src.File.Own().Repository,
	}
	if !f.offline {
		b.Ask = p.asker(src)
	}
	return b.Plan(ctx)
}

// propose keeps the component's pull request. HEAD only decides which repository
// it is in; everything else comes from the default branch.
func (p process) propose(ctx context.Context, f bumpFlags, component, version string) error {
	head, err := p.opener(f.config).Head(ctx, orElse(f.dir, "."))
	if err != nil {
		return err
	}
	defer head.Close()
	dispatch, err := p.dispatched("repository_dispatch", "workflow_dispatch")
	if err != nil {
		return err
	}
	var errs []error
	for _, group := range head.File.Groups(component, dispatch.Repository()) {
		errs = append(errs, p.proposeOne(ctx, f, head, dispatch, group, version))
	}
	return errors.Join(errs...)
}

func (p process) proposeOne(
	ctx context.Context, f bumpFlags, head workspace.Workspace, dispatch *event.Dispatch, component, version string,
) error {
	move, err := moveOf(f, head.File.Components[component], component, version)
	if err != nil {
		return err
	}
	forge, err := p.forge("GITHUB_TOKEN")
	if err != nil {
		return err
	}
	proposer := bump.Proposer{
		Forge: forge, Repo: head.Repo, Repository: head.File.Own().Repository, Server: p.server(), Config: head.Config,
		Move: move, Dispatch: dispatch, Asker: *p.asker(head), AcceptStandIns: f.standIns, Env: p.withoutTokens(),
	}
	if head.Config == "" {
		proposer.File, proposer.Config = head.File, f.config
	}
	defer p.warnRenamed(ctx, forge)
	done, err := proposer.Propose(ctx)
	if outcome.Of(err) != outcome.Usage { // outputs hold no component that is not declared
		p.outputProposal(component, move.Version, done)
	}
	if done.Plan != nil {
		p.summarize(done.Markdown())
		err = errors.Join(p.printProposal(ctx, head.Repo, done, f), err)
	}
	return err
}

// outputProposal sets the outputs for later steps. An unknown number is empty.
func (p process) outputProposal(component string, v ref.Version, done bump.Proposed) {
	values := map[string]string{
		"component": component, "version": v.String(), "state": string(done.State), "commit": done.Commit().ID,
		"pull-request-number": "", "pull-request-url": "",
	}
	if done.Pull != nil {
		values["pull-request-number"], values["pull-request-url"] = strconv.Itoa(done.Pull.Number), done.Pull.URL
	}
	p.output("bump", values)
}

func moveOf(f bumpFlags, c delivery.Component, component, version string) (decide.Move, error) {
	move := decide.Move{Component: component, AllowDowngrade: f.allowDowngrade, Rename: f.rename}
	var err error
	if move.Version, err = versionOf(c, version); err != nil {
		return move, err
	}
	if f.from != "" {
		if move.From, err = ref.ParseVersion(f.from); err != nil {
			return move, usage("--from: %w", err)
		}
	}
	return move, nil
}

func (p process) printBump(ctx context.Context, repo git.Repo, plan *bump.Plan, f bumpFlags) error {
	switch f.format {
	case "json":
		data, err := plan.JSON()
		fmt.Fprintf(p.Stdout, "%s", data)
		return err
	case "diff":
		patch, err := patchOf(ctx, repo, plan.Changes)
		fmt.Fprint(p.Stdout, patch)
		return err
	}
	return p.describeBump(plan, f)
}

// printProposal prints the plan and the result of the proposal.
func (p process) printProposal(ctx context.Context, repo git.Repo, done bump.Proposed, f bumpFlags) error {
	switch f.format {
	case "json":
		data, err := done.JSON()
		fmt.Fprintf(p.Stdout, "%s", data)
		return err
	case "diff":
		err := p.printBump(ctx, repo, done.Plan, f)
		printPull(p.Stderr, done)
		return err
	}
	err := p.describeBump(done.Plan, f)
	printPull(p.Stdout, done)
	return err
}

// printPull prints which delivery.yaml was used, the commit and the pull request.
func printPull(out io.Writer, done bump.Proposed) {
	fmt.Fprintf(out, "declared by %s\n", report.Plain(done.Declared))
	for _, c := range done.Commits {
		fmt.Fprintf(out, "commit %s: %s, author %s\n", c.ID, report.Plain(c.Signature()), report.Plain(c.Author))
	}
	switch {
	case done.Because != "":
		fmt.Fprintf(out, "%s: %s\n", done.State, report.Plain(done.Because))
	case done.Pull != nil:
		fmt.Fprintf(out, "pull request %d %s: %s\n", done.Pull.Number, done.State, report.Plain(done.Pull.URL))
	}
}

func patchOf(ctx context.Context, repo git.Repo, changes []apply.Change) (string, error) {
	var before, after []git.File
	for _, c := range changes {
		if c.Before != nil {
			before = append(before, git.File{Name: c.File, Data: c.Before, Mode: c.Mode})
		}
		if c.After != nil {
			after = append(after, git.File{Name: c.File, Data: c.After, Mode: c.Mode})
		}
	}
	return repo.Diff(ctx, before, after)
}

// describeBump prints the edits and the places that stay, and then everything that needs a
// person: places that were behind, listed places, findings, and failed checks.
func (p process) describeBump(plan *bump.Plan, f bumpFlags) error {
	out := bufio.NewWriter(p.Stdout)
	t := tabwriter.NewWriter(out, 0, 8, 2, ' ', 0)
	current, behind := plan.Split()
	printEdits(t, current, decide.Edit.Reason)
	for _, c := range plan.Changes {
		if c.By != "" {
			fmt.Fprintf(t, "%s\tderived\t%s\n", report.Plain(c.File), report.Plain(c.By))
		}
	}
	printLeft(t, plan.Stays(), func(l decide.Left) string { return l.Because })
	printEdits(t, behind, func(e decide.Edit) string { return e.File + "\x00" + e.Reason() })
	printLeft(t, plan.Listed(), foldListed(plan.Listed()))
	if err := errors.Join(t.Flush(), out.Flush()); err != nil {
		return err
	}
	for _, finding := range plan.Findings {
		fmt.Fprintln(p.Stdout, report.Plain(level(finding)+finding.String()))
	}
	for _, open := range plan.Unchecked {
		fmt.Fprintln(p.Stdout, report.Plain(fmt.Sprintf("could not check %s: %s", open.What, open.Because)))
	}
	if plan.Partial != "" {
		fmt.Fprintf(p.Stdout, "history: %s; it might move some of the listed places\n", report.Plain(plan.Partial))
	}
	for _, command := range plan.Underived {
		fmt.Fprintf(p.Stdout, "not derived, because the command may use the network: run %s\n", report.Plain(command))
	}
	for _, s := range plan.Stale {
		fmt.Fprintln(p.Stdout, report.Plain(fmt.Sprintf("%s is stale, and %s: run %s", s.File, s.Because, s.Command)))
	}
	fmt.Fprintln(p.Stdout, outcomeOfBump(plan, f))
	return nil
}

// printEdits prints edits, with one line for many of one key.
func printEdits(t io.Writer, edits []decide.Edit, key func(decide.Edit) string) {
	shown, more := folded(edits, key)
	for _, e := range shown {
		note := ""
		if reason := e.Reason(); reason != "" {
			note = "\t" + report.Plain(reason) + more[key(e)]
		}
		fmt.Fprintf(t, "%s\t%s → %s\t%s%s\n",
			report.Plain(e.Site.String()), report.Plain(e.Written), e.To, e.Syntax, note)
	}
}

// printLeft prints places that are left, with one line for many of one key.
func printLeft(t io.Writer, left []decide.Left, key func(decide.Left) string) {
	shown, more := folded(left, key)
	for _, l := range shown {
		fmt.Fprintf(t, "%s\t%s %s\t%s%s\n", report.Plain(l.Site.String()), report.Plain(l.Written), l.Outcome(),
			report.Plain(l.Because), more[key(l)])
	}
}

// foldListed returns the key by which listed places are folded: their file and reason, or
// their folder if there are many files, as of rendered copies.
func foldListed(listed []decide.Left) func(decide.Left) string {
	const mostFiles = 20
	files := map[string]bool{}
	for _, l := range listed {
		files[l.File] = true
	}
	return func(l decide.Left) string {
		if len(files) > mostFiles {
			return path.Dir(l.File) + "\x00" + l.Because
		}
		return l.File + "\x00" + l.Because
	}
}

func outcomeOfBump(plan *bump.Plan, f bumpFlags) string {
	what := fmt.Sprintf("%s %s: %s", plan.Move.Component, plan.Move.Version, report.Count(len(plan.Edits), "place"))
	in := " in " + report.Count(len(plan.Changes), "file")
	switch {
	case len(plan.Edits) == 0:
		return fmt.Sprintf("%s %s: nothing to do; left as they are: %d", plan.Move.Component, plan.Move.Version,
			len(plan.Left))
	case len(plan.Changes) == 0:
		return what + " to be moved, and none was"
	case f.dryRun:
		return what + in + " would be moved"
	case f.pullRequest:
		return what + in + " to be proposed"
	}
	return what + in + " moved"
}
