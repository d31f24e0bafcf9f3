// Command prebuilt publishes ghhelper binaries for the actions, built from the source
// that is checked out. The actions use a binary only if its provenance is proven. Its
// tag is the source hash and the platform.
//
//	prebuilt build DIR   builds the unpublished binaries as DIR/ghhelper-OS-ARCH
//	prebuilt push DIR    publishes the binaries in DIR
//
// The workflow attests the binaries between the two commands.
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
	"github.com/kubestellar/actions/internal/outcome"
)

// at is the repository that actions/_lib/prebuilt.sh downloads from.
const at = "ghcr.io/kubestellar/actions/ghhelper-source"

// platforms are those of GitHub's runners, except Windows, which the actions do not
// support.
var platforms = []string{"linux-amd64", "linux-arm64", "darwin-amd64", "darwin-arm64"}

func main() {
	if err := run(context.Background(), os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "prebuilt:", err)
		os.Exit(1)
	}
}

func run(ctx context.Context, args []string) error {
	if len(args) != 2 || args[0] != "build" && args[0] != "push" {
		return fmt.Errorf("saw arguments %q, want build or push and a folder", args)
	}
	source, err := sourceHash()
	if err != nil {
		return err
	}
	if built, _ := filepath.Glob(filepath.Join(args[1], "ghhelper-*")); args[0] == "push" && len(built) == 0 {
		return fmt.Errorf("no files ghhelper-OS-ARCH in %s, want those written by prebuilt build", args[1])
	}
	keychain := authn.NewMultiKeychain(authn.DefaultKeychain, github.Keychain)
	p := publisher{
		registry: &oci.Registry{Keychain: keychain, Transport: http.DefaultTransport},
		source:   source,
		dir:      args[1],
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

// build builds the binary for a platform, unless it is already published.
func (p publisher) build(ctx context.Context, platform string) error {
	digest, err := p.registry.Digest(ctx, at, p.tag(platform))
	if err == nil {
		fmt.Printf("%s:%s is already published, %s\n", at, p.tag(platform), digest)
		return nil
	}
	if !errors.Is(err, outcome.ErrAbsent) {
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

// push publishes the binary for a platform, if there is one.
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
		return fmt.Errorf("%s is already published with other bytes: saw %s, want %s; "+
			"either the build is not reproducible, or the tag was moved: check the published attestation, and "+
			"delete the tag if it has none", conflict.Name, conflict.Seen, conflict.Want)
	}
	if err != nil {
		return err
	}
	fmt.Printf("published %s:%s, %s\n", at, p.tag(platform), digest)
	return nil
}

// layerType is that of the program compressed with gzip, without an archive around it.
const layerType types.MediaType = "application/gzip"

// pack returns an artifact that contains a program. It is reproducible. The annotation
// links the package to the repository on ghcr.io.
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
