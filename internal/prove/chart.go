package prove

import (
	"bytes"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"sync"

	"github.com/kubestellar/actions/internal/apply"
	"github.com/kubestellar/actions/internal/attest"
	"github.com/kubestellar/actions/internal/chart"
	"github.com/kubestellar/actions/internal/delivery"
	"github.com/kubestellar/actions/internal/find"
	"github.com/kubestellar/actions/internal/lookup"
	"github.com/kubestellar/actions/internal/oci"
	"github.com/kubestellar/actions/internal/outcome"
	"github.com/kubestellar/actions/internal/render"
	"github.com/kubestellar/actions/internal/report"
	"github.com/kubestellar/actions/internal/resolve"
	"github.com/kubestellar/actions/internal/verify"
)

// chartClaims makes the claims about one chart.
type chartClaims struct {
	*run
	*subject
	thing
	made    func() (apply.Stamped, error)
	archive []byte
	d       oci.Description
	chart   *chart.Chart
	// standIns are the contained charts that a rehearsal made up.
	standIns []string
}

// chart proves a chart of the component.
func (r *run) chart(ctx context.Context, t thing) part {
	s := &subject{name: "chart " + t.At + ":" + t.TagFor(r.Version)}
	c := &chartClaims{run: r, subject: s, thing: t, made: r.stamping(ctx, t)}
	defer c.made() // temporary files are removed before the proof is returned
	if !c.fetch(ctx) {
		return part{subjects: []*subject{s}}
	}
	s.after = []string{r.tagKey()}
	seal := r.seal(ctx, attest.Subject{Name: s.name, At: t.At, Digest: c.d.Digest}, t.component, r.src.Commit,
		r.repository())
	c.declares()
	c.renders(ctx)
	c.contains(ctx)
	c.isOfTheTag()
	r.seenAnonymously(ctx, s, t, c.d.Digest)
	s.seal = seal()
	return part{subjects: []*subject{s}, revisions: []string{c.d.Labels[oci.KeyRevision]}}
}

// claimsOfChart are the claims about each chart.
var claimsOfChart = map[string]string{
	ruleChartVersion:    "its name, version and appVersion are as declared",
	ruleChartRevision:   "its annotations name the tagged commit, the version and the repository",
	ruleChartRenders:    "it renders, and to nothing that must not be published",
	ruleChartOwn:        "all its references to its own release have the version",
	ruleChartRuns:       "everything that it names is there",
	ruleChartFiles:      "its files are those of the git tag, apart from the stamped places",
	ruleChartBytes:      "packaged again from the git tag, it is the same",
	ruleChartDependency: "the charts in it are those that are recorded",
}

func (c *chartClaims) add(rule string, after ...string) *claim {
	return c.subject.add(rule, claimsOfChart[rule], after...)
}

// fetch claims that the chart exists.
func (c *chartClaims) fetch(ctx context.Context) bool {
	tag := c.TagFor(c.Version)
	var err error
	c.archive, c.d, err = c.Registry.Chart(ctx, c.At, c.identify(c.At, tag))
	if err == nil {
		c.chart, err = chart.LoadArchive(c.At+":"+tag, c.archive)
		err = outcome.As(outcome.Wrong, err) // it was fetched completely
	}
	c.subject.add(ruleChartExists, "it is there").is(c.d.Digest, c.explainAbsent(ctx, c.thing, err))
	if why := c.d.StandIn(); err == nil && why != "" {
		err = &standInError{why}
		c.claims[0].err = err
	}
	if err == nil {
		return true
	}
	for _, rule := range []string{ruleChartVersion, ruleChartRevision, ruleChartRenders, ruleChartOwn, ruleChartRuns,
		ruleChartFiles, ruleChartBytes} {
		c.add(rule).err = &restsOnError{ruleChartExists}
		var standIn *standInError
		if errors.As(err, &standIn) {
			c.claims[len(c.claims)-1].err = standIn
		}
	}
	return false
}

// versions returns the version and the appVersion that the chart must have.
func (c *chartClaims) versions() (version, app string) {
	return c.src.File.ChartVersions(c.Artifact, c.Version, c.chart.Version(), c.chart.AppVersion(), c.chart.IsLibrary())
}

// declares compares what the chart and its manifest declare with delivery.yaml and the tag.
func (c *chartClaims) declares() {
	version, app := c.versions()
	name := c.At[strings.LastIndexByte(c.At, '/')+1:]
	var err error
	if c.chart.Name() != name || c.chart.Version() != version || c.chart.AppVersion() != app {
		err = outcome.Wrongf("it calls itself %s, version %q, appVersion %q, want %s, %q and %q", c.chart.Name(),
			c.chart.Version(), c.chart.AppVersion(), name, version, app)
	}
	c.add(ruleChartVersion).is(fmt.Sprintf("%s %s", name, version), err)
	c.add(ruleChartRevision, c.tagKey()).is(c.annotated())
}

