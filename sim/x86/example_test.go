package x86_test

import (
	"fmt"

	"zhuque/sim/x86"
)

// Machine code as text, in the form of the manual.
func ExampleDisasm() {
	code := []byte{
		0x48, 0x89, 0x03, // a store
		0x66, 0x0F, 0xAE, 0x33, // its line is written back
		0x0F, 0xAE, 0xF8, // a fence
		0x0F, 0x05,
	}
	for rip := uint64(0x401000); len(code) > 0; {
		text, n := x86.Disasm(code, rip)
		fmt.Printf("%x  %s\n", rip, text)
		code, rip = code[n:], rip+uint64(n)
	}
	// Output:
	// 401000  mov qword ptr [rbx], rax
	// 401003  clwb byte ptr [rbx]
	// 401007  sfence
	// 40100a  syscall
}
