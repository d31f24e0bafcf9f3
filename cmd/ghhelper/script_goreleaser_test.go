package main

import (
	"context"
	"net/http"
	"strings"
	"sync/atomic"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/test/networktest"
	"github.com/kubestellar/actions/test/testkit"
)

// base publishes our base image under the names in .goreleaser.yaml and in our own.
func base(ts *testscript.TestScript, _ bool, _ []string) {
	w := worldOf(ts)
	index, err := oci.BaseImage()
	ts.Check(err)
	r := &oci.Registry{Keychain: testkit.Login(w.Token()), Transport: w.Transport()}
	_, err = r.PushIndex(context.Background(), oci.BaseName, "base", index)
	ts.Check(err)
}

// raced LOCATION:TAG: after a push to this tag, another client pushes to it.
func raced(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	to, err := name.NewTag(args[0])
	ts.Check(err)
	var done atomic.Bool // the second push is such a request itself
	push := func() {
		err := remote.Write(to, empty.Image, remote.WithTransport(w.Transport()), remote.WithAuth(&authn.Basic{Username: "u", Password: w.Token()}))
		if err != nil {
			panic(err) // the script runs in another goroutine
		}
	}
	w.Intercept(func(r networktest.Request) networktest.Fault {
		if r.Method == http.MethodPut && r.Host == to.RegistryStr() && strings.HasSuffix(r.Path, to.RepositoryStr()+"/manifests/"+to.TagStr()) {
			return networktest.Fault{Done: func() {
				if done.CompareAndSwap(false, true) {
					push()
				}
			}}
		}
		return networktest.Fault{}
	})
}
