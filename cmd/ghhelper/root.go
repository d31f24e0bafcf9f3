package main

import (
	"context"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"strings"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/report"
)

// Set by the linker: version and commit in a release, see .goreleaser.yaml and the
// Makefile; sourceHash by actions/_lib/build.sh, for which the same source is the same
// program, whatever the commit.
var version, commit, sourceHash string

// process is the environment and the streams that a command runs with.
type process struct {
	Stdout, Stderr io.Writer
	Environ        []string
}

// Getenv is the value of an environment variable, "" without it.
func (p process) Getenv(name string) string {
	for _, entry := range p.Environ {
		if value, ok := strings.CutPrefix(entry, name+"="); ok {
			return value
		}
	}
	return ""
}

// execute runs the command line and gives the exit code.
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
		p.annotate(err)
	}
	return int(outcome.Of(err))
}

// longest is how many bytes an argument may have: no name, version or path is
// longer, and what is refused is repeated in the message.
const longest = 4096

func short(args []string) error {
	for i, arg := range args {
		if len(arg) > longest {
			return usage("argument %d has %d bytes, want at most %d", i+1, len(arg), longest)
		}
	}
	return nil
}

const rootHelp = `ghhelper packages and delivers a repository's releases, and keeps every
versioned reference between repositories right.

Start with "ghhelper rehearse": it releases the current commit in a world of
its own on this machine, needs no credentials, and changes nothing else.

In a job of a GitHub workflow, errors are annotations; what bump, dispatch,
goreleaser, image, plan, prove, release, tag and verify did is in the job's summary;
and bump, dispatch, goreleaser, image, prove, tag and verify give it to later steps
as outputs (GITHUB_OUTPUT).

Exit codes: 0 nothing wrong, 1 something was found wrong, 2 wrong usage or
configuration, 3 something could not be checked.`

func newRoot(p process) *cobra.Command {
	root := &cobra.Command{
		Use:           "ghhelper",
		Short:         "Packages, delivers and checks releases",
		Long:          rootHelp,
		Version:       versionText(),
		SilenceErrors: true,
		SilenceUsage:  true,
		Args:          explainArgs(cobra.NoArgs),
		RunE:          func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	root.SetVersionTemplate("ghhelper {{.Version}}\n")
	root.CompletionOptions.HiddenDefaultCmd = true
	root.SetFlagErrorFunc(func(cmd *cobra.Command, err error) error {
		return usage("%w; see %s --help", err, cmd.CommandPath())
	})
	for _, command := range []*cobra.Command{newRehearse(p), newTag(p), newRelease(p), newDispatch(p), newPublish(p), newProve(p), newStamp(p), newReferences(p), newVerify(p), newBump(p), newPlan(p), newImage(p), newGoreleaser(p)} {
		command.Args = explainArgs(command.Args)
		root.AddCommand(command)
	}
	return root
}

// explainArgs makes a wrong number of arguments an error of usage.
func explainArgs(check cobra.PositionalArgs) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if err := check(cmd, args); err != nil {
			return usage("%s: %w; usage: %s", cmd.CommandPath(), err, cmd.UseLine())
		}
		return nil
	}
}

// versionText says which source this program was built from, and by what.
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
