package x86

import (
	"encoding/binary"
	"fmt"

	"zhuque/sim/mem"
)

// FXSAVE and FXRSTOR: the 512-byte image of x87, SSE and MXCSR (SDM vol. 1,
// table 10-2), for the instructions and for signal frames.

const (
	// MXCSRMask holds the bits of MXCSR that may be set.
	MXCSRMask = 0xffff

	fxUsed  = 416 // bytes that the instruction writes; the rest belongs to software
	fxAlign = 16
)

// FXSave returns the image that FXSAVE64 writes; the last 96 bytes are zero.
func (s *State) FXSave() (b [512]byte) {
	fxImage(&b, &s.FPU, &s.V, s.MXCSR, true)
	return b
}

// FXRestore loads an image as FXRSTOR64 does. It changes nothing and returns an
// error when reserved bits of MXCSR are set. The upper halves of the vector
// registers stay.
func (s *State) FXRestore(b *[512]byte) error {
	mxcsr := binary.LittleEndian.Uint32(b[24:])
	if mxcsr&^MXCSRMask != 0 {
		return fmt.Errorf("x86: FXRSTOR image: MXCSR is %#x, but only the bits %#x may be set", mxcsr, MXCSRMask)
	}
	fxLoad(b, &s.FPU, &s.V, true)
	s.MXCSR = mxcsr
	return nil
}

// fxImage fills an image. wide is the layout with 64-bit pointers (REX.W).
func fxImage(b *[512]byte, f *X87, v *[16]Vec, mxcsr uint32, wide bool) {
	le := binary.LittleEndian
	le.PutUint16(b[0:], f.CW)
	le.PutUint16(b[2:], f.SW)
	b[4] = f.Tag
	if f.SW&fpES != 0 {
		le.PutUint16(b[6:], f.Op)
		le.PutUint64(b[8:], f.IP)
		le.PutUint64(b[16:], f.DP)
		if !wide {
			cs, ds := f.selectors()
			le.PutUint32(b[12:], uint32(cs))
			le.PutUint32(b[20:], uint32(ds))
		}
	}
	le.PutUint32(b[24:], mxcsr)
	le.PutUint32(b[28:], MXCSRMask)
	for i := range uint8(8) {
		r := f.st(i)
		at := b[32+16*int(i):]
		le.PutUint64(at, r.Mant)
		le.PutUint16(at[8:], r.SE)
	}
	for i := range v {
		at := b[160+16*i:]
		le.PutUint64(at, v[i][0])
		le.PutUint64(at[8:], v[i][1])
	}
}

// fxLoad takes over everything but MXCSR.
func fxLoad(b *[512]byte, f *X87, v *[16]Vec, wide bool) {
	le := binary.LittleEndian
	f.SW = le.Uint16(b[2:])
	f.setCW(le.Uint16(b[0:]))
	f.Tag = b[4]
	f.Op = le.Uint16(b[6:]) & 0x7ff
	f.IP, f.DP = le.Uint64(b[8:]), le.Uint64(b[16:])
	if !wide {
		f.IP, f.DP = uint64(uint32(f.IP)), uint64(uint32(f.DP))
	}
	for i := range uint8(8) {
		at := b[32+16*int(i):]
		f.Reg[(uint8(f.SW>>11)+i)&7] = F80{le.Uint64(at), le.Uint16(at[8:])}
	}
	for i := range v {
		at := b[160+16*i:]
		v[i][0], v[i][1] = le.Uint64(at), le.Uint64(at[8:])
	}
}

func (c *CPU) fxAddress(in *Inst, acc mem.Access) uint64 {
	a := c.ea(in)
	c.Port.Align(a, 4, acc) // as the host's processor has it
	if a%fxAlign != 0 {
		c.raise(GP, 0)
	}
	c.Port.Check(a, 512, acc)
	return a
}

func execFXSAVE(c *CPU, in *Inst) {
	a := c.fxAddress(in, mem.Write)
	var b [512]byte
	fxImage(&b, &c.FPU, &c.V, c.MXCSR, in.width == 8)
	for i := uint64(0); i < fxUsed; i += 8 {
		c.Port.Store64(a+i, binary.LittleEndian.Uint64(b[i:]))
	}
}

func execFXRSTOR(c *CPU, in *Inst) {
	a := c.fxAddress(in, mem.Read)
	var b [512]byte
	for i := uint64(0); i < fxUsed; i += 8 {
		binary.LittleEndian.PutUint64(b[i:], c.Port.Load64(a+i))
	}
	mxcsr := binary.LittleEndian.Uint32(b[24:])
	if mxcsr&^MXCSRMask != 0 {
		c.raise(GP, 0)
	}
	fxLoad(&b, &c.FPU, &c.V, in.width == 8)
	c.MXCSR = mxcsr
}
