package render

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Memo remembers what packages render to: a release looks at the same bytes
// several times. Whoever takes a rendering from it does not change it.
type Memo struct{ known sync.Map }

type memoKey struct {
	file         *delivery.File
	own          string
	archive, set [sha256.Size]byte
}

// Archive is Chart for a package; what names it in messages. A nil Memo
// remembers nothing.
func (m *Memo) Archive(f *delivery.File, what string, archive []byte, own ref.Version, sets ...Values) (Rendering, error) {
	key := memoKey{f, own.String(), sha256.Sum256(archive), sha256.Sum256(fmt.Append(nil, sets))} // maps are printed in order
	if m != nil {
		if known, ok := m.known.Load(key); ok {
			return known.(Rendering), nil
		}
	}
	c, err := chart.LoadArchive(what, archive)
	if err != nil {
		return Rendering{}, err
	}
	to, err := Chart(f, c, own, sets...)
	if err == nil && m != nil {
		m.known.Store(key, to)
	}
	return to, err
}
