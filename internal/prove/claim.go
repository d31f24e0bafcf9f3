package prove

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/report"
)

// The rules. The order within a subject matters: content that an earlier rule refuted is not
// refuted again.
const (
	ruleGitTag   = "git-tag"
	ruleDeclared = "declared"

	ruleImageExists    = "image-exists"
	ruleImagePlatforms = "image-platforms"
	ruleImageRevision  = "image-revision"
	ruleImageVersion   = "image-version"
	ruleImageSource    = "image-source"
	ruleImageEmbeds    = "image-embeds"
	ruleImageSBOM      = "image-sbom"

	ruleChartExists       = "chart-exists"
	ruleChartVersion      = "chart-version"
	ruleChartRevision     = "chart-revision"
	ruleChartInstantiates = "chart-instantiates"
	ruleChartOwn          = "chart-own"
	ruleChartRenders      = "chart-renders"
	ruleChartRuns         = "chart-runs"
	ruleChartDependency   = "chart-dependency"
	ruleChartFiles        = "chart-files"
	ruleChartBytes        = "chart-bytes"

	ruleRelease       = "release"
	ruleAssetExists   = "asset-exists"
	ruleAssetSource   = "asset-source"
	ruleAssetChecksum = "asset-checksum"
	ruleAssetBinary   = "asset-binary"

	rulePublic  = "public"
	ruleSigned  = "signed"
	ruleRebuild = "rebuild"
)

// claim is an association in the making. It is proven if there is no error, and refuted if the
// error is of class outcome.Wrong.
type claim struct {
	rule, subject, text string
	evidence            string
	err                 error
	places              []string
	// after are the keys of claims whose refutation explains this one.
	after []string
}

func (c claim) key() string { return report.Association{Rule: c.rule, Subject: c.subject}.Key() }

func (c claim) refuted() bool { return c.err != nil && outcome.Of(c.err) == outcome.Wrong }

// standInError means that a claim depends on a stand-in.
type standInError struct{ what string }

func (e *standInError) Error() string { return "rests on a stand-in: " + e.what }

// restsOnError means that a claim depends on another one that failed.
type restsOnError struct{ rule string }

func (e *restsOnError) Error() string { return "rests on " + e.rule }

// settle turns claims into associations. A claim that is refuted only because another one is does
// not count again. It names its cause.
func settle(claims []claim) []report.Association {
	refuted := map[string]bool{}
	for _, c := range claims {
		refuted[c.key()] = c.refuted()
	}
	var all []report.Association
	for _, c := range claims {
		all = append(all, c.settled(refuted))
	}
	return all
}

func (c claim) settled(refuted map[string]bool) report.Association {
	a := report.Association{Rule: c.rule, Subject: c.subject, Claim: c.text, State: report.Proven, Evidence: c.evidence,
		Places: c.places}
	if c.err == nil {
		return a
	}
	a.State, a.Evidence = report.Unchecked, oneLine(c.err)
	var standIn *standInError
	a.StandIn = errors.As(c.err, &standIn) && !c.refuted()
	var restsOn *restsOnError
	if errors.As(c.err, &restsOn) {
		a.RestsOn = restsOn.rule
	}
	rule, subject := c.cause(refuted)
	switch {
	case c.refuted() && rule == "":
		a.State = report.Refuted
	case rule != "" && a.RestsOn == "":
		cause := rule
		if subject != c.subject {
			cause += " of " + subject
		}
		a.RestsOn, a.Evidence = rule, fmt.Sprintf("follows from %s, which is refuted: %s", cause, a.Evidence)
	}
	return a
}

// cause returns the first refuted claim that explains this one.
func (c claim) cause(refuted map[string]bool) (rule, subject string) {
	for _, key := range c.after {
		if refuted[key] {
			rule, subject, _ = strings.Cut(key, " ")
			return rule, subject
		}
	}
	return "", ""
}

func oneLine(err error) string {
	return strings.Join(strings.FieldsFunc(err.Error(), func(r rune) bool { return r == '\n' || r == '\r' }), "; ")
}

// subject makes the claims about one thing.
type subject struct {
	name   string
	claims []claim
	// the digest of the published bytes; the location or asset name for comparing with a rebuild
	digest, built string
	asset         bool
	seal          *seal // the result of verifying its attestations; nil if they were not queried
	// after are further claims whose refutation explains every claim here.
	after []string
}

func (s *subject) add(rule, text string, after ...string) *claim {
	c := claim{rule: rule, subject: s.name, text: text}
	for _, rule := range after {
		c.after = append(c.after, s.keyOf(rule))
	}
	s.claims = append(s.claims, c)
	return &s.claims[len(s.claims)-1]
}

// keyOf returns the key of a rule for this subject.
func (s *subject) keyOf(rule string) string {
	if strings.Contains(rule, " ") {
		return rule
	}
	return rule + " " + s.name
}

// is records the evidence of a claim, or the error.
func (c *claim) is(evidence string, err error) { c.evidence, c.err = evidence, err }

// afterAll returns the keys of all claims so far, and of those that explain them.
func (s *subject) afterAll() []string {
	keys := slices.Clone(s.after)
	for _, c := range s.claims {
		keys = append(keys, c.key())
	}
	return keys
}

// missing adds claims that depend on one that failed.
func (s *subject) missing(on string, claims map[string]string, order ...string) {
	for _, rule := range order {
		s.add(rule, claims[rule]).err = &restsOnError{on}
	}
}
