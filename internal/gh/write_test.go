package gh_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/test/networktest"
)

// writes calls each writing method once. If it is uncertain whether a draft was created,
// it lists the drafts, as a release does.
func writes(t *testing.T, c *gh.Client) error {
	ctx := context.Background()
	file := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(file, []byte("text"), 0o644); err != nil {
		return err
	}
	var ids []int64
	for _, tag := range []string{"v1.0.0", "v2.0.0"} {
		_, err := c.CreateDraft(ctx, repository, tag, "main")
		if _, open := errors.AsType[*gh.Uncertain](err); err != nil && !open {
			return err
		}
		there, err := c.Releases(ctx, repository, tag)
		if err != nil || len(there) != 1 {
			return fmt.Errorf("%d drafts for %s, %v", len(there), tag, err)
		}
		ids = append(ids, there[0].ID)
	}
	if err := errors.Join(
		c.DeleteDraft(ctx, repository, ids[1]),
		c.Upload(ctx, repository, ids[0], "a.txt", file),
		c.Upload(ctx, repository, ids[0], "b.txt", file),
	); err != nil {
		return err
	}
	there, err := c.Releases(ctx, repository, "v1.0.0")
	if err != nil || len(there) != 1 {
		return fmt.Errorf("%d drafts, %v", len(there), err)
	}
	old, _ := there[0].Asset("b.txt")
	pull, err := c.CreatePull(ctx, repository, gh.Proposal{Title: "t", Body: "b", Head: "change", Base: "main"})
	if err != nil {
		return err
	}
	return errors.Join(c.DeleteAsset(ctx, repository, old.ID), c.Publish(ctx, repository, ids[0], ref.Version{}),
		c.MergePull(ctx, repository, pull), c.Dispatch(ctx, repository, gh.Event{Component: "us", ID: "us 1.0.0"}))
}

// scene returns a network whose repository has a branch for a pull request.
func scene(t *testing.T) (*networktest.Network, *gh.Client) {
	t.Helper()
	w, c := start(t, forge.Repository{})
	const when = "2026-01-02T03:04:05Z"
	env := append(w.Env(), "PATH="+os.Getenv("PATH"), "GIT_AUTHOR_DATE="+when, "GIT_COMMITTER_DATE="+when)
	bare := git.Repo{Dir: w.Forge.RepositoryDir(repository), Env: env}
	ctx := context.Background()
	id, err := bare.Input([]byte("new")).Run(ctx, "hash-object", "-w", "--stdin")
	if err == nil {
		id, err = bare.Input([]byte("100644 blob "+id+"\tnew\n")).Run(ctx, "mktree")
	}
	if err == nil {
		id, err = bare.Run(ctx, "commit-tree", "-p", "main", "-m", "change", id)
	}
	if err == nil {
		_, err = bare.Run(ctx, "update-ref", "refs/heads/change", id)
	}
	if err != nil {
		t.Fatal(err)
	}
	return w, c
}

// state describes the repository, without details that differ between two networks in
// the same state.
func state(t *testing.T, w *networktest.Network) string {
	t.Helper()
	w.Intercept(nil)
	var b strings.Builder
	for _, path := range []string{"releases?per_page=100", "pulls?state=all"} {
		var items []struct {
			Tag    string `json:"tag_name"`
			Draft  bool
			Merged string `json:"merged_at"`
			Title  string
			Assets []struct{ Name, State, Digest string }
		}
		req, err := http.NewRequest(http.MethodGet, "https://api.github.com/repos/"+repository+"/"+path, nil)
		if err != nil {
			t.Fatal(err)
		}
		req.Header.Set("Authorization", "Bearer "+w.Token())
		res, err := w.Transport().RoundTrip(req)
		if err != nil {
			t.Fatal(err)
		}
		err = json.NewDecoder(res.Body).Decode(&items)
		res.Body.Close()
		if err != nil {
			t.Fatal(err)
		}
		for _, i := range items {
			fmt.Fprintf(&b, "%s %t %s merged=%t %v\n", i.Tag, i.Draft, i.Title, i.Merged != "", i.Assets)
		}
	}
	fmt.Fprintf(&b, "%d dispatches\n", len(w.Forge.Dispatches(repository)))
	return b.String()
}

// effects returns the methods of the writes after a request.
func effects(w *networktest.Network, before int) []string {
	var methods []string
	for _, r := range w.Requests()[before:] {
		if r.Effect {
			methods = append(methods, r.Method)
		}
	}
	return methods
}

