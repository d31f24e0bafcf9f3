package actions_test

import (
	"io/fs"
	"path"

	"go.yaml.in/yaml/v3"
)

const dependabotFile = ".github/dependabot.yml"

type dependabot struct {
	Updates []struct {
		Ecosystem   string `yaml:"package-ecosystem"`
		Directory   string
		Directories []string
		Schedule    struct{ Interval string }
		Cooldown    struct {
			Days int `yaml:"default-days"`
		}
	}
}

// checkDependabot checks that every folder with pins is watched, and that new versions wait for a
// cooldown.
func checkDependabot(t *tree, say report) {
	d := document{path: dependabotFile}
	data, err := fs.ReadFile(t.fsys, dependabotFile)
	if err != nil {
		say(d, 0, "%v", err)
		return
	}
	var config dependabot
	if err := yaml.Unmarshal(data, &config); err != nil {
		say(d, 0, "%v", err)
		return
	}
	for _, update := range config.Updates {
		if update.Schedule.Interval != "weekly" || update.Cooldown.Days < 1 {
			say(d, 0, "%s: saw interval %q, cooldown of %d days, want weekly, and some", update.Ecosystem, update.Schedule.Interval, update.Cooldown.Days)
		}
	}
	for ecosystem, folders := range map[string][]string{
		"gomod":          append(t.folders("tools/*/go.mod"), "/"),
		"github-actions": append(t.folders("actions/*/action.yml"), "/"),
	} {
		for _, folder := range folders {
			if !config.watches(ecosystem, folder) {
				say(d, 0, "%s does not watch %s", ecosystem, folder)
			}
		}
	}
}

// folders returns the folders that have such a file, as Dependabot names them.
func (t *tree) folders(pattern string) []string {
	files, _ := fs.Glob(t.fsys, pattern) // returns an error only for a malformed pattern
	for i, file := range files {
		files[i] = "/" + path.Dir(file)
	}
	return files
}

func (c dependabot) watches(ecosystem, folder string) bool {
	for _, update := range c.Updates {
		for _, pattern := range append(update.Directories, update.Directory) {
			if ok, _ := path.Match(pattern, folder); ok && update.Ecosystem == ecosystem {
				return true
			}
		}
	}
	return false
}
