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

// commands are what the scripts run that stand-ins take the place of.
var commands = []string{"kubectl", "kflex", "helm", "kind", "clusteradm", "docker", "ko", "git", "go", "ghhelper", "sleep"}

// TestMain is also the stand-in: this program under a command's name. It notes
// what it is asked, answers what it was told to, and fails where it was told to.
func TestMain(m *testing.M) {
	if dir := os.Getenv("STANDIN"); dir != "" {
		os.Exit(standIn(dir))
	}
	os.Exit(runAll(m))
}

// scratch is a folder for what all tests share.
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
			fmt.Fprintln(os.Stderr, "stand-in: told to fail")
			return failsOnce(dir, rule)
		}
	}
	return act(filepath.Base(os.Args[0]), os.Args[1:])
}

// act does what the script relies on.
func act(name string, args []string) int {
	switch name + " " + args[0] {
	case "kflex version":
		return 1 // as the real one does without a cluster
	case "git clone":
		if err := os.Mkdir(args[len(args)-1], 0o755); err != nil {
			return 99
		}
	case "ghhelper stamp":
		return program(os.Getenv("STANDIN_GHHELPER"), args)
	}
	return 0
}

// failsOnce fails; where STANDIN_ONCE is set, only the first time.
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

// program runs a real program, among real ones.
func program(path string, args []string) int {
	cmd := exec.Command(path, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("STANDIN_PATH"))
	if err := cmd.Run(); err != nil {
		fmt.Fprintln(os.Stderr, err)
	}
	return cmd.ProcessState.ExitCode()
}

// asked is the command line, in the form in which a dry run prints it.
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

// quoted has bash quote, as the scripts do.
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

// keep keeps what a command was given that is gone later: the file that is
// applied, the chart that is installed.
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
