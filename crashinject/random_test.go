package crashinject

import (
	"encoding/binary"
	"testing"
)

// drawing is a program that folds 100 numbers of RDRAND and 100 of RDSEED into
// one, prints that and ends.
func drawing() []byte {
	code := []byte{
		0xB9, 100, 0, 0, 0, // mov ecx, 100
		0x48, 0x0F, 0xC7, 0xF0, // again: rdrand rax
		0x48, 0x31, 0xC3, // xor rbx, rax
		0x48, 0x0F, 0xC7, 0xFA, // rdseed rdx
		0x48, 0x01, 0xD3, // add rbx, rdx
		0xFF, 0xC9, // dec ecx
		0x75, 0xEE, // jnz again
		0x53,             // push rbx
		0xBF, 1, 0, 0, 0, // mov edi, 1
		0x48, 0x89, 0xE6, // mov rsi, rsp
		0xBA, 8, 0, 0, 0, // mov edx, 8
		0xB8, 1, 0, 0, 0, // mov eax, 1: write
		0x0F, 0x05,
		0x31, 0xFF, // xor edi, edi
		0xB8, 60, 0, 0, 0, // mov eax, 60: exit
		0x0F, 0x05,
	}
	const base, headers = 0x400000, 64 + 56
	le := binary.LittleEndian
	b := append([]byte("\x7fELF\x02\x01\x01"), make([]byte, 9)...)
	b = le.AppendUint32(b, 2|62<<16) // an executable for x86-64
	b = le.AppendUint32(b, 1)
	for _, v := range []uint64{base + headers, 64, 0} { // entry, program headers, section headers
		b = le.AppendUint64(b, v)
	}
	b = le.AppendUint32(b, 0)
	for _, v := range []uint16{64, 56, 1, 64, 0, 0} {
		b = le.AppendUint16(b, v)
	}
	b = le.AppendUint32(b, 1) // PT_LOAD
	b = le.AppendUint32(b, 5) // readable and executable
	size := uint64(headers + len(code))
	for _, v := range []uint64{0, base, base, size, size, 4096} {
		b = le.AppendUint64(b, v)
	}
	return append(b, code...)
}

// A machine that was cut and restarted draws what the one that never failed
// draws: a cut before every instruction, each run to the end. Another seed gives
// other numbers.
func TestRandomNumbersSurvive(t *testing.T) {
	setup := func(seed uint64) Setup {
		s := guestSetup(t, "drawing")
		s.Guest = func(string) ([]byte, error) { return drawing(), nil }
		s.Seed = seed
		return s
	}
	r := (&Campaign{Setup: setup(1), Strategy: Strategy{Kind: Every, From: 1, To: 600}, Tails: 600}).mustRun(t)
	allPass(t, r)
	if r.Points < 500 {
		t.Errorf("only %d points", r.Points)
	}
	output := func(seed uint64) string {
		m := newRig(t, setup(seed)).at(0)
		m.RunUntil(10_000)
		out, _ := m.Output()
		return string(out)
	}
	if a, b := output(1), output(2); len(a) != 8 || a == b {
		t.Errorf("seed 1 gives %x, seed 2 %x", a, b)
	}
}