func (c *chartClaims) annotated() (evidence string, err error) {
	version, _ := c.versions()
	for _, expected := range []struct {
		key  string
		want []string
	}{
		{oci.KeyRevision, []string{c.src.Commit}}, {oci.KeyVersion, []string{version}}, {oci.KeySource,
			c.sourceOf(c.repository())},
	} {
		if expected.want[0] == "" {
			err = &restsOnError{ruleGitTag} // unless another claim is refuted
			continue
		}
		got, present := c.d.Labels[expected.key]
		if !present && !c.src.Declares {
			err = c.silent("annotation " + expected.key)
			continue
		}
		if !slices.Contains(expected.want, got) {
			return "", outcome.Wrongf("annotation %s is %q, want %q", expected.key, got, expected.want[0])
		}
	}
	return "annotations, which the publisher wrote; the bytes are compared with the tag below", err
}

// renders makes the claims about the chart's renderings, with its own values and with those that it
// is tested with.
func (c *chartClaims) renders(ctx context.Context) {
	sets := []render.Values{{}}
	var err error
	if c.src.Declares {
		sets, err = render.ReadValues(c.src.Tree, c.Values)
	}
	var to render.Rendering
	if err == nil {
		to, err = c.Renderings.Archive(c.src.File, c.At+":"+c.TagFor(c.Version), c.archive, c.Version, sets...)
	}
	if err != nil {
		c.add(ruleChartRenders, ruleChartVersion).err = err
		for _, rule := range []string{ruleChartOwn, ruleChartRuns} {
			c.add(rule).err = &restsOnError{ruleChartRenders}
		}
		return
	}
	c.instantiates(to)
	c.add(ruleChartRenders, ruleChartVersion).is(report.Count(len(sets), "set")+" of values", findings(to))
	c.add(ruleChartOwn, ruleChartVersion, ruleChartInstantiates, ruleChartRenders).is(c.own(to))
	c.add(ruleChartRuns, append(c.exist(to), ruleChartVersion, ruleChartInstantiates, ruleChartRenders,
		ruleChartOwn)...).is(c.runs(ctx, to))
}

func findings(to render.Rendering) error {
	if len(to.Findings) == 0 {
		return nil
	}
	first := to.Findings[0]
	return outcome.Wrongf("%s:%d: saw %s, want %s; %s in all", first.File, first.Line, first.Saw, first.Want,
		report.Count(len(to.Findings), "place"))
}

// instantiates claims that the chart names what it must.
func (c *chartClaims) instantiates(to render.Rendering) {
	if len(c.Runs) == 0 {
		return
	}
	var what, evidence []string
	var errs []error
	for _, entry := range c.Runs {
		component, name := delivery.Run(c.component, entry)
		a, tag := c.src.File.Components[component].Artifacts[name], ""
		if c.isOwn(component) {
			tag = a.TagFor(c.Version)
		}
		said, err := names(to, a, tag)
		what, evidence, errs = append(what,
			strings.TrimSuffix(fmt.Sprintf("%s %s:%s", a.Kind, a.At, tag),
				":")), append(evidence, said), append(errs, err)
	}
	c.subject.add(ruleChartInstantiates, "it runs "+strings.Join(what, " and "),
		ruleChartVersion).is(strings.Join(evidence, "; "), errors.Join(errs...))
}

// isOwn reports whether a component has the proven version: the component itself, and those in lock
// step with it.
func (r *run) isOwn(component string) bool {
	return component == r.src.Self || component != "" && r.src.File.Components[component].Lockstep == r.src.Self
}

// names finds an artifact among the names in a rendering.
func names(to render.Rendering, a delivery.Artifact, tag string) (evidence string, err error) {
	var others []string
	for _, target := range resolve.Sorted(to.Named) {
		if target.Kind != resolve.Kind(a.Kind) || target.At != a.At {
			continue
		}
		if tag == "" || target.Tag == tag {
			return "named at " + to.Named[target].Text, nil
		}
		others = append(others, fmt.Sprintf("%s (at %s)", target.Tag, to.Named[target]))
	}
	if len(others) > 0 {
		return "", outcome.Wrongf("it names %s at %s", a.At, strings.Join(others, ", "))
	}
	return "", outcome.Wrongf("no rendering names it")
}

// own finds versions of other releases in references to the own component.
func (c *chartClaims) own(to render.Rendering) (evidence string, err error) {
	said := 0
	for _, reference := range find.Pins(to.References) {
		if !c.isOwn(reference.Component) || reference.Excused != "" {
			continue
		}
		version, err := reference.Version()
		if err != nil {
			return "", fmt.Errorf("%s: %w", reference.Site, err)
		}
		if version.String() != c.Version.String() {
			return "", outcome.Wrongf("%s names %s %s, want %s", reference.Site, reference.Component, reference.Written,
				c.Version)
		}
		said++
	}
	return report.Count(said, "place") + " of the renderings", nil
}

