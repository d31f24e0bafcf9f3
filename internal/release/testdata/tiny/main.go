// Command tiny is what the tests of the train release.
package main

func main() { println("tiny") }
