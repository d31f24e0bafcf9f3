package forge

import (
	"bufio"
	"bytes"
	"cmp"
	"compress/zlib"
	"context"
	"crypto/hmac"
	"crypto/sha1"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"time"
)

// zeroSHA means "no object": the old value of a ref that must not exist yet.
const zeroSHA = "0000000000000000000000000000000000000000"

// gitEnv keeps the machine's and the user's configuration out of the forge's git processes.
func gitEnv(home string) []string {
	return []string{
		"PATH=" + os.Getenv("PATH"), "HOME=" + home, "LC_ALL=C", "TZ=UTC",
		"GIT_CONFIG_NOSYSTEM=1", "GIT_CONFIG_GLOBAL=" + os.DevNull, "GIT_TERMINAL_PROMPT=0",
	}
}

// bare is a bare git repository on disk.
type bare struct {
	ctx     context.Context // ends git when the forge stops
	dir     string
	env     []string
	answers *answers
}

// gitError is a git command that failed.
type gitError struct {
	args   []string
	stderr string
	err    error
}

func (e *gitError) Error() string {
	return fmt.Sprintf("git %s: %v: %s", strings.Join(e.args, " "), e.err, e.stderr)
}

func (e *gitError) Unwrap() error { return e.err }

// run runs git on the repository and returns what it printed.
func (b *bare) run(stdin string, args ...string) (string, error) {
	cmd := exec.CommandContext(b.ctx, "git", append([]string{"--git-dir=" + b.dir}, args...)...)
	cmd.Env, cmd.Stdin, cmd.WaitDelay = b.env, strings.NewReader(stdin), 5*time.Second
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Run(); err != nil {
		return "", &gitError{args, strings.TrimSpace(stderr.String()), err}
	}
	return stdout.String(), nil
}

// isTrue runs a git command whose exit status is its answer: 0 yes, 1 no. Other statuses are errors.
// Like that of fact, the answer must never change.
func (b *bare) isTrue(args ...string) (bool, error) {
	const no, yes = "no", "yes"
	said, err := b.answers.fact("is "+strings.Join(args, "\x00"), func() (string, error) {
		_, err := b.run("", args...)
		var exit *exec.ExitError
		if errors.As(err, &exit) && exit.ExitCode() == 1 {
			return no, nil
		}
		return yes, err
	})
	return said == yes, err
}

// fact is run for a command whose answer never changes, because its arguments and its input name
// objects by their hashes. It runs git once for each.
func (b *bare) fact(stdin string, args ...string) (string, error) {
	query := strings.Join(args, "\x00") + "\x00" + stdin
	return b.answers.fact(query, func() (string, error) { return b.run(stdin, args...) })
}

// ref is a name in git and the object that it names, which may be a tag object.
type ref struct{ name, sha, kind string }

// refs returns all refs whose full name begins with prefix, such as refs/tags/v1, sorted by name.
func (b *bare) refs(prefix string) ([]ref, error) {
	shas, err := b.shas()
	if err != nil {
		return nil, err
	}
	var found []ref
	for _, name := range slices.Sorted(maps.Keys(shas)) {
		if !strings.HasPrefix(name, prefix) {
			continue
		}
		kind, err := b.kind(shas[name])
		if err != nil {
			return nil, err
		}
		found = append(found, ref{name, shas[name], kind})
	}
	return found, nil
}

// shas returns the objects of all refs. It reads git's files, because most requests ask for refs and
// a git process takes most of their time.
func (b *bare) shas() (map[string]string, error) {
	shas, err := b.packedRefs()
	if err != nil {
		return nil, err
	}
	err = filepath.WalkDir(filepath.Join(b.dir, "refs"), func(path string, entry fs.DirEntry, err error) error {
		if errors.Is(err, fs.ErrNotExist) {
			return nil // deleted in the meantime
		}
		if err != nil || entry.IsDir() || strings.HasPrefix(entry.Name(), ".") || strings.HasSuffix(path, ".lock") {
			return err
		}
		data, err := os.ReadFile(path)
		if errors.Is(err, fs.ErrNotExist) {
			return nil
		}
		name, relErr := filepath.Rel(b.dir, path)
		shas[filepath.ToSlash(name)] = strings.TrimSpace(string(data))
		return errors.Join(err, relErr)
	})
	return shas, err
}

