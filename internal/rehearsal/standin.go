package rehearsal

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/decide"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/internal/rehearsal/network"
	"github.com/kubestellar/actions/internal/render"
	"github.com/kubestellar/actions/internal/resolve"
)

func tokenKeychain(token string) authn.Keychain {
	return keychain{authn.FromConfig(authn.AuthConfig{Username: "rehearsal", Password: token})}
}

type keychain struct{ authn.Authenticator }

func (k keychain) Resolve(authn.Resource) (authn.Authenticator, error) { return k.Authenticator, nil }

// standIns makes a stand-in with the right name, version and labels for everything that the tree
// refers to and others publish. It prints a line for each.
func (r *Rehearsal) standIns(
	ctx context.Context, n *network.Network, file *delivery.File, clone string,
) (*maker, string, error) {
	maker := &maker{
		Rehearsal: r, network: n, file: file, registry: registryOf(n),
		commits: map[string]string{}, made: map[resolve.Target]bool{},
	}
	references, err := findIn(ctx, file, git.Repo{Dir: clone, Env: r.Repo.Env})
	if err != nil {
		return nil, "", err
	}
	maker.references = references
	named, err := decide.Required(file, references, r.Version, nil)
	if err != nil {
		return nil, "", err
	}
	targets := append(resolve.Sorted(resolve.Lockstep(file, r.Version)), resolve.Sorted(named)...)
	if err := maker.repositories(ctx, targets); err != nil {
		return nil, "", err
	}
	if err := maker.all(ctx, targets); err != nil {
		return nil, "", err
	}
	if err := maker.ownPackages(ctx); err != nil {
		return nil, "", err
	}
	return maker, fmt.Sprintf("%d, for artifacts that others publish", len(maker.made)), r.withhold(n, maker.made)
}

func findIn(ctx context.Context, file *delivery.File, repo git.Repo) ([]ref.Reference, error) {
	names, err := repo.Files(ctx)
	if err != nil {
		return nil, err
	}
	found, err := find.New(file.Whole()).Files(ctx, os.DirFS(repo.Dir), names)
	return decide.OfRelease(file, found.References), err
}

// maker makes stand-ins.
type maker struct {
	*Rehearsal
	network  *network.Network
	file     *delivery.File
	registry *oci.Registry
	commits  map[string]string // repository → the commit of all its tags
	made     map[resolve.Target]bool
	// references are those of the tree.
	references []ref.Reference
}

// repositories creates the repositories of the other components and of the downstreams. Each has one
// commit with the files among the targets.
func (m *maker) repositories(ctx context.Context, targets []resolve.Target) error {
	own := m.file.Own().Repository
	names := slices.Clone(m.file.Downstreams)
	for _, name := range m.file.Names() {
		names = append(names, m.file.Components[name].Repository)
	}
	slices.Sort(names)
	for _, name := range slices.Compact(names) {
		if name == own {
			continue
		}
		if err := m.network.Forge.CreateRepository(name, forge.Repository{}); err != nil {
			return err
		}
		commit, err := m.commit(ctx, name, filesOf(name, targets))
		if err != nil {
			return err
		}
		m.commits[name] = commit
	}
	return nil
}

// filesOf returns the files of a repository that targets name. A target that is a folder gets one
// file.
func filesOf(repository string, targets []resolve.Target) []git.File {
	var files []git.File
	for _, t := range targets {
		if t.At != repository {
			continue
		}
		switch t.Kind {
		case resolve.Raw, resolve.Blob:
			files = append(files, git.File{Name: t.Path, Data: []byte("stand-in\n")})
		case resolve.Tree:
			files = append(files, git.File{Name: path.Join(t.Path, "stand-in"), Data: []byte("stand-in\n")})
		}
	}
	return files
}

