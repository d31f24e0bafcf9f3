package prove

import (
	"bufio"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"golang.org/x/sync/errgroup"

	"github.com/kubestellar/actions/internal/attest"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/report"
)

// claimsOfAsset are the claims about each declared asset.
var claimsOfAsset = map[string]string{
	ruleAssetExists: "the release has it",
	ruleAssetSource: "it is the file that the git tag makes",
}

// assets proves the GitHub release and its files.
func (r *run) assets(ctx context.Context, things []thing) part {
	if r.Forge == nil || r.Only != "" && r.Only != delivery.Asset {
		return part{}
	}
	declared := slices.DeleteFunc(slices.Clone(things), func(t thing) bool { return t.Kind != delivery.Asset })
	s := &subject{name: fmt.Sprintf("GitHub release %s of %s", r.gitTag(), r.repository())}
	release, err := r.release(ctx)
	if err == nil && release == nil && len(declared) == 0 {
		r.note("There is no GitHub release %s of %s, and nothing is declared that it would carry.", r.gitTag(),
			r.repository())
		return part{}
	}
	if err == nil && release == nil {
		err = outcome.Wrongf("there is none that is public")
	}
	s.add(ruleRelease, "it is there").err = err
	if err != nil {
		result := part{subjects: []*subject{s}}
		for _, t := range declared {
			unseen := &subject{name: "release asset " + t.AssetName(r.Version)}
			unseen.missing(ruleRelease, claimsOfAsset, ruleAssetExists, ruleAssetSource)
			result.subjects = append(result.subjects, unseen)
		}
		return result
	}
	s.claims[0].evidence = release.URL
	result := r.carried(ctx, release, declared)
	result.subjects = append([]*subject{s}, result.subjects...)
	result.revisions = append(result.revisions, release.Target)
	return result
}

// release returns the draft if the release is in progress, and the public release otherwise.
func (r *run) release(ctx context.Context) (*gh.Release, error) {
	if r.Draft != nil {
		return r.Draft, nil
	}
	return r.Forge.Release(ctx, r.repository(), r.gitTag())
}

// asset is a file of the release, with its bytes if they were fetched.
type asset struct {
	gh.Asset
	path, digest string
	err          error
	seal         *seal
}

// carried proves the files of the release, sorted by name.
func (r *run) carried(ctx context.Context, release *gh.Release, declared []thing) part {
	dir, err := os.MkdirTemp("", "ghhelper-prove-*")
	if err != nil {
		return part{subjects: []*subject{{claims: []claim{{rule: ruleRelease, subject: "release assets",
			text: "they can be fetched", err: err}}}}}
	}
	defer os.RemoveAll(dir)
	assets := r.fetch(ctx, dir, release.Assets)
	var result part
	sums, sumsErr := checksums(assets)
	found, ok := listOf(assets)
	list := &subject{name: "release asset " + found.Name, seal: found.seal}
	list.add(ruleAssetChecksum, "it is a list of checksums").is(found.digest+", of "+report.Count(len(sums), "file"),
		sumsErr)
	if ok {
		result.subjects = append(result.subjects, list)
	}
	for _, t := range declared {
		if s := r.declaredAsset(ctx, t, assets); s != nil {
			result.subjects = append(result.subjects, s)
		}
	}
	for _, a := range assets {
		if slices.ContainsFunc(declared,
			func(t thing) bool { return t.AssetName(r.Version) == a.Name }) || isChecksums(a.Name) {
			continue
		}
		s := &subject{name: "release asset " + a.Name, digest: a.digest, built: a.Name, asset: true, seal: a.seal,
			after: []string{r.tagKey()}}
		s.add(ruleAssetChecksum, "its checksum is the listed one",
			list.keyOf(ruleAssetChecksum)).is(a.listed(sums, sumsErr))
		r.programs(s, a)
		result.subjects = append(result.subjects, s)
	}
	for _, name := range absent(sums, assets) {
		s := &subject{name: "release asset " + name, built: name, asset: true}
		s.add(ruleAssetChecksum,
			"its checksum is the listed one").err =
			outcome.Wrongf("its checksum is listed, and the release has no such asset")
		result.subjects = append(result.subjects, s)
	}
	return result
}

// fetch downloads the files, a few at a time, and returns them sorted by name.
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

// fetchOne downloads an asset, unless GitHub's digest is that of a local file.
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
	fetched := asset{Asset: a, path: path, digest: fmt.Sprintf("sha256:%x", hash.Sum(nil))}
	fetched.seal = r.seal(ctx, attest.Subject{Name: a.Name, Digest: fetched.digest, Path: path}, r.src.Self,
		r.src.Commit, r.repository())()
	return fetched
}

