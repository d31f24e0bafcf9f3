package delivery

import (
	"strings"
	"testing"
)

// An unknown component's error suggests the name that was most probably meant.
func TestSuggestsComponents(t *testing.T) {
	t.Parallel()
	f := &File{Components: map[string]Component{"kubeflex": {}, "kubestellar": {}, "helm": {}, "ocm-status-addon": {}, "a": {}}}
	for typed, want := range map[string]string{
		"kubflex": "kubeflex", "kubefelx": "kubeflex", "kubesteller": "kubestellar", "hlem": "helm", "status-addon": "ocm-status-addon",
		"postgres": "", "x": "", "": "", "ab": "", strings.Repeat("k", 4096): "",
	} {
		_, err := f.Component(typed)
		_, saw, _ := strings.Cut(err.Error(), "which has a, helm, kubeflex, kubestellar, ocm-status-addon")
		if want != "" {
			want = "; did you mean " + want + "?"
		}
		if saw != want {
			t.Errorf("%.40q: saw %q, want %q", typed, saw, want)
		}
	}
	if _, err := f.Component("helm"); err != nil {
		t.Error(err)
	}
}
