package gh_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/test/testkit"
)

// everything calls each method of a client and returns the errors.
func everything(t *testing.T, c *gh.Client) map[string]error {
	ctx := context.Background()
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("text"), 0o644); err != nil {
		t.Fatal(err)
	}
	errs := map[string]error{}
	note := func(what string, err error) { errs[what] = err }
	_, err := c.Attestations(ctx, repository, digest)
	note("Attestations", err)
	_, err = c.Releases(ctx, repository, "v1.0.0")
	note("Releases", err)
	_, err = c.CreateDraft(ctx, repository, "v1.0.0", "main")
	note("CreateDraft", err)
	note("DeleteDraft", c.DeleteDraft(ctx, repository, 1))
	note("Upload", c.Upload(ctx, repository, 1, "a", file))
	note("DeleteAsset", c.DeleteAsset(ctx, repository, 1))
	note("Download", c.Download(ctx, repository, gh.Asset{ID: 1, Name: "a"}, io.Discard))
	note("Publish", c.Publish(ctx, repository, 1, ref.Version{}))
	_, err = c.MakesImmutable(ctx, repository)
	note("MakesImmutable", err)
	_, err = c.FindRun(ctx, repository, "repository_dispatch", "id", time.Time{})
	note("FindRun", err)
	_, err = c.Workflows(ctx, repository)
	note("Workflows", err)
	_, err = c.ReadFile(ctx, repository, "f", "main")
	note("ReadFile", err)
	_, err = c.Run(ctx, repository, 1)
	note("Run", err)
	_, err = c.Jobs(ctx, repository, 1)
	note("Jobs", err)
	_, err = c.DispatchWorkflow(ctx, repository, "f.yml", "main", gh.Event{})
	note("DispatchWorkflow", err)
	_, err = c.PullSince(ctx, repository, "b", time.Time{})
	note("PullSince", err)
	_, err = c.Tag(ctx, repository, "v1.0.0")
	note("Tag", err)
	note("CreateTag", c.CreateTag(ctx, repository, "v1.0.0", "c", "m"))
	_, err = c.Checks(ctx, repository, "c")
	note("Checks", err)
	_, err = c.RequiredChecks(ctx, repository, "main")
	note("RequiredChecks", err)
	_, err = c.MergedCommit(ctx, repository, "c")
	note("MergedCommit", err)
	note("Dispatch", c.Dispatch(ctx, repository, gh.Event{}))
	_, err = c.OpenPull(ctx, repository, "b")
	note("OpenPull", err)
	_, err = c.CreatePull(ctx, repository, gh.Proposal{})
	note("CreatePull", err)
	note("MergePull", c.MergePull(ctx, repository, &gh.Pull{Number: 1}))
	_, err = c.Discussed(ctx, repository, 1)
	note("Discussed", err)
	_, err = c.EditPull(ctx, repository, 1, "t", "b")
	note("EditPull", err)
	_, err = c.ClosePull(ctx, repository, &gh.Pull{Number: 1}, "needless")
	note("ClosePull", err)
	note("AddLabels", c.AddLabels(ctx, repository, 1, []string{"l"}))
	_, err = c.CreateTree(ctx, repository, "b", []gh.File{{Name: "f", Mode: "100644", Content: []byte("\xff")}})
	note("CreateTree", err)
	_, err = c.CreateCommit(ctx, repository, "m", "t", nil)
	note("CreateCommit", err)
	note("CreateBranch", c.CreateBranch(ctx, repository, "b", "c"))
	note("MoveBranch", c.MoveBranch(ctx, repository, "b", "c"))
	note("ForceBranch", c.ForceBranch(ctx, repository, "b", "c"))
	note("CheckWrite", c.CheckWrite(ctx, repository))
	return errs
}

// texts returns everything that can be printed of an error and the errors that it wraps.
func texts(err error) string {
	if err == nil {
		return ""
	}
	text := fmt.Sprintf("%v\n%+v\n%#v\n", err, err, err)
	switch wraps := err.(type) {
	case interface{ Unwrap() error }:
		text += texts(wraps.Unwrap())
	case interface{ Unwrap() []error }:
		for _, inner := range wraps.Unwrap() {
			text += texts(inner)
		}
	}
	if open, is := errors.AsType[*gh.Uncertain](err); is && err == error(open) {
		text += texts(open.Looked)
	}
	return text
}

