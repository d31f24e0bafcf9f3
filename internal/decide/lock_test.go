package decide

import (
	"testing"

	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/resolve"
)

// A digest is written as it was: with its algorithm, or without.
func TestLockOf(t *testing.T) {
	t.Parallel()
	const hex = "6a476f3fcfdc396a476f3fcfdc396a476f3fcfdc396a476f3fcfdc396a476f3f"
	answer := resolve.Answer{Digest: "sha256:" + hex, Revision: "commit"}
	for written, want := range map[string]string{
		"sha256:" + hex: answer.Digest, hex: hex, "6a476f3fcfdc396a476f3fcfdc396a476f3fcfdc": "commit",
	} {
		if got := LockOf(ref.Reference{Lock: &ref.Lock{Written: written}}, answer); got != want {
			t.Errorf("%s: got %s, want %s", written, got, want)
		}
	}
}
