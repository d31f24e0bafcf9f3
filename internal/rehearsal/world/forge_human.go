package world

import (
	"fmt"
	"slices"
	"strings"
)

// Person does by hand what tests want people to have done beside the program under test. It goes
// past tokens and rights, and none of it is among the world's Requests.
type Person struct {
	forge   *forge
	account account
}

// Person is the user of this login, who comes to be when first asked for.
func (w *World) Person(login string) Person {
	a := account{login, kindUser}
	w.forge.accounts.meet(a)
	return Person{w.forge, a}
}

// Comment comments on a pull request.
func (p Person) Comment(fullName string, number int, body string) error {
	return p.onPull("commenting on", fullName, number, func(_ *repository, pull *pull) error {
		p.forge.comment(pull, p.account, body)
		return nil
	})
}

// Merge merges an open pull request with a merge commit.
func (p Person) Merge(fullName string, number int) error {
	return p.onPull("merging", fullName, number, func(r *repository, pull *pull) error {
		if err := (mergeAsk{}).refusal(pull); err != nil {
			return err
		}
		return p.forge.join(r, pull, mergeAsk{}, p.account)
	})
}

// Close closes an open pull request.
func (p Person) Close(fullName string, number int) error {
	return p.onPull("closing", fullName, number, func(r *repository, pull *pull) error {
		state := stateClosed
		return p.forge.revisePull(r, pull, pullEdit{State: &state})
	})
}

func (p Person) onPull(doing, fullName string, number int, act func(*repository, *pull) error) error {
	r, found := p.forge.repository(fullName)
	if !found {
		return fmt.Errorf("%s pull request %d: there is no repository %s", doing, number, fullName)
	}
	p.forge.mu.Lock()
	defer p.forge.mu.Unlock()
	i := slices.IndexFunc(r.pulls, func(one *pull) bool { return one.Number == number })
	if i < 0 {
		return fmt.Errorf("%s pull request %d of %s: there is none", doing, number, fullName)
	}
	err := r.settle(r.pulls[i], p.forge.now())
	if err == nil {
		err = p.forge.noteWrite(r)
	}
	if err == nil {
		err = act(r, r.pulls[i])
	}
	if err != nil {
		return fmt.Errorf("%s pull request %d of %s: %w", doing, number, fullName, err)
	}
	return nil
}

// Push adds a commit to a branch that exists, with these files written anew, and tells its name.
func (p Person) Push(fullName, branch, message string, files map[string]string) (sha string, err error) {
	r, found := p.forge.repository(fullName)
	if !found {
		return "", fmt.Errorf("pushing to %s: there is no such repository", fullName)
	}
	p.forge.mu.Lock()
	defer p.forge.mu.Unlock()
	if sha, err = p.push(r, "refs/heads/"+branch, message, files); err != nil {
		return "", fmt.Errorf("pushing to %s of %s: %w", branch, fullName, err)
	}
	return sha, nil
}

func (p Person) push(r *repository, branch, message string, files map[string]string) (string, error) {
	if err := p.forge.noteWrite(r); err != nil {
		return "", err
	}
	head, found, err := r.ref(branch)
	if err != nil {
		return "", err
	}
	if !found {
		return "", fmt.Errorf("there is no %s", branch)
	}
	tree, err := r.baseTree(&head.sha)
	if err != nil {
		return "", err
	}
	var leaves []leaf
	for path, content := range files {
		leaves = append(leaves, leaf{Path: path, Mode: "100644", Content: &content})
	}
	if tree, err = p.forge.writeTree(r, tree, leaves); err != nil {
		return "", err
	}
	me := p.forge.site.person(p.account)
	sha, err := p.forge.writeCommit(r, commit{tree: tree, parents: []string{head.sha}, author: me, committer: me, message: message}, false)
	if err != nil {
		return "", err
	}
	_, err = r.run("", "update-ref", branch, strings.TrimSpace(sha), head.sha)
	return sha, err
}
