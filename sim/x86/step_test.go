package x86

import (
	"testing"

	"zhuque/sim/mem"
)

// FLAGS are pushed, a bit is set in them, and they are popped.
const (
	setTF   = "\x9C\x81\x0C\x24\x00\x01\x00\x00\x9D"
	setAC   = "\x9C\x81\x0C\x24\x00\x00\x04\x00\x9D"
	clearTF = "\x9C\x81\x24\x24\xFF\xFE\xFF\xFF\x9D"
)

// The trap flag raises #DB after each instruction behind the one that set it, up to and
// with the one that clears it; a string instruction is stepped by its iterations, and a
// load of SS and the instruction behind it are one step. TestFaultsAsNative of package
// sim compares the same with the processor.
func TestSingleSteps(t *testing.T) {
	for _, c := range []struct {
		name, code string
		stops      []uint64 // RIP at each #DB, from the first instruction behind setTF
		retired    uint64
	}{
		{"nops", "\x90\x90" + clearTF + "\x90", []uint64{1, 2, 3, 10, 11}, 9},
		{"branch", "\xEB\x01\xF4" + clearTF, []uint64{3, 4, 11, 12}, 7},
		{"string", "\xB9\x03\x00\x00\x00\xF3\xAA" + clearTF, []uint64{5, 5, 5, 7, 8, 15, 16}, 8},
		{"loads of SS", "\x8C\xD0\x8E\xD0\x8E\xD0\x90" + clearTF, []uint64{2, 7, 8, 15, 16}, 10},
		{"popf that sets it again", "\x9C\x9D" + clearTF, []uint64{1, 2, 3, 10, 11}, 8},
	} {
		for _, block := range []int{1, 64} {
			m := newMachine([]byte(setTF + c.code))
			m.SetMaxBlock(block)
			m.R[RDI] = testData
			var at []uint64
			for m.Retired < c.retired {
				s := m.Run(c.retired)
				if s.Reason == StopCount {
					break
				}
				if s.Reason != StopException || s.Exc.Vector != DB || !s.Exc.Step || s.Exc.IsTrap() || s.Exc.RIP != m.RIP {
					t.Fatalf("%s: stopped by %v %v", c.name, s.Reason, s.Exc)
				}
				at = append(at, m.RIP-testCode-uint64(len(setTF)))
				state := m.State()
				if !state.Trap {
					t.Errorf("%s: no trap is pending while it is raised", c.name)
				}
				state.Trap = false // what the kernel does when it enters a handler
				m.SetState(&state)
			}
			if s := m.State(); s.Trap {
				at = append(at, m.RIP-testCode-uint64(len(setTF)))
			}
			if len(at) != len(c.stops) {
				t.Fatalf("%s, blocks of %d: #DB at %d, want %d", c.name, block, at, c.stops)
			}
			for i := range at {
				if at[i] != c.stops[i] {
					t.Errorf("%s, blocks of %d: #DB at %d, want %d", c.name, block, at, c.stops)
					break
				}
			}
			if m.Retired != c.retired || m.RFlags()&TF != 0 {
				t.Errorf("%s: %d instructions, want %d; flags %#x", c.name, m.Retired, c.retired, m.RFlags())
			}
		}
	}
}

// A pending #DB is state: a processor that gets it raises it before anything else.
func TestPendingTrapIsState(t *testing.T) {
	m := newMachine([]byte(setTF + "\x90\x90"))
	if s := m.Run(4); s.Reason != StopCount || !m.Trapping() {
		t.Fatalf("stopped by %v, trap pending %t", s.Reason, m.Trapping())
	}
	state := m.State()
	other := newMachine([]byte(setTF + "\x90\x90"))
	other.SetState(&state)
	if s := other.Run(10); s.Reason != StopException || s.Exc.Vector != DB ||
		other.RIP != testCode+10 || other.Retired != 0 {
		t.Errorf("stopped by %v %v at %#x after %d", s.Reason, s.Exc, other.RIP, other.Retired)
	}
}

// An interrupted string instruction (RunRep) keeps to its iterations under the flags.
func TestRunRepUnderFlags(t *testing.T) {
	for _, c := range []struct {
		flag    string
		budget  uint64
		left    uint64
		pending bool
	}{{setTF, 5, 9, true}, {setAC, 4, 6, false}} {
		m := newMachine([]byte(c.flag + "\xF3\x48\xAB"))
		m.R[RDI], m.R[RCX] = testData, 10
		if s := m.Run(3); s.Reason != StopCount {
			t.Fatal(s.Reason)
		}
		if done := m.RunRep(c.budget); done || m.R[RCX] != c.left ||
			m.Retired != 3 || m.RIP != testCode+9 || m.Trapping() != c.pending {
			t.Errorf("%d iterations: done %t, %d left, %d retired, rip %#x, trap pending %t",
				c.budget, done, m.R[RCX], m.Retired, m.RIP, m.Trapping())
		}
	}
}

// AC makes misaligned accesses fault, and only them; without it nothing has changed.
func TestAlignmentChecks(t *testing.T) {
	for _, c := range []struct {
		code  string
		off   uint64
		fault bool
	}{
		{"\x8B\x03", 4, false}, {"\x8B\x03", 2, true}, {"\x89\x03", 1, true}, {"\x8A\x03", 1, false},
		{"\x66\x8B\x03", 2, false}, {"\x66\x8B\x03", 3, true}, {"\x48\x8B\x03", 4, true},
		{"\x0F\x10\x03", 8, true}, {"\x0F\x10\x03", 16, false}, {"\xDB\x2B", 8, false}, {"\xDB\x2B", 2, true},
	} {
		for _, on := range []bool{true, false} {
			prefix := setAC
			if !on {
				prefix = "\x90\x90\x90"
			}
			m := newMachine([]byte(prefix + c.code + "\x90"))
			m.R[RBX] = testData + c.off
			m.Port.Load64(testData) // its translation is in the TLB
			m.Port.Store64(testData, 0)
			s := m.Run(5)
			if fault := s.Reason == StopException; fault != (c.fault && on) {
				t.Errorf("% x at %d, AC %t: %v %v", c.code, c.off, on, s.Reason, s.Exc)
			} else if fault && (s.Exc.Vector != AlignmentCheck || s.Exc.Code != 0 || s.Exc.Fault.Kind != mem.Unaligned || m.RIP != testCode+9) {
				t.Errorf("% x at %d: %v code %#x at %#x", c.code, c.off, s.Exc, s.Exc.Code, m.RIP)
			}
			m.Port.Store64(testData+3, 7) // panics when the port still checks
			if got := m.Port.Load64(testData + 3); got != 7 {
				t.Errorf("%#x was stored", got)
			}
		}
	}
}
