package e2e_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// commands are the commands of the scripts that stand-ins replace.
var commands = []string{"kubectl", "kflex", "helm", "kind", "clusteradm", "docker", "ko", "git", "go", "ghhelper", "sleep"}

// TestMain is also the stand-in: this test program, started under a command's name. It records its
// arguments and prints the configured answer, or fails if so configured.
func TestMain(m *testing.M) {
	if dir := os.Getenv("STANDIN"); dir != "" {
		os.Exit(standIn(dir))
	}
	os.Exit(runAll(m))
}

// scratch is a folder shared by all tests.
var scratch string

func runAll(m *testing.M) int {
	var err error
	if scratch, err = os.MkdirTemp("", "e2e-test-"); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer os.RemoveAll(scratch)
	return m.Run()
}

func standIn(dir string) int {
	line, err := asked(os.Args, dir)
	if err == nil {
		err = note(dir, line)
	}
	if err == nil {
		err = keep(dir, os.Args)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 99
	}
	for _, rule := range strings.Split(os.Getenv("STANDIN_ANSWERS"), "\x1e") {
		if begins, answer, ok := strings.Cut(rule, " => "); ok && strings.Contains(line, begins) {
			fmt.Println(answer)
		}
	}
	for _, rule := range strings.Split(os.Getenv("STANDIN_FAILS"), "\x1e") {
		if rule != "" && strings.Contains(line, rule) {
			fmt.Fprintln(os.Stderr, "stand-in: configured to fail")
			return failsOnce(dir, rule)
		}
	}
	return act(filepath.Base(os.Args[0]), os.Args[1:])
}

// act imitates the part of a command that the script relies on.
func act(name string, args []string) int {
	switch name + " " + args[0] {
	case "kflex version":
		return 1 // as the real kflex does without a cluster
	case "git clone":
		if err := os.Mkdir(args[len(args)-1], 0o755); err != nil {
			return 99
		}
	case "ghhelper stamp":
		return program(os.Getenv("STANDIN_GHHELPER"), args)
	}
	return 0
}

// failsOnce fails. If STANDIN_ONCE is set, it fails only the first time.
func failsOnce(dir, rule string) int {
	if os.Getenv("STANDIN_ONCE") != "" {
		mark := filepath.Join(dir, "failed")
		if _, err := os.Stat(mark); err == nil {
			return 0
		}
		_ = os.WriteFile(mark, []byte(rule), 0o644)
	}
	return 7
}

// program runs a real program with the real PATH.
func program(path string, args []string) int {
	cmd := exec.Command(path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("STANDIN_PATH"))
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return cmd.ProcessState.ExitCode()
}

// asked returns the command line in the form that a dry run prints.
func asked(args []string, dir string) (string, error) {
	words := slices.Clone(args)
	if filepath.Ext(words[0]) != ".sh" {
		words[0] = filepath.Base(words[0])
	}
	for _, name := range []string{"KUBECONFIG", "KO_DOCKER_REPO"} {
		if value := os.Getenv(name); value != "" && value != filepath.Join(dir, "kubeconfig") {
			words = append([]string{"env", name + "=" + value}, words...)
		}
	}
	line, err := quoted(words)
	if at, _ := os.Getwd(); err == nil && at != os.Getenv("STANDIN_ROOT") {
		line = "(cd " + at + " && " + line + ")"
	}
	return line, err
}

// quoted quotes words with bash, as the scripts do.
func quoted(words []string) (string, error) {
	out, err := exec.Command("bash", append([]string{"-c", `printf -v text ' %q' "$@"; printf %s "${text# }"`, "quote"}, words...)...).Output()
	return string(out), err
}

func note(dir, line string) error {
	if strings.HasPrefix(line, "sleep ") {
		return nil
	}
	f, err := os.OpenFile(filepath.Join(dir, "asked"), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return err
	}
	defer f.Close()
	_, err = f.WriteString(line + "\n")
	return err
}

// keep copies the applied file or the installed chart, because the script deletes it.
func keep(dir string, args []string) error {
	for i, arg := range args {
		file := ""
		switch {
		case arg == "--filename" && args[i+1] != "-":
			file = args[i+1]
		case filepath.IsAbs(arg) && filepath.Base(args[0]) == "helm":
			file = filepath.Join(arg, "Chart.yaml")
		default:
			continue
		}
		data, err := os.ReadFile(file)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(dir, "given-"+filepath.Base(file)), data, 0o644); err != nil {
			return err
		}
	}
	return nil
}
