package contract

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// matter is the part of an exchange that an exception is about.
type matter string

const (
	aboutStatus  matter = "status"  // a status without a description
	aboutRequest matter = "request" // its parameters or its body
	aboutAnswer  matter = "answer"  // its header or its body
)

// exception is a difference between GitHub and its description. An empty field fits everything.
type exception struct {
	about    matter
	method   string
	path     string // of the description, as a regular expression
	statuses []int
	accept   string // media type that the client accepts
	because  string
}

const (
	errorShapes  = "a plain message fits both shapes of a refusal that are named, of which only one may fit"
	labelList    = "GitHub takes a list of names too, as go-github sends it (google/go-github, Issues.AddLabelsToIssue)"
	wrongInput   = "refused, and the description names no status for it"
	immutability = "the refusals of immutable releases and of a name that is taken are not described"
)

// exceptions are the known ones. The body of an excused refusal must still have the form of GitHub's
// errors.
var exceptions = []exception{
	{aboutStatus, "", "", []int{401}, "", "a token that is not good is refused everywhere"},
	{aboutStatus, "", "", []int{403, 429}, "", "a missing right and a limit are refused everywhere"},
	{aboutStatus, "", "", []int{404}, "", "a resource that the token cannot see is absent everywhere"},
	{aboutStatus, "", "", []int{301, 307}, "", "a renamed repository redirects everywhere: " +
		"https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api"},
	{aboutStatus, "", "", []int{400}, "", "a body that is not JSON, or has a key that is not permitted, is refused everywhere"},
	{aboutStatus, "GET", "", []int{304}, "", "an answer that the client has is not sent again to any conditional request"},
	{aboutStatus, "POST", ".*/actions/workflows/{workflow_id}/dispatches", []int{422}, "", wrongInput},
	{aboutStatus, "GET", ".*/actions/.*runs", []int{422}, "", wrongInput},
	{aboutStatus, "GET", ".*/commits/{ref}/.*", []int{422}, "", "a commit that is not there is refused as at the commit itself"},
	{aboutStatus, "(PATCH|DELETE)", ".*/releases/.*", []int{422}, "", immutability},
	{aboutStatus, "POST", ".*/releases/{release_id}/assets", []int{502}, "", "only the text of the description mentions a broken upload"},
	{aboutRequest, "(POST|PUT)", ".*/issues/{issue_number}/labels", nil, "", labelList},
	{aboutRequest, "POST", ".*/releases/{release_id}/assets", nil, "", "GitHub keeps the type that an asset is given; the description names one alone"},
	{aboutAnswer, "", "", []int{422}, "", errorShapes},
	{aboutAnswer, "GET", ".*/releases/assets/{asset_id}", []int{200}, "application/octet-stream", "is the asset itself"},
	{aboutAnswer, "GET", ".*/commits/{ref}", []int{200}, "application/vnd.github.sha", "is the SHA alone"},
	{aboutAnswer, "GET", ".*/commits/{ref}", []int{200}, "application/vnd.github.v3.sha", "is the SHA alone"},
	{aboutAnswer, "GET", ".*/git/blobs/{file_sha}", []int{200}, "raw", "is the bytes alone"},
	{aboutAnswer, "GET", ".*/contents/{path}", []int{200}, "raw", "is the bytes alone"},
}

// amend adds facts to the description that GitHub documents only in its text.
func amend(doc *openapi3.T) {
	// "If an upload fails, you may end up with an empty asset with a state of starter":
	// https://docs.github.com/en/rest/releases/assets#upload-a-release-asset
	state := doc.Components.Schemas["release-asset"].Value.Properties["state"].Value
	state.Enum = append(state.Enum, "starter")
	// A label without a description has null, in a list of pull requests, too. GitHub describes that
	// only for a single pull request.
	listed := doc.Components.Schemas["pull-request-simple"].Value.Properties["labels"].Value.Items.Value
	listed.Properties["description"].Value.Nullable = true
	// It is a range of times, such as >=2026-01-02 or 2026-01-02..2026-01-03:
	// https://docs.github.com/en/search-github/getting-started-with-searching-on-github/understanding-the-search-syntax#query-for-dates
	for _, item := range doc.Paths.Map() {
		for _, operation := range item.Operations() {
			if created := operation.Parameters.GetByInAndName("query", "created"); created != nil {
				created.Schema.Value.Format = ""
			}
		}
	}
}

// anchored returns a pattern that matches a whole text.
func anchored(pattern string) *regexp.Regexp { return regexp.MustCompile("^(" + pattern + ")$") }

// fits reports whether the exception applies. Braces of placeholders in its path are literal.
func (e exception) fits(about matter, r *http.Request, status int, path string) bool {
	braces := strings.NewReplacer("{", `\{`, "}", `\}`)
	return e.about == about && (e.method == "" || anchored(e.method).MatchString(r.Method)) &&
		(e.path == "" || anchored(braces.Replace(e.path)).MatchString(path)) &&
		(len(e.statuses) == 0 || slices.Contains(e.statuses, status)) &&
		(e.accept == "" || strings.Contains(r.Header.Get("Accept"), e.accept))
}

func excused(about matter, r *http.Request, status int, path string) bool {
	return slices.ContainsFunc(exceptions, func(e exception) bool { return e.fits(about, r, status, path) })
}
