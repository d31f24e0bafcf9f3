package apply

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/outcome"
)

// Change is what becomes of one file of a tree. A nil Before is a file that was
// not there, a nil After one that is not there any more.
type Change struct {
	File          string
	Before, After []byte
	Mode          fs.FileMode
	// By is the command that derives the file, "" for an edit.
	By string
}

// Changes are what edits, each at its place, make of the files of a tree.
// Nothing is written.
func Changes(finder *find.Finder, tree fs.FS, edits []decide.Edit) ([]Change, error) {
	byFile := map[string][]decide.Edit{}
	var names []string
	for _, e := range edits {
		if byFile[e.File] == nil {
			names = append(names, e.File)
		}
		byFile[e.File] = append(byFile[e.File], e)
	}
	var changes []Change
	for _, name := range names {
		before, err := fs.ReadFile(tree, name)
		if err != nil {
			return nil, err
		}
		info, err := fs.Stat(tree, name)
		if err != nil {
			return nil, err
		}
		after, err := Edits(finder, name, before, byFile[name])
		if err != nil {
			return nil, err
		}
		changes = append(changes, Change{File: name, Before: before, After: after, Mode: info.Mode().Perm()})
	}
	return changes, nil
}

// Write makes the changes in a folder, and looks whether they are there. Where
// a file is not what the change was computed from, nothing is written; where
// one cannot be written, those before it are put back.
func Write(dir string, changes []Change) error {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return err
	}
	defer root.Close()
	for _, c := range changes {
		if err := c.expect(root); err != nil {
			return fmt.Errorf("writing %s: %w; nothing is changed", c.File, err)
		}
	}
	for i, c := range changes {
		if err := c.write(root); err != nil {
			return errors.Join(fmt.Errorf("writing %s: %w; what was written is put back", c.File, err), undo(root, changes[:i+1]))
		}
	}
	return nil
}

// expect looks whether the file is what the change was computed from.
func (c Change) expect(root *os.Root) error {
	switch same, err := holds(root, c.File, c.Before); {
	case err != nil || same:
		return err
	case c.Before == nil:
		return errors.New("it is there meanwhile")
	}
	return errors.New("it changed since it was read, or is gone")
}

func (c Change) write(root *os.Root) error {
	if err := put(root, c.File, c.After, c.Mode); err != nil {
		return err
	}
	same, err := holds(root, c.File, c.After)
	if err == nil && !same {
		err = errors.New("read back, it holds something else")
	}
	return err
}

// holds tells whether a file holds these bytes or, for nil, is not there.
func holds(root *os.Root, name string, want []byte) (bool, error) {
	now, err := root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return want == nil, nil
	}
	return want != nil && bytes.Equal(now, want), err
}

