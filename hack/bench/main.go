// Command bench measures ghhelper against its limits and, in the same run, against the
// tools that it replaces. `make bench` runs it with the tools on PATH.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"
)

func main() {
	if err := run(); err != nil {
		fmt.Fprintln(os.Stderr, "bench:", err)
		os.Exit(1)
	}
}

func run() error {
	dir, err := os.MkdirTemp("", "ghhelper-bench-*")
	if err != nil {
		return err
	}
	defer os.RemoveAll(dir)
	for _, measure := range []func(string) error{size, startUp, search, commits, targets, charts, proof, rehearsals} {
		if err := measure(dir); err != nil {
			return err
		}
	}
	return nil
}

// row prints one figure beside its limit.
func row(what string, got, limit float64, unit, beside string) {
	verdict := "within"
	if got > limit {
		verdict = "OVER"
	}
	fmt.Printf("%-28s %8.1f %-3s  %-6s %5g %-3s  %s\n", what, got, unit, verdict, limit, unit, beside)
}

func size(string) error {
	const mega = 1e6
	sizes := map[string]float64{}
	for _, command := range []string{"ghhelper", "helm", "goreleaser"} {
		path, err := exec.LookPath(command)
		if err != nil {
			return err
		}
		info, err := os.Stat(path)
		if err != nil {
			return err
		}
		sizes[command] = float64(info.Size()) / mega
	}
	row("ghhelper, stripped", sizes["ghhelper"], 45, "MB", fmt.Sprintf("%.2f× helm's, %.2f× goreleaser's",
		sizes["ghhelper"]/sizes["helm"], sizes["ghhelper"]/sizes["goreleaser"]))
	return nil
}

// startUp runs the commands in turns, so that a busy machine affects each of them.
func startUp(string) error {
	const rounds = 21
	times := map[string][]float64{}
	for range rounds {
		for _, command := range []string{"ghhelper", "helm", "goreleaser"} {
			took, err := timed(exec.Command(command, "--help"))
			if err != nil {
				return err
			}
			times[command] = append(times[command], took*1000)
		}
	}
	own, helm, goreleaser := median(times["ghhelper"]), median(times["helm"]), median(times["goreleaser"])
	row("ghhelper --help", own, 60, "ms", fmt.Sprintf("%.2f× helm --help, %.2f× goreleaser --help (medians of %d)",
		own/helm, own/goreleaser, rounds))
	return nil
}

func timed(cmd *exec.Cmd) (seconds float64, err error) {
	start := time.Now()
	out, err := cmd.CombinedOutput()
	if err != nil {
		return 0, fmt.Errorf("%s: %w\n%s", strings.Join(cmd.Args, " "), err, out)
	}
	return time.Since(start).Seconds(), nil
}

// writeFiles writes files into a folder, by their slash-separated paths in it.
func writeFiles(dir string, files map[string]string) error {
	for name, content := range files {
		path := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			return err
		}
	}
	return nil
}

func median(values []float64) float64 {
	slices.Sort(values)
	return values[len(values)/2]
}

// rehearsals times a rehearsal and a snapshot of goreleaser, which only builds the
// archives and publishes nothing.
func rehearsals(dir string) error {
	const rounds = 3
	var whole, build, snapshot []float64
	peak := 0.0
	for round := range rounds + 1 { // the first warms the caches
		took, built, memory, err := rehearse(filepath.Join(dir, strconv.Itoa(round)))
		if err != nil {
			return err
		}
		snap := exec.Command("goreleaser", "release", "--snapshot", "--clean", "--skip=ko,sbom")
		snap.Env = append(os.Environ(), "STAGE=bench")
		other, err := timed(snap)
		if err != nil {
			return err
		}
		if round > 0 {
			whole, build, snapshot = append(whole, took), append(build, built), append(snapshot, other)
			peak = max(peak, memory)
		}
	}
	share := median(build)
	row("rehearsal, warm", median(whole), 25, "s",
		fmt.Sprintf("goreleaser's share %.1f s; %.2f× goreleaser --snapshot of the archives alone (medians of %d)",
			share, median(whole)/median(snapshot), rounds))
	row("peak memory of ghhelper", peak, 200, "MB", "the larger of its two processes")
	return nil
}

func rehearse(report string) (seconds, build, megabytes float64, err error) {
	cmd := exec.Command("ghhelper", "rehearse", "--report", report)
	cmd.Stdout, cmd.Stderr = io.Discard, os.Stderr
	watch := watchMemory("ghhelper")
	start := time.Now()
	err = cmd.Run()
	seconds = time.Since(start).Seconds()
	megabytes = watch()
	if err != nil {
		return 0, 0, 0, fmt.Errorf("ghhelper rehearse: %w", err)
	}
	build, err = stepTime(report, "build")
	return seconds, build, megabytes, err
}

func stepTime(dir, name string) (float64, error) {
	data, err := os.ReadFile(filepath.Join(dir, "report.json"))
	if err != nil {
		return 0, err
	}
	var report struct {
		Steps []struct {
			Name    string
			Seconds float64
		}
	}
	if err := json.Unmarshal(data, &report); err != nil {
		return 0, err
	}
	for _, step := range report.Steps {
		if step.Name == name {
			return step.Seconds, nil
		}
	}
	return 0, fmt.Errorf("the report has no step %s", name)
}

// watchMemory measures the largest resident size, in MB, of the processes of a name. stop
// returns it. It works on Linux only.
func watchMemory(name string) (stop func() float64) {
	done := make(chan struct{})
	var group sync.WaitGroup
	peak := 0.0
	group.Go(func() {
		for {
			select {
			case <-done:
				return
			case <-time.After(20 * time.Millisecond):
				peak = max(peak, largest(name))
			}
		}
	})
	return func() float64 {
		close(done)
		group.Wait()
		return peak
	}
}

func largest(name string) float64 {
	processes, err := filepath.Glob("/proc/[0-9]*/status")
	if err != nil {
		return 0
	}
	peak := 0.0
	for _, path := range processes {
		status, err := os.ReadFile(path)
		if err != nil || !strings.HasPrefix(string(status), "Name:\t"+name+"\n") {
			continue // it has ended, or has another name
		}
		peak = max(peak, highWater(string(status)))
	}
	return peak
}

func highWater(status string) float64 {
	_, rest, _ := strings.Cut(status, "VmHWM:")
	fields := strings.Fields(rest)
	if len(fields) == 0 {
		return 0
	}
	kilobytes, err := strconv.ParseFloat(fields[0], 64)
	if err != nil {
		return 0
	}
	return kilobytes * 1024 / 1e6
}
