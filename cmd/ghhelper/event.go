package main

import (
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"os"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// event is what the runner wrote down of what started the run, as far as people
// or other repositories choose it.
type event struct {
	Ref     string
	Sender  struct{ Login string }
	Inputs  map[string]any
	Payload map[string]any `json:"client_payload"`
}

// maxEvent is far more than GitHub lets an event's payload be, 65,535 characters:
// https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event
const maxEvent = 1 << 20

// maxWord is longer than any component, version, title or ref that means anything here.
const maxWord = 255

// plainWord is what a sender of ours says. No branch, tag, login, version or name of a
// component needs more, and nothing in it means anything to a shell, a template or git.
var plainWord = regexp.MustCompile(`^([A-Za-z0-9(:@~][A-Za-z0-9 ._/:@+~()\[\]#,-]*)?$`)

// checkEvent refuses a dispatch as a whole that says anything but plain words, also
// where nothing of it would be used: who forges a title forges a version.
// Events of other kinds than those are not looked at.
func (p process) checkEvent(file *delivery.File, component string, kinds ...string) error {
	name := p.Getenv("GITHUB_EVENT_NAME")
	if !slices.Contains(kinds, name) || p.Getenv("GITHUB_EVENT_PATH") == "" {
		return nil
	}
	e, err := readEvent(p.Getenv("GITHUB_EVENT_PATH"))
	if err != nil {
		return usage("reading the event, a %s: %w; it is refused as a whole, and nothing is written", name, err)
	}
	if err := e.check(); err != nil {
		return usage("%s: %w; it is refused as a whole, and nothing is written", name, err)
	}
	says, given := e.Payload["repository"].(string)
	if own := file.Components[component].Repository; given && own != "" && !strings.EqualFold(says, own) {
		return usage("%s: client_payload.repository is %q, want %s, the repository of %s in %s, or none; it is refused as a whole, and nothing is written", name, says, own, component, delivery.FileName)
	}
	return nil
}

func readEvent(path string) (event, error) {
	f, err := os.Open(path)
	if err != nil {
		return event{}, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxEvent+1))
	if err != nil {
		return event{}, err
	}
	if len(data) > maxEvent {
		return event{}, fmt.Errorf("it is longer than %d bytes, and GitHub's are not", maxEvent)
	}
	var e event
	return e, json.Unmarshal(data, &e)
}

func (e event) check() error {
	said := map[string]any{"ref": e.Ref, "sender.login": e.Sender.Login}
	for name, value := range e.Inputs {
		said["inputs."+name] = value
	}
	for name, value := range e.Payload {
		said["client_payload."+name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(said)) {
		if !plainWord.MatchString(name) {
			return fmt.Errorf("it has a field %+q, want names of plain words", ref.Shorten(name))
		}
		if err := checkWord(said[name]); err != nil {
			return fmt.Errorf("%s %w", name, err)
		}
	}
	return nil
}

// checkWord takes the numbers and the yes or no of inputs that are declared so, and
// what is not there.
func checkWord(value any) error {
	switch v := value.(type) {
	case nil, bool, float64:
		return nil
	case string:
		if len(v) <= maxWord && plainWord.MatchString(v) && !strings.Contains(v, "..") {
			return nil
		}
		return fmt.Errorf("is %+q, want at most %d letters, digits, spaces and ._/:@+~()[]#,- that begin with no . / or - and hold no \"..\"", ref.Shorten(v), maxWord)
	}
	return fmt.Errorf("is no text, want a word")
}
