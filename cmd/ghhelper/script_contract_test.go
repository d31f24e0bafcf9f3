package main

import (
	"fmt"
	"strings"
	"sync"

	"github.com/rogpeppe/go-internal/testscript"
)

// breaches are the requests and answers of a script that GitHub's description does not allow. The
// program under test is another process, so they are reported at the script's end.
type breaches struct {
	mu  sync.Mutex
	all []string
}

// Helper does nothing: the script has no line to blame.
func (b *breaches) Helper() {}

// Errorf records one breach.
func (b *breaches) Errorf(format string, args ...any) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.all = append(b.all, fmt.Sprintf(format, args...))
}

// tell fails the script if there are any.
func (b *breaches) tell(t testscript.T) {
	b.mu.Lock()
	defer b.mu.Unlock()
	if len(b.all) > 0 {
		t.Fatal(strings.Join(b.all, "\n"))
	}
}
