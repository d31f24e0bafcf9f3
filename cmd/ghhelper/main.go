// Command ghhelper keeps every versioned reference between repositories right. It
// checks and bumps references, rehearses and makes releases, and proves them.
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
		// A run is short and uses little memory, and collecting garbage would take a
		// tenth of its time. It pays only if the heap grows.
		const seldom, much = 400, 80 << 20
		debug.SetGCPercent(seldom)
		debug.SetMemoryLimit(much)
	}
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return execute(ctx, os.Args[1:], process{Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ()})
}
