package git

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"sync"
)

// Blob returns the content of a file by its object's id.
func (r Repo) Blob(ctx context.Context, id string) ([]byte, error) {
	out, err := r.Raw(ctx, "cat-file", "blob", id)
	return []byte(out), err
}

// Small files are read in windows, in the order in which git lists them: a request for each
// file would take several times as long.
const (
	small       = 1 << 20 // bytes of a file; larger ones are streamed
	windowFiles = 64
	windowBytes = 256 << 10
	keptBytes   = 4 << 20 // of the windows before the last one
)

// batch reads small files through one git process, which it starts for the first of them.
type batch struct {
	repo  Repo
	ctx   context.Context
	blobs []blob

	mu   sync.Mutex // guards the fields below
	git  *process
	kept map[int][]byte // by index in blobs
	size int            // of kept, in bytes
}

// open returns the content of the file at an index.
func (b *batch) open(index int) (io.ReadCloser, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if _, ok := b.kept[index]; !ok {
		if err := b.readFrom(index); err != nil {
			return nil, err
		}
	}
	return io.NopCloser(bytes.NewReader(b.kept[index])), nil
}

// readFrom reads a window of files.
func (b *batch) readFrom(first int) (err error) {
	if b.git == nil {
		if b.git, err = b.repo.start(b.ctx, "cat-file", "--batch"); err != nil {
			return err
		}
	}
	defer func() {
		if err != nil {
			b.git = nil // it has ended
		}
	}()
	if b.kept == nil || b.size > keptBytes {
		b.kept, b.size = map[int][]byte{}, 0
	}
	window := b.window(first)
	if err := b.git.request(window); err != nil {
		return err
	}
	for i, blob := range window {
		data, err := b.git.object(blob)
		if err != nil {
			return err
		}
		b.kept[first+i] = data
		b.size += len(data)
	}
	return nil
}

// window returns the files to read together with the first one.
func (b *batch) window(first int) []blob {
	size := b.blobs[first].size
	end := first + 1
	for end < min(len(b.blobs), first+windowFiles) && size+b.blobs[end].size <= windowBytes {
		size += b.blobs[end].size
		end++
	}
	return b.blobs[first:end]
}

func (b *batch) close() error {
	b.mu.Lock()
	defer b.mu.Unlock()
	if b.git == nil {
		return nil
	}
	defer func() { b.git = nil }()
	return b.git.wait()
}

// process is a git command that runs.
type process struct {
	in   io.Writer
	out  *bufio.Reader
	kill context.CancelFunc
	wait func() error // ends its input, and returns why it failed
}

func (r Repo) start(ctx context.Context, args ...string) (*process, error) {
	ctx, kill := context.WithCancel(ctx)
	var stderr strings.Builder
	cmd := exec.CommandContext(ctx, "git", args...)
	cmd.Dir, cmd.Env, cmd.Stderr = r.Dir, r.environment(), &stderr
	in, err := cmd.StdinPipe()
	if err != nil {
		kill()
		return nil, err
	}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmp.Or(context.Cause(ctx), cmd.Start())
	}
	if err != nil {
		kill()
		return nil, failure(args, nil, "", err)
	}
	const buffer = 64 << 10 // of a pipe on Linux
	return &process{in, bufio.NewReaderSize(out, buffer), kill, sync.OnceValue(func() error {
		defer kill()
		in.Close()
		if err := cmd.Wait(); err != nil {
			return failure(args, cmd.ProcessState, stderr.String(), cmp.Or(context.Cause(ctx), err))
		}
		return nil
	})}, nil
}

// request asks git cat-file --batch for objects. Like object, it ends a process that fails.
func (p *process) request(blobs []blob) error {
	var ids strings.Builder
	for _, b := range blobs {
		ids.WriteString(b.id + "\n")
	}
	if _, err := io.WriteString(p.in, ids.String()); err != nil {
		return p.ended(err)
	}
	return nil
}

// object reads the next object that was requested.
func (p *process) object(b blob) ([]byte, error) {
	header, err := p.out.ReadString('\n')
	if err != nil {
		return nil, p.ended(err)
	}
	if want := fmt.Sprintf("%s blob %d\n", b.id, b.size); header != want {
		return nil, p.abort(fmt.Errorf("git cat-file --batch printed %q for %q, want %q", header, b.name, want))
	}
	data := make([]byte, b.size+1) // a newline follows each object
	if _, err := io.ReadFull(p.out, data); err != nil {
		return nil, p.ended(err)
	}
	return data[:b.size], nil
}

// ended returns why a process ended early: git's reason, else the error of the pipe.
func (p *process) ended(err error) error {
	if failed := p.wait(); failed != nil {
		return failed
	}
	return fmt.Errorf("git ended early: %w", err)
}

// abort ends a process that does not do as it should, and returns the error.
func (p *process) abort(err error) error {
	p.kill()
	_ = p.wait() // it was killed
	return err
}

// stream reads a large file through a git process of its own.
func (r Repo) stream(ctx context.Context, id string) (io.ReadCloser, error) {
	p, err := r.start(ctx, "cat-file", "blob", id)
	if err != nil {
		return nil, err
	}
	return &stream{process: p}, nil
}

type stream struct {
	*process
	err error // of the last read
}

func (s *stream) Read(buffer []byte) (int, error) {
	if s.err != nil {
		return 0, s.err
	}
	n, err := s.out.Read(buffer)
	if s.err = err; err != nil {
		if failed := s.wait(); failed != nil {
			s.err = failed
		}
	}
	return n, s.err
}

func (s *stream) Close() error { return s.abort(nil) }
