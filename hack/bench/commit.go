package main

import (
	"bufio"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
)

// commits compares the processor time of verify on a commit and on its work tree, in a large
// repository. Time on the clock would depend on how many processors git has beside ghhelper.
func commits(dir string) error {
	const rounds = 5
	repository := filepath.Join(dir, "commit")
	if err := largeRepository(repository); err != nil {
		return err
	}
	var onTree, onCommit []float64
	peak := 0.0
	for range rounds {
		tree, _, err := processorTime(repository)
		if err != nil {
			return err
		}
		commit, memory, err := processorTime(repository, "--against", "HEAD")
		if err != nil {
			return err
		}
		onTree, onCommit, peak = append(onTree, tree), append(onCommit, commit), max(peak, memory)
	}
	tree, commit := median(onTree), median(onCommit)
	row("verify HEAD, to its work tree", commit/tree, 2, "×",
		fmt.Sprintf("%.2f s of processor time with git's, to %.2f s, on 72,000 files in 12,000 folders (medians of %d)",
			commit, tree, rounds))
	row("… peak memory", peak, 150, "MB", "the larger of ghhelper and git")
	return nil
}

// processorTime returns the seconds of verify --offline and of the git commands that it runs,
// and the memory that the largest process took at most, in MB.
func processorTime(dir string, flags ...string) (seconds, megabytes float64, err error) {
	cmd := inFolder(dir, exec.Command("ghhelper", append([]string{"verify", "--offline"}, flags...)...))
	if _, err := timed(cmd); err != nil {
		return 0, 0, err
	}
	used := cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
	return used.Seconds(), peakOf(cmd.ProcessState), nil
}

// largeRepository makes a repository of 72,000 files in 12,000 folders, and checks it out.
// One file in each folder refers to a component.
func largeRepository(dir string) error {
	const folders, files = 12_000, 6
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	if _, err := timed(inFolder(dir, exec.Command("git", "init", "--quiet"))); err != nil {
		return err
	}
	load := inFolder(dir, exec.Command("git", "fast-import", "--quiet"))
	in, out := io.Pipe()
	load.Stdin = in
	go func() {
		w := bufio.NewWriter(out)
		file := func(name, text string) {
			fmt.Fprintf(w, "M 100644 inline %s\ndata %d\n%s\n", name, len(text), text)
		}
		fmt.Fprint(w, "commit refs/heads/large\ncommitter bench <bench@example.com> 0 +0000\ndata 5\nBegin\n")
		file("delivery.yaml", "version: 1\nself: us\ncomponents:\n  us: {repository: o/us}\n"+
			"  other: {repository: o/other, artifacts: {image: {kind: image, at: ghcr.io/o/other}}}\n")
		for folder := range folders {
			path := fmt.Sprintf("%d/%d/%d", folder/400, folder/20%20, folder)
			file(path+"/image.yaml", "image: ghcr.io/o/other:1.2.3\n")
			for n := 1; n < files; n++ {
				line := fmt.Sprintf("key: value %d of folder %d\n", n, folder)
				file(fmt.Sprintf("%s/%d.yaml", path, n), strings.Repeat(line, 8+folder%9))
			}
		}
		_ = out.CloseWithError(w.Flush()) // never fails
	}()
	if _, err := timed(load); err != nil {
		return err
	}
	_, err := timed(inFolder(dir, exec.Command("git", "checkout", "--quiet", "large")))
	return err
}
