package x86

import (
	"encoding/binary"
	"fmt"

	"zhuque/sim/mem"
)

// XSAVE and its kind (SDM vol. 1, chapter 13): the image of FXSAVE, a header, and
// the upper halves of the YMM registers, in the standard and, as there is but one
// component behind the header, at the same place in the compacted format. A
// component is in use when it differs from its initial state; processors may be
// less exact and call it in use longer.

// Components of the extended state, as bits of XCR0.
const (
	compX87 = 1 << 0
	compSSE = 1 << 1
	compAVX = 1 << 2

	xcr0 = compX87 | compSSE | compAVX
)

// Layout of the area.
const (
	xsaveHeader = 512 // XSTATE_BV, XCOMP_BV, 48 bytes of zeros
	ymmOffset   = xsaveHeader + 64
	ymmSize     = 16 * 16
	xsaveSize   = ymmOffset + ymmSize
	xsaveAlign  = 64

	compacted    = 1 << 63 // of XCOMP_BV
	initialMXCSR = 0x1F80
)

// XFeatures are the components that XCR0 enables on a processor of the level, 0
// where there is no XSAVE.
func (l Level) XFeatures() uint64 {
	if l < V3 {
		return 0
	}
	return xcr0
}

// XSaveSize is the size of the area in the standard format.
const XSaveSize = xsaveSize

// xinuse returns the components that are not in their initial state.
func xinuse(f *X87, v *[16]Vec) (comp uint64) {
	var fresh X87
	fresh.fresh()
	if *f != fresh {
		comp |= compX87
	}
	for i := range v {
		if v[i][0]|v[i][1] != 0 {
			comp |= compSSE
		}
		if v[i][2]|v[i][3] != 0 {
			comp |= compAVX
		}
	}
	return comp
}

// xImage fills an area with all components; the header stays.
func xImage(b *[xsaveSize]byte, f *X87, v *[16]Vec, mxcsr uint32, wide bool) {
	fxImage((*[512]byte)(b[:512]), f, v, mxcsr, wide)
	for i := range v {
		at := b[ymmOffset+16*i:]
		binary.LittleEndian.PutUint64(at, v[i][2])
		binary.LittleEndian.PutUint64(at[8:], v[i][3])
	}
}

// xParts calls part with the byte ranges that hold the components; control
// stands for MXCSR and its mask.
func xParts(components uint64, control bool, part func(from, to uint64)) {
	if components&compX87 != 0 {
		part(0, 24)
		part(32, 160)
	}
	if control {
		part(24, 32)
	}
	if components&compSSE != 0 {
		part(160, 416)
	}
	if components&compAVX != 0 {
		part(ymmOffset, xsaveSize)
	}
}

// xsaveOperand returns the address and the requested components.
func (c *CPU) xsaveOperand(in *Inst) (a, rfbm uint64) {
	if a = c.ea(in); a%xsaveAlign != 0 {
		c.raise(GP, 0)
	}
	return a, (c.R[RDX]<<32 | c.R[RAX]&0xFFFFFFFF) & xcr0
}

// storeState writes components, MXCSR where control asks for it, and the header.
func (c *CPU) storeState(in *Inst, a, components uint64, control bool, header ...uint64) {
	xParts(components, control, func(from, to uint64) { c.Port.Check(a+from, to-from, mem.Write) })
	c.Port.Check(a+xsaveHeader, 8*uint64(len(header)), mem.Write)
	var b [xsaveSize]byte
	xImage(&b, &c.FPU, &c.V, c.MXCSR, in.width == 8)
	xParts(components, control, func(from, to uint64) {
		for i := from; i < to; i += 8 {
			c.Port.Store64(a+i, binary.LittleEndian.Uint64(b[i:]))
		}
	})
	for i, v := range header {
		c.Port.Store64(a+xsaveHeader+uint64(8*i), v)
	}
}

// oldHeader reads XSTATE_BV, after processors have asked to write what is before it.
func (c *CPU) oldHeader(a uint64) uint64 {
	c.Port.Check(a, ymmOffset, mem.Write)
	return c.Port.Load64(a + xsaveHeader)
}

func xsave(c *CPU, in *Inst) {
	a, rfbm := c.xsaveOperand(in)
	old := c.oldHeader(a)
	c.storeState(in, a, rfbm, rfbm&(compSSE|compAVX) != 0, old&^rfbm|xinuse(&c.FPU, &c.V)&rfbm)
}

// xsaveopt leaves out what is in its initial state. That something was not
// modified since it was loaded is never assumed.
func xsaveopt(c *CPU, in *Inst) {
	a, rfbm := c.xsaveOperand(in)
	old, used := c.oldHeader(a), xinuse(&c.FPU, &c.V)&rfbm
	c.storeState(in, a, used, rfbm&(compSSE|compAVX) != 0, old&^rfbm|used)
}

// xsavec takes MXCSR for a part of the SSE state.
func xsavec(c *CPU, in *Inst) {
	a, rfbm := c.xsaveOperand(in)
	used := xinuse(&c.FPU, &c.V)
	if c.MXCSR != initialMXCSR {
		used |= compSSE
	}
	used &= rfbm
	c.storeState(in, a, used, used&compSSE != 0, used, rfbm|compacted)
}

