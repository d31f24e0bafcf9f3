package find

import (
	"bytes"
	"regexp"
	"slices"
	"strings"

	"github.com/kubestellar/actions/internal/ref"
)

// hosts serve repositories. Each has its own form of URLs.
var hosts = []struct{ prefix, shape string }{
	{"raw.githubusercontent.com/", "raw"},
	{"api.github.com/repos/", "api"},
	{"codeload.github.com/", "codeload"},
	{"github.com/", "web"},
	{"github.com:", "web"},
	{"cdn.jsdelivr.net/gh/", "web"},
	{"pkg:github/", "short"},
	{"github:", "short"},
}

// repository finds places that name a component by its repository: links, files,
// releases, clones, actions and modules at a tag.
func repository(f *Finder, t *text, n needle, start, end int) {
	shape := t.host(start)
	if shape == "" && !t.starts(start) {
		return
	}
	r := ref.Reference{Component: n.component}
	end = t.skip(dotGit, end)
	switch next := at(t.data, end); {
	case isWord(next) || next == '-':
		return
	case shape == "raw":
		t.rawFile(end, r)
	case shape == "api" || shape == "codeload":
		t.download(end, r)
	case next == '/' && shape == "web" && t.page("", end, r):
	case t.versioned(shape, start, end, r):
	default:
		t.around(start, end, r)
	}
}

var dotGit = regexp.MustCompile(`^\.git`)

// host returns the form of the URLs of the host before a repository's name, or "" if
// there is no known host.
func (t *text) host(start int) string {
	for _, h := range hosts {
		at := start - len(h.prefix)
		if at >= 0 && string(t.data[at:start]) == h.prefix && t.isHost(at) {
			return h.shape
		}
	}
	return ""
}

// isHost reports whether the host name at i is not a part of another name or path. On
// pkg.go.dev, it is a part of the path.
func (t *text) isHost(i int) bool {
	return t.starts(i) || bytes.HasSuffix(t.data[:i], []byte("pkg.go.dev/")) ||
		bytes.HasSuffix(t.data[:i], []byte("www."))
}

// rawFile finds a file at a ref: /REF/path or /refs/tags/REF/path.
func (t *text) rawFile(i int, r ref.Reference) {
	r.Syntax = ref.Raw
	if at(t.data, i) == '/' {
		t.addPath(i+1, r)
	}
	t.installer(i, r)
}

// pages are the paths of a repository's web pages, up to the ref.
var pages = []struct {
	prefix string
	syntax ref.Syntax
}{
	{"/releases/download/", ref.Download},
	{"/releases/latest/download/", ref.Download},
	{"/releases/tag/", ref.Link},
	{"/archive/", ref.Archive},
	{"/tarball/", ref.Archive},
	{"/zipball/", ref.Archive},
	{"/raw/", ref.Raw},
	{"/blob/", ref.Link},
	{"/tree/", ref.Link},
	{"/blame/", ref.Link},
	{"/edit/", ref.Link},
	{"/commits/", ref.Link},
	{"/compare/", ref.Link},
}

// page finds the ref in the URL of a repository's page, whose path begins with above. It
// reports whether this is a known page, with or without a version.
func (t *text) page(above string, i int, r ref.Reference) bool {
	for _, p := range pages {
		prefix, ok := strings.CutPrefix(p.prefix, above)
		if !ok || !bytes.HasPrefix(t.data[i:], []byte(prefix)) {
			continue
		}
		r.Syntax, r.Context.Page = p.syntax, strings.Trim(p.prefix, "/")
		switch {
		case p.prefix == "/releases/latest/download/":
			r.Moving = true
			t.addEnding(i+len(prefix)-len("latest/download/"), i+len(prefix)-len("/download/"), r)
		case p.prefix == "/compare/":
			t.compared(i+len(prefix), r)
		case p.syntax == ref.Download:
			t.asset(i+len(prefix), r)
		default:
			t.addPath(i+len(prefix), r)
		}
		t.installer(i, r)
		return true
	}
	return false
}

// download finds the ref in URLs of the API and of codeload: releases/tags/REF,
// tar.gz/refs/tags/REF.
func (t *text) download(i int, r ref.Reference) {
	r.Syntax = ref.Archive
	if match := downloadAt.FindIndex(t.after(i)); match != nil {
		t.addPath(i+match[1], r)
	}
}

