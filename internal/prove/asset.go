package prove

import (
	"bufio"
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/outcome"
)

// assets proves the GitHub release and the files that it carries.
func (r *run) assets(ctx context.Context, things []thing) part {
	if r.Forge == nil || r.Only != "" && r.Only != delivery.Asset {
		return part{}
	}
	declared := slices.DeleteFunc(slices.Clone(things), func(t thing) bool { return t.Kind != delivery.Asset })
	s := &subject{name: fmt.Sprintf("GitHub release %s of %s", r.Version.Tag(), r.repository())}
	release, err := r.release(ctx)
	if err == nil && release == nil && len(declared) == 0 {
		r.note("There is no GitHub release %s of %s, and nothing is declared that it would carry.", r.Version.Tag(), r.repository())
		return part{}
	}
	if err == nil && release == nil {
		err = outcome.Wrongf("there is none that is public")
	}
	s.add(ruleRelease, "it is there").err = err
	if err != nil {
		for _, t := range declared {
			s.claims = append(s.claims, claim{rule: ruleAssetExists, subject: "release asset " + t.AssetName(r.Version), text: "the release has it", err: &restsOnError{rule: ruleRelease}})
		}
		return part{subjects: []*subject{s}}
	}
	s.claims[0].evidence = release.URL
	result := r.carried(ctx, release, declared)
	result.subjects = append([]*subject{s}, result.subjects...)
	result.revisions = append(result.revisions, release.Target)
	return result
}

// release is the draft of a release in the making, or what is public.
func (r *run) release(ctx context.Context) (*gh.Release, error) {
	if r.Draft != nil {
		return r.Draft, nil
	}
	return r.Forge.Release(ctx, r.repository(), r.Version.Tag())
}

// asset is a file that the release carries, and its bytes where they were
// fetched.
type asset struct {
	gh.Asset
	path, digest string
	err          error
}

// carried proves the files of the release, in the order of their names.
func (r *run) carried(ctx context.Context, release *gh.Release, declared []thing) part {
	dir, err := os.MkdirTemp("", "ghhelper-prove-*")
	if err != nil {
		return part{subjects: []*subject{{claims: []claim{{rule: ruleRelease, subject: "release assets", text: "they can be fetched", err: err}}}}}
	}
	defer os.RemoveAll(dir)
	assets := r.fetch(ctx, dir, release.Assets)
	sums, sumsErr := checksums(assets)
	var result part
	for _, t := range declared {
		if s := r.declaredAsset(ctx, t, assets); s != nil {
			result.subjects = append(result.subjects, s)
		}
	}
	for _, a := range assets {
		if slices.ContainsFunc(declared, func(t thing) bool { return t.AssetName(r.Version) == a.Name }) || isChecksums(a.Name) {
			continue
		}
		s := &subject{name: "release asset " + a.Name, digest: a.digest, built: a.Name, asset: true, after: []string{r.tagKey()}}
		s.add(ruleAssetChecksum, "its checksum is the listed one").is(a.listed(sums, sumsErr))
		r.programs(s, a)
		result.subjects = append(result.subjects, s)
	}
	for _, name := range absent(sums, assets) {
		s := &subject{name: "release asset " + name, built: name, asset: true}
		s.add(ruleAssetChecksum, "its checksum is the listed one").err = outcome.Wrongf("its checksum is listed, and the release has no such asset")
		result.subjects = append(result.subjects, s)
	}
	return result
}

// fetch brings the files' bytes, a few at a time, sorted by name.
func (r *run) fetch(ctx context.Context, dir string, all []gh.Asset) []asset {
	slices.SortFunc(all, func(a, b gh.Asset) int { return strings.Compare(a.Name, b.Name) })
	assets := make([]asset, len(all))
	var group errgroup.Group
	const atOnce = 8
	group.SetLimit(atOnce)
	for i, a := range all {
		group.Go(func() error {
			assets[i] = r.fetchOne(ctx, filepath.Join(dir, fmt.Sprint(i)), a)
			return nil
		})
	}
	_ = group.Wait() // an asset holds its own error
	return assets
}

