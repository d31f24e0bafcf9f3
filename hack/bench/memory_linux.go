package main

import (
	"os"
	"syscall"
)

// peakOf returns the largest resident size, in MB, of a process that has ended.
func peakOf(state *os.ProcessState) float64 {
	usage, ok := state.SysUsage().(*syscall.Rusage)
	if !ok {
		return 0
	}
	return float64(usage.Maxrss) * 1024 / 1e6 // kilobytes on Linux
}