// Each write fails in each way that leaves its result uncertain, done or not. No write is
// lost or done twice.
func TestUncertainWrites(t *testing.T) {
	t.Parallel()
	w, c := scene(t)
	before := len(w.Requests())
	if err := writes(t, c); err != nil {
		t.Fatal(err)
	}
	requests, want := w.Requests()[before:], state(t, w)
	tried := 0
	for i, r := range requests {
		if !r.Effect {
			continue
		}
		for name, fault := range map[string]networktest.Fault{
			"cut before": {CutBefore: true}, "cut after": {CutAfter: true}, "502": {Status: http.StatusBadGateway},
		} {
			tried++
			t.Run(fmt.Sprintf("%02d %s %s", i, r.Method, name), func(t *testing.T) {
				t.Parallel()
				w, c := scene(t)
				at := len(w.Requests()) + 1 + i
				w.Intercept(func(r networktest.Request) networktest.Fault {
					if r.N != at {
						return networktest.Fault{}
					}
					if !r.Effect {
						t.Errorf("request %d only reads: %s %s", i, r.Method, r.Path)
					}
					return fault
				})
				if err := writes(t, c); err != nil {
					t.Error(err)
				}
				if diff := cmp.Diff(want, state(t, w)); diff != "" {
					t.Errorf("the result differs from an undisturbed run (-want +got):\n%s", diff)
				}
			})
		}
	}
	if tried != 10*3 {
		t.Errorf("%d faults were tried, want those of 10 writes", tried)
	}
}

// GitHub shows new objects late. After a lost response, the client checks again. If the
// object only appears after all checks, GitHub refuses the repetition.
func TestReadsThatLag(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct{ stale, writes int }{
		"not at all":          {0, 1},
		"by some checks":      {3, 1},
		"by more than checks": {5, 2},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, _ := scene(t)
			c, noted := careful(t, w, asItIs)
			stale, posts, before := test.stale, 0, len(w.Requests())
			var mu sync.Mutex
			w.Intercept(func(r networktest.Request) networktest.Fault {
				mu.Lock()
				defer mu.Unlock()
				if r.Method == http.MethodPost {
					posts++
					return networktest.Fault{CutAfter: posts == 1}
				}
				if stale > 0 && posts > 0 {
					stale--
					return networktest.Fault{Status: http.StatusOK, Body: "[]"}
				}
				return networktest.Fault{}
			})
			pull, err := c.CreatePull(context.Background(), repository, gh.Proposal{Title: "t", Head: "change", Base: "main"})
			if wrote := effects(w, before); err != nil || pull.Number != 1 || len(wrote) != test.writes {
				t.Errorf("%d writes made %+v, %v, after waits of %v", len(wrote), pull, err, noted.all)
			}
			if test.stale > 0 && noted.sum() < 7e9 {
				t.Errorf("waited %v, which is less than GitHub lags", noted.all)
			}
		})
	}
}

// If the effect of a write cannot be checked, the write is not repeated.
func TestUnknownStaysUnknown(t *testing.T) {
	t.Parallel()
	w, c := scene(t)
	before := len(w.Requests())
	w.Intercept(func(r networktest.Request) networktest.Fault {
		if r.Method == http.MethodPost {
			return networktest.Fault{CutAfter: true}
		}
		return networktest.Fault{Status: http.StatusForbidden}
	})
	err := c.Dispatch(context.Background(), repository, gh.Event{ID: "us 1.0.0"})
	open, is := errors.AsType[*gh.Uncertain](err)
	posts := len(effects(w, before))
	if !is || posts != 1 || open.Method != http.MethodPost || strings.Contains(err.Error(), "could not ask: GitHub") ||
		!strings.Contains(err.Error(), "may or may not have done POST /repos/o/app/dispatches: check before you repeat it") ||
		!strings.Contains(err.Error(), "lacks a permission") {
		t.Errorf("%d writes, %v", posts, err)
	}
}

// An interrupted upload occupies the asset's name, so it is deleted before the retry. An
// asset with other bytes is kept.
func TestInterruptedUploads(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		asset string // visible after the upload's response was lost
		says  string
		wrote []string
	}{
		"a broken one": {`{"id":7,"name":"a.txt","state":"starter"}`, "", []string{"POST", "DELETE", "POST"}},
		"another's":    {`{"id":7,"name":"a.txt","state":"uploaded","digest":"sha256:other"}`, "another process also uploads it", []string{"POST"}},
		"another name": {`{"id":7,"name":"b.txt","state":"uploaded","digest":"sha256:other"}`, "", []string{"POST", "POST"}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			w, c := scene(t)
			id, err := c.CreateDraft(context.Background(), repository, "v1.0.0", "main")
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "f")
			if err := os.WriteFile(file, []byte("text"), 0o644); err != nil {
				t.Fatal(err)
			}
			before := len(w.Requests())
			w.Intercept(func(r networktest.Request) networktest.Fault {
				switch {
				case r.Method == http.MethodDelete:
					return networktest.Fault{Status: http.StatusNoContent}
				case r.N == before+1:
					return networktest.Fault{CutBefore: true}
				case strings.HasSuffix(r.Path, "/assets") && !r.Effect:
					return networktest.Fault{Status: http.StatusOK, Body: "[" + test.asset + "]"}
				}
				return networktest.Fault{}
			})
			err = c.Upload(context.Background(), repository, id, "a.txt", file)
			if wrote := effects(w, before); !slices.Equal(wrote, test.wrote) || (err == nil) != (test.says == "") ||
				err != nil && !strings.Contains(err.Error(), test.says) {
				t.Errorf("wrote %q, %v", wrote, err)
			}
		})
	}
}
