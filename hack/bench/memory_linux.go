package main

import (
	"os"
	"syscall"
)

// peakOf is the largest resident size, in MB, that an ended process reached.
func peakOf(state *os.ProcessState) float64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return float64(usage.Maxrss) * 1024 / 1e6 // kilobytes on Linux
}
