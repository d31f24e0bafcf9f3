// Package contract checks requests to the fake GitHub, and its answers, against GitHub's own
// description of its REST API. Only tests use it.
package contract

import (
	"bytes"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"regexp"
	"slices"
	"strings"
	"sync"

	"github.com/getkin/kin-openapi/openapi3"
	"github.com/getkin/kin-openapi/openapi3filter"
	"github.com/getkin/kin-openapi/routers"
)

//go:embed testdata/github-api.json
var description []byte

// Reporter is the part of *testing.T that a check needs.
type Reporter interface {
	Helper()
	Errorf(format string, args ...any)
}

// Hold returns an observer for Network.Observe. It fails t for each request and each answer that
// GitHub's description does not allow.
func Hold(t Reporter) func(*http.Request, *http.Response) {
	return func(r *http.Request, a *http.Response) { report(t, r, a, true) }
}

// HoldForge is Hold for tests of the forge itself, which send wrong requests on purpose. It does not
// check requests that the forge refused, nor answers that an endpoint is not implemented.
func HoldForge(t Reporter) func(*http.Request, *http.Response) {
	return func(r *http.Request, a *http.Response) {
		if a.StatusCode != http.StatusNotImplemented {
			report(t, r, a, a.StatusCode < http.StatusMultipleChoices)
		}
	}
}

func report(t Reporter, r *http.Request, a *http.Response, ask bool) {
	t.Helper()
	if err := check(r, a, ask); err != nil {
		t.Errorf("%s %s, answered %d, is not as GitHub describes it: %v", r.Method, r.URL, a.StatusCode, err)
	}
}

// path is one path of the description.
type path struct {
	template string
	pattern  *regexp.Regexp
	names    []string // of the placeholders, in order
	item     *openapi3.PathItem
}

type api struct {
	doc   *openapi3.T
	paths []path // those with more literal text first
}

var load = sync.OnceValues(func() (*api, error) {
	doc, err := openapi3.NewLoader().LoadFromData(description)
	if err != nil {
		return nil, fmt.Errorf("reading GitHub's description: %w", err)
	}
	amend(doc)
	all := &api{doc: doc}
	for template, item := range doc.Paths.Map() {
		all.paths = append(all.paths, parse(template, item))
	}
	slices.SortFunc(all.paths, func(a, b path) int { return rank(b.template) - rank(a.template) })
	return all, nil
})

var placeholder = regexp.MustCompile(`\{([a-z_]+)\}`)

// rank is greater for a path with more literal text.
func rank(template string) int {
	return len(placeholder.ReplaceAllString(template, "")) - len(placeholder.FindAllString(template, -1))
}

// slashed are the placeholders whose values may contain slashes, which OpenAPI cannot express.
var slashed = []string{"basehead", "branch", "path", "ref", "tag"}

func parse(template string, item *openapi3.PathItem) path {
	p := path{template: template, item: item}
	pattern := placeholder.ReplaceAllStringFunc(template, func(s string) string {
		name := strings.Trim(s, "{}")
		p.names = append(p.names, name)
		if slices.Contains(slashed, name) {
			return "(.+)"
		}
		return "([^/]+)"
	})
	p.pattern = regexp.MustCompile("^" + pattern + "$")
	return p
}

// byNumber matches the other address of a repository. GitHub redirects clients to it from a former
// name. It has the same paths below it.
var byNumber = regexp.MustCompile(`^/repositories/[0-9]+`)

