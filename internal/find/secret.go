package find

import (
	"bytes"
	"encoding/base64"
	"regexp"
)

// secretKind is the kind of a Secret. Its data is base64, and may contain YAML with
// references.
const secretKind = "kind: secret"

// encodedAt matches a key whose value is base64, on its line or in a block below it.
var encodedAt = regexp.MustCompile(`(?m)^([ \t]+)["']?[A-Za-z0-9_.-]+["']?[ \t]*:[ \t]*(?:[|>][+-]?[ \t\r]*((?:\n[ \t]+[A-Za-z0-9+/=]+[ \t\r]*)+)|["']?([A-Za-z0-9+/]{40,}={0,2})["']?[ \t\r]*)$`)

// secret finds references in the data of a Secret. Their place is the data, where they
// cannot be edited.
func secret(f *Finder, t *text, _ needle, at, _ int) {
	in := t.document(at)
	if in.Start < t.decoded {
		return // for another Secret in it
	}
	t.decoded = in.End
	for _, match := range encodedAt.FindAllSubmatchIndex(t.data[in.Start:in.End], -1) {
		start, end := in.Start+match[4], in.Start+match[5]
		if match[4] < 0 {
			start, end = in.Start+match[6], in.Start+match[7]
		}
		start += len(t.data[start:end]) - len(bytes.TrimLeft(t.data[start:end], " \t\r\n"))
		plain, err := base64.StdEncoding.DecodeString(string(bytes.Join(bytes.Fields(t.data[start:end]), nil)))
		if err != nil {
			continue
		}
		for _, r := range f.Text(t.name, plain) {
			r.Site = t.site(start, end)
			r.Lock = nil
			r.Context.Encoded = true
			t.encoded = append(t.encoded, r)
		}
	}
}
