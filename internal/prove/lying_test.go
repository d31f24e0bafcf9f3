package prove_test

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"context"
	"crypto/sha256"
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/static"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/test/testkit"
)

// Each alteration here is undone at the end of its test.

func (s *stage) tag(t *testing.T, at, tag string) (name.Tag, []remote.Option) {
	t.Helper()
	ref, err := name.NewTag(at+":"+tag, name.StrictValidation)
	testkit.Must(t, err)
	return ref, s.Remote()
}

// get returns the current target of a tag.
func (s *stage) get(t *testing.T, at, tag string) *remote.Descriptor {
	t.Helper()
	ref, options := s.tag(t, at, tag)
	desc, err := remote.Get(ref, options...)
	testkit.Must(t, err)
	return desc
}

// restore resets a tag at the end of the test, or deletes it if it is new.
func (s *stage) restore(t *testing.T, at, tag string) {
	t.Helper()
	ref, options := s.tag(t, at, tag)
	desc, err := remote.Get(ref, options...)
	t.Cleanup(func() {
		if err == nil {
			testkit.Must(t, remote.Tag(ref, desc, options...))
		} else {
			s.remove(t, at, tag)
		}
	})
}

// point moves a tag to existing content.
func (s *stage) point(t *testing.T, at, tag string, to remote.Taggable) {
	t.Helper()
	s.restore(t, at, tag)
	ref, options := s.tag(t, at, tag)
	testkit.Must(t, remote.Tag(ref, to, options...))
}

// write pushes an image or a chart over a tag.
func (s *stage) write(t *testing.T, at, tag string, image v1.Image) {
	t.Helper()
	s.restore(t, at, tag)
	ref, options := s.tag(t, at, tag)
	testkit.Must(t, remote.Write(ref, image, options...))
}

func (s *stage) writeIndex(t *testing.T, at, tag string, index v1.ImageIndex) {
	t.Helper()
	s.restore(t, at, tag)
	ref, options := s.tag(t, at, tag)
	testkit.Must(t, remote.WriteIndex(ref, index, options...))
	hash, err := index.Digest()
	testkit.Must(t, err)
	s.attachSBOM(t, at, hash, hash.Hex) // a real push of another image attaches its SBOM as well
}

// attachSBOM attaches a text to an image as its SBOM.
func (s *stage) attachSBOM(t *testing.T, at string, image v1.Hash, text string) {
	t.Helper()
	sbom, err := mutate.AppendLayers(empty.Image, static.NewLayer([]byte(text), "text/spdx+json"))
	testkit.Must(t, err)
	s.write(t, at, sbomTag(image), sbom)
}

func sbomTag(image v1.Hash) string { return "sha256-" + image.Hex + ".sbom" }

func (s *stage) remove(t *testing.T, at, tag string) {
	t.Helper()
	host, repository, _ := strings.Cut(at, "/")
	testkit.Must(t, s.Registry(host).DeleteManifest(repository, tag))
}

// untag deletes a tag.
func (s *stage) untag(t *testing.T, at, tag string) {
	t.Helper()
	s.restore(t, at, tag)
	s.remove(t, at, tag)
}

// misname publishes this tag's content under another tag.
func (s *stage) misname(t *testing.T, at, tag, other string) {
	t.Helper()
	desc := s.get(t, at, tag)
	s.untag(t, at, tag)
	s.point(t, at, other, desc)
}

// replatform pushes the app's image with each platform's image altered; nil removes one.
func (s *stage) replatform(t *testing.T, alter func(platform string, image v1.Image) v1.Image) {
	t.Helper()
	s.reindex(t, alter, func(index v1.ImageIndex) v1.ImageIndex { return index })
}

func (s *stage) reindex(t *testing.T, alter func(platform string, image v1.Image) v1.Image, finish func(v1.ImageIndex) v1.ImageIndex) {
	t.Helper()
	old, err := s.get(t, appImage, version).ImageIndex()
	testkit.Must(t, err)
	manifest, err := old.IndexManifest()
	testkit.Must(t, err)
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, m := range manifest.Manifests {
		image, err := old.Image(m.Digest)
		testkit.Must(t, err)
		if image = alter(m.Platform.Architecture, image); image == nil {
			continue
		}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: m.Platform}})
	}
	annotated, ok := mutate.Annotations(index, manifest.Annotations).(v1.ImageIndex)
	if !ok {
		t.Fatal("annotating an index gave no index")
	}
	s.writeIndex(t, appImage, version, finish(annotated))
}

