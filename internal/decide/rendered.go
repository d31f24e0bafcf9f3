package decide

import (
	"fmt"
	"regexp"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/resolve"
)

// imageLine matches an image in a rendered manifest, as a plain, quoted or list value.
var imageLine = regexp.MustCompile(`(?m)^[ \t-]*image:[ \t]*["']?([^\s"']+)`)

// Rendered returns the findings in a rendered file of a chart: a placeholder, and an image without a version, at
// latest, or with an unexpanded variable. Each of these has been released.
func Rendered(name, text string, found []ref.Reference) []Finding {
	var findings []Finding
	add := func(offset int, rule, saw, want string) {
		line := 1 + strings.Count(text[:offset], "\n")
		findings = append(findings, Finding{
			Rule: rule, File: name, Line: line, Column: 1,
			Saw: saw, Want: want, Help: "correct the chart's template or values",
		})
	}
	if i := strings.Index(text, ref.Placeholder); i >= 0 {
		add(i, "placeholder-survives", ref.Placeholder, "the version that is released")
	}
	for _, m := range imageLine.FindAllStringSubmatchIndex(text, -1) {
		image := text[m[2]:m[3]]
		if problem := badImage(image); problem != "" {
			add(m[2], "rendered-image", fmt.Sprintf("image %s", image), problem)
		}
	}
	for _, r := range found {
		if r.Use {
			add(r.Start, "unexpanded", r.Written, "a version")
		}
	}
	return findings
}

// badImage returns what an image reference lacks, or "".
func badImage(image string) string {
	_, last, _ := cutLast(image, "/")
	name, tag, tagged := strings.Cut(last, ":")
	switch {
	case strings.Contains(image, "@sha256:"):
		return ""
	case strings.ContainsAny(image, "${}"):
		return "no unexpanded variable"
	case !tagged || tag == "":
		return "a tag after " + name
	case tag == "latest":
		return "a version, not latest"
	}
	return ""
}

// Images adds the images of a rendered file that no component declares. They must exist as well.
func Images(f *delivery.File, file, text string, named resolve.Named) {
	for _, m := range imageLine.FindAllStringSubmatchIndex(text, -1) {
		written := text[m[2]:m[3]]
		image, err := name.ParseReference(written)
		if err != nil || badImage(written) != "" {
			continue // Rendered reports it
		}
		at := image.Context().Name()
		if _, _, declared := f.Locate(at); !declared {
			line := 1 + strings.Count(text[:m[2]], "\n")
			target := resolve.Target{Kind: resolve.Image, At: at, Tag: image.Identifier()}
			site := ref.Site{File: file, Line: line, Column: 1}
			named.Add(target, resolve.Place{Site: site, Text: fmt.Sprintf("%s:%d", file, line)})
		}
	}
}

func cutLast(s, sep string) (before, after string, found bool) {
	if i := strings.LastIndex(s, sep); i >= 0 {
		return s[:i], s[i+len(sep):], true
	}
	return "", s, false
}
