// Command clusteradm is a stand-in for Open Cluster Management's clusteradm, whose source is not on
// the module proxy. It prints its arguments, and checks that it was given a cluster.
package main

import (
	"fmt"
	"os"
)

func main() {
	fmt.Printf("%q\n", os.Args[1:])
	if _, err := os.ReadFile(os.Getenv("KUBECONFIG")); err != nil {
		fmt.Fprintln(os.Stderr, "reading KUBECONFIG:", err)
		os.Exit(1)
	}
}
