package world

import (
	"encoding/json"
	"fmt"
	"slices"
)

// The limits that GitHub documents for a repository_dispatch event.
const (
	maxEventType   = 100 // characters
	maxPayloadKeys = 10  // at the top level
)

// Dispatch is a repository_dispatch event that a repository received.
type Dispatch struct {
	EventType string
	// ClientPayload is the JSON object as sent, or nil.
	ClientPayload json.RawMessage
}

// Dispatches lists the repository_dispatch events that a repository has received, oldest first;
// none if there is no such repository.
func (w *World) Dispatches(fullName string) []Dispatch {
	r, found := w.forge.repository(fullName)
	if !found {
		return nil
	}
	w.forge.mu.Lock()
	defer w.forge.mu.Unlock()
	return slices.Clone(r.dispatches)
}

func (f *forge) dispatchEvent(c *call) (reply, error) {
	body, err := decode[struct {
		EventType     string          `json:"event_type"`
		ClientPayload json.RawMessage `json:"client_payload"`
	}](c.Request)
	if err != nil {
		return fail(err)
	}
	if body.EventType == "" || len(body.EventType) > maxEventType {
		return fail(unprocessable(fmt.Sprintf("Invalid request. event_type has %d characters, want 1 to %d.", len(body.EventType), maxEventType)))
	}
	if err := checkPayload(body.ClientPayload); err != nil {
		return fail(err)
	}
	f.mu.Lock()
	defer f.mu.Unlock()
	d := Dispatch{body.EventType, body.ClientPayload}
	if err := f.arrive(c.repo, d, c.who()); err != nil {
		return fail(err)
	}
	c.repo.dispatches = append(c.repo.dispatches, d)
	return noContent()
}

func checkPayload(payload json.RawMessage) error {
	if payload == nil {
		return nil
	}
	var keys map[string]json.RawMessage
	if err := json.Unmarshal(payload, &keys); err != nil || keys == nil {
		return unprocessable("Invalid request. client_payload is not an object.")
	}
	if len(keys) > maxPayloadKeys {
		return unprocessable(fmt.Sprintf("Invalid request. No more than %d properties are allowed; %d were supplied.", maxPayloadKeys, len(keys)))
	}
	return nil
}
