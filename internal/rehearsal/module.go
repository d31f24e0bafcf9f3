package rehearsal

import (
	"context"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// ModuleChart returns the chart that a component publishes at a tag, and a description of its origin.
// The chart comes from the component's Go module, which the go command downloads with env. Its
// versions and the tags of its own images are stamped as in the component's release.
func ModuleChart(
	ctx context.Context, env []string, file *delivery.File, component, tag string,
) (*chart.Chart, string, error) {
	version, err := ref.ParseVersion(tag)
	if err != nil {
		return nil, "", err
	}
	c := file.Components[component]
	modules := c.OfKind(delivery.Module)
	if len(modules) == 0 {
		return nil, "", fmt.Errorf("component %s declares no Go module to take a chart from", component)
	}
	module := c.Artifacts[modules[0]].At
	dir, err := moduleDir(ctx, env, module, version)
	if err != nil {
		return nil, "", err
	}
	made, err := fromModule(dir, c, tag, version)
	return made, fmt.Sprintf("packaged by the rehearsal from Go module %s@%s", module, version.WithV()), err
}

// moduleDir returns the folder of a Go module in the module cache.
func moduleDir(ctx context.Context, env []string, module string, version ref.Version) (string, error) {
	out, err := goCommand(ctx, env, os.TempDir(), "mod", "download", "-json", module+"@"+version.WithV())
	if err != nil {
		return "", err
	}
	var answer struct{ Dir string }
	if err := json.Unmarshal(out, &answer); err != nil {
		return "", fmt.Errorf("reading go mod download's answer: %w", err)
	}
	return answer.Dir, nil
}

var versionLine = regexp.MustCompile(`(?m)^(version|appVersion):.*$`)

func fromModule(dir string, c delivery.Component, tag string, version ref.Version) (*chart.Chart, error) {
	var files []chart.File
	stamped := false
	root := os.DirFS(filepath.Join(dir, "chart"))
	err := fs.WalkDir(root, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		data, err := fs.ReadFile(root, name)
		data = ownImages(c, version, data)
		if name == "Chart.yaml" && versionLine.Match(data) {
			data, stamped = versionLine.ReplaceAll(data, []byte("$1: "+tag)), true
		}
		files = append(files, chart.File{Name: name, Data: data})
		return err
	})
	if err != nil {
		return nil, err
	}
	if !stamped {
		return nil, fmt.Errorf("the module's chart has no version to stamp")
	}
	return chart.Load("in "+dir, files)
}

func ownImages(c delivery.Component, version ref.Version, data []byte) []byte {
	for _, name := range c.OfKind(delivery.Image) {
		a := c.Artifacts[name]
		data = []byte(strings.ReplaceAll(string(data), a.At+":latest", a.At+":"+a.TagFor(version)))
	}
	return data
}
