package tag_test

import (
	"context"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/test/networktest"
)

// The tag is annotated, on the commit, and made once.
func TestTag(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	made, err := s.tag("v0.2.0")
	if err != nil {
		t.Fatal(err)
	}
	if made.Commit != s.head() || !made.Annotated() || made.ByWorkflow() {
		t.Errorf("made %+v, want an annotated tag on %s", made, s.head())
	}
	if want := "refs/tags/v0.2.0 tag " + s.head() + " rehearsal[bot] tiny 0.2.0"; !strings.Contains(s.state(), want) {
		t.Errorf("the repository has\n%s\nwant\n%s", s.state(), want)
	}
	for _, want := range []string{
		"on main", "the first of the line of main", "no check is required, and none has run",
		"1 target queried", "1 artifact in lock step", "made v0.2.0",
	} {
		if !strings.Contains(s.out.String(), want) {
			t.Errorf("printed\n%s\nwant %q in it", &s.out, want)
		}
	}
	before := len(s.Requests())
	again, err := s.tag("0.2.0")
	if err != nil || *again != *made || !strings.Contains(s.out.String(), "v0.2.0 exists already") {
		t.Errorf("again: %+v, %v, saying %s", again, err, &s.out)
	}
	for _, r := range s.Requests()[before:] {
		if r.Effect {
			t.Errorf("again: %s %s", r.Method, r.Path)
		}
	}
}

func TestDryRunMakesNoTag(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.dryRun = true
	before := s.state()
	made, err := s.tag("0.2.0")
	if made != nil || err != nil || s.state() != before {
		t.Errorf("made %+v, %v; the repository has\n%s", made, err, s.state())
	}
	if !strings.Contains(s.out.String(), "would make v0.2.0 on commit "+s.head()) {
		t.Errorf("printed %s", &s.out)
	}
}

// Further commits that may be tagged.
func TestMayBeTagged(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		version string
		given   func(*stage)
		says    string
	}{
		"rc10 after rc9": {"0.2.0-rc10", func(s *stage) { s.tagged("HEAD", "v0.2.0-rc9"); s.placeEngine("0.2.0-rc10") }, "newer than 0.2.0-rc9"},
		"an older line": {"0.2.0", func(s *stage) {
			s.git("push", "--quiet", "origin", "HEAD:release-0.2")
			s.commit("more", "x")
			s.git("push", "--quiet", "origin", "main")
			s.tagged("HEAD", "v0.3.0")
			s.git("checkout", "--quiet", "-B", "release-0.2", "HEAD~1")
		}, "the line of release-0.2"},
		"what is tagged is no version": {"0.2.0", func(s *stage) { s.tagged("HEAD", "vnext", "x9.0.0") }, "the first of"},
		"green checks": {"0.2.0", func(s *stage) {
			s.Forge.SetCheck(owned, s.head(), forge.Check{Name: "test", Conclusion: "success"})
			s.Forge.SetCheck(owned, s.head(), forge.Check{Name: "docs", Conclusion: "skipped"})
			s.Forge.SetStatus(owned, s.head(), "dco", "success")
			s.Forge.SetRequired(owned, "main", "test", "dco")
		}, "3 checks green, 2 required"},
		"the run that tags": {"0.2.0", func(s *stage) {
			s.ownRun = "42"
			s.Forge.SetCheck(owned, s.head(), forge.Check{Name: "tag", Status: "in_progress", Run: 42})
			s.Forge.SetCheck(owned, s.head(), forge.Check{Name: "test", Conclusion: "success", Run: 420})
		}, "1 check green"},
		"a red bump": {"0.2.0", func(s *stage) {
			s.Forge.SetCheck(owned, s.head(), forge.Check{Name: "bump", Conclusion: "failure", Run: s.dispatched()})
			s.Forge.SetCheck(owned, s.head(), forge.Check{Name: "test", Conclusion: "success", Run: 420})
		}, "1 check green"},
		"a check of the pull request": {"0.2.0", func(s *stage) {
			s.git("checkout", "--quiet", "-b", "topic", "HEAD~1")
			s.commit("more", "x")
			s.Forge.SetCheck(owned, s.head(), forge.Check{Name: "dco", Conclusion: "success"})
			s.git("checkout", "--quiet", "main")
			s.git("merge", "--quiet", "--no-edit", "topic")
			s.git("push", "--quiet", "origin", "main", "topic")
			s.Forge.SetRequired(owned, "main", "dco")
		}, "1 required"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			tc.given(s)
			made, err := s.tag(tc.version)
			if err != nil {
				t.Fatal(err)
			}
			if made.Commit != s.head() || !strings.Contains(s.out.String(), tc.says) {
				t.Errorf("made %+v, saying\n%s\nwant %q", made, &s.out, tc.says)
			}
		})
	}
}

