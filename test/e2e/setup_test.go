// Package e2e_test runs the scripts that set KubeStellar up for a user, with stand-ins for the
// commands that they run.
package e2e_test

import (
	"bytes"
	"errors"
	"flag"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"testing"
)

var update = flag.Bool("update", false, "write what the set-up runs anew")

// root is the path of the repository's root from this package.
const root = "../.."

const joins = "token=abc\nplease log on spoke and run:\nclusteradm join --hub-token TOKEN --hub-apiserver URL --cluster-name <cluster_name>"

// stage is a clone of the files that the set-up uses, and everything that it can reach.
type stage struct {
	t                         *testing.T
	root, source, temp, notes string
	bin                       string   // of the stand-ins
	env                       []string // for the stand-ins
}

// ghhelper is built once.
var ghhelper = sync.OnceValues(func() (string, error) {
	program := filepath.Join(scratch, "ghhelper")
	out, err := exec.Command("go", "build", "-o", program, root+"/cmd/ghhelper").CombinedOutput()
	if err != nil {
		return "", errors.New(string(out))
	}
	return program, nil
})

func newStage(t *testing.T) *stage {
	t.Helper()
	dir, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := &stage{t: t, root: filepath.Join(dir, "actions"), source: filepath.Join(dir, "kubestellar"), temp: filepath.Join(dir, "temp"),
		notes: filepath.Join(dir, "notes"), bin: filepath.Join(dir, "bin")}
	for _, folder := range []string{s.temp, s.notes, s.bin, filepath.Join(s.root, "scripts"), filepath.Join(s.root, "test"),
		filepath.Join(s.source, "cmd/controller-manager"), filepath.Join(s.source, "pkg/transport/cmd")} {
		s.must(os.MkdirAll(folder, 0o755))
	}
	s.copy("delivery.yaml", "chart", "core-chart", "config", "test/e2e", "scripts")
	s.git("init", "--quiet")
	s.git("add", ".")
	s.git("-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message", "all")
	program, err := os.Executable()
	s.must(err)
	for _, name := range commands {
		s.must(os.Symlink(program, filepath.Join(s.bin, name)))
	}
	return s
}

func (s *stage) must(err error) {
	s.t.Helper()
	if err != nil {
		s.t.Fatal(err)
	}
}

func (s *stage) copy(names ...string) {
	s.t.Helper()
	for _, name := range names {
		info, err := os.Stat(filepath.Join(root, name))
		s.must(err)
		if info.IsDir() {
			s.must(os.CopyFS(filepath.Join(s.root, name), os.DirFS(filepath.Join(root, name))))
			continue
		}
		data, err := os.ReadFile(filepath.Join(root, name))
		s.must(err)
		s.must(os.WriteFile(filepath.Join(s.root, name), data, info.Mode()))
	}
}

func (s *stage) git(args ...string) string {
	s.t.Helper()
	out, err := exec.Command("git", append([]string{"-C", s.root}, args...)...).CombinedOutput()
	if err != nil {
		s.t.Fatalf("git %s: %v\n%s", args, err, out)
	}
	return string(out)
}

// standInForScripts replaces the scripts that the set-up calls by stand-ins. They then appear in the
// recorded commands as in a dry run.
func (s *stage) standInForScripts() {
	program, err := os.Executable()
	s.must(err)
	for _, name := range []string{"import-cp-contexts.sh", "deploy-transport-controller.sh"} {
		s.must(os.Remove(filepath.Join(s.root, "scripts", name)))
		s.must(os.Symlink(program, filepath.Join(s.root, "scripts", name)))
	}
	s.git("add", ".")
	s.git("-c", "user.name=t", "-c", "user.email=t@example.com", "commit", "--quiet", "--message", "stand-ins")
}

