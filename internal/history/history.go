// Package history reads what commits did to the lines of files, from the output of git
// log. It does no IO of its own.
//
// A place is followed by its shape: its line without the versions in it. So a place is
// still known after lines were added above it, or its indent has changed. After a rename of its key
// or its file it is a new place.
package history

import (
	"bufio"
	"errors"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Event is the change of a commit to the places of one shape in a file.
type Event struct {
	Commit string
	Time   time.Time
	// From are the versions that the commit took, without a "v". An event without any
	// added the place.
	From []string
	// To are the versions that it gave.
	To []string
}

// Moved reports whether the commit moved places of the shape to a version.
func (e Event) Moved(to string) bool { return len(e.From) > 0 && slices.Contains(e.To, to) }

// Log holds the events of places, the newest first.
type Log struct {
	events map[Place][]Event
	// Partial is the reason why older commits are unknown, or empty.
	Partial string
}

// Place is the lines of one shape in a file.
type Place struct{ File, Shape string }

// Events returns the events of a place, the newest first.
func (l *Log) Events(p Place) []Event {
	if l == nil {
		return nil
	}
	return l.events[p]
}

// Format is the format of git log that Read reads, beside -p -U0.
const Format = "commit %H %ct %P"

// Read reads the output of git log, and keeps the events of the wanted places. In a
// shallow clone, a commit without parents is the boundary. It is skipped, because
// everything is new in it.
func Read(in io.Reader, wanted []Place, shallow bool) (*Log, error) {
	r := reader{in: bufio.NewReaderSize(in, 1<<16), log: &Log{events: map[Place][]Event{}}, wanted: map[Place]bool{},
		files: map[string]bool{}}
	for _, p := range wanted {
		r.wanted[p], r.files[p.File] = true, true
	}
	for {
		line, err := r.line()
		switch {
		case errors.Is(err, io.EOF):
			r.endFile()
			return r.log, nil
		case err != nil:
			r.log.Partial = err.Error()
			return r.log, nil
		}
		if err := r.take(line, shallow); err != nil {
			return nil, err
		}
	}
}

// longest is the number of bytes of a line that count. A longer line is data.
const longest = 4096

type reader struct {
	in     *bufio.Reader
	log    *Log
	wanted map[Place]bool
	files  map[string]bool

	commit      string
	time        time.Time
	skipped     bool // the commit is the boundary of a shallow clone
	file        string
	gone, given int // lines left in the hunk
	change      map[string]*[2][]string
}

// line returns the next line without its end, cut to the longest.
func (r *reader) line() (string, error) {
	var text []byte
	for {
		part, err := r.in.ReadSlice('\n')
		if len(text) < longest {
			text = append(text, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && len(text) == 0 {
			return "", err
		}
		return strings.TrimRight(string(text[:min(len(text), longest)]), "\r\n"), nil
	}
}

func (r *reader) take(line string, shallow bool) error {
	switch {
	case r.gone > 0 && strings.HasPrefix(line, "-"):
		r.gone--
		r.keep(0, line[1:])
	case r.given > 0 && strings.HasPrefix(line, "+"):
		r.given--
		r.keep(1, line[1:])
	case strings.HasPrefix(line, `\`): // no newline at the end of the file
	case strings.HasPrefix(line, "commit "):
		r.endFile()
		return r.begin(line, shallow)
	case strings.HasPrefix(line, "diff --git "):
		r.endFile()
	case strings.HasPrefix(line, "--- a/"):
		r.name(line[len("--- a/"):])
	case strings.HasPrefix(line, "+++ b/"):
		r.name(line[len("+++ b/"):])
	case strings.HasPrefix(line, "@@ "):
		r.hunk(line)
	}
	return nil
}

// name sets the file, unless it is not wanted. Git ends a name that has a space with a tab.
func (r *reader) name(name string) {
	name = strings.TrimSuffix(name, "\t")
	r.file = ""
	if r.files[name] && !r.skipped {
		r.file = name
	}
}

func (r *reader) begin(line string, shallow bool) error {
	fields := strings.Fields(line)
	const parents = 3 // the index of the first
	if len(fields) < parents {
		return errors.New("git log printed no commit with its time: " + strconv.Quote(line))
	}
	seconds, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil {
		return err
	}
	r.commit, r.time = fields[1], time.Unix(seconds, 0)
	r.skipped = shallow && len(fields) == parents
	return nil
}

// hunk reads the numbers of lines in the head of a hunk: @@ -10,2 +10 @@.
func (r *reader) hunk(line string) {
	count := func(span string) int {
		_, lines, ok := strings.Cut(span, ",")
		if !ok {
			return 1
		}
		n, _ := strconv.Atoi(lines)
		return n
	}
	fields := strings.Fields(line)
	const spans = 3
	if len(fields) >= spans {
		r.gone, r.given = count(fields[1]), count(fields[2])
	}
}

// keep records the versions of a line of a wanted shape.
func (r *reader) keep(side int, line string) {
	if r.file == "" {
		return
	}
	shape, versions := Shape(line)
	if len(versions) == 0 || !r.wanted[Place{r.file, shape}] {
		return
	}
	if r.change == nil {
		r.change = map[string]*[2][]string{}
	}
	if r.change[shape] == nil {
		r.change[shape] = &[2][]string{}
	}
	r.change[shape][side] = append(r.change[shape][side], versions...)
}

func (r *reader) endFile() {
	for shape, sides := range r.change {
		if slices.Equal(sides[0], sides[1]) {
			continue // another indent, or moved within the file
		}
		p := Place{r.file, shape}
		r.log.events[p] = append(r.log.events[p], Event{r.commit, r.time, sides[0], sides[1]})
	}
	r.file, r.change, r.gone, r.given = "", nil, 0, 0
}