// find returns the description of a request.
func (a *api) find(r *http.Request) (*routers.Route, map[string]string, error) {
	at := byNumber.ReplaceAllString(r.URL.Path, "/repos/owner/name")
	if top := strings.TrimSuffix(at, "/"); strings.HasSuffix(top, "/contents") {
		at = top + "/." // the library knows no empty path, which is the top folder
	}
	for _, p := range a.paths {
		values := p.pattern.FindStringSubmatch(at)
		if values == nil {
			continue
		}
		operation := p.item.GetOperation(r.Method)
		if operation == nil {
			return nil, nil, fmt.Errorf("the path %s knows no %s", p.template, r.Method)
		}
		params := map[string]string{}
		for i, name := range p.names {
			params[name] = values[i+1]
		}
		return &routers.Route{Spec: a.doc, Path: p.template, PathItem: p.item, Method: r.Method, Operation: operation}, params, nil
	}
	return nil, nil, errors.New("no such path is described")
}

// exchange is a request, its answer, and the description of both.
type exchange struct {
	api    *api
	route  *routers.Route
	input  *openapi3filter.RequestValidationInput
	asked  []byte
	answer *http.Response
	body   []byte // of the answer
}

func check(r *http.Request, answer *http.Response, ask bool) error {
	known, err := load()
	if err != nil {
		return err
	}
	route, params, err := known.find(r)
	if err != nil {
		return err
	}
	x := &exchange{api: known, route: route, answer: answer}
	if x.asked, err = io.ReadAll(r.Body); err != nil {
		return err
	}
	if x.body, err = io.ReadAll(answer.Body); err != nil {
		return err
	}
	x.input = requestInput(r, x.asked, route, params)
	if ask {
		err = x.checkRequest()
	}
	return errors.Join(err, x.checkAnswer())
}

func (x *exchange) excused(about matter) bool {
	return excused(about, x.input.Request, x.answer.StatusCode, x.route.Path)
}

func (x *exchange) checkRequest() error {
	err := openapi3filter.ValidateRequest(context.Background(), x.input)
	if err == nil || x.excused(aboutRequest) {
		return nil
	}
	return fmt.Errorf("request %s: %w", shortened(x.asked), err)
}

func (x *exchange) checkAnswer() error {
	if x.route.Operation.Responses.Status(x.answer.StatusCode) == nil {
		if !x.excused(aboutStatus) {
			return fmt.Errorf("answer %s: its status is not described", shortened(x.body))
		}
		return x.checkRefusal()
	}
	out := &openapi3filter.ResponseValidationInput{RequestValidationInput: x.input, Status: x.answer.StatusCode, Header: x.answer.Header, Options: options}
	out.SetBodyBytes(x.body)
	err := openapi3filter.ValidateResponse(context.Background(), out)
	switch {
	case err == nil:
		return nil
	case !x.excused(aboutAnswer):
		return fmt.Errorf("answer %s: %w", shortened(x.body), err)
	}
	return x.checkRefusal()
}

// checkRefusal checks that an excused answer has the form of GitHub's errors, unless it is a success.
func (x *exchange) checkRefusal() error {
	if x.answer.StatusCode < http.StatusMultipleChoices || x.answer.StatusCode == http.StatusNotModified {
		return nil
	}
	var body struct{ Message string }
	if err := json.Unmarshal(x.body, &body); err != nil || body.Message == "" {
		return fmt.Errorf("answer %s: want JSON with a message (%v)", shortened(x.body), err)
	}
	return nil
}

var options = &openapi3filter.Options{
	AuthenticationFunc: openapi3filter.NoopAuthenticationFunc, MultiError: true, IncludeResponseStatus: true,
	RejectWhenRequestBodyNotSpecified: true, SkipSettingDefaults: true,
}

func requestInput(r *http.Request, body []byte, route *routers.Route, params map[string]string) *openapi3filter.RequestValidationInput {
	copied := r.Clone(context.Background())
	copied.Body = io.NopCloser(bytes.NewReader(body))
	copied.ContentLength = int64(len(body))
	for name, value := range params {
		params[name] = url.PathEscape(value) // the library expects them escaped
	}
	return &openapi3filter.RequestValidationInput{Request: copied, PathParams: params, Route: route, Options: options}
}

const shown = 2000 // bytes of an answer in a message

func shortened(body []byte) []byte { return body[:min(len(body), shown)] }