// answers sets the output of the stand-ins. Each rule is "PART OF A COMMAND => OUTPUT".
func (s *stage) answers(rules ...string) {
	rules = append(rules, "kflex version => Kubeflex version: v"+s.pin("KUBEFLEX_VERSION")+".abcdef 2026",
		"get token => "+joins, "go env GOARCH => amd64", "config current-context => kind-there")
	s.env = append(s.env, "STANDIN_ANSWERS="+strings.Join(rules, "\x1e"))
}

func (s *stage) fails(parts ...string) {
	s.env = append(s.env, "STANDIN_FAILS="+strings.Join(parts, "\x1e"))
}

// pin returns a version that is set in the script.
func (s *stage) pin(name string) string {
	s.t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "test/e2e/setup-kubestellar.sh"))
	s.must(err)
	match := regexp.MustCompile(`(?m)^` + name + `=(\S+)$`).FindStringSubmatch(string(text))
	if match == nil {
		s.t.Fatalf("setup-kubestellar.sh has no line %s=…", name)
	}
	return match[1]
}

// run runs a script of the clone.
func (s *stage) run(script string, args ...string) (code int, stdout, stderr string) {
	s.t.Helper()
	program, err := ghhelper()
	s.must(err)
	var out, errOut bytes.Buffer
	cmd := exec.Command("bash", append([]string{filepath.Join(s.root, script)}, args...)...)
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.temp, &out, &errOut
	cmd.Env = append(os.Environ(), "PATH="+s.bin+":"+os.Getenv("PATH"), "TMPDIR="+s.temp, "KUBECONFIG="+filepath.Join(s.notes, "kubeconfig"), "KO_DOCKER_REPO=",
		"KUBESTELLAR_SOURCE="+s.source, "STANDIN="+s.notes, "STANDIN_ROOT="+s.root, "STANDIN_PATH="+os.Getenv("PATH"), "STANDIN_GHHELPER="+program)
	cmd.Env = append(cmd.Env, s.env...)
	err = cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		s.t.Fatal(err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

const setup = "test/e2e/setup-kubestellar.sh"

// asked returns the commands that the stand-ins recorded.
func (s *stage) asked() string {
	data, err := os.ReadFile(filepath.Join(s.notes, "asked"))
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		s.t.Fatal(err)
	}
	return s.plain(string(data))
}

var (
	temporary = regexp.MustCompile(`/setup-kubestellar\.\w+`)
	localTag  = regexp.MustCompile(`0\.0\.0-local\.\d{14}`)
	goesTo    = regexp.MustCompile(`(?m) > \S+$`)
)

// plain replaces texts that differ from run to run by names.
func (s *stage) plain(text string) string {
	text = strings.NewReplacer(s.root, "ROOT", s.source, "SOURCE", s.temp, "TEMP",
		"--branch v"+s.pin("OCM_TRANSPORT_PLUGIN_VERSION"), "--branch vPINNED").Replace(text)
	return localTag.ReplaceAllString(temporary.ReplaceAllString(text, "/WORK"), "LOCAL")
}

// leftNothing checks that no file in the clone changed and that no temporary file remains.
func (s *stage) leftNothing() {
	s.t.Helper()
	if status := s.git("status", "--porcelain"); status != "" {
		s.t.Errorf("the work tree has changed:\n%s", status)
	}
	left, err := os.ReadDir(s.temp)
	if err != nil || len(left) > 0 {
		s.t.Errorf("left behind %v, %v, want nothing", left, err)
	}
}

func (s *stage) given(name string) string {
	s.t.Helper()
	data, err := os.ReadFile(filepath.Join(s.notes, "given-"+name))
	s.must(err)
	return string(data)
}

func want(t *testing.T, what, got, want string) {
	t.Helper()
	if !strings.Contains(got, want) {
		t.Errorf("%s: saw\n%s\nwant in it\n%s", what, got, want)
	}
}

var cases = map[string][]string{
	"released-kind":     {"--released", "v1.2.3-rc.1"},
	"released-existing": {"--released", "1.2.3", "--env", "existing", "--context", "my cluster", "--wecs", "wec1"},
	"local-kind":        {"--local", "--wecs", "", "--timeout", "60"},
	"local-existing":    {"--local", "--env", "existing"},
}

// testdata has the commands of each case. A dry run prints the same commands.
func TestSetupRuns(t *testing.T) {
	t.Parallel()
	for name, args := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.standInForScripts()
			s.answers()
			code, printed, errOut := s.run(setup, append(args, "--dry-run")...)
			if code != 0 || errOut != "" || s.asked() != "" {
				t.Errorf("dry run: saw exit code %d, %q, and commands run:\n%s", code, errOut, s.asked())
			}
			s.leftNothing()
			if code, _, errOut := s.run(setup, args...); code != 0 {
				t.Fatalf("saw exit code %d\n%s", code, errOut)
			}
			s.leftNothing()
			s.compare(name)
			dry := strings.ReplaceAll(goesTo.ReplaceAllString(s.plain(printed), ""), "CURRENT-CONTEXT", "kind-there")
			dry = strings.ReplaceAll(dry, "--name kind-there", "--name there")
			if dry != s.asked() {
				t.Errorf("a dry run prints\n%s\nbut the real run is\n%s", dry, s.asked())
			}
		})
	}
}

