package world

import (
	"fmt"
	"net/http"
	"slices"
	"strings"
)

const repoPath = "/repos/{owner}/{repo}"

func apiEndpoints() []endpoint {
	return slices.Concat(generalEndpoints(), actionsEndpoints(), releaseEndpoints(), pullEndpoints(), gitEndpoints())
}

func generalEndpoints() []endpoint {
	const read = false
	return []endpoint{
		{"GET", "/rate_limit", read, (*forge).getRateLimit, nil},
		{"GET", "/installation/repositories", read, (*forge).listInstallation, nil},
		{"POST", "/app/installations/{id#}/access_tokens", read, (*forge).createInstallationToken, nil},
		{"GET", "/user", read, (*forge).getUser, nil},
		{"GET", "/users/{login}", read, (*forge).getAccount, nil},
		{"GET", "/orgs/{org}/repos", read, (*forge).listOrganisation, nil},
		{"GET", repoPath, read, (*forge).getRepository, nil},
	}
}

func actionsEndpoints() []endpoint {
	const read, write = false, true
	return []endpoint{
		{"GET", repoPath + "/actions/runs", read, (*forge).listRuns, nil},
		{"GET", repoPath + "/actions/runs/{id#}", read, (*forge).getRun, nil},
		{"GET", repoPath + "/actions/runs/{id#}/jobs", read, (*forge).listJobs, nil},
		{"GET", repoPath + "/actions/workflows", read, (*forge).listWorkflows, nil},
		{"GET", repoPath + "/actions/workflows/{id}", read, (*forge).getWorkflow, nil},
		{"POST", repoPath + "/actions/workflows/{id}/dispatches", write, (*forge).dispatchWorkflow, nil},
		{"GET", repoPath + "/actions/workflows/{id}/runs", read, (*forge).listWorkflowRuns, nil},
		{"POST", repoPath + "/dispatches", write, (*forge).dispatchEvent, nil},
	}
}

func releaseEndpoints() []endpoint {
	const read, write = false, true
	return []endpoint{
		{"GET", repoPath + "/attestations/{digest}", read, (*forge).listAttestations, nil},
		{"GET", repoPath + "/immutable-releases", read, (*forge).getImmutableReleases, nil},
		{"GET", repoPath + "/releases", read, (*forge).listReleases, nil},
		{"POST", repoPath + "/releases", write, (*forge).createRelease, nil},
		{"POST", repoPath + "/releases/generate-notes", write, (*forge).generateNotes, nil},
		{"GET", repoPath + "/releases/latest", read, (*forge).getLatestRelease, nil},
		{"GET", repoPath + "/releases/tags/{tag...}", read, (*forge).getReleaseByTag, nil},
		{"GET", repoPath + "/releases/assets/{id#}", read, (*forge).getAsset, nil},
		{"DELETE", repoPath + "/releases/assets/{id#}", write, (*forge).deleteAsset, nil},
		{"GET", repoPath + "/releases/{id#}", read, (*forge).getRelease, nil},
		{"PATCH", repoPath + "/releases/{id#}", write, (*forge).editRelease, nil},
		{"DELETE", repoPath + "/releases/{id#}", write, (*forge).deleteRelease, nil},
		{"GET", repoPath + "/releases/{id#}/assets", read, (*forge).listAssets, nil},
	}
}

func pullEndpoints() []endpoint {
	const read, write = false, true
	return []endpoint{
		{"GET", repoPath + "/pulls", read, (*forge).listPulls, nil},
		{"POST", repoPath + "/pulls", write, (*forge).createPull, nil},
		{"GET", repoPath + "/pulls/{number#}", read, (*forge).getPull, nil},
		{"PATCH", repoPath + "/pulls/{number#}", write, (*forge).editPull, nil},
		{"GET", repoPath + "/pulls/{number#}/files", read, (*forge).listPullFiles, nil},
		{"GET", repoPath + "/pulls/{number#}/merge", read, (*forge).isMerged, nil},
		{"PUT", repoPath + "/pulls/{number#}/merge", write, (*forge).mergePull, nil},
		{"GET", repoPath + "/labels", read, (*forge).listRepositoryLabels, nil},
		{"POST", repoPath + "/labels", write, (*forge).createLabel, nil},
		{"GET", repoPath + "/issues/{number#}", read, (*forge).getIssue, nil},
		{"PATCH", repoPath + "/issues/{number#}", write, (*forge).editIssue, nil},
		{"GET", repoPath + "/issues/{number#}/labels", read, (*forge).listLabels, nil},
		{"POST", repoPath + "/issues/{number#}/labels", write, (*forge).addLabels, nil},
		{"PUT", repoPath + "/issues/{number#}/labels", write, (*forge).setLabels, nil},
		{"GET", repoPath + "/issues/{number#}/comments", read, (*forge).listComments, nil},
		{"POST", repoPath + "/issues/{number#}/comments", write, (*forge).createComment, nil},
	}
}

