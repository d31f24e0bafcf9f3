package verify

import (
	"bytes"
	"fmt"
	"io/fs"
	"path"
	"slices"

	"golang.org/x/mod/modfile"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/ref"
)

// Derived adds the findings about a Chart.lock or go.sum that does not belong to the pins of its Chart.yaml or go.mod.
func Derived(f *delivery.File, tree Tree, r *Result) {
	var findings []decide.Finding
	charts := map[string]bool{}
	for _, pin := range find.Pins(tree.Found.References) {
		if pin.Excused != "" {
			continue
		}
		switch base := path.Base(pin.File); {
		case base == "Chart.yaml" && !charts[pin.File]:
			charts[pin.File] = true
			findings = append(findings, tree.chartLock(pin)...)
		case base == "go.mod" && pin.Syntax == ref.GoModule:
			findings = append(findings, tree.goSum(pin)...)
		}
	}
	r.Findings = append(r.Findings, decide.Weigh(f, findings)...)
	decide.Sort(r.Findings)
}

// file returns the content of a file, or nothing if the tree does not have it.
func (t Tree) file(name string) []byte {
	if !slices.Contains(t.Names, name) {
		return nil
	}
	data, _ := fs.ReadFile(t.FS, name) // a file that cannot be read is reported by the search
	return data
}

func (t Tree) chartLock(pin ref.Reference) []decide.Finding {
	dir := path.Dir(pin.File)
	lock := t.file(path.Join(dir, "Chart.lock"))
	if lock == nil {
		return nil
	}
	if same, err := chart.InSync(t.file(pin.File), lock); same || err != nil {
		return nil
	}
	return []decide.Finding{decide.At(pin, "lock", "other dependencies than in Chart.lock", "a Chart.lock of these",
		"run helm dependency update "+dir)}
}

// goSum checks that the go.sum beside a go.mod, or that of its workspace, has the module of a pin.
func (t Tree) goSum(pin ref.Reference) []decide.Finding {
	dir := path.Dir(pin.File)
	sums := t.file(path.Join(dir, "go.sum"))
	mod, err := modfile.Parse(pin.File, t.file(pin.File), nil)
	if sums == nil || err != nil {
		return nil
	}
	i := slices.IndexFunc(mod.Require, func(r *modfile.Require) bool { return r.Syntax.Start.Line == pin.Line })
	if i < 0 {
		return nil
	}
	required := mod.Require[i].Mod
	isReplaced := func(r *modfile.Replace) bool { return r.Old.Path == required.Path }
	for parent := dir; ; parent = path.Dir(parent) {
		sums = slices.Concat(sums, []byte("\n"), t.file(path.Join(parent, "go.work.sum")))
		if parent == "." {
			break
		}
	}
	if slices.ContainsFunc(mod.Replace, isReplaced) ||
		bytes.Contains(sums, []byte(required.Path+" "+required.Version+"/go.mod ")) {
		return nil
	}
	saw := fmt.Sprintf("%s %s, which go.sum lacks", required.Path, required.Version)
	return []decide.Finding{decide.At(pin, "lock", saw, "its checksum", "run go mod tidy in "+dir)}
}
