// Command app is what the tests release, and then lie about.
package main

// The linker sets them.
var (
	commit = "unknown"
	agent  = "nothing"
	secret = "none"
)

func main() {
	println("commit", commit, "runs", agent, "which is written as ghcr.io/example/app:{version}, and hides", secret)
}
