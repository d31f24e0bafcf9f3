package decide

import (
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/history"
	"github.com/kubestellar/actions/internal/ref"
)

// word returns a word of a file, at 1.1.0, changed by more.
func word(file string, more ...func(*ref.Reference)) ref.Reference {
	return pin("up", "1.1.0", append([]func(*ref.Reference){by(ref.Word), of(file), shaped("word")}, more...)...)
}

func shaped(shape string) func(*ref.Reference) {
	return func(r *ref.Reference) { r.Context.Shape = shape }
}

func document(r *ref.Reference) { r.Context.Document = true }
func bound(r *ref.Reference)    { r.Context.Bound = true }
func at100(r *ref.Reference)    { r.Written = "1.0.0" }

func owned(o ref.Owner) func(*ref.Reference) { return func(r *ref.Reference) { r.Context.Owner = o } }

// logOf reads a history of commits, the newest first. Each line is: days ago, file, shape,
// the versions before and after.
func logOf(t *testing.T, lines ...string) *history.Log {
	t.Helper()
	text := ""
	var places []history.Place
	for _, line := range lines {
		f := strings.Fields(line)
		const day, now = 86400, 1_700_000_000
		days, err := strconv.Atoi(f[0])
		if err != nil {
			t.Fatal(err)
		}
		id := strings.Repeat(string(rune('a'+days%26)), 40) // lines of one day are one commit
		text += "commit " + id + " " + strconv.Itoa(now-days*day) + " parent\n\n" +
			"diff --git a/" + f[1] + " b/" + f[1] + "\n--- a/" + f[1] + "\n+++ b/" + f[1] + "\n@@ -1" +
			count(f[3]) + " +1" + count(f[4]) + " @@\n"
		for side, sign := range []string{"-", "+"} {
			if f[3+side] != "none" {
				text += sign + f[2] + " " + f[3+side] + "\n"
			}
		}
		places = append(places, history.Place{File: f[1], Shape: f[2] + " " + history.Blank})
	}
	log, err := history.Read(strings.NewReader(text), places, false)
	if err != nil {
		t.Fatal(err)
	}
	return log
}

func count(versions string) string {
	if versions == "none" {
		return ",0"
	}
	return ""
}

