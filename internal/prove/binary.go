package prove

import (
	"archive/tar"
	"archive/zip"
	"bytes"
	"compress/gzip"
	"debug/buildinfo"
	"errors"
	"fmt"
	"go/version"
	"io"
	"io/fs"
	"os"
	"path"
	"runtime/debug"
	"slices"
	"strings"

	"golang.org/x/mod/modfile"

	"github.com/kubestellar/actions/internal/goreleaser"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/report"
)

// programs claims that the programs in an archive were built from the commit. Other files make no
// such claim.
func (r *run) programs(s *subject, a asset) {
	if a.err != nil || !isArchive(a.Name) && !isOpaque(a.Name) && !isProgram(a.path) {
		return
	}
	claim := s.add(ruleAssetBinary, "the programs in it were built from the commit", ruleAssetChecksum, r.tagKey())
	if r.src.Tree == nil {
		claim.err = &restsOnError{ruleGitTag}
		return
	}
	evidence, err := r.examine(a)
	if r.Built[a.Name].Digest == a.digest && err != nil && outcome.Of(err) == outcome.Unchecked {
		evidence, err = "this run has built it", nil
	}
	claim.is(evidence, err)
}

// buildInfo returns the build information in a Go program, or nil for any other file. Go's readers
// may panic on crafted programs: https://pkg.go.dev/debug/elf
func buildInfo(data []byte) (info *debug.BuildInfo, err error) {
	defer func() {
		if recover() != nil {
			info, err = nil, outcome.Wrongf("it is a program that cannot be read")
		}
	}()
	info, err = buildinfo.Read(bytes.NewReader(data))
	if err != nil {
		return nil, nil
	}
	return info, nil
}

// isOpaque reports whether a file contains programs in a format that is not read.
func isOpaque(name string) bool {
	return slices.ContainsFunc([]string{".deb", ".rpm", ".apk", ".tar", ".tar.xz", ".tar.zst", ".tar.bz2", ".tar.lz4",
		".7z", ".gz", ".pkg", ".dmg", ".msi"},
		func(suffix string) bool { return strings.HasSuffix(name, suffix) && !isArchive(name) })
}

// isProgram reports whether a file's first bytes are those of a program for Linux, Windows or
// macOS.
func isProgram(path string) bool {
	file, err := os.Open(path)
	if err != nil {
		return false
	}
	defer file.Close()
	magic := make([]byte, 4)
	if _, err := io.ReadFull(file, magic); err != nil {
		return false
	}
	return slices.ContainsFunc([]string{"\x7fELF", "MZ", "\xfe\xed\xfa\xce", "\xfe\xed\xfa\xcf", "\xce\xfa\xed\xfe",
		"\xcf\xfa\xed\xfe", "\xca\xfe\xba\xbe"},
		func(begin string) bool { return strings.HasPrefix(string(magic), begin) })
}

func isArchive(name string) bool {
	return strings.HasSuffix(name, ".tar.gz") || strings.HasSuffix(name, ".tgz") || strings.HasSuffix(name, ".zip")
}

// examined is the result of examining an archive.
type examined struct {
	evidence string
	err      error
}

// examine examines an archive once, since a release proves it twice.
func (r *run) examine(a asset) (evidence string, err error) {
	if known, ok := r.archives.Load(a.digest); ok {
		seen := known.(examined)
		return seen.evidence, seen.err
	}
	evidence, err = r.builtOf(a)
	r.archives.Store(a.digest, examined{evidence, err})
	return evidence, err
}

// builtOf checks the build information of each Go program in an archive.
func (r *run) builtOf(a asset) (evidence string, err error) {
	want, err := r.expected()
	if err != nil {
		return "", err
	}
	if isOpaque(a.Name) {
		return "", errors.New("files of this form are not looked into: only building it again can tell (--rebuild)")
	}
	var said []string
	err = eachFile(a.path, a.Name, func(name string, data []byte) error {
		info, err := buildInfo(data)
		if err != nil || info == nil {
			return err
		}
		how, err := want.built(info, data)
		said = append(said, path.Base(name)+": "+how)
		if err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		return nil
	})
	if err == nil && len(said) == 0 {
		err = errors.New("there is no Go program in it")
	}
	return strings.Join(said, "; "), err
}

// origin is the build information that programs of the commit must have.
type origin struct {
	commit    string
	module    string
	toolchain string
	sums      map[string]bool // "path version sum", as go.sum has them
	// linked means that goreleaser passes the commit to the linker.
	linked bool
}

