package actions_test

import (
	"slices"
	"strings"
)

// prebuiltWorkflow is the workflow that actions/_lib/prebuilt.sh trusts, on main.
const prebuiltWorkflow = ".github/workflows/prebuilt.yml"

// checkPrebuilt checks that the workflow only builds from main. For other events, such as
// pull_request_target, GitHub reports main as the ref although the code comes from elsewhere. The
// workflow attests before it publishes, so a published program without an attestation is wrong.
func checkPrebuilt(t *tree, say report) {
	w, ok := t.workflow(prebuiltWorkflow, say)
	if !ok {
		return
	}
	push := get(&w.On, "push")
	var branches []string
	if err := get(push, "branches").Decode(&branches); err != nil || !slices.Equal(branches, []string{"main"}) ||
		!slices.Equal(keys(&w.On), []string{"push"}) || !slices.Equal(keys(push), []string{"branches"}) {
		say(w.document, w.On.Line, "saw events %v, with push of %v %v, want push of branches main alone", keys(&w.On), keys(push), branches)
	}
	for _, j := range w.Jobs {
		pushes := slices.IndexFunc(j.Steps, func(s step) bool { return strings.Contains(s.Run.Value, "hack/prebuilt push") })
		if attests := slices.IndexFunc(j.Steps, isAttest); attests < 0 || pushes < attests {
			say(w.document, w.On.Line, "it attests in step %d and publishes in step %d, want both, in this order", attests+1, pushes+1)
		}
	}
}

// checkSetupToken checks that the steps have the job's token, because nothing can be verified without
// it.
func checkSetupToken(t *tree, say report) {
	t.scripts(func(u unit, s step) {
		if strings.Contains(s.Run.Value, "/_lib/setup.sh") && s.Env["GH_TOKEN"] != "${{ github.token }}" {
			say(u.document, s.Run.Line, "%s: sets ghhelper up with GH_TOKEN %q, want ${{ github.token }}", u.name, s.Env["GH_TOKEN"])
		}
	})
}
