package goreleaser

import (
	"cmp"
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// Results are the things that goreleaser built.
type Results struct {
	Images    map[string]string // location → digest
	Files     []File            // the release's assets: archives, checksums, SBOMs
	Others    []File            // its other assets, which nothing checks
	Notes     string            // the changes as Markdown, "" if they are not listed
	Checksums []string          // the paths of those files that contain checksums
}

// File is an asset of a release.
type File struct{ Name, Path, Digest string }

// ReadFile returns the file at a path as an asset with this name.
func ReadFile(name, path string) (File, error) {
	data, err := os.ReadFile(path)
	if err != nil {
		return File{}, err
	}
	return File{name, path, fmt.Sprintf("sha256:%x", sha256.Sum256(data))}, nil
}

// results reads the results of a run.
func (p Program) results(c *Config) (Results, error) {
	var artifacts []struct {
		Name, Path, Type string
		Extra            struct{ Digest, Format string }
	}
	if err := p.read(c, "artifacts.json", &artifacts); err != nil {
		return Results{}, err
	}
	built := Results{Images: map[string]string{}}
	for _, a := range artifacts {
		switch a.Type {
		case "Docker Manifest", "Published Docker Image":
			built.Images[locationOf(a.Name)] = a.Extra.Digest
		case "Archive", "Checksum", "SBOM":
			file, err := ReadFile(a.Name, filepath.Join(p.Dir, a.Path))
			if err != nil {
				return Results{}, err
			}
			built.Files = append(built.Files, file)
			if a.Type == "Checksum" {
				built.Checksums = append(built.Checksums, file.Path)
			}
		default:
			if !slices.Contains(uploadable, a.Type) && a.Extra.Format != "binary" {
				continue
			}
			file, err := ReadFile(a.Name, filepath.Join(p.Dir, a.Path))
			if err != nil {
				return Results{}, err
			}
			built.Others = append(built.Others, file)
		}
	}
	notes, err := os.ReadFile(filepath.Join(p.Dir, cmp.Or(c.Dist, "dist"), "CHANGELOG.md"))
	if errors.Is(err, fs.ErrNotExist) {
		err = nil
	}
	built.Notes = string(notes)
	return built, err
}

// uploadable are the types of the other assets, beside programs that are not in an archive.
var uploadable = []string{
	"Source", "Linux Package", "Makeself Package", "Flatpak", "Source RPM", "Wheel", "Source Dist", "Signature",
	"Certificate",
}

// version returns the version that goreleaser gave a snapshot.
func (p Program) version(c *Config) (string, error) {
	var metadata struct{ Version string }
	err := p.read(c, "metadata.json", &metadata)
	return metadata.Version, err
}

// read reads one of the JSON files that goreleaser writes about its run.
func (p Program) read(c *Config, name string, into any) error {
	data, err := os.ReadFile(filepath.Join(p.Dir, cmp.Or(c.Dist, "dist"), name))
	if err == nil {
		err = json.Unmarshal(data, into)
	}
	if err != nil {
		return fmt.Errorf("reading goreleaser's results: %w", err)
	}
	return nil
}

// locationOf returns the name of an image without its tag and digest. goreleaser names
// the copies of an image in further repositories by tag.
func locationOf(name string) string {
	name, _, _ = strings.Cut(name, "@")
	host, path, _ := strings.Cut(name, "/")
	path, _, _ = strings.Cut(path, ":")
	return host + "/" + path
}

// checksumFile returns the path of the file of checksums, or "" if there is not exactly
// one.
func (r Results) checksumFile() string {
	if len(r.Checksums) != 1 {
		return ""
	}
	return r.Checksums[0]
}