// A commit that may not be tagged. Nothing is changed.
func TestMayNotBeTagged(t *testing.T) {
	t.Parallel()
	for name, tc := range map[string]struct {
		version string
		wrong   func(*stage)
		code    outcome.Code
		says    []string
	}{
		"older than main's": {
			"0.2.0", func(s *stage) { s.tagged("HEAD~1", "v0.3.0") },
			outcome.Wrong, []string{"version 0.2.0, and 0.3.0 is tagged on the line of main", "take 0.3.1 or a newer one (version-order)"},
		},
		"rc9 after rc10": {
			"0.2.0-rc9", func(s *stage) { s.tagged("HEAD~1", "v0.2.0-rc10"); s.placeEngine("0.2.0-rc9") },
			outcome.Wrong, []string{"0.2.0-rc10 is tagged"},
		},
		"older in its line": {"0.2.0", releaseBranch("v0.2.1"), outcome.Wrong, []string{"0.2.1 is tagged on the line of release-0.2"}},
		"another line": {
			"0.3.0", func(s *stage) { releaseBranch()(s); s.placeEngine("0.3.0") },
			outcome.Wrong, []string{"version 0.3.0 on release-0.2, want a version that begins with 0.2."},
		},
		"a commit of nowhere": {
			"0.2.0", func(s *stage) { s.commit("more", "x") },
			outcome.Wrong, []string{"on no branch that example/tiny releases from", "(on-main)"},
		},
		"the tag is elsewhere": {
			"0.2.0", func(s *stage) { s.tagged("HEAD~1", "v0.2.0") },
			outcome.Wrong, []string{"tag v0.2.0 at example/tiny on commit", "a tag never moves: take the next version (tag-moves)"},
		},
		"the local tag is elsewhere": {"0.2.0", func(s *stage) { s.git("tag", "v0.2.0", "HEAD~1") }, outcome.Wrong, []string{"tag v0.2.0 here on commit"}},
		"a check failed": {"0.2.0", func(s *stage) {
			s.Forge.SetCheck(owned, s.head(), forge.Check{Name: "te\nst", Conclusion: "timed_out"})
		}, outcome.Wrong, []string{`check "te\nst" with "timed_out"`, "(checks)"}},
		"a status failed": {
			"0.2.0", func(s *stage) { s.Forge.SetStatus(owned, s.head(), "ci", "error") },
			outcome.Wrong, []string{`check "ci" with "error"`},
		},
		"a check runs": {
			"0.2.0", func(s *stage) { s.Forge.SetCheck(owned, s.head(), forge.Check{Name: "test", Status: "in_progress"}) },
			outcome.Unchecked, []string{`could not check "test": it is in_progress: wait for it`},
		},
		"a status is pending": {
			"0.2.0", func(s *stage) { s.Forge.SetStatus(owned, s.head(), "ci", "pending") },
			outcome.Unchecked, []string{`could not check "ci"`},
		},
		"a required check is missing": {
			"0.2.0", func(s *stage) { s.Forge.SetRequired(owned, "main", "dco") },
			outcome.Unchecked, []string{`could not check "dco": it is required, and has no result`},
		},
		"a red bump that is required": {"0.2.0", func(s *stage) {
			s.Forge.SetCheck(owned, s.head(), forge.Check{Name: "bump", Conclusion: "failure", Run: s.dispatched()})
			s.Forge.SetRequired(owned, "main", "bump")
		}, outcome.Wrong, []string{`check "bump" with "failure"`}},
		"another run's check": {"0.2.0", func(s *stage) {
			s.ownRun = "4"
			s.Forge.SetCheck(owned, s.head(), forge.Check{Name: "x", Status: "queued", Run: 42})
		}, outcome.Unchecked, []string{`could not check "x": it is queued`}},
		"a reference to nothing": {"0.2.0", func(s *stage) {
			s.commit("values.yaml", "TOOL_VERSION: \"1.5.0\"\n")
			s.git("push", "--quiet", "origin", "main")
		}, outcome.Wrong, []string{"values.yaml:1:16", "quay.io/example/tool:1.5.0"}},
		"nothing in lock step": {"0.3.0", func(*stage) {}, outcome.Wrong, []string{"quay.io/example/engine:0.3.0", "lock step with tiny"}},
		"checks cannot be asked for": {"0.2.0", func(s *stage) {
			s.Intercept(func(r networktest.Request) networktest.Fault {
				if strings.HasSuffix(r.Path, "/check-runs") {
					return networktest.Fault{Status: 503}
				}
				return networktest.Fault{}
			})
		}, outcome.Unchecked, []string{"check-runs"}},
		"the registry cannot be asked": {
			"0.2.0", func(s *stage) { s.Down("quay.io") },
			outcome.Unchecked, []string{"could not check image quay.io/example/tool:1.4.0"},
		},
		"all at once": {"0.3.0", func(s *stage) {
			s.tagged("HEAD~1", "v0.4.0", "v0.3.0")
			s.commit("values.yaml", "TOOL_VERSION: \"1.5.0\"\n")
			s.git("push", "--quiet", "origin", "main")
			s.Forge.SetCheck(owned, s.head(), forge.Check{Name: "test", Conclusion: "failure"})
			s.Forge.SetStatus(owned, s.head(), "ci", "pending")
		}, outcome.Wrong, []string{"0.4.0 is tagged", "tag-moves", "tool:1.5.0", `check "test"`, "engine:0.3.0", `could not check "ci"`}},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			tc.wrong(s)
			before := s.state()
			_, err := s.tag(tc.version)
			if outcome.Of(err) != tc.code {
				t.Fatalf("outcome %d, want %d: %v", outcome.Of(err), tc.code, err)
			}
			for _, want := range tc.says {
				if !strings.Contains(err.Error(), want) {
					t.Errorf("saw\n%v\nwant %q in it", err, want)
				}
			}
			if s.state() != before {
				t.Errorf("the repository has changed to\n%s", s.state())
			}
		})
	}
}