// relabel sets a label of an image; "" removes it.
func relabel(t *testing.T, image v1.Image, key, value string) v1.Image {
	t.Helper()
	config, err := image.ConfigFile()
	testkit.Must(t, err)
	config = config.DeepCopy()
	config.Config.Labels[key] = value
	if value == "" {
		delete(config.Config.Labels, key)
	}
	changed, err := mutate.ConfigFile(image, config)
	testkit.Must(t, err)
	return changed
}

// relabelAll sets a label on every platform.
func (s *stage) relabelAll(t *testing.T, key, value string) {
	t.Helper()
	s.replatform(t, func(_ string, image v1.Image) v1.Image { return relabel(t, image, key, value) })
}

// refill replaces the program in an image and keeps its metadata.
func refill(t *testing.T, image v1.Image, program []byte) v1.Image {
	t.Helper()
	said, err := image.ConfigFile()
	testkit.Must(t, err)
	filled, err := mutate.AppendLayers(mutate.MediaType(empty.Image, types.OCIManifestSchema1),
		static.NewLayer(tarOf(t, "ko-app/app", program), types.OCIUncompressedLayer))
	testkit.Must(t, err)
	config, err := filled.ConfigFile()
	testkit.Must(t, err)
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Config = said.OS, said.Architecture, said.Config
	filled, err = mutate.ConfigFile(filled, config)
	testkit.Must(t, err)
	return filled
}

func tarOf(t *testing.T, name string, data []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	testkit.Must(t, w.WriteHeader(&tar.Header{Name: name, Mode: 0o755, Size: int64(len(data))}))
	_, err := w.Write(data)
	testkit.Must(t, err)
	testkit.Must(t, w.Close())
	return out.Bytes()
}

// rechart returns a published chart with altered files.
func (s *stage) rechart(t *testing.T, at, tag string, alter func(fstest.MapFS)) v1.Image {
	t.Helper()
	return s.repackage(t, at, tag, alter, func(map[string]string) {})
}

// repackage alters a chart's files and annotations. It keeps the time in the package, so that
// nothing else differs.
func (s *stage) repackage(t *testing.T, at, tag string, alter func(fstest.MapFS), annotate func(map[string]string)) v1.Image {
	t.Helper()
	archive, d, err := s.OCI().Chart(context.Background(), at, tag)
	testkit.Must(t, err)
	c, err := chart.LoadArchive(at, archive)
	testkit.Must(t, err)
	files := fstest.MapFS{}
	for _, f := range c.Files() {
		files[f.Name] = &fstest.MapFile{Data: f.Data}
	}
	alter(files)
	annotate(d.Labels)
	return testkit.ChartImage(t, files, packed(t, archive), d.Labels)
}

// packed returns the time in a package.
func packed(t *testing.T, archive []byte) time.Time {
	t.Helper()
	unzipped, err := gzip.NewReader(bytes.NewReader(archive))
	testkit.Must(t, err)
	header, err := tar.NewReader(unzipped).Next()
	testkit.Must(t, err)
	return header.ModTime
}

// pushChart pushes a chart over its tag with altered files.
func (s *stage) pushChart(t *testing.T, at, tag string, alter func(fstest.MapFS)) {
	t.Helper()
	s.write(t, at, tag, s.rechart(t, at, tag, alter))
}

// annotate pushes a chart over its tag with other annotations.
func (s *stage) annotate(t *testing.T, at, tag, key, value string) {
	t.Helper()
	s.write(t, at, tag, s.repackage(t, at, tag, func(fstest.MapFS) {}, func(said map[string]string) { said[key] = value }))
}

func replaceIn(t *testing.T, files fstest.MapFS, name, old, replacement string) {
	t.Helper()
	f, ok := files[name]
	if !ok || !bytes.Contains(f.Data, []byte(old)) {
		t.Fatalf("%s does not hold %q", name, old)
	}
	files[name] = &fstest.MapFile{Data: bytes.ReplaceAll(f.Data, []byte(old), []byte(replacement))}
}

// moveTag moves a git tag; "" deletes it.
func (s *stage) moveTag(t *testing.T, repository, tag, to string) {
	t.Helper()
	dir, ref := s.Forge.RepositoryDir(repository), "refs/tags/"+tag
	was := s.git(t, dir, "rev-parse", ref)
	t.Cleanup(func() { s.git(t, dir, "update-ref", ref, was) })
	if to == "" {
		s.git(t, dir, "update-ref", "-d", ref)
		return
	}
	s.git(t, dir, "update-ref", ref, to)
}

