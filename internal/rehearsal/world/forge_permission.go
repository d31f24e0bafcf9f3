package world

import (
	"net/http"
	"slices"
	"strings"
)

// need is what the endpoints at and below a path ask for; an empty method is every one, and an
// empty path is the repository itself.
type need struct {
	method, under string
	names         []string
}

func (n need) fits(method, rest string) bool {
	return (n.method == "" || n.method == method) && (rest == n.under || n.under != "" && strings.HasPrefix(rest, n.under+"/"))
}

// permissionsOf are the permissions that GitHub asks for below a repository, by how the path
// goes on; the first line that fits counts, and any one of its names will do:
// https://docs.github.com/en/rest/authentication/permissions-required-for-github-apps
var permissionsOf = []need{
	{"PUT", "/pulls/{number#}/merge", []string{"contents"}},
	{"", "/pulls", []string{"pull_requests"}},
	{"", "/issues", []string{"issues", "pull_requests"}},
	{"", "/labels", []string{"issues", "pull_requests"}},
	{"", "/immutable-releases", []string{"administration"}},
	{"", "/attestations", []string{"attestations"}},
	{"", "/actions", []string{"actions"}},
	{"", "/collaborators", []string{"metadata"}},
	{"", "/rules", []string{"metadata"}},
	{"", "/check-runs", []string{"checks"}},
	{"", "/commits/{ref}/check-runs", []string{"checks"}},
	{"", "/commits/{ref...}/check-runs", []string{"checks"}},
	{"", "/commits/{ref}/status", []string{"statuses"}},
	{"", "/commits/{ref...}/status", []string{"statuses"}},
	{"", "/statuses", []string{"statuses"}},
	{"", "/releases", []string{"contents"}},
	{"", "/dispatches", []string{"contents"}},
	{"", "/contents", []string{"contents"}},
	{"", "/git", []string{"contents"}},
	{"", "/commits", []string{"contents"}},
	{"", "/compare", []string{"contents"}},
	{"", "/branches", []string{"contents"}},
	{"", "/tags", []string{"metadata"}},
	{"GET", "", []string{"metadata"}},
	{"", "", []string{"administration"}},
}

// permissions are those of which the endpoint wants one; there is a line for each that is below a
// repository.
func (e endpoint) permissions() []string {
	rest := strings.TrimPrefix(e.path, repoPath)
	i := slices.IndexFunc(permissionsOf, func(n need) bool { return n.fits(e.method, rest) })
	if i < 0 {
		return nil
	}
	return permissionsOf[i].names
}

// accepted is what GitHub's header says of an endpoint's permissions.
func (e endpoint) accepted() string {
	level := map[bool]string{false: rightsRead, true: rightsWrite}[e.write]
	var all []string
	for _, name := range e.permissions() {
		all = append(all, name+"="+level)
	}
	return strings.Join(all, "; ")
}

func forbidden(m string) *apiError { return &apiError{status: http.StatusForbidden, Message: m} }
