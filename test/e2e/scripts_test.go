package e2e_test

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"go.yaml.in/yaml/v3"
)

// kubectl returns the path of the real one, because the tests are about its handling of kubeconfigs.
func kubectl(t *testing.T) string {
	t.Helper()
	command, err := exec.LookPath("kubectl")
	if err != nil {
		t.Fatal("no command kubectl found on PATH: run the tests with `make test`, which builds it")
	}
	return command
}

// hosting is a fake of the hosting cluster. It answers the requests of the script.
type hosting struct {
	*httptest.Server
	sync.Mutex                           // guards the fields below
	planes     map[string]map[string]any // by name: its type and the location of its secret
	secrets    map[string]map[string]any // by namespace/name: its data
}

func newHosting(t *testing.T) *hosting {
	h := &hosting{planes: map[string]map[string]any{}, secrets: map[string]map[string]any{}}
	h.Server = httptest.NewServer(h)
	t.Cleanup(h.Close)
	return h
}

// add adds a control plane whose secret contains this kubeconfig.
func (h *hosting) add(name, kind, secret, key, kubeconfig string) {
	h.Lock()
	defer h.Unlock()
	h.planes[name] = map[string]any{"metadata": map[string]any{"name": name}, "spec": map[string]any{"type": kind},
		"status": map[string]any{"secretRef": map[string]any{"namespace": name + "-system", "name": secret, "key": key, "inClusterKey": key + "-incluster"}}}
	h.secrets[name+"-system/"+secret] = map[string]any{key: base64.StdEncoding.EncodeToString([]byte(kubeconfig)), key + "-incluster": "d3Jvbmc="}
}

func (h *hosting) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	h.Lock()
	defer h.Unlock()
	const group, version = "tenancy.kflex.kubestellar.org", "v1alpha1"
	object := func(kind, apiVersion string, more map[string]any) {
		more["kind"], more["apiVersion"] = kind, apiVersion
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(more)
	}
	resource := func(name, kind string, namespaced bool) []any {
		return []any{map[string]any{
			"name": name, "singularName": strings.ToLower(kind), "kind": kind, "namespaced": namespaced, "verbs": []string{"get", "list"},
		}}
	}
	planes, secrets := "/apis/"+group+"/"+version+"/controlplanes", strings.Split(r.URL.Path, "/")
	switch {
	case r.URL.Path == "/api":
		object("APIVersions", "v1", map[string]any{"versions": []string{"v1"}})
	case r.URL.Path == "/apis":
		v := map[string]any{"groupVersion": group + "/" + version, "version": version}
		object("APIGroupList", "v1", map[string]any{"groups": []any{map[string]any{"name": group, "versions": []any{v}, "preferredVersion": v}}})
	case r.URL.Path == "/api/v1":
		object("APIResourceList", "v1", map[string]any{"groupVersion": "v1", "resources": resource("secrets", "Secret", true)})
	case r.URL.Path == "/apis/"+group+"/"+version:
		object("APIResourceList", "v1", map[string]any{"groupVersion": group + "/" + version, "resources": resource("controlplanes", "ControlPlane", false)})
	case r.URL.Path == planes:
		items := []any{}
		for _, name := range slices.Sorted(keysOf(h.planes)) {
			items = append(items, h.planes[name])
		}
		object("ControlPlaneList", group+"/"+version, map[string]any{"items": items})
	case h.planes[strings.TrimPrefix(r.URL.Path, planes+"/")] != nil:
		object("ControlPlane", group+"/"+version, h.planes[strings.TrimPrefix(r.URL.Path, planes+"/")])
	case len(secrets) == 7 && h.secrets[secrets[4]+"/"+secrets[6]] != nil:
		object("Secret", "v1", map[string]any{
			"metadata": map[string]any{"name": secrets[6], "namespace": secrets[4]}, "data": h.secrets[secrets[4]+"/"+secrets[6]],
		})
	default:
		w.WriteHeader(http.StatusNotFound)
		object("Status", "v1", map[string]any{"status": "Failure", "reason": "NotFound", "code": 404, "message": r.URL.Path + " not found"})
	}
}

