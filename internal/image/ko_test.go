package image

import (
	"os"
	"strings"
	"testing"
)

// ko.go and tools/goreleaser pin the same version of ko.
func TestKoIsThePinnedOne(t *testing.T) {
	t.Parallel()
	data, err := os.ReadFile("../../tools/goreleaser/go.mod")
	if err != nil {
		t.Fatal(err)
	}
	for line := range strings.Lines(string(data)) {
		if fields := strings.Fields(line); len(fields) > 1 && fields[0] == koModule {
			if fields[1] != koVersion {
				t.Errorf("tools/goreleaser pins ko %s, want %s in ko.go too", fields[1], fields[1])
			}
			return
		}
	}
	t.Errorf("tools/goreleaser does not pin %s", koModule)
}
