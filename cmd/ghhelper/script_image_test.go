package main

import (
	"bytes"
	"context"
	"crypto/x509"
	"encoding/pem"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/rogpeppe/go-internal/testscript"
	"golang.org/x/mod/module"
	"golang.org/x/mod/zip"

	"github.com/kubestellar/actions/internal/oci"
)

// module PROXY MODULE@VERSION FOLDER adds the folder's files as a version of the module to the
// module proxy in the folder PROXY. https://go.dev/ref/mod#goproxy-protocol
func moduleOf(ts *testscript.TestScript, _ bool, args []string) {
	name, version, _ := strings.Cut(args[1], "@")
	escaped, err := module.EscapePath(name)
	ts.Check(err)
	dir, from := filepath.Join(ts.MkAbs(args[0]), escaped, "@v"), ts.MkAbs(args[2])
	ts.Check(os.MkdirAll(dir, 0o755))
	var archive bytes.Buffer
	ts.Check(zip.CreateFromDir(&archive, module.Version{Path: name, Version: version}, from))
	for suffix, data := range map[string][]byte{".zip": archive.Bytes(), ".mod": []byte(ts.ReadFile(filepath.Join(from, "go.mod"))),
		".info": []byte(`{"Version":"` + version + `"}`)} {
		ts.Check(os.WriteFile(filepath.Join(dir, version+suffix), data, 0o644))
	}
}

// helmSource adds helm/helm to the forge, with tags v3.22.0 and v4.0.0 on the module's files, and
// fills the module cache with the dependencies of helm's command.
func helmSource(ts *testscript.TestScript, _ bool, _ []string) {
	list := exec.Command("go", "list", "-deps", "-f", "{{with .Module}}{{.Path}} {{.Version}} {{.Dir}}{{end}}", "helm.sh/helm/v3/cmd/helm")
	list.Dir = filepath.Join(ts.Getenv("ROOT"), "tools", "helm")
	out, err := list.Output()
	ts.Check(err)
	for line := range strings.Lines(string(out)) {
		if dir, ok := strings.CutPrefix(strings.TrimSpace(line), "helm.sh/helm/v3 v3.22.0 "); ok {
			repository(ts, false, []string{"helm/helm", dir, "v3.22.0", "v4.0.0"})
			return
		}
	}
	ts.Fatalf("tools/helm is not built from helm 3.22.0")
}

// unpublished LOCATION: nothing was ever pushed there.
func unpublished(ts *testscript.TestScript, _ bool, args []string) {
	r := &oci.Registry{Keychain: authn.NewMultiKeychain(), Transport: worldOf(ts).Transport()}
	sight, err := r.Sight(context.Background(), args[0])
	ts.Check(err)
	if sight == oci.Visible {
		ts.Fatalf("%s is there", args[0])
	}
}

// is LOCATION:TAG FILE: the file contains the digest of the tag.
func is(ts *testscript.TestScript, _ bool, args []string) {
	at, tag, _ := strings.Cut(args[0], ":")
	r := &oci.Registry{Keychain: authn.NewMultiKeychain(), Transport: worldOf(ts).Transport()}
	digest, err := r.Digest(context.Background(), at, tag)
	ts.Check(err)
	if !strings.Contains(ts.ReadFile(args[1]), `"`+digest+`"`) {
		ts.Fatalf("%s is %s, which %s does not name", args[0], digest, args[1])
	}
}

// pulled LOCATION:TAG PLATFORM PROGRAM pulls the image's program for a platform into the folder,
// without credentials.
func pulled(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), fileOf(ts, args[0], args[1], func(name string) bool { return path.Base(name) == args[2] }), 0o755))
}

// roots LOCATION:TAG PLATFORM FILE pulls the certificates that programs in the image
// trust, which must be more than a hundred, into the file.
func roots(ts *testscript.TestScript, _ bool, args []string) {
	data := fileOf(ts, args[0], args[1], func(name string) bool { return name == "etc/ssl/certs/ca-certificates.crt" })
	n := 0
	for block, rest := pem.Decode(data); block != nil; block, rest = pem.Decode(rest) {
		_, err := x509.ParseCertificate(block.Bytes)
		ts.Check(err)
		n++
	}
	const atLeast = 100
	if n < atLeast {
		ts.Fatalf("%s has %d root certificates, want at least %d", args[0], n, atLeast)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[2]), data, 0o644))
}

// fileOf returns the last file of that name in the image for a platform, without credentials.
func fileOf(ts *testscript.TestScript, image, platform string, wanted func(name string) bool) (content []byte) {
	at, tag, _ := strings.Cut(image, ":")
	r := &oci.Registry{Keychain: authn.NewMultiKeychain(), Transport: worldOf(ts).Transport()}
	d, err := r.Describe(context.Background(), at, tag)
	ts.Check(err)
	i := slices.IndexFunc(d.Each, func(p oci.Platform) bool { return p.Name == platform })
	if i < 0 {
		ts.Fatalf("%s is for %v", image, d.Platforms)
	}
	ts.Check(r.Files(context.Background(), at, d.Each[i].Digest, func(name string, data []byte) error {
		if wanted(name) {
			content = data
		}
		return nil
	}))
	if content == nil {
		ts.Fatalf("%s has no such file", image)
	}
	return content
}
