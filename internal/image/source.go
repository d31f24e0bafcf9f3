package image

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/mod/modfile"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/ref"
)

// Source is the source code that an image was built from.
type Source struct {
	Repository string    `json:"repository"`
	Tag        string    `json:"tag"`
	Commit     string    `json:"commit"` // of the tag
	Time       time.Time `json:"time"`   // the commit's
	// Module is the path of the Go module, and Sum its hash in the checksum database. Both
	// are "" if the source is that of the git tag.
	Module string `json:"module,omitempty"`
	Sum    string `json:"sum,omitempty"`
	// Because is the reason for using the tag's source instead of the declared module's.
	Because string `json:"because,omitempty"`
}

// sourceDir is the folder for the source, below the folder of a build.
const sourceDir = "source"

func (j job) remote() git.Remote { return git.Remote(j.Server + "/" + j.repository) }

// version returns the requested version, or the newest release of the module's major
// version that is not a prerelease.
func (j job) version(ctx context.Context) (ref.Version, error) {
	if !j.Version.IsZero() {
		return j.Version, nil
	}
	survey, err := j.Repo.Survey(ctx, j.remote())
	if err != nil {
		return ref.Version{}, fmt.Errorf("looking for the newest release of %s: %w", j.Component, err)
	}
	newest := ref.Newest(slices.DeleteFunc(survey.Versions(j.component().Tagged), func(v ref.Version) bool {
		return v.Prerelease() != "" || j.fits(v) != nil
	}))
	if newest.IsZero() {
		return newest, outcome.Wrongf(
			"looking for the newest release of %s: %s has no tag of a suitable release: name a version",
			j.Component, j.repository)
	}
	return newest, nil
}

func (j job) component() delivery.Component { return j.File.Components[j.Component] }

// source copies the version's source into the folder of the build.
func (j job) source(ctx context.Context, dir string) (Source, error) {
	src := Source{Repository: j.repository, Tag: j.component().GitTag(j.Version)}
	tag, err := j.Repo.FindTag(ctx, j.remote(), src.Tag)
	if err != nil {
		return src, fmt.Errorf("looking for the tag %s of %s: %w", src.Tag, j.repository, err)
	}
	if tag.Commit == "" {
		return src, outcome.Wrongf("%s has no tag %s, so there is no release %s of %s to build",
			j.repository, src.Tag, j.Version, j.Component)
	}
	src.Commit = tag.Commit
	tree, err := j.fetch(ctx, filepath.Join(dir, "git"), &src)
	if err != nil {
		return src, err
	}
	defer tree.Close()
	from := fs.FS(tree)
	if j.artifact.Build.Module != "" {
		if from, err = j.module(ctx, dir, tree, &src); err != nil {
			return src, err
		}
	}
	return src, os.CopyFS(filepath.Join(dir, sourceDir), from)
}

// fetch fetches the tag's commit, and reads its time and files.
func (j job) fetch(ctx context.Context, dir string, src *Source) (*git.Snapshot, error) {
	if err := os.Mkdir(dir, 0o755); err != nil {
		return nil, err
	}
	full := "refs/tags/" + src.Tag
	repo, err := j.Repo.Fetched(ctx, dir, j.remote(), full)
	if err != nil {
		return nil, fmt.Errorf("fetching the tag %s of %s: %w", src.Tag, j.repository, err)
	}
	commit, err := repo.Commit(ctx, full)
	if err != nil {
		return nil, err
	}
	if commit != src.Commit {
		return nil, outcome.Wrongf("the tag %s of %s was on commit %s, and a moment later on %s: "+
			"a tag must not move; ask its maintainers", src.Tag, j.repository, src.Commit, commit)
	}
	if src.Time, err = repo.CommitTime(ctx, commit); err != nil {
		return nil, err
	}
	return repo.Snapshot(ctx, commit)
}

// module fetches the module's source and compares it with the tag's, because the tag may
// have moved since the module proxy stored it. If the module does not build by itself,
// module returns the tag's source.
func (j job) module(ctx context.Context, dir string, tree fs.FS, src *Source) (fs.FS, error) {
	got, err := j.download(ctx, dir)
	if err != nil {
		return nil, err
	}
	from := os.DirFS(got.Dir)
	why, err := needsTree(from)
	if err != nil {
		return nil, err
	}
	if why != "" {
		src.Because = why
		return tree, nil
	}
	if err := sameFiles(from, tree); err != nil {
		return nil, fmt.Errorf("comparing the module %s@%s with the tag %s of %s: %w",
			j.artifact.Build.Module, src.Tag, src.Tag, j.repository, err)
	}
	src.Module, src.Sum = j.artifact.Build.Module, got.Sum
	return from, nil
}

// downloaded is the output of `go mod download -json` for a module:
// https://go.dev/ref/mod#go-mod-download
type downloaded struct{ Dir, Sum, Error string }

// download fetches the module with the go command and the caller's settings: the proxy,
// and the checksum database unless the caller has turned it off.
func (j job) download(ctx context.Context, dir string) (got downloaded, err error) {
	name := j.artifact.Build.Module + "@" + j.Version.WithV()
	var stdout, stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, "go", "mod", "download", "-json", name)
	cmd.Dir, cmd.Env = dir, append(slices.Clone(j.Env), "GOWORK=off")
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	ran := cmd.Run()
	if err := json.Unmarshal(stdout.Bytes(), &got); err != nil {
		return got, fmt.Errorf("fetching the module %s: go printed %q: %w",
			name, strings.TrimSpace(stderr.String()), errors.Join(ran, err))
	}
	switch {
	case strings.Contains(got.Error, "SECURITY ERROR"):
		return got, outcome.Wrongf("fetching the module %s: %s", name, got.Error)
	case got.Error != "" || ran != nil:
		return got, fmt.Errorf(
			"fetching the module %s: %s; if no proxy has it, remove build.module from %s to use the git tag's source",
			name, got.Error, delivery.FileName)
	}
	return got, nil
}

// needsTree returns why a module does not build without the rest of its repository, or "".
// The proxy's copy lacks a folder that replaces a module.
func needsTree(from fs.FS) (because string, err error) {
	data, err := fs.ReadFile(from, "go.mod")
	if errors.Is(err, fs.ErrNotExist) {
		return "the module has no go.mod", nil
	}
	if err != nil {
		return "", err
	}
	file, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		return "", outcome.As(outcome.Wrong, err)
	}
	for _, r := range file.Replace {
		if r.New.Version == "" {
			return fmt.Sprintf("its go.mod replaces %s with the folder %s", r.Old.Path, r.New.Path), nil
		}
	}
	return "", nil
}

// sameFiles checks that each file of a module equals the file of that name in the tree. The
// tree may have more files.
func sameFiles(from, tree fs.FS) error {
	seen := 0
	err := fs.WalkDir(from, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		seen++
		return sameFile(from, tree, name)
	})
	if err == nil && seen == 0 {
		err = outcome.Wrongf("it contains no file")
	}
	return err
}

func sameFile(from, tree fs.FS, name string) error {
	got, err := fs.ReadFile(from, name)
	if err != nil {
		return err
	}
	want, err := fs.ReadFile(tree, name)
	if errors.Is(err, fs.ErrNotExist) {
		return outcome.Wrongf("%s is in the module, but not in the commit", name)
	}
	if err != nil {
		return err
	}
	if !bytes.Equal(got, want) {
		return outcome.Wrongf("%s differs: the proxy has other source code than the tag; ask its maintainers", name)
	}
	return nil
}