// packedRefs returns the objects of the refs in packed-refs, of which a ref's own file may be newer.
func (b *bare) packedRefs() (map[string]string, error) {
	data, err := os.ReadFile(filepath.Join(b.dir, "packed-refs"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	shas := map[string]string{}
	for line := range strings.Lines(string(data)) {
		if sha, name, isRef := strings.Cut(strings.TrimSpace(line), " "); isRef && fullSHA.MatchString(sha) {
			shas[name] = sha
		}
	}
	return shas, nil
}

// ref returns a ref by its full name.
func (b *bare) ref(name string) (ref, bool, error) {
	all, err := b.refs(name)
	if err != nil || len(all) == 0 || all[0].name != name {
		return ref{}, false, err
	}
	return all[0], true, nil
}

// kind returns the type of an object, or "" if there is none.
func (b *bare) kind(sha string) (string, error) {
	if !fullSHA.MatchString(sha) {
		return "", nil
	}
	if kind := b.looseKind(sha); kind != "" {
		return kind, nil
	}
	out, err := b.run(sha+"\n", "cat-file", "--batch-check=%(objecttype)")
	if kind := strings.TrimSpace(out); err == nil && !strings.HasSuffix(kind, "missing") {
		return kind, nil
	}
	return "", err
}

// looseKind returns the type of an object that is in a file of its own, or "".
func (b *bare) looseKind(sha string) string {
	file, err := os.Open(filepath.Join(b.dir, "objects", sha[:2], sha[2:]))
	if err != nil {
		return ""
	}
	defer file.Close()
	unzipped, err := zlib.NewReader(file)
	if err != nil {
		return ""
	}
	kind, err := bufio.NewReader(unzipped).ReadString(' ')
	if err != nil {
		return ""
	}
	return strings.TrimSpace(kind)
}

var (
	fullSHA  = regexp.MustCompile(`^[0-9a-f]{40}$`)
	shortSHA = regexp.MustCompile(`^[0-9a-f]{7,40}$`)
)

// commitOf returns the commit of a branch, a tag, a partial ref (heads/x) or a SHA. User input
// never reaches git as a revision expression.
func (b *bare) commitOf(name string) (string, bool, error) {
	candidates := []string{"refs/heads/" + name, "refs/tags/" + name, "refs/" + name}
	if name == "HEAD" || strings.HasPrefix(name, "refs/") {
		candidates = []string{name}
	}
	if shortSHA.MatchString(name) {
		candidates = append([]string{name}, candidates...)
	}
	for _, c := range candidates {
		if sha, err := b.plainCommit(c); sha != "" || err != nil {
			return sha, err == nil, err
		}
		if ok, err := b.isTrue("check-ref-format", "--allow-onelevel", c); err != nil || !ok {
			return "", false, err
		}
		out, err := b.run("", "rev-parse", "--verify", "--quiet", "--end-of-options", c+"^{commit}")
		if err == nil {
			return strings.TrimSpace(out), true, nil
		}
		if exit := (*exec.ExitError)(nil); !errors.As(err, &exit) || exit.ExitCode() != 1 {
			return "", false, err
		}
	}
	return "", false, nil
}

// plainCommit returns the commit that a ref or a full SHA names directly, or "" if git has to find it.
func (b *bare) plainCommit(name string) (string, error) {
	sha := name
	if strings.HasPrefix(name, "refs/") {
		r, _, err := b.ref(name)
		if err != nil {
			return "", err
		}
		sha = r.sha
	}
	if kind, err := b.kind(sha); kind != "commit" || err != nil {
		return "", err
	}
	return sha, nil
}

var errRefExists = errors.New("reference already exists")

// createRef creates a ref. If it exists, the error is errRefExists.
func (b *bare) createRef(name, sha string) error {
	_, err := b.run("", "update-ref", name, sha, zeroSHA)
	if err == nil {
		return nil
	}
	if _, exists, lookErr := b.ref(name); lookErr == nil && exists {
		return errRefExists
	}
	return err
}

// maxBlob is the largest blob that GitHub's API accepts: https://docs.github.com/en/rest/git/blobs
const maxBlob = 40 << 20

func missing(field string) *apiError {
	return unprocessable(fmt.Sprintf("Invalid request.\n\n%q wasn't supplied.", field))
}

// notEmpty refuses to create objects in an empty repository, as GitHub does
// (github/rest-api-description#637).
func (r *repository) notEmpty() error {
	all, err := r.refs("refs/")
	if err == nil && len(all) == 0 {
		err = &apiError{status: http.StatusConflict, Message: "Git Repository is empty."}
	}
	return err
}

// createdAt answers 201 with the new object's address.
func createdAt(body map[string]any) (reply, error) {
	return reply{http.StatusCreated, body, http.Header{"Location": {body["url"].(string)}}}, nil
}

func (f *Forge) createBlob(c *call) (reply, error) {
	ask, err := decode[struct{ Content, Encoding *string }](c.Request)
	if err != nil {
		return fail(err)
	}
	if ask.Content == nil {
		return fail(missing("content"))
	}
	if err := c.repo.notEmpty(); err != nil {
		return fail(err)
	}
	text, err := decodeBlob(*ask.Content, ask.Encoding)
	if err != nil {
		return fail(err)
	}
	sha, err := c.repo.writeObject("blob", text)
	if err != nil {
		return fail(err)
	}
	return createdAt(map[string]any{"sha": sha, "url": c.repo.api("/git/blobs/%s", sha)})
}

func decodeBlob(content string, encoding *string) (string, error) {
	kind := "utf-8"
	set(&kind, encoding)
	switch kind {
	case "utf-8":
	case "base64":
		raw, err := base64.StdEncoding.DecodeString(strings.Join(strings.Fields(content), ""))
		if err != nil {
			return "", unprocessable("content is not valid Base64")
		}
		content = string(raw)
	default:
		return "", unprocessable(fmt.Sprintf("%q is not a valid encoding", kind))
	}
	if len(content) > maxBlob {
		return "", unprocessable(
			"Sorry, your input was too large to process. Consider creating the blob in a local clone of the " +
				"repository and then pushing it to GitHub.",
		)
	}
	return content, nil
}

// writeObject stores an object of a checked kind and returns its name. It writes git's file itself,
// because most requests that write do so, and a git process takes most of their time.
func (b *bare) writeObject(kind, text string) (string, error) {
	raw := fmt.Sprintf("%s %d\x00%s", kind, len(text), text)
	sum := sha1.Sum([]byte(raw))
	sha := hex.EncodeToString(sum[:])
	if b.looseKind(sha) != "" {
		return sha, nil
	}
	var zipped bytes.Buffer
	zip := zlib.NewWriter(&zipped)
	if _, err := io.WriteString(zip, raw); err != nil {
		return "", err
	}
	if err := zip.Close(); err != nil {
		return "", err
	}
	return sha, b.store(sha, zipped.Bytes())
}

// store writes an object's file at once, because git may read it at any time.
func (b *bare) store(sha string, zipped []byte) error {
	folder := filepath.Join(b.dir, "objects", sha[:2])
	if err := os.MkdirAll(folder, 0o755); err != nil {
		return err
	}
	file, err := os.CreateTemp(folder, "tmp_obj_*")
	if err != nil {
		return err
	}
	defer os.Remove(file.Name()) // it is gone unless something failed
	_, err = file.Write(zipped)
	if err = errors.Join(err, file.Chmod(0o444), file.Close()); err != nil {
		return err
	}
	return os.Rename(file.Name(), filepath.Join(folder, sha[2:]))
}

const base64Line = 60 // characters, as in GitHub's answers

func (f *Forge) getBlob(c *call) (reply, error) {
	sha := c.PathValue("sha")
	kind, err := c.repo.kind(sha)
	if err != nil {
		return fail(err)
	}
	if kind != "blob" {
		return fail(notFound())
	}
	body, err := c.repo.fact("", "cat-file", "blob", sha)
	if err != nil {
		return fail(err)
	}
	if acceptsRaw(c.Header) {
		return ok(text{"application/vnd.github.raw+json; charset=utf-8", body})
	}
	return ok(map[string]any{
		"sha": sha, "node_id": nodeID("Blob", sha), "url": c.repo.api("/git/blobs/%s", sha),
		"size": len(body), "content": folded(base64.StdEncoding.EncodeToString([]byte(body))), "encoding": "base64",
	})
}

// acceptsRaw reports whether the client wants bytes instead of JSON, by any media type that GitHub
// has used for it.
func acceptsRaw(h http.Header) bool {
	return slices.ContainsFunc(
		[]string{"application/vnd.github.raw+json", "application/vnd.github.raw", "application/vnd.github.v3.raw"},
		func(kind string) bool { return accepts(h, kind) },
	)
}

func folded(s string) string {
	var b strings.Builder
	for ; len(s) > base64Line; s = s[base64Line:] {
		b.WriteString(s[:base64Line] + "\n")
	}
	if s != "" {
		b.WriteString(s + "\n")
	}
	return b.String()
}

// commitAsk is the body of a new commit; nil means "not given".
type commitAsk struct {
	Message, Tree     *string
	Parents           []string
	Author, Committer *person
	Signature         *string
}

func (f *Forge) createGitCommit(c *call) (reply, error) {
	ask, err := decode[commitAsk](c.Request)
	if err != nil {
		return fail(err)
	}
	if err := ask.refusal(c.repo); err != nil {
		return fail(err)
	}
	made, signs := ask.commit(f.site, c.who())
	sha, err := f.writeCommit(c.repo, made, signs)
	if err != nil {
		return fail(err)
	}
	written, err := c.repo.commit(sha)
	if err != nil {
		return fail(err)
	}
	return createdAt(c.repo.gitCommitJSON(written))
}

func (a commitAsk) refusal(r *repository) error {
	switch {
	case a.Message == nil:
		return missing("message")
	case a.Tree == nil:
		return missing("tree")
	case a.Signature != nil:
		return &apiError{
			status:  http.StatusNotImplemented,
			Message: "the rehearsal's forge takes no signature of the caller's",
		}
	}
	for role, p := range map[string]*person{"author": a.Author, "committer": a.Committer} {
		if p == nil {
			continue
		}
		if err := p.refusal(role); err != nil {
			return err
		}
	}
	kinds, err := r.kinds(append([]string{*a.Tree}, a.Parents...))
	if err != nil {
		return err
	}
	if kinds[*a.Tree] != "tree" {
		return unprocessable("Tree SHA does not exist")
	}
	for _, p := range a.Parents {
		if kinds[p] != "commit" {
			return unprocessable("Parent SHA does not exist or is not a commit object")
		}
	}
	return nil
}

// commit returns the requested commit. github.com signs commits only for a bot, and only if the
// request sets no author or committer:
// https://docs.github.com/en/authentication/managing-commit-signature-verification/about-commit-signature-verification
func (a commitAsk) commit(s *site, by account) (made commit, signs bool) {
	made = commit{tree: *a.Tree, parents: a.Parents, message: *a.Message, author: s.person(by)}
	set(&made.author, a.Author)
	made.committer = made.author
	set(&made.committer, a.Committer)
	signs = !s.isEnterprise() && by.kind == kindBot && a.Author == nil && a.Committer == nil
	if signs {
		made.committer = s.gitHub
	}
	return made, signs
}

// writeCommit stores a commit without a branch. It writes the object itself, because commit-tree
// takes the time from the machine's clock instead of the forge's.
func (f *Forge) writeCommit(r *repository, c commit, signs bool) (string, error) {
	text := "tree " + c.tree + "\n"
	for _, p := range c.parents {
		text += "parent " + p + "\n"
	}
	c.committer.Date = cmp.Or(c.committer.Date, c.author.Date)
	text += fmt.Sprintf(
		"author %s\ncommitter %s\n\n%s\n",
		f.line(c.author),
		f.line(c.committer),
		strings.TrimRight(c.message, "\n"),
	)
	if signs {
		text = signed(text)
	}
	return r.writeObject("commit", text)
}

func (f *Forge) getGitCommit(c *call) (reply, error) {
	sha := c.PathValue("sha")
	kind, err := c.repo.kind(sha)
	if err != nil {
		return fail(err)
	}
	if kind != "commit" {
		return fail(notFound())
	}
	one, err := c.repo.commit(sha)
	if err != nil {
		return fail(err)
	}
	return ok(c.repo.gitCommitJSON(one))
}

// gitCommitJSON returns a commit with git's data only, without accounts.
func (r *repository) gitCommitJSON(c commit) map[string]any {
	parents := []any{}
	for _, p := range c.parents {
		parents = append(
			parents,
			map[string]any{"sha": p, "url": r.api("/git/commits/%s", p), "html_url": r.page("/commit/%s", p)},
		)
	}
	return map[string]any{
		"sha":       c.sha,
		"node_id":   nodeID("Commit", c.sha),
		"url":       r.api("/git/commits/%s", c.sha),
		"html_url":  r.page("/commit/%s", c.sha),
		"author":    c.author.json(),
		"committer": c.committer.json(),
		"message":   c.message,
		"tree": map[string]any{
			"sha": c.tree,
			"url": r.api("/git/trees/%s", c.tree),
		},
		"parents":      parents,
		"verification": c.verification(),
	}
}

// signingKey replaces GitHub's key. It is not secret, so that two forges at the same time create
// the same commits.
const signingKey = "the rehearsal's forge"

// armor returns the forge's signature of a commit, in the form of GitHub's.
func armor(payload string) string {
	mac := hmac.New(sha256.New, []byte(signingKey))
	mac.Write([]byte(payload))
	return "-----BEGIN PGP SIGNATURE-----\n\n" + base64.StdEncoding.EncodeToString(
		mac.Sum(nil),
	) + "\n-----END PGP SIGNATURE-----"
}

// signed returns the text of a commit with the forge's signature in its header.
func signed(text string) string {
	head, message, _ := strings.Cut(text, "\n\n")
	return head + "\ngpgsig " + strings.ReplaceAll(armor(text), "\n", "\n ") + "\n\n" + message
}

// verification returns GitHub's verification of a commit's signature.
func (c commit) verification() map[string]any {
	switch c.signature {
	case "":
		return unsigned()
	case armor(c.payload):
		return map[string]any{
			"verified":    true,
			"reason":      "valid",
			"signature":   c.signature,
			"payload":     c.payload,
			"verified_at": stamp(*c.committer.Date),
		}
	}
	return map[string]any{
		"verified":    false,
		"reason":      "unknown_key",
		"signature":   c.signature,
		"payload":     c.payload,
		"verified_at": nil,
	}
}

// unsigned returns GitHub's verification of an unsigned object.
func unsigned() map[string]any {
	return map[string]any{"verified": false, "reason": "unsigned", "signature": nil, "payload": nil, "verified_at": nil}
}
