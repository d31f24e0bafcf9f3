// Command prebuilt publishes ghhelper as it is built from the source that is checked
// out, for the actions, which use it where its provenance is proven. Its name is the
// hash of that source and the platform, so there is at most one of each.
//
//	prebuilt build DIR   builds what is not published yet, as DIR/ghhelper-OS-ARCH
//	prebuilt push DIR    publishes what was built
//
// Between the two it is attested: nothing is published that is not.
package main

import (
	"bytes"
	"compress/gzip"
	"context"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/authn/github"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubestellar/actions/internal/oci"
)

// at is where actions/_lib/prebuilt.sh looks.
const at = "ghcr.io/kubestellar/actions/ghhelper-source"

// platforms of GitHub's runners, but for Windows, where the actions do not run.
var platforms = []string{"linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"}

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "prebuilt:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 2 || args[0] != "build" && args[0] != "push" {
		return fmt.Errorf("saw arguments %q, want build or push, and a folder", args)
	}
	source, err := sourceHash()
	if err != nil {
		return err
	}
	if built, _ := filepath.Glob(filepath.Join(args[1], "ghhelper-*")); args[0] == "push" && len(built) == 0 {
		return fmt.Errorf("%s holds no ghhelper-OS-ARCH, want what build has put there", args[1])
	}
	p := publisher{
		registry: &oci.Registry{Keychain: authn.NewMultiKeychain(authn.DefaultKeychain, github.Keychain), Transport: http.DefaultTransport},
		source:   source, dir: args[1],
	}
	do := map[string]func(context.Context, string) error{"build": p.build, "push": p.push}[args[0]]
	for _, platform := range platforms {
		if err := do(ctx, platform); err != nil {
			return fmt.Errorf("%s: %w", platform, err)
		}
	}
	return nil
}

func sourceHash() (string, error) {
	cmd := exec.Command("bash", "actions/_lib/source.sh")
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return "", fmt.Errorf("actions/_lib/source.sh: %w; run this at the root of the repository", err)
	}
	return strings.TrimSpace(string(out)), nil
}

type publisher struct {
	registry    *oci.Registry
	source, dir string
}

func (p publisher) tag(platform string) string  { return p.source + "-" + platform }
func (p publisher) file(platform string) string { return filepath.Join(p.dir, "ghhelper-"+platform) }

// build builds for a platform, unless the registry has that already.
func (p publisher) build(ctx context.Context, platform string) error {
	digest, err := p.registry.Digest(ctx, at, p.tag(platform))
	if err == nil {
		fmt.Printf("%s:%s is published, %s\n", at, p.tag(platform), digest)
		return nil
	}
	if !errors.Is(err, oci.ErrAbsent) {
		return err
	}
	if err := os.MkdirAll(p.dir, 0o755); err != nil {
		return err
	}
	file, err := filepath.Abs(p.file(platform))
	if err != nil {
		return err
	}
	system, arch, _ := strings.Cut(platform, "-")
	cmd := exec.Command("bash", "actions/_lib/build.sh", system, arch, file)
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		return fmt.Errorf("actions/_lib/build.sh: %w", err)
	}
	fmt.Println("built", p.file(platform))
	return nil
}

// push publishes what was built for a platform, if anything was.
func (p publisher) push(ctx context.Context, platform string) error {
	program, err := os.ReadFile(p.file(platform))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	image, err := pack(program)
	if err != nil {
		return err
	}
	digest, err := p.registry.PushImage(ctx, at, p.tag(platform), image)
	if conflict := new(oci.Conflict); errors.As(err, &conflict) {
		return fmt.Errorf("%s is there with other bytes, %s, and what was built is %s: the same source has to give the same bytes, so either it did not, or somebody has put the tag elsewhere; find out which, and delete it if it is not attested", conflict.Name, conflict.Seen, conflict.Want)
	}
	if err != nil {
		return err
	}
	fmt.Printf("%s:%s is published, %s\n", at, p.tag(platform), digest)
	return nil
}

// layerType is what prebuilt.sh unpacks: no archive, but the program itself.
const layerType types.MediaType = "application/gzip"

// pack makes an artifact of a program, the same of the same program at any time. The
// annotation has ghcr.io connect the package with the repository.
func pack(program []byte) (v1.Image, error) {
	var packed bytes.Buffer
	writer := gzip.NewWriter(&packed)
	_, err := writer.Write(program)
	if err := errors.Join(err, writer.Close()); err != nil {
		return nil, fmt.Errorf("packing the program: %w", err)
	}
	image, err := mutate.Append(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		mutate.Addendum{Layer: static.NewLayer(packed.Bytes(), layerType), MediaType: layerType})
	if err != nil {
		return nil, err
	}
	image = mutate.ConfigMediaType(image, types.OCIConfigJSON)
	annotations := map[string]string{oci.KeySource: "https://github.com/kubestellar/actions"}
	return mutate.Annotations(image, annotations).(v1.Image), nil
}
