package world

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// doors are the hosts that the proxy lets clients through to.
type doors struct {
	mu      sync.Mutex
	inboxes map[string]*inbox
}

func newDoors() *doors { return &doors{inboxes: map[string]*inbox{}} }

func (d *doors) open(host string, in *inbox) {
	d.mu.Lock()
	defer d.mu.Unlock()
	d.inboxes[host] = in
}

func (d *doors) find(host string) (*inbox, bool) {
	d.mu.Lock()
	defer d.mu.Unlock()
	in, ok := d.inboxes[host]
	return in, ok
}

// names are sorted.
func (d *doors) names() []string {
	d.mu.Lock()
	defer d.mu.Unlock()
	return slices.Sorted(maps.Keys(d.inboxes))
}

// dockerHub is one registry: references say docker.io, where no registry answers, while
// go-containerregistry asks index.docker.io, and docker and containerd registry-1.docker.io.
var dockerHub = []string{"index.docker.io", "registry-1.docker.io"}

// registryHosts are the hosts at which clients look for a registry; it is kept under the first.
func registryHosts(name string) []string {
	if name == "docker.io" || slices.Contains(dockerHub, name) {
		return dockerHub
	}
	return []string{name}
}

var hostPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`)

// AddRegistry lets the world answer as one more registry, such as gcr.io; one that it has already
// stays as it is. docker.io, index.docker.io and registry-1.docker.io are one registry. The
// environment's docker configuration has no credentials for it, as a user has none; the token is
// good. It returns an error if host is no host name, is one of the forge's, or the world is closed.
func (w *World) AddRegistry(host string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	if w.over.Err() != nil {
		return fmt.Errorf("adding registry %q: the world is closed", host)
	}
	if err := w.makeRegistry(host); err != nil {
		return err
	}
	return w.openRegistry(host)
}

// makeRegistry makes a registry that no client reaches yet; it is called with mu held.
func (w *World) makeRegistry(name string) error {
	host := registryHosts(name)[0]
	switch {
	case w.registries[host] != nil:
		return nil
	case !hostPattern.MatchString(host):
		return fmt.Errorf("adding registry %q: want a host name in lower case, without a port", name)
	case w.forge.answersAt(host):
		return fmt.Errorf("adding registry %q: the forge answers there", name)
	}
	r, err := newRegistry(filepath.Join(w.dir, "registry", host), mannerOf(host), w.token)
	if err != nil {
		return fmt.Errorf("adding registry %q: %w", name, err)
	}
	if host == hostGHCR {
		r.guests = w.forge.guest
	}
	w.registries[host] = r
	return nil
}

// openRegistry lets clients reach a registry, once; it is called with mu held.
func (w *World) openRegistry(name string) error {
	hosts := registryHosts(name)
	for _, host := range hosts {
		if _, open := w.doors.find(host); open {
			continue
		}
		if err := w.answer(host, w.registries[hosts[0]]); err != nil {
			return err
		}
	}
	return nil
}

// registry finds a registry by any of its names.
func (w *World) registry(name string) (*registry, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	r, ok := w.registries[registryHosts(name)[0]]
	if !ok {
		return nil, fmt.Errorf("unknown registry %q, want one of %s", name, strings.Join(slices.Sorted(maps.Keys(w.registries)), ", "))
	}
	return r, nil
}

// started are the servers so far; none is added once the world is closed.
func (w *World) started() []*http.Server {
	w.mu.Lock()
	defer w.mu.Unlock()
	return slices.Clone(w.servers)
}
