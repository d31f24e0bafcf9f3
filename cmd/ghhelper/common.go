package main

import (
	"context"
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"slices"
	"sync"
	"time"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/event"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/resolve"
	"github.com/kubestellar/actions/internal/verify"
	"github.com/kubestellar/actions/internal/web"
	"github.com/kubestellar/actions/internal/workspace"
)

// version reads a version from the command line.
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

// releaseOf reads [COMPONENT] VERSION, the own component's where none is named.
func releaseOf(file *delivery.File, args []string) (string, ref.Version, error) {
	component := file.Self
	if len(args) == 2 {
		component = args[0]
	}
	if _, err := file.Component(component); err != nil {
		return "", ref.Version{}, outcome.As(outcome.Usage, err)
	}
	v, err := parseVersion(args[len(args)-1])
	return component, v, err
}

// transport carries all requests; proxies and extra authorities are taken
// from the environment, as Go's users expect.
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

// forge reaches GitHub, or the Enterprise server that a workflow runs on.
func (p process) forge(tokenName string) (*gh.Client, error) {
	c, err := gh.New(gh.Options{APIURL: p.Getenv("GITHUB_API_URL"), Token: p.Getenv(tokenName), TokenName: tokenName, Transport: transport(), Now: time.Now})
	if err != nil {
		return nil, outcome.As(outcome.Usage, err)
	}
	return c, nil
}

// warnRenamed says which repositories have another name now than they were asked
// for by. That fails nothing: GitHub leads to the new one until somebody takes the
// old.
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

// asker asks the world what the references in a source name.
func (p process) asker(src workspace.Workspace) *verify.Asker {
	r := p.registry()
	return &verify.Asker{File: src.File, World: p.resolver(src, r), Charts: r.ChartArchive}
}

// resolver asks registries, forges and module proxies.
func (p process) resolver(src workspace.Workspace, r *oci.Registry) resolve.World {
	return resolve.World{Registry: r, Refs: src.Repo.Refs(p.server()), Server: p.server(), HTTP: transport(), Proxies: p.goProxies(),
		Private: p.goSetting("GONOPROXY", p.goSetting("GOPRIVATE", "")), Brief: true}
}

// server is where repositories are served from.
func (p process) server() string { return orElse(p.Getenv("GITHUB_SERVER_URL"), "https://github.com") }

// printJSON prints a value for programs.
func (p process) printJSON(value any) error {
	encoder := json.NewEncoder(p.Stdout)
	encoder.SetIndent("", "  ")
	encoder.SetEscapeHTML(false)
	return encoder.Encode(value)
}
