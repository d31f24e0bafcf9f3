package prove

import (
	"testing"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/oci"
)

func TestPlatforms(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		declared, has, configured string
		right                     bool
	}{
		{"linux/amd64", "linux/amd64", "linux/amd64", true},
		{"linux/arm/v7", "linux/arm/v7", "linux/arm/v7", true},
		{"linux/arm", "linux/arm/v7", "linux/arm/v7", true},
		{"linux/arm/v7", "linux/arm/v6", "linux/arm/v6", false},
		{"linux/arm/v7", "linux/arm/v7", "linux/arm/v6", false},
	} {
		d := oci.Description{Platforms: []string{test.has}, Each: []oci.Platform{{Name: test.has, Configured: test.configured}}}
		_, err := platforms(thing{Artifact: delivery.Artifact{Platforms: []string{test.declared}}}, d)
		if (err == nil) != test.right {
			t.Errorf("%+v: got %v", test, err)
		}
	}
}
