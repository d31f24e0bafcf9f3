package network

import (
	"fmt"
	"maps"
	"net/http"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/kubestellar/actions/internal/rehearsal/registry"
)

// hosts are those that the proxy passes clients to.
type hosts struct {
	mu      sync.Mutex
	inboxes map[string]*inbox
}

func newHosts() *hosts { return &hosts{inboxes: map[string]*inbox{}} }

func (h *hosts) add(host string, in *inbox) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.inboxes[host] = in
}

func (h *hosts) find(host string) (*inbox, bool) {
	h.mu.Lock()
	defer h.mu.Unlock()
	in, ok := h.inboxes[host]
	return in, ok
}

// names are sorted.
func (h *hosts) names() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.inboxes))
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

// AddRegistry lets the network answer as one more registry, such as gcr.io; one that it has already
// stays as it is. docker.io, index.docker.io and registry-1.docker.io are one registry. The
// environment's docker configuration has no credentials for it, as a user has none; the token is
// good. It returns an error if host is no host name, is one of the forge's, or the network is closed.
func (n *Network) AddRegistry(host string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed.Err() != nil {
		return fmt.Errorf("adding registry %q: the network is closed", host)
	}
	if err := n.createRegistry(host); err != nil {
		return err
	}
	return n.openRegistry(host)
}

// createRegistry creates a registry that no client reaches yet; it is called with mu held.
func (n *Network) createRegistry(name string) error {
	host := registryHosts(name)[0]
	switch {
	case n.registries[host] != nil:
		return nil
	case !hostPattern.MatchString(host):
		return fmt.Errorf("adding registry %q: want a host name in lower case, without a port", name)
	case n.Forge.Hosts()[host] != nil:
		return fmt.Errorf("adding registry %q: the forge answers there", name)
	}
	var guests registry.Guests
	if host == registry.GHCR {
		guests = n.Forge.PackageRights
	}
	r, err := registry.New(filepath.Join(n.dir, "registry", host), host, n.token, guests)
	if err != nil {
		return fmt.Errorf("adding registry %q: %w", name, err)
	}
	n.registries[host] = r
	return nil
}

// openRegistry lets clients reach a registry, once; it is called with mu held.
func (n *Network) openRegistry(name string) error {
	hosts := registryHosts(name)
	for _, host := range hosts {
		if _, open := n.hosts.find(host); open {
			continue
		}
		if err := n.serveHost(host, n.registries[hosts[0]]); err != nil {
			return err
		}
	}
	return nil
}

// Registry returns the registry of a host. It returns an error for an unknown one.
func (n *Network) Registry(host string) (*registry.Registry, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	r, ok := n.registries[registryHosts(host)[0]]
	if !ok {
		return nil, fmt.Errorf("unknown registry %q, want one of %s", host, strings.Join(slices.Sorted(maps.Keys(n.registries)), ", "))
	}
	return r, nil
}

// started are the servers so far; none is added once the network is closed.
func (n *Network) started() []*http.Server {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.servers)
}
