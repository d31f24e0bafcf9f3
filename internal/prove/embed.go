package prove

import (
	"bytes"
	"context"
	"fmt"
	"regexp"
	"strings"

	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
)

// embeds searches the declared texts in the files of an image, for each platform. Programs contain
// such texts without any reference.
func (r *run) embeds(ctx context.Context, t thing, d oci.Description) (evidence string, err error) {
	var said []string
	for _, p := range d.Each {
		found := make([]int, len(t.Embeds))
		err := r.Registry.Files(ctx, t.At, p.Digest, func(name string, data []byte) error {
			for i, text := range t.Embeds {
				n, err := r.occurrences(text, data)
				if err != nil {
					return fmt.Errorf("%s of %s: %w", name, p.Name, err)
				}
				found[i] += n
			}
			return nil
		})
		if err != nil {
			return "", err
		}
		for i, text := range t.Embeds {
			if found[i] == 0 {
				return "", outcome.Wrongf("no file of %s holds %q", p.Name, r.filled(text))
			}
		}
		said = append(said, p.Name)
	}
	return fmt.Sprintf("files of %s hold %s", strings.Join(said, ", "), r.filled(strings.Join(t.Embeds, " and "))), nil
}

func (r *run) filled(text string) string {
	return strings.ReplaceAll(text, "{version}", r.Version.String())
}

// occurrences counts the places in data with a text and the version. A place with another version
// is an error; one without a version, such as a template, is skipped.
func (r *run) occurrences(text string, data []byte) (n int, err error) {
	before, after, _ := strings.Cut(text, "{version}")
	if before == "" {
		return 0, outcome.Usagef("embeds %q: want some text before {version}, by which it is found", text)
	}
	for {
		i := bytes.Index(data, []byte(before))
		if i < 0 {
			return n, nil
		}
		data = data[i+len(before):]
		if versionAt(data) == "" {
			continue
		}
		rest, right := bytes.CutPrefix(data, []byte(r.Version.String()+r.filled(after)))
		switch {
		case !right || after == "" && prerelease.Match(rest):
			return n, outcome.Wrongf("it holds %q, want %q", before+versionAt(data), r.filled(text))
		case after == "" && versionAt(rest) != "":
			return n, fmt.Errorf(
				"it holds %q, where the version may be a longer one than %s: let some text follow {version} in embeds",
				before+versionAt(data), r.Version)
		}
		n++
	}
}

// prerelease is the start of a prerelease after a version. A program's texts may follow each other
// without a separator, so other characters mean nothing. A digit is ambiguous.
var prerelease = regexp.MustCompile(`^-(rc|alpha|beta|pre|dev|unstamped)`)

// versionAt returns the version at the start of data, or "".
func versionAt(data []byte) string {
	if len(data) == 0 || data[0] < '0' || data[0] > '9' {
		return ""
	}
	end := bytes.IndexFunc(data, func(c rune) bool {
		return (c < '0' || c > '9') && (c < 'a' || c > 'z') && c != '.' && c != '-'
	})
	const most = 40
	if end < 0 || end > most {
		end = min(len(data), most)
	}
	return string(data[:end])
}
