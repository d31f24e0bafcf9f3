// Command ghhelper keeps every versioned reference between repositories right:
// it releases, rehearses releases, and checks what was published.
package main

import (
	"context"
	"os"
	"os/signal"
	"runtime/debug"
	"syscall"
)

func main() { os.Exit(run()) }

func run() int {
	if os.Getenv("GOGC") == "" {
		// A run is short and holds little: collecting garbage would take a
		// tenth of it. The larger it gets, the more it is worth.
		const seldom, much = 400, 80 << 20
		debug.SetGCPercent(seldom)
		debug.SetMemoryLimit(much)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return execute(ctx, os.Args[1:], process{Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ()})
}
