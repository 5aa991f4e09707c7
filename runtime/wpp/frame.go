package wpp

import "zhuque/sim/x86"

// frameWords is the size of an encoded x86.State in words.
const (
	entryWords = 21 // GPRs, RIP, RFLAGS and Trap, FS base, GS base, selectors
	fpuWords   = 8*2 + 3
	frameWords = entryWords + 16*4 + 1 + fpuWords

	trapPending = 1 << 32 // in the word of RFLAGS, which has nothing there
)

// Frame is an encoded register state.
type frame [frameWords]uint64

func (f *frame) encode(s *x86.State) {
	f.encodeEntry(s)
	w := f[entryWords:]
	for i := range s.V {
		copy(w[4*i:], s.V[i][:])
	}
	w = w[16*4:]
	w[0] = uint64(s.MXCSR)
	w = w[1:]
	for i, r := range s.FPU.Reg {
		w[2*i], w[2*i+1] = r.Mant, uint64(r.SE)
	}
	w[16] = uint64(s.FPU.CW) | uint64(s.FPU.SW)<<16 | uint64(s.FPU.Tag)<<32 | uint64(s.FPU.Op)<<48
	w[17], w[18] = s.FPU.IP, s.FPU.DP
}

// encodeEntry encodes only what the kernel-entry copy of most calls holds.
func (f *frame) encodeEntry(s *x86.State) {
	copy(f[:16], s.R[:])
	f[16], f[17], f[18], f[19] = s.RIP, s.RFlags, s.FSBase, s.GSBase
	if s.Trap {
		f[17] |= trapPending
	}
	f[20] = 0
	for i, sel := range s.Sel {
		f[20] |= uint64(sel) << (16 * i)
	}
}

func (f *frame) decode(s *x86.State) {
	f.decodeEntry(s)
	w := f[entryWords:]
	for i := range s.V {
		copy(s.V[i][:], w[4*i:])
	}
	w = w[16*4:]
	s.MXCSR = uint32(w[0])
	w = w[1:]
	for i := range s.FPU.Reg {
		s.FPU.Reg[i] = x86.F80{Mant: w[2*i], SE: uint16(w[2*i+1])}
	}
	s.FPU.CW, s.FPU.SW, s.FPU.Tag, s.FPU.Op = uint16(w[16]), uint16(w[16]>>16), uint8(w[16]>>32), uint16(w[16]>>48)
	s.FPU.IP, s.FPU.DP = w[17], w[18]
}

// decodeEntry restores only what the kernel-entry copy holds.
func (f *frame) decodeEntry(s *x86.State) {
	copy(s.R[:], f[:16])
	s.RIP, s.RFlags, s.FSBase, s.GSBase = f[16], f[17]&^trapPending, f[18], f[19]
	s.Trap = f[17]&trapPending != 0
	for i := range s.Sel {
		s.Sel[i] = uint16(f[20] >> (16 * i))
	}
}