// declaredAsset proves a file that is made from a source in git.
func (r *run) declaredAsset(ctx context.Context, t thing, assets []asset) *subject {
	s := &subject{name: "release asset " + t.AssetName(r.Version)}
	i := slices.IndexFunc(assets, func(a asset) bool { return a.Name == t.AssetName(r.Version) })
	exists := s.add(ruleAssetExists, claimsOfAsset[ruleAssetExists])
	if i < 0 {
		exists.err = outcome.Wrongf("the release has no such asset")
		s.missing(ruleAssetExists, claimsOfAsset, ruleAssetSource)
		return s
	}
	a := assets[i]
	s.seal, s.after = a.seal, []string{r.tagKey()}
	exists.is(a.digest, a.err)
	if t.Source != "" || r.src.Declares {
		source := s.add(ruleAssetSource, claimsOfAsset[ruleAssetSource], r.tagKey())
		made, err := r.stamp(ctx, t)
		if err = errors.Join(err, a.err); err != nil {
			source.err = err
			return s
		}
		source.places = places(made)
		source.is(fmt.Sprintf("byte for byte, %s stamped", report.Count(len(made.Edits), "place")),
			sameBytes(a.digest, made.Data))
	}
	return s
}

func sameBytes(digest string, want []byte) error {
	if made := fmt.Sprintf("sha256:%x", sha256.Sum256(want)); made != digest {
		return outcome.Wrongf("it is %s, the tag makes %s", digest, made)
	}
	return nil
}

// isChecksums reports whether a file lists checksums of others, by the names that goreleaser and
// sha256sum use.
func isChecksums(name string) bool {
	lower := strings.ToLower(name)
	return strings.HasSuffix(lower, "checksums.txt") || strings.HasPrefix(lower, "sha256sum")
}

// listOf returns the release's list of checksums, if there is one.
func listOf(assets []asset) (asset, bool) {
	i := slices.IndexFunc(assets, func(a asset) bool { return isChecksums(a.Name) })
	if i < 0 {
		return asset{}, false
	}
	return assets[i], true
}

// errNoChecksums means that the release lists no checksums.
var errNoChecksums = errors.New("the release has no file of checksums")

// checksums parses the list of checksums, by file name.
func checksums(assets []asset) (map[string]string, error) {
	list, ok := listOf(assets)
	if !ok {
		return nil, errNoChecksums
	}
	if list.err != nil {
		return nil, list.err
	}
	file, err := os.Open(list.path)
	if err != nil {
		return nil, err
	}
	defer file.Close()
	sums, err := readChecksums(file)
	if err != nil {
		return nil, outcome.Wrongf("it is not a list of checksums: %w", err)
	}
	return sums, nil
}

// checksum is a line in sha256sum's format.
var checksum = regexp.MustCompile(`^([0-9a-f]{64}) [ *](\S+)$`)

func readChecksums(r io.Reader) (map[string]string, error) {
	sums := map[string]string{}
	lines := bufio.NewScanner(r)
	for n := 1; lines.Scan(); n++ {
		m := checksum.FindStringSubmatch(lines.Text())
		if m == nil {
			return nil, fmt.Errorf("line %d is %.80q, want a SHA-256, two spaces and a name", n, lines.Text())
		}
		if _, twice := sums[m[2]]; twice {
			return nil, fmt.Errorf("line %d lists %q a second time", n, m[2])
		}
		sums[m[2]] = "sha256:" + m[1]
	}
	return sums, lines.Err()
}

// listed compares a file's bytes with the list.
func (a asset) listed(sums map[string]string, err error) (evidence string, _ error) {
	if err = errors.Join(a.err, err); err != nil {
		return "", err
	}
	want, ok := sums[a.Name]
	if signed := signedBy(a.Name, sums); !ok && signed != "" {
		return a.digest + ", beside " + signed + "; made after the list, which does not have it", nil
	}
	if !ok {
		return "", outcome.Wrongf("the list of checksums does not have it, and it is not declared")
	}
	if want != a.digest {
		return "", outcome.Wrongf("it is %s, and %s is listed", a.digest, want)
	}
	return a.digest, nil
}

// signatureSuffixes are those of files that cosign, gpg and others make after the list.
var signatureSuffixes = []string{".sig", ".pem", ".asc", ".minisig", ".sigstore", ".sigstore.json", ".intoto.jsonl",
	".bundle"}

// signedBy returns the file of a signature, if it is listed or is a list itself. Otherwise it
// returns "".
func signedBy(name string, sums map[string]string) string {
	for _, suffix := range signatureSuffixes {
		of, ok := strings.CutSuffix(name, suffix)
		if _, listed := sums[of]; ok && (listed || isChecksums(of)) {
			return of
		}
	}
	return ""
}

// absent returns the files that are listed and missing.
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
