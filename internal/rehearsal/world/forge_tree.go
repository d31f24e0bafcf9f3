package world

import (
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// kindOfMode is what each mode that a tree may hold stands for.
var kindOfMode = map[string]string{"100644": "blob", "100755": "blob", "120000": "blob", "040000": "tree", "160000": "commit"}

// leaf is one entry that a client asks to have in a tree: an object by its name, a file by its
// content, or, where the name is null, nothing any more.
type leaf struct {
	Path, Mode, Type string
	SHA              json.RawMessage
	Content          *string
}

// sha is the name that was given; the other two answers are "removed" and "not given".
func (l leaf) sha() (name string, removed bool) {
	if l.SHA == nil {
		return "", false
	}
	if string(l.SHA) == "null" {
		return "", true
	}
	if json.Unmarshal(l.SHA, &name) != nil {
		name = string(l.SHA) // no text, and so no name of anything
	}
	return name, false
}

func (f *forge) createTree(c *call) (reply, error) {
	ask, err := decode[struct {
		BaseTree *string `json:"base_tree"`
		Tree     []leaf
	}](c.Request)
	if err != nil {
		return fail(err)
	}
	if len(ask.Tree) == 0 {
		return fail(unprocessable("Invalid tree info"))
	}
	if err := c.repo.notEmpty(); err != nil {
		return fail(err)
	}
	base, err := c.repo.baseTree(ask.BaseTree)
	if err != nil {
		return fail(err)
	}
	if err := c.repo.checkLeaves(ask.Tree); err != nil {
		return fail(err)
	}
	if !c.by.touchesWorkflows(c.repo) && slices.ContainsFunc(ask.Tree, func(l leaf) bool { return strings.HasPrefix(l.Path, guardedFolder) }) {
		return fail(c.by.denial())
	}
	sha, err := f.writeTree(c.repo, base, ask.Tree)
	if err != nil {
		return fail(err)
	}
	shown, err := c.repo.treeJSON(sha, false)
	if err != nil {
		return fail(err)
	}
	return createdAt(shown)
}

// baseTree is the tree that a new one starts from; "" is none. A commit stands for its tree.
func (r *repository) baseTree(given *string) (string, error) {
	if given == nil {
		return "", nil
	}
	if !fullSHA.MatchString(*given) {
		return "", unprocessable("base_tree is not a valid tree oid")
	}
	kind, err := r.kind(*given)
	switch {
	case err != nil:
		return "", err
	case kind == "":
		return "", notFound()
	case kind != "tree" && kind != "commit":
		return "", unprocessable("base_tree is not a valid tree oid")
	}
	out, err := r.run("", "rev-parse", "--verify", *given+"^{tree}")
	return strings.TrimSpace(out), err
}

// checkLeaves refuses what GitHub refuses, before anything is written.
func (r *repository) checkLeaves(all []leaf) error {
	var names []string
	for _, l := range all {
		if name, _ := l.sha(); fullSHA.MatchString(name) {
			names = append(names, name)
		}
	}
	kinds, err := r.kinds(names)
	if err != nil {
		return err
	}
	for _, l := range all {
		if err := l.refusal(kinds); err != nil {
			return err
		}
	}
	return nil
}

func (l leaf) refusal(kinds map[string]string) error {
	if err := pathRefusal(l.Path); err != nil {
		return err
	}
	want, known := kindOfMode[l.Mode]
	if !known {
		return unprocessable("Must supply a valid tree.mode")
	}
	if l.Type != "" && l.Type != want {
		return unprocessable(fmt.Sprintf("tree.type %s does not match tree.mode %s", l.Type, l.Mode))
	}
	name, removed := l.sha()
	switch {
	case removed && l.Content == nil:
		return nil
	case (l.SHA == nil) == (l.Content == nil):
		return unprocessable("Must supply either tree.sha or tree.content")
	case l.Content != nil && want != "blob":
		return unprocessable(fmt.Sprintf("tree.content is for a blob, not for a %s", want))
	case l.Content != nil:
		return nil
	case want == "commit" && fullSHA.MatchString(name):
		return nil // of another repository
	case kinds[name] != want:
		return unprocessable(fmt.Sprintf("tree.sha %s is not a valid %s", name, want))
	}
	return nil
}

func pathRefusal(path string) error {
	if strings.HasPrefix(path, "/") {
		return unprocessable("tree.path cannot start with a slash")
	}
	for part := range strings.SplitSeq(path, "/") {
		if part == "" || part == "." || part == ".." || strings.EqualFold(part, ".git") || strings.ContainsRune(part, 0) || !utf8.ValidString(part) {
			return unprocessable("tree.path contains a malformed path component")
		}
	}
	return nil
}

// writeTree builds a tree in an index of its own.
func (f *forge) writeTree(r *repository, base string, all []leaf) (string, error) {
	dir, err := os.MkdirTemp(filepath.Join(f.dir, "spool"), "index-*")
	if err != nil {
		return "", err
	}
	defer os.RemoveAll(dir)
	index := bare{r.ctx, r.dir, append(slices.Clone(r.env), "GIT_INDEX_FILE="+filepath.Join(dir, "index"))}
	if base != "" {
		if _, err := index.run("", "read-tree", base); err != nil {
			return "", err
		}
	}
	if err := index.put(all); err != nil {
		return "", err
	}
	sha, err := index.run("", "write-tree")
	return strings.TrimSpace(sha), err
}

// put makes the changes in the index: first what goes, then what comes, all in one command.
func (b *bare) put(all []leaf) error {
	var lines strings.Builder
	for _, l := range all {
		name, removed := l.sha()
		var err error
		switch {
		case removed:
			err = b.remove(l.Path)
		case l.Content != nil:
			name, err = b.writeObject("blob", *l.Content)
			fmt.Fprintf(&lines, "%s %s\t%s\x00", l.Mode, name, l.Path)
		case l.Mode == "040000":
			err = b.graft(&lines, l.Path, name)
		default:
			fmt.Fprintf(&lines, "%s %s\t%s\x00", l.Mode, name, l.Path)
		}
		if err != nil {
			return err
		}
	}
	_, err := b.run(lines.String(), "update-index", "--replace", "-z", "--index-info")
	return err
}

// remove takes a file or a folder away. GitHub refuses it of one that is not there.
func (b *bare) remove(path string) error {
	out, err := b.below(path)
	if err != nil {
		return err
	}
	if out == "" {
		return unprocessable("GitRPC::BadObjectState")
	}
	return b.drop(out)
}

// below lists the files at and below a path, each ended by NUL.
func (b *bare) below(path string) (string, error) {
	return b.run("", "--literal-pathspecs", "ls-files", "-z", "--", path)
}

func (b *bare) drop(paths string) error {
	var lines strings.Builder
	for path := range strings.SplitSeq(strings.TrimSuffix(paths, "\x00"), "\x00") {
		fmt.Fprintf(&lines, "0 %s\t%s\x00", zeroSHA, path)
	}
	_, err := b.run(lines.String(), "update-index", "-z", "--index-info")
	return err
}

// graft puts the files of a tree in the place of whatever was at the path. git's own command for
// it wants a working tree.
func (b *bare) graft(lines *strings.Builder, path, tree string) error {
	out, err := b.below(path)
	if err == nil && out != "" {
		err = b.drop(out)
	}
	if err != nil {
		return err
	}
	if out, err = b.run("", "ls-tree", "-r", "-z", tree); err != nil {
		return err
	}
	for line := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		if head, name, found := strings.Cut(line, "\t"); found {
			fields := strings.Fields(head) // mode, kind, object
			fmt.Fprintf(lines, "%s %s\t%s/%s\x00", fields[0], fields[2], path, name)
		}
	}
	return nil
}