func (s *stage) compare(name string) {
	s.t.Helper()
	file := filepath.Join("testdata", name+".txt")
	if *update {
		s.must(os.WriteFile(file, []byte(s.asked()), 0o644))
	}
	want, err := os.ReadFile(file)
	s.must(err)
	if s.asked() != string(want) {
		s.t.Errorf("saw\n%s\nwant, from %s\n%s", s.asked(), file, want)
	}
}

// The ocm hook is the local file byte for byte. The kubestellar hook names the release. The chart's
// version is the tag of the images.
func TestSetupStampsCopies(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.standInForScripts()
	s.answers()
	if code, _, errOut := s.run(setup, cases["released-kind"]...); code != 0 {
		t.Fatalf("saw exit code %d\n%s", code, errOut)
	}
	hook, err := os.ReadFile(filepath.Join(root, "config/postcreate-hooks/ocm.yaml"))
	s.must(err)
	if s.given("ocm.yaml") != string(hook) {
		t.Error("the applied ocm.yaml is not the local file")
	}
	want(t, "kubestellar.yaml", s.given("kubestellar.yaml"), "controller-manager-chart\n            - --version\n            - \"1.2.3-rc.1\"\n")

	s = newStage(t)
	s.standInForScripts()
	s.answers()
	if code, _, errOut := s.run(setup, cases["local-kind"]...); code != 0 {
		t.Fatalf("saw exit code %d\n%s", code, errOut)
	}
	notes, err := os.ReadFile(filepath.Join(s.notes, "asked"))
	s.must(err)
	version := localTag.FindString(string(notes))
	want(t, "Chart.yaml", s.given("Chart.yaml"), "\nversion: "+version+"\nappVersion: "+version+"\n")
	for _, image := range []string{"docker tag ko.local/controller-manager:" + version + " ghcr.io/kubestellar/kubestellar/controller-manager:" + version,
		"kind load docker-image --name kubeflex ghcr.io/kubestellar/kubestellar/controller-manager:" + version + " ko.local/transport-controller:" + version} {
		want(t, "commands", string(notes), image)
	}
}

// The set-up uses existing clusters and control planes.
func TestSetupTakesWhatIsThere(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.standInForScripts()
	s.answers("kind get clusters => cluster1\nkubeflex\nother", "get controlplanes.tenancy.kflex.kubestellar.org its1 => controlplane/its1")
	if code, _, errOut := s.run(setup, "--released", "1.2.3"); code != 0 {
		t.Fatalf("saw exit code %d\n%s", code, errOut)
	}
	asked := s.asked()
	for _, not := range []string{"kflex create its1", "kind create cluster --name cluster1"} {
		if strings.Contains(asked, not) {
			t.Errorf("saw %s, which exists already, in\n%s", not, asked)
		}
	}
	for _, yes := range []string{
		"kflex create wds1", "kind create cluster --name cluster2",
		"kind export kubeconfig --name kubeflex --kubeconfig TEMP/WORK/kubeconfig\n",
	} {
		want(t, "commands", asked, yes)
	}
}

