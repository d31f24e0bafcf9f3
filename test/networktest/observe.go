package networktest

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync/atomic"

	"github.com/kubestellar/actions/internal/rehearsal/network"
)

// Observer is called with each request to the API and its whole answer, before the client has the
// end of it. The request's URL is that of github.com, whatever the host is here. It may read both
// bodies.
type Observer func(*http.Request, *http.Response)

type observer struct{ atomic.Pointer[Observer] }

// apiAddress returns the host of github.com that has the API to which a request belongs, and the
// prefix of its path here.
func apiAddress(n *network.Network, host, path string) (apiHost, prefix string, isAPI bool) {
	switch {
	case host == "api.github.com", host == "uploads.github.com":
		return host, "", true
	case "https://"+host != n.Forge.URL():
	case strings.HasPrefix(path, "/api/v3/"):
		return "api.github.com", "/api/v3", true
	case strings.HasPrefix(path, "/api/uploads/"):
		return "uploads.github.com", "/api/uploads", true
	}
	return "", "", false
}

// wrap shows the observer what passes through a handler of the API.
func (o *observer) wrap(n *network.Network, host string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		show := o.Load()
		apiHost, prefix, isAPI := apiAddress(n, host, r.URL.Path)
		if !isAPI || show == nil || *show == nil {
			next.ServeHTTP(rw, r)
			return
		}
		asked := &bytes.Buffer{}
		seen := &http.Request{Method: r.Method, Header: r.Header.Clone(), Host: apiHost, ContentLength: r.ContentLength, URL: &url.URL{
			Scheme: "https", Host: apiHost, RawQuery: r.URL.RawQuery,
			Path: strings.TrimPrefix(r.URL.Path, prefix), RawPath: strings.TrimPrefix(r.URL.RawPath, prefix),
		}}
		r.Body = tapped{io.TeeReader(r.Body, asked), r.Body}
		answer := &copied{ResponseWriter: rw}
		next.ServeHTTP(answer, r)
		io.Copy(io.Discard, r.Body) // what the handler left unread is part of the request
		seen.Body = io.NopCloser(asked)
		(*show)(seen, answer.response(seen))
	})
}

// tapped reads from one and closes the other.
type tapped struct {
	io.Reader
	io.Closer
}

// copied passes an answer on and keeps a copy.
type copied struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (h *copied) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
	h.ResponseWriter.WriteHeader(status)
}

func (h *copied) Write(b []byte) (int, error) {
	if h.status == 0 {
		h.status = http.StatusOK
	}
	h.body.Write(b)
	return h.ResponseWriter.Write(b)
}

func (h *copied) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *copied) response(to *http.Request) *http.Response {
	if h.status == 0 {
		h.status = http.StatusOK
	}
	return &http.Response{
		StatusCode: h.status, Header: h.Header().Clone(), Body: io.NopCloser(&h.body), ContentLength: int64(h.body.Len()), Request: to,
		Status: strings.TrimSpace(http.StatusText(h.status)),
	}
}