// exist returns the claims that explain why an artifact of our own is missing.
func (c *chartClaims) exist(to render.Rendering) (keys []string) {
	explains := map[resolve.Kind][]string{
		resolve.Image: {ruleImageExists},
		resolve.Chart: {ruleChartExists, ruleChartVersion, ruleChartRenders, ruleChartRuns},
	}
	for _, target := range resolve.Sorted(to.Named) {
		for _, rule := range explains[target.Kind] {
			keys = append(keys, fmt.Sprintf("%s %s %s:%s", rule, target.Kind, target.At, target.Tag))
		}
	}
	return append(keys, c.tagKey())
}

// runs queries everything that the chart names, and everything that the named charts run.
func (c *chartClaims) runs(ctx context.Context, to render.Rendering) (evidence string, err error) {
	asker := verify.Asker{
		File: c.src.File, Resolver: c.by, Own: c.Version, Renderings: c.Renderings,
		Charts: func(ctx context.Context, at, tag string) ([]byte, error) {
			by := lookup.Resolver{Registry: c.Registry, Repositories: c.Repositories}
			return by.Chart(ctx, at, c.identify(at, tag))
		},
	}
	asked := asker.Ask(ctx, to.Named)
	var errs []error
	for _, finding := range asked.Findings {
		errs = append(errs, outcome.Wrongf("%s", finding.Saw))
	}
	standIns := 0
	for _, open := range asked.Unchecked {
		if open.StandIn {
			standIns++
			continue
		}
		errs = append(errs, fmt.Errorf("%s: %s", open.What, open.Because))
	}
	if len(errs) == 0 && standIns > 0 {
		errs = append(errs, &standInError{fmt.Sprintf("%d of the %s that it names, or that those run", standIns,
			report.Count(len(asked.Answers), "thing"))})
	}
	evidence = report.Count(len(asked.Answers), "thing") + ", with those that they run in turn"
	if excused := asked.Excuses.Used(); len(excused) > 0 {
		evidence += "; excused, and not asked for: " + strings.Join(excused, ", ")
	}
	return evidence, errors.Join(errs...)
}

// contains compares the charts in the chart with their recorded digests.
func (c *chartClaims) contains(ctx context.Context) {
	if len(c.chart.Dependencies()) == 0 {
		return
	}
	c.add(ruleChartDependency).is(c.dependencies(ctx))
}

func (c *chartClaims) dependencies(ctx context.Context) (evidence string, err error) {
	var said []string
	for _, d := range c.chart.Dependencies() {
		what := d.At() + ":" + d.Version
		if d.At() == "" {
			return "", outcome.Wrongf("it contains %s %s from %q, want one from a registry (oci://…)", d.Name,
				d.Version, d.Repository)
		}
		want, err := c.Dependency(d.At(), d.Version)
		if err != nil {
			return "", outcome.As(outcome.Wrong, err)
		}
		archive, is, err := c.Registry.Chart(ctx, d.At(), d.Version)
		if err != nil {
			return "", err
		}
		switch {
		case is.StandIn() != "":
			c.standIns = append(c.standIns, what)
		case want == "":
			return "", fmt.Errorf("no digest is recorded of %s, which is %s now", what, is.Digest)
		case want != is.Digest:
			return "", outcome.Wrongf("%s is %s, and %s is recorded", what, is.Digest, want)
		}
		inner, err := chart.LoadArchive(what, archive)
		if err != nil {
			return "", err
		}
		if differ := differences(within(c.chart.Files(), d.Name), inner.Files()); len(differ) > 0 {
			return "", outcome.Wrongf("what it contains of %s differs from the registry's: %s", what,
				strings.Join(differ, ", "))
		}
		said = append(said, what+"@"+short(is.Digest))
	}
	if len(c.standIns) > 0 {
		return "", &standInError{strings.Join(c.standIns, ", ")}
	}
	return strings.Join(said, ", "), nil
}

// within returns the files of a contained chart, by their names in it.
func within(files []chart.File, name string) []chart.File {
	var inner []chart.File
	for _, f := range files {
		if rest, ok := strings.CutPrefix(f.Name, "charts/"+name+"/"); ok {
			inner = append(inner, chart.File{Name: rest, Data: f.Data})
		}
	}
	return inner
}

// besides returns the files of a chart without those of contained charts.
func besides(c *chart.Chart) []chart.File {
	return slices.DeleteFunc(c.Files(), func(f chart.File) bool {
		return slices.ContainsFunc(c.Dependencies(),
			func(d chart.Dependency) bool { return strings.HasPrefix(f.Name, "charts/"+d.Name+"/") })
	})
}

