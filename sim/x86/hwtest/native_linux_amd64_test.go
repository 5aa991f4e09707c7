package hwtest

import (
	"encoding/binary"
	"testing"

	"golang.org/x/sys/unix"
)

func blank() *State {
	s := &State{Flags: 2}
	binary.LittleEndian.PutUint16(s.FX[0:], 0x37F)
	binary.LittleEndian.PutUint32(s.FX[24:], 0x1F80)
	return s
}

// TestRoundTrip executes a NOP: every register comes back as it went in.
func TestRoundTrip(t *testing.T) {
	n, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	s := blank()
	for i := range s.R {
		s.R[i] = 0x1122334455667788 * uint64(i+1)
	}
	for i := 160; i < 160+256; i++ {
		s.FX[i] = byte(i * 7)
	}
	for i := range s.High {
		s.High[i] = [2]uint64{uint64(i+1) * 0x0123456789ABCDEF, ^uint64(i)}
	}
	s.Flags |= 1 | 1<<6 | 1<<11
	want := *s
	if f := n.Run([]byte{0x90}, s); f != nil {
		t.Fatal(f)
	}
	if s.R != want.R {
		t.Errorf("general registers %x, want %x", s.R, want.R)
	}
	if s.High != want.High {
		t.Errorf("upper halves %x, want %x", s.High, want.High)
	}
	if s.FX[24] != want.FX[24] || [256]byte(s.FX[160:416]) != [256]byte(want.FX[160:416]) {
		t.Error("XMM registers or MXCSR changed")
	}
	if s.Flags&^(1<<9) != want.Flags {
		t.Errorf("flags %#x, want %#x", s.Flags, want.Flags)
	}
}

// TestFaults executes instructions that fault and expects the exception, the
// registers as before, and a usable Native afterwards.
func TestFaults(t *testing.T) {
	n, err := Open()
	if err != nil {
		t.Fatal(err)
	}
	defer n.Close()
	guard := n.ScratchAddr() + uint64(len(n.Scratch()))
	for _, c := range []struct {
		name   string
		code   []byte
		rax    uint64
		signal unix.Signal
		vector uint64
	}{
		{"ud2", []byte{0x0F, 0x0B}, 0, unix.SIGILL, 6},
		{"div by zero", []byte{0xF7, 0xF1}, 5, unix.SIGFPE, 0},
		{"load from the guard page", []byte{0x48, 0x8B, 0x18}, guard, unix.SIGSEGV, 14},
		{"misaligned movaps", []byte{0x0F, 0x28, 0x00}, n.ScratchAddr() + 1, unix.SIGSEGV, 13},
	} {
		s := blank()
		s.R[0], s.R[3] = c.rax, 77
		f := n.Run(c.code, s)
		if f == nil {
			t.Errorf("%s: no fault", c.name)
			continue
		}
		if f.Signal != uint64(c.signal) || f.Vector != c.vector || f.RIP != n.Slot() {
			t.Errorf("%s: %v", c.name, f)
		}
		if c.vector == 14 && f.Addr != guard {
			t.Errorf("%s: address %#x, want %#x", c.name, f.Addr, guard)
		}
		if s.R[0] != c.rax || s.R[3] != 77 {
			t.Errorf("%s: registers changed: %x", c.name, s.R)
		}
	}
}

// BenchmarkRun is the cost of one instruction on the host.
func BenchmarkRun(b *testing.B) {
	n, err := Open()
	if err != nil {
		b.Fatal(err)
	}
	defer n.Close()
	s := blank()
	for b.Loop() {
		n.Run([]byte{0x90}, s)
	}
}