// xheader returns which components an area holds and whether it is compacted.
func xheader(b *[xsaveSize]byte) (held uint64, compact bool, err error) {
	word := func(i int) uint64 { return binary.LittleEndian.Uint64(b[xsaveHeader+8*i:]) }
	held, layout := word(0), word(1)
	known := uint64(xcr0)
	if compact = layout&compacted != 0; compact {
		known &= layout
	}
	reserved := layout
	if compact {
		reserved = layout &^ (compacted | xcr0)
		for i := 3; i < 8; i++ {
			reserved |= word(i)
		}
	}
	if reserved|word(2)|held&^known != 0 {
		return 0, false, fmt.Errorf("x86: XRSTOR area: header % x", b[xsaveHeader:xsaveHeader+24])
	}
	return held, compact, nil
}

// xLoad restores the requested components from an area, or initializes those that
// it does not hold. It changes nothing when the area is invalid.
func xLoad(b *[xsaveSize]byte, rfbm uint64, f *X87, v *[16]Vec, mxcsr *uint32, wide bool) error {
	held, compact, err := xheader(b)
	if err != nil {
		return err
	}
	held &= rfbm
	control, value := rfbm&(compSSE|compAVX) != 0, binary.LittleEndian.Uint32(b[24:])
	if compact {
		if control = rfbm&compSSE != 0; held&compSSE == 0 {
			value = initialMXCSR
		}
	}
	if control && value&^MXCSRMask != 0 {
		return fmt.Errorf("x86: XRSTOR area: MXCSR is %#x, but only the bits %#x may be set", value, MXCSRMask)
	}
	if control {
		*mxcsr = value
	}
	xLoadRegisters(b, rfbm, held, f, v, wide)
	return nil
}

func xLoadRegisters(b *[xsaveSize]byte, rfbm, held uint64, f *X87, v *[16]Vec, wide bool) {
	var image X87
	var vectors [16]Vec
	fxLoad((*[512]byte)(b[:512]), &image, &vectors, wide)
	switch {
	case held&compX87 != 0:
		*f = image
	case rfbm&compX87 != 0:
		*f = X87{}
		f.fresh()
	}
	for i := range v {
		switch {
		case held&compSSE != 0:
			v[i][0], v[i][1] = vectors[i][0], vectors[i][1]
		case rfbm&compSSE != 0:
			v[i][0], v[i][1] = 0, 0
		}
		switch at := b[ymmOffset+16*i:]; {
		case held&compAVX != 0:
			v[i][2], v[i][3] = binary.LittleEndian.Uint64(at), binary.LittleEndian.Uint64(at[8:])
		case rfbm&compAVX != 0:
			v[i][2], v[i][3] = 0, 0
		}
	}
}

func xrstor(c *CPU, in *Inst) {
	a, rfbm := c.xsaveOperand(in)
	var b [xsaveSize]byte
	read := func(from, to uint64) {
		c.Port.Check(a+from, to-from, mem.Read)
		for i := from; i < to; i += 8 {
			binary.LittleEndian.PutUint64(b[i:], c.Port.Load64(a+i))
		}
	}
	read(xsaveHeader, ymmOffset)
	held, compact, err := xheader(&b)
	if err != nil {
		c.raise(GP, 0)
	}
	held &= rfbm
	xParts(held, compact && held&compSSE != 0 || !compact && rfbm&(compSSE|compAVX) != 0, read)
	if xLoad(&b, rfbm, &c.FPU, &c.V, &c.MXCSR, in.width == 8) != nil {
		c.raise(GP, 0)
	}
}

// xgetbv reads XCR0, or with 1 in ECX those of its components that are in use.
func xgetbv(c *CPU, _ *Inst) {
	v := uint64(xcr0)
	switch uint32(c.R[RCX]) {
	case 0:
	case 1:
		v &= xinuse(&c.FPU, &c.V)
	default:
		c.raise(GP, 0)
	}
	c.R[RAX], c.R[RDX] = v, 0
}

// XSave returns the area that XSAVE64 of all components writes into zeros.
func (s *State) XSave() (b [XSaveSize]byte) {
	xImage(&b, &s.FPU, &s.V, s.MXCSR, true)
	binary.LittleEndian.PutUint64(b[xsaveHeader:], xinuse(&s.FPU, &s.V))
	return b
}

// XRestore loads components from an area as XRSTOR64 does; those that the area
// does not hold are initialized. It changes nothing and returns an error where the
// instruction would fault.
func (s *State) XRestore(b *[XSaveSize]byte, components uint64) error {
	return xLoad(b, components&xcr0, &s.FPU, &s.V, &s.MXCSR, true)
}

// XInit puts components into their initial state. MXCSR belongs to SSE.
func (s *State) XInit(components uint64) {
	xLoadRegisters(new([xsaveSize]byte), components, 0, &s.FPU, &s.V, true)
	if components&compSSE != 0 {
		s.MXCSR = initialMXCSR
	}
}
