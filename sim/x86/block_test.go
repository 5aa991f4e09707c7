package x86

import (
	"encoding/binary"
	"testing"

	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// step runs n instructions and fails on anything but reaching them.
func (m *machine) step(t *testing.T, n uint64) {
	t.Helper()
	if s := m.Run(m.Retired + n); s.Reason != StopCount {
		t.Fatalf("stopped by %v at %#x: %v %v", s.Reason, m.RIP, s.Exc, s.Unsup)
	}
}

// A store into the block that is running changes the very next instruction.
func TestBlockWritesItself(t *testing.T) {
	m := newMachine([]byte{
		0xC6, 0x05, 1, 0, 0, 0, 7, // mov byte [rip+1], 7: the immediate of the next instruction
		0xB0, 1, // mov al, 1
		0x90, // nop
	})
	m.step(t, 3)
	if m.R[RAX] != 7 || m.RIP != testCode+10 || m.Retired != 3 {
		t.Fatalf("al=%d rip=%#x after %d instructions; want 7, the end, 3", m.R[RAX], m.RIP, m.Retired)
	}
}

// Code that was executed before it changed is decoded again, also when the store
// comes from another page and the code lies across two.
func TestStoreIntoDecodedCode(t *testing.T) {
	for _, at := range []uint64{testCode + 0x100, testCode + phys.PageSize - 1, testCode + phys.PageSize - 4} {
		m := newMachine(nil)
		m.write(at, []byte{0xB8, 1, 0, 0, 0, 0xC3}) // mov eax, 1; ret
		// call at; mov byte [at+3], 2 (bits 16..23 of the immediate); call at
		call := func(from uint64) []byte {
			return binary.LittleEndian.AppendUint32([]byte{0xE8}, uint32(at-(from+5)))
		}
		main := uint64(testCode + 0x2000)
		code := call(main)
		code = append(code, 0xC6, 0x04, 0x25)
		code = binary.LittleEndian.AppendUint32(code, uint32(at+3))
		code = append(code, 2)
		code = append(code, call(main+uint64(len(code)))...)
		m.write(main, code)
		m.RIP = main
		m.step(t, 3)
		if m.R[RAX] != 1 {
			t.Fatalf("code at %#x: first run gives %#x", at, m.R[RAX])
		}
		m.step(t, 4)
		if m.R[RAX] != 0x20001 {
			t.Errorf("code at %#x: second run gives %#x, want 0x20001", at, m.R[RAX])
		}
	}
}

// An instruction that crosses into a page where nothing else is executed changes
// with that page, whether by a store or by a new mapping.
func TestSecondPageOfAnInstruction(t *testing.T) {
	at := uint64(testCode + phys.PageSize - 1)
	for _, remap := range []bool{false, true} {
		m := newMachine(nil)
		m.write(at, []byte{0xE9, 0xFB, 0x0F, 0, 0}) // jmp at+0x1000
		m.write(at+phys.PageSize+1, []byte{0xFB, 0x1F, 0, 0})
		m.RIP = at
		m.step(t, 1)
		if m.RIP != at+0x1000 {
			t.Fatalf("first jump to %#x", m.RIP)
		}
		if remap {
			p := m.space.pages
			p[at>>phys.PageShift+1] = p[at>>phys.PageShift+2]
			m.Port.FlushTLB()
			m.InvalidateBlocks()
		} else {
			m.Port.Store8(at+2, 0x1F)
		}
		m.RIP = at
		m.step(t, 1)
		if m.RIP != at+0x2000 {
			t.Errorf("remapped %t: second jump to %#x, want %#x", remap, m.RIP, at+0x2000)
		}
	}
}

// Control that has gone the same way many times finds what lies there now: each
// turn of the loop changes the code that it jumps to, on another page and on its own.
func TestLoopChangesItsTarget(t *testing.T) {
	for _, at := range []uint64{testCode + 0x40, testCode + 2*phys.PageSize} {
		m := newMachine(nil)
		jump := func(code []byte, from, to uint64) []byte { // from is where code lies
			code = append(code, 0xE9)
			return binary.LittleEndian.AppendUint32(code, uint32(to-(from+uint64(len(code))+4)))
		}
		m.write(testCode, jump([]byte{0xFE, 0x47, 2}, testCode, at))            // loop: inc byte [rdi+2]; jmp at
		m.write(at, jump([]byte{0x83, 0xC0, 0, 0xFF, 0xC9}, at, testCode+0x80)) // at: add eax, 0; dec ecx; jmp back
		back := []byte{0x85, 0xC9, 0x0F, 0x85}                                  // back: test ecx, ecx; jnz loop; nop
		target := testCode
		m.write(testCode+0x80, append(binary.LittleEndian.AppendUint32(back, uint32(target-(testCode+0x88))), 0x90))
		const turns = 20
		m.R[RDI], m.R[RCX] = at, turns
		m.step(t, 7*turns+1)
		if want := uint64(turns * (turns + 1) / 2); m.R[RAX] != want || m.R[RCX] != 0 {
			t.Errorf("target at %#x: sum %d after %d turns, want %d", at, m.R[RAX], turns-m.R[RCX], want)
		}
	}
}

// A block keeps the ways to two others; a third one, and a new mapping, are found too.
func TestRemappedTarget(t *testing.T) {
	at := uint64(testCode + phys.PageSize)
	m := newMachine([]byte{0xE9, 0xFB, 0x0F, 0, 0})                             // jmp at
	m.write(at, []byte{0xFF, 0xC0, 0xE9, 0xF9, 0xEF, 0xFF, 0xFF})               // inc eax; jmp back
	m.write(at+phys.PageSize, []byte{0xFF, 0xC3, 0xE9, 0xF9, 0xEF, 0xFF, 0xFF}) // inc ebx; jmp back
	m.step(t, 30)
	p := m.space.pages
	p[at>>phys.PageShift] = p[at>>phys.PageShift+1]
	m.Port.FlushTLB()
	m.InvalidateBlocks()
	m.step(t, 30)
	if m.R[RAX] != 10 || m.R[RBX] != 10 {
		t.Errorf("%d and %d turns, want 10 and 10", m.R[RAX], m.R[RBX])
	}
}

// A jump into the middle of an instruction decodes what lies there.
func TestJumpIntoInstruction(t *testing.T) {
	m := newMachine([]byte{
		0xEB, 1, // jmp +1
		0xB8, 0xB3, 5, 0x90, 0x90, // mov eax, ...: from its second byte mov bl, 5; nop; nop
	})
	m.step(t, 4)
	if m.R[RBX] != 5 || m.R[RAX] != 0 {
		t.Fatalf("rbx=%d rax=%d, want 5 and 0", m.R[RBX], m.R[RAX])
	}
	m.RIP = testCode + 2
	m.step(t, 1)
	if m.R[RAX] != 0x909005B3 {
		t.Fatalf("eax=%#x, want 0x909005b3", m.R[RAX])
	}
}

// A fetch that runs into a page without execute permission faults at that
// page's first byte, after every instruction before it has retired.
func TestFetchAcrossForbiddenPage(t *testing.T) {
	end := uint64(testCode + 16*phys.PageSize)
	m := newMachine(nil)
	m.write(end-3, []byte{0x90, 0xB8, 0}) // nop; mov eax, imm32 cut in the middle
	m.RIP = end - 3
	s := m.Run(10)
	if s.Reason != StopException || s.Exc.Vector != PageFaultVector || s.Exc.Code != 1<<4|1<<2 {
		t.Fatalf("stop %+v, want an execute page fault", s)
	}
	if f := s.Exc.Fault; f.Addr != end || f.Access != mem.Exec || m.RIP != end-2 || m.Retired != 1 {
		t.Fatalf("fault at %#x (%v), rip %#x, %d retired; want %#x, execute, %#x, 1",
			f.Addr, f.Access, m.RIP, m.Retired, end, end-2)
	}
}

// After a change of mappings, blocks of the old page are not executed.
func TestRemappedCode(t *testing.T) {
	m := newMachine([]byte{0xB0, 1, 0xEB, 0xFC}) // mov al, 1; jmp back
	m.write(testCode+phys.PageSize, []byte{0xB0, 2, 0xEB, 0xFC})
	m.step(t, 4)
	p := m.space.pages
	p[testCode>>phys.PageShift] = p[testCode>>phys.PageShift+1]
	m.Port.FlushTLB()
	m.InvalidateBlocks()
	m.step(t, 2)
	if m.R[RAX] != 2 {
		t.Fatalf("al=%d, want the new page's 2", m.R[RAX])
	}
}

// clone forks the machine.
func (m *machine) clone() *machine {
	n := &machine{space: m.space, dram: m.dram.Fork()}
	m.Port.FlushTLB()
	n.CPU = m.Clone(mem.NewPort(m.space, nil, n.dram, mem.NewStore()))
	return n
}

// Forks share decoded blocks and yet never execute each other's changes.
func TestForksChangeTheirOwnCode(t *testing.T) {
	loop := []byte{0xB0, 1, 0xEB, 0xFC} // mov al, 1; jmp back
	m := newMachine(loop)
	m.step(t, 4)
	n := m.clone()
	n.Port.Store8(testCode+1, 2)
	for range 3 {
		n.step(t, 2)
		m.step(t, 2)
		if n.R[RAX] != 2 || m.R[RAX] != 1 {
			t.Fatalf("fork has %d, want 2; original has %d, want 1", n.R[RAX], m.R[RAX])
		}
	}
	m.Port.Store8(testCode+1, 3)
	m.step(t, 2)
	n.step(t, 2)
	if n.R[RAX] != 2 || m.R[RAX] != 3 {
		t.Fatalf("after the original's store: fork has %d, want 2; original has %d, want 3", n.R[RAX], m.R[RAX])
	}
}

// Decoding a block must not depend on how many blocks are kept.
func TestBlockCacheOverflow(t *testing.T) {
	m := newMachine(nil)
	const n = maxBlocks + 100
	m.space.mapRange(0x10000000, 2*n, false, true)
	code := make([]byte, 2*n)
	for i := 0; i < len(code); i += 2 {
		code[i] = 0xEB // jmp +0
	}
	for i := 0; i < len(code); i += phys.PageSize {
		t := m.space.pages[(0x10000000+uint64(i))>>phys.PageShift]
		copy(m.dram.WritablePage(t.Frame)[:], code[i:])
	}
	m.RIP = 0x10000000
	m.step(t, n-1)
	if m.RIP != 0x10000000+2*(n-1) || len(m.code.all) > maxBlocks {
		t.Fatalf("rip %#x with %d blocks kept", m.RIP, len(m.code.all))
	}
}