// commit creates the one commit of a stand-in repository, which is the same in every rehearsal.
func (m *maker) commit(ctx context.Context, repository string, files []git.File) (string, error) {
	const when = "2000-01-01T00:00:00Z"
	who := []string{
		"GIT_AUTHOR_NAME=stand-in", "GIT_AUTHOR_EMAIL=stand-in@rehearsal.invalid", "GIT_AUTHOR_DATE=" + when,
		"GIT_COMMITTER_NAME=stand-in", "GIT_COMMITTER_EMAIL=stand-in@rehearsal.invalid", "GIT_COMMITTER_DATE=" + when,
	}
	repo := git.Repo{Dir: m.network.Forge.RepositoryDir(repository), Env: append(m.env(m.network), who...)}
	const emptyTree = "4b825dc642cb6eb9a060e54bf8d69288fbee4904" // built into git
	commit, err := repo.Run(ctx, "commit-tree", "-m", "Stand in for "+repository, emptyTree)
	if err != nil {
		return "", err
	}
	if len(files) > 0 {
		if commit, err = repo.CommitFiles(ctx, commit, "Stand in for files of "+repository, files); err != nil {
			return "", err
		}
	}
	_, err = repo.Run(ctx, "update-ref", "refs/heads/main", commit)
	return commit, err
}

// all makes stand-ins for the targets, and for the targets that those refer to.
func (m *maker) all(ctx context.Context, targets []resolve.Target) error {
	excuses := decide.Excuses{File: m.file}
	for len(targets) > 0 {
		target := targets[0]
		targets = targets[1:]
		if target.Component == m.file.Self || m.made[target] || excuses.Excused(target) {
			continue
		}
		more, err := m.one(ctx, target)
		if err != nil {
			return fmt.Errorf("making a stand-in for %s: %w", target, err)
		}
		m.made[target] = true
		targets = append(targets, more...)
	}
	return nil
}

func (m *maker) one(ctx context.Context, target resolve.Target) ([]resolve.Target, error) {
	switch target.Kind {
	case resolve.Branch:
		return nil, m.branch(ctx, target)
	case resolve.Module:
		return nil, nil // the module cache has it
	}
	if target.Component == "" {
		return nil, m.foreign(ctx, target)
	}
	if err := m.gitTag(ctx, target); err != nil {
		return nil, err
	}
	switch target.Kind {
	case resolve.Asset:
		return nil, m.asset(ctx, target)
	case resolve.Image:
		return nil, m.image(ctx, target)
	case resolve.Chart:
		if strings.HasPrefix(target.At, delivery.HTTPS) {
			fmt.Fprintf(m.Out, "  no stand-in: the rehearsal serves no chart repository over https: %s\n", target)
			return nil, nil
		}
		return m.chart(ctx, target)
	}
	return nil, nil
}

// branch creates a branch at the stand-in repository's commit.
func (m *maker) branch(ctx context.Context, target resolve.Target) error {
	repo := git.Repo{Dir: m.network.Forge.RepositoryDir(target.At), Env: m.env(m.network)}
	_, err := repo.Run(ctx, "update-ref", "refs/heads/"+target.Tag, m.commits[target.At])
	return err
}

// foreign makes an image that a chart runs and no component declares.
func (m *maker) foreign(ctx context.Context, target resolve.Target) error {
	host, _, _ := strings.Cut(target.At, "/")
	if err := m.network.AddRegistry(host); err != nil {
		return err
	}
	if strings.HasPrefix(target.Tag, "sha256:") {
		return nil // only the image itself has its digest
	}
	return m.image(ctx, target)
}

// client returns a client of the network's forge.
func (m *maker) client() (*gh.Client, error) {
	return gh.New(gh.Options{
		Token: m.network.Token(), TokenName: "the rehearsal's token", Transport: m.network.Transport(),
	})
}

// asset publishes a release with a file of that name.
func (m *maker) asset(ctx context.Context, target resolve.Target) error {
	forge, err := m.client()
	if err != nil {
		return err
	}
	m.say(target)
	file := filepath.Join(m.network.Forge.RepositoryDir(target.At), "stand-in")
	if err := os.WriteFile(file, []byte("stand-in\n"), 0o600); err != nil {
		return err
	}
	release, err := releaseOf(ctx, forge, target, m.commits[target.At])
	if err != nil {
		return err
	}
	if err := forge.Upload(ctx, target.At, release.ID, target.Path, file); err != nil || !release.Draft {
		return err
	}
	return forge.Publish(ctx, target.At, release.ID, ref.Version{})
}

