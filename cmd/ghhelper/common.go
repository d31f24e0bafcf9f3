package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/event"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/lookup"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/verify"
	"github.com/kubestellar/actions/internal/web"
	"github.com/kubestellar/actions/internal/workspace"
)

// parseVersion parses a version of the command line.
func parseVersion(text string) (ref.Version, error) {
	v, err := ref.ParseVersion(text)
	if err == nil && v.IsPlaceholder() {
		err = fmt.Errorf("version %q is the placeholder that git holds: name the version to release", text)
	}
	if err != nil {
		return v, outcome.As(outcome.Usage, err)
	}
	return v, nil
}

// versionOf parses a version of a component, which may be written as its git tag.
func versionOf(c delivery.Component, text string) (ref.Version, error) {
	if v, ok := c.Tagged(text); ok && !v.IsPlaceholder() {
		return v, nil
	}
	return parseVersion(text)
}

// releaseOf parses [COMPONENT] VERSION. The default is the own component.
func releaseOf(file *delivery.File, args []string) (string, ref.Version, error) {
	if len(args) == 1 {
		file, v, err := ownRelease(file, args[0])
		return file.Self, v, err
	}
	c, err := file.Component(args[0])
	if err != nil {
		return "", ref.Version{}, outcome.As(outcome.Usage, err)
	}
	v, err := versionOf(c, args[1])
	return args[0], v, err
}

// ownRelease parses a version of an own component, or its git tag. It returns the file for the release of that
// component. If there are several, a version alone belongs to the one whose tags have no prefix.
func ownRelease(file *delivery.File, text string) (*delivery.File, ref.Version, error) {
	if name, v, ok := file.Released(text); ok && !v.IsPlaceholder() {
		return file.As(name), v, nil
	}
	names := slices.Clone(file.Selves)
	if len(names) > 1 {
		names = slices.DeleteFunc(names, func(name string) bool {
			prefix, _ := file.Components[name].TagPrefix()
			return prefix != ""
		})
	}
	v, err := parseVersion(text)
	if len(names) != 1 || err != nil && len(file.Selves) > 1 {
		return file, v, usage("%+q is not a git tag of a component that this repository releases: write one of %s",
			ref.Shorten(text), forms(file))
	}
	return file.As(names[0]), v, err
}

// forms returns the git tags of the own components.
func forms(file *delivery.File) string {
	var all []string
	for _, name := range file.Selves {
		all = append(all, file.Components[name].TagForm()+" for "+name)
	}
	return strings.Join(all, ", ")
}

// transport sends every request. It takes proxies and extra authorities from the
// environment, as Go programs usually do.
var transport = sync.OnceValue(func() http.RoundTripper {
	t := http.DefaultTransport.(*http.Transport).Clone()
	t.MaxIdleConnsPerHost = web.AtOnce
	t.ResponseHeaderTimeout = time.Minute
	return web.New(t)
})

// opener opens workspaces. config is the path of delivery.yaml.
func (p process) opener(config string) workspace.Opener {
	return workspace.Opener{Env: p.Environ, Config: config}
}

// dispatched returns the dispatch that started this run, or nil if an event of
// another kind did.
func (p process) dispatched(kinds ...string) (*event.Dispatch, error) {
	name, path := p.Getenv("GITHUB_EVENT_NAME"), p.Getenv("GITHUB_EVENT_PATH")
	if !slices.Contains(kinds, name) || path == "" {
		return nil, nil
	}
	return event.Read(name, path)
}

// forge returns a client of GitHub, or of the Enterprise server that a workflow
// runs on.
func (p process) forge(tokenName string) (*gh.Client, error) {
	c, err := gh.New(gh.Options{
		APIURL: p.Getenv("GITHUB_API_URL"), Token: p.Getenv(tokenName), TokenName: tokenName,
		Transport: transport(), Now: time.Now,
	})
	if err != nil {
		return nil, outcome.As(outcome.Usage, err)
	}
	return c, nil
}

// warnRenamed warns about repositories that have a new name. It is not an error:
// GitHub redirects the old name until another repository takes it.
func (p process) warnRenamed(ctx context.Context, forges ...*gh.Client) {
	all := map[string]string{}
	for _, forge := range slices.Compact(forges) {
		names, err := forge.Renamed(ctx)
		if err != nil {
			p.warn("could not ask for the new names of repositories that were renamed: %s", err)
		}
		maps.Copy(all, names)
	}
	for _, old := range slices.Sorted(maps.Keys(all)) {
		p.warn("%s is called %s now: correct it in %s", old, all[old], delivery.FileName)
	}
}

// asker returns an Asker for the references in a source.
func (p process) asker(src workspace.Workspace) *verify.Asker {
	r := p.registry()
	resolver := p.resolver(src, r)
	return &verify.Asker{File: src.File, Resolver: resolver, Charts: resolver.Chart}
}

// resolver asks registries, forges and module proxies.
func (p process) resolver(src workspace.Workspace, r *oci.Registry) lookup.Resolver {
	return lookup.Resolver{Registry: r, Refs: src.Repo.Refs(p.server()), Server: p.server(), HTTP: transport(),
		Repositories: &lookup.Repositories{HTTP: transport()}, Proxies: p.goProxies(),
		Private: p.goSetting("GONOPROXY", p.goSetting("GOPRIVATE", "")), Brief: true}
}

// server returns the address of the server of the repositories.
func (p process) server() string { return orElse(p.Getenv("GITHUB_SERVER_URL"), "https://github.com") }

// addTree adds the flags that name a tree and its delivery.yaml.
func addTree(cmd *cobra.Command, dir, config *string) {
	cmd.Flags().StringVar(dir, "dir", "", "the root of the tree (default: that of the repository around this folder)")
	addConfig(cmd, config)
}

func addConfig(cmd *cobra.Command, config *string) {
	cmd.Flags().StringVar(config, "config", delivery.FileName, "the file that declares the components")
}

func addStandIns(cmd *cobra.Command, accept *bool) {
	cmd.Flags().BoolVar(accept, "accept-stand-ins", false, "accept stand-ins as published, as a rehearsal does")
}

// printJSON prints a value for programs.
func (p process) printJSON(value any) error {
	encoder := json.NewEncoder(p.Stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
