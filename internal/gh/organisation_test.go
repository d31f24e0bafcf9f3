package gh_test

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/kubestellar/actions/internal/cache"
	"github.com/kubestellar/actions/internal/gh"
	"github.com/kubestellar/actions/internal/git"
	"github.com/kubestellar/actions/internal/rehearsal/forge"
	"github.com/kubestellar/actions/test/networktest"
)

func keeper(t *testing.T) (cache.Dir, string) {
	t.Helper()
	dir := filepath.Join(t.TempDir(), "cache")
	c, err := cache.Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	return c, dir
}

// answers counts the API's responses since the last count, by their status.
func answers(w *networktest.Network, from *int) map[int]int {
	all := w.Requests()
	counts := map[int]int{}
	for _, r := range all[*from:] {
		counts[r.Status]++
	}
	*from = len(all)
	return counts
}

// All pages of the list are read, without duplicates.
func TestRepositories(t *testing.T) {
	t.Parallel()
	w, c := start(t, forge.Repository{})
	for i := range 250 {
		if err := w.Forge.CreateRepository(fmt.Sprintf("org/r%03d", i), forge.Repository{}); err != nil {
			t.Fatal(err)
		}
	}
	w.Forge.Archive("org/r007")
	kept, dir := keeper(t)
	from := 0
	for run, want := range []map[int]int{{200: 3}, {304: 3}, {200: 3}} {
		all, err := c.Repositories(t.Context(), kept, "org")
		if err != nil || len(all) != 250 {
			t.Fatalf("run %d: %d repositories, %v", run, len(all), err)
		}
		for i, r := range all {
			if r.Name != fmt.Sprintf("org/r%03d", i) || r.Archived != (i == 7) {
				t.Errorf("run %d: number %d is %+v", run, i, r)
			}
		}
		if got := answers(w, &from); fmt.Sprint(got) != fmt.Sprint(want) {
			t.Errorf("run %d: answers %v, want %v", run, got, want)
		}
		if run == 1 {
			damage(t, dir)
		}
	}
	if _, err := c.Repositories(t.Context(), kept, "nobody"); !errors.Is(err, gh.ErrAbsent) {
		t.Errorf("an organisation that is not there: %v", err)
	}
}

// damage cuts the last byte off each cached entry.
func damage(t *testing.T, dir string) {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) == 0 {
		t.Fatalf("nothing is kept: %v", err)
	}
	for _, e := range entries {
		name := filepath.Join(dir, e.Name())
		info, err := e.Info()
		if err == nil {
			err = os.Truncate(name, info.Size()-1)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func TestRepositoriesRefuses(t *testing.T) {
	t.Parallel()
	w, c := start(t, forge.Repository{})
	kept, _ := keeper(t)
	next := http.Header{"Link": {`<https://api.github.com/orgs/org/repos?page=2>; rel="next"`}}
	for body, want := range map[string]string{
		`{"message":"hello"}`:                                  `response is not a list`,
		`[{"full_name":"../../etc"}]`:                          `saw the name "../../etc", want owner/name`,
		`[{"full_name":"o/.."}]`:                               `saw the name "o/.."`,
		`[{"full_name":"-x/y"}]`:                               `saw the name "-x/y"`,
		`[{"full_name":"o/r"}]`:                                `there are more than the limit of 10000`, // an endless list
		`[` + strings.Repeat(" ", 9<<20) + `]`:                 `larger than`,
		`[{"full_name":"o/` + strings.Repeat("r", 300) + `"}]`: `want owner/name`,
	} {
		w.Intercept(func(networktest.Request) networktest.Fault {
			return networktest.Fault{Status: http.StatusOK, Body: body, Header: next}
		})
		if all, err := c.Repositories(t.Context(), kept, "org"); err == nil || !strings.Contains(err.Error(), want) || len(err.Error()) > 400 {
			t.Errorf("%.60s: %d repositories, %v; want an error with %q", body, len(all), err, want)
		}
	}
}

func TestFile(t *testing.T) {
	t.Parallel()
	w, c := start(t, forge.Repository{})
	kept, dir := keeper(t)
	if _, err := c.File(t.Context(), kept, repository, "delivery.yaml"); !errors.Is(err, gh.ErrAbsent) {
		t.Errorf("a file that is not there: %v", err)
	}
	from := len(w.Requests())
	write := func(content string) {
		t.Helper()
		push(t, w, map[string]string{"delivery.yaml": content, "folder/x": "", "large": strings.Repeat("x", 2<<20)})
	}
	read := func(want string, status int) {
		t.Helper()
		got, err := c.File(t.Context(), kept, repository, "delivery.yaml")
		if err != nil || string(got) != want {
			t.Errorf("read %q, %v, want %q", got, err, want)
		}
		if counts := answers(w, &from); counts[status] != 1 || len(counts) != 1 {
			t.Errorf("answers %v, want one %d", counts, status)
		}
	}
	long := strings.Repeat("a line\n", 99)
	write(long)
	from = len(w.Requests())
	read(long, 200)
	read(long, 304)
	write("other\n")
	from = len(w.Requests())
	read("other\n", 200)
	damage(t, dir)
	read("other\n", 200)
	read("other\n", 304)
	for path, want := range map[string]string{"folder": "want a file", "large": "larger than a megabyte"} {
		if _, err := c.File(t.Context(), kept, repository, path); err == nil || errors.Is(err, gh.ErrAbsent) || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", path, err, want)
		}
	}
	w.Down("api.github.com")
	if _, err := c.File(t.Context(), kept, repository, "delivery.yaml"); err == nil || errors.Is(err, gh.ErrAbsent) {
		t.Errorf("the host is down, and the file is %v", err)
	}
}

// push makes a commit with only these files the tip of main.
func push(t *testing.T, w *networktest.Network, files map[string]string) {
	t.Helper()
	bare := git.Repo{Dir: w.Forge.RepositoryDir(repository), Env: append(w.Env(), "PATH="+os.Getenv("PATH"))}
	stream := "commit refs/heads/main\ncommitter T <t@example.invalid> 1 +0000\ndata 0\ndeleteall\n"
	for name, content := range files {
		stream += fmt.Sprintf("M 100644 inline %s\ndata %d\n%s\n", name, len(content), content)
	}
	if _, err := bare.Input([]byte(stream)).Run(t.Context(), "fast-import", "--quiet", "--force"); err != nil {
		t.Fatal(err)
	}
}
