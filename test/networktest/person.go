package networktest

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"net/http/httptest"
	"os/exec"
	"strings"

	"github.com/kubestellar/actions/internal/rehearsal/forge"
)

// Person is a user of the forge who acts beside the program under test. A person may write to every
// repository. Requests of a person are not recorded, disturbed or shown to an observer.
type Person struct {
	network *Network
	login   string
}

// Person returns the user with this login, whose account exists from the first call on.
func (t *Network) Person(login string) Person {
	p := Person{t, login}
	secret, err := p.token(nil)
	if err != nil {
		panic("networktest: " + err.Error())
	}
	if err := t.Forge.RevokeToken(secret); err != nil {
		panic("networktest: " + err.Error())
	}
	return p
}

func (p Person) token(rights map[string]forge.Permissions) (string, error) {
	return p.network.Forge.AddToken(forge.Token{Kind: forge.PersonToken, Login: p.login, Repositories: rights})
}

// Comment comments on a pull request.
func (p Person) Comment(fullName string, number int, body string) error {
	return p.do(fullName, "POST", fmt.Sprintf("/issues/%d/comments", number), map[string]any{"body": body}, nil)
}

// Merge merges an open pull request with a merge commit.
func (p Person) Merge(fullName string, number int) error {
	return p.do(fullName, "PUT", fmt.Sprintf("/pulls/%d/merge", number), map[string]any{}, nil)
}

// Close closes an open pull request.
func (p Person) Close(fullName string, number int) error {
	return p.do(fullName, "PATCH", fmt.Sprintf("/pulls/%d", number), map[string]any{"state": "closed"}, nil)
}

// Push adds a commit with these files to an existing branch, and returns its hash.
func (p Person) Push(fullName, branch, message string, files map[string]string) (sha string, err error) {
	head, err := p.head(fullName, branch)
	if err != nil {
		return "", err
	}
	entries := []map[string]any{}
	for path, content := range files {
		entries = append(entries, map[string]any{"path": path, "mode": "100644", "type": "blob", "content": content})
	}
	var made struct{ SHA string }
	if err := p.do(fullName, "POST", "/git/trees", map[string]any{"base_tree": head, "tree": entries}, &made); err != nil {
		return "", err
	}
	commit := map[string]any{"message": message, "tree": made.SHA, "parents": []string{head}}
	if err := p.do(fullName, "POST", "/git/commits", commit, &made); err != nil {
		return "", err
	}
	return made.SHA, p.do(fullName, "PATCH", "/git/refs/heads/"+branch, map[string]any{"sha": made.SHA}, nil)
}

// head returns the commit of a branch. It asks git, since the reads of the API may lag.
func (p Person) head(fullName, branch string) (string, error) {
	out, err := exec.Command("git", "--git-dir="+p.network.Forge.RepositoryDir(fullName), "rev-parse", "--verify", "refs/heads/"+branch).CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("reading %s of %s: %w: %s", branch, fullName, err, out)
	}
	return strings.TrimSpace(string(out)), nil
}

// do sends one request below a repository straight to the forge, with a token of its own.
func (p Person) do(fullName, method, path string, body, into any) error {
	secret, err := p.token(map[string]forge.Permissions{fullName: {
		"contents": "write", "pull_requests": "write", "issues": "write", "workflows": "write",
	}})
	if err != nil {
		return err
	}
	defer p.network.Forge.RevokeToken(secret) // it exists
	sent, err := json.Marshal(body)
	if err != nil {
		return err
	}
	r := httptest.NewRequest(method, p.network.Forge.APIURL()+"/repos/"+fullName+path, bytes.NewReader(sent))
	r.Header.Set("Authorization", "Bearer "+secret)
	answer := httptest.NewRecorder()
	p.network.Forge.Hosts()[r.URL.Host].ServeHTTP(answer, r)
	if answer.Code >= http.StatusMultipleChoices {
		return fmt.Errorf("%s %s as %s: answered %d: %s", method, r.URL, p.login, answer.Code, answer.Body)
	}
	if into == nil {
		return nil
	}
	return json.Unmarshal(answer.Body.Bytes(), into)
}
