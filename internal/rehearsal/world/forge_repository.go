package world

import "strings"

func (f *forge) getRepository(c *call) (reply, error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return ok(repositoryJSON(c))
}

func repositoryJSON(c *call) map[string]any {
	r := c.repo
	shown := map[string]any{
		"id": r.id, "node_id": nodeID("Repository", r.id), "name": r.name, "full_name": r.fullName(),
		"owner": r.site.user(account{r.owner, kindOrganization}), "organization": r.site.user(account{r.owner, kindOrganization}),
		"private": r.Private, "visibility": map[bool]string{false: "public", true: "private"}[r.Private],
		"html_url": r.page(""), "url": r.api(""), "description": nil, "fork": false, "default_branch": "main",
		"permissions": permissions(c), "allow_forking": true, "is_template": false, "web_commit_signoff_required": false, "topics": []string{},
		"has_issues": true, "has_projects": false, "has_wiki": false, "has_pages": false, "has_discussions": false, "has_downloads": true,
		"archived": r.archived, "disabled": false, "homepage": nil, "language": nil, "license": nil, "mirror_url": nil,
		"forks": 0, "forks_count": 0, "network_count": 0, "open_issues": 0, "open_issues_count": 0, "size": 0,
		"stargazers_count": 0, "subscribers_count": 0, "watchers": 0, "watchers_count": 0,
		"created_at": stamp(r.created), "updated_at": stamp(r.created), "pushed_at": stamp(r.created),
		"clone_url": r.page(".git"), "svn_url": r.page(""),
		"git_url": "git:" + strings.TrimPrefix(r.page(".git"), "https:"), "ssh_url": "git@" + strings.TrimPrefix(r.site.web, "https://") + ":" + r.fullName() + ".git",
	}
	for _, link := range strings.Fields(repositoryLinks) {
		name, path, _ := strings.Cut(link, "=")
		shown[name+"_url"] = r.api("%s", path)
	}
	return shown
}

// permissions are what the API tells of the caller's rights: an App hears that it has none,
// whatever it may do.
func permissions(c *call) map[string]bool {
	if c.by.isInstallation() {
		return map[string]bool{"admin": false, "maintain": false, "push": false, "triage": false, "pull": false}
	}
	return map[string]bool{"admin": false, "maintain": false, "push": c.writes(), "triage": c.writes(), "pull": c.by.may(c.repo, []string{"metadata"}, false)}
}

// repositoryLinks are the addresses below a repository, name=path.
const repositoryLinks = `
archive=/{archive_format}{/ref} assignees=/assignees{/user} blobs=/git/blobs{/sha} branches=/branches{/branch}
collaborators=/collaborators{/collaborator} comments=/comments{/number} commits=/commits{/sha} compare=/compare/{base}...{head}
contents=/contents/{+path} contributors=/contributors deployments=/deployments downloads=/downloads events=/events forks=/forks
git_commits=/git/commits{/sha} git_refs=/git/refs{/sha} git_tags=/git/tags{/sha} hooks=/hooks issue_comment=/issues/comments{/number}
issue_events=/issues/events{/number} issues=/issues{/number} keys=/keys{/key_id} labels=/labels{/name} languages=/languages merges=/merges
milestones=/milestones{/number} notifications=/notifications{?since,all,participating} pulls=/pulls{/number} releases=/releases{/id}
stargazers=/stargazers statuses=/statuses/{sha} subscribers=/subscribers subscription=/subscription tags=/tags teams=/teams trees=/git/trees{/sha}`
