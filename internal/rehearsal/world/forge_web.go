package world

import (
	"fmt"
	"net/http"
	"regexp"
	"strings"
)

var pagePath = regexp.MustCompile(`^/([^/]+)/([^/]+)/(blob|tree|raw|releases/tag|archive)/(.+)$`)

// servePage answers at the web addresses that documents link to. What it shows is enough for who
// asks whether a thing exists.
func (f *forge) servePage(rw http.ResponseWriter, r *http.Request) {
	m := pagePath.FindStringSubmatch(r.URL.Path)
	repo, visible := f.visit(r, m[1]+"/"+m[2])
	answer, err := fail(notFound())
	if visible {
		answer, err = f.page(repo, m[3], m[4])
	}
	if err != nil {
		plainError(rw, err)
		return
	}
	writeReply(rw, answer)
}

func (f *forge) page(r *repository, kind, rest string) (reply, error) {
	switch kind {
	case "releases/tag":
		return f.releasePage(r, rest)
	case "archive":
		return r.archive(rest)
	}
	return r.filePage(kind, rest)
}

// filePage sends who asks for a folder as a file, or the other way round, to the right address,
// as GitHub does, and who asks for the bytes to where those are.
func (r *repository) filePage(kind, rest string) (reply, error) {
	if kind == "tree" {
		rest = strings.TrimSuffix(rest, "/")
	}
	s, is, _, err := r.find(rest)
	if err != nil {
		return fail(err)
	}
	switch at := escaped(rest); {
	case kind != "tree" && s.path == "":
		return fail(notFound())
	case kind == "raw" && is == "blob":
		return redirect(r.site.raw + "/" + r.fullName() + "/" + at)
	case kind == "blob" && is == "tree":
		return redirect(r.page("/tree/%s", at))
	case kind == "tree" && is == "blob":
		return redirect(r.page("/blob/%s", at))
	case is != kind:
		return fail(notFound())
	}
	return r.plainPage("%s %s at %s", kind, s.path, s.ref)
}

func redirect(to string) (reply, error) {
	return reply{status: http.StatusFound, header: http.Header{"Location": {to}}}, nil
}

func (r *repository) plainPage(format string, args ...any) (reply, error) {
	return ok(text{"text/plain; charset=utf-8", r.fullName() + ": " + fmt.Sprintf(format, args...) + "\n"})
}

// releasePage is there for a published release, and for a tag without a release too.
func (f *forge) releasePage(r *repository, tag string) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, rel := range r.releases {
		if !rel.draft && rel.tag == tag {
			return r.plainPage("release %s", tag)
		}
	}
	_, found, err := r.ref("refs/tags/" + tag)
	if err != nil {
		return fail(err)
	}
	if !found {
		return fail(notFound())
	}
	return r.plainPage("tag %s", tag)
}

var archiveName = regexp.MustCompile(`^(.+)\.(tar\.gz|zip)$`)

// archive serves the bytes at once, where GitHub sends the client to another host.
func (r *repository) archive(name string) (reply, error) {
	m := archiveName.FindStringSubmatch(name)
	if m == nil {
		return fail(notFound())
	}
	s, found, err := r.locate(m[1])
	if err != nil {
		return fail(err)
	}
	if !found || s.path != "" {
		return fail(notFound())
	}
	out, err := r.run("", "archive", "--format="+m[2], "--prefix="+r.name+"-"+folderName(s.ref)+"/", s.commit)
	return reply{status: http.StatusOK, body: text{map[string]string{"zip": "application/zip", "tar.gz": "application/x-gzip"}[m[2]], out}}, err
}

var versionTag = regexp.MustCompile(`^v[0-9]`)

// folderName is what GitHub calls an archive's folder after: v1.2.3 loses its v.
func folderName(ref string) string {
	name := strings.TrimPrefix(strings.TrimPrefix(ref, "refs/heads/"), "refs/tags/")
	if versionTag.MatchString(name) {
		name = name[1:]
	}
	return strings.ReplaceAll(name, "/", "-")
}
