// Command tiny is what is released.
package main

var commit string

func main() { println("tiny", commit) }