func TestSetupFailsWhereACommandFails(t *testing.T) {
	t.Parallel()
	for what, test := range map[string]struct {
		args []string
		last string // command before the exit
	}{
		"kflex create wds1": {cases["released-kind"], "kflex create wds1"},
		"ghhelper stamp":    {cases["released-kind"], "ghhelper stamp"},
		"ko build":          {cases["local-kind"], "./cmd/controller-manager"},
		"kind load":         {cases["local-kind"], "kind load"},
		"helm upgrade":      {cases["local-kind"], "helm upgrade"},
		"config view":       {cases["released-existing"], "config view"},
		"clusteradm join":   {cases["released-kind"], "--cluster-name cluster1"},
		"scripts/import-cp": {cases["released-kind"], "import-cp-contexts.sh"},
	} {
		t.Run(what, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.standInForScripts()
			s.answers()
			s.fails(what)
			code, _, errOut := s.run(setup, test.args...)
			lines := strings.Split(strings.TrimSpace(s.asked()), "\n")
			if code != 7 || !strings.Contains(lines[len(lines)-1], test.last) {
				t.Errorf("saw exit code %d after %q, want the exit code of the failed command, and no command after it\n%s", code, lines[len(lines)-1], errOut)
			}
			want(t, "stderr", errOut, "setup-kubestellar.sh: exit code 7 of ")
			s.leftNothing()
		})
	}
}

// kubectl wait fails at once if the object does not exist yet. The set-up tries again until the
// timeout.
func TestSetupWaits(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.standInForScripts()
	s.answers()
	s.fails("job/ocm")
	s.env = append(s.env, "STANDIN_ONCE=true")
	if code, _, errOut := s.run(setup, "--released", "1.2.3"); code != 0 || strings.Count(s.asked(), "job/ocm") != 2 {
		t.Errorf("saw exit code %d, want a second try\n%s", code, errOut)
	}

	s = newStage(t)
	s.standInForScripts()
	s.answers()
	s.fails("job/ocm")
	code, _, errOut := s.run(setup, "--released", "1.2.3", "--timeout", "0")
	if code != 1 || strings.Count(s.asked(), "job/ocm") != 1 {
		t.Errorf("saw exit code %d, want one try\n%s", code, errOut)
	}
	want(t, "stderr", errOut, "gave up after 0s: kubectl --context kind-kubeflex --namespace its1-system wait")
	s.leftNothing()
}

// If a Job has failed permanently, the set-up stops waiting and prints its log.
func TestSetupStopsAtAFailedJob(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.standInForScripts()
	s.answers("get job kubestellar => True")
	s.fails("condition=complete job/kubestellar")
	code, _, errOut := s.run(setup, "--released", "1.2.3")
	if code != 1 || strings.Count(s.asked(), "condition=complete job/kubestellar") != 1 {
		t.Errorf("saw exit code %d, want one try\n%s", code, errOut)
	}
	want(t, "commands", s.asked(), "--namespace wds1-system logs job/kubestellar --all-containers")
	want(t, "stderr", errOut, "the job kubestellar of wds1 has failed permanently")
	s.leftNothing()
}