func gitEndpoints() []endpoint {
	const read, write = false, true
	return []endpoint{
		{"GET", repoPath + "/contents/{path...}", read, (*forge).getContents, nil},
		{"GET", repoPath + "/pulls/{number#}/commits", read, (*forge).listPullCommits, nil},
		{"GET", repoPath + "/git/ref/{ref...}", read, (*forge).getRef, nil},
		{"GET", repoPath + "/git/matching-refs/{ref...}", read, (*forge).listMatchingRefs, nil},
		{"POST", repoPath + "/git/refs", write, (*forge).createRefs, nil},
		{"PATCH", repoPath + "/git/refs/{ref...}", write, (*forge).updateRef, nil},
		{"DELETE", repoPath + "/git/refs/{ref...}", write, (*forge).deleteRef, nil},
		{"GET", repoPath + "/git/tags/{sha}", read, (*forge).getTag, nil},
		{"POST", repoPath + "/git/tags", write, (*forge).createTag, nil},
		{"POST", repoPath + "/git/blobs", write, (*forge).createBlob, nil},
		{"GET", repoPath + "/git/blobs/{sha}", read, (*forge).getBlob, nil},
		{"POST", repoPath + "/git/trees", write, (*forge).createTree, nil},
		{"GET", repoPath + "/git/trees/{sha...}", read, (*forge).getTree, nil},
		{"POST", repoPath + "/git/commits", write, (*forge).createGitCommit, nil},
		{"GET", repoPath + "/git/commits/{sha}", read, (*forge).getGitCommit, nil},
		{"GET", repoPath + "/commits/{ref...}/check-runs", read, (*forge).listCheckRuns, nil},
		{"GET", repoPath + "/commits/{ref...}/status", read, (*forge).getCombinedStatus, nil},
		{"GET", repoPath + "/rules/branches/{branch...}", read, (*forge).listRules, nil},
		{"GET", repoPath + "/commits/{ref...}", read, (*forge).getCommit, nil},
		{"GET", repoPath + "/compare/{basehead...}", read, (*forge).compare, nil},
		{"GET", repoPath + "/branches/{branch...}", read, (*forge).getBranch, nil},
	}
}

func uploadEndpoints() []endpoint {
	return []endpoint{
		{"POST", repoPath + "/releases/{id#}/assets", true, (*forge).uploadAsset, nil},
	}
}

func (f *forge) api() http.Handler     { return f.dispatcher("", hostAPI, apiEndpoints()) }
func (f *forge) uploads() http.Handler { return f.dispatcher("", hostUploads, uploadEndpoints()) }

// web answers as github.com: git, downloads, pages that documents link to, and the API once more
// below the paths that an Enterprise server has, for tools that are given one base URL for all.
func (f *forge) web() http.Handler {
	api := f.dispatcher("/api/v3", hostAPI, apiEndpoints())
	up := f.dispatcher("/api/uploads", hostUploads, uploadEndpoints())
	pages, raw := f.leads(f.site.web, f.pages), http.StripPrefix("/raw", f.raw())
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		switch {
		case strings.HasPrefix(r.URL.Path, "/api/v3/"):
			api.ServeHTTP(rw, r)
		case strings.HasPrefix(r.URL.Path, "/api/uploads/"):
			up.ServeHTTP(rw, r)
		case f.site.isEnterprise() && strings.HasPrefix(r.URL.Path, "/raw/"):
			raw.ServeHTTP(rw, r)
		default:
			pages(rw, r)
		}
	})
}

func (f *forge) pages(rw http.ResponseWriter, r *http.Request) {
	switch {
	case gitPath.MatchString(r.URL.Path):
		f.serveGit(rw, r)
	case downloadPath.MatchString(r.URL.Path):
		f.serveDownload(rw, r)
	case pagePath.MatchString(r.URL.Path):
		f.servePage(rw, r)
	default:
		http.Error(rw, fmt.Sprintf("the rehearsal's github.com has no %s %s", r.Method, r.URL.Path), http.StatusNotImplemented)
	}
}
