// Command graph draws who refers to whom in this tree, without versions, which
// stand where the references are. `make all-generated` has it write
// docs/references.md.
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

const page = `<!-- Derived from this tree by hack/graph: make all-generated writes it anew. -->
# Who refers to whom

An arrow leads from what holds a reference, an artifact of this repository or the repository itself, to what the
reference names. ` + "`ghhelper references`" + ` lists the places and their versions; the graph with the versions of a release is
in the report of its rehearsal.

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
	file := filepath.Join(top, "docs", "references.md")
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		return err
	}
	return os.WriteFile(file, fmt.Appendf(nil, page, decide.Mermaid(edges)), 0o644)
}

// edges of the tree's graph, each once whatever versions it is named at.
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
	counted := slices.DeleteFunc(found.References, func(r ref.Reference) bool { return r.Excused != "" }) // tests, samples
	edges := decide.Edges(file, counted, ref.Version{})
	for i := range edges {
		edges[i].Version = ""
	}
	return slices.Compact(edges), nil
}
