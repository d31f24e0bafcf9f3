package world

import (
	"encoding/json"
	"net/http"
)

// listRuns shows a run for each repository_dispatch received, as in a repository whose workflow
// sets its run-name to the id in the payload, which is how a sender finds the run that it caused.
func (f *forge) listRuns(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	runs := []map[string]any{}
	for i, d := range c.repo.dispatches {
		if event := c.URL.Query().Get("event"); event != "" && event != "repository_dispatch" {
			continue
		}
		runs = append(runs, map[string]any{
			"id": i + 1, "run_number": i + 1, "run_attempt": 1, "workflow_id": 1,
			"event": "repository_dispatch", "display_title": d.title(), "name": d.title(),
			"status": "queued", "conclusion": nil, "head_branch": "main",
		})
	}
	page, header := paged(c, runs, 30)
	return reply{status: http.StatusOK, body: map[string]any{"total_count": len(runs), "workflow_runs": page}, header: header}, nil
}

// title is the payload's id, or the event's type without one.
func (d Dispatch) title() string {
	var payload struct{ ID string }
	if json.Unmarshal(d.ClientPayload, &payload) == nil && payload.ID != "" {
		return payload.ID
	}
	return d.EventType
}
