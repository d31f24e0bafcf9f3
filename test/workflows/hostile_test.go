//go:build workflows

package workflows_test

import (
	"maps"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// right returns a valid event for bump.yml.
func right() map[string]any {
	return map[string]any{"component": "ocm-status-addon", "version": "0.2.0-rc10", "id": "ocm-status-addon 0.2.0-rc10"}
}

// fields are the parts of an event whose text its sender chooses, by event and name.
var fields = map[string]func(c *occasion, value any){}

func init() {
	for _, name := range []string{"component", "version", "id", "repository", "ref", "title", "actor", "unheard-of"} {
		fields["repository_dispatch "+name] = func(c *occasion, value any) { setIn(c, "client_payload", name, value) }
	}
	for _, name := range []string{"component", "version", "id"} {
		fields["workflow_dispatch "+name] = func(c *occasion, value any) { setIn(c, "inputs", name, value) }
	}
	fields["workflow_dispatch ref"] = func(c *occasion, value any) { c.payload["ref"] = value }
	fields["workflow_dispatch actor"] = func(c *occasion, value any) {
		c.payload["sender"] = map[string]any{"login": value}
		if text, is := value.(string); is && len(text) < 1000 {
			c.actor = text
		}
	}
}

func setIn(c *occasion, object, name string, value any) {
	c.payload[object].(map[string]any)[name] = value
}

// classes make hostile values from a right one. touch is a command that creates a file.
var classes = map[string]func(right, touch string) any{
	"command substitution":    func(right, touch string) any { return right + "$(" + touch + ")" },
	"backquotes":              func(right, touch string) any { return "`" + touch + "`" + right },
	"next command":            func(right, touch string) any { return right + "; " + touch + " #" },
	"quotes":                  func(right, touch string) any { return right + `"; ` + touch + `; '` + touch + `; "` },
	"another output":          func(right, touch string) any { return right + "\nstate=opened\ncommit=" + right },
	"the output's end":        func(right, touch string) any { return right + "\n_GitHubActionsFileCommandDelimeter_\nstate=opened" },
	"command of a runner":     func(right, touch string) any { return right + "\n::add-path::/tmp\n::set-output name=state::opened" },
	"expression":              func(right, touch string) any { return "${{ secrets.APP_PRIVATE_KEY }}" + right },
	"expression's end":        func(right, touch string) any { return right + "' }}${{ toJSON(secrets) }}{{ '" },
	"option":                  func(_, touch string) any { return "--upload-pack=" + touch },
	"path upwards":            func(right, _ string) any { return "../../" + right },
	"absolute path":           func(_, _ string) any { return "/etc/passwd" },
	"as much as there may be": func(right, _ string) any { return right + strings.Repeat("0", 64_000) },
	"a megabyte":              func(right, _ string) any { return strings.Repeat(right, 1<<20/len(right)) },
	"look-alike letters": func(right, _ string) any {
		return strings.NewReplacer("o", "о", "0", "０", "m", "ｍ").Replace(right + " o")
	},
	"other way round": func(right, _ string) any { return right + "\u202e\u200b" },
	"no text":         func(right, _ string) any { return map[string]any{"toString": right} },
}

// bump.yml refuses every field × every class with a message, and writes, runs and reveals nothing. A
// valid event works in the same harness.
func TestHostileEvents(t *testing.T) {
	o := newOrganisation(t)
	pwned := filepath.Join(o.Dir, "pwned")
	before, requests := o.state(), len(o.Requests())
	t.Run("events", func(t *testing.T) {
		for field, set := range fields {
			event, name, _ := strings.Cut(field, " ")
			for class, make := range classes {
				o.hostile(t, field+", "+class, event, func(c *occasion) { set(c, make(valueOf(name), "touch "+pwned)) })
			}
		}
		o.hostile(t, "another's repository", "repository_dispatch", func(c *occasion) { setIn(c, "client_payload", "repository", "evil/ocm-status-addon") })
		o.hostile(t, "another's component", "repository_dispatch", func(c *occasion) { setIn(c, "client_payload", "component", "evil/ocm-status-addon") })
	})
	o.same(before)
	for _, r := range o.Requests()[requests:] {
		if r.Effect && isWrite(r.Path) {
			t.Errorf("saw %s %s%s", r.Method, r.Host, r.Path)
		}
	}
	if found, err := filepath.Glob(pwned + "*"); err != nil || len(found) > 0 {
		t.Errorf("a command ran: %q, %v", found, err)
	}
	t.Run("control", func(t *testing.T) {
		o.T = t
		c := o.event("repository_dispatch")
		setIn(&c, "client_payload", "repository", osa)
		o.released(osa, "0.2.0-rc11")
		setIn(&c, "client_payload", "version", "0.2.0-rc11")
		if done := o.run(c); !done.ok || !strings.Contains(done.log, "pull request 1 opened") {
			t.Errorf("with a valid event, success: %t\n%s", done.ok, done.log)
		}
		o.onePull("ocm-status-addon", "0.2.0-rc11")
	})
}

// valueOf returns a valid value of a field.
func valueOf(name string) string {
	switch name {
	case "repository":
		return osa
	case "ref":
		return "refs/heads/main"
	case "actor":
		return "maintainer"
	case "title":
		return "v0.2.0-rc10"
	}
	if v, known := right()[name].(string); known {
		return v
	}
	return "word"
}

func (o *organisation) event(name string) occasion {
	c := occasion{
		repository: core, workflow: ".github/workflows/bump.yml", event: name, ref: "refs/heads/main",
		sha: o.git(o.Forge.RepositoryDir(core), "rev-parse", "main"),
	}
	if name == "workflow_dispatch" {
		c.payload = map[string]any{"inputs": right()}
	} else {
		c.payload = map[string]any{"action": "upstream-released", "client_payload": right()}
	}
	return c
}

// words mark a clear refusal. The runner itself refuses a text that is longer than Linux allows for a
// variable.
var words = []string{
	"it is refused as a whole, and nothing is written", "is not declared in delivery.yaml", "is not semver",
	"bytes, want at most 4096", "argument list too long",
}

var secret = regexp.MustCompile(`ghs_[A-Z2-7]{16}|github_pat_|BEGIN RSA`)

func (o *organisation) hostile(t *testing.T, name, event string, set func(*occasion)) {
	t.Run(name, func(t *testing.T) {
		t.Parallel()
		mine := *o
		mine.T = t
		c := mine.event(event)
		c.payload = maps.Clone(c.payload)
		set(&c)
		done := mine.run(c)
		if done.ok || !slices.ContainsFunc(words, func(w string) bool { return strings.Contains(done.log, w) }) {
			t.Errorf("success: %t, with\n%s", done.ok, end(done.log))
		}
		if found := secret.FindString(done.log); found != "" || strings.Contains(done.log, strings.Split(o.key, "\n")[3]) {
			t.Errorf("it shows a secret: %q", found)
		}
	})
}

// end returns the last part of a long text.
func end(text string) string { return text[max(0, len(text)-6000):] }

// isWrite reports whether a request with an effect is more than an App's request for its token.
func isWrite(path string) bool { return !strings.HasPrefix(path, "/app/") }
