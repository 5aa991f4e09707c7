package lockstep_test

import (
	"encoding/binary"
	"encoding/hex"
	"slices"
	"strings"
	"testing"

	"zhuque/sim"
	"zhuque/sim/lockstep"
	"zhuque/sim/x86/hwtest"
)

// corners is what compilers do not write, as machine code for any address; data
// is its end. It ends with a fault in the middle of a REP STOSB.
const corners = `
b805000000                mov   eax, 5
c1e007                    shl   eax, 7             leaves OF undefined,
9c 5b                     pushf; pop rbx           and shows it
6bc84d 9c 5b              imul  ecx, eax, 77; pushf; pop rbx
669c 665b                 pushfw; pop bx
68d54c0000 9d 9c 5b       push  0x4cd5; popf; pushf; pop rbx: with NT
68d50c0000 9d             push  0xcd5; popf
662e0f1f840000000000      nop: what follows stays aligned
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

func cornerCode(t *testing.T) (code []byte) {
	t.Helper()
	for line := range strings.Lines(strings.TrimSpace(corners)) {
		for _, word := range strings.Fields(line) {
			b, err := hex.DecodeString(word)
			if err != nil || len(word) < 4 && word != "9c" && word != "5b" && word != "9d" && word != "fc" {
				break
			}
			code = append(code, b...)
		}
	}
	return code
}

// program is a static ELF file with the code in memory that it may change.
func program(code []byte) []byte {
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
	r := same(t, lockstep.Options{Start: machine(t, sim.Config{Program: "/corners",
		Args: []string{"corners"}, Preload: map[string][]byte{"/corners": program(cornerCode(t))}})})
	const own, withNT = 7, 4 // instructions that are the model's own affair, and those with NT, which not every host keeps
	if r.End != "killed by signal 11" || r.Faults != 1 || r.Mirrored != own && r.Mirrored != own+withNT {
		t.Errorf("%q, %d exceptions, %d mirrored, expected a fault at the end and %d mirrored or %d more",
			r.End, r.Faults, r.Mirrored, own, withNT)
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

// Ways of a program to end by an exception, each without a handler.
func TestExceptions(t *testing.T) {
	const nowhere = "48b8efbe000000000012" // mov rax, 0x120000000000beef, which is not canonical
	for _, c := range []struct{ name, code, end string }{
		{"jump to nowhere", nowhere + "ffe0", "killed by signal 11"},
		{"call of nowhere", nowhere + "ffd0", "killed by signal 11"},
		{"jump to nowhere through memory", nowhere + "50 ff2424", "killed by signal 11"},
		{"call of nowhere through memory", nowhere + "50 ff1424", "killed by signal 11"},
		{"return to nowhere", nowhere + "50 c3", "killed by signal 11"},
		{"return to nowhere with operands", nowhere + "50 c21000", "killed by signal 11"},
		{"return to what is not mapped", "6a00 c3", "killed by signal 11"},
		{"int 3 in two bytes", "cd03", "killed by signal 5"},
		{"int 4", "cd04", "killed by signal 11"},
		{"int 5", "cd05", "killed by signal 11"},
		{"int 0x81", "cd81", "killed by signal 11"},
		{"int1", "f1", "killed by signal 5"},
		{"division by zero", "31c9 f7f1", "killed by signal 8"},
		{"quotient too large", "ba05000000 b902000000 f7f1", "killed by signal 8"},
		{"load from nowhere", nowhere + "488b08", "killed by signal 11"},
		{"push to nowhere", nowhere + "4889c4 50", "killed by signal 7"},
		{"misaligned SSE operand", "0f28442401", "killed by signal 11"},
		{"store across the end of the stack", "48b8fcefffffff7f0000 488908", "killed by signal 11"},
		{"x87 with an exception pending", "6a00 d92c24 d9ee d9e8 d8f1 9b", "killed by signal 8"},
		{"SSE division by zero", "6a00 0fae1424 0f57c0 0f57c9 0f5ec1", "killed by signal 8"},
		{"sixteen bytes", "2e2e2e2e2e2e2e2e2e2e2e2e2e2e2e90", "killed by signal 11"},
		{"ud2", "0f0b", "killed by signal 4"},
		{"locked register", "f001c8", "killed by signal 4"},
		{"hlt", "f4", "killed by signal 11"},
	} {
		t.Run(c.name, func(t *testing.T) {
			code, err := hex.DecodeString(strings.ReplaceAll(c.code, " ", ""))
			if err != nil {
				t.Fatal(err)
			}
			if strings.HasPrefix(c.name, "call of nowhere") && hwtest.Intel() {
				t.Log("not compared: Intel's processors store the return address first, AMD's and the model do not")
				return
			}
			r := same(t, lockstep.Options{Max: 1000, Start: machine(t, sim.Config{Program: "/exception", Args: []string{"exception"},
				Preload: map[string][]byte{"/exception": program(code)}})})
			if r.End != c.end {
				t.Errorf("%s, expected %s", r.End, c.end)
			}
		})
	}
}
