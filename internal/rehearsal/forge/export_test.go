package forge

import "net/http"

// Internals of the package that tests need.
const (
	WorkflowFolder = workflowFolder
	WorkflowLogin  = workflowLogin
	GuardedFolder  = guardedFolder
	RepoPath       = repoPath
	PlainColor     = plainColor
	RunQueued      = runQueued
	RunRuns        = runRuns
	RunCompleted   = runCompleted
)

type Claims = claims

var (
	MainLogin  = mainAccount.login
	MainEmail  = dotcom.person(mainAccount).Email
	UserID     = userID
	Peek       = peek
	DecodeBlob = decodeBlob
)

// Decode decodes the body of a request.
func Decode(r *http.Request) (any, error) { return decode[any](r) }

// Endpoint is one endpoint of the API.
type Endpoint struct {
	Method, Path string
	Permissions  []string
}

// Endpoints returns the endpoints of the API, and UploadEndpoints those of uploads.
func Endpoints() []Endpoint { return described(apiEndpoints()) }

func UploadEndpoints() []Endpoint { return described(uploadEndpoints()) }

func described(endpoints []endpoint) []Endpoint {
	var all []Endpoint
	for _, e := range endpoints {
		all = append(all, Endpoint{e.method, e.path, e.permissions()})
	}
	return all
}

// Git runs git on a repository of the forge.
func (f *Forge) Git(fullName, stdin string, args ...string) (string, error) {
	return f.repositories[fullName].run(stdin, args...)
}

// MoveRef moves a branch of a repository, and returns the status and message of a refusal.
func (f *Forge) MoveRef(fullName, name, to, from string) (status int, message string) {
	err := f.repositories[fullName].moveRef(name, to, from)
	if refused, is := err.(*apiError); is {
		return refused.status, refused.Message
	}
	return 0, ""
}

// Snapshot returns the number of statuses of a commit and the state of the first run in a copy of
// a repository, as they are when the functions are called.
func (f *Forge) Snapshot(fullName, commit string) (statuses func() int, run func() string) {
	was := f.repositories[fullName].copied("")
	return func() int { return len(was.statuses[commit]) }, func() string { return was.runs[0].Status }
}

// CompleteRun completes the first run of a repository.
func (f *Forge) CompleteRun(fullName, conclusion string) {
	f.advance(f.repositories[fullName].runs[0], runCompleted, conclusion)
}
