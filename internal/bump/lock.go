package bump

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/chart"
)

// Stale is a file that is derived from an edited one, and was not derived.
type Stale struct {
	File    string `json:"file"`
	Because string `json:"because"`
	Command string `json:"command"`
}

// locks are the files that programs derive from others in the same folder, with the commands.
var locks = []struct{ from, lock, command string }{
	{"Chart.yaml", "Chart.lock", "helm dependency update"},
	{"requirements.yaml", "requirements.lock", "helm dependency update"},
	{"go.mod", "go.sum", "go mod tidy"},
	{"package.json", "package-lock.json", "npm install --package-lock-only"},
	{"package.json", "yarn.lock", "yarn install"},
	{"package.json", "pnpm-lock.yaml", "pnpm install --lockfile-only"},
	{"Cargo.toml", "Cargo.lock", "cargo update --workspace"},
	{"pyproject.toml", "poetry.lock", "poetry lock"},
	{"pyproject.toml", "uv.lock", "uv lock"},
	{"flake.nix", "flake.lock", "nix flake lock"},
	{"jsonnetfile.json", "jsonnetfile.lock.json", "jb update"},
	{"vendir.yml", "vendir.lock.yml", "vendir sync"},
	{"helmfile.yaml", "helmfile.lock", "helmfile deps"},
}

// relockAll adds the locks of charts to the changes, and lists the other files that are derived from changed ones.
func (b Bump) relockAll(p *Plan) error {
	isChanged := func(name string) bool {
		return slices.ContainsFunc(p.Changes, func(c apply.Change) bool { return c.File == name })
	}
	for _, c := range p.Changes {
		for _, l := range locks {
			name := path.Join(path.Dir(c.File), l.lock)
			if path.Base(c.File) != l.from || !slices.Contains(b.Names, name) || isChanged(name) {
				continue
			}
			because := "nothing derived it"
			if strings.HasPrefix(l.command, "helm ") {
				relocked, err := b.relock(c, name)
				if err == nil {
					p.Changes = append(p.Changes, relocked...)
					continue
				}
				if !errors.Is(err, chart.ErrLock) {
					return fmt.Errorf("%s: %w", name, err)
				}
				because = err.Error()
			}
			if len(p.Underived) > 0 {
				continue // a declared command may derive it
			}
			p.Stale = append(p.Stale, Stale{name, because, commandIn(l.command, path.Dir(c.File))})
		}
	}
	return nil
}

// relock returns the change of a Chart.lock, or nothing if the dependencies are the same.
func (b Bump) relock(c apply.Change, name string) ([]apply.Change, error) {
	before, err := fs.ReadFile(b.Tree, name)
	if err != nil {
		return nil, err
	}
	info, err := fs.Stat(b.Tree, name)
	if err != nil {
		return nil, err
	}
	after, err := chart.Relock(c.Before, c.After, before)
	if err != nil || string(after) == string(before) {
		return nil, err
	}
	return []apply.Change{{File: name, Before: before, After: after, Mode: info.Mode().Perm(), By: "ghhelper"}}, nil
}

// commandIn returns a command that is run in a folder.
func commandIn(command, dir string) string {
	switch {
	case dir == ".":
		return command
	case strings.HasPrefix(command, "helm "):
		return command + " " + dir
	}
	return fmt.Sprintf("(cd %s && %s)", dir, command)
}
