package registry

// Internals for the tests.
const TagsPage = tagsPage

type Grant = grant

var DigestOf = digestOf

// TokenPath returns the path of the token endpoint.
func (r *Registry) TokenPath() string { return r.tokenPath }

// Seal returns a bearer token for a grant.
func (r *Registry) Seal(g Grant) (string, error) { return r.seal(g) }
