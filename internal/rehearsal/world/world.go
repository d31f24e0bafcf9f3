// Package world is a small internet on loopback for rehearsals and tests: OCI registries (ghcr.io,
// quay.io, and others that are named) and a GitHub-shaped forge (github.com, api.github.com,
// uploads.github.com, raw.githubusercontent.com, and Azure's host that keeps its attestations)
// behind one CONNECT proxy with a throwaway certificate authority.
//
// Names are never rewritten, so what a client computes from a name (a digest, an annotation, a
// label) comes out as in the real world. Every other host is refused, and the refusal is recorded.
package world

import (
	"context"
	"crypto/rand"
	"encoding/base32"
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
)

// The hosts that the world answers as.
const (
	hostGHCR    = "ghcr.io"
	hostQuay    = "quay.io"
	hostWeb     = "github.com"
	hostAPI     = "api.github.com"
	hostUploads = "uploads.github.com"
	hostRaw     = "raw.githubusercontent.com"
	// hostBundles is Azure's, where GitHub keeps attestations.
	hostBundles = "tmaproduction.blob.core.windows.net"
)

// Options says how to start a world. The zero value is useful.
type Options struct {
	// Addr is the proxy's listening address; empty means 127.0.0.1 and any free port.
	Addr string
	// Token is the one good token, under any user name; empty means a random one.
	// The registries let it push, and the forge gives it each repository's Rights.
	Token string
	// Now tells the time for releases; nil means time.Now.
	Now func() time.Time
	// Enterprise is the host of a GitHub Enterprise server, on which the forge then answers in
	// place of github.com and its further hosts, in the ways of such a server: API, uploads, git
	// and pages on the one name; commits unsigned; no immutable releases, attestations, rate
	// limits or return_run_details. Empty means github.com.
	Enterprise string
	// Registries are hosts of further registries, as for AddRegistry.
	Registries []string
}

// World is a running world. Its methods may be called from several goroutines.
type World struct {
	dir       string
	token     string
	ca        *authority
	listener  net.Listener
	lines     *lines
	record    *record
	doors     *doors
	tunnels   sync.Map
	forge     *forge
	transport *http.Transport
	over      context.Context // done when the world is closed
	cancel    context.CancelFunc
	serving   sync.WaitGroup

	mu         sync.Mutex           // guards all below
	registries map[string]*registry // by the first of their hosts
	servers    []*http.Server
}

// Start makes a world whose whole state lies in dir, which must be empty or absent, and starts
// its proxy. It returns an error that names the address if that is taken. Close ends it.
func Start(dir string, o Options) (*World, error) {
	dir, err := claim(dir)
	if err != nil {
		return nil, fmt.Errorf("starting the world: %w", err)
	}
	w, err := assemble(dir, o)
	if err != nil {
		return nil, fmt.Errorf("starting the world in %s: %w", dir, err)
	}
	return w, nil
}

// claim refuses a folder that is in use, since two worlds in one would mix their states.
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
		return "", fmt.Errorf("folder %s holds %q, want an empty folder; name another or empty it", dir, entries[0].Name())
	}
	return dir, nil
}

func assemble(dir string, o Options) (*World, error) {
	o = o.filled()
	if o.Enterprise != "" && !hostPattern.MatchString(o.Enterprise) {
		return nil, fmt.Errorf("host %q of an Enterprise server: want a host name in lower case, without a port", o.Enterprise)
	}
	listener, err := listen(o.Addr)
	if err != nil {
		return nil, err
	}
	w := &World{dir: dir, token: o.Token, listener: listener, lines: newLines(), record: &record{}, doors: newDoors()}
	if err := w.furnish(o); err != nil {
		return nil, errors.Join(err, listener.Close())
	}
	return w, nil
}

// furnish makes the authority, the hosts and the files of the environment, then opens the door.
func (w *World) furnish(o Options) error {
	var err error
	if w.ca, err = newAuthority(filepath.Join(w.dir, "ca.pem")); err != nil {
		return err
	}
	w.over, w.cancel = context.WithCancel(context.Background())
	err = w.populate(o)
	if err == nil {
		err = w.writeHome()
	}
	if err != nil {
		w.cancel()
		return err
	}
	w.transport = w.newTransport(w.ca)
	return w.open(o.Registries)
}

func (w *World) populate(o Options) error {
	f, err := newForge(w.over, w.dir, o)
	if err != nil {
		return err
	}
	w.forge = f
	w.mu.Lock()
	defer w.mu.Unlock()
	w.registries = map[string]*registry{}
	for _, host := range append([]string{hostGHCR, hostQuay}, o.Registries...) {
		if err := w.makeRegistry(host); err != nil {
			return err
		}
	}
	return nil
}

func (o Options) filled() Options {
	if o.Addr == "" {
		o.Addr = "127.0.0.1:0"
	}
	if o.Token == "" {
		o.Token = newToken()
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	return o
}

// newToken looks like an installation token of GitHub's, so that a scanner or a mask treats it as one.
func newToken() string {
	var b [20]byte
	if _, err := rand.Read(b[:]); err != nil {
		panic(err) // crypto/rand.Read never fails on the systems that Go supports
	}
	return "ghs_" + base32.StdEncoding.WithPadding(base32.NoPadding).EncodeToString(b[:])
}

func listen(addr string) (net.Listener, error) {
	l, err := net.Listen("tcp", addr)
	if errors.Is(err, syscall.EADDRINUSE) {
		return nil, fmt.Errorf("address %s is taken by another process: stop that one, or name another port (port 0 takes a free one): %w", addr, err)
	}
	if err != nil {
		return nil, fmt.Errorf("listening on %s: %w", addr, err)
	}
	return l, nil
}

// Close ends the world: all connections are cut, and all that it started has ended when it
// returns. It must not be called from a function given to Intercept.
func (w *World) Close() error {
	err := unlessClosed(w.listener.Close())
	w.cancel()
	w.lines.shut()
	for _, s := range w.started() {
		err = errors.Join(err, unlessClosed(s.Close()))
	}
	w.transport.CloseIdleConnections()
	w.serving.Wait()
	w.lines.wait()
	return err
}

// unlessClosed passes over that something was closed before, which is what Close wants.
func unlessClosed(err error) error {
	if errors.Is(err, net.ErrClosed) {
		return nil
	}
	return err
}

// Addr is the proxy's address, host:port.
func (w *World) Addr() string { return w.listener.Addr().String() }

// Token is the one good token.
func (w *World) Token() string { return w.token }

// Requests lists every request so far, in the order in which their heads had been read. The
// requests that only ask the proxy for a connection are not among them.
func (w *World) Requests() []Request { return w.record.all() }

// Intercept installs f, which is called before each request is handled and says what goes wrong
// with it; nil removes it. Requests run in parallel, and so does f.
func (w *World) Intercept(f func(Request) Fault) { w.record.intercept(f) }

// Down lets host die: its open connections are reset and new ones refused. What it has stored
// stays. A function given to Intercept may call it. An unknown host panics: it is a wrong test.
func (w *World) Down(host string) {
	w.mustKnow(host)
	w.lines.down(host)
}

// Up brings host back after Down.
func (w *World) Up(host string) {
	w.mustKnow(host)
	w.lines.up(host)
}

// Refused lists the hosts that were asked for and refused, each once, in the order of the first
// time; a port other than 80 and 443 is part of the name.
func (w *World) Refused() []string { return w.record.refusals() }

func (w *World) mustKnow(host string) {
	if names := w.doors.names(); !slices.Contains(names, host) {
		panic(fmt.Sprintf("world: unknown host %q, want one of %s", host, strings.Join(names, ", ")))
	}
}