// kinds are the types of objects by their names; one that is not there is left out.
func (b *bare) kinds(names []string) (map[string]string, error) {
	var ask strings.Builder
	for _, name := range names {
		if fullSHA.MatchString(name) {
			ask.WriteString(name + "\n")
		}
	}
	out, err := b.run(ask.String(), "cat-file", "--batch-check=%(objectname) %(objecttype)")
	if err != nil {
		return nil, err
	}
	found := map[string]string{}
	for line := range strings.Lines(out) {
		if f := strings.Fields(line); f[1] != "missing" {
			found[f[0]] = f[1]
		}
	}
	return found, nil
}

// getTree takes the name of a tree, and also what leads to one: a commit, a branch or a tag.
func (f *forge) getTree(c *call) (reply, error) {
	sha := c.PathValue("sha")
	kind, err := c.repo.kind(sha)
	if err != nil {
		return fail(err)
	}
	if kind != "tree" {
		commit, found, err := c.repo.commitOf(sha)
		if err != nil {
			return fail(err)
		}
		if !found {
			return fail(notFound())
		}
		if sha, err = c.repo.baseTree(&commit); err != nil {
			return fail(err)
		}
	}
	shown, err := c.repo.treeJSON(sha, c.URL.Query().Has("recursive"))
	if err != nil {
		return fail(err)
	}
	return ok(shown)
}

// treeJSON shows a tree; GitHub cuts one of more than 100,000 entries short, which none here has.
func (r *repository) treeJSON(sha string, recursive bool) (map[string]any, error) {
	args := []string{"ls-tree", "-z", "--long"}
	if recursive {
		args = append(args, "-r", "-t")
	}
	out, err := r.run("", append(args, sha)...)
	if err != nil {
		return nil, err
	}
	entries := []any{}
	for line := range strings.SplitSeq(strings.TrimSuffix(out, "\x00"), "\x00") {
		if head, path, found := strings.Cut(line, "\t"); found {
			entries = append(entries, r.entryJSON(strings.Fields(head), path))
		}
	}
	return map[string]any{"sha": sha, "url": r.api("/git/trees/%s", sha), "tree": entries, "truncated": false}, nil
}

// entryJSON shows an entry; its fields are mode, kind, name and size.
func (r *repository) entryJSON(fields []string, path string) map[string]any {
	shown := map[string]any{"path": path, "mode": fields[0], "type": fields[1], "sha": fields[2]}
	if fields[1] != "commit" {
		shown["url"] = r.api("/git/%ss/%s", fields[1], fields[2])
	}
	if size, err := strconv.Atoi(fields[3]); err == nil {
		shown["size"] = size
	}
	return shown
}
