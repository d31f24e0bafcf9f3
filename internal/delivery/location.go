package delivery

import "strings"

// DockerHub is the registry of an image that is named without one.
const DockerHub = "docker.io"

// IsDockerHub reports whether a registry is Docker Hub, which has three names.
func IsDockerHub(registry string) bool {
	return registry == DockerHub || registry == "index.docker.io" || registry == "registry-1.docker.io"
}

// HTTPS begins the location of a chart in a chart repository.
const HTTPS = "https://"

// Location returns the location with its scheme, if it is not that of a registry.
func (a Artifact) Location() string {
	if a.HTTPS {
		return HTTPS + a.At
	}
	return a.At
}

// locate writes the locations of images in one way, because an image of Docker Hub has many.
func (f *File) locate() {
	for _, c := range f.Components {
		for name, a := range c.Artifacts {
			a.At, a.HTTPS = strings.CutPrefix(a.At, HTTPS)
			if a.Kind == Image && a.At != "" {
				a.At = imageAt(a.At)
				for i, at := range a.Formerly {
					a.Formerly[i] = imageAt(at)
				}
			}
			c.Artifacts[name] = a
		}
	}
}

// imageAt returns the location of an image with its registry and its whole path.
func imageAt(at string) string {
	registry, path, ok := strings.Cut(at, "/")
	switch {
	case !ok || !strings.ContainsAny(registry, ".:") && registry != "localhost":
		registry, path = DockerHub, at
	case IsDockerHub(registry):
		registry = DockerHub
	}
	if registry == DockerHub && !strings.Contains(path, "/") {
		path = "library/" + path
	}
	return registry + "/" + path
}
