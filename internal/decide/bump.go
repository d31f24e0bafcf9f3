package decide

import (
	"fmt"
	"regexp"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Left is a pin that a bump does not move, with the reason.
type Left struct {
	ref.Reference
	Because string
}

// Move is the request of a bump: a component and the version that its pins move to.
type Move struct {
	Component string
	Version   ref.Version
	// From limits the move to pins of this version. Zero moves every pin that
	// follows the component's releases.
	From ref.Version
	// AllowDowngrade moves newer pins too.
	AllowDowngrade bool
}

// Bump returns the edits that move a component's pins to a version, and the pins that stay, with the reasons. A pin
// that has the version already is in neither list.
func Bump(f *delivery.File, pins []ref.Reference, move Move) (edits []Edit, left []Left) {
	current := map[string]ref.Version{}
	if !move.From.IsZero() {
		current[move.Component] = move.From
	}
	for _, v := range Follow(f, pins, current) {
		if v.Component != move.Component {
			continue
		}
		version, err := v.Version()
		switch because := stays(f, v, version, move); {
		case err != nil:
			left = append(left, Left{v.Reference, err.Error()})
		case version.Compare(move.Version) == 0 && !(because == "" && wantsDigest(f, v.Reference)):
		case because != "":
			left = append(left, Left{v.Reference, because})
		default:
			edits = append(edits, Edit{
				Reference:   v.Reference,
				To:          v.Spell(move.Version),
				WantsDigest: wantsDigest(f, v.Reference),
				Behind:      v.Lags(),
			})
		}
	}
	return edits, left
}

var regularName = regexp.MustCompile(`(?i)regular`)

// stays returns the reason why a pin is not moved, or "".
func stays(f *delivery.File, v Verdict, version ref.Version, move Move) string {
	prerelease := !version.IsZero() && move.Version.Prerelease() != ""
	switch {
	case v.Because != "":
		return v.Because
	case version.IsZero():
		return ""
	case !move.From.IsZero() && version.Compare(move.From) != 0:
		return fmt.Sprintf("has another version than %s", move.From)
	case version.Compare(move.Version) > 0 && !move.AllowDowngrade:
		return "is newer already"
	case prerelease && regularName.MatchString(v.Context.Name):
		return "follows regular releases only"
	case prerelease && version.Prerelease() == "" && !f.Components[move.Component].Prereleases:
		return fmt.Sprintf("has a release, and %s is a prerelease: set prereleases for %s in %s to accept it",
			move.Version, move.Component, delivery.FileName)
	}
	return ""
}
