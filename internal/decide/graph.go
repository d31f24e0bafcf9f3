package decide

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Edge is a reference of one artifact to another at a version.
type Edge struct{ From, To, Version string }

// Edges returns the edges of the graph, sorted. An edge leads from the artifact whose source has a reference, or from
// the component itself, to the target. If one place of a source names the version of a whole component, and others use
// it for an artifact, the edge leads to the artifact.
func Edges(f *delivery.File, found []ref.Reference, own ref.Version) []Edge {
	set := map[Edge]bool{}
	for _, r := range found {
		if e := edge(f, r, own); e.From != e.To {
			set[e] = true
		}
	}
	for e := range set {
		if whole, ok := wholeOf(set, e); ok && e.Version == "" {
			delete(set, e)
			set[Edge{e.From, e.To, whole.Version}] = true
		}
	}
	all := slices.SortedFunc(maps.Keys(set), compareEdges)
	return slices.DeleteFunc(all, func(e Edge) bool { return reaches(all, e) })
}

func edge(f *delivery.File, r ref.Reference, own ref.Version) Edge {
	e := Edge{From: sourceOf(f, r.File), To: r.Component}
	if r.Artifact != "" {
		e.To += "/" + r.Artifact
	}
	switch {
	case IsOwn(f, r):
		e.Version = own.String()
	case !r.Use:
		e.Version = strings.TrimPrefix(r.Written, "v")
	}
	return e
}

// wholeOf returns the edge from the same source to the component of e's artifact. Of several versions, it is the first
// in the order of edges.
func wholeOf(set map[Edge]bool, e Edge) (whole Edge, found bool) {
	component, _, ofArtifact := strings.Cut(e.To, "/")
	for other := range set {
		if !ofArtifact || other.From != e.From || other.To != component || other.Version == "" {
			continue
		}
		if !found || compareEdges(other, whole) < 0 {
			whole, found = other, true
		}
	}
	return whole, found
}

// reaches reports whether an edge adds nothing to the others: one leads to an artifact of its component, or has the
// version that it lacks.
func reaches(all []Edge, e Edge) bool {
	return slices.ContainsFunc(all, func(o Edge) bool {
		return o.From == e.From &&
			(strings.HasPrefix(o.To, e.To+"/") || o.To == e.To && e.Version == "" && o.Version != "")
	})
}

func compareEdges(a, b Edge) int {
	return strings.Compare(a.From+"\x00"+a.To+"\x00"+a.Version, b.From+"\x00"+b.To+"\x00"+b.Version)
}

// sourceOf returns the artifact of ours whose source has a file, or our component.
func sourceOf(f *delivery.File, file string) string {
	if component, artifact := f.Stamps(file); component != "" {
		return component + "/" + artifact
	}
	return f.Self
}

// Mermaid returns the edges as a Mermaid flowchart.
func Mermaid(edges []Edge) string {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	ids := map[string]string{}
	id := func(name string) string {
		if _, ok := ids[name]; !ok {
			ids[name] = fmt.Sprintf("n%d", len(ids))
			fmt.Fprintf(&b, "  %s[%q]\n", ids[name], name)
		}
		return ids[name]
	}
	for _, e := range edges {
		from, to := id(e.From), id(e.To)
		if e.Version == "" {
			fmt.Fprintf(&b, "  %s -.-> %s\n", from, to)
			continue
		}
		fmt.Fprintf(&b, "  %s -. %q .-> %s\n", from, e.Version, to)
	}
	return b.String()
}

// Order sorts names so that each follows those that it needs. needs[x] lists what x needs. Names that are not in the
// list are ignored. A cycle is an error that names its members.
func Order(names []string, needs map[string][]string) ([]string, error) {
	var ordered, onPath []string
	done := map[string]bool{}
	var visit func(string) error
	visit = func(name string) error {
		if i := slices.Index(onPath, name); i >= 0 {
			return fmt.Errorf("these need each other, so none can be published first: %s",
				strings.Join(append(onPath[i:], name), " → "))
		}
		if done[name] || !slices.Contains(names, name) {
			return nil
		}
		onPath = append(onPath, name)
		for _, need := range needs[name] {
			if err := visit(need); err != nil {
				return err
			}
		}
		onPath = onPath[:len(onPath)-1]
		done[name] = true
		ordered = append(ordered, name)
		return nil
	}
	for _, name := range names {
		if err := visit(name); err != nil {
			return nil, err
		}
	}
	return ordered, nil
}