// put makes a file hold these bytes, or not exist. It is never seen half
// written.
func put(root *os.Root, name string, data []byte, mode fs.FileMode) error {
	if data == nil {
		return root.Remove(name)
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	whole := name + ".ghhelper"
	file, err := root.OpenFile(whole, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err // it may be somebody's, and stays
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Chmod(mode), file.Close()); err == nil {
		err = root.Rename(whole, name)
	}
	if err != nil {
		return errors.Join(err, root.Remove(whole))
	}
	return nil
}

func undo(root *os.Root, changes []Change) error {
	var errs []error
	for _, c := range slices.Backward(changes) {
		if err := c.putBack(root); err != nil {
			errs = append(errs, fmt.Errorf("putting %s back: %w", c.File, err))
		}
	}
	return errors.Join(errs...)
}

// putBack undoes write. A file that holds neither what it held nor what was
// written is somebody else's by now, and stays.
func (c Change) putBack(root *os.Root) error {
	if untouched, err := holds(root, c.File, c.Before); untouched || err != nil {
		return err
	}
	ours, err := holds(root, c.File, c.After)
	if err != nil {
		return err
	}
	if !ours {
		return errors.New("somebody else changed it meanwhile; it is left so")
	}
	return put(root, c.File, c.Before, c.Mode)
}

// Derive runs commands, each without a shell, in a copy of a tree with the
// changes made, and returns what they change beside. The tree itself is not
// touched.
func Derive(ctx context.Context, tree fs.FS, names []string, changes []Change, commands, env []string) ([]Change, error) {
	dir, err := os.MkdirTemp("", "ghhelper-derive-*")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	if err := copyTree(dir, tree, names); err != nil {
		return nil, fmt.Errorf("copying the tree to derive files in it: %w", err)
	}
	if err := Write(dir, changes); err != nil {
		return nil, err
	}
	var derived []Change
	for _, command := range commands {
		if err := run(ctx, dir, command, env); err != nil {
			return nil, err
		}
		more, err := differences(dir, tree, names, slices.Concat(changes, derived), command)
		if err != nil {
			return nil, err
		}
		derived = Merge(derived, more)
	}
	return derived, nil
}

func run(ctx context.Context, dir, command string, env []string) error {
	words := strings.Fields(command)
	cmd := exec.CommandContext(ctx, words[0], words[1:]...)
	cmd.Dir, cmd.Env = dir, env
	out, err := cmd.CombinedOutput()
	if errors.Is(err, exec.ErrNotFound) {
		return outcome.Usagef("deriving files: no command %s found on PATH", words[0])
	}
	if err != nil {
		return outcome.Wrongf("deriving files by %q: %w; its last words:\n%s", command, err, lastLines(out))
	}
	return nil
}

// lastLines is the end of what a command said.
func lastLines(out []byte) string {
	const enough = 12
	lines := strings.Split(strings.TrimSpace(string(out)), "\n")
	return strings.Join(lines[max(0, len(lines)-enough):], "\n")
}

func copyTree(dir string, tree fs.FS, names []string) error {
	for _, name := range names {
		info, err := fs.Lstat(tree, name)
		if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
			continue
		}
		if err != nil {
			return err
		}
		data, err := fs.ReadFile(tree, name)
		if err != nil {
			return err
		}
		to := filepath.Join(dir, filepath.FromSlash(name))
		if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(to, data, info.Mode().Perm()|0o600); err != nil {
			return err
		}
	}
	return nil
}

// differences are the files of a copy that differ from the tree with the
// changes known already.
func differences(dir string, tree fs.FS, names []string, known []Change, command string) ([]Change, error) {
	expected := map[string][]byte{}
	for _, c := range known {
		expected[c.File] = c.After
	}
	copied := os.DirFS(dir)
	there, err := find.Names(copied)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(names, there)
	slices.Sort(all)
	var changes []Change
	for _, name := range slices.Compact(all) {
		before, beforeErr := contents(tree, name)
		after, afterErr := contents(copied, name)
		if err := errors.Join(beforeErr, afterErr); err != nil {
			return nil, err
		}
		want, changed := expected[name]
		if !changed {
			want = before
		}
		if !bytes.Equal(after, want) || (after == nil) != (want == nil) {
			changes = append(changes, Change{File: name, Before: before, After: after, Mode: modeOf(name, tree, copied), By: command})
		}
	}
	return changes, nil
}

// modeOf is a file's mode where it is, or is to be.
func modeOf(name string, trees ...fs.FS) fs.FileMode {
	for _, tree := range trees {
		if info, err := fs.Stat(tree, name); err == nil {
			return info.Mode().Perm()
		}
	}
	return 0o644
}

// contents are the bytes of a regular file, nil where there is none.
func contents(tree fs.FS, name string) ([]byte, error) {
	info, err := fs.Lstat(tree, name)
	if errors.Is(err, fs.ErrNotExist) || err == nil && !info.Mode().IsRegular() {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	data, err := fs.ReadFile(tree, name)
	if data == nil {
		data = []byte{}
	}
	return data, err
}

// Merge puts later changes of a file in the place of earlier ones.
func Merge(earlier, later []Change) []Change {
	kept := slices.DeleteFunc(slices.Clone(earlier), func(c Change) bool {
		return slices.ContainsFunc(later, func(l Change) bool { return l.File == c.File })
	})
	return append(kept, later...)
}
