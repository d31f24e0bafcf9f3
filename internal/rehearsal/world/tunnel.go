package world

import (
	"fmt"
	"io"
	"net"
	"net/http"
)

// Tunnel lets clients through to host:443 as to a server of the caller's at addr, which speaks
// TLS under its own certificate; the world neither reads nor records what passes. It is for what
// must be reached by a name that no name server here knows, such as a cluster's API server. It
// returns an error if the world answers as that host itself.
func (w *World) Tunnel(host, addr string) error {
	if _, taken := w.doors.find(host); taken {
		return fmt.Errorf("tunnelling to %s: the world answers as %s itself", addr, host)
	}
	w.tunnels.Store(host, addr)
	return nil
}

// tunnel joins the client's connection with a new one to addr until either ends.
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
	if !p.lines.connect(near.(*line), host) {
		return
	}
	if _, err := io.WriteString(near, "HTTP/1.1 200 Connection established\r\n\r\n"); err != nil {
		return
	}
	go func() {
		io.Copy(near, far) // an end is an end, orderly or not
		near.Close()
	}()
	io.Copy(far, buffered)
}
