package forge

import (
	"bytes"
	"compress/gzip"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"time"
)

// serveRPC answers git's smart HTTP protocol with git upload-pack and git receive-pack:
// https://git-scm.com/docs/http-protocol. Git's own backend is a process more for each request.
func (f *Forge) serveRPC(rw http.ResponseWriter, r *http.Request, repo *repository, path string, by *token) {
	rpc := rpc{bare: &repo.bare, service: strings.TrimPrefix(path, "git-"), protocol: r.Header.Get("Git-Protocol")}
	if !by.touchesWorkflows(repo) {
		rpc.more = []string{"FORGE_GUARDS=" + guardedFolder} // the update hook reads it
	}
	var err error
	switch service := r.URL.Query().Get("service"); {
	case path != "info/refs":
		err = rpc.serve(rw, r)
	case service == "git-upload-pack", service == "git-receive-pack":
		rpc.service = strings.TrimPrefix(service, "git-")
		err = rpc.advertise(rw, r)
	default:
		http.Error(rw, "The rehearsal's forge supports only git's smart HTTP protocol.", http.StatusForbidden)
	}
	if err != nil {
		http.Error(rw, err.Error(), http.StatusInternalServerError)
	}
}

// rpc is a request to a service of git: upload-pack or receive-pack.
type rpc struct {
	*bare
	service  string
	protocol string   // the Git-Protocol header
	more     []string // environment
}

// command returns the git command of the service. It ends when the forge stops.
func (c rpc) command(args ...string) *exec.Cmd {
	args = slices.Concat([]string{c.service, "--stateless-rpc"}, args, []string{c.dir})
	cmd := exec.CommandContext(c.ctx, "git", args...)
	cmd.Env, cmd.WaitDelay = slices.Concat(c.env, c.more), 5*time.Second
	if c.protocol != "" {
		cmd.Env = append(cmd.Env, "GIT_PROTOCOL="+c.protocol)
	}
	return cmd
}

// begin writes the header of an answer, which no client may cache.
func (c rpc) begin(rw http.ResponseWriter, kind string) {
	rw.Header().Set("Content-Type", "application/x-git-"+c.service+"-"+kind)
	rw.Header().Set("Cache-Control", "no-cache, max-age=0, must-revalidate")
}

// advertise lists the refs, or the abilities of the service if the client uses version 2.
func (c rpc) advertise(rw http.ResponseWriter, r *http.Request) error {
	text, err := c.answers.of(c.bare, c.service+" "+c.protocol, func() ([]byte, error) {
		return c.command("--advertise-refs").Output()
	})
	if err != nil {
		return fmt.Errorf("git %s: %w", c.service, err)
	}
	c.begin(rw, "advertisement")
	if !bytes.Contains(text, []byte("version 2\n")) {
		line := "# service=git-" + c.service + "\n"
		fmt.Fprintf(rw, "%04x%s0000", len(line)+4, line)
	}
	rw.Write(text) // an error means that the client has gone
	return nil
}

// lists is the command of a version 2 request that lists refs.
var lists = []byte("command=ls-refs\n")

// serve runs the service. A request that only lists refs is answered from memory if possible.
func (c rpc) serve(rw http.ResponseWriter, r *http.Request) error {
	body, err := unpacked(r)
	if err != nil {
		return fmt.Errorf("reading the request's body: %w", err)
	}
	start := make([]byte, 4+len(lists))
	n, err := io.ReadFull(body, start)
	if err != nil && err != io.EOF && err != io.ErrUnexpectedEOF {
		return fmt.Errorf("reading the request's body: %w", err)
	}
	body = io.MultiReader(bytes.NewReader(start[:n]), body)
	cmd := c.command()
	cmd.Stdin = body
	if c.service != "upload-pack" || !bytes.HasSuffix(start[:n], lists) {
		// git answers as soon as it knows what to, while a part of the body is unread.
		http.NewResponseController(rw).EnableFullDuplex()
		c.begin(rw, "result")
		cmd.Stdout = rw
		_ = cmd.Run() // the protocol contains git's messages for the client
		return nil
	}
	whole, err := io.ReadAll(body)
	if err != nil {
		return fmt.Errorf("reading the request's body: %w", err)
	}
	text, err := c.answers.of(c.bare, c.protocol+" "+string(whole), func() ([]byte, error) {
		cmd.Stdin = bytes.NewReader(whole)
		return cmd.Output()
	})
	if err != nil {
		return fmt.Errorf("git %s: %w", c.service, err)
	}
	c.begin(rw, "result")
	rw.Write(text) // an error means that the client has gone
	return nil
}

// unpacked returns the body of a request. git compresses large ones.
func unpacked(r *http.Request) (io.Reader, error) {
	if r.Header.Get("Content-Encoding") != "gzip" {
		return r.Body, nil
	}
	return gzip.NewReader(r.Body)
}

// answers are answers of git, kept because git processes take most of the forge's time.
type answers struct {
	mu     sync.Mutex
	ofRefs map[string][]byte // answers that depend on the refs only, by the state of the refs and the query
	facts  map[string]string // answers that never change, by the query
}

const (
	keptAnswers = 200     // by refs
	keptFacts   = 1000    // in number
	maxFact     = 1 << 16 // bytes; longer ones are not kept
)

// fact returns an answer that never changes. It calls ask if the answer is not known.
func (a *answers) fact(query string, ask func() (string, error)) (string, error) {
	a.mu.Lock()
	known, is := a.facts[query]
	a.mu.Unlock()
	if is {
		return known, nil
	}
	text, err := ask()
	if err != nil || len(text)+len(query) > maxFact {
		return text, err
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.facts == nil || len(a.facts) == keptFacts {
		a.facts = map[string]string{}
	}
	a.facts[query] = text
	return text, nil
}

// of returns the answer to a query. It runs git only if the answer for the refs is not known.
func (a *answers) of(b *bare, query string, run func() ([]byte, error)) ([]byte, error) {
	refs, err := b.state()
	if err != nil {
		return nil, err
	}
	key := refs + query
	a.mu.Lock()
	known, is := a.ofRefs[key]
	a.mu.Unlock()
	if is {
		return known, nil
	}
	text, err := run()
	if err != nil {
		return nil, err
	}
	if after, err := b.state(); err != nil || after != refs {
		return text, err // which may be of either state
	}
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.ofRefs == nil || len(a.ofRefs) == keptAnswers {
		a.ofRefs = map[string][]byte{}
	}
	a.ofRefs[key] = text
	return text, nil
}

// state returns a text that changes with the refs.
func (b *bare) state() (string, error) {
	shas, err := b.shas()
	if err != nil {
		return "", err
	}
	head, err := os.ReadFile(filepath.Join(b.dir, "HEAD"))
	return string(head) + fmt.Sprint(shas), err // fmt prints maps in the order of their keys
}
