package registry

import (
	"crypto/hmac"
	"crypto/sha256"
	"crypto/subtle"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"
)

const (
	actionPull = "pull"
	actionPush = "push"
)

// grant is the content of a bearer token, which is opaque to clients.
type grant struct {
	// Known is true if the client had valid credentials.
	Known bool `json:"k"`
	// Scopes maps a repository to the actions requested and granted.
	Scopes map[string][]string `json:"s"`
}

func (g grant) allows(repository, action string) bool {
	return slices.Contains(g.Scopes[repository], action)
}

// seal returns a bearer token. It signs the host, too, so no other registry accepts the token.
func (r *Registry) seal(g grant) (string, error) {
	b, err := json.Marshal(g)
	if err != nil {
		return "", err
	}
	return base64.RawURLEncoding.EncodeToString(b) + "." + base64.RawURLEncoding.EncodeToString(r.sign(b)), nil
}

func (r *Registry) unseal(token string) (grant, bool) {
	body, mac, _ := strings.Cut(token, ".")
	b, err := base64.RawURLEncoding.DecodeString(body)
	if err != nil {
		return grant{}, false
	}
	sum, err := base64.RawURLEncoding.DecodeString(mac)
	if err != nil || !hmac.Equal(sum, r.sign(b)) {
		return grant{}, false
	}
	var g grant
	return g, json.Unmarshal(b, &g) == nil
}

func (r *Registry) sign(b []byte) []byte {
	mac := hmac.New(sha256.New, r.key)
	mac.Write([]byte(r.host + "\n"))
	mac.Write(b)
	return mac.Sum(nil)
}

// serveToken serves the token endpoint. It serves only GET, because some real registries do not
// know the OAuth2 form, and clients fall back.
func (r *Registry) serveToken(rw http.ResponseWriter, req *http.Request) *refusal {
	if req.Method != http.MethodGet {
		return &refusal{http.StatusMethodNotAllowed, "UNSUPPORTED", "request a token with GET"}
	}
	_, password, given := req.BasicAuth()
	by, guest := r.guest(password)
	known := given && (guest || r.isGood(password))
	if given && !known || !given && req.Header.Get("Authorization") != "" {
		return &r.badLogin
	}
	g := grant{Known: known, Scopes: map[string][]string{}}
	for _, scope := range strings.Fields(strings.Join(req.URL.Query()["scope"], " ")) {
		if refused := r.extend(&g, by, scope); refused != nil {
			return refused
		}
	}
	return r.answerToken(rw, g)
}

// guest returns the rights of a password that guests knows.
func (r *Registry) guest(password string) (rights Rights, valid bool) {
	if r.guests == nil {
		return nil, false
	}
	return r.guests(password)
}

func (r *Registry) isGood(password string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return subtle.ConstantTimeCompare([]byte(password), []byte(r.token)) == 1
}

func (r *Registry) answerToken(rw http.ResponseWriter, g grant) *refusal {
	token, err := r.seal(g)
	if err != nil {
		return internal(err)
	}
	rw.Header().Set("Content-Type", "application/json")
	json.NewEncoder(rw).Encode(map[string]string{"token": token}) // an error means that the client has gone
	return nil
}

// extend adds the permitted actions of a scope, "repository:NAME:ACTION,ACTION". The rights by are
// those of a guest, or nil.
func (r *Registry) extend(g *grant, by Rights, scope string) *refusal {
	parts := strings.Split(scope, ":")
	if len(parts) != 3 || parts[0] != "repository" {
		return nil // such as registry:catalog:*, which is never granted
	}
	name := parts[1]
	if by != nil {
		g.Scopes[name] = append(g.Scopes[name], r.granted(by, name, strings.Split(parts[2], ","))...)
		return nil
	}
	if g.Known {
		g.Scopes[name] = append(g.Scopes[name], strings.Split(parts[2], ",")...)
		return nil
	}
	published, hidden := r.state(name)
	switch {
	case !published:
		return r.absent
	case hidden:
		return r.private
	}
	g.Scopes[name] = append(g.Scopes[name], actionPull)
	return nil
}

// granted returns the actions that a guest may take.
func (r *Registry) granted(by Rights, name string, actions []string) []string {
	_, hidden := r.state(name)
	pull, push := by(name)
	return slices.DeleteFunc(slices.Clone(actions), func(action string) bool {
		return action == actionPush && !push || action == actionPull && hidden && !pull
	})
}

func (r *Registry) state(repository string) (published, hidden bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.published[repository], r.hidden[repository]
}

// serveBase answers the version check, whose challenge names the token endpoint.
func (r *Registry) serveBase(rw http.ResponseWriter, req *http.Request) *refusal {
	if _, ok := r.unseal(bearer(req)); !ok {
		return r.challenge(rw, "")
	}
	rw.WriteHeader(http.StatusOK)
	return nil
}

// admit returns nil if the request may access the repository.
func (r *Registry) admit(rw http.ResponseWriter, req *http.Request, repository string) *refusal {
	action, scope := actionPull, actionPull
	if req.Method != http.MethodGet && req.Method != http.MethodHead {
		action, scope = actionPush, actionPull+","+actionPush
	}
	g, ok := r.unseal(bearer(req))
	if !ok {
		return r.challenge(rw, "repository:"+repository+":"+scope)
	}
	if action == actionPush {
		return r.admitPush(g, repository)
	}
	if _, hidden := r.state(repository); !g.allows(repository, actionPull) || hidden && !g.Known {
		return r.challenge(rw, "repository:"+repository+":"+scope)
	}
	return nil
}

func (r *Registry) admitPush(g grant, repository string) *refusal {
	if !g.allows(repository, actionPush) {
		return refuse(http.StatusForbidden, "DENIED",
			"permission_denied: the token provided does not match expected scopes")
	}
	if r.pushDenied(repository) {
		return &refusal{http.StatusForbidden, "DENIED", "permission_denied: write_package"}
	}
	return nil
}

func (r *Registry) pushDenied(repository string) bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.ContainsFunc(r.denied, func(prefix string) bool { return strings.HasPrefix(repository, prefix) })
}

func (r *Registry) challenge(rw http.ResponseWriter, scope string) *refusal {
	header := fmt.Sprintf(`Bearer realm="https://%s%s",service="%s"`, r.host, r.tokenPath, r.host)
	if scope != "" {
		header += fmt.Sprintf(`,scope="%s"`, scope)
	}
	rw.Header().Set("WWW-Authenticate", header)
	return &refusal{http.StatusUnauthorized, "UNAUTHORIZED", "authentication required"}
}

func bearer(req *http.Request) string {
	token, _ := strings.CutPrefix(req.Header.Get("Authorization"), "Bearer ")
	return token
}
