module github.com/kubestellar/actions/tools/gosh

go 1.26.8

tool mvdan.cc/sh/v3/cmd/gosh

require (
	golang.org/x/sys v0.33.0 // indirect
	golang.org/x/term v0.32.0 // indirect
	mvdan.cc/sh/v3 v3.12.0 // indirect
)
