package world

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"strings"
)

// site is where a forge answers, and as which product.
type site struct {
	web, api, uploads, raw string // addresses, without a slash at the end
	mail                   string // the domain of accounts' addresses that reach nobody
	gitHub                 person // who commits what is done through pages and API
	version                string // of an Enterprise server; "" for github.com
}

var dotcom = &site{
	web: "https://" + hostWeb, api: "https://" + hostAPI, uploads: "https://" + hostUploads, raw: "https://" + hostRaw,
	mail: "users.noreply.github.com", gitHub: person{Name: "GitHub", Email: "noreply@github.com"},
}

// enterpriseVersion is one that has not yet learnt return_run_details, which came with 3.21.
const enterpriseVersion = "3.19.0"

// enterprise is an Enterprise server without subdomains, which has all on one host:
// https://docs.github.com/en/enterprise-server@3.19/rest/using-the-rest-api/getting-started-with-the-rest-api
func enterprise(host string) *site {
	web := "https://" + host
	return &site{
		web: web, api: web + "/api/v3", uploads: web + "/api/uploads", raw: web + "/raw",
		mail: "users.noreply." + host, gitHub: person{Name: "GitHub Enterprise", Email: "noreply@" + host}, version: enterpriseVersion,
	}
}

// site is the one that the options ask for.
func (o Options) site() *site {
	if o.Enterprise == "" {
		return dotcom
	}
	return enterprise(o.Enterprise)
}

func (s *site) isEnterprise() bool { return s.version != "" }

// hosts are what the site answers at.
func (f *forge) hosts() map[string]http.Handler {
	if f.site.isEnterprise() {
		return map[string]http.Handler{strings.TrimPrefix(f.site.web, "https://"): f.web()}
	}
	return map[string]http.Handler{hostWeb: f.web(), hostAPI: f.api(), hostUploads: f.uploads(), hostRaw: f.raw(), hostBundles: http.HandlerFunc(f.serveBundle)}
}

func (f *forge) answersAt(host string) bool {
	_, is := f.hosts()[host]
	return is
}

// person is the account as git knows it. The mail is the only one that GitHub takes for a bot's:
// https://github.com/actions/create-github-app-token
func (s *site) person(a account) person {
	return person{Name: a.login, Email: fmt.Sprintf("%d+%s@%s", userID(a.login), a.login, s.mail)}
}

// user is an account as the API shows it inside other things.
func (s *site) user(a account) map[string]any {
	at := s.api + "/users/" + url.PathEscape(a.login)
	page := s.web + "/" + a.login
	if a.kind == kindBot {
		page = s.web + "/apps/" + strings.TrimSuffix(a.login, "[bot]")
	}
	return map[string]any{
		"login": a.login, "id": userID(a.login), "node_id": nodeID("User", a.login), "type": a.kind, "site_admin": false,
		"avatar_url": "https://avatars.githubusercontent.com/u/0?v=4", "gravatar_id": "",
		"url": at, "html_url": page,
		"followers_url": at + "/followers", "following_url": at + "/following{/other_user}",
		"gists_url": at + "/gists{/gist_id}", "starred_url": at + "/starred{/owner}{/repo}",
		"subscriptions_url": at + "/subscriptions", "organizations_url": at + "/orgs", "repos_url": at + "/repos",
		"events_url": at + "/events{/privacy}", "received_events_url": at + "/received_events",
	}
}

var dispatchPath = regexp.MustCompile(`/actions/workflows/[^/]+/dispatches$`)

// lacking is an Enterprise server's answer to what only github.com has; nil where it has it too.
func (s *site) lacking(r *http.Request) error {
	if !s.isEnterprise() {
		return nil
	}
	path := r.URL.Path
	switch {
	case path == "/rate_limit":
		return &apiError{status: http.StatusNotFound, Message: "Rate limiting is not enabled."}
	case strings.HasSuffix(path, "/immutable-releases"), strings.Contains(path, "/attestations/"):
		return notFound()
	case dispatchPath.MatchString(path):
		return refuseRunDetails(r)
	}
	return nil
}

// refuseRunDetails looks into the body and leaves it to be read again
// (benc-uk/workflow-dispatch#86).
func refuseRunDetails(r *http.Request) error {
	keys, body, err := peek(r)
	if err != nil {
		return err
	}
	r.Body = body
	if _, asked := keys["return_run_details"]; asked {
		return &apiError{status: http.StatusBadRequest, Message: "Invalid request.\n\n\"return_run_details\" is not a permitted key."}
	}
	return nil
}

// peek reads a JSON object's keys, and gives the body anew.
func peek(r *http.Request) (map[string]json.RawMessage, io.ReadCloser, error) {
	raw, err := io.ReadAll(r.Body)
	if err != nil {
		return nil, nil, fmt.Errorf("reading the request's body: %w", err)
	}
	var keys map[string]json.RawMessage
	_ = json.Unmarshal(raw, &keys) // what is no object is for the endpoint to refuse
	return keys, io.NopCloser(bytes.NewReader(raw)), nil
}
