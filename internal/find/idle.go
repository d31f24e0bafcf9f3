package find

import (
	"fmt"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
)

// Idle is something declared that has no effect: an entry of delivery.yaml, or a mark in a file.
type Idle struct {
	ref.Site
	What     string
	IsExcuse bool
}

// enter adds the entry at a path of keys, and returns its index.
func (f *Finder) enter(what string, path ...string) int {
	site := ref.Site{File: delivery.FileName, Line: f.file.Line(path...), Column: 1}
	f.entries = append(f.entries, Idle{site, what, path[0] == "ignore" || path[0] == "treat"})
	return len(f.entries) - 1
}

// describe returns the conditions of an excuse.
func describe(e delivery.Excuse) string {
	text := ""
	for _, part := range [][2]string{{"files", e.Files}, {"pattern", e.Pattern}, {"component", e.Component}} {
		if part[1] != "" {
			text += fmt.Sprintf(" %s %q", part[0], part[1])
		}
	}
	return text
}
