package hwtest

import "testing"

// TestStep executes instructions that go elsewhere, one at a time.
func TestStep(t *testing.T) {
	n, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	flow, at := n.Flow(), n.FlowAddr()+0x800
	for _, c := range []struct {
		name string
		code []byte
		end  uint64 // bytes from the instruction
	}{
		{"nop", []byte{0x90}, 1},
		{"jmp to itself", []byte{0xEB, 0xFE}, 0},
		{"jmp forward", []byte{0xEB, 0x10}, 0x12},
		{"jmp to the guard page", []byte{0xE9, 0xFB, 0x17, 0, 0}, 0x1800},
		{"popfq", []byte{0x9D}, 1},
	} {
		copy(flow[0x800:], c.code)
		s := blank()
		s.RIP, s.R[4], s.R[3] = at, n.ScratchAddr()+64, 77
		s.FSBase, s.GSBase = 0x123456, 0x654321
		f := n.Step(s)
		if f != nil || s.RIP != at+c.end || s.R[3] != 77 {
			t.Errorf("%s: %v, rip %#x, want %#x, rbx %d", c.name, f, s.RIP, at+c.end, s.R[3])
		}
		if n.Bases() && (s.FSBase != 0x123456 || s.GSBase != 0x654321) {
			t.Errorf("%s: segment bases %#x and %#x", c.name, s.FSBase, s.GSBase)
		}
	}
	// A fetch from the guard page behind the code.
	s := blank()
	s.RIP = n.FlowAddr() + uint64(len(flow)) - 1
	start := s.RIP
	flow[len(flow)-1] = 0x0F
	if f := n.Step(s); f == nil || f.Vector != 14 || f.Code != 0x14 || f.Addr != start+1 || s.RIP != start {
		t.Errorf("an instruction cut off by the guard page: %v", f)
	}
}

// BenchmarkStep is the cost of one instruction under the trap flag.
func BenchmarkStep(b *testing.B) {
	n, err := Open()
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	s := blank()
	n.Flow()[0] = 0x90
	for b.Loop() {
		s.RIP = n.FlowAddr()
		if f := n.Step(s); f != nil {
			b.Fatal(f)
		}
	}
}
