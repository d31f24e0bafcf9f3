//go:build cluster

package cluster

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A container of the stand-in has an unprivileged user, sees only its own files, and writes only to
// volumes.
func TestAContainerIsConfined(t *testing.T) {
	dir, err := os.MkdirTemp("", "cluster-*")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { remove(dir) })
	shell, err := filepath.Abs("../../.tools/bin/gosh")
	if err != nil {
		t.Fatal(err)
	}
	root := filepath.Join(dir, "root")
	for _, err := range []error{os.Chmod(dir, 0o755), newRoot(root, map[string]string{"sh": shell}), mountScratch(root, "/scratch"),
		mountFiles(root, "/etc/kube", map[string][]byte{"config": []byte("a secret")}), seal(root)} {
		if err != nil {
			t.Fatal(err)
		}
	}
	for script, want := range map[string]string{
		"echo $UID":                          "65532",
		"cd /; echo *":                       "bin etc scratch tmp",
		"read x < /etc/kube/config; echo $x": "a secret",
		"echo y > /scratch/x; read x < /scratch/x; echo $x": "y",
		"echo y > /x":               "permission denied",
		"echo y > /bin/x":           "permission denied",
		"echo y > /etc/kube/config": "permission denied",
	} {
		log := &tail{}
		one := container{root: root, argv: []string{"sh", "-c", script}, log: log}
		one.run(t.Context()) // fails where it must not write, and prints so
		if got := strings.TrimSpace(log.String()); !strings.HasSuffix(got, want) {
			t.Errorf("%s: saw %q, want %q", script, got, want)
		}
	}
}
