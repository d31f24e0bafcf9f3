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

// hosts maps each host that the proxy connects clients to, to its listener.
type hosts struct {
	mu      sync.Mutex
	inboxes map[string]*inbox // by host
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

// names returns the hosts, sorted.
func (h *hosts) names() []string {
	h.mu.Lock()
	defer h.mu.Unlock()
	return slices.Sorted(maps.Keys(h.inboxes))
}

// dockerHub has the hosts of one registry. References name docker.io, where no registry answers:
// go-containerregistry connects to index.docker.io, docker and containerd to registry-1.docker.io.
var dockerHub = []string{"index.docker.io", "registry-1.docker.io"}

// registryHosts returns the hosts that clients of a registry connect to. The first is its key.
func registryHosts(name string) []string {
	if name == "docker.io" || slices.Contains(dockerHub, name) {
		return dockerHub
	}
	return []string{name}
}

var hostPattern = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]*[a-z0-9])?(\.[a-z0-9]([a-z0-9-]*[a-z0-9])?)+$`)

// AddRegistry adds a registry, such as gcr.io, unless the network has it. docker.io,
// index.docker.io and registry-1.docker.io are one registry. The main token is valid there, but
// the environment's docker configuration contains no credentials for it, because a user has none.
// It returns an error if host is not a host name, the forge answers as it, or the network is
// closed.
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

// createRegistry creates a registry without serving it. It is called with mu held.
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

// openRegistry serves a registry, once. It is called with mu held.
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
		known := strings.Join(slices.Sorted(maps.Keys(n.registries)), ", ")
		return nil, fmt.Errorf("unknown registry %q, want one of %s", host, known)
	}
	return r, nil
}

// started returns the servers so far. None is added when the network is closed.
func (n *Network) started() []*http.Server {
	n.mu.Lock()
	defer n.mu.Unlock()
	return slices.Clone(n.servers)
}
