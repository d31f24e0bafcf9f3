// Package network is a fake internet on loopback for rehearsals and tests. OCI registries (ghcr.io,
// quay.io and others by name) and a fake GitHub (github.com and its further hosts) answer behind
// one CONNECT proxy with a throwaway certificate authority.
//
// Names are never rewritten, so a digest, annotation or label that a client computes from a name
// is the same as on the real internet. Every other host is refused, and the refusal is recorded.
package network

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/registry"
)

// Options configure a network. The zero value is useful.
type Options struct {
	// Addr is the proxy's listening address; empty means 127.0.0.1 and any free port.
	Addr string
	// Token is the main token, valid under any user name; empty means a random one.
	// The registries let it push, and the forge gives it each repository's Rights.
	Token string
	// Now is the forge's clock; nil means time.Now.
	Now func() time.Time
	// Enterprise is the host of a GitHub Enterprise server that the forge answers as; see
	// forge.Options. Empty means github.com.
	Enterprise string
	// Registries are hosts of further registries, as for AddRegistry.
	Registries []string
	// Wrap, if not nil, returns the handler of a host's requests, which passes them to next.
	Wrap func(n *Network, host string, next http.Handler) http.Handler
}

// Network is a running network. Its methods may be called from several goroutines.
type Network struct {
	// Forge is the fake GitHub.
	Forge *forge.Forge

	dir         string
	token       string
	wrap        func(n *Network, host string, next http.Handler) http.Handler
	ca          *authority
	listener    net.Listener
	connections *connections
	refusals    *refusals
	hosts       *hosts
	tunnels     sync.Map // host → address
	transport   *http.Transport
	closed      context.Context // done when the network is closed
	cancel      context.CancelFunc
	serving     sync.WaitGroup

	mu         sync.Mutex                    // guards all fields below
	registries map[string]*registry.Registry // by the first of their hosts
	servers    []*http.Server
}

// Start starts a network that keeps its whole state in dir, which must be empty or absent. The
// error names the address if that is taken. Close stops the network.
func Start(dir string, o Options) (*Network, error) {
	dir, err := claim(dir)
	if err != nil {
		return nil, fmt.Errorf("starting the network: %w", err)
	}
	n, err := start(dir, o)
	if err != nil {
		return nil, fmt.Errorf("starting the network in %s: %w", dir, err)
	}
	return n, nil
}

// claim refuses a folder in use, since two networks in one would mix their states.
func claim(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return "", err
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", err
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("folder %s contains %q, want an empty folder; name another or empty it",
			dir, entries[0].Name())
	}
	return dir, nil
}

func start(dir string, o Options) (*Network, error) {
	o = o.withDefaults()
	if o.Enterprise != "" && !hostPattern.MatchString(o.Enterprise) {
		return nil, fmt.Errorf("host %q of an Enterprise server: want a host name in lower case, without a port",
			o.Enterprise)
	}
	listener, err := listen(o.Addr)
	if err != nil {
		return nil, err
	}
	n := &Network{
		dir: dir, token: o.Token, wrap: o.Wrap, listener: listener,
		connections: newConnections(), refusals: &refusals{}, hosts: newHosts(),
	}
	if err := n.build(o); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return n, nil
}

// build creates the authority, the hosts and the files of the environment, then starts to serve.
func (n *Network) build(o Options) error {
	var err error
	if n.ca, err = newAuthority(filepath.Join(n.dir, "ca.pem")); err != nil {
		return err
	}
	n.closed, n.cancel = context.WithCancel(context.Background())
	err = n.createHosts(o)
	if err == nil {
		err = n.writeHome()
	}
	if err != nil {
		n.cancel()
		return err
	}
	n.transport = n.newTransport(n.ca)
	return n.open(o.Registries)
}

func (n *Network) createHosts(o Options) error {
	f, err := forge.New(n.closed, n.dir, forge.Options{Token: o.Token, Now: o.Now, Enterprise: o.Enterprise})
	if err != nil {
		return err
	}
	n.Forge = f
	n.mu.Lock()
	defer n.mu.Unlock()
	n.registries = map[string]*registry.Registry{}
	for _, host := range append([]string{registry.GHCR, registry.Quay}, o.Registries...) {
		if err := n.createRegistry(host); err != nil {
			return err
		}
	}
	return nil
}

func (o Options) withDefaults() Options {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Token == "" {
		o.Token = forge.NewToken()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Wrap == nil {
		o.Wrap = func(_ *Network, _ string, next http.Handler) http.Handler { return next }
	}
	return o
}

func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("address %s is taken by another process: stop it, or use another port "+
			"(0 means a free one): %w", addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", addr, err)
	}
	return l, nil
}

// Close resets all connections, and returns when everything that the network started has ended.
// A handler of Options.Wrap must not call it.
func (n *Network) Close() error {
	err := ignoreClosed(n.listener.Close())
	n.cancel()
	n.connections.closeAll()
	for _, s := range n.started() {
		err = errors.Join(err, ignoreClosed(s.Close()))
	}
	n.transport.CloseIdleConnections()
	n.serving.Wait()
	n.Forge.Wait()
	n.connections.wait()
	return err
}

func ignoreClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Addr returns the proxy's address, host:port.
func (n *Network) Addr() string { return n.listener.Addr().String() }

// Token returns the main token.
func (n *Network) Token() string { return n.token }

// Closed returns a channel that is closed when the network is.
func (n *Network) Closed() <-chan struct{} { return n.closed.Done() }

// Down makes host fail: its open connections are reset and new ones refused. Its data stays. A
// handler of Options.Wrap may call it. It panics on an unknown host.
func (n *Network) Down(host string) {
	n.mustKnow(host)
	n.connections.down(host)
}

// Up ends Down.
func (n *Network) Up(host string) {
	n.mustKnow(host)
	n.connections.up(host)
}

// IsDown reports whether Down was called for host, and not Up since.
func (n *Network) IsDown(host string) bool { return n.connections.isDown(host) }

// Refused returns the hosts that clients asked for and were refused, each once, in the order of
// the first time. A port other than 80 and 443 is part of the name.
func (n *Network) Refused() []string { return n.refusals.list() }

func (n *Network) mustKnow(host string) {
	if names := n.hosts.names(); !slices.Contains(names, host) {
		panic(fmt.Sprintf("network: unknown host %q, want one of %s", host, strings.Join(names, ", ")))
	}
}
