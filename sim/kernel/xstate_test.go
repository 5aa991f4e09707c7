package kernel

import (
	"testing"

	"zhuque/sim/x86"
)

// extendedFrame sends a signal on a v3 processor with full vector registers and
// returns the state before, the stack pointer and the address of the
// floating-point part.
func extendedFrame(t *testing.T) (r *rig, s x86.State, sp, fp uint64) {
	r = newRig(t, nil)
	r.c.SetLevel(x86.V3)
	r.handle(10, saSiginfo, 0)
	s = r.marked()
	for i := range s.V {
		s.V[i][2], s.V[i][3] = uint64(i)<<20|1, ^uint64(i)
	}
	if o := r.enter(s, 10); o.Stops() {
		t.Fatalf("%+v", o)
	}
	sp = r.c.R[x86.RSP]
	s.R[x86.RDI], s.R[x86.RSI], s.R[x86.RAX] = initialPID, 10, 0
	return r, s, sp, le.Uint64(r.get(sp+frameMC+184, 8))
}

// TestExtendedFrame compares the floating-point part of a frame with what Linux
// documents for software, and returns.
func TestExtendedFrame(t *testing.T) {
	r, s, sp, fp := extendedFrame(t)
	if n := r.c.State(); n.V != [16]x86.Vec{} {
		t.Errorf("the handler sees the program's vectors: %x", n.V)
	}
	const size = 512 + 64 + 256
	if flags := le.Uint64(r.get(sp+frameContext, 8)); flags != 1|2|4 {
		t.Errorf("uc_flags %#x", flags)
	}
	if fp%64 != 0 || fp < sp+frameSize || fp+size+4 > s.R[x86.RSP]-redZone {
		t.Errorf("floating-point part at %#x, frame at %#x, stack at %#x", fp, sp, s.R[x86.RSP])
	}
	sw := r.get(fp+464, 48)
	if le.Uint32(sw) != 0x46505853 || le.Uint32(sw[4:]) != size+4 || le.Uint64(sw[8:]) != 7 || le.Uint32(sw[16:]) != size {
		t.Errorf("struct _fpx_sw_bytes: % x", sw)
	}
	if magic := le.Uint32(r.get(fp+size, 4)); magic != 0x46505845 {
		t.Errorf("word behind the area: %#x", magic)
	}
	if held := le.Uint64(r.get(fp+512, 8)); held != 7 {
		t.Errorf("XSTATE_BV %#x", held)
	}
	if ymm := r.get(fp+576+3*16, 16); le.Uint64(ymm) != 3<<20|1 || le.Uint64(ymm[8:]) != ^uint64(3) {
		t.Errorf("upper half of YMM3: % x", ymm)
	}
	r.c.R[x86.RSP], r.c.R[x86.RAX] = sp+8, numbers["rt_sigreturn"]
	r.k.Syscall(r.c)
	if got := r.c.State(); got != s {
		t.Errorf("after the return\n%+v, want\n%+v", got, s)
	}
}

// TestChangedExtendedFrame returns through frames that a handler changed, as
// Linux reads them.
func TestChangedExtendedFrame(t *testing.T) {
	word := func(v uint64) []byte { return le.AppendUint64(nil, v) }
	for _, c := range []struct {
		name          string
		at            uint64
		bytes         []byte
		x87, sse, avx bool // restored, otherwise initial
		freshMXCSR    bool
		killed        bool
	}{
		{name: "as it was", at: 464, bytes: word(836<<32 | 0x46505853), x87: true, sse: true, avx: true},
		{name: "no first magic number", at: 464, bytes: word(836 << 32), x87: true, sse: true},
		{name: "an area larger than the extended one", at: 468, bytes: word(831)[:4], x87: true, sse: true},
		{name: "an area without a header", at: 480, bytes: word(575)[:4], x87: true, sse: true},
		{name: "an area larger than the processor's", at: 480, bytes: word(833)[:4], x87: true, sse: true},
		{name: "no second magic number", at: 832, bytes: []byte{0}, x87: true, sse: true},
		{name: "without AVX", at: 472, bytes: word(3), x87: true, sse: true},
		{name: "AVX only", at: 472, bytes: word(4), avx: true, freshMXCSR: true},
		{name: "components that do not exist", at: 472, bytes: word(1<<50 | 7), x87: true, sse: true, avx: true},
		{name: "an area that holds x87 only", at: 512, bytes: word(1), x87: true},
		{name: "an area that holds what XCR0 lacks", at: 512, bytes: word(15), killed: true},
		{name: "a reserved word of the header", at: 520, bytes: word(1), killed: true},
		{name: "reserved bits of MXCSR", at: 24, bytes: word(1 << 20)[:4], killed: true},
	} {
		r, s, sp, fp := extendedFrame(t)
		r.ok(r.c.Port.WriteBytes(fp+c.at, c.bytes))
		r.c.R[x86.RSP], r.c.R[x86.RAX] = sp+8, numbers["rt_sigreturn"]
		o := r.k.Syscall(r.c)
		if c.killed {
			if !o.Exited || o.Signal != SIGSEGV {
				t.Errorf("%s: %+v", c.name, o)
			}
			continue
		}
		want := s
		if !c.x87 {
			want.FPU = x86.X87{CW: defaultFCW}
		}
		for i := range want.V {
			if !c.sse {
				want.V[i][0], want.V[i][1] = 0, 0
			}
			if !c.avx {
				want.V[i][2], want.V[i][3] = 0, 0
			}
		}
		if c.freshMXCSR {
			want.MXCSR = defaultMXCSR
		}
		if got := r.c.State(); o.Stops() || got != want {
			t.Errorf("%s: %+v\n%+v, want\n%+v", c.name, o, got, want)
		}
	}
}

// AT_MINSIGSTKSZ is there where MINSIGSTKSZ does not say enough, and a frame fits.
func TestMinimalSignalStack(t *testing.T) {
	if v := minSignalStack(x86.V2); v != nil {
		t.Errorf("on v2: %d", v)
	}
	v := minSignalStack(x86.V3)
	if len(v) != 2 || v[0] != 51 || v[1] != 1760 {
		t.Fatalf("on v3: %d", v)
	}
	_, s, sp, _ := extendedFrame(t)
	if used := s.R[x86.RSP] - redZone - sp; used > v[1] {
		t.Errorf("a frame takes %d bytes of %d", used, v[1])
	}
}
