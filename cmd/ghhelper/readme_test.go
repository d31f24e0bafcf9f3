package main

import (
	"os"
	"os/exec"
	"regexp"
	"strings"
	"testing"
)

// What the README shows of two commands is among what they print of this tree: it leaves out
// itself and what is excused.
func TestReadmeShowsWhatIsPrinted(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	program := ghhelper(t)
	samples := regexp.MustCompile("(?s)```console\n\\$ ghhelper ((?:references|bump) [^\n]*)\n(.*?)```").FindAllStringSubmatch(string(readme), -1)
	if len(samples) != 2 {
		t.Fatalf("saw %d samples, want one of references and one of bump", len(samples))
	}
	for _, sample := range samples {
		args := strings.Fields(sample[1])
		if args[0] == "bump" {
			args = append(args, "--offline")
		}
		cmd := exec.Command(program, args...)
		cmd.Dir = "../.."
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("ghhelper %s: %v", sample[1], err)
		}
		printed := map[string]bool{}
		for line := range strings.Lines(string(out)) {
			printed[strings.Join(strings.Fields(line), " ")] = true
		}
		for line := range strings.Lines(sample[2]) {
			if !printed[strings.Join(strings.Fields(line), " ")] {
				t.Errorf("ghhelper %s: the README shows a line that is not printed:\n%s", sample[1], line)
			}
		}
	}
}

// What the README shows of ghhelper plan is what a script compares with.
func TestReadmeShowsThePlanOfTheScript(t *testing.T) {
	t.Parallel()
	readme, err := os.ReadFile("../../README.md")
	if err != nil {
		t.Fatal(err)
	}
	script, err := os.ReadFile("testdata/script/plan.txtar")
	if err != nil {
		t.Fatal(err)
	}
	sample := regexp.MustCompile("(?s)```console\n\\$ ghhelper plan --org kubestellar\n(.*?)    …\n```").FindSubmatch(readme)
	text := regexp.MustCompile(`(?s)\n-- text --\n(.*?)\n-- `).FindSubmatch(script)
	if sample == nil || text == nil || !strings.HasPrefix(string(text[1]), string(sample[1])) {
		t.Errorf("the README shows\n%s\nwant the beginning of\n%s", sample, text)
	}
}
