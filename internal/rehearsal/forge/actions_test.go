package forge_test

import (
	"encoding/json"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/test/networktest"
)

// bumpWorkflow listens to both events, and shows the id in the payload or inputs.
const bumpWorkflow = `name: Bump
run-name: ${{ github.event.client_payload.id || inputs.id || 'by hand' }}
on:
  repository_dispatch:
    types: [upstream-released]
  workflow_dispatch:
    inputs:
      id: {required: true}
      kind: {type: choice, options: [a, b], default: a}
jobs:
  bump: {name: Bump it, runs-on: ubuntu-24.04}
  check: {runs-on: ubuntu-24.04}
`

// withWorkflows returns a network whose repository has workflow files on main.
func withWorkflows(t *testing.T, files map[string]string) *networktest.Network {
	t.Helper()
	w, clone := networktest.Seeded(t, forge.Repository{})
	if err := os.MkdirAll(filepath.Join(clone, forge.WorkflowFolder), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, text := range files {
		networktest.CommitFile(t, w, clone, forge.WorkflowFolder+"/"+name, text)
	}
	networktest.Git(t, w, clone, "push", "--quiet", "origin", "main")
	return w
}

// requests sends one request to the API and reads the answer.
func requests(t *testing.T, w *networktest.Network, method, path, body string) (int, map[string]any) {
	t.Helper()
	req, err := http.NewRequest(method, "https://api.github.com/repos/"+networktest.Repository+path, strings.NewReader(body))
	if err != nil {
		t.Fatal(err)
	}
	req.Header.Set("Content-Type", "application/json")
	req.Header.Set("Authorization", "Bearer "+w.Token())
	resp, err := (&http.Client{Transport: w.Transport()}).Do(req)
	if err != nil {
		t.Fatal(err)
	}
	defer resp.Body.Close()
	var answer map[string]any
	if resp.StatusCode != http.StatusNoContent {
		if err := json.NewDecoder(resp.Body).Decode(&answer); err != nil {
			t.Fatalf("%s %s: %v", method, path, err)
		}
	}
	return resp.StatusCode, answer
}

const dispatches = "/actions/workflows/bump.yml/dispatches"

func TestWorkflowDispatchIsHeldToTheWorkflow(t *testing.T) {
	t.Parallel()
	w := withWorkflows(
		t,
		map[string]string{
			"bump.yml":   bumpWorkflow,
			"ci.yml":     "on: [push, pull_request]\njobs: {test: {runs-on: x}}\n",
			"broken.yml": "on: [\n",
			"notes.txt":  "",
		},
	)
	many := strings.Repeat(`"x%d":"",`, 26)
	for i := range 26 {
		many = strings.Replace(many, "%d", fmt.Sprint(i), 1)
	}
	for _, tc := range []struct {
		path, body string
		status     int
		says       string
	}{
		{dispatches, `{"ref":"main","inputs":{"id":"a 1"}}`, 204, ""},
		{dispatches, `{"ref":"refs/heads/main","inputs":{"id":"a 1","kind":"b"},"return_run_details":true}`, 200, ""},
		{dispatches, `{"ref":"nowhere","inputs":{"id":"a 1"}}`, 422, "No ref found for: nowhere"},
		{dispatches, `{"ref":"main","inputs":{}}`, 422, "Required input 'id' not provided"},
		{dispatches, `{"ref":"main","inputs":{"id":"a","other":"b"}}`, 422, `Unexpected inputs provided: ["other"]`},
		{dispatches, `{"ref":"main","inputs":{"id":"a","kind":"c"}}`, 422, "Provided value 'c' for input 'kind' not in the list of allowed values"},
		{dispatches, `{"ref":"main","inputs":{` + strings.TrimSuffix(many, ",") + `}}`, 422, "No more than 25 properties"},
		{"/actions/workflows/ci.yml/dispatches", `{"ref":"main"}`, 422, "Workflow does not have 'workflow_dispatch' trigger"},
		{"/actions/workflows/none.yml/dispatches", `{"ref":"main"}`, 404, "Not Found"},
		{"/actions/workflows/broken.yml/dispatches", `{"ref":"main"}`, 404, "Not Found"},
	} {
		status, answer := requests(t, w, "POST", tc.path, tc.body)
		said, _ := answer["message"].(string)
		if status != tc.status || !strings.Contains(said, tc.says) {
			t.Errorf("%s %s: %d %q, want %d %q", tc.path, tc.body, status, said, tc.status, tc.says)
		}
	}
	w.Forge.SetWorkflowDisabled(networktest.Repository, "bump.yml", true)
	if status, answer := requests(
		t,
		w,
		"POST",
		dispatches,
		`{"ref":"main","inputs":{"id":"a"}}`,
	); status != 422 ||
		!strings.Contains(answer["message"].(string), "disabled") {
		t.Errorf("disabled: %d %v", status, answer)
	}
	if runs := w.Forge.Runs(
		networktest.Repository,
	); len(runs) != 2 || runs[0].Title != "a 1" || runs[0].Inputs["kind"] != "a" ||
		runs[1].Inputs["kind"] != "b" {
		t.Errorf("runs: %+v, want two, titled by their ids", runs)
	}
	if _, answer := requests(t, w, "GET", "/actions/workflows", ""); answer["total_count"] != 2.0 {
		t.Errorf("workflows: %v, want bump.yml and ci.yml", answer)
	}
}

// A repository_dispatch starts what listens to its type, and nothing else.
func TestRepositoryDispatchStartsWhatListens(t *testing.T) {
	t.Parallel()
	w := withWorkflows(t, map[string]string{"bump.yml": bumpWorkflow, "any.yml": "on: repository_dispatch\njobs: {}\n", "ci.yml": "on: push\n"})
	for _, event := range []string{"upstream-released", "other"} {
		body := fmt.Sprintf(`{"event_type":%q,"client_payload":{"id":"tiny 1.0.0"}}`, event)
		if status, answer := requests(t, w, "POST", "/dispatches", body); status != 204 {
			t.Fatalf("%s: %d %v", event, status, answer)
		}
	}
	var seen []string
	for _, r := range w.Forge.Runs(networktest.Repository) {
		seen = append(seen, r.Workflow+": "+r.Title)
	}
	want := []string{
		".github/workflows/any.yml: .github/workflows/any.yml",
		".github/workflows/bump.yml: tiny 1.0.0",
		".github/workflows/any.yml: .github/workflows/any.yml",
	}
	if strings.Join(seen, "\n") != strings.Join(want, "\n") {
		t.Errorf("runs\n%s\nwant\n%s", strings.Join(seen, "\n"), strings.Join(want, "\n"))
	}
}

// A test's function is the run: it starts, is in progress, and ends with the function's result.
func TestARunIsFollowed(t *testing.T) {
	t.Parallel()
	w := withWorkflows(t, map[string]string{"bump.yml": bumpWorkflow})
	begun, end := make(chan forge.Run), make(chan struct{})
	w.Forge.OnRun(func(r forge.Run) string {
		begun <- r
		<-end
		return "failure"
	})
	status, answer := requests(t, w, "POST", dispatches, `{"ref":"main","inputs":{"id":"tiny 1.0.0"},"return_run_details":true}`)
	if status != 200 {
		t.Fatalf("%d %v", status, answer)
	}
	path := fmt.Sprintf("/actions/runs/%.0f", answer["workflow_run_id"])
	if r := <-begun; r.Inputs["id"] != "tiny 1.0.0" || r.Status != forge.RunRuns {
		t.Errorf("the run's own view: %+v", r)
	}
	if _, r := requests(t, w, "GET", path, ""); r["status"] != forge.RunRuns || r["conclusion"] != nil || r["display_title"] != "tiny 1.0.0" {
		t.Errorf("while it runs: %v %v %v", r["status"], r["conclusion"], r["display_title"])
	}
	close(end)
	for try := 0; ; try++ {
		_, r := requests(t, w, "GET", path, "")
		if r["status"] == forge.RunCompleted && r["conclusion"] == "failure" {
			break
		}
		if try == 500 {
			t.Fatalf("it never ended: %v %v", r["status"], r["conclusion"])
		}
		time.Sleep(10 * time.Millisecond)
	}
	_, jobs := requests(t, w, "GET", path+"/jobs", "")
	if list, _ := jobs["jobs"].([]any); len(list) != 2 || list[0].(map[string]any)["name"] != "Bump it" || list[1].(map[string]any)["conclusion"] != "failure" {
		t.Errorf("jobs: %v", jobs)
	}
}

func TestRunsAreFiltered(t *testing.T) {
	t.Parallel()
	w := withWorkflows(t, map[string]string{"bump.yml": bumpWorkflow})
	requests(t, w, "POST", dispatches, `{"ref":"main","inputs":{"id":"a"}}`)
	requests(t, w, "POST", "/dispatches", `{"event_type":"upstream-released","client_payload":{"id":"b"}}`)
	now := time.Now().UTC()
	before, after := now.Add(-time.Hour).Format(time.RFC3339), now.Add(time.Hour).Format(time.RFC3339)
	for query, want := range map[string]float64{
		"": 2, "event=workflow_dispatch": 1, "event=push": 0, "status=queued": 2, "status=completed": 0, "branch=main": 2, "branch=x": 0,
		"created=%3E%3D" + before: 2, "created=%3E%3D" + after: 0, "created=%3C" + before: 0, "created=" + before + ".." + after: 2,
	} {
		if _, answer := requests(t, w, "GET", "/actions/runs?"+query, ""); answer["total_count"] != want {
			t.Errorf("%q: %v runs, want %v", query, answer["total_count"], want)
		}
		if _, answer := requests(t, w, "GET", "/actions/workflows/bump.yml/runs?"+query, ""); answer["total_count"] != want {
			t.Errorf("%q of the workflow: %v runs, want %v", query, answer["total_count"], want)
		}
	}
	if status, _ := requests(t, w, "GET", "/actions/runs?created=yesterday", ""); status != 422 {
		t.Errorf("no date: %d, want 422", status)
	}
}

func TestChecks(t *testing.T) {
	t.Parallel()
	w, clone := networktest.Seeded(t, forge.Repository{})
	head := networktest.Git(t, w, clone, "rev-parse", "HEAD")
	if _, answer := requests(t, w, "GET", "/commits/main/status", ""); answer["state"] != "pending" || answer["total_count"] != 0.0 {
		t.Errorf("nothing reported: %v %v", answer["state"], answer["total_count"])
	}
	w.Forge.SetCheck(networktest.Repository, head, forge.Check{Name: "test", Conclusion: "failure"})
	w.Forge.SetCheck(networktest.Repository, head, forge.Check{Name: "test", Conclusion: "success", Run: 7})
	w.Forge.SetCheck(networktest.Repository, head, forge.Check{Name: "lint", Status: "in_progress"})
	w.Forge.SetStatus(networktest.Repository, head, "dco", "success")
	w.Forge.SetStatus(networktest.Repository, head, "ci", "error")
	w.Forge.SetRequired(networktest.Repository, "main", "test", "dco")
	_, answer := requests(t, w, "GET", "/commits/"+head+"/check-runs", "")
	list, _ := answer["check_runs"].([]any)
	if len(list) != 2 || list[0].(map[string]any)["conclusion"] != "success" ||
		!strings.Contains(list[0].(map[string]any)["details_url"].(string), "/actions/runs/7/job/") ||
		list[1].(map[string]any)["conclusion"] != nil {
		t.Errorf("check runs: %v", list)
	}
	if _, answer := requests(t, w, "GET", "/commits/main/status", ""); answer["state"] != "failure" || answer["total_count"] != 2.0 {
		t.Errorf("status: %v %v", answer["state"], answer["total_count"])
	}
	for branch, want := range map[string]int{"main": 1, "release-1.0": 0} {
		req, _ := http.NewRequest("GET", "https://api.github.com/repos/"+networktest.Repository+"/rules/branches/"+branch, nil)
		resp, err := (&http.Client{Transport: w.Transport()}).Do(req)
		if err != nil {
			t.Fatal(err)
		}
		defer resp.Body.Close()
		var rules []map[string]any
		if err := json.NewDecoder(resp.Body).Decode(&rules); err != nil || len(rules) != want {
			t.Errorf("rules of %s: %v (%v), want %d", branch, rules, err, want)
		}
	}
	if status, _ := requests(t, w, "GET", "/commits/nothing/check-runs", ""); status != 422 {
		t.Errorf("no commit: %d, want 422", status)
	}
}