func keysOf(m map[string]map[string]any) func(yield func(string) bool) {
	return func(yield func(string) bool) {
		for k := range m {
			if !yield(k) {
				return
			}
		}
	}
}

// user is a user with a kubeconfig.
type user struct {
	t          *testing.T
	home, file string
	env        []string
}

func newUser(t *testing.T, h *hosting) *user {
	t.Helper()
	kubectl(t)
	u := &user{t: t, home: t.TempDir()}
	u.file = filepath.Join(u.home, ".kube", "config")
	u.write(u.file, fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: hosting
clusters:
- {name: hostc, cluster: {server: "%s"}}
- {name: elsewhere, cluster: {server: "https://elsewhere.example", certificate-authority: ca.crt}}
users:
- {name: hostu, user: {token: mine}}
contexts:
- {name: hosting, context: {cluster: hostc, user: hostu}}
- {name: other, context: {cluster: elsewhere, user: hostu}}
preferences: {extensions: [{name: kflex-config-extension-name, extension: {data: {kflex-initial-ctx-name: hosting}}}]}
`, h.URL))
	return u
}

func (u *user) write(file, text string) {
	u.t.Helper()
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o600)); err != nil {
		u.t.Fatal(err)
	}
}

// run runs a script from a file or, like curl's output, on bash's stdin.
func (u *user) run(piped bool, script string, args ...string) (code int, stdout, stderr string) {
	u.t.Helper()
	text, err := os.ReadFile(filepath.Join(root, "scripts", script))
	if err != nil {
		u.t.Fatal(err)
	}
	cmd := exec.Command("bash", append([]string{"-s", "--"}, args...)...)
	cmd.Stdin = bytes.NewReader(text)
	if !piped {
		at, err := filepath.Abs(filepath.Join(root, "scripts", script))
		if err != nil {
			u.t.Fatal(err)
		}
		cmd = exec.Command("bash", append([]string{at}, args...)...)
	}
	var out, errOut bytes.Buffer
	cmd.Stdout, cmd.Stderr, cmd.Dir = &out, &errOut, u.home
	temp := filepath.Join(u.home, "temp")
	if err := os.MkdirAll(temp, 0o755); err != nil {
		u.t.Fatal(err)
	}
	cmd.Env = append(os.Environ(), "HOME="+u.home, "TMPDIR="+temp, "KUBECONFIG=")
	cmd.Env = append(cmd.Env, u.env...)
	err = cmd.Run()
	if exit := new(exec.ExitError); err != nil && !errors.As(err, &exit) {
		u.t.Fatal(err)
	}
	if left, err := os.ReadDir(temp); err != nil || len(left) > 0 {
		u.t.Errorf("left behind %v, %v, want nothing", left, err)
	}
	return cmd.ProcessState.ExitCode(), out.String(), errOut.String()
}

// get reads a field of a context in the user's kubeconfig with the real kubectl.
func (u *user) get(context, path string) string {
	u.t.Helper()
	args := []string{"--kubeconfig", u.file, "--context", context, "config", "view", "--raw", "--minify", "--output", "jsonpath=" + path}
	out, err := exec.Command(kubectl(u.t), args...).CombinedOutput()
	if err != nil {
		return "none: " + string(out)
	}
	return string(out)
}

func (u *user) text() string {
	u.t.Helper()
	data, err := os.ReadFile(u.file)
	if err != nil {
		u.t.Fatal(err)
	}
	return string(data)
}

// kubeconfigOf returns a kubeconfig as KubeFlex stores it in a secret.
func kubeconfigOf(cluster, server string) string {
	return fmt.Sprintf(`apiVersion: v1
kind: Config
current-context: %[1]s
clusters:
- {name: %[1]s, cluster: {server: "%[2]s", certificate-authority-data: Q0E=, tls-server-name: "a \"b\""}}
users:
- {name: %[1]s, user: {client-certificate-data: Q0VSVA==, client-key-data: S0VZ}}
contexts:
- {name: %[1]s, context: {cluster: %[1]s, user: %[1]s}}
`, cluster, server)
}

func twoPlanes(t *testing.T) *hosting {
	h := newHosting(t)
	h.add("its1", "vcluster", "vc-vcluster", "config", kubeconfigOf("my-vcluster", "https://its1.localtest.me:9443"))
	h.add("wds1", "k8s", "admin-kubeconfig", "kubeconfig", kubeconfigOf("wds1-cluster", "https://wds1.localtest.me:9443"))
	h.add("wds2", "host", "admin-kubeconfig", "kubeconfig", kubeconfigOf("wrong", "https://wrong"))
	return h
}

const imports = "import-cp-contexts.sh"

func TestImportAddsAContextForEachControlPlane(t *testing.T) {
	t.Parallel()
	for _, piped := range []bool{false, true} {
		h := twoPlanes(t)
		u := newUser(t, h)
		for range 2 { // the second run finds the contexts of the first
			code, out, errOut := u.run(piped, imports)
			if code != 0 || errOut != "" || out != "context its1\ncontext wds1\ncontext wds2\n" {
				t.Fatalf("saw exit code %d, %q, %q, want the three contexts", code, out, errOut)
			}
		}
		for at, want := range map[[2]string]string{
			{"its1", "{.clusters[0].name} {.users[0].name} {.clusters[0].cluster.server}"}:          "its1-cluster its1-admin https://its1.localtest.me:9443",
			{"wds1", "{.clusters[0].name} {.users[0].name} {.clusters[0].cluster.server}"}:          "wds1-cluster wds1-admin https://wds1.localtest.me:9443",
			{"wds1", "{.clusters[0].cluster.tls-server-name} {.users[0].user.client-key-data}"}:     `a "b" S0VZ`,
			{"wds2", "{.clusters[0].name} {.users[0].user.token}"}:                                  "hostc mine",
			{"hosting", "{.current-context}"}:                                                       "hosting",
			{"other", "{.clusters[0].cluster.server} {.clusters[0].cluster.certificate-authority}"}: "https://elsewhere.example ca.crt",
			{"hosting", "{.preferences.extensions[0].extension.data.kflex-initial-ctx-name}"}:       "hosting",
		} {
			if got := u.get(at[0], at[1]); got != want {
				t.Errorf("context %s: saw %q, want %q", at[0], got, want)
			}
		}
		var config struct {
			Current string `yaml:"current-context"`
		}
		if err := yaml.Unmarshal([]byte(u.text()), &config); err != nil || config.Current != "hosting" {
			t.Errorf("saw current context %q, %v, want no change", config.Current, err)
		}
		if info, err := os.Stat(u.file); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("saw mode %v, %v, want 0600", info.Mode(), err)
		}
	}
}

func TestImportTakesWhatIsNamed(t *testing.T) {
	t.Parallel()
	u := newUser(t, twoPlanes(t))
	link := filepath.Join(u.home, "link")
	if err := os.Symlink(".kube/config", link); err != nil {
		t.Fatal(err)
	}
	u.env = []string{"KUBECONFIG=" + link + ":" + filepath.Join(u.home, "second")}
	code, out, errOut := u.run(false, imports, "--context", "hosting", "wds1")
	if code != 0 || out != "context wds1\n" {
		t.Fatalf("saw exit code %d, %q, %q", code, out, errOut)
	}
	if got := u.get("its1", "{.current-context}"); !strings.HasPrefix(got, "none") {
		t.Errorf("saw its1, which was not requested: %s", got)
	}
	if info, err := os.Lstat(link); err != nil || info.Mode()&os.ModeSymlink == 0 {
		t.Errorf("saw %v, %v, want the link kept", info.Mode(), err)
	}
}

func TestImportTakesTheKubeconfigThatIsNamed(t *testing.T) {
	t.Parallel()
	u := newUser(t, twoPlanes(t))
	before := u.text()
	other := filepath.Join(u.home, "other")
	u.write(other, before)
	u.env = []string{"KUBECONFIG=" + u.file}
	if code, _, errOut := u.run(false, imports, "--kubeconfig", other, "its1"); code != 0 || u.text() != before {
		t.Errorf("saw exit code %d, %s, want no change of the user's own file", code, errOut)
	}
	if u.file = other; u.get("its1", "{.clusters[0].name}") != "its1-cluster" {
		t.Errorf("saw\n%s\nwant a context its1", u.text())
	}
}

// The kubeconfig does not change if the import fails.
func TestImportRefuses(t *testing.T) {
	t.Parallel()
	for name, test := range map[string]struct {
		change func(*hosting, *user)
		args   []string
		code   int
		says   string
	}{
		"an option":         {nil, []string{"--merge"}, 2, `saw "--merge", want an option or the name of a control plane`},
		"no value":          {nil, []string{"--context"}, 2, "--context has no value, want one"},
		"a strange name":    {nil, []string{"Its1"}, 2, `saw "Its1"`},
		"no such plane":     {nil, []string{"its1", "its9"}, 1, "(NotFound)"},
		"no planes":         {func(h *hosting, _ *user) { clear(h.planes) }, nil, 1, "the cluster has no control planes"},
		"a plane not ready": {func(h *hosting, _ *user) { delete(h.planes["wds1"], "status") }, nil, 1, "control plane wds1 has no kubeconfig yet"},
		"no secret":         {func(h *hosting, _ *user) { delete(h.secrets, "wds1-system/admin-kubeconfig") }, nil, 1, "(NotFound)"},
		"a secret of nonsense": {func(h *hosting, _ *user) {
			h.secrets["wds1-system/admin-kubeconfig"]["kubeconfig"] = "e30="
		}, nil, 1, "current-context must exist"},
		"another's context": {func(_ *hosting, u *user) {
			u.write(u.file, strings.Replace(u.text(), "name: other", "name: wds1", 1))
		}, nil, 1, "already has a context wds1 for the cluster elsewhere, want none or one for wds1-cluster"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			h := twoPlanes(t)
			u := newUser(t, h)
			if test.change != nil {
				h.Lock()
				test.change(h, u)
				h.Unlock()
			}
			before := u.text()
			code, out, errOut := u.run(false, imports, test.args...)
			if code != test.code || out != "" || u.text() != before {
				t.Errorf("saw exit code %d, %q, and the kubeconfig is\n%s", code, out, u.text())
			}
			want(t, "stderr", errOut, test.says)
			if left, _ := filepath.Glob(u.file + ".*"); len(left) > 0 {
				t.Errorf("left behind %v", left)
			}
		})
	}
}

func TestImportReplacesAContextWhenTold(t *testing.T) {
	t.Parallel()
	u := newUser(t, twoPlanes(t))
	u.write(u.file, strings.Replace(u.text(), "name: other", "name: wds1", 1))
	if code, _, errOut := u.run(false, imports, "--overwrite", "wds1"); code != 0 || u.get("wds1", "{.clusters[0].name}") != "wds1-cluster" {
		t.Errorf("saw exit code %d, %s\n%s", code, errOut, u.text())
	}
}

// A merge that fails half way leaves the old file byte for byte.
func TestImportNeverLeavesHalfAFile(t *testing.T) {
	t.Parallel()
	u := newUser(t, twoPlanes(t))
	bin := filepath.Join(u.home, "bin")
	u.write(filepath.Join(bin, "kubectl"), "#!/usr/bin/env bash\n"+
		"if [[ $* == 'config view --raw' ]]; then echo 'apiVersion: v1'; exit 1; fi\nexec "+kubectl(t)+" \"$@\"\n")
	if err := os.Chmod(filepath.Join(bin, "kubectl"), 0o755); err != nil {
		t.Fatal(err)
	}
	u.env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
	before := u.text()
	code, _, errOut := u.run(false, imports)
	want(t, "stderr", errOut, "the file is unchanged")
	left, _ := filepath.Glob(u.file + ".*")
	if code != 1 || u.text() != before || len(left) > 0 {
		t.Errorf("saw exit code %d, left %v, and the kubeconfig is\n%s", code, left, u.text())
	}
}

// The file is replaced and not overwritten, so a concurrent reader gets either the old or the new
// content.
func TestImportReplacesTheFile(t *testing.T) {
	t.Parallel()
	u := newUser(t, twoPlanes(t))
	before := u.text()
	reader, err := os.Open(u.file)
	if err != nil {
		t.Fatal(err)
	}
	defer reader.Close()
	if code, _, errOut := u.run(false, imports); code != 0 {
		t.Fatalf("saw exit code %d\n%s", code, errOut)
	}
	seen, err := io.ReadAll(reader)
	if err != nil || string(seen) != before || u.text() == before {
		t.Errorf("saw, in a file opened before,\n%s\n%v, want no change", seen, err)
	}
}

const deploys = "deploy-transport-controller.sh"

// deployed runs the script with a fake kubectl that stores its input.
func deployed(t *testing.T, args ...string) (asked string, object map[string]any) {
	t.Helper()
	u := &user{t: t, home: t.TempDir()}
	bin := filepath.Join(u.home, "bin")
	u.write(filepath.Join(bin, "kubectl"), "#!/usr/bin/env bash\nprintf '%q ' kubectl \"$@\" >asked\ncat >given\n")
	if err := os.Chmod(filepath.Join(bin, "kubectl"), 0o755); err != nil {
		t.Fatal(err)
	}
	u.env = []string{"PATH=" + bin + ":" + os.Getenv("PATH")}
	if code, _, errOut := u.run(false, deploys, args...); code != 0 {
		t.Fatalf("saw exit code %d\n%s", code, errOut)
	}
	_, printed, shown := u.run(false, deploys, append(args, "--dry-run")...)
	line, err := os.ReadFile(filepath.Join(u.home, "asked"))
	given, givenErr := os.ReadFile(filepath.Join(u.home, "given"))
	if err := errors.Join(err, givenErr, yaml.Unmarshal(given, &object)); err != nil {
		t.Fatal(err)
	}
	if printed != string(line)+"\n" || shown != string(given) {
		t.Errorf("a dry run prints %q and\n%s\nbut the real run is %q with\n%s", printed, shown, line, given)
	}
	return strings.TrimSpace(string(line)), object
}

func at(object any, path ...any) any {
	for _, key := range path {
		switch key := key.(type) {
		case string:
			m, _ := object.(map[string]any)
			object = m[key]
		case int:
			l, _ := object.([]any)
			if key >= len(l) {
				return nil
			}
			object = l[key]
		}
	}
	return object
}

func TestDeployMakesARestrictedDeployment(t *testing.T) {
	t.Parallel()
	asked, object := deployed(t, "--context", "my cluster", "wds9", "its9")
	if asked != `kubectl --context my\ cluster apply --filename -` {
		t.Errorf("saw %s", asked)
	}
	spec := at(object, "spec", "template", "spec")
	text, err := os.ReadFile(filepath.Join(root, "scripts", deploys))
	if err != nil {
		t.Fatal(err)
	}
	_, pinned, _ := strings.Cut(string(text), "image=${3:-")
	pinned, _, _ = strings.Cut(pinned, "}")
	for _, c := range []struct {
		path []any
		want string
	}{
		{[]any{"serviceAccountName"}, "kubestellar-controller-manager"},
		{[]any{"securityContext", "runAsNonRoot"}, "true"},
		{[]any{
			"affinity", "nodeAffinity", "requiredDuringSchedulingIgnoredDuringExecution", "nodeSelectorTerms", 0, "matchExpressions", 1, "values",
		}, "[amd64 arm64]"},
		{[]any{"containers", 0, "image"}, pinned},
		{[]any{"containers", 0, "args", 0}, "--wds-kubeconfig=/kubeconfigs/wds9"},
		{[]any{"containers", 0, "args", 1}, "--transport-kubeconfig=/kubeconfigs/its9"},
		{[]any{"containers", 0, "args", 2}, "--wds-name=wds9"},
		{[]any{"initContainers", 0, "args", 2}, "wds9"},
		{[]any{"initContainers", 0, "args", 3}, "its9"},
	} {
		if got := fmt.Sprint(at(spec, c.path...)); got != c.want {
			t.Errorf("%v: saw %q, want %q", c.path, got, c.want)
		}
	}
	if at(object, "metadata", "namespace") != "wds9-system" {
		t.Errorf("saw namespace %v, want wds9-system", at(object, "metadata", "namespace"))
	}
	for _, kind := range []string{"containers", "initContainers"} {
		security := at(spec, kind, 0, "securityContext")
		if at(security, "allowPrivilegeEscalation") != false || at(security, "readOnlyRootFilesystem") != true ||
			at(security, "capabilities", "drop", 0) != "ALL" {
			t.Errorf("%s: saw %v, want a restricted one", kind, security)
		}
	}
}

// The script of the init container, run with the real kubectl, writes both kubeconfigs. They are the
// ones for use inside the hosting cluster.
func TestDeployFetchesKubeconfigs(t *testing.T) {
	t.Parallel()
	h := twoPlanes(t)
	h.Lock()
	h.secrets["its1-system/vc-vcluster"]["config-incluster"] = base64.StdEncoding.EncodeToString([]byte("of its1\n"))
	h.secrets["wds1-system/admin-kubeconfig"]["kubeconfig-incluster"] = base64.StdEncoding.EncodeToString([]byte("of wds1\n"))
	h.Unlock()
	u := newUser(t, h)
	_, object := deployed(t, "wds1", "its1", "registry.example:5000/x/y@sha256:abc")
	container := at(object, "spec", "template", "spec", "initContainers", 0)
	args := []string{"-euc"}
	for i := range at(container, "args").([]any) {
		args = append(args, strings.ReplaceAll(at(container, "args", i).(string), "/kubeconfigs/", u.home+"/"))
	}
	if fmt.Sprint(at(container, "command")) != "[sh -euc]" ||
		at(object, "spec", "template", "spec", "containers", 0, "image") != "registry.example:5000/x/y@sha256:abc" {
		t.Errorf("saw %v", object)
	}
	cmd := exec.Command("sh", args...)
	cmd.Env = append(os.Environ(), "HOME="+u.home, "KUBECONFIG="+u.file)
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, plane := range []string{"its1", "wds1"} {
		if data, err := os.ReadFile(filepath.Join(u.home, plane)); err != nil || string(data) != "of "+plane+"\n" {
			t.Errorf("%s: saw %q, %v", plane, data, err)
		}
	}
}

func TestDeployRefuses(t *testing.T) {
	t.Parallel()
	for says, args := range map[string][]string{
		"saw 1 arguments, want WDS ITS [IMAGE]":              {"wds1"},
		"saw 4 arguments":                                    {"a", "b", "c", "d"},
		"--context has no value, want the name of a context": {"a", "b", "--context"},
		"saw the option --verbose":                           {"--verbose", "a", "b"},
		`saw "a b", want the name of a control plane`:        {"a b", "its1"},
		`saw "x: y", want an image`:                          {"a", "b", "x: y"},
	} {
		u := &user{t: t, home: t.TempDir()}
		code, out, errOut := u.run(false, deploys, args...)
		if code != 2 || out != "" {
			t.Errorf("%v: saw exit code %d and %q, want 2", args, code, out)
		}
		want(t, "stderr", errOut, says)
	}
}
