// Command clusteradm stands in for Open Cluster Management's clusteradm, whose source the module
// proxy does not serve: it says what it was asked, and looks whether it was given a cluster.
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
