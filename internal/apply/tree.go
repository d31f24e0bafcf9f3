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

// Change is a change of one file of a tree. A nil Before means that the file is created, a nil After that it is
// removed.
type Change struct {
	File          string
	Before, After []byte
	Mode          fs.FileMode
	By            string // the command that derives the file; empty for an edit
}

// Changes returns the changes that edits make to the files of a tree. It writes nothing.
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

// Write writes the changes to a folder, and reads them back. It writes nothing if a file changed since the changes were
// computed. If a file cannot be written, Write restores those written before it.
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
			return errors.Join(fmt.Errorf("writing %s: %w; the files written before are restored", c.File, err),
				undo(root, changes[:i+1]))
		}
	}
	return nil
}

// expect returns an error unless the file is the one that the change was computed from.
func (c Change) expect(root *os.Root) error {
	switch same, err := contains(root, c.File, c.Before); {
	case err != nil || same:
		return err
	case c.Before == nil:
		return errors.New("it was created since the tree was read")
	}
	return errors.New("it changed since it was read, or was removed")
}

func (c Change) write(root *os.Root) error {
	if err := put(root, c.File, c.After, c.Mode); err != nil {
		return err
	}
	same, err := contains(root, c.File, c.After)
	if err == nil && !same {
		err = errors.New("read back, it has other bytes")
	}
	return err
}

// contains reports whether a file has these bytes or, for nil, does not exist.
func contains(root *os.Root, name string, want []byte) (bool, error) {
	now, err := root.ReadFile(name)
	if errors.Is(err, fs.ErrNotExist) {
		return want == nil, nil
	}
	return want != nil && bytes.Equal(now, want), err
}

// put writes a file in one step, or removes it if data is nil.
func put(root *os.Root, name string, data []byte, mode fs.FileMode) error {
	if data == nil {
		return root.Remove(name)
	}
	if err := root.MkdirAll(path.Dir(name), 0o755); err != nil {
		return err
	}
	temporary := name + ".ghhelper"
	file, err := root.OpenFile(temporary, os.O_CREATE|os.O_EXCL|os.O_WRONLY, mode)
	if err != nil {
		return err // the file is kept: it may belong to another program
	}
	_, err = file.Write(data)
	if err = errors.Join(err, file.Chmod(mode), file.Close()); err == nil {
		err = root.Rename(temporary, name)
	}
	if err != nil {
		return errors.Join(err, root.Remove(temporary))
	}
	return nil
}

func undo(root *os.Root, changes []Change) error {
	var errs []error
	for _, c := range slices.Backward(changes) {
		if err := c.restore(root); err != nil {
			errs = append(errs, fmt.Errorf("restoring %s: %w", c.File, err))
		}
	}
	return errors.Join(errs...)
}

// restore undoes write. A file that another program has changed since is kept.
func (c Change) restore(root *os.Root) error {
	if untouched, err := contains(root, c.File, c.Before); untouched || err != nil {
		return err
	}
	ours, err := contains(root, c.File, c.After)
	if err != nil {
		return err
	}
	if !ours {
		return errors.New("another program changed it since; it is kept")
	}
	return put(root, c.File, c.Before, c.Mode)
}

// Derive runs commands, each without a shell, in a changed copy of a tree, and returns the further changes that they
// make. The tree itself is not changed.
func Derive(
	ctx context.Context, tree fs.FS, names []string, changes []Change, commands, env []string,
) ([]Change, error) {
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
		return outcome.Wrongf("deriving files by %q: %w; the end of its output:\n%s", command, err, lastLines(out))
	}
	return nil
}

// lastLines returns the end of a command's output.
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

// differences returns the files of a copy that differ from the tree with the known changes.
func differences(dir string, tree fs.FS, names []string, known []Change, command string) ([]Change, error) {
	expected := map[string][]byte{}
	for _, c := range known {
		expected[c.File] = c.After
	}
	copied := os.DirFS(dir)
	copiedNames, err := find.Names(copied)
	if err != nil {
		return nil, err
	}
	all := slices.Concat(names, copiedNames)
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
			changes = append(changes, Change{
				File: name, Before: before, After: after, Mode: modeOf(name, tree, copied), By: command,
			})
		}
	}
	return changes, nil
}

// modeOf returns a file's mode in the first tree that has it.
func modeOf(name string, trees ...fs.FS) fs.FileMode {
	for _, tree := range trees {
		if info, err := fs.Stat(tree, name); err == nil {
			return info.Mode().Perm()
		}
	}
	return 0o644
}

// contents returns the bytes of a regular file, or nil if there is none.
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

// Merge returns both lists of changes. A later change of a file replaces an earlier one.
func Merge(earlier, later []Change) []Change {
	kept := slices.DeleteFunc(slices.Clone(earlier), func(c Change) bool {
		return slices.ContainsFunc(later, func(l Change) bool { return l.File == c.File })
	})
	return append(kept, later...)
}
