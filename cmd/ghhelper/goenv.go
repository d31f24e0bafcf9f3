package main

import (
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// goSetting returns a setting of the go command, from the environment or from
// the file that `go env -w` writes:
// https://pkg.go.dev/cmd/go#hdr-Environment_variables
func (p process) goSetting(name, otherwise string) string {
	if value := p.Getenv(name); value != "" {
		return value
	}
	config, err := os.UserConfigDir()
	if err != nil {
		return otherwise
	}
	data, err := os.ReadFile(orElse(p.Getenv("GOENV"), filepath.Join(config, "go", "env")))
	if err != nil {
		return otherwise // the file is absent, or the go command cannot read it either
	}
	for line := range strings.Lines(string(data)) {
		if value, ok := strings.CutPrefix(strings.TrimSpace(line), name+"="); ok && value != "" {
			return value
		}
	}
	return otherwise
}

// goProxies returns the module proxies of the go command, in order.
func (p process) goProxies() []string {
	entries := strings.FieldsFunc(p.goSetting("GOPROXY", "https://proxy.golang.org,direct"), func(r rune) bool {
		return r == ',' || r == '|'
	})
	return slices.DeleteFunc(entries, func(e string) bool { return strings.TrimSpace(e) == "" })
}
