package cluster

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"path/filepath"
	"strings"

	"go.yaml.in/yaml/v3"
)

// Shell runs a user's command line programs, in the user's environment.
type Shell struct {
	Bin string
	Env []string
}

// Run returns the output of a command; an error contains all of its output.
func (s Shell) Run(ctx context.Context, stdin string, program string, args ...string) (string, error) {
	cmd := exec.CommandContext(ctx, filepath.Join(s.Bin, program), args...)
	cmd.Env, cmd.Stdin = s.Env, strings.NewReader(stdin)
	var said strings.Builder
	cmd.Stderr = &said
	out, err := cmd.Output()
	if err != nil {
		return string(out), fmt.Errorf("%s %s: %w: %s%s", program, strings.Join(args, " "), err, said.String(), out)
	}
	return string(out), nil
}

// charts returns the chart of each object that a helm release in the cluster made.
func (s Shell) charts(ctx context.Context) (map[Object]string, error) {
	listed, err := s.Run(ctx, "", "helm", "list", "--all-namespaces", "--all", "--output", "json")
	if err != nil {
		return nil, err
	}
	var releases []struct{ Name, Namespace string }
	if err := json.Unmarshal([]byte(listed), &releases); err != nil {
		return nil, fmt.Errorf("reading helm's list: %w", err)
	}
	all := map[Object]string{}
	for _, r := range releases {
		for _, what := range []string{"manifest", "hooks"} {
			text, err := s.Run(ctx, "", "helm", "get", what, r.Name, "--namespace", r.Namespace)
			if err == nil {
				err = objects(text, r.Namespace, all)
			}
			if err != nil {
				return nil, err
			}
		}
	}
	return all, nil
}

// objects parses helm's manifest of a release; a comment before each object names the template.
func objects(text, namespace string, all map[Object]string) error {
	stream := yaml.NewDecoder(strings.NewReader(text))
	for {
		var node yaml.Node
		err := stream.Decode(&node)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("reading a manifest from helm: %w", err)
		}
		var o struct {
			Kind     string
			Metadata struct{ Name, Namespace string }
		}
		if err := node.Decode(&o); err != nil {
			return err
		}
		if o.Kind == "" {
			continue
		}
		if o.Metadata.Namespace == "" {
			o.Metadata.Namespace = namespace
		}
		_, source, found := strings.Cut(comments(&node), "# Source: ")
		if !found {
			return fmt.Errorf("%s %s: helm does not say which template it is from", o.Kind, o.Metadata.Name)
		}
		all[Object{o.Kind, o.Metadata.Namespace, o.Metadata.Name}] = chartOf(source)
	}
}

func comments(n *yaml.Node) string {
	all := n.HeadComment
	for _, c := range n.Content {
		all += "\n" + comments(c)
	}
	return all
}

// chartOf returns the innermost chart in a template's path, such as
// core-chart/charts/kubeflex-operator/templates/….
func chartOf(source string) string {
	before, _, _ := strings.Cut(source, "/templates/")
	return before[strings.LastIndex(before, "/")+1:]
}