var downloadAt = regexp.MustCompile(`^/(?:releases/tags|git/refs?/tags|tarball|zipball|tar\.gz|zip|legacy\.tar\.gz)/`)

// versionStart returns the offset of the version in a ref, which may begin with
// refs/tags/, have the form of the component's git tags, or be a branch that ends in a
// version, such as release-1.2.3. prefix is the part of the ref's name before the version.
func (t *text) versionStart(i int, component string) (start int, prefix string) {
	i = t.skip(refAt, i)
	begins := func(start int) bool { return fileVersionEnd(t.data, start) >= 0 || useEnd(t.data, start) >= 0 }
	prefix, _ = t.file.Components[component].TagPrefix()
	if bytes.HasPrefix(t.data[min(i, len(t.data)):], []byte(prefix)) && begins(i+len(prefix)) {
		return i + len(prefix), prefix
	}
	start = i
	for range 4 {
		if begins(start) {
			return start, string(t.data[i:start])
		}
		next := t.skip(refPart, start)
		if next == start {
			break
		}
		start = next
	}
	return i, ""
}

var (
	refAt   = regexp.MustCompile(`^refs/(?:tags|heads)/`)
	refPart = regexp.MustCompile(`^[A-Za-z][A-Za-z0-9_]*[-/]`)
)

// addPath adds the version in the ref of a URL, with the path after it.
func (t *text) addPath(i int, r ref.Reference) bool {
	start, prefix := t.versionStart(i, r.Component)
	r.Context.Prefix = prefix
	end := versionEnd(t.data, start)
	if end < 0 || at(t.data, end) != '/' {
		end = fileVersionEnd(t.data, start)
	}
	if end >= 0 && at(t.data, end) == '/' {
		r.Path = t.address(end + 1)
	}
	r.Context.Lines = linesAt.MatchString(r.Path)
	r.Path, _, _ = strings.Cut(r.Path, "#")
	if end < 0 && movingEnd(t.data, start) >= 0 && r.Syntax != ref.Download {
		return false // a page of a branch is meant to be the newest
	}
	return t.addEnding(start, end, r)
}

var linesAt = regexp.MustCompile(`#L\d+`)

// address returns the rest of the URL at i.
func (t *text) address(i int) string {
	end := i
	for end < len(t.data) && t.data[end] > ' ' && !bytes.ContainsRune([]byte("\"'`)]>}<|;,\\"), rune(t.data[end])) {
		end++
	}
	return strings.TrimRight(string(t.data[i:end]), ".:")
}

// compared finds both versions in the URL of a comparison.
func (t *text) compared(i int, r ref.Reference) {
	r.Context.Fixed = true
	for _, start := range []int{i, t.skip(comparedAt, i)} {
		if end := coreEnd(t.data, start); end >= 0 {
			t.addEnding(start, prereleaseEnd(t.data, end, func(string) bool { return false }), r)
		}
	}
}

var comparedAt = regexp.MustCompile(`^[^\s.]*(?:\.[^\s.]+)*?\.\.\.?`)

// asset finds an asset of a release, the versions in its name, and all other places in
// the text with file names of the same prefix and version.
func (t *text) asset(i int, r ref.Reference) {
	if !t.addPath(i, r) {
		return
	}
	r = t.found[len(t.found)-1]
	if r.Use || r.Moving || r.Path == "" {
		return
	}
	version := strings.TrimPrefix(r.Written, "v")
	name := ref.Span{Start: r.End + 1, End: r.End + 1 + len(r.Path)}
	prefix := t.untilVersion(name, version)
	const enough = 3 // letters, to be a name
	switch {
	case prefix == "":
	case len(prefix) < enough:
		t.named(name, prefix, version, r)
	default:
		t.named(ref.Span{End: len(t.data)}, prefix, version, r)
	}
}

// untilVersion returns the part of a file's name before a version, or "" if the name does
// not contain the version.
func (t *text) untilVersion(name ref.Span, version string) string {
	for i := name.Start; i < name.End; i++ {
		if before := at(t.data, i-1); (!isWord(before) || before == '_') && t.isVersion(i, version) {
			return string(t.data[name.Start:i])
		}
	}
	return ""
}

// isVersion reports whether a file's name continues with the version at i.
func (t *text) isVersion(i int, version string) bool {
	end := fileVersionEnd(t.data, i)
	return end >= 0 && strings.TrimPrefix(string(t.data[i:end]), "v") == version
}

