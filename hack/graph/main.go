// Command graph writes docs/graph.md, which shows the components and artifacts that
// refer to each other in this tree. It leaves out versions, which would make it stale
// after each bump. `make all-generated` runs it.
package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/ref"
)

const page = `<!-- Derived from this tree by hack/graph: make all-generated rewrites it. -->
# Graph of references

Each arrow leads from the artifact that contains a reference, or from the repository itself, to the artifact that it
names. ` + "`ghhelper references`" + ` lists the places and their versions. The report of a rehearsal has the same graph with the
versions of the release.

` + "```mermaid\n%s```\n"

func main() {
	if err := run(context.Background()); err != nil {
		fmt.Fprintln(os.Stderr, "graph:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context) error {
	top, err := git.Repo{Dir: ".", Env: os.Environ()}.Top(ctx)
	if err != nil {
		return err
	}
	edges, err := edges(ctx, top)
	if err != nil {
		return err
	}
	if len(edges) == 0 {
		return errors.New("saw no reference in this tree")
	}
	file := filepath.Join(top, "docs", "graph.md")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, fmt.Appendf(nil, page, decide.Mermaid(edges)), 0o644)
}

// edges returns the edges of the tree's graph without versions, each once.
func edges(ctx context.Context, top string) ([]decide.Edge, error) {
	names, err := git.Repo{Dir: top, Env: os.Environ()}.Files(ctx)
	if err != nil {
		return nil, err
	}
	tree, err := find.OpenFolder(top)
	if err != nil {
		return nil, err
	}
	file, err := delivery.Load(tree, delivery.FileName)
	if err != nil {
		return nil, err
	}
	found, err := find.New(file).Files(ctx, tree, names)
	if err != nil {
		return nil, err
	}
	counted := slices.DeleteFunc(found.References, func(r ref.Reference) bool { return r.Excused != "" })
	edges := decide.Edges(file, counted, ref.Version{})
	for i := range edges {
		edges[i].Version = ""
	}
	return slices.Compact(edges), nil
}
