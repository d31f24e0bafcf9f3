// Package event checks the dispatch that started a run. People and other
// repositories choose its content, so a dispatch that contains more than plain
// words is refused as a whole.
package event

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
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
)

// Dispatch is the part of an event that its sender chooses.
type Dispatch struct {
	name    string
	Ref     string
	Sender  struct{ Login string }
	Inputs  map[string]any
	Payload map[string]any `json:"client_payload"`
}

// most is the longest event that is read, in bytes. GitHub limits a payload to
// 65,535 characters:
// https://docs.github.com/en/rest/repos/repos#create-a-repository-dispatch-event
const most = 1 << 20

// maxWord is longer than any component, version, title or ref.
const maxWord = 255

// plainWord matches the values of our own dispatches. Branches, tags, logins,
// versions and components need no other characters, and none of these has a
// meaning to a shell, a template or git.
var plainWord = regexp.MustCompile(`^([A-Za-z0-9(:@~][A-Za-z0-9 ._/:@+~()\[\]#,-]*)?$`)

const refused = "it is refused as a whole, and nothing is written"

// Read reads the file that the runner wrote about an event of this name. It
// refuses a dispatch that contains anything but plain words, even in a field
// that nothing uses: a sender who forges a title also forges a version.
func Read(name, path string) (*Dispatch, error) {
	d, err := parse(path)
	if err != nil {
		return nil, outcome.Usagef("reading the event, a %s: %w; %s", name, err, refused)
	}
	if err := d.check(); err != nil {
		return nil, outcome.Usagef("%s: %w; %s", name, err, refused)
	}
	d.name = name
	return d, nil
}

// CheckSource refuses a dispatch from another repository than the one that
// releases the component. A nil dispatch, or one without a repository, passes.
func (d *Dispatch) CheckSource(component, repository string) error {
	if d == nil || repository == "" {
		return nil
	}
	source, given := d.Payload["repository"].(string)
	if given && !strings.EqualFold(source, repository) {
		return outcome.Usagef("%s: client_payload.repository is %q, want %s, the repository of %s in %s, or none; %s",
			d.name, source, repository, component, delivery.FileName, refused)
	}
	return nil
}

// Repository returns the repository that a dispatch names, or "".
func (d *Dispatch) Repository() string {
	if d == nil {
		return ""
	}
	repository, _ := d.Payload["repository"].(string)
	return repository
}

func parse(path string) (*Dispatch, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, most+1))
	if err != nil {
		return nil, err
	}
	if len(data) > most {
		return nil, fmt.Errorf("it is longer than %d bytes, and GitHub's are not", most)
	}
	d := &Dispatch{}
	return d, json.Unmarshal(data, d)
}

func (d *Dispatch) check() error {
	values := map[string]any{"ref": d.Ref, "sender.login": d.Sender.Login}
	for name, value := range d.Inputs {
		values["inputs."+name] = value
	}
	for name, value := range d.Payload {
		values["client_payload."+name] = value
	}
	for _, name := range slices.Sorted(maps.Keys(values)) {
		if !plainWord.MatchString(name) {
			return fmt.Errorf("it has a field %+q, want names of plain words", ref.Shorten(name))
		}
		if err := checkWord(values[name]); err != nil {
			return fmt.Errorf("%s %w", name, err)
		}
	}
	return nil
}

// checkWord accepts plain text, and the numbers, booleans and nulls of inputs
// that are declared as such.
func checkWord(value any) error {
	switch v := value.(type) {
	case nil, bool, float64:
		return nil
	case string:
		if len(v) <= maxWord && plainWord.MatchString(v) && !strings.Contains(v, "..") {
			return nil
		}
		return fmt.Errorf("is %+q, want at most %d letters, digits, spaces and ._/:@+~()[]#,- "+
			"that begin with no . / or - and hold no \"..\"", ref.Shorten(v), maxWord)
	}
	return fmt.Errorf("is not a text, want a word")
}
