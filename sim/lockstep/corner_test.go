package lockstep_test

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"zhuque/sim"
	"zhuque/sim/lockstep"
)

// corners is what compilers do not write, as machine code for any address; data
// is its end. It ends with a fault in the middle of a REP STOSB.
const corners = `
b805000000                mov   eax, 5
c1e007                    shl   eax, 7             leaves OF undefined,
9c 5b                     pushf; pop rbx           and shows it
6bc84d 9c 5b              imul  ecx, eax, 77; pushf; pop rbx
669c 665b                 pushfw; pop bx
68d54c0000 9d 9c 5b       push  0x4cd5; popf; pushf; pop rbx
fc                        cld
0fbcd0                    bsf   edx, eax
31c0 31c9 0fa2            xor   eax, eax; xor ecx, ecx; cpuid
0f31                      rdtsc
ebffc0                    jmp   to its second byte: inc eax
488d3d04000000 c6072a     lea   rdi, [rip+4]; mov byte ptr [rdi], 42
b001                      mov   al, 1              which has become 42
488d35d8ffffff 4889f7     lea   rsi, [rip-40]; mov rdi, rsi
b9c8000000 f3a4           mov   ecx, 200; rep movsb: this code onto itself
488d3da2000000            lea   rdi, [data]
b9e8030000 b007 f3aa      mov   ecx, 1000; mov al, 7; rep stosb
488d3d92000000            lea   rdi, [data]
b9e8030000 c6878403000009 mov   ecx, 1000; mov byte ptr [rdi+900], 9
f3ae                      repe  scasb
b905000000 66f3ab         mov   ecx, 5; rep stosw
31c9 66f3ab               xor   ecx, ecx; rep stosw
488d2d70080000            lea   rbp, [data+2048]
d9e8 d9eb d9f1 d97500     fld1; fldpi; fyl2x; fnstenv [rbp]
d9ee d9e8 def1            fldz; fld1; fdivrp
d9fa dfe0                 fsqrt; fnstsw ax
c74500807f0000 0fae5500   mov   dword ptr [rbp], 0x7f80; ldmxcsr [rbp]
b803000000 f30f2ac8       mov   eax, 3; cvtsi2ss xmm1, eax
b80a000000 f30f2ad0       mov   eax, 10; cvtsi2ss xmm2, eax
f30f5ed1 f30f52d9         divss xmm2, xmm1; rsqrtss xmm3, xmm1
0fae5d00 0fae4540         stmxcsr [rbp]; fxsave [rbp+64]
bf02100000 488d3524000000 mov   edi, ARCH_SET_FS; lea rsi, [data]
b89e000000 0f05           mov   eax, arch_prctl; syscall
64488b142508000000        mov   rdx, fs:[8]
488d3d0d300000            lea   rdi, [data+0x3000]
b900500000 f3aa           mov   ecx, 0x5000; rep stosb
f40f1f440000              hlt; nop`

// cornerProgram is a static ELF file with the code in memory that it may change.
func cornerProgram(t *testing.T) []byte {
	t.Helper()
	var code []byte
	for line := range strings.Lines(strings.TrimSpace(corners)) {
		for _, word := range strings.Fields(line) {
			b, err := hex.DecodeString(word)
			if err != nil || len(word) < 4 && word != "9c" && word != "5b" && word != "9d" && word != "fc" {
				break
			}
			code = append(code, b...)
		}
	}
	const base, start, size = 0x400000, 128, 0x4000
	b := make([]byte, start)
	le := binary.LittleEndian
	copy(b, "\x7fELF\x02\x01\x01")
	le.PutUint16(b[16:], 2)    // ET_EXEC
	le.PutUint16(b[18:], 0x3e) // EM_X86_64
	le.PutUint32(b[20:], 1)
	le.PutUint64(b[24:], base+start)
	le.PutUint64(b[32:], 64)
	le.PutUint16(b[52:], 64)
	le.PutUint16(b[54:], 56)
	le.PutUint16(b[56:], 1)
	p := b[64:]
	le.PutUint32(p, 1)     // PT_LOAD
	le.PutUint32(p[4:], 7) // read, write and execute
	le.PutUint64(p[16:], base)
	le.PutUint64(p[24:], base)
	le.PutUint64(p[32:], uint64(start+len(code)))
	le.PutUint64(p[40:], size)
	le.PutUint64(p[48:], 0x1000)
	return append(b, code...)
}

// What compilers do not write does the same on both sides, down to the bytes
// that a string instruction stored before it faulted.
func TestCorners(t *testing.T) {
	r := same(t, lockstep.Options{Start: machine(t, sim.Config{Program: "/corners", Args: []string{"corners"}, Preload: map[string][]byte{"/corners": cornerProgram(t)}})})
	if r.End != "killed by signal 11" || r.Faults != 1 || r.Mirrored != 7 {
		t.Errorf("%q, %d exceptions, %d mirrored, expected a fault at the end and 7 mirrored", r.End, r.Faults, r.Mirrored)
	}
	for _, f := range []string{"PUSHF 9C", "POPF 9D", "BSF 0F BC /r", "SCAS AE", "DIVSS F3 0F 5E /r"} {
		if !slices.Contains(r.Forms, f) {
			t.Errorf("%s not compared: %q", f, r.Forms)
		}
	}
	if slices.Contains(r.Forms, "CPUID 0F A2") {
		t.Error("CPUID is said to be compared")
	}
}
