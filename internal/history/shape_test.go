package history_test

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/history"
)

func TestShape(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		line, shape string
		versions    []string
	}{
		{"\tWEB_VERSION ?= v1.2.0\r", "WEB_VERSION ?= _", []string{"1.2.0"}},
		{"  image:   acme/web:1.2.0-alpine3.19", "image: acme/web:_-alpine3.19", []string{"1.2.0"}},
		{"web-1.2.0-linux-amd64.tgz", "web-_-linux-amd64.tgz", []string{"1.2.0"}},
		{"1.2.0-rc.1 and 1.2.0-rc2, v1.3.0-0.20240501", "_ and _, _", []string{"1.2.0-rc.1", "1.2.0-rc2", "1.3.0-0.20240501"}},
		{"11.2.0 is not 1.2.0.", "_ is not _.", []string{"11.2.0", "1.2.0"}},
		{"x1.2.0 1.2.x release-1.20 a.1.2 1. .2 v1", "x1.2.0 _.x release-_ a.1.2 1. .2 v1", []string{"1.2", "1.20"}},
		{"", "", nil},
	} {
		shape, versions := history.Shape(test.line)
		shape = strings.ReplaceAll(shape, history.Blank, "_")
		if shape != test.shape || !cmp.Equal(versions, test.versions) {
			t.Errorf("%q: shape %q and %q, want %q and %q", test.line, shape, versions, test.shape, test.versions)
		}
	}
}
