package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"

	"github.com/kubestellar/actions/internal/history"
)

// The bounds of a history that is read.
const (
	mostCommits = 400
	mostHistory = 60 << 20  // bytes of changes
	mostWork    = 512 << 20 // bytes that git compares, if each commit changes each file
)

// commits returns the number of commits to read: fewer if the files, which are below dir, are large.
func commits(dir string, files []string) int {
	size := int64(1)
	for _, name := range files {
		if info, err := os.Lstat(filepath.Join(dir, filepath.FromSlash(name))); err == nil {
			size += info.Size()
		}
	}
	const least = 20
	return int(min(mostCommits, max(least, mostWork/size)))
}

// History returns the events of places in the commits up to tip. It reads a bounded
// number of them. Partial of the result names the reason if it did not read all. Objects that a partial
// clone lacks are not fetched.
func (r Repo) History(ctx context.Context, tip string, places []history.Place) (*history.Log, error) {
	shallow, err := r.Shallow(ctx)
	if err != nil {
		return &history.Log{Partial: "there is no git history"}, nil
	}
	path, err := exec.LookPath("git")
	if err != nil {
		return nil, ErrNoGit
	}
	files := filesOf(places)
	newest := commits(r.Dir, files)
	cmd := exec.CommandContext(ctx, path, "--literal-pathspecs", "-c", "core.quotePath=false", "log", "--stdin",
		"--first-parent", "-m", "-p", "-U0", "--no-renames", "--no-ext-diff", "--no-textconv", "--no-color",
		"--no-show-signature", "--relative", "--src-prefix=a/", "--dst-prefix=b/", "-n", strconv.Itoa(newest),
		"--format="+history.Format, "--end-of-options", tip)
	cmd.Dir, cmd.Env = r.Dir, append(r.environment(), "GIT_NO_LAZY_FETCH=1")
	cmd.Stdin = strings.NewReader("--\n" + strings.Join(files, "\n") + "\n")
	out, err := cmd.StdoutPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, err
	}
	limited := &io.LimitedReader{R: out, N: mostHistory}
	log, err := history.Read(limited, places, shallow)
	if err == nil && newest < mostCommits {
		log.Partial = fmt.Sprintf("the files are large: only their newest %d commits were read", newest)
	}
	return log, errors.Join(err, ended(cmd, log, limited.N == 0, shallow))
}

// ended waits for git, and sets the reason if a part of the history is missing.
func ended(cmd *exec.Cmd, log *history.Log, full, shallow bool) error {
	if full {
		log.Partial = "the history is too large to be read as a whole"
		return errors.Join(cmd.Process.Kill(), ignoreExit(cmd.Wait()))
	}
	err := cmd.Wait()
	switch {
	case err != nil:
		log.Partial = "git could not read the whole history"
	case shallow:
		log.Partial = "the clone is shallow: fetch its history, with fetch-depth: 0"
	}
	return ignoreExit(err)
}

// ignoreExit returns an error other than that git failed.
func ignoreExit(err error) error {
	if _, failed := errors.AsType[*exec.ExitError](err); failed {
		return nil
	}
	return err
}

// filesOf returns the files of places, each once. Names that a line cannot carry are left
// out.
func filesOf(places []history.Place) []string {
	var names []string
	seen := map[string]bool{}
	for _, p := range places {
		if !seen[p.File] && !strings.ContainsAny(p.File, "\n\"\\") {
			seen[p.File] = true
			names = append(names, p.File)
		}
	}
	return names
}
