package world

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// Observer is shown each request to the API with its answer, whole and before the client can have
// it all. The request's URL is where github.com has it, whatever the host is here; the bodies are
// to be read.
type Observer func(*http.Request, *http.Response)

// Observe shows f every request that the forge's API answers from now on, with the answer as the
// forge made it: what a Fault answers in its place is not among them. Nil ends it. Requests run in
// parallel, and so does f.
func (w *World) Observe(f Observer) { w.forge.observer.Store(&f) }

// observed lets the observer see what passes through a handler of the API.
func (f *forge) observed(host string, next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		show := f.observer.Load()
		if show == nil || *show == nil {
			next.ServeHTTP(rw, r)
			return
		}
		asked, header := &bytes.Buffer{}, r.Header.Clone()
		seen := &http.Request{
			Method: r.Method, Header: header, Host: host, ContentLength: r.ContentLength,
			URL: &url.URL{Scheme: "https", Host: host, Path: r.URL.Path, RawPath: r.URL.RawPath, RawQuery: r.URL.RawQuery},
		}
		r.Body = tapped{io.TeeReader(r.Body, asked), r.Body}
		answer := &heard{ResponseWriter: rw}
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

// heard passes an answer on and keeps a copy.
type heard struct {
	http.ResponseWriter
	status int
	body   bytes.Buffer
}

func (h *heard) WriteHeader(status int) {
	if h.status == 0 {
		h.status = status
	}
	h.ResponseWriter.WriteHeader(status)
}

func (h *heard) Write(b []byte) (int, error) {
	if h.status == 0 {
		h.status = http.StatusOK
	}
	h.body.Write(b)
	return h.ResponseWriter.Write(b)
}

func (h *heard) Unwrap() http.ResponseWriter { return h.ResponseWriter }

func (h *heard) response(to *http.Request) *http.Response {
	if h.status == 0 {
		h.status = http.StatusOK
	}
	return &http.Response{
		StatusCode: h.status, Header: h.Header().Clone(), Body: io.NopCloser(&h.body), ContentLength: int64(h.body.Len()), Request: to,
		Status: strings.TrimSpace(http.StatusText(h.status)),
	}
}
