package main

import (
	"context"
	"strings"

	"github.com/spf13/cobra"
)

// completeComponent completes the first argument with the components that
// delivery.yaml declares.
func (p process) completeComponent(
	cmd *cobra.Command, args []string, word string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	if len(args) > 0 {
		return nil, cobra.ShellCompDirectiveNoFileComp
	}
	return p.completeComponents(cmd, args, word)
}

// completeComponents completes each argument with a component.
func (p process) completeComponents(
	cmd *cobra.Command, _ []string, _ string,
) ([]cobra.Completion, cobra.ShellCompDirective) {
	ctx := cmd.Context()
	if ctx == nil {
		ctx = context.Background()
	}
	dir := ""
	if flag := cmd.Flag("dir"); flag != nil {
		dir = flag.Value.String()
	}
	src, err := p.opener(cmd.Flag("config").Value.String()).Folder(ctx, dir)
	if err != nil {
		return nil, cobra.ShellCompDirectiveError
	}
	var words []cobra.Completion
	for _, name := range src.File.Names() {
		words = append(words, cobra.CompletionWithDesc(name, src.File.Components[name].Repository))
	}
	return words, cobra.ShellCompDirectiveNoFileComp
}

// completeFlag completes the values of a flag. The flag must exist.
func completeFlag(cmd *cobra.Command, flag string, complete cobra.CompletionFunc) {
	if err := cmd.RegisterFlagCompletionFunc(flag, complete); err != nil {
		panic(err)
	}
}

// addFormat adds --format, with the formats that a command prints.
func addFormat(cmd *cobra.Command, format *string, formats ...string) {
	last := len(formats) - 1
	cmd.Flags().StringVar(format, "format", formats[0], strings.Join(formats[:last], ", ")+" or "+formats[last])
	completeFlag(cmd, "format", cobra.FixedCompletions(formats, cobra.ShellCompDirectiveNoFileComp))
}