// releaseOf returns the release of the target's tag, and creates a draft if there is none.
func releaseOf(ctx context.Context, forge *gh.Client, target resolve.Target, commit string) (*gh.Release, error) {
	there, err := forge.Releases(ctx, target.At, target.Tag)
	if err == nil && len(there) == 0 {
		if _, err := forge.CreateDraft(ctx, target.At, target.Tag, commit); err != nil {
			return nil, err
		}
		there, err = forge.Releases(ctx, target.At, target.Tag)
	}
	if err != nil || len(there) == 0 {
		return nil, errors.Join(err, fmt.Errorf("%s has no release %s to add a file to", target.At, target.Tag))
	}
	return there[0], nil
}

// gitTag creates the version's tag at the stand-in repository's commit.
func (m *maker) gitTag(ctx context.Context, target resolve.Target) error {
	c := m.file.Components[target.Component]
	repository := c.Repository
	if repository == m.file.Own().Repository {
		return nil // the network has its real tags
	}
	version, ok := c.Tagged(target.Tag)
	if !ok { // the tag of an image or chart
		var err error
		if version, err = ref.ParseVersion(target.Tag); err != nil {
			return err
		}
	}
	repo := git.Repo{Dir: m.network.Forge.RepositoryDir(repository), Env: m.env(m.network)}
	_, err := repo.Run(ctx, "update-ref", "refs/tags/"+c.GitTag(version), m.commits[repository])
	return err
}

func (m *maker) labels(target resolve.Target, why string) map[string]string {
	c := m.file.Components[target.Component]
	return map[string]string{
		oci.KeyStandIn:  why,
		oci.KeySource:   "https://github.com/" + c.Repository,
		oci.KeyRevision: m.commits[c.Repository],
		oci.KeyVersion:  strings.TrimPrefix(target.Tag, "v"),
	}
}

// image pushes an image for each declared platform that contains only labels.
func (m *maker) image(ctx context.Context, target resolve.Target) error {
	platforms := m.file.Components[target.Component].Artifacts[target.Artifact].Platforms
	if len(platforms) == 0 {
		platforms = []string{"linux/amd64", "linux/arm64"}
	}
	labels := m.labels(target, "made by the rehearsal, contains nothing")
	index := mutate.IndexMediaType(empty.Index, types.OCIImageIndex)
	for _, platform := range platforms {
		os, arch, _ := strings.Cut(platform, "/")
		arch, variant, _ := strings.Cut(arch, "/")
		image, err := labelled(os, arch, labels)
		if err != nil {
			return err
		}
		described := v1.Descriptor{Platform: &v1.Platform{OS: os, Architecture: arch, Variant: variant}}
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: described})
	}
	m.say(target)
	// The annotations show the labels to clients that read only the index.
	annotated, ok := mutate.Annotations(index, labels).(v1.ImageIndex)
	if !ok {
		return errors.New("annotating an index: no index came back")
	}
	_, err := m.registry.PushIndex(ctx, target.At, target.Tag, annotated)
	return err
}

// ownPackages creates the public packages that the release publishes to, as if earlier releases had
// made them. A new package would be private, which the release refuses.
func (m *maker) ownPackages(ctx context.Context) error {
	own := m.file.Own()
	labels := map[string]string{oci.KeyStandIn: "made by the rehearsal, for earlier releases"}
	earlier, err := labelled("linux", "amd64", labels)
	if err != nil {
		return err
	}
	for _, name := range slices.Concat(own.OfKind(delivery.Image), own.OfKind(delivery.Chart)) {
		if _, err := m.registry.PushImage(ctx, own.Artifacts[name].At, "stand-in", earlier); err != nil {
			return fmt.Errorf("making a package for earlier releases: %w", err)
		}
		fmt.Fprintf(m.Out, "  a package with an earlier stand-in: %s\n", own.Artifacts[name].At)
	}
	return nil
}

func labelled(os, arch string, labels map[string]string) (v1.Image, error) {
	config := &v1.ConfigFile{
		OS: os, Architecture: arch, RootFS: v1.RootFS{Type: "layers"}, Config: v1.Config{Labels: labels},
	}
	image := mutate.ConfigMediaType(mutate.MediaType(empty.Image, types.OCIManifestSchema1), types.OCIConfigJSON)
	return mutate.ConfigFile(image, config)
}

