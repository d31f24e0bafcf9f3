package find

import (
	"bytes"
	"regexp"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// located is an image of a component.
type located struct {
	component, name string
	delivery.Artifact
}

func (l located) isHub() bool { return strings.HasPrefix(l.At, delivery.DockerHub+"/") }

// isAt reports whether a registry is that of the image.
func (l located) isAt(registry string) bool {
	own, _, _ := strings.Cut(l.At, "/")
	return registry == own || l.isHub() && delivery.IsDockerHub(registry)
}

// library is the folder of the images of Docker Hub whose name is one word.
const library = "library/"

// shortPath returns the location of an image without its registry, as people write it.
func shortPath(at string) string {
	registry, path, _ := strings.Cut(at, "/")
	if registry == delivery.DockerHub {
		path = strings.TrimPrefix(path, library)
	}
	return path
}

// claim records the image that a path without a registry names: that of Docker Hub, or the first of the only component
// with such an image. For a path of several components it records none.
func (f *Finder) claim(l located) {
	path := shortPath(l.At)
	switch other, taken := f.paths[path]; {
	case !taken || l.isHub():
		f.paths[path] = l
	case !other.isHub() && other.component != l.component && other.At != l.At: // groups share it
		f.paths[path] = located{}
	}
}

// isShort reports whether a path of several parts names an image of a component without its registry.
func (f *Finder) isShort(component, path string) bool {
	owner := f.file.Components[f.paths[path].component]
	return strings.Contains(path, "/") && owner.Repository == f.file.Components[component].Repository
}

// splitLocation finds an image by its path. Its registry is another key, a variable, one of the other names of Docker
// Hub, or left out.
func splitLocation(f *Finder, t *text, n needle, start, end int) {
	if !t.is(n.word, start, end) || !t.ends(end) {
		return
	}
	own := located{n.component, n.artifact, f.file.Components[n.component].Artifacts[n.artifact]}
	isPath := strings.Contains(n.word, "/")
	if own.isHub() && !isPath && bytes.HasSuffix(t.data[:start], []byte(library)) {
		start -= len(library)
	}
	registry, from := t.registryBefore(start)
	if !t.starts(from) {
		return
	}
	var m mapping
	if next := at(t.data, end); next != ':' && next != '@' {
		if m = t.mapping(from, end); m == nil {
			return
		}
		if registry == "" {
			registry = m.text(t, "registry")
		}
	}
	first := len(t.found)
	switch named := f.paths[n.word]; {
	case own.isAt(registry):
		t.image(m, end, own, versionKeys)
	case !standsElsewhere(registry), m != nil && (!isPath && !own.isHub() || f.isGitTag(t, m, own)),
		m == nil && !t.mayBeShort(own, registry, isPath, from):
	case named.At == own.At:
		t.image(m, end, own, tagKeys)
	case named.component == "":
		t.image(m, end, own, tagKeys)
		t.unread = append(t.unread, Pins(t.found[first:])...) // it may be either image
		t.found = t.found[:first]
	}
}

// image adds the version after an image or, if there is a mapping, beside it.
func (t *text) image(m mapping, end int, own located, keys []string) {
	r := ref.Reference{Component: own.component, Artifact: own.name}
	if m == nil {
		t.tagAfter(end, r)
		return
	}
	t.addBeside(m, r, keys)
}

var (
	// registryAt matches a name of Docker Hub, or a variable or template, before the path of an image.
	registryAt = regexp.MustCompile(`((?:index\.|registry-1\.)?docker\.io|\$\{[^{}\s]*\}|\$\([^()\s]*\)|` +
		`\$?\{\{[^{}]*\}\}|\$[A-Za-z_][A-Za-z0-9_]*)/$`)
	// defaultRegistry matches the default of such a variable.
	defaultRegistry = regexp.MustCompile(`(?::?[-=]|\bdefault[ \t]+\\?["'])([a-z0-9][a-z0-9.-]*(?::[0-9]+)?)` +
		`\\?["']?[^A-Za-z0-9]*$`)
)

// registryBefore returns the registry before the path of an image at i, or the variable that has it, and the offset of
// it. A variable with a default has that registry.
func (t *text) registryBefore(i int) (string, int) {
	const longest = 120 // bytes
	before := t.before(i)
	before = before[max(0, len(before)-longest):]
	if at(t.data, i-1) != '/' {
		return "", i
	}
	match := registryAt.FindSubmatchIndex(before)
	if match == nil || bytes.HasSuffix(before[:match[0]], []byte("http://")) ||
		bytes.HasSuffix(before[:match[0]], []byte("https://")) {
		return "", i
	}
	written, from := before[match[2]:match[3]], i-len(before)+match[0]
	if standsElsewhere(string(written)) {
		if host := defaultRegistry.FindSubmatch(written); host != nil {
			written = host[1]
		}
	}
	return string(written), from
}

// standsElsewhere reports whether the registry of an image is not written beside its path.
func standsElsewhere(registry string) bool {
	return registry == "" || registry == "~" || registry == "null" || registry[0] == '{' || registry[0] == '$'
}

// tagKeys are the versionKeys that only an image has.
var tagKeys = versionKeys[:4]

// isGitTag reports whether the tag beside a path is that of the repository, which the image may share its name with.
func (f *Finder) isGitTag(t *text, m mapping, own located) bool {
	return f.file.Components[own.component].Repository == shortPath(own.At) && m["image"] == (ref.Span{}) &&
		!own.HasV() && at(t.data, m["tag"].Start) == 'v'
}

// mayBeShort reports whether a path with a tag is an image without a literal registry. A single word is one only where
// an image is named.
func (t *text) mayBeShort(own located, registry string, isPath bool, from int) bool {
	if isPath {
		return registry != "" || own.isHub() || !isDocument(t.name)
	}
	return own.isHub() && (imageBefore.Match(t.before(from)) ||
		imageCommand.Match(t.data[t.command(from, from).Start:from]))
}

var (
	// imageBefore matches the part of a line before an image: a key or option that names one, or an instruction of a
	// Dockerfile.
	imageBefore = regexp.MustCompile(`(?i)(?:image[a-z_-]*["']?[ \t]*(?::?=|:|[ \t])[ \t]*["']?|\bdocker://` +
		`|^[ \t]*from[ \t]+(?:--[a-z]+=\S+[ \t]+)*|^[ \t]*copy[ \t]+--from=|^[ \t]*arg[ \t]+\w+=["']?)$`)
	// imageCommand matches the beginning of a command that takes images.
	imageCommand = regexp.MustCompile(`\b(?:docker|podman|nerdctl|crane|kind|k3d|skopeo|ctr|crictl|buildah|regctl|` +
		`cosign|trivy|grype|syft|minikube)[ \t]`)
)
