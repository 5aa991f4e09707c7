//go:build ignore

// Hello is the smallest Go program: its runtime starts threads before it prints.
package main

import "fmt"

func main() { fmt.Println("hello from Go") }