func (m *maker) say(target resolve.Target) {
	fmt.Fprintf(m.Out, "  stand-in for %s\n", target)
}

// chart pushes a chart. If a Go module of the component contains the real chart, it is that one, and
// otherwise a minimal one that runs the component's images.
func (m *maker) chart(ctx context.Context, target resolve.Target) ([]resolve.Target, error) {
	c, why, err := m.standInChart(ctx, target)
	if err != nil {
		return nil, err
	}
	archive, err := c.Package(time.Unix(0, 0))
	if err != nil {
		return nil, err
	}
	image, err := oci.ChartImage(archive, c.Metadata(), m.labels(target, why))
	if err != nil {
		return nil, err
	}
	m.say(target)
	if _, err := m.registry.PushImage(ctx, target.At, target.Tag, image); err != nil {
		return nil, err
	}
	r, err := render.Chart(m.file, c, m.Version, render.Values{})
	return resolve.Sorted(r.Named), err
}

func (m *maker) standInChart(ctx context.Context, target resolve.Target) (*chart.Chart, string, error) {
	if len(m.file.Components[target.Component].OfKind(delivery.Module)) == 0 {
		c, err := m.minimalChart(target)
		return c, "made by the rehearsal, runs the component's images", err
	}
	return ModuleChart(ctx, m.Repo.Env, m.file, target.Component, target.Tag)
}

// minimalChart returns a chart whose Deployment runs each image of the target's component.
func (m *maker) minimalChart(target resolve.Target) (*chart.Chart, error) {
	component := m.file.Components[target.Component]
	version, _ := ref.ParseVersion(target.Tag) // gitTag has parsed it before
	var containers strings.Builder
	for _, name := range component.OfKind(delivery.Image) {
		a := component.Artifacts[name]
		fmt.Fprintf(&containers, standInContainer, name, a.At, a.TagFor(version))
	}
	declaration := fmt.Sprintf(standInDeclaration, path.Base(target.At), target.Tag, target.Tag)
	files := []chart.File{{Name: "Chart.yaml", Data: []byte(declaration)}}
	if containers.Len() > 0 {
		deployment := []byte(standInDeployment + containers.String())
		files = append(files, chart.File{Name: "templates/deployment.yaml", Data: deployment})
	}
	return chart.Load(target.String(), files)
}

const standInDeclaration = `apiVersion: v2
name: %s
description: stand-in
version: %s
appVersion: %s
`

const standInDeployment = `apiVersion: apps/v1
kind: Deployment
metadata:
  name: stand-in
spec:
  selector: {matchLabels: {app: stand-in}}
  template:
    metadata: {labels: {app: stand-in}}
    spec:
      securityContext: {runAsNonRoot: true, seccompProfile: {type: RuntimeDefault}}
      containers:
`

const standInContainer = `      - name: %s
        image: %s:%s
        securityContext: {allowPrivilegeEscalation: false, capabilities: {drop: [ALL]}}
`

// withhold deletes the stand-ins that Without names.
func (r *Rehearsal) withhold(n *network.Network, made map[resolve.Target]bool) error {
	for _, name := range r.Without {
		if err := withholdOne(n, made, name); err != nil {
			return err
		}
		fmt.Fprintf(r.Out, "  withheld %s\n", name)
	}
	return nil
}

func withholdOne(n *network.Network, made map[resolve.Target]bool, name string) error {
	named := func(t resolve.Target) bool { return t.At+":"+t.Tag == name }
	targets := slices.DeleteFunc(slices.Collect(maps.Keys(made)), func(t resolve.Target) bool { return !named(t) })
	if len(targets) == 0 {
		return outcome.Usagef("--without %s: no stand-in has that name; the stand-ins are listed above", name)
	}
	host, repository, _ := strings.Cut(targets[0].At, "/")
	registry, err := n.Registry(host)
	if err != nil {
		return err
	}
	return registry.DeleteManifest(repository, targets[0].Tag)
}