// named finds every name of a file that continues with the version after a prefix.
func (t *text) named(in ref.Span, prefix, version string, r ref.Reference) {
	r.Syntax, r.Lock, r.Context, r.Path = ref.FileName, nil, ref.Context{Page: r.Context.Page}, ""
	for from := in.Start; from < in.End; {
		i := bytes.Index(t.data[from:in.End], []byte(prefix))
		if i < 0 {
			return
		}
		start := from + i + len(prefix)
		from += i + 1
		if t.isVersion(start, version) && !isWord(at(t.data, start-len(prefix)-1)) {
			t.addFile(start, r)
		}
	}
}

// versioned finds the version directly after a repository's name: of an action or a
// module at a ref, of a module with its version, or of a remote base.
func (t *text) versioned(shape string, start, i int, r ref.Reference) bool {
	if match := subpathAt.FindIndex(t.after(i)); match != nil {
		r.Syntax = ref.Checkout
		switch {
		case usesLine.Match(t.before(i)):
			r.Syntax = ref.Uses
		case shape == "web":
			r.Syntax = ref.GoModule
		}
		version, prefix := t.versionStart(i+match[1], r.Component)
		r.Context.Prefix = prefix
		if r.Syntax == ref.GoModule {
			r.Component = t.ofFolder(r.Component, string(t.data[i:i+match[1]-1]))
		}
		return t.add(version, r) || t.addCommit(version, r)
	}
	if match := fragmentAt.FindIndex(t.after(i)); match != nil && (shape != "web" || t.isGit(start, i)) {
		if r.Syntax = ref.Checkout; bytes.HasSuffix(t.data[:i+match[1]], []byte("semver:")) {
			r.Syntax = ref.Key // the tag may have a v or not
		}
		version, prefix := t.versionStart(i+match[1], r.Component)
		r.Context.Prefix = prefix
		return t.add(version, r)
	}
	if shape == "short" && at(t.data, i) == '/' {
		r.Syntax = ref.Checkout
		return t.addPath(i+1, r)
	}
	if shape != "web" && shape != "short" {
		return false
	}
	if match := queryAt.FindIndex(t.after(i)); match != nil {
		r.Syntax = ref.Checkout
		version, prefix := t.versionStart(i+match[1], r.Component)
		r.Context.Prefix = prefix
		return t.add(version, r)
	}
	r.Component = t.ofFolder(r.Component, "")
	return t.moduleVersion(i, r)
}

// isGit reports whether a URL is one of git: git+https://HOST/NAME, or NAME.git.
func (t *text) isGit(start, end int) bool {
	return t.data[end-1] == 't' && at(t.data, end-len(".git")) == '.' || gitScheme.Match(t.before(start))
}

var (
	gitScheme  = regexp.MustCompile(`\bgit(?:\+[a-z]+)?:[^\s"']*$`)
	fragmentAt = regexp.MustCompile(`^#(?:semver:|tag=|ref=)?`)
	subpathAt  = regexp.MustCompile(`^(?:/[A-Za-z0-9._/-]+)?@`)
	usesLine   = regexp.MustCompile(`\buses["']?[ \t]*:[ \t]*["']?$|\buses["']?[ \t]*:[ \t]*["']?[^\s"']*$`)
	queryAt    = regexp.MustCompile(`^[^\s"'` + "`" + `)]*[?&]ref=`)
)

// around finds the version in the words around a repository's name: the branch of a
// clone, the tag of a release command, or a key beside it.
func (t *text) around(start, end int, r ref.Reference) {
	r.Syntax = ref.Checkout
	scope := t.command(start, end)
	words := t.data[scope.Start:scope.End]
	for _, way := range tagged {
		if way.remote && t.host(start) == "" || !bytes.Contains(words, []byte(way.verb)) {
			continue // the name is a folder
		}
		if match := way.expression.FindSubmatchIndex(words); match != nil {
			version, prefix := t.versionStart(scope.Start+match[2], r.Component)
			r.Context.Prefix = prefix
			if t.add(version, r) {
				return
			}
		}
	}
	if t.checkedOut(start, end, r) {
		return
	}
	t.hold(start, end, r)
	m := t.mapping(start, end)
	if m == nil {
		t.keyed(start, end, r)
		return
	}
	key := m.keyAt(start)
	keys := refKeys
	switch _, repo := m["repo"]; {
	case aboutKeys[key]:
		return // the mapping is about the repository, and fetches nothing from it
	case t.host(start) == "" && !repo && !slugKeys[key]:
		keys = refKeys[:2] // an image may have the same name
	case !fromKeys[key] && !slugKeys[key]:
		keys = slices.DeleteFunc(slices.Clone(refKeys), func(k string) bool { return k == "version" })
	}
	t.addBeside(m, r, append(m.paired(key), keys...))
}

