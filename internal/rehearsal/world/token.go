package world

import (
	"crypto/subtle"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"
)

// TokenKind is whom a token stands for, which decides how the forge answers it.
type TokenKind string

const (
	// PersonToken is a fine-grained personal access token of a user's.
	PersonToken TokenKind = "person"
	// InstallationToken is that of an App that is installed in repositories.
	InstallationToken TokenKind = "installation"
	// WorkflowToken is the GITHUB_TOKEN of a workflow's run; it reaches one repository.
	WorkflowToken TokenKind = "workflow"
)

// Permissions are "read" or "write" by GitHub's names, such as contents, pull_requests, issues,
// actions, administration and workflows; what is not named is not given. To read the metadata
// goes with any:
// https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
type Permissions map[string]string

// Token is a token beside the world's main one.
type Token struct {
	Kind TokenKind
	// Login is the account that it acts for: a user's, or an App's, which ends in [bot]. A
	// workflow's is always github-actions[bot], and may be left empty.
	Login string
	// Repositories are those that it was given, by owner/name. It reads public ones besides.
	Repositories map[string]Permissions
	// Expires is when it ends, by the world's clock; zero is never.
	Expires time.Time
}

// token is a token that the forge knows.
type token struct {
	Token
	secret  string
	account account
	main    bool   // the world's own, whose rights stand at the repositories
	app     string // the client id of the App that signed it, for itself; it reaches no repository
}

// tokens are the tokens of the forge, under a lock of their own.
type tokens struct {
	mu  sync.Mutex
	all []*token
}

const workflowLogin = "github-actions[bot]"

// AddToken makes a token and tells its secret. It returns an error if what is asked for cannot be.
func (w *World) AddToken(t Token) (secret string, err error) {
	if t.Kind == WorkflowToken && t.Login == "" {
		t.Login = workflowLogin
	}
	if err := t.check(); err != nil {
		return "", fmt.Errorf("adding a token: %w", err)
	}
	made := &token{Token: t, secret: newToken(), account: account{t.Login, kindBot}}
	if t.Kind == PersonToken {
		made.secret, made.account.kind = "github_pat_"+strings.TrimPrefix(made.secret, "ghs_"), kindUser
	}
	made.Repositories = maps.Clone(t.Repositories)
	w.forge.accounts.meet(made.account)
	w.forge.tokens.add(made)
	return made.secret, nil
}

// RevokeToken ends a token, as GitHub does with an installation's after an hour and with a
// workflow's at the end of its job. It returns an error if there is no such token.
func (w *World) RevokeToken(secret string) error {
	if !w.forge.tokens.remove(secret) {
		return errors.New("revoking a token: there is no such token")
	}
	return nil
}

func (t Token) check() error {
	switch isBot := strings.HasSuffix(t.Login, "[bot]"); {
	case t.Login == "":
		return errors.New("it has no login")
	case t.Kind == WorkflowToken && (t.Login != workflowLogin || len(t.Repositories) != 1):
		return fmt.Errorf("a workflow's is of %s and for one repository; this is of %s and for %d", workflowLogin, t.Login, len(t.Repositories))
	case t.Kind == PersonToken && isBot, t.Kind == InstallationToken && !isBot:
		return fmt.Errorf("login %s is not one of a token of kind %s", t.Login, t.Kind)
	case !slices.Contains([]TokenKind{PersonToken, InstallationToken, WorkflowToken}, t.Kind):
		return fmt.Errorf("unknown kind %q, want %s, %s or %s", t.Kind, PersonToken, InstallationToken, WorkflowToken)
	}
	for fullName, given := range t.Repositories {
		for name, level := range given {
			if t.Kind == WorkflowToken && name == "workflows" {
				return errors.New("no workflow's token can be given the permission workflows")
			}
			if level != rightsRead && level != rightsWrite {
				return fmt.Errorf("permission %s of %s is %q, want %s or %s", name, fullName, level, rightsRead, rightsWrite)
			}
		}
	}
	return nil
}

func (s *tokens) add(t *token) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.all = append(s.all, t)
}

func (s *tokens) remove(secret string) bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	before := len(s.all)
	s.all = slices.DeleteFunc(s.all, func(t *token) bool { return t.secret == secret })
	return len(s.all) < before
}

// find finds a token that is good at this time.
func (s *tokens) find(secret string, now time.Time) (*token, bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, t := range s.all {
		if subtle.ConstantTimeCompare([]byte(secret), []byte(t.secret)) == 1 {
			return t, t.Expires.IsZero() || now.Before(t.Expires)
		}
	}
	return nil, false
}

// guest is the token by which somebody but the world's own comes to ghcr.io; nil for none.
func (f *forge) guest(secret string) *token {
	if t, good := f.tokens.find(secret, f.now()); good && !t.main {
		return t
	}
	return nil
}

// level is what a token may do in a repository under one name of a permission; nobody's token,
// nil, may do nothing.
func (t *token) level(r *repository, permission string) string {
	if t == nil {
		return rightsNone
	}
	if t.main {
		return r.Rights
	}
	given, reaches := t.Repositories[r.fullName()]
	if level, named := given[permission]; named {
		return level
	}
	if reaches && permission == "metadata" {
		return rightsRead
	}
	return rightsNone
}

// pushes and pulls say what the token may do with a package of ghcr.io, such as owner/name/chart:
// with those of an owner, one of whose repositories gives it the permission packages.
func (t *token) pushes(pkg string) bool { return slices.Contains(t.packages(pkg), rightsWrite) }
func (t *token) pulls(pkg string) bool  { return len(t.packages(pkg)) > 0 }

func (t *token) packages(pkg string) []string {
	owner, _, _ := strings.Cut(pkg, "/")
	var levels []string
	for name, given := range t.Repositories {
		if of, _, _ := strings.Cut(name, "/"); strings.EqualFold(of, owner) && given["packages"] != "" {
			levels = append(levels, given["packages"])
		}
	}
	return levels
}

// sees says whether the token's holder may know that a repository exists.
func (t *token) sees(r *repository) bool { return !r.Private || t.level(r, "metadata") != rightsNone }

// may says whether one of the permissions lets the holder do something. What is public everybody reads.
func (t *token) may(r *repository, permissions []string, write bool) bool {
	for _, p := range permissions {
		if level := t.level(r, p); level == rightsWrite || level == rightsRead && !write {
			return true
		}
	}
	return !write && !r.Private
}

// touchesWorkflows says whether the holder may write the files that GitHub guards by a permission
// of their own (stefanzweifel/git-auto-commit-action#322).
func (t *token) touchesWorkflows(r *repository) bool { return t.level(r, "workflows") == rightsWrite }

const guardedFolder = ".github/workflows/"

// isInstallation says whether the token is an App's, as a workflow's is too.
func (t *token) isInstallation() bool {
	return t != nil && (t.Kind == InstallationToken || t.Kind == WorkflowToken)
}

// denial is GitHub's answer to who lacks a permission.
func (t *token) denial() *apiError {
	if t.Kind == PersonToken {
		return forbidden("Resource not accessible by personal access token")
	}
	return forbidden("Resource not accessible by integration")
}
