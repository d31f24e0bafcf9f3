package network_test

import (
	"crypto/tls"
	"io"
	"net/http"
	"net/http/httptest"
	"net/url"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/test/networktest"
)

func TestTunnel(t *testing.T) {
	w := networktest.New(t, network.Options{})
	server := httptest.NewTLSServer(http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		io.Copy(rw, r.Body)
	}))
	t.Cleanup(server.Close)
	addr := server.Listener.Addr().String()
	if err := w.Tunnel("kubernetes.default.svc", addr); err != nil {
		t.Fatal(err)
	}
	client := &http.Client{Transport: &http.Transport{
		Proxy: http.ProxyURL(&url.URL{Scheme: "http", Host: w.Addr()}),
		// The client gets the certificate of the tunnel's server, which is for this name.
		TLSClientConfig: &tls.Config{RootCAs: server.Client().Transport.(*http.Transport).TLSClientConfig.RootCAs, ServerName: "example.com"},
	}}
	answer, err := client.Post("https://kubernetes.default.svc/", "text/plain", strings.NewReader("there and back"))
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close()
	if body, err := io.ReadAll(answer.Body); err != nil || string(body) != "there and back" {
		t.Errorf("saw %q, %v", body, err)
	}
	if seen := w.Requests(); len(seen) > 0 {
		t.Errorf("recorded %v, want nothing that passed through the tunnel", seen)
	}
	if _, err := client.Get("https://kubernetes.default.svc:8443/"); err == nil {
		t.Error("another port than 443 was let through")
	}
	if err := w.Tunnel("ghcr.io", addr); err == nil {
		t.Error("made a tunnel for a host that the network answers as")
	}
}