// echo answers with a status and repeats the token in every place.
func echo(status int, keys ...string) http.HandlerFunc {
	return func(rw http.ResponseWriter, r *http.Request) {
		io.Copy(io.Discard, r.Body)
		_, sent, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		for _, key := range keys {
			rw.Header().Set(key, "required; url=https://x.example/"+sent)
		}
		rw.WriteHeader(status)
		const answer = `{"message":"you sent %[1]s","errors":[{"message":"%[1]s","resource":"%[1]s"}],"documentation_url":"https://x.example/%[1]s"}`
		fmt.Fprintf(rw, answer, sent)
	}
}

// raw starts a server that answers with a literal text, in which TOKEN is replaced.
func raw(t *testing.T, answer string) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { l.Close() })
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			go func() {
				defer conn.Close()
				buf := make([]byte, 4096)
				n, _ := conn.Read(buf)
				_, sent, _ := strings.Cut(string(buf[:n]), "Bearer ")
				sent, _, _ = strings.Cut(sent, "\r\n")
				io.WriteString(conn, strings.ReplaceAll(answer, "TOKEN", sent))
			}()
		}
	}()
	return "http://" + l.Addr().String()
}

// No error contains the token, in its own text or in that of an error that it wraps,
// whatever fails.
func TestErrorsHoldNoToken(t *testing.T) {
	t.Parallel()
	const token = "ghs_known_0123456789"
	servers := map[string]string{
		"nobody listens":     "http://127.0.0.1:1",
		"no HTTP":            raw(t, "TOKEN\r\n\r\n"),
		"a malformed status": raw(t, "HTTP/1.1 TOKEN no\r\n\r\n"),
		"a malformed header": raw(t, "HTTP/1.1 200 OK\r\nTOKEN\r\n\r\n"),
		"a malformed length": raw(t, "HTTP/1.1 200 OK\r\nContent-Length: TOKEN\r\n\r\n"),
		"a malformed body":   raw(t, "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nTOKEN\r\n"),
		"a reason":           raw(t, "HTTP/1.1 403 TOKEN\r\nContent-Length: 0\r\n\r\n"),
		"broken JSON":        raw(t, "HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n{\"TOKEN\":"),
		"a wrong type":       raw(t, "HTTP/1.1 200 OK\r\nContent-Length: 30\r\n\r\n\"TOKEN       \""),
		"a redirect":         raw(t, "HTTP/1.1 302 Found\r\nLocation: https://TOKEN:TOKEN@127.0.0.1:1/TOKEN\r\nContent-Length: 0\r\n\r\n"),
		"a next page":        raw(t, "HTTP/1.1 200 OK\r\nLink: <https://TOKEN@x.example/TOKEN>; rel=\"next\"\r\nContent-Length: 2\r\n\r\n[]"),
	}
	for status, keys := range map[int][]string{
		301: {"Location"}, 401: nil, 403: {"X-GitHub-SSO"}, 404: nil, 409: nil, 418: {"Location"}, 422: nil, 429: nil, 500: nil, 502: nil,
	} {
		s := httptest.NewServer(echo(status, keys...))
		t.Cleanup(s.Close)
		servers[fmt.Sprint(status)] = s.URL
	}
	for _, key := range []string{"X-Accepted-GitHub-Permissions", "X-Accepted-OAuth-Scopes"} {
		s := httptest.NewServer(echo(403, key))
		t.Cleanup(s.Close)
		servers[key] = s.URL
	}
	for name, address := range servers {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			c, err := gh.New(gh.Options{
				APIURL: address, Token: token, TokenName: "X_TOKEN", Transport: &http.Transport{},
				Wait: testkit.NoWait, Slow: 5 * time.Second,
			})
			if err != nil {
				t.Fatal(err)
			}
			failed := 0
			for what, err := range everything(t, c) {
				if err != nil {
					failed++
				}
				if text := texts(err); strings.Contains(text, token) {
					t.Errorf("%s: the token is in %.600s", what, text)
				}
			}
			if failed < 3 {
				t.Errorf("only %d calls failed", failed)
			}
		})
	}
}
