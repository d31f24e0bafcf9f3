package network

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"slices"
	"strings"
	"sync"

	"github.com/kubestellar/actions/internal/rehearsal/registry"
)

// proxy connects clients to the hosts of the network, and refuses all others.
type proxy struct {
	connections *connections
	refusals    *refusals
	hosts       *hosts
	tunnels     *sync.Map // host → address
}

// open starts one server for each host and the proxy in front of them.
func (n *Network) open(further []string) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	for _, host := range append([]string{registry.GHCR, registry.Quay}, further...) {
		if err := n.openRegistry(host); err != nil {
			return err
		}
	}
	for host, handler := range n.Forge.Hosts() {
		if err := n.serveHost(host, handler); err != nil {
			return err
		}
	}
	front := newServer(n.closed, &proxy{n.connections, n.refusals, n.hosts, &n.tunnels})
	n.serve(front, tracked{n.listener, n.connections})
	return nil
}

// serveHost starts the server of a host. It is called with mu held.
func (n *Network) serveHost(host string, handler http.Handler) error {
	cert, err := n.ca.leaf(host)
	if err != nil {
		return err
	}
	in := newInbox(n.listener.Addr())
	s := newServer(n.closed, n.handle(host, handler))
	s.ConnContext = rememberConnection
	n.serve(s, tls.NewListener(in, serverTLS(cert)))
	n.hosts.add(host, in)
	return nil
}

// serve is called with mu held.
func (n *Network) serve(s *http.Server, l net.Listener) {
	n.servers = append(n.servers, s)
	n.serving.Add(1)
	go func() {
		defer n.serving.Done()
		s.Serve(l) // always ends with an error: the listener was closed
	}()
}

// newServer returns a server that logs no broken connections: the client sees each of them, and
// tests break connections on purpose.
func newServer(ctx context.Context, h http.Handler) *http.Server {
	return &http.Server{
		Handler:     h,
		ErrorLog:    log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
}

// curves exclude the default, a post-quantum exchange of keys, which takes longer than many requests.
var curves = []tls.CurveID{tls.X25519, tls.CurveP256}

func serverTLS(cert tls.Certificate) *tls.Config {
	return &tls.Config{
		Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}, CurvePreferences: curves,
	}
}

func (n *Network) newTransport(ca *authority) *http.Transport {
	return &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: n.Addr()}),
		TLSClientConfig: &tls.Config{
			RootCAs: ca.pool(), CurvePreferences: curves,
			ClientSessionCache: tls.NewLRUClientSessionCache(0), // of the default size
		},
	}
}

// Transport returns a transport for clients in this process. It uses the proxy and trusts the
// certificate authority. Each call returns the same one, so clients share connections.
func (n *Network) Transport() http.RoundTripper { return n.transport }

func (p *proxy) ServeHTTP(rw http.ResponseWriter, r *http.Request) {
	if r.Method != http.MethodConnect {
		p.refuse(rw, r.Host, "this proxy only passes CONNECT requests, for https")
		return
	}
	host, port, err := net.SplitHostPort(r.Host)
	if err != nil {
		p.refuse(rw, r.Host, "want host:port")
		return
	}
	host = strings.ToLower(strings.TrimSuffix(host, "."))
	if addr, ok := p.tunnels.Load(host); ok && port == "443" {
		p.tunnel(rw, host, addr.(string))
		return
	}
	in, ok := p.hosts.find(host)
	if !ok || port != "443" {
		known := strings.Join(p.hosts.names(), ", ")
		p.refuse(rw, net.JoinHostPort(host, port), "the rehearsal's network has only port 443 of "+known)
		return
	}
	p.pass(rw, host, in)
}

// pass passes the connection to the host's server, which speaks TLS on it.
func (p *proxy) pass(rw http.ResponseWriter, host string, in *inbox) {
	if p.connections.isDown(host) {
		http.Error(rw, host+" is down", http.StatusBadGateway)
		return
	}
	conn, buffered, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	c := conn.(*connection)
	if !p.connections.assign(c, host) {
		c.reset()
		c.Close()
		return
	}
	if c.read, err = buffered.Reader.Peek(buffered.Reader.Buffered()); err != nil {
		c.Close()
		return
	}
	if _, err := io.WriteString(c, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		c.Close()
		return
	}
	in.give(c)
}

func (p *proxy) refuse(rw http.ResponseWriter, host, why string) {
	host = strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":80")
	p.refusals.add(host)
	rw.Header().Set("Connection", "close")
	http.Error(rw, fmt.Sprintf("refused %q: %s", host, why), http.StatusForbidden)
}

// Tunnel connects clients of host:443 to the caller's own server at addr, which speaks TLS with its
// own certificate. The network neither reads nor records that traffic. It is for a server that
// clients reach by a name without DNS, such as a cluster's API server. It returns an error if the
// network itself answers as host.
func (n *Network) Tunnel(host, addr string) error {
	if _, taken := n.hosts.find(host); taken {
		return fmt.Errorf("tunnelling to %s: the network answers as %s itself", addr, host)
	}
	n.tunnels.Store(host, addr)
	return nil
}

// tunnel copies between the client's connection and a new one to addr until either ends.
func (p *proxy) tunnel(rw http.ResponseWriter, host, addr string) {
	far, err := net.Dial("tcp", addr)
	if err != nil {
		http.Error(rw, err.Error(), http.StatusBadGateway)
		return
	}
	defer far.Close()
	near, buffered, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	defer near.Close()
	if !p.connections.assign(near.(*connection), host) {
		return
	}
	if _, err := io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	go func() {
		io.Copy(near, far) // an error ends the tunnel like EOF
		near.Close()
	}()
	io.Copy(far, buffered)
}

// handle returns a handler that counts the requests in progress. A client that disconnects does
// not cancel its request.
func (n *Network) handle(host string, next http.Handler) http.Handler {
	next = n.wrap(n, host, next)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		if !n.connections.enter() {
			Reset(r)
		}
		defer n.connections.leave()
		next.ServeHTTP(rw, r.WithContext(context.WithoutCancel(r.Context())))
	})
}

type connectionKey struct{}

// rememberConnection keeps the connection below TLS, so that Reset can reset it.
func rememberConnection(ctx context.Context, c net.Conn) context.Context {
	return context.WithValue(ctx, connectionKey{}, c.(*tls.Conn).NetConn())
}

// Reset resets the connection of a request and ends its handler.
func Reset(r *http.Request) {
	if c, ok := r.Context().Value(connectionKey{}).(*connection); ok {
		c.reset()
	}
	panic(http.ErrAbortHandler)
}

// refusals are the hosts that were asked for and refused.
type refusals struct {
	mu  sync.Mutex
	all []string
}

func (s *refusals) add(host string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if !slices.Contains(s.all, host) {
		s.all = append(s.all, host)
	}
}

func (s *refusals) list() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return slices.Clone(s.all)
}
