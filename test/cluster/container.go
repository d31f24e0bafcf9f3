package cluster

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
)

// user is the user id of containers, as in our images.
const user = 65532

// container is a process with its own file system, in which it may write only to mounted volumes.
// It shares the machine's network.
type container struct {
	root string
	argv []string
	env  []string
	log  io.Writer
}

// newRoot creates the file system of a container, with the programs that it may run, a name service
// that needs no network, and nothing else.
func newRoot(root string, programs map[string]string) error {
	for _, dir := range []string{"bin", "etc", "tmp"} {
		if err := os.MkdirAll(filepath.Join(root, dir), 0o755); err != nil {
			return err
		}
	}
	for name, program := range programs {
		to := filepath.Join(root, "bin", name)
		if os.Link(program, to) == nil {
			continue
		}
		if err := copyFile(program, to); err != nil { // another file system
			return err
		}
	}
	return os.WriteFile(filepath.Join(root, "etc", "passwd"), fmt.Appendf(nil, "nonroot:x:%d:%d::/:/bin/sh\n", user, user), 0o644)
}

func copyFile(from, to string) error {
	in, err := os.Open(from)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := os.OpenFile(to, os.O_CREATE|os.O_WRONLY|os.O_EXCL, 0o755)
	if err != nil {
		return err
	}
	_, err = io.Copy(out, in)
	if closed := out.Close(); err == nil {
		err = closed
	}
	return err
}

// mountFiles copies a volume's files to the container's path, read-only.
func mountFiles(root, at string, files map[string][]byte) error {
	dir := filepath.Join(root, filepath.FromSlash(at))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	for name, data := range files {
		if err := os.WriteFile(filepath.Join(dir, name), data, 0o444); err != nil {
			return err
		}
	}
	return nil
}

// mountScratch creates a folder in which the container may write.
func mountScratch(root, at string) error {
	dir := filepath.Join(root, filepath.FromSlash(at))
	if err := os.MkdirAll(dir, 0o755); err != nil {
		return err
	}
	return os.Chmod(dir, 0o777)
}

// seal forbids writing outside of scratch folders even to the owner of the files, which is the
// container's user if we are not root.
func seal(root string) error {
	return eachFolder(root, func(path string, mode fs.FileMode) error {
		if mode.Perm() == 0o777 {
			return fs.SkipDir
		}
		return os.Chmod(path, 0o555)
	})
}

// remove deletes a tree that may be sealed.
func remove(root string) error {
	err := eachFolder(root, func(path string, _ fs.FileMode) error { return os.Chmod(path, 0o755) })
	return errors.Join(err, os.RemoveAll(root))
}

func eachFolder(root string, do func(path string, mode fs.FileMode) error) error {
	return filepath.WalkDir(root, func(path string, entry fs.DirEntry, err error) error {
		if err != nil || !entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err != nil {
			return err
		}
		return do(path, info.Mode())
	})
}

// run runs the container's argv to its end, and kills it when ctx is done.
func (c container) run(ctx context.Context) error {
	cmd := &exec.Cmd{Path: filepath.Join("/bin", filepath.Base(c.argv[0])), Args: c.argv, Env: c.env, Dir: "/", Stdout: c.log, Stderr: c.log}
	cmd.SysProcAttr = isolated(c.root)
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("starting %q: %w", c.argv[0], err)
	}
	ended := make(chan error, 1)
	go func() { ended <- cmd.Wait() }()
	select {
	case err := <-ended:
		return err
	case <-ctx.Done():
		syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL)
		<-ended
		return ctx.Err()
	}
}

// isolated confines a process to root as an ordinary user. If that is not permitted, it uses a user
// namespace in which that user is ours.
func isolated(root string) *syscall.SysProcAttr {
	attr := &syscall.SysProcAttr{Chroot: root, Setpgid: true, Pdeathsig: syscall.SIGKILL}
	if os.Geteuid() == 0 {
		attr.Credential = &syscall.Credential{Uid: user, Gid: user}
		return attr
	}
	attr.Cloneflags = syscall.CLONE_NEWUSER
	attr.UidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Geteuid(), Size: 1}}
	attr.GidMappings = []syscall.SysProcIDMap{{ContainerID: user, HostID: os.Getegid(), Size: 1}}
	return attr
}

// tail keeps the end of what is written to it.
type tail struct{ bytes.Buffer }

func (t *tail) Write(p []byte) (int, error) {
	const most = 8 << 10
	n, err := t.Buffer.Write(p)
	if over := t.Len() - most; over > 0 {
		t.Next(over)
	}
	return n, err
}