func TestSetupKeepsTheTokenToItself(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	s.standInForScripts()
	s.answers()
	s.env = append(s.env, "STANDIN_ANSWERS=kflex version => Kubeflex version: v"+s.pin("KUBEFLEX_VERSION")+
		"\x1eget token => clusteradm join --hub-token s3cret --hub-apiserver URL --cluster-name <cluster_name>")
	code, out, errOut := s.run(setup, "--released", "1.2.3")
	want(t, "commands", s.asked(), "--hub-token s3cret")
	if code != 0 || strings.Contains(out+errOut, "s3cret") {
		t.Errorf("saw exit code %d, want 0, and an output without the token:\n%s", code, out+errOut)
	}
}

func TestSetupRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		args []string
		code int
		says string
	}{
		"nothing":             {nil, 2, "want --released VERSION or --local"},
		"both":                {[]string{"--local", "--released", "1.2.3"}, 2, "--released and --local are given"},
		"no version":          {[]string{"--released"}, 2, "--released is given without a value"},
		"an empty version":    {[]string{"--released", ""}, 2, "--released is given without a value"},
		"an option as such":   {[]string{"--released", "--dry-run"}, 2, "saw --released --dry-run, want a version such as 1.2.3"},
		"another environment": {[]string{"--local", "--env", "ocp"}, 2, "saw --env ocp, want kind or existing"},
		"a context for kind":  {[]string{"--local", "--context", "x"}, 2, "--context is for --env existing"},
		"words":               {[]string{"--local", "now"}, 2, `saw "now", want an option`},
		"no number":           {[]string{"--local", "--timeout", "1m"}, 2, "saw --timeout 1m, want a number of seconds"},
		"no names":            {[]string{"--local", "--wecs", "a,,b"}, 2, "saw --wecs a,,b, want names of clusters"},
		"no source":           {[]string{"--local", "--source", "/nowhere"}, 1, "--source /nowhere has no folder cmd/controller-manager"},
		"no kind cluster":     {[]string{"--local", "--env", "existing", "--context", "eks"}, 1, "saw the context eks, want kind-NAME"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			s := newStage(t)
			s.answers()
			code, _, errOut := s.run(setup, test.args...)
			if code != test.code || strings.Contains(s.asked(), "kflex init") {
				t.Errorf("saw exit code %d, want %d, and no change; it ran\n%s", code, test.code, s.asked())
			}
			want(t, "stderr", errOut, test.says)
			s.leftNothing()
		})
	}
}

func TestSetupRefusesAnotherKubeFlex(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, version := range []string{"v9.9.9.abcdef 2026", "v" + s.pin("KUBEFLEX_VERSION") + "0.abcdef 2026"} {
		s.env = []string{"STANDIN_ANSWERS=kflex version => Kubeflex version: " + version}
		code, _, errOut := s.run(setup, "--released", "1.2.3")
		if code != 1 || s.asked() != "kflex version\n" {
			t.Errorf("saw exit code %d, want 1, and no command after it\n%s", code, s.asked())
		}
		want(t, "stderr", errOut, `want v`+s.pin("KUBEFLEX_VERSION"))
		s.must(os.Remove(filepath.Join(s.notes, "asked")))
	}
}

// All missing commands are listed at once, each with its purpose.
func TestSetupNamesWhatIsMissing(t *testing.T) {
	t.Parallel()
	s := newStage(t)
	for _, name := range commands {
		s.must(os.Remove(filepath.Join(s.bin, name)))
	}
	for _, name := range []string{"bash", "dirname", "date", "grep"} {
		at, err := exec.LookPath(name)
		s.must(err)
		s.must(os.Symlink(at, filepath.Join(s.bin, name)))
	}
	s.env = []string{"PATH=" + s.bin}
	code, _, errOut := s.run(setup, "--local")
	if code != 1 {
		t.Errorf("saw exit code %d, want 1", code)
	}
	for _, name := range commands[:len(commands)-1] {
		want(t, "stderr", errOut, "\n  "+name+", ")
	}
	if code, out, _ := s.run(setup, "--local", "--dry-run"); code != 0 || !strings.Contains(out, "ko build") {
		t.Errorf("a dry run: saw exit code %d, want 0 without any of them", code)
	}
}
