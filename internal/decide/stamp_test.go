package decide

import "testing"

// The reason of an edit contains its evidence with the commits, and whether the place was behind.
func TestReason(t *testing.T) {
	t.Parallel()
	commits := []string{"1a2b3c4d5e6f", "5d6e7f8091a2"}
	for want, e := range map[string]Edit{
		"":              {},
		"belongs to up": {Because: "belongs to up"},
		"moved with the others in 1a2b3c4d, 5d6e7f80":         {Because: "moved with the others", Commits: commits},
		"was behind the others":                               {Behind: true},
		"moved with the others until 1a2b3c4d":                {Behind: true, Commits: commits},
		"was behind the others; is beside a place that moves": {Behind: true, Because: "is beside a place that moves"},
		"was behind the others; moved with the others before in 1a2b3c4d": {Behind: true,
			Because: "moved with the others before", Commits: commits[:1]},
	} {
		if got := e.Reason(); got != want {
			t.Errorf("%+v: saw %q, want %q", e, got, want)
		}
	}
}
