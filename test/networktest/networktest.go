// Package networktest runs the fake network of rehearsals for tests. It records requests, injects
// faults, shows traffic to an observer, and acts as a person on the fake GitHub.
package networktest

import (
	"net/http"

	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/internal/rehearsal/registry"
)

// Network is a network that records its requests and can disturb them.
type Network struct {
	*network.Network
	record   record
	observer observer
}

// Start starts a network as network.Start does.
func Start(dir string, o network.Options) (*Network, error) {
	t := &Network{}
	o.Wrap = func(n *network.Network, host string, next http.Handler) http.Handler {
		return t.record.wrap(n, host, t.observer.wrap(n, host, next))
	}
	var err error
	t.Network, err = network.Start(dir, o)
	return t, err
}

// Requests returns every request so far, in the order in which their heads were read. The CONNECT
// requests to the proxy are not included.
func (t *Network) Requests() []Request { return t.record.all() }

// Intercept installs f, which is called before each request is handled and returns what goes
// wrong with it. Nil removes it. Requests run in parallel, and so does f.
func (t *Network) Intercept(f func(Request) Fault) { t.record.intercept(f) }

// Observe shows f every request that the forge's API answers from now on, with the answer that
// the forge made. Answers of a Fault are not shown. Nil ends it. Requests run in parallel, and so
// does f.
func (t *Network) Observe(f Observer) { t.observer.Store(&f) }

// Registry returns the registry of a host. It panics on an unknown one.
func (t *Network) Registry(host string) *registry.Registry {
	r, err := t.Network.Registry(host)
	if err != nil {
		panic("networktest: " + err.Error())
	}
	return r
}
