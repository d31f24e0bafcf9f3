package world

import (
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"log"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
)

// proxy lets clients through to the hosts of the world, and to no other.
type proxy struct {
	lines   *lines
	record  *record
	doors   *doors
	tunnels *sync.Map // host → address
}

// open starts one server for each host and the proxy in front of them.
func (w *World) open(further []string) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	for _, host := range append([]string{hostGHCR, hostQuay}, further...) {
		if err := w.openRegistry(host); err != nil {
			return err
		}
	}
	for host, handler := range w.forge.hosts() {
		if err := w.answer(host, handler); err != nil {
			return err
		}
	}
	w.serve(newServer(w.over, &proxy{w.lines, w.record, w.doors, &w.tunnels}), tracked{w.listener, w.lines})
	return nil
}

// answer starts the server of a host; it is called with mu held.
func (w *World) answer(host string, handler http.Handler) error {
	cert, err := w.ca.leaf(host)
	if err != nil {
		return err
	}
	in := newInbox(w.listener.Addr())
	s := newServer(w.over, w.recorded(host, handler))
	s.ConnContext = rememberLine
	w.serve(s, tls.NewListener(in, serverTLS(cert)))
	w.doors.open(host, in)
	return nil
}

// serve is called with mu held.
func (w *World) serve(s *http.Server, l net.Listener) {
	w.servers = append(w.servers, s)
	w.serving.Add(1)
	go func() {
		defer w.serving.Done()
		s.Serve(l) // always ends with an error: the listener was closed
	}()
}

// newServer keeps quiet about broken connections: each of them is seen by its client, and the
// world breaks connections on purpose.
func newServer(ctx context.Context, h http.Handler) *http.Server {
	return &http.Server{
		Handler:     h,
		ErrorLog:    log.New(io.Discard, "", 0),
		BaseContext: func(net.Listener) context.Context { return ctx },
	}
}

func serverTLS(cert tls.Certificate) *tls.Config {
	return &tls.Config{Certificates: []tls.Certificate{cert}, NextProtos: []string{"http/1.1"}}
}

func (w *World) newTransport(ca *authority) *http.Transport {
	return &http.Transport{
		Proxy:           http.ProxyURL(&url.URL{Scheme: "http", Host: w.Addr()}),
		TLSClientConfig: &tls.Config{RootCAs: ca.pool()},
	}
}

// Transport goes through the proxy and trusts the authority, for clients in this process. It
// is the same one at each call, so connections are shared.
func (w *World) Transport() http.RoundTripper { return w.transport }

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
	in, ok := p.doors.find(host)
	if !ok || port != "443" {
		p.refuse(rw, net.JoinHostPort(host, port), "the rehearsal's world has only port 443 of "+strings.Join(p.doors.names(), ", "))
		return
	}
	p.pass(rw, host, in)
}

// pass hands the connection to the host's server, which speaks TLS on it.
func (p *proxy) pass(rw http.ResponseWriter, host string, in *inbox) {
	if p.lines.isDown(host) {
		http.Error(rw, host+" is down", http.StatusBadGateway)
		return
	}
	conn, buffered, err := http.NewResponseController(rw).Hijack()
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
		return
	}
	l := conn.(*line)
	if !p.lines.connect(l, host) {
		l.reset()
		l.Close()
		return
	}
	if l.read, err = buffered.Reader.Peek(buffered.Reader.Buffered()); err != nil {
		l.Close()
		return
	}
	if _, err := io.WriteString(l, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		l.Close()
		return
	}
	in.give(l)
}

func (p *proxy) refuse(rw http.ResponseWriter, host, why string) {
	host = strings.TrimSuffix(strings.TrimSuffix(host, ":443"), ":80")
	p.record.refuse(host)
	rw.Header().Set("Connection", "close")
	http.Error(rw, fmt.Sprintf("refused %q: %s", host, why), http.StatusForbidden)
}
