package x86

import "testing"

// Next tells what Run is about to execute, and changes nothing.
func TestNext(t *testing.T) {
	for _, c := range []struct {
		code string
		want Next
	}{
		{"\xF3\xA4", Next{Fetch: FetchDecoded, Name: "MOVS", Rep: true, Stores: true, Len: 2}},
		{"\xA4", Next{Fetch: FetchDecoded, Name: "MOVS", Stores: true, Len: 1}},
		{"\x48\x0F\xAF\xC1", Next{Fetch: FetchDecoded, Name: "IMUL", Undef: SF | ZF | AF | PF, Len: 4}},
		{"\xCD\x80", Next{Fetch: FetchDecoded, Name: "INT", Imm: ^uint64(0x7F), Len: 2}},
		{"\x66\x75\x10", Next{Fetch: FetchDecoded, Name: "JNE", Odd: true, Len: 3}},
		{"\xF3\xC3", Next{Fetch: FetchDecoded, Name: "RET", Len: 2}},
		{"\xF3\x0F\xBC\xC1", Next{Fetch: FetchDecoded, Name: "TZCNT", Undef: OF | SF | AF | PF, Len: 4}},
		{"\xF0\x01\xC8", Next{Fetch: FetchUndefined}},
		{"\x62\xF1\x7C\x48\x10\x07", Next{Fetch: FetchUndefined}},
	} {
		m := newMachine([]byte(c.code))
		before := m.State()
		n := m.Next()
		if m.State() != before {
			t.Errorf("% x: Next changed the processor", c.code)
		}
		if n.Fetch == FetchDecoded {
			if f := ISA()[n.Form]; f.Name != n.Name {
				t.Errorf("% x: form %d is %s, expected %s", c.code, n.Form, f.Name, n.Name)
			}
		}
		if string(n.Code[:len(c.code)]) != c.code || n.RIP != m.RIP {
			t.Errorf("% x: bytes % x at %#x", c.code, n.Code, n.RIP)
		}
		n.Form, n.RIP, n.Code = 0, 0, [15]byte{}
		if c.want.Name == "JNE" {
			n.Imm = 0 // depends on where it lies
		}
		if n != c.want {
			t.Errorf("% x: %+v, expected %+v", c.code, n, c.want)
		}
	}
	m := newMachine([]byte{0x90})
	m.RIP = 1 << 20
	if n := m.Next(); n.Fetch != FetchFault {
		t.Errorf("an address that is not mapped: %+v", n)
	}
}

// A branch to an address that is not canonical faults at the branch, with no
// register changed: what the host's processor does (see sim/lockstep).
func TestBranchToNonCanonical(t *testing.T) {
	const nowhere = 0x1200_0000_0000_beef
	for _, code := range []string{"\xFF\xE0", "\xFF\xD0", "\xFF\x24\x24", "\xFF\x14\x24", "\xC3", "\xC2\x10\x00"} {
		m := newMachine([]byte(code))
		m.R[RAX] = nowhere
		m.Port.Store64(m.R[RSP], nowhere)
		below := m.Port.Load64(m.R[RSP] - 8)
		before := m.State()
		s := m.Run(1)
		if s.Reason != StopException || s.Exc.Vector != GP || s.Exc.Code != 0 || m.State() != before || m.Retired != 0 {
			t.Errorf("% x: %v %v, state %+v", code, s.Reason, s.Exc, m.State())
		}
		if m.Port.Load64(m.R[RSP]-8) != below {
			t.Errorf("% x: pushed something", code)
		}
	}
}

// INT 3 and INT 4 are traps: RIP is behind them.
func TestIntTraps(t *testing.T) {
	for n, want := range map[byte]Vector{3: BP, 4: Overflow, 5: GP} {
		m := newMachine([]byte{0xCD, n})
		start := m.RIP
		s := m.Run(1)
		moved := map[bool]uint64{true: 2}[want != GP]
		if s.Reason != StopException || s.Exc.Vector != want || m.RIP-start != moved || m.Retired != moved/2 {
			t.Errorf("int %d: %v %v, rip moved by %d", n, s.Reason, s.Exc, m.RIP-start)
		}
	}
}