func (r *run) expected() (origin, error) {
	want := origin{commit: r.src.Commit, sums: map[string]bool{}}
	module := goreleaser.ModuleFolder(r.src.Tree, r.folder())
	data, err := fs.ReadFile(r.src.Tree, path.Join(module, "go.mod"))
	if err != nil {
		return want, fmt.Errorf("the tag holds no go.mod of the component: %w", err)
	}
	file, err := modfile.Parse("go.mod", data, nil)
	if err != nil {
		return want, err
	}
	if file.Module != nil {
		want.module = file.Module.Mod.Path
	}
	if file.Toolchain != nil {
		want.toolchain = file.Toolchain.Name
	}
	sums, err := fs.ReadFile(r.src.Tree, path.Join(module, "go.sum"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return want, err
	}
	for line := range strings.Lines(string(sums)) {
		want.sums[strings.TrimSpace(line)] = true
	}
	want.linked = goreleaser.LinksCommit(r.src.Tree, r.folder())
	return want, nil
}

// built compares a program's build information with the expected one.
func (o origin) built(info *debug.BuildInfo, data []byte) (how string, err error) {
	if info.Main.Path != o.module {
		return "", outcome.Wrongf("it is built of module %s, want %s", info.Main.Path, o.module)
	}
	if o.toolchain != "" && version.Compare(info.GoVersion, o.toolchain) < 0 {
		return "", outcome.Wrongf("it is built by %s, want %s or newer, as go.mod requires", info.GoVersion,
			o.toolchain)
	}
	for _, dep := range info.Deps {
		if dep.Replace != nil {
			dep = dep.Replace
		}
		if line := dep.Path + " " + dep.Version + " " + dep.Sum; dep.Sum != "" && !o.sums[line] {
			return "", outcome.Wrongf("it holds %s %s, which the tag's go.sum has not with that sum", dep.Path,
				dep.Version)
		}
	}
	base := fmt.Sprintf("module and %[2]s are the tag's, built by %[1]s", info.GoVersion, placesOf(len(info.Deps)))
	if revision := setting(info, "vcs.revision"); revision != "" {
		if revision != o.commit || setting(info, "vcs.modified") == "true" {
			return "", outcome.Wrongf("its build information names commit %s (modified: %s), want %s", revision,
				setting(info, "vcs.modified"), o.commit)
		}
		return base + ", and so is the commit that it names", nil
	}
	switch {
	case bytes.Contains(data, []byte(o.commit)):
		return base + ", and it names the commit; unverified, since the builder wrote it", nil
	case o.linked:
		return "", outcome.Wrongf("it does not name the commit, which %s has the linker write into it",
			goreleaser.FileName)
	}
	return "", errors.New(base + ", but it does not name its commit: only building it again can tell (--rebuild)")
}

func placesOf(n int) string {
	return strings.Replace(report.Count(n, "dependency"), "dependencys", "dependencies", 1)
}

func setting(info *debug.BuildInfo, key string) string {
	i := slices.IndexFunc(info.Settings, func(s debug.BuildSetting) bool { return s.Key == key })
	if i < 0 {
		return ""
	}
	return info.Settings[i].Value
}

// Limits in bytes for unpacking archives: the largest file, which is held in memory, and all files
// together. A small archive can unpack to any size.
const (
	maxProgram = 512 << 20
	maxArchive = 4 << 30
)

// errTooLarge means that a limit was reached, which is not wrong in itself.
var errTooLarge = fmt.Errorf(
	"unpacked, it is too large to be checked: a file in it has more than %d bytes, or all have more than %d",
	maxProgram, maxArchive)

// bounded is a reader with a limit for everything that it reads.
type bounded struct {
	io.Reader
	left int64
}

func (b *bounded) Read(p []byte) (int, error) {
	if b.left <= 0 {
		return 0, errTooLarge
	}
	n, err := b.Reader.Read(p[:min(int64(len(p)), b.left)])
	b.left -= int64(n)
	return n, err
}

// unreadable returns an error of class Wrong, unless the file is too large.
func unreadable(what string, err error) error {
	if err == nil || errors.Is(err, errTooLarge) {
		return err
	}
	return outcome.Wrongf("%s cannot be read: %w", what, err)
}

// eachFile reads the regular files of an archive, one by one.
func eachFile(path, name string, look func(name string, data []byte) error) error {
	if !isArchive(name) {
		file, err := os.Open(path)
		if err != nil {
			return err
		}
		defer file.Close()
		return lookAt(name, file, look)
	}
	if strings.HasSuffix(name, ".zip") {
		return eachOfZip(path, look)
	}
	file, err := os.Open(path)
	if err != nil {
		return err
	}
	defer file.Close()
	unzipped, err := gzip.NewReader(file)
	if err != nil {
		return unreadable("the gzip file", err)
	}
	return eachOfTar(&bounded{unzipped, maxArchive}, look)
}

func eachOfTar(r io.Reader, look func(name string, data []byte) error) error {
	files := tar.NewReader(r)
	for {
		header, err := files.Next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return unreadable("the archive", err)
		}
		if header.Typeflag != tar.TypeReg {
			continue
		}
		if err := lookAt(header.Name, files, look); err != nil {
			return err
		}
	}
}

func eachOfZip(path string, look func(name string, data []byte) error) error {
	files, err := zip.OpenReader(path)
	if err != nil {
		return unreadable("the zip file", err)
	}
	defer files.Close()
	all := &bounded{left: maxArchive}
	for _, f := range files.File {
		if !f.Mode().IsRegular() {
			continue
		}
		content, err := f.Open()
		if err != nil {
			return unreadable(f.Name, err)
		}
		all.Reader = content
		err = lookAt(f.Name, all, look)
		if err = errors.Join(err, content.Close()); err != nil {
			return err
		}
	}
	return nil
}

func lookAt(name string, r io.Reader, look func(name string, data []byte) error) error {
	data, err := io.ReadAll(io.LimitReader(r, maxProgram+1))
	if err != nil {
		return unreadable(name, err)
	}
	if len(data) > maxProgram {
		return fmt.Errorf("%s: %w", name, errTooLarge)
	}
	return look(name, data)
}