// fetchOne downloads an asset, unless GitHub says that it is a file at hand.
func (r *run) fetchOne(ctx context.Context, path string, a gh.Asset) asset {
	if built, ok := r.Built[a.Name]; ok && a.Digest == built.Digest {
		return asset{Asset: a, path: built.Path, digest: built.Digest}
	}
	if !a.Complete() {
		return asset{Asset: a, err: outcome.Wrongf("its upload broke off")}
	}
	file, err := os.Create(path)
	if err != nil {
		return asset{Asset: a, err: err}
	}
	defer file.Close()
	hash := sha256.New()
	if err := r.Forge.Download(ctx, r.repository(), a, io.MultiWriter(file, hash)); err != nil {
		return asset{Asset: a, err: err}
	}
	return asset{Asset: a, path: path, digest: fmt.Sprintf("sha256:%x", hash.Sum(nil))}
}

// declaredAsset proves a file that is made of a source in git.
func (r *run) declaredAsset(ctx context.Context, t thing, assets []asset) *subject {
	s := &subject{name: "release asset " + t.AssetName(r.Version)}
	i := slices.IndexFunc(assets, func(a asset) bool { return a.Name == t.AssetName(r.Version) })
	exists := s.add(ruleAssetExists, "the release has it")
	if i < 0 {
		exists.err = outcome.Wrongf("the release has no such asset")
		s.add(ruleAssetSource, "it is what the git tag makes").err = &restsOnError{rule: ruleAssetExists}
		return s
	}
	a := assets[i]
	exists.is(a.digest, a.err)
	if t.Source != "" || r.src.Declares {
		source := s.add(ruleAssetSource, "it is what the git tag makes", r.tagKey())
		made, err := r.stamp(ctx, t)
		if err = errors.Join(err, a.err); err != nil {
			source.err = err
			return s
		}
		source.places = places(made)
		source.is(fmt.Sprintf("byte for byte, %s stamped", placesCount(len(made.Edits))), sameBytes(a.digest, made.Data))
	}
	return s
}

func placesCount(n int) string {
	if n == 1 {
		return "1 place"
	}
	return fmt.Sprintf("%d places", n)
}

func sameBytes(digest string, want []byte) error {
	if made := fmt.Sprintf("sha256:%x", sha256.Sum256(want)); made != digest {
		return outcome.Wrongf("it is %s, the tag makes %s", digest, made)
	}
	return nil
}

// isChecksums tells whether a file lists the checksums of others, as
// goreleaser and sha256sum name it.
func isChecksums(name string) bool {
	lower := strings.ToLower(name)
	return strings.HasSuffix(lower, "checksums.txt") || strings.HasPrefix(lower, "sha256sum")
}

// errNoChecksums says that the release lists no checksums.
var errNoChecksums = errors.New("the release has no file of checksums")

// checksums reads the list of checksums, by the names of files.
func checksums(assets []asset) (map[string]string, error) {
	i := slices.IndexFunc(assets, func(a asset) bool { return isChecksums(a.Name) })
	if i < 0 {
		return nil, errNoChecksums
	}
	if assets[i].err != nil {
		return nil, assets[i].err
	}
	data, err := os.ReadFile(assets[i].path)
	if err != nil {
		return nil, err
	}
	sums := map[string]string{}
	lines := bufio.NewScanner(bytes.NewReader(data))
	for lines.Scan() {
		fields := strings.Fields(lines.Text())
		if len(fields) != 2 || len(fields[0]) != 2*sha256.Size {
			return nil, outcome.Wrongf("%s: line %q is no SHA-256 and a name", assets[i].Name, lines.Text())
		}
		sums[strings.TrimPrefix(fields[1], "*")] = "sha256:" + fields[0]
	}
	return sums, lines.Err()
}

// listed holds a file's bytes to the list.
func (a asset) listed(sums map[string]string, err error) (evidence string, _ error) {
	if err = errors.Join(a.err, err); err != nil {
		return "", err
	}
	want, ok := sums[a.Name]
	if !ok {
		return "", outcome.Wrongf("the list of checksums does not have it, and it is not declared")
	}
	if want != a.digest {
		return "", outcome.Wrongf("it is %s, and %s is listed", a.digest, want)
	}
	return a.digest, nil
}

// absent are the files that are listed and not there.
func absent(sums map[string]string, assets []asset) []string {
	var names []string
	for name := range sums {
		if !slices.ContainsFunc(assets, func(a asset) bool { return a.Name == name }) {
			names = append(names, name)
		}
	}
	slices.Sort(names)
	return names
}
