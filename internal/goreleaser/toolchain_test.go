package goreleaser_test

import (
	"testing"
	"testing/fstest"

	"github.com/kubestellar/actions/internal/goreleaser"
)

func TestToolchain(t *testing.T) {
	t.Parallel()
	for text, want := range map[string]string{
		"module m\n\ngo 1.26.0\n\ntoolchain go1.26.1\n": "go1.26.1",
		"module m\n\ngo 1.26.0\n":                       "local",
	} {
		got, err := goreleaser.Toolchain(fstest.MapFS{"go.mod": {Data: []byte(text)}}, "")
		if err != nil || got != want {
			t.Errorf("%q: %s, %v, want %s", text, got, err, want)
		}
	}
	if got, err := goreleaser.Toolchain(fstest.MapFS{}, ""); got != "local" || err != nil {
		t.Errorf("without go.mod: %s, %v", got, err)
	}
	if _, err := goreleaser.Toolchain(fstest.MapFS{"go.mod": {Data: []byte("toolchain x y z\n")}}, ""); err == nil {
		t.Error("a go.mod that cannot be read was accepted")
	}
}
