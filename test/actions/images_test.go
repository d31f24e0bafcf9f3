package actions_test

import (
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
)

// checkToolImages checks that a workflow that builds tool images offers exactly the tools that
// delivery.yaml can build.
func checkToolImages(t *tree, say report) {
	for _, w := range t.workflows {
		for _, job := range w.Jobs {
			if !slices.ContainsFunc(job.Steps, func(s step) bool { return s.Uses.Value == "./actions/build-tool-image" }) {
				continue
			}
			file, err := delivery.Load(t.fsys, delivery.FileName)
			if err != nil {
				say(w.document, 0, "%v", err)
				continue
			}
			want := slices.DeleteFunc(file.Names(), func(name string) bool {
				_, built := file.Components[name].Built()
				return !built
			})
			at := get(w.node, "on", "workflow_dispatch", "inputs", "component", "options")
			var got []string
			if err := at.Decode(&got); err != nil || !slices.Equal(got, want) {
				say(w.document, at.Line, "the input component offers %q, want what %s builds: %s", got, delivery.FileName, strings.Join(want, ", "))
			}
		}
	}
}
