package main

import (
	"bytes"
	"fmt"
	"os"
	"slices"
	"strings"
	"testing"

	"github.com/rogpeppe/go-internal/testscript"
	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const commandsPage = "../../docs/commands.md"

// docs/commands.md is derived from the commands; -update derives it again.
func TestCommandsAreDerived(t *testing.T) {
	t.Parallel()
	want := commandsMarkdown(newRoot(process{}))
	if *update {
		if err := os.WriteFile(commandsPage, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if got, err := os.ReadFile(commandsPage); err != nil || string(got) != want {
		t.Errorf("docs/commands.md is not that of these commands (%v): run make all-generated", err)
	}
}

func commandsMarkdown(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("# Commands\n\nThis page is derived from `ghhelper --help`. Run `make all-generated` after a change of a command.\n\n")
	fmt.Fprintf(&b, "%s\n", root.Long)
	for _, group := range root.Groups() {
		if group.ID == groupOther {
			continue
		}
		fmt.Fprintf(&b, "\n%s\n\n| command | purpose |\n|---|---|\n", group.Title)
		for _, cmd := range inGroup(root, group.ID) {
			fmt.Fprintf(&b, "| [`%s`](#ghhelper-%s) | %s |\n", cmd.Name(), cmd.Name(), cmd.Short)
		}
	}
	b.WriteString("\n`ghhelper completion SHELL` prints a completion script for bash, zsh, fish or PowerShell.\n" +
		"It completes commands, flags, and the components of delivery.yaml.\n")
	for _, group := range root.Groups() {
		for _, cmd := range inGroup(root, group.ID) {
			fmt.Fprintf(&b, "\n## ghhelper %s\n\n%s.\n\n```text\n%s\n```\n\n%s\n", cmd.Name(), cmd.Short, cmd.UseLine(), cmd.Long)
			if cmd.Example != "" {
				fmt.Fprintf(&b, "\n```bash\n%s\n```\n", outdented(cmd.Example))
			}
			b.WriteString("\n| flag | default | meaning |\n|---|---|---|\n")
			cmd.Flags().VisitAll(func(f *pflag.Flag) {
				if f.Name != "help" {
					fmt.Fprintf(&b, "| `--%s` | %s | %s |\n", f.Name, shownDefault(f), strings.ReplaceAll(f.Usage, "\n", " "))
				}
			})
		}
	}
	return b.String()
}

func inGroup(root *cobra.Command, id string) []*cobra.Command {
	return slices.DeleteFunc(slices.Clone(root.Commands()), func(c *cobra.Command) bool { return c.GroupID != id })
}

func outdented(text string) string {
	return strings.ReplaceAll(strings.TrimPrefix(text, "  "), "\n  ", "\n")
}

func shownDefault(f *pflag.Flag) string {
	if f.DefValue == "" || f.DefValue == "[]" || f.DefValue == "false" || f.DefValue == "0" {
		return ""
	}
	return "`" + f.DefValue + "`"
}

// Each command has an example whose command lines the command accepts, and a group.
func TestExamples(t *testing.T) {
	t.Parallel()
	for _, cmd := range newRoot(process{}).Commands() {
		if cmd.GroupID == "" || cmd.Example == "" {
			t.Errorf("%s: group %q, example %q", cmd.Name(), cmd.GroupID, cmd.Example)
		}
		for line := range strings.Lines(cmd.Example) {
			_, line, found := strings.Cut(strings.TrimSpace(line), "ghhelper ")
			if !found || strings.HasPrefix(line, "#") {
				continue
			}
			root := newRoot(process{})
			to, args, err := root.Find(strings.Fields(line))
			if err == nil {
				err = to.ParseFlags(args)
			}
			if err == nil {
				err = to.ValidateArgs(to.Flags().Args())
			}
			if err != nil || to == root {
				t.Errorf("%s: example %q: %s, %v", cmd.Name(), line, to.Name(), err)
			}
		}
	}
}

// The help of the commands fits a terminal.
func TestHelpFits(t *testing.T) {
	t.Parallel()
	for _, cmd := range append(newRoot(process{}).Commands(), newRoot(process{})) {
		for line := range strings.Lines(cmd.Long + "\n" + cmd.Example) {
			if n := len([]rune(strings.TrimRight(line, "\n"))); n > 100 {
				t.Errorf("%s: %d columns, at most 100: %s", cmd.Name(), n, line)
			}
		}
	}
}

// steps COMMAND: the standard output before lists the steps in the order of the
// command's help.
func steps(ts *testscript.TestScript, neg bool, args []string) {
	var want []string
	list, known := map[string][]step{"release": releaseSteps, "publish": publishSteps}[strings.Join(args, " ")]
	if neg || !known {
		ts.Fatalf("usage: steps release|publish")
	}
	for _, s := range list {
		want = append(want, s.name)
	}
	var got []string
	for line := range strings.Lines(ts.ReadFile("stdout")) {
		if rest, ok := strings.CutPrefix(line, "✓ "); ok {
			got = append(got, strings.Fields(rest)[0])
		}
	}
	if !slices.Equal(got, want) {
		ts.Fatalf("the steps were %q, and the help lists %q", got, want)
	}
}

// A mistyped command has a suggestion.
func TestSuggestsCommands(t *testing.T) {
	t.Parallel()
	const page = "  see https://github.com/kubestellar/actions/blob/main/docs/errors.md#wrong-usage-configuration-or-environment\n"
	for typed, want := range map[string]string{
		"verfy": "ghhelper: unknown command \"verfy\", did you mean verify?; usage: ghhelper [flags]\n" + page,
		"check": "ghhelper: unknown command \"check\", did you mean verify?; usage: ghhelper [flags]\n" + page,
		"xyzzy": "ghhelper: unknown command \"xyzzy\"; usage: ghhelper [flags]\n" + page,
	} {
		var out, errs bytes.Buffer
		if code := execute(t.Context(), []string{typed}, process{Stdout: &out, Stderr: &errs}); code != 2 || errs.String() != want {
			t.Errorf("%s: exit code %d, %q, want 2, %q", typed, code, errs.String(), want)
		}
	}
}
