// Command ghhelper keeps every versioned reference between repositories right:
// it releases, rehearses releases, and checks what was published.
package main

import (
	"context"
	"os"
	"os/signal"
	"syscall"
)

func main() { os.Exit(run()) }

func run() int {
	ctx, stop := signal.NotifyContext(context.Background(), os.Interrupt, syscall.SIGTERM)
	defer stop()
	return execute(ctx, os.Args[1:], world{Stdout: os.Stdout, Stderr: os.Stderr, Environ: os.Environ()})
}
