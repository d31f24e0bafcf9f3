package contract

import (
	"net/http"
	"regexp"
	"slices"
	"strings"

	"github.com/getkin/kin-openapi/openapi3"
)

// What an exception is about.
type matter string

const (
	aboutStatus  matter = "status"  // one that the description does not name
	aboutRequest matter = "request" // its parameters or its body
	aboutAnswer  matter = "answer"  // its header or its body
)

// exception is where GitHub does otherwise than its description says. What is empty fits all.
type exception struct {
	about    matter
	method   string
	path     string // of the description, as a regular expression
	statuses []int
	accept   string // what the client asks for
	because  string
}

const (
	errorShapes  = "a plain message fits both shapes of a refusal that are named, of which only one may fit"
	labelList    = "GitHub takes a list of names too, as go-github sends it (google/go-github, Issues.AddLabelsToIssue)"
	wrongInput   = "refused, and the description names no status for it"
	immutability = "the refusals of immutable releases and of a name that is taken are not described"
)

// exceptions are all that there are. The body of a refusal that is excused must still be an error
// as GitHub writes them.
var exceptions = []exception{
	{aboutStatus, "", "", []int{401}, "", "a token that is not good is refused everywhere"},
	{aboutStatus, "", "", []int{403, 429}, "", "a missing right and a limit are refused everywhere"},
	{aboutStatus, "", "", []int{404}, "", "what the token does not see is absent everywhere"},
	{aboutStatus, "", "", []int{301, 307}, "", "a renamed repository leads on everywhere: https://docs.github.com/en/rest/using-the-rest-api/best-practices-for-using-the-rest-api"},
	{aboutStatus, "", "", []int{400}, "", "a body that is no JSON, or has a key that is not permitted, is refused everywhere"},
	{aboutStatus, "GET", "", []int{304}, "", "what a client has already is not sent again, wherever it says so"},
	{aboutStatus, "POST", ".*/actions/workflows/{workflow_id}/dispatches", []int{422}, "", wrongInput},
	{aboutStatus, "GET", ".*/actions/.*runs", []int{422}, "", wrongInput},
	{aboutStatus, "GET", ".*/commits/{ref}/.*", []int{422}, "", "a commit that is not there is refused as at the commit itself"},
	{aboutStatus, "(PATCH|DELETE)", ".*/releases/.*", []int{422}, "", immutability},
	{aboutStatus, "POST", ".*/releases/{release_id}/assets", []int{502}, "", "an upload that broke off is said so in the description's prose only"},
	{aboutRequest, "(POST|PUT)", ".*/issues/{issue_number}/labels", nil, "", labelList},
	{aboutRequest, "POST", ".*/releases/{release_id}/assets", nil, "", "GitHub keeps the type that an asset is given; the description names one alone"},
	{aboutAnswer, "", "", []int{422}, "", errorShapes},
	{aboutAnswer, "GET", ".*/releases/assets/{asset_id}", []int{200}, "application/octet-stream", "is the asset itself"},
	{aboutAnswer, "GET", ".*/commits/{ref}", []int{200}, "application/vnd.github.sha", "is the SHA alone"},
	{aboutAnswer, "GET", ".*/commits/{ref}", []int{200}, "application/vnd.github.v3.sha", "is the SHA alone"},
	{aboutAnswer, "GET", ".*/git/blobs/{file_sha}", []int{200}, "raw", "is the bytes alone"},
	{aboutAnswer, "GET", ".*/contents/{path}", []int{200}, "raw", "is the bytes alone"},
}

// amend adds to the description what GitHub says in its prose alone.
func amend(doc *openapi3.T) {
	// "If an upload fails, you may end up with an empty asset with a state of starter":
	// https://docs.github.com/en/rest/releases/assets#upload-a-release-asset
	state := doc.Components.Schemas["release-asset"].Value.Properties["state"].Value
	state.Enum = append(state.Enum, "starter")
	// A label without a description has null there, in a list of pull requests as in one pull
	// request, of which the description says so.
	listed := doc.Components.Schemas["pull-request-simple"].Value.Properties["labels"].Value.Items.Value
	listed.Properties["description"].Value.Nullable = true
	// A span of time, such as >=2026-01-02 or 2026-01-02..2026-01-03, and no time alone:
	// https://docs.github.com/en/search-github/getting-started-with-searching-on-github/understanding-the-search-syntax#query-for-dates
	for _, item := range doc.Paths.Map() {
		for _, operation := range item.Operations() {
			if created := operation.Parameters.GetByInAndName("query", "created"); created != nil {
				created.Schema.Value.Format = ""
			}
		}
	}
}

// anchored is a pattern for the whole of a text.
func anchored(pattern string) *regexp.Regexp { return regexp.MustCompile("^(" + pattern + ")$") }

// fits leaves the braces of a path's placeholders as they are.
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
