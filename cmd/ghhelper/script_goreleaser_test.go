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

// base: our base image is where .goreleaser.yaml and ours name it.
func base(ts *testscript.TestScript, _ bool, _ []string) {
	w := worldOf(ts)
	index, err := oci.BaseImage()
	ts.Check(err)
	r := &oci.Registry{Keychain: testkit.Login(w.Token()), Transport: w.Transport()}
	_, err = r.PushIndex(context.Background(), oci.BaseName, "base", index)
	ts.Check(err)
}

// raced LOCATION:TAG: once somebody has pushed this tag, somebody else does.
func raced(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	to, err := name.NewTag(args[0])
	ts.Check(err)
	var done atomic.Bool // the push is a request like that which it follows
	push := func() {
		err := remote.Write(to, empty.Image, remote.WithTransport(w.Transport()), remote.WithAuth(&authn.Basic{Username: "u", Password: w.Token()}))
		if err != nil {
			panic(err) // the script runs elsewhere by now
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