// keyed adds the version whose key is from start to end: "github:acme/web" = "1.4.0".
func (t *text) keyed(start, end int, r ref.Reference) {
	r.Syntax, r.Context.Name = ref.Key, string(t.data[start:end])
	if i := t.skip(keyedAt, end); i > end && !isDocument(t.name) && keyBefore.Match(t.before(start)) {
		version, prefix := t.versionStart(i, r.Component)
		r.Context.Prefix = prefix
		t.add(version, r)
	}
}

var (
	// keyBefore matches the part of a line before a key that is a location, and keyedAt the
	// part between the key and its value.
	keyBefore = regexp.MustCompile(`(?:^|[{,(])[ \t]*(?:-[ \t]+)?["']?(?:[a-z]+:(?://)?)*(?:github\.com/)?$`)
	keyedAt   = regexp.MustCompile(`^(?:["'][ \t]*(?:=>?|:)[ \t]*|[ \t]+=>?[ \t]+|:[ \t]+)["']?`)
)

// aboutKeys are keys for links to a repository. A version beside them is that of
// something else.
var aboutKeys = words(`home homepage bugs documentation support sources website icon`)

// fromKeys are keys for the repository that something is fetched from. A version beside
// one of them is that of the repository.
var fromKeys = words(`repo repoURL url source src git remote github repository importpath module package`)

// slugKeys are keys whose value OWNER/NAME is a repository.
var slugKeys = words(`name repo github gh slug project module package src git`)

// tagged are the commands that take a tag or branch beside a repository.
var tagged = []struct {
	verb       string
	remote     bool
	expression *regexp.Regexp
}{
	{"git ", true, regexp.MustCompile(
		`\bgit[ \t]+(?:[^\n]*[ \t])?(?:clone|submodule)\b[\s\S]*?[ \t](?:-b|--branch)(?:=|[ \t]+)["']?(\S)`)},
	{"git ", true, regexp.MustCompile(`\bgit[ \t][\s\S]*?[\s"'](?:\+?refs/tags/|tags/|tag[ \t]+)["']?(v?[0-9$]\S*)`)},
	{"release", false, regexp.MustCompile(`\bgh[ \t]+release[ \t]+(?:download|view)[ \t]+["']?(\S)`)},
	{"release", false, regexp.MustCompile(
		`\bgh[ \t]+release[ \t]+(?:download|view)\b[\s\S]*?[ \t]["']?(v?[0-9]+\.[0-9]\S*)`)},
}

// refKeys are keys for the ref of a repository that another key of the mapping names.
var refKeys = []string{"ref", "rev", "tag", "version", "targetRevision", "revision", "branch", "ref.tag", "ref.branch"}

// installer finds the version in the arguments of a script of the repository:
// `…/install.sh) 1.2.3`, `| bash -s 1.2.3`, `--version v1.2.3`.
func (t *text) installer(i int, r ref.Reference) {
	url := ref.Span{Start: i, End: i + len(t.address(i))}
	i = url.End
	if !bytes.HasSuffix(t.data[:i], []byte(".sh")) && !bytes.HasSuffix(t.data[:i], []byte("/install")) {
		return
	}
	_, end := t.joined(i, i)
	r = ref.Reference{Component: t.ofURL(url, r.Component), Syntax: ref.Installer}
	if match := firstWordAt.FindIndex(t.data[i:end]); match != nil && t.add(i+match[1], r) {
		return
	}
	if match := versionWordAt.FindIndex(t.data[i:end]); match != nil {
		t.add(i+match[1], r)
	}
}

var (
	firstWordAt = regexp.MustCompile(
		`^["']?\)?(?:[ \t]*\|[ \t]*(?:sudo[ \t]+)?(?:ba|z|da)?sh(?:[ \t]+-s)?(?:[ \t]+--)?)?[ \t]+["']?`)
	versionWordAt = regexp.MustCompile(
		`^[^;&|\n]*(?:\|[ \t]*(?:sudo[ \t]+)?(?:ba|z|da)?sh[^;&|\n]*)?[ \t]--version(?:=|[ \t]+)["']?`)
)
