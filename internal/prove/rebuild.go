package prove

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/outcome"
)

// Rebuilt is the result of building a commit again.
type Rebuilt struct {
	How    string            // the toolchain and the environment
	Images map[string]string // location → digest
	Files  map[string]string // an asset's name → digest
}

// rebuild builds the commit again while other queries run.
func (r *run) rebuild(ctx context.Context) (made Rebuilt, err error) {
	if r.src.Tree == nil {
		return made, &restsOnError{ruleGitTag}
	}
	return r.Rebuild(ctx, r.src)
}

// compare claims of each image and asset that building the commit again gives the same bytes. It is
// the only proof that does not depend on the publisher's statements.
func (r *run) compare(parts []part, made Rebuilt, err error) *subject {
	left := maps.Clone(made.Files)
	for _, p := range parts {
		for _, s := range p.subjects {
			if s.built == "" {
				continue
			}
			again, ok := made.Images[s.built]
			if s.asset {
				again, ok = made.Files[s.built]
				delete(left, s.built)
			}
			s.rebuilt(again, ok, made.How, err)
		}
	}
	// The files in the lists of checksums are compared already.
	maps.DeleteFunc(left, func(name, _ string) bool { return isChecksums(name) })
	if err != nil || len(left) == 0 {
		return nil
	}
	s := &subject{name: fmt.Sprintf("GitHub release %s of %s", r.gitTag(), r.repository())}
	claim := s.add(ruleRebuild, "it contains every file that the commit builds", ruleRelease)
	claim.err = outcome.Wrongf("it lacks %s", strings.Join(slices.Sorted(maps.Keys(left)), ", "))
	if unseen(parts, s.name) {
		claim.err = &restsOnError{ruleRelease}
	}
	return s
}

// unseen reports whether the first claim about a subject could not be proven.
func unseen(parts []part, name string) bool {
	for _, p := range parts {
		i := slices.IndexFunc(p.subjects, func(s *subject) bool { return s.name == name })
		if i >= 0 {
			return p.subjects[i].claims[0].err != nil
		}
	}
	return true
}

func (s *subject) rebuilt(again string, ok bool, how string, err error) {
	after := []string{}
	for _, c := range s.claims {
		after = append(after, c.key())
	}
	claim := s.add(ruleRebuild, "built again from the commit, it is the same", append(after, s.after...)...)
	switch {
	case err != nil:
		claim.err = err
	case s.digest == "":
		claim.err = &restsOnError{s.claims[0].rule}
	case !ok:
		claim.err = outcome.Wrongf("the commit builds no such thing")
	case again != s.digest:
		claim.err = outcome.Wrongf("it is %s, the commit builds %s (%s; the release's builder must be the same)",
			s.digest, again, how)
	default:
		claim.is(again+"; "+how, nil)
	}
}
