package decide

import (
	"fmt"
	"regexp"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Left is a pin that a bump leaves as it is.
type Left struct {
	ref.Reference
	Because string
}

// Wish is what a bump is asked for.
type Wish struct {
	Component string
	Version   ref.Version
	// From is the only version that is to be moved; zero for every one that
	// follows the component's releases.
	From ref.Version
	// AllowDowngrade moves newer pins too.
	AllowDowngrade bool
}

// Bump plans the edits that move a component's pins to a version, and says of
// every other pin why it stays. Pins that hold the version already are in
// neither list.
func Bump(f *delivery.File, pins []ref.Reference, wish Wish) (edits []Edit, left []Left) {
	current := map[string]ref.Version{}
	if !wish.From.IsZero() {
		current[wish.Component] = wish.From
	}
	for _, v := range Follow(f, pins, current) {
		if v.Component != wish.Component {
			continue
		}
		version, err := v.Version()
		switch because := stays(f, v, version, wish); {
		case err != nil:
			left = append(left, Left{v.Reference, err.Error()})
		case version.Compare(wish.Version) == 0 && !(because == "" && wantsDigest(f, v.Reference)):
		case because != "":
			left = append(left, Left{v.Reference, because})
		default:
			edits = append(edits, Edit{Reference: v.Reference, To: v.Spell(wish.Version), WantsDigest: wantsDigest(f, v.Reference), Behind: v.Lags()})
		}
	}
	return edits, left
}

var regularName = regexp.MustCompile(`(?i)regular`)

// stays is the reason why a pin is not moved, or "".
func stays(f *delivery.File, v Verdict, version ref.Version, wish Wish) string {
	prerelease := !version.IsZero() && wish.Version.Prerelease() != ""
	switch {
	case v.Because != "":
		return v.Because
	case version.IsZero():
		return ""
	case !wish.From.IsZero() && version.Compare(wish.From) != 0:
		return fmt.Sprintf("holds another version than %s", wish.From)
	case version.Compare(wish.Version) > 0 && !wish.AllowDowngrade:
		return "is newer already"
	case prerelease && regularName.MatchString(v.Context.Name):
		return "follows regular releases only"
	case prerelease && version.Prerelease() == "" && !f.Components[wish.Component].Prereleases:
		return fmt.Sprintf("holds a release, and %s is a prerelease: set prereleases for %s in %s to take it", wish.Version, wish.Component, delivery.FileName)
	}
	return ""
}
