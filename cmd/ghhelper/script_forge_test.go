package main

import (
	"context"
	"fmt"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/test/networktest"
)

// released NAME TAG publishes a GitHub release of main.
func released(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	forge, err := gh.New(gh.Options{APIURL: ts.Getenv("GITHUB_API_URL"), Token: w.Token(), Transport: w.Transport()})
	ts.Check(err)
	id, err := forge.CreateDraft(context.Background(), args[0], args[1], "main")
	ts.Check(err)
	ts.Check(forge.Publish(context.Background(), args[0], id, ref.Version{}))
}

// check NAME CHECK CONCLUSION puts a check run on main; without a conclusion it is still running.
func check(ts *testscript.TestScript, _ bool, args []string) {
	c := forge.Check{Name: args[1], Status: "in_progress"}
	if len(args) > 2 {
		c = forge.Check{Name: args[1], Conclusion: args[2]}
	}
	worldOf(ts).Forge.SetCheck(args[0], tip(ts, args[0]), c)
}

// checks NAME N CONCLUSION puts N check runs on main.
func checks(ts *testscript.TestScript, _ bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	commit := tip(ts, args[0])
	for i := range n {
		worldOf(ts).Forge.SetCheck(args[0], commit, forge.Check{Name: fmt.Sprintf("check %d", i), Conclusion: args[2]})
	}
}

// tip returns the commit of a repository's main.
func tip(ts *testscript.TestScript, repository string) string {
	w := worldOf(ts)
	bare := git.Repo{Dir: w.Forge.RepositoryDir(repository), Env: w.Env()}
	commit, err := bare.Commit(context.Background(), "main")
	ts.Check(err)
	return commit
}

// described NAME N prints the text of a pull request.
func described(ts *testscript.TestScript, _ bool, args []string) {
	for _, p := range worldOf(ts).Forge.PullRequests(args[0]) {
		if strconv.Itoa(p.Number) == args[1] {
			fmt.Fprintln(ts.Stdout(), p.Body)
			return
		}
	}
	ts.Fatalf("%s has no pull request %s", args[0], args[1])
}

// workflowToken: from now on, a workflow's own identity makes tags, as with its GITHUB_TOKEN. The
// forge answers with that tagger.
func workflowToken(ts *testscript.TestScript, _ bool, args []string) {
	w := worldOf(ts)
	bare := git.Repo{Dir: w.Forge.RepositoryDir(args[0]), Env: w.Env()}
	ctx := context.Background()
	commit, err := bare.Commit(ctx, "main")
	ts.Check(err)
	text := fmt.Sprintf("object %s\ntype commit\ntag %s\ntagger github-actions[bot] <41898282+github-actions[bot]@users.noreply.github.com> 1 +0000\n\n"+
		"by a workflow\n", commit, args[1])
	object, err := bare.Input([]byte(text)).Run(ctx, "mktag")
	ts.Check(err)
	w.Intercept(func(r networktest.Request) networktest.Fault {
		if r.Method == http.MethodPost && strings.HasSuffix(r.Path, "/git/tags") {
			return networktest.Fault{Status: http.StatusCreated, Body: fmt.Sprintf(`{"sha":%q}`, object)}
		}
		return networktest.Fault{}
	})
}

// concludes CONCLUSION: every run that starts has this conclusion after a while.
func concludes(ts *testscript.TestScript, _ bool, args []string) {
	worldOf(ts).Forge.OnRun(func(forge.Run) string {
		time.Sleep(100 * time.Millisecond)
		return args[0]
	})
}

// received NAME RUN…: the repository has exactly these runs, each by its event and title.
func received(ts *testscript.TestScript, _ bool, args []string) {
	runs := worldOf(ts).Forge.Runs(args[0])
	var titles []string
	for _, r := range runs {
		titles = append(titles, r.Event+" "+r.Title)
	}
	if got := strings.Join(titles, ", "); got != strings.Join(args[1:], " ") {
		ts.Fatalf("%s has received %q, want %q", args[0], got, strings.Join(args[1:], " "))
	}
}

// renamed OLD NEW gives a repository another name, owner/name.
func renamed(ts *testscript.TestScript, _ bool, args []string) {
	ts.Check(worldOf(ts).Forge.Rename(args[0], args[1]))
}
