package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/report"
)

// The linker sets version and commit in a release, see .goreleaser.yaml and the
// Makefile. actions/_lib/build.sh sets sourceHash instead, because the same source
// gives the same program whatever the commit.
var version, commit, sourceHash string

// process is the environment and the streams that a command runs with.
type process struct {
	Stdout, Stderr io.Writer
	Environ        []string
}

// Getenv returns the value of an environment variable, or an empty text.
func (p process) Getenv(name string) string {
	for _, entry := range p.Environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// execute runs the command line and returns the exit code.
func execute(ctx context.Context, args []string, p process) int {
	root := newRoot(p)
	root.SetArgs(args)
	root.SetOut(p.Stdout)
	root.SetErr(p.Stderr)
	err := short(args)
	if err == nil {
		err = root.ExecuteContext(ctx)
	}
	if err != nil {
		for i, line := range strings.Split(err.Error(), "\n") {
			fmt.Fprintln(p.Stderr, []string{"ghhelper:", " "}[min(i, 1)], report.Plain(line))
		}
		p.explain(err)
		p.annotate(err)
	}
	return int(outcome.Of(err))
}

// longest is the limit of an argument in bytes. No name, version or path is longer,
// and an error repeats the argument that it refuses.
const longest = 4096

func short(args []string) error {
	for i, arg := range args {
		if len(arg) > longest {
			return usage("argument %d has %d bytes, want at most %d", i+1, len(arg), longest)
		}
	}
	return nil
}

const rootHelp = `ghhelper keeps every versioned reference between repositories right, and
packages and delivers their releases.

Start with "ghhelper rehearse". It rehearses the release of the current commit on
this machine, needs no credentials, and changes nothing else.

In a job of a GitHub workflow, errors become annotations. bump, dispatch,
goreleaser, image, plan, prove, release, tag and verify write to the job's summary.
All of these except plan and release also set outputs for later steps
(GITHUB_OUTPUT).

Exit codes: 0 nothing wrong, 1 something was found wrong, 2 wrong usage or
configuration, 3 something could not be checked.`

// The groups of commands in the help.
const (
	groupReferences = "references"
	groupRelease    = "release"
	groupMany       = "many"
	groupOther      = "other"
)

func newRoot(p process) *cobra.Command {
	root := &cobra.Command{
		Use:           "ghhelper",
		Short:         "Packages, delivers and checks releases",
		Long:          rootHelp,
		Version:       versionText(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          explainArgs(noCommand),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("ghhelper {{.Version}}\n")
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%w; see %s --help", err, cmd.CommandPath())
	})
	root.AddGroup(
		&cobra.Group{ID: groupReferences, Title: "References:"},
		&cobra.Group{ID: groupRelease, Title: "One release:"},
		&cobra.Group{ID: groupMany, Title: "Many repositories:"},
		&cobra.Group{ID: groupOther, Title: "Other commands:"},
	)
	root.SetHelpCommandGroupID(groupOther)
	root.SetCompletionCommandGroupID(groupOther)
	for _, command := range commandsOf(p) {
		command.Args = explainArgs(command.Args)
		root.AddCommand(command)
	}
	return root
}

func commandsOf(p process) []*cobra.Command {
	return []*cobra.Command{
		newReferences(p), newVerify(p), newBump(p),
		newRehearse(p), newTag(p), newRelease(p), newPublish(p), newStamp(p), newProve(p), newImage(p),
		newGoreleaser(p),
		newPlan(p), newDispatch(p),
	}
}

// noCommand refuses arguments that are not a command, and suggests one.
func noCommand(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	cmd.SuggestionsMinimumDistance = 2
	text := fmt.Sprintf("unknown command %+q", ref.Shorten(args[0]))
	if similar := cmd.SuggestionsFor(args[0]); len(similar) > 0 {
		text += ", did you mean " + strings.Join(similar, " or ") + "?"
	}
	return errors.New(text)
}

// explainArgs makes a wrong number of arguments an error of usage.
func explainArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usage("%w; usage: %s", err, cmd.UseLine())
		}
		return nil
	}
}

// versionText describes the source and the toolchain of this program.
func versionText() string {
	by := fmt.Sprintf("%s %s/%s", runtime.Version(), runtime.GOOS, runtime.GOARCH)
	if sourceHash != "" {
		return fmt.Sprintf("source %s (%s)", sourceHash, by)
	}
	v, c := version, commit
	if info, ok := debug.ReadBuildInfo(); ok {
		v, c = orElse(v, info.Main.Version), orElse(c, setting(info, "vcs.revision"))
	}
	return fmt.Sprintf("%s (commit %s, %s)", orElse(v, "(devel)"), orElse(c, "unknown"), by)
}

func setting(info *debug.BuildInfo, key string) string {
	for _, s := range info.Settings {
		if s.Key == key {
			return s.Value
		}
	}
	return ""
}

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}
