package apply

import (
	"testing"

	"github.com/kubestellar/actions/internal/plan"
	"github.com/kubestellar/actions/internal/ref"
)

func edit(start, end int, written, to string) plan.Edit {
	return plan.Edit{Reference: ref.Reference{Site: ref.Site{File: "f", Line: 1, Column: start + 1, Start: start, End: end}, Written: written}, To: to}
}

func TestEditsSplice(t *testing.T) {
	t.Parallel()
	got, err := Edits([]byte("a 1.0 b 1.0\r\n\xff"), []plan.Edit{edit(2, 5, "1.0", "22.0"), edit(8, 11, "1.0", "3")})
	if want := "a 22.0 b 3\r\n\xff"; err != nil || string(got) != want {
		t.Errorf("got %q, %v, want %q", got, err, want)
	}
}

func TestEditsRefuse(t *testing.T) {
	t.Parallel()
	for name, edits := range map[string][]plan.Edit{
		"another text":     {edit(0, 3, "1.0", "2.0")},
		"past the end":     {edit(9, 12, "1.0", "2.0")},
		"overlapping":      {edit(2, 5, "1.0", "2.0"), edit(4, 7, "0 b", "x")},
		"not in the order": {edit(8, 11, "1.0", "2.0"), edit(2, 5, "1.0", "2.0")},
	} {
		if got, err := Edits([]byte("a 1.0 b 1.0"), edits); err == nil {
			t.Errorf("%s: got %q, want an error", name, got)
		}
	}
}
