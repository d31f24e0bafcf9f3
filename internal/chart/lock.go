package chart

import (
	"bytes"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
	helm "helm.sh/helm/v3/pkg/chart"

	"github.com/kubestellar/actions/internal/ref"
)

// locked is the part of a Chart.yaml, or of a Chart.lock, about dependencies.
type locked struct {
	Digest       string
	Dependencies []*helm.Dependency
}

// ErrLock is wrapped by the reasons why only helm can write a Chart.lock.
var ErrLock = errors.New("only helm can write it")

// digestOf returns the digest that helm writes into the Chart.lock of some dependencies.
func digestOf(wanted, locked []*helm.Dependency) (string, error) {
	data, err := json.Marshal([2][]*helm.Dependency{wanted, locked})
	return fmt.Sprintf("sha256:%x", sha256.Sum256(data)), err
}

// InSync reports whether a Chart.lock belongs to the dependencies in a Chart.yaml, as helm dependency build checks it.
// Only helm knows the URLs of repositories that are named by aliases. Their locks count as in sync.
func InSync(declaration, lock []byte) (bool, error) {
	var wanted, has locked
	if err := errors.Join(yaml.Unmarshal(declaration, &wanted), yaml.Unmarshal(lock, &has)); err != nil {
		return false, err
	}
	if slices.ContainsFunc(wanted.Dependencies, hasAlias) {
		return true, nil
	}
	digest, err := digestOf(wanted.Dependencies, has.Dependencies)
	return digest == has.Digest, err
}

func hasAlias(d *helm.Dependency) bool {
	return d == nil || strings.HasPrefix(d.Repository, "@") || strings.HasPrefix(d.Repository, "alias:")
}

// Relock returns the Chart.lock for a Chart.yaml whose dependencies have other versions than before. It keeps all other
// bytes, with the time. It wraps ErrLock if a version is a range, or if the lock did not belong to the dependencies.
func Relock(before, after, lock []byte) ([]byte, error) {
	var old, wanted, has locked
	var doc yaml.Node
	err := errors.Join(yaml.Unmarshal(before, &old), yaml.Unmarshal(after, &wanted), yaml.Unmarshal(lock, &has),
		yaml.Unmarshal(lock, &doc))
	if err != nil {
		return nil, err
	}
	if slices.EqualFunc(old.Dependencies, wanted.Dependencies, sameVersion) {
		return lock, nil
	}
	digest, err := digestOf(old.Dependencies, has.Dependencies)
	if err != nil || len(old.Dependencies) != len(wanted.Dependencies) ||
		digest != has.Digest || len(has.Dependencies) != len(wanted.Dependencies) {
		return nil, fmt.Errorf("it did not belong to Chart.yaml before: %w", ErrLock)
	}
	var edits []scalar
	for i, d := range wanted.Dependencies {
		was, is := old.Dependencies[i].Version, has.Dependencies[i]
		if d.Version == was {
			continue
		}
		_, err := ref.ParseVersion(d.Version)
		if err != nil || strings.TrimPrefix(is.Version, "v") != strings.TrimPrefix(was, "v") || is.Name != d.Name {
			return nil, fmt.Errorf("the version of %s is a range: %w", d.Name, ErrLock)
		}
		to := strings.TrimPrefix(d.Version, "v")
		if strings.HasPrefix(is.Version, "v") {
			to = "v" + to
		}
		edits = append(edits, scalar{nodeAt(&doc, "dependencies", i, "version"), to})
		is.Version = to
	}
	if digest, err = digestOf(wanted.Dependencies, has.Dependencies); err != nil {
		return nil, err
	}
	return replaced(lock, append(edits, scalar{nodeAt(&doc, "digest"), digest}))
}

func sameVersion(a, b *helm.Dependency) bool { return a != nil && b != nil && a.Version == b.Version }

// scalar is a new value for a scalar in a YAML document.
type scalar struct {
	node *yaml.Node
	to   string
}

// nodeAt returns the node at a path of keys and indexes, or nil.
func nodeAt(n *yaml.Node, path ...any) *yaml.Node {
	if n.Kind == yaml.DocumentNode {
		n = n.Content[0]
	}
	for _, step := range path {
		next := -1
		switch at := step.(type) {
		case int:
			next = at
		case string:
			next = 1 + slices.IndexFunc(n.Content, func(key *yaml.Node) bool { return key.Value == at })
		}
		if next < 0 || next >= len(n.Content) {
			return nil
		}
		n = n.Content[next]
	}
	return n
}

// replaced replaces scalars of a YAML text that are on one line.
func replaced(data []byte, edits []scalar) ([]byte, error) {
	lines := bytes.SplitAfter(data, []byte("\n"))
	for _, e := range edits {
		if e.node == nil || e.node.Line > len(lines) {
			return nil, fmt.Errorf("it lacks a version or its digest: %w", ErrLock)
		}
		line := lines[e.node.Line-1]
		at := bytes.Index(line[min(e.node.Column-1, len(line)):], []byte(e.node.Value))
		if at < 0 || e.node.Value == "" {
			return nil, fmt.Errorf("%q is not on one line: %w", e.node.Value, ErrLock)
		}
		at += e.node.Column - 1
		lines[e.node.Line-1] = slices.Concat(line[:at], []byte(e.to), line[at+len(e.node.Value):])
	}
	return bytes.Join(lines, nil), nil
}
