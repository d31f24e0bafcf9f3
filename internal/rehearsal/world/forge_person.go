package world

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// person is who made a commit or a tag, and when; the API may leave the time out.
type person struct {
	Name  string     `json:"name"`
	Email string     `json:"email"`
	Date  *time.Time `json:"date"`
}

// line is a person as git writes them; without a time it is the forge's.
func (f *forge) line(p person) string {
	at := f.now()
	if p.Date != nil {
		at = *p.Date
	}
	return fmt.Sprintf("%s <%s> %d %s", p.Name, p.Email, at.Unix(), at.Format("-0700"))
}

// parsePerson reads such a line; where it holds no time, as in a tag without a tagger, it is the
// epoch.
func parsePerson(line string) person {
	name, rest, _ := strings.Cut(line, " <")
	email, when, _ := strings.Cut(rest, "> ")
	seconds, _, _ := strings.Cut(when, " ")
	unix, _ := strconv.ParseInt(seconds, 10, 64)
	at := time.Unix(unix, 0)
	return person{name, email, &at}
}

func (p person) json() map[string]any {
	return map[string]any{"name": p.Name, "email": p.Email, "date": stamp(*p.Date)}
}

// refusal is why git cannot write a person's name and mail, which it would cut or garble.
func (p person) refusal(role string) error {
	for what, value := range map[string]string{"name": p.Name, "email": p.Email} {
		if strings.TrimSpace(value) == "" {
			return unprocessable(fmt.Sprintf("Invalid request.\n\n%q wasn't supplied.", role+"."+what))
		}
		if strings.ContainsAny(value, "<>\n\x00") {
			return unprocessable(fmt.Sprintf("Invalid request.\n\n%s.%s holds a character that git forbids.", role, what))
		}
	}
	return nil
}
