// Command tiny is the program that the example releases.
package main

var commit string

func main() { println("tiny", commit) }
