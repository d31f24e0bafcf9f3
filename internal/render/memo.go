package render

import (
	"crypto/sha256"
	"fmt"
	"sync"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Memo remembers the renderings of packages, because a release renders the same package several times. Callers must not
// change a rendering that they get from it.
type Memo struct{ known sync.Map }

type memoKey struct {
	file         *delivery.File
	own          string
	archive, set [sha256.Size]byte
}

// Archive renders a package. Messages call it by the given name. A nil Memo remembers nothing.
func (m *Memo) Archive(
	f *delivery.File, name string, archive []byte, own ref.Version, sets ...Values,
) (Rendering, error) {
	// fmt prints maps in the order of their keys.
	key := memoKey{f, own.String(), sha256.Sum256(archive), sha256.Sum256(fmt.Append(nil, sets))}
	if m != nil {
		if known, ok := m.known.Load(key); ok {
			return known.(Rendering), nil
		}
	}
	c, err := chart.LoadArchive(name, archive)
	if err != nil {
		return Rendering{}, err
	}
	rendering, err := Chart(f, c, own, sets...)
	if err == nil && m != nil {
		m.known.Store(key, rendering)
	}
	return rendering, err
}
