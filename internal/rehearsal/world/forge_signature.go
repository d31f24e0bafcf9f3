package world

import (
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"strings"
)

// signingKey takes the place of GitHub's. It is no secret, so that two worlds whose clocks tell
// the same time make the same commits.
const signingKey = "the rehearsal's forge"

// armor is the forge's signature of a commit, in the form of those that GitHub's key makes.
func armor(payload string) string {
	mac := hmac.New(sha256.New, []byte(signingKey))
	mac.Write([]byte(payload))
	return "-----BEGIN PGP SIGNATURE-----\n\n" + base64.StdEncoding.EncodeToString(mac.Sum(nil)) + "\n-----END PGP SIGNATURE-----"
}

// signed is the text of a commit with the forge's signature in its head.
func signed(text string) string {
	head, message, _ := strings.Cut(text, "\n\n")
	return head + "\ngpgsig " + strings.ReplaceAll(armor(text), "\n", "\n ") + "\n\n" + message
}

// verification is what GitHub says of a commit's signature.
func (c commit) verification() map[string]any {
	switch c.signature {
	case "":
		return unsigned()
	case armor(c.payload):
		return map[string]any{"verified": true, "reason": "valid", "signature": c.signature, "payload": c.payload, "verified_at": stamp(*c.committer.Date)}
	}
	return map[string]any{"verified": false, "reason": "unknown_key", "signature": c.signature, "payload": c.payload, "verified_at": nil}
}

// unsigned is what GitHub says of an object without a signature.
func unsigned() map[string]any {
	return map[string]any{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil}
}
