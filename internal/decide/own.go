package decide

import (
	"fmt"
	"net/url"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Tagged holds the newest versions of our own components among the git tags, by component.
type Tagged map[string]ref.Version

// Of returns the newest version of an own component, or of the one that it is in lock step with.
func (t Tagged) Of(f *delivery.File, component string) ref.Version { return t[f.OwnOf(component)] }

// isStamped reports whether a release stamps a file: it belongs to the source of an artifact of our own.
func isStamped(f *delivery.File, file string) bool {
	component, _ := f.Stamps(file)
	return component != ""
}

// IsOwn reports whether a reference is to our own. In a file that the release of one of our components stamps, another
// one is like a component of another repository.
func IsOwn(f *delivery.File, r ref.Reference) bool {
	if component, _ := f.Whole().Stamps(r.File); component != "" {
		return f.OwnOf(r.Component) == component
	}
	return f.IsOwn(r.Component)
}

// OfRelease returns the references that the release of the file's own component must check. It omits those that the
// release of another component of the repository stamps.
func OfRelease(f *delivery.File, references []ref.Reference) []ref.Reference {
	return slices.DeleteFunc(slices.Clone(references), func(r ref.Reference) bool {
		component, _ := f.Whole().Stamps(r.File)
		return component != "" && component != f.Self ||
			isPlaceholder(r) && !f.IsOwn(r.Component) && IsOwn(f.Whole(), r)
	})
}

// forUsers matches the files that users read or run without a build. Files of tests and of the build are not among
// them, because a build may replace the placeholder there.
var forUsers = regexp.MustCompile(`\.(?:sh|bash|ps1|ya?ml|json|tf)$`)

var (
	kustomization = regexp.MustCompile(`(?:^|/)kustomization\.ya?ml$`)
	inTests       = regexp.MustCompile(`(?:^|/)(?:tests?|e2e|testing|testdata|fixtures|\.github|hack|\.ci)/`)
)

func isForUsers(r ref.Reference) bool {
	return (r.Context.Document || forUsers.MatchString(r.File)) && !testData.MatchString(r.File) &&
		!inTests.MatchString(r.File) && !kustomization.MatchString(r.File)
}

// placeholderOf returns the placeholder as a place must write it.
func placeholderOf(f *delivery.File, r ref.Reference) string {
	named, known := wantsV(f, r)
	if known && named || !known && strings.HasPrefix(r.Written, "v") {
		return "v" + ref.Placeholder
	}
	return ref.Placeholder
}

// newestName matches an identifier for the newest release.
var newestName = regexp.MustCompile(`(?i)latest|newest|regular`)

// isAnnounced reports whether a place tells users our newest release, and no release stamps it: a declared pattern, or
// a declared name for it. A bump moves the place after the release.
func isAnnounced(f *delivery.File, r ref.Reference) bool {
	named := r.Syntax == ref.Matched || isDeclared(f, r) && newestName.MatchString(r.Context.Name)
	return named && f.IsOwn(r.Component) && !isStamped(f, r.File)
}

// newestOwn returns the current version of each component that this repository releases: the newest git tag or, before
// a release, the version that the tree prepares.
func newestOwn(f *delivery.File, pins []ref.Reference, tagged Tagged) map[string]ref.Version {
	current := map[string]ref.Version{}
	for _, name := range f.Names() {
		if newest := tagged.Of(f, name); f.IsOwn(name) && !newest.IsZero() {
			current[name] = newest
		}
	}
	for _, r := range pins {
		v, err := r.Version()
		if tagged.Of(f, r.Component).IsZero() || err != nil || !IsOwn(f, r) || !byForm(r).Follows() {
			continue
		}
		current[r.Component] = ref.Newest([]ref.Version{current[r.Component], v})
	}
	return current
}

// selfReference checks that git has no version of our own where a release writes it, and the placeholder nowhere else.
// A document or a job may name an older release.
func selfReference(f *delivery.File, v Verdict, tagged Tagged) []Finding {
	r := v.Reference
	own, placeholder, stamped := IsOwn(f, r), isPlaceholder(r), isStamped(f, r.File)
	saw := r.Component + " " + r.Written
	isJob := strings.Contains(r.Context.Scope, "#")
	switch {
	case !own && placeholder:
		return []Finding{At(r, "placeholder", saw, "a published version",
			"only our own component is stamped; this one needs a real version")}
	case !own || placeholder && (stamped || !isForUsers(r) || r.Context.Output):
		return nil
	case placeholder:
		return []Finding{At(r, "placeholder", saw, "a version, or a file that is stamped",
			"no release stamps this file: "+unstampedHelp)}
	case stamped && (v.Follows() || isOwnChart(r)):
		return []Finding{At(r, "self-reference", saw, placeholderOf(f, r),
			"git has no version of a component that this repository releases: the release stamps it")}
	case stamped || !v.Follows() || r.Context.Document || isAnnounced(f, r) ||
		isJob && (tagged.Of(f, r.Component).IsZero() || v.Lags()):
		return nil
	}
	return []Finding{At(r, "self-reference", saw, "no version of our own",
		"no release stamps this file: "+unstampedHelp)}
}

const unstampedHelp = "make it an asset, take the newest release at run time, or excuse it"

// OwnVersions checks before a tag that each place that is stamped, or that follows our own releases, has the version of
// the tag or the placeholder.
func OwnVersions(f *delivery.File, pins []ref.Reference, v ref.Version) []Finding {
	pins = slices.DeleteFunc(slices.Clone(pins), func(r ref.Reference) bool { return !IsOwn(f, r) })
	current := map[string]ref.Version{}
	for _, r := range pins {
		current[r.Component] = v
	}
	var findings []Finding
	for _, verdict := range Follow(f, pins, current) {
		r := verdict.Reference
		written, err := r.Version()
		follows := verdict.Follows() || isOwnChart(r)
		if err != nil || r.Excused != "" || !follows || r.Context.Document && !isStamped(f, r.File) ||
			isPlaceholder(r) || written.Compare(v) == 0 {
			continue
		}
		findings = append(findings, At(r, "own-version", r.Component+" "+r.Written, spell(f, r, v),
			"the commit names another version of our own than the tag: write "+placeholderOf(f, r)+
				" where the release stamps it, or the version to release"))
	}
	return findings
}

// OwnPath checks that a link to a file or folder of our own repository, at the version to release, names a path of the
// tree: the commit that gets the tag. names lists the files of the tree.
func OwnPath(f *delivery.File, r ref.Reference, version ref.Version, names []string) []Finding {
	written, err := r.Version()
	next := err == nil && (isPlaceholder(r) || !version.IsZero() && written.Compare(version) == 0)
	ours := next && slices.Contains(f.Selves, r.Component)
	links := r.Syntax == ref.Raw || r.Context.Page == "blob" || r.Context.Page == "tree"
	name, _, _ := strings.Cut(r.Path, "?")
	if plain, err := url.PathUnescape(name); err == nil {
		name = plain
	}
	name = strings.TrimSuffix(name, "/")
	left := r.Context.Prefix != "" || r.Excused != "" || strings.ContainsAny(name, "{}$<>*")
	if !ours || !links || name == "" || left {
		return nil
	}
	if slices.ContainsFunc(names, func(n string) bool { return n == name || strings.HasPrefix(n, name+"/") }) {
		return nil
	}
	return []Finding{At(r, "exists", fmt.Sprintf("a link to %s at our own tag", name), "a path of this commit",
		"the tag will be on this commit, which has no such file or folder: correct the link")}
}