// differences returns the names of a few files that differ between two sets.
func differences(got, want []chart.File) []string {
	var differ []string
	wanted := map[string][]byte{}
	for _, f := range want {
		wanted[f.Name] = f.Data
	}
	for _, f := range got {
		data, known := wanted[f.Name]
		switch {
		case !known:
			differ = append(differ, f.Name+" is too many")
		case !bytes.Equal(f.Data, data):
			differ = append(differ, f.Name+" differs")
		}
		delete(wanted, f.Name)
	}
	for _, f := range want {
		if _, left := wanted[f.Name]; left {
			differ = append(differ, f.Name+" is missing")
		}
	}
	const enough = 5
	if len(differ) > enough {
		differ = append(differ[:enough], fmt.Sprintf("and %d more", len(differ)-enough))
	}
	return differ
}

// isOfTheTag compares the chart's bytes with a package made from the git tag.
func (c *chartClaims) isOfTheTag() {
	content := []string{c.tagKey(), ruleChartVersion, ruleChartInstantiates, ruleChartRenders, ruleChartOwn,
		ruleChartDependency}
	files := c.add(ruleChartFiles, content...)
	want, err := c.made()
	if err != nil {
		files.err = err
		c.add(ruleChartBytes).err = &restsOnError{ruleChartFiles}
		return
	}
	evidence, err := c.sameFiles(want)
	files.is(evidence, err)
	files.places = places(want)
	content = append(content, ruleChartFiles, ruleChartRevision)
	whole := c.add(ruleChartBytes, content...)
	if err != nil {
		whole.err = &restsOnError{ruleChartFiles}
		return
	}
	whole.is(c.sameBytes(want))
}

func (c *chartClaims) sameFiles(want apply.Stamped) (evidence string, err error) {
	mine := besides(c.chart)
	if differ := differences(mine, besides(want.Chart)); len(differ) > 0 {
		return "", outcome.Wrongf("not as the tag has it: %s", strings.Join(differ, ", "))
	}
	return fmt.Sprintf("%s; stamped: %s", report.Count(len(mine), "file"), strings.Join(places(want), ", ")), nil
}

// places returns the places in which a stamped copy differs from its source.
func places(s apply.Stamped) []string {
	var all []string
	for _, e := range s.Edits {
		all = append(all, fmt.Sprintf("%s %s → %s", e.Site, e.Written, e.To))
	}
	for _, line := range s.LeftOut {
		all = append(all, line+" left out")
	}
	return all
}

func (c *chartClaims) sameBytes(want apply.Stamped) (evidence string, err error) {
	if !bytes.Equal(c.archive, want.Archive) {
		return "", outcome.Wrongf("the package is %x, the tag makes %x of the same files", sha256.Sum256(c.archive),
			sha256.Sum256(want.Archive))
	}
	image, err := oci.ChartImage(want.Archive, want.Chart.Metadata(), apply.Annotations(c.src.File, want, c.src.Commit))
	if err != nil {
		return "", err
	}
	hash, err := image.Digest()
	if err != nil {
		return "", err
	}
	if hash.String() != c.d.Digest {
		return "", outcome.Wrongf("its manifest is %s, the tag makes %s of the same package", c.d.Digest, hash)
	}
	if len(c.standIns) > 0 {
		return "", &standInError{strings.Join(c.standIns,
			", ") + ": byte for byte the same, except the stand-in's own files"}
	}
	return c.d.Digest + ", byte for byte", nil
}

// stamping starts to make the stamped copy of an artifact from the tag's source, and returns a
// function that waits for it.
func (r *run) stamping(ctx context.Context, t thing) func() (apply.Stamped, error) {
	made := sync.OnceValues(func() (apply.Stamped, error) { return r.stamp(ctx, t) })
	go made()
	return made
}

func (r *run) stamp(ctx context.Context, t thing) (apply.Stamped, error) {
	for _, s := range r.Stamped {
		if s.Artifact == t.name {
			return s, nil
		}
	}
	if r.src.Tree == nil || !r.src.Declares {
		return apply.Stamped{}, fmt.Errorf("the tag does not say what it is made of: %w", &restsOnError{ruleDeclared})
	}
	if t.Source == "" {
		return apply.Stamped{}, errors.New("the tag does not say what it is made of: declare its source")
	}
	dir, err := os.MkdirTemp("", "ghhelper-prove-*")
	if err != nil {
		return apply.Stamped{}, err
	}
	defer os.RemoveAll(dir)
	stamper := apply.Stamper{Tree: r.src.Tree, File: r.src.File, Version: r.Version, Time: r.src.Time,
		Fetch: r.Registry.Chart, AcceptStandIns: true, Only: []string{t.name}}
	made, err := stamper.Stamp(ctx, dir)
	if err != nil {
		return apply.Stamped{}, err
	}
	return made[0], nil
}