// Each case has a pin of up in deploy.sh that moves from 1.1.0 to 1.2.0, and a word.
func TestWords(t *testing.T) {
	t.Parallel()
	const bumped, wordMoved = "9 deploy.sh pin 1.0.0 1.1.0", "9 x word 1.0.0 1.1.0"
	near := func(names ...string) ref.Owner { return ref.Owner{Near: names} }
	for name, test := range map[string]struct {
		word  ref.Reference
		log   []string
		also  []ref.Reference
		want  Outcome
		about string
	}{
		"unknown":                  {word: word("x"), want: Listed, about: "of an unknown component"},
		"another owner":            {word: word("x", owned(ref.Owner{Other: "o/b"})), log: []string{bumped, wordMoved}, want: Stays},
		"another component near":   {word: word("x", owned(near("twin"))), log: []string{bumped, wordMoved}, want: Stays},
		"both near":                {word: word("x", owned(near("twin", "up"))), log: []string{bumped, wordMoved}, want: Moves},
		"our owner":                {word: word("x", owned(ref.Owner{Ours: "o/up"})), want: Moves, about: "belongs to o/up"},
		"our owner in a document":  {word: word("x", owned(ref.Owner{Ours: "o/up"}), document), want: Listed, about: "beside a name"},
		"ours near":                {word: word("x", owned(near("up"))), want: Listed, about: "beside a name of up"},
		"moved with the others":    {word: word("x"), log: []string{bumped, wordMoved}, want: Moves, about: "moved with the others"},
		"moved within days":        {word: word("x"), log: []string{"5 x word 1.0.0 1.1.0", bumped}, want: Moves, about: "moved with"},
		"moved in another month":   {word: word("x"), log: []string{bumped, "40 x word 1.0.0 1.1.0"}, want: Listed, about: "unknown component"},
		"moved to another version": {word: word("x"), log: []string{"9 deploy.sh pin 1.0.0 1.0.5", wordMoved}, want: Listed, about: "unknown component"},
		"added with the others":    {word: word("x"), log: []string{bumped, "9 x word none 1.1.0"}, want: Listed, about: "was added"},
		"a bound that moved":       {word: word("x", bound), log: []string{bumped, wordMoved}, want: Listed, about: "unknown component"},
		"our bound that moved":     {word: word("x", bound, owned(near("up"))), log: []string{bumped, wordMoved}, want: Stays, about: "a bound"},
		"test data":                {word: word("x_test.go"), want: Listed, about: "test data"},
		"test data that moved":     {word: word("x_test.go"), log: []string{bumped, "9 x_test.go word 1.0.0 1.1.0"}, want: Moves, about: "moved with"},
		"lockstep": {
			word:  word("x"),
			also:  []ref.Reference{pin("twin", "1.1.0", of("y"))},
			log:   []string{bumped, wordMoved},
			want:  Listed,
			about: "of twin as well",
		},
		"lockstep, ours near": {
			word: word("x", owned(near("up"))),
			also: []ref.Reference{pin("twin", "1.1.0", of("y"))},
			log:  []string{bumped, wordMoved},
			want: Moves,
		},
		"a sentence that moved once": {
			word:  word("x", owned(ref.Owner{Prose: true, Near: []string{"up"}})),
			log:   []string{bumped, wordMoved},
			want:  Listed,
			about: "in a text that names up",
		},
		"a row that moved once": {word: word("x", owned(ref.Owner{Row: true})), log: []string{bumped, wordMoved}, want: Moves},
		"a sentence that moved thrice": {
			word: word("x", owned(ref.Owner{Prose: true})),
			log:  []string{bumped, wordMoved, "20 deploy.sh pin 0.9.0 1.0.0", "20 x word 0.9.0 1.0.0", "30 deploy.sh pin 0.8.0 0.9.0", "30 x word 0.8.0 0.9.0"},
			want: Moves,
		},
		"the version of the file": {
			word:  word("x", owned(ref.Owner{Self: true})),
			log:   []string{bumped, wordMoved},
			want:  Stays,
			about: "",
		},
		"beside a place that moves":      {word: word("deploy.sh", owned(ref.Owner{Beside: []int{7}})), want: MovesWithTwin, about: "is beside"},
		"beside a place that stays":      {word: word("deploy.sh", owned(ref.Owner{Beside: []int{9}})), want: Listed, about: "unknown component"},
		"beside, but at another version": {word: word("deploy.sh", owned(ref.Owner{Beside: []int{7}}), at100), want: Stays},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			first := pin("up", "1.1.0", shaped("pin"), func(r *ref.Reference) { r.Start = 7 })
			for _, r := range []*ref.Reference{&first, &test.word} {
				r.Context.Shape += " " + history.Blank
			}
			e := Evidence{Pins: append([]ref.Reference{first}, test.also...), Words: []ref.Reference{test.word}, Log: logOf(t, test.log...)}
			edits, left := Bump(file(t), e, Move{Component: "up", Version: version("1.2.0")})
			outcome, because := Stays, ""
			if i := slices.IndexFunc(edits, func(e Edit) bool { return e.Syntax == ref.Word }); i >= 0 {
				if outcome, because = Moves, edits[i].Because; strings.HasPrefix(because, "is beside") {
					outcome = MovesWithTwin
				}
			}
			if i := slices.IndexFunc(left, func(l Left) bool { return l.Syntax == ref.Word }); i >= 0 {
				outcome, because = left[i].Outcome(), left[i].Because
			}
			if outcome != test.want || !strings.Contains(because, test.about) {
				t.Errorf("%s: %q, want %s: %q", outcome, because, test.want, test.about)
			}
		})
	}
}