// releaseBranch checks out a commit that is only on release-0.2, after one that has the tags.
func releaseBranch(tags ...string) func(*stage) {
	return func(s *stage) {
		s.git("checkout", "--quiet", "-b", "release-0.2")
		s.commit("patch", "x")
		s.tagged("HEAD", tags...)
		s.commit("patch", "y")
		s.git("push", "--quiet", "origin", "release-0.2")
	}
}

// A token that may not write is an error before anything is written.
func TestNoRightToTag(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.Must(s.Forge.CreateRepository("example/closed", forge.Repository{Rights: "read"}))
	s.commit("delivery.yaml", strings.Replace(declared, "repository: example/tiny", "repository: example/closed", 1))
	s.git("push", "--quiet", "origin", "main")
	_, err := s.tag("0.2.0")
	if err == nil || !strings.Contains(err.Error(), "no permission to write to example/closed") {
		t.Errorf("saw %v", err)
	}
}

// With IfAbsent, a tag on another commit is accepted, and its commit printed.
func TestTagIfAbsent(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.tagged("HEAD~1", "v0.2.0")
	tagger := s.tagger("0.2.0")
	tagger.IfAbsent = true
	made, err := tagger.Tag(context.Background())
	if err != nil || made == nil || made.Commit == s.head() || !strings.Contains(s.out.String(), "v0.2.0 exists already, on commit "+made.Commit) {
		t.Errorf("made %+v, %v, saying\n%s", made, err, &s.out)
	}
}