// published returns the GitHub release.
func (s *stage) published(t *testing.T) *gh.Release {
	t.Helper()
	found, err := s.For(t).GitHub(s.Token()).Release(context.Background(), owned, "v"+version)
	testkit.Must(t, err)
	return found
}

// setDraft turns the GitHub release into a draft, or publishes it.
func (s *stage) setDraft(t *testing.T, id int64, draft bool) {
	t.Helper()
	body, err := json.Marshal(map[string]bool{"draft": draft})
	testkit.Must(t, err)
	req, err := http.NewRequest(http.MethodPatch, fmt.Sprintf("https://api.github.com/repos/%s/releases/%d", owned, id), bytes.NewReader(body))
	testkit.Must(t, err)
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+s.Token())
	resp, err := (&http.Client{Transport: s.Transport()}).Do(req)
	testkit.Must(t, err)
	testkit.Must(t, resp.Body.Close())
	if resp.StatusCode != http.StatusOK {
		t.Fatalf("draft=%t: status %s", draft, resp.Status)
	}
}

// readAsset returns the content of an asset.
func (s *stage) readAsset(t *testing.T, name string) []byte {
	t.Helper()
	asset, ok := s.published(t).Asset(name)
	if !ok {
		t.Fatalf("there is no asset %s", name)
	}
	var data bytes.Buffer
	testkit.Must(t, s.For(t).GitHub(s.Token()).Download(context.Background(), owned, asset, &data))
	return data.Bytes()
}

// attach replaces an asset; nil removes it.
func (s *stage) attach(t *testing.T, name string, data []byte) {
	t.Helper()
	var was []byte
	if _, ok := s.published(t).Asset(name); ok {
		was = s.readAsset(t, name)
	}
	t.Cleanup(func() { s.setAsset(t, name, was) })
	s.setAsset(t, name, data)
}

func (s *stage) setAsset(t *testing.T, name string, data []byte) {
	t.Helper()
	forge, found := s.For(t).GitHub(s.Token()), s.published(t)
	if asset, ok := found.Asset(name); ok {
		testkit.Must(t, forge.DeleteAsset(context.Background(), owned, asset.ID))
	}
	if data == nil {
		return
	}
	path := filepath.Join(s.Dir, "asset")
	testkit.Must(t, os.WriteFile(path, data, 0o644))
	testkit.Must(t, forge.Upload(context.Background(), owned, found.ID, name, path))
}

// attachListed calls attach and updates the list of checksums.
func (s *stage) attachListed(t *testing.T, name string, data []byte) {
	t.Helper()
	var list strings.Builder
	for _, line := range strings.Split(strings.TrimSpace(string(s.readAsset(t, "checksums.txt"))), "\n") {
		if strings.HasSuffix(line, "  "+name) {
			line = fmt.Sprintf("%x  %s", sha256.Sum256(data), name)
		}
		list.WriteString(line + "\n")
	}
	s.attach(t, name, data)
	s.attach(t, "checksums.txt", []byte(list.String()))
}

// linked are the values that the linker writes into a program.
type linked struct{ commit, agent, secret string }

// right returns the values in the release's programs.
func (s *stage) right() linked { return linked{s.commit, appImage + ":" + version, "none"} }

// program builds the example's program with other values.
func (s *stage) program(t *testing.T, l linked) []byte {
	t.Helper()
	path := filepath.Join(t.TempDir(), "app")
	cmd := exec.Command("go", "build", "-trimpath", "-buildvcs=false", "-o", path,
		"-ldflags", fmt.Sprintf("-s -w -X main.commit=%s -X main.agent=%s -X main.secret=%s", l.commit, l.agent, l.secret), ".")
	cmd.Dir, cmd.Env = s.clone, append(slices.Clone(s.env), "GOOS=linux", "GOARCH=amd64")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("go build: %v\n%s", err, out)
	}
	data, err := os.ReadFile(path)
	testkit.Must(t, err)
	return data
}

func targz(t *testing.T, program []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := gzip.NewWriter(&out)
	_, err := w.Write(tarOf(t, "app", program))
	testkit.Must(t, err)
	testkit.Must(t, w.Close())
	return out.Bytes()
}

func zipped(t *testing.T, program []byte) []byte {
	t.Helper()
	var out bytes.Buffer
	w := zip.NewWriter(&out)
	f, err := w.Create("app")
	testkit.Must(t, err)
	_, err = f.Write(program)
	testkit.Must(t, err)
	testkit.Must(t, w.Close())
	return out.Bytes()
}
