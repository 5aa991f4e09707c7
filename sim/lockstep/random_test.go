package lockstep_test

import (
	"flag"
	"fmt"
	"math/rand/v2"
	"slices"
	"testing"

	"golang.org/x/sys/cpu"

	"zhuque/sim"
	"zhuque/sim/det"
	"zhuque/sim/lockstep"
	"zhuque/sim/x86"
)

var (
	randomPrograms = flag.Int("programs", 300, "random programs to compare")
	randomSeed     = flag.Uint64("seed", 1, "seed of the random programs")
)

// randomProgram is machine code of which most is valid: addresses of data in the
// registers, then instructions of random opcodes with random operands.
func randomProgram(r *rand.Rand) (code []byte) {
	for n := range 8 { // lea reg, [rip+2048+..]: rax to rdi but rsp
		if n != x86.RSP {
			code = append(code, 0x48, 0x8d, byte(n<<3|5), byte(r.IntN(256)), 0x10, 0, 0)
		}
	}
	for range 8 + r.IntN(8) { // mov r8..r15, small number
		code = append(code, 0x41, 0xb8+byte(r.IntN(8)), byte(r.IntN(256)), 0, 0, 0)
	}
	for len(code) < 900 {
		code = append(code, randomInstruction(r)...)
	}
	return code
}

func randomInstruction(r *rand.Rand) (code []byte) {
	for r.IntN(4) == 0 {
		code = append(code, []byte{0x66, 0xf2, 0xf3, 0x67, 0xf0, 0x2e}[r.IntN(6)])
	}
	if r.IntN(2) == 0 {
		code = append(code, 0x40|byte(r.IntN(16)))
	}
	opcode := byte(r.IntN(256))
	switch r.IntN(8) {
	case 0, 1, 2:
		code = append(code, 0x0f)
	case 3:
		return append(code, threeByte(r)...)
	}
	if slices.Contains([]byte{0x62, 0xc4, 0xc5, 0x8f}, opcode) {
		opcode ^= 0x11 // no AVX
	}
	if len(code) > 0 && code[len(code)-1] == 0x0f && slices.Contains([]byte{0x05, 0x20, 0x22}, opcode) {
		opcode = 0x10 // no system calls; no CR0, which is CR8 with a LOCK prefix on AMD's processors
	}
	operands := randomOperands(r)
	if kind := operands[0] >> 3 & 7; opcode == 0xae && kind >= 4 && kind <= 6 || opcode == 0xc7 && kind >= 3 && kind <= 5 {
		operands[0] |= 0xc0 // no XSAVE, which the host has and the v2 processor has not
	}
	if opcode == 0x0d {
		operands[0] &^= 0xc0 // PREFETCHW of a register is a NOP on Intel's processors, #UD on AMD's
	}
	return append(append(code, opcode), operands...)
}

// threeByte is an instruction of SSSE3 to SSE4.2, if it is one.
func threeByte(r *rand.Rand) (code []byte) {
	if r.IntN(4) != 0 {
		code = append(code, 0x66)
	}
	code = append(code, 0x0f)
	if r.IntN(2) == 0 {
		return append(append(code, 0x38, byte(r.IntN(0x42))), randomOperands(r)...)
	}
	opcode := []byte{8, 9, 10, 11, 12, 13, 14, 15, 0x14, 0x15, 0x16, 0x17,
		0x20, 0x21, 0x22, 0x40, 0x41, 0x42, 0x60, 0x61, 0x62, 0x63}[r.IntN(22)]
	return append(append(append(code, 0x3a, opcode), randomOperands(r)...), byte(r.IntN(256)))
}

// randomOperands is ModRM and what belongs to it.
func randomOperands(r *rand.Rand) (code []byte) {
	modrm := byte(r.IntN(256))
	if r.IntN(2) == 0 {
		modrm |= 0xc0
	}
	code = append(code, modrm)
	if modrm < 0xc0 && modrm&7 == 4 {
		code = append(code, byte(r.IntN(256)))
	}
	switch {
	case modrm>>6 == 1:
		code = append(code, byte(r.IntN(256)))
	case modrm>>6 == 2 || modrm&0xc7 == 5:
		code = append(code, byte(r.IntN(256)), byte(r.IntN(8)), 0, 0)
	}
	return code
}

// Random code does the same on both sides until it faults or wants what the
// simulator lacks: undefined opcodes, prefixes in odd places, lengths, the
// address and the kind of each fault.
func TestRandomCode(t *testing.T) {
	var compared, faults, unsupported uint64
	forms := map[string]bool{}
	level := x86.V2
	if cpu.X86.HasAVX2 { // a jump into an operand can find a VEX prefix, which the host then executes
		level = x86.V3
	}
	for i := range *randomPrograms {
		code := randomProgram(det.Stream(*randomSeed, fmt.Sprintf("lockstep random code %d", i)))
		r := run(t,
			lockstep.Options{Max: 2000, Start: machine(t, sim.Config{Program: "/random", Args: []string{"random"}, Level: level,
				Preload: map[string][]byte{"/random": program(code)}})})
		if r.Difference != nil {
			t.Errorf("program %d of seed %d: %s", i, *randomSeed, r.Difference)
		}
		compared, faults = compared+r.Compared, faults+r.Faults
		if r.Stop.Reason == sim.Stuck {
			unsupported++
		}
		for _, f := range r.Forms {
			forms[f] = true
		}
	}
	t.Logf("%d instructions and %d exceptions compared, %d forms, %d programs ended by what is unsupported",
		compared, faults, len(forms), unsupported)
	if faults*4 < uint64(*randomPrograms) {
		t.Errorf("%d of %d programs ended with an exception: they test nothing", faults, *randomPrograms)
	}
}
