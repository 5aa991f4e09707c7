package x86

import (
	"encoding/binary"
	"math/rand/v2"
	"slices"
	"strings"
)

// hwCase is one instruction with the state to run it in. It is generated from
// the row alone, for an instruction at slot and operands around scratch.
type hwCase struct {
	r       *rand.Rand
	form    *form
	slot    uint64
	scratch uint64
	size    uint64 // bytes of scratch

	code    []byte
	gpr     [16]uint64
	flags   uint64
	xmm     [16][2]uint64
	high    [16][2]uint64 // upper halves of the YMM registers
	mxcsr   uint32
	fpu     X87
	operand uint64     // address of the memory operand, 0 when there is none
	memory  []byte     // content from operand (rounded down to 16) on
	fixed   [16]uint64 // registers whose values the address depends on: mask in used
	used    uint16
	vex     hwOperands
	fs, gs  uint64 // segment bases
}

// newHWCase draws a case; ok is false when the draw cannot be run safely.
func newHWCase(r *rand.Rand, f *form, slot, scratch, size uint64) (c *hwCase, ok bool) {
	c = &hwCase{r: r, form: f, slot: slot, scratch: scratch, size: size}
	for i := range c.gpr {
		c.gpr[i] = hwEdge(r)
	}
	c.flags = 2 | r.Uint64()&StatusFlags
	if r.IntN(16) == 0 {
		c.flags |= AC
	}
	kind := r.IntN(4)
	for i := range c.xmm {
		c.xmm[i] = [2]uint64{hwLanes(r, kind), hwLanes(r, kind)}
		c.high[i] = [2]uint64{hwLanes(r, kind), hwLanes(r, kind)}
	}
	c.memory = make([]byte, 64)
	if hwEnvironment[f.row.Name] {
		c.memory = make([]byte, 528)
	}
	if hwExtended[f.row.Name] {
		c.memory = make([]byte, 64+xsaveSize)
	}
	for i := 0; i < len(c.memory); i += 8 {
		binary.LittleEndian.PutUint64(c.memory[i:], hwLanes(r, kind))
	}
	c.mxcsr = hwMXCSR(r)
	c.drawFPU()
	c.encode()
	return c, c.adapt()
}

func hwMXCSR(r *rand.Rand) uint32 {
	switch r.IntN(4) {
	case 0:
		return 0x1F80
	case 1:
		return 0x1FA0
	case 2:
		return r.Uint32()&0xFFFF | 0x1F80
	}
	return r.Uint32() & 0xFFFF
}

func hwEdge(r *rand.Rand) uint64 {
	switch r.IntN(6) {
	case 0:
		return r.Uint64N(256) - 128
	case 1:
		v := uint64(1) << r.IntN(64)
		return v - r.Uint64N(3)
	case 2:
		return uint64(int64(int32(r.Uint32())))
	case 3:
		edges := [...]uint64{0, 1, ^uint64(0), 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000,
			0xFFFF, 1<<31 - 1, 1 << 31, 1<<32 - 1, 1 << 32, 1<<63 - 1, 1 << 63}
		return edges[r.IntN(len(edges))]
	}
	return r.Uint64()
}

// hwLanes draws a quadword of a vector: integers, singles or doubles.
func hwLanes(r *rand.Rand, kind int) uint64 {
	switch kind {
	case 0:
		return hwFloat(r, &double)
	case 1:
		return hwFloat(r, &single) | hwFloat(r, &single)<<32
	case 2:
		return r.Uint64()
	}
	return hwEdge(r)&0xFFFFFFFF | hwEdge(r)<<32
}

// hwFloat draws a number of a format with all classes about equally likely.
func hwFloat(r *rand.Rand, f *format) uint64 {
	sign := f.zero(r.Uint64N(2))
	frac := r.Uint64() & (1<<f.frac - 1)
	if r.IntN(3) == 0 {
		frac = frac >> r.Uint64N(uint64(f.frac)) << r.Uint64N(uint64(f.frac)) & (1<<f.frac - 1)
	}
	exp := uint64(f.bias) - 40 + r.Uint64N(80)
	switch r.IntN(11) {
	case 0:
		return sign
	case 1: // denormal
		exp = 0
	case 2:
		exp = uint64(f.emax)
		if r.IntN(2) == 0 {
			frac = 0
		}
	case 3: // small and large numbers
		exp = 1 + r.Uint64N(uint64(f.frac)+4)
	case 4:
		exp = uint64(f.emax) - 1 - r.Uint64N(4)
	case 5: // an integer or half of one
		exp, frac = uint64(f.bias)-1+r.Uint64N(10), r.Uint64()<<(f.frac-6)&(1<<f.frac-1)
	case 6:
		exp = 1 + r.Uint64N(uint64(f.emax)-1)
	case 7: // around the products that underflow
		exp = uint64(f.bias)/2 - 16 + r.Uint64N(32)
	case 8: // one, the smallest normal number, and that of single precision, within a few last places
		least := [...]uint64{1, uint64(f.bias), uint64(f.bias) - 126}[r.IntN(3)]
		return sign | (least<<f.frac + r.Uint64N(5) - 2)
	}
	return sign | exp<<f.frac | frac
}

func hwF80(r *rand.Rand) F80 {
	f := F80{Mant: 1<<63 | r.Uint64(), SE: uint16(16383 - 70 + r.IntN(140) | r.IntN(2)<<15)}
	switch r.IntN(12) {
	case 0:
		f.Mant, f.SE = 0, f.SE&0x8000
	case 1:
		f.Mant, f.SE = f.Mant>>r.IntN(64), f.SE&0x8000 // denormal, pseudo-denormal
	case 2:
		f.Mant, f.SE = 1<<63, f.SE|0x7FFF
	case 3:
		f.SE |= 0x7FFF
	case 4:
		f.Mant &= 1<<63 - 1 // unsupported
	case 5:
		f.SE = uint16(r.Uint32())
	case 6:
		f.Mant = f.Mant >> (40 + r.IntN(23)) << 60
		f.Mant |= 1 << 63
	}
	return f
}

func (c *hwCase) drawFPU() {
	r := c.r
	for i := range c.fpu.Reg {
		c.fpu.Reg[i] = hwF80(r)
	}
	c.fpu.CW = 0x37F
	c.fpu.SW = uint16(r.Uint32()) & 0x7F00 &^ 0x8000
	c.fpu.Tag = 0xFF
	switch r.IntN(4) {
	case 0:
		c.fpu.CW = 0x37F&^0xF00 | uint16(r.Uint32())&0xF00
		c.fpu.SW |= uint16(r.Uint32()) & 0x3F
	case 1:
		c.fpu.Tag = uint8(r.Uint32())
	case 2: // some exceptions unmasked; ES and B follow from the pending ones
		c.fpu.CW = 0x340&^0xF00 | uint16(r.Uint32())&0xF3F
		c.fpu.SW |= uint16(r.Uint32()) & 0x3F
		if r.IntN(2) == 0 {
			c.fpu.SW &= c.fpu.CW | ^uint16(0x3F)
		}
		if c.fpu.SW&^c.fpu.CW&0x3F != 0 {
			c.fpu.SW |= 0x8080
		}
	}
	if c.fpu.SW&0x8080 == 0 {
		c.fpu.SW &= 0x7FFF
	}
}

// encode draws the bytes of the instruction and the registers its address needs.
func (c *hwCase) encode() {
	r, e := c.r, c.form.enc
	if e.vex {
		c.encodeVEX()
		return
	}
	var rex byte
	if e.rexW == 1 || e.rexW < 0 && r.IntN(3) == 0 {
		rex |= 0x48
	}
	if r.IntN(8) == 0 {
		rex |= 0x40
	}
	if r.IntN(16) == 0 {
		c.code = append(c.code, 0x67)
	}
	memory := e.modrm && (e.mod == 0 || e.mod < 0 && r.IntN(2) == 0)
	control := strings.Contains(c.form.row.Args, "Cd") // LOCK MOV CR0 is AMD's MOV CR8
	if c.form.lock && memory && r.IntN(4) == 0 || r.IntN(200) == 0 && !control {
		c.code = append(c.code, 0xF0)
	}
	switch {
	case e.class == class66, e.class < 0 && r.IntN(4) == 0:
		c.code = append(c.code, 0x66)
	case e.class == classF3:
		c.code = append(c.code, 0xF3)
	case e.class == classF2:
		if c.form.row.Name == "CRC32" && r.IntN(4) == 0 {
			c.code = append(c.code, 0x66)
		}
		c.code = append(c.code, 0xF2)
	case e.class < 0 && stringOp(c.form.row.Name):
		c.code = append(c.code, [...][]byte{{}, {0xF3}, {0xF2}}[r.IntN(3)]...)
	}
	opcode := [...][]byte{{}, {0x0F}, {0x0F, 0x38}, {0x0F, 0x3A}}[e.opmap]
	op := e.opcode
	var tail []byte
	switch {
	case e.plusR:
		n := byte(r.IntN(16))
		op |= n & 7
		rex |= n >> 3
	case e.exact >= 0:
		tail = []byte{byte(e.exact + r.IntN(max(e.exactN, 1)))}
	case e.modrm:
		reg := byte(r.IntN(16))
		if e.digit >= 0 {
			reg = byte(e.digit)
		}
		rex |= reg >> 3 << 2
		if memory {
			tail = c.memoryOperand(reg&7<<3, &rex)
		} else {
			rm := byte(r.IntN(16))
			rex |= rm >> 3
			tail = []byte{0xC0 | reg&7<<3 | rm&7}
		}
	}
	if rex != 0 {
		c.code = append(c.code, rex|0x40)
	}
	c.code = append(append(c.code, opcode...), op)
	at := len(c.code)
	c.code = append(append(c.code, tail...), c.immediate(rex)...)
	if memory && tail[0]&0xC7 == 5 {
		binary.LittleEndian.PutUint32(c.code[at+1:], uint32(c.operand-c.slot-uint64(len(c.code))))
	}
}

func (c *hwCase) immediate(rex byte) []byte {
	v := binary.LittleEndian.AppendUint64(nil, hwEdge(c.r))
	opsize := slices.Contains(c.code, 0x66)
	switch c.form.imm {
	case immIb, immCb, immIs4:
		return v[:1]
	case immIw:
		return v[:2]
	case immIwIb:
		return v[:3]
	case immId, immCd:
		return v[:4]
	case immIz:
		if opsize && rex&8 == 0 {
			return v[:2]
		}
		return v[:4]
	case immIv:
		switch {
		case rex&8 != 0:
			return v
		case opsize:
			return v[:2]
		}
		return v[:4]
	case immIo:
		return v
	case immMo:
		binary.LittleEndian.PutUint64(v, c.target())
		if slices.Contains(c.code, 0x67) {
			return v[:4]
		}
		return v
	}
	return nil
}

// target draws the address of the memory operand: mostly aligned, sometimes
// across a line or page, seldom into the guard pages.
func (c *hwCase) target() uint64 {
	r := c.r
	a := 512 + r.Uint64N(c.size-1536)
	switch r.IntN(8) {
	case 0, 1:
	case 2:
		a = 4096 - r.Uint64N(20)
	default:
		a &^= 15
	}
	if hwExtended[c.form.row.Name] && r.IntN(8) != 0 {
		a &^= 63
	}
	if r.IntN(40) == 0 || c.masked() && r.IntN(2) == 0 {
		a = c.size - r.Uint64N(18)
	}
	c.operand = c.scratch + a
	return c.operand
}

// memoryOperand returns ModRM, SIB and displacement of an operand in scratch
// memory and sets the registers of its address.
func (c *hwCase) memoryOperand(reg byte, rex *byte) []byte {
	r, t := c.r, c.target()
	mod := byte(r.IntN(3))
	var disp uint64
	switch mod {
	case 1:
		disp = uint64(int8(r.Uint32()))
	case 2:
		disp = uint64(int32(r.Uint32()))
	}
	dispBytes := binary.LittleEndian.AppendUint64(nil, disp)[:[...]int{0, 1, 4}[mod]]
	base := byte(r.IntN(16))
	shape := r.IntN(8)
	switch {
	case shape == 0: // RIP-relative; encode fills in the displacement
		return []byte{reg | 5, 0, 0, 0, 0}
	case shape == 1: // absolute
		return binary.LittleEndian.AppendUint32([]byte{reg | 4, 0x25}, uint32(t))
	case shape < 5:
		index, scale := byte(r.IntN(16)), byte(r.IntN(4))
		if index != RSP && index != base {
			if r.IntN(2) == 0 {
				c.set(index, r.Uint64N(64))
			} else {
				c.set(index, c.gpr[index])
			}
			*rex |= index >> 3 << 1
			*rex |= base >> 3
			if mod == 0 && base&7 == 5 {
				mod, dispBytes = 1, []byte{0}
			}
			c.set(base, t-c.gpr[index]<<scale-disp)
			return append([]byte{mod<<6 | reg | 4, scale<<6 | index&7<<3 | base&7}, dispBytes...)
		}
	}
	*rex |= base >> 3
	if mod == 0 && base&7 == 5 {
		mod, dispBytes = 1, []byte{0}
	}
	c.set(base, t-disp)
	if base&7 == 4 {
		return append([]byte{mod<<6 | reg | 4, 0x24}, dispBytes...)
	}
	return append([]byte{mod<<6 | reg | base&7}, dispBytes...)
}

// set gives a register that the address depends on its value.
func (c *hwCase) set(reg byte, v uint64) {
	c.gpr[reg], c.fixed[reg] = v, v
	c.used |= 1 << reg
}

func stringOp(name string) bool {
	if len(name) < 4 {
		return false
	}
	switch name[:4] {
	case "MOVS", "CMPS", "STOS", "LODS", "SCAS":
		return len(name) == 4 || len(name) == 5 && strings.ContainsAny(name[4:], "BWDQ")
	}
	return false
}

// adapt gives the implicit operands of some instructions values that keep their
// accesses inside scratch memory; false when the address registers forbid that.
func (c *hwCase) adapt() bool {
	r, name, feature := c.r, c.form.row.Name, c.form.row.Feature
	if c.form.enc.vex {
		name = strings.TrimPrefix(name, "V")
	}
	middle := func() uint64 { return c.scratch + 2048 + r.Uint64N(4096) }
	implicit := func(reg int, v uint64) {
		c.gpr[reg] = v
	}
	switch {
	case stringOp(name) && feature == "":
		implicit(RSI, middle())
		implicit(RDI, middle())
		implicit(RCX, r.Uint64N(40))
		c.flags |= r.Uint64() & DF
		c.operand = c.gpr[RSI]
	case name == "XLAT" || name == "XLATB":
		implicit(RBX, middle())
	case name == "MASKMOVDQU" || name == "MASKMOVQ":
		implicit(RDI, middle())
		if name == "MASKMOVQ" {
			c.flags &^= AC // AMD's processors are in MMX mode when it faults
		}
	case strings.HasPrefix(name, "PUSH"), strings.HasPrefix(name, "POP") && name != "POPCNT",
		name == "LEAVE", name == "ENTER":
		implicit(RSP, middle())
		implicit(RBP, middle())
		if name == "ENTER" { // Intel's processors probe the new top of the stack, AMD's do not
			c.code[len(c.code)-2] &= 3
		}
	case name == "MOVSXD" && slices.Contains(c.code, 0x66):
		// With a 16-bit operand Intel's processors read two bytes, AMD's four.
		c.flags &^= AC
		return c.operand <= c.scratch+c.size-4
	case feature == "SHA":
		// Intel's manual demands alignment, AMD's processors do not.
		return c.operand%16 == 0
	case name == "RETF" || name == "IRET" || name == "CALLF" || name == "JMPF" || name == "LSS":
		return c.far() && c.addressKept()
	case name == "LAR" || name == "LSL" || name == "VERR" || name == "VERW":
		if name == "VERW" && slices.Contains(c.code, 0xF0) {
			return false // the manual forbids LOCK, AMD's processors allow it
		}
		c.selectors()
	case name == "SGDT" || name == "SIDT" || name == "SLDT" || name == "STR" || name == "SMSW":
		// Linux, which stores for the processor, copies as far as it can before a fault.
		return c.operand <= c.scratch+c.size-10
	case hwExtended[name]:
		c.extended()
	case name == "LDMXCSR":
		c.validMXCSR(c.operand & 15)
	case strings.HasPrefix(name, "FXRSTOR"):
		c.validMXCSR(c.operand&15 + 24)
	case strings.HasPrefix(name, "PCMPESTR"), strings.HasPrefix(name, "PCMPISTR"):
		c.strings()
	case name == "PTEST" && r.IntN(2) == 0:
		for i := range c.xmm {
			c.xmm[i] = [2]uint64{-r.Uint64N(2), -r.Uint64N(2)}
			c.high[i] = [2]uint64{-r.Uint64N(2), -r.Uint64N(2)}
		}
		clear(c.memory)
	case feature == "FMA":
		c.cancel()
	case name == "DIV" || name == "IDIV":
		if r.IntN(2) == 0 {
			implicit(RDX, r.Uint64N(3)-1)
		}
	case strings.HasPrefix(name, "BT") && c.operand != 0 && c.form.imm == immNone:
		// The offset in a register moves the address; see that it stays inside.
		i := slices.Index(c.code, 0x0F) + 2
		reg := c.code[i]>>3&7 | c.rexByte()<<1&8
		if c.used>>reg&1 != 0 {
			return false
		}
		off := r.Uint64N(4096) - 2048
		c.gpr[reg] = c.gpr[reg]&^0xFFFF | off&0xFFFF
		if off>>63 != 0 {
			c.gpr[reg] |= 0xFFFFFFFFFFFF0000
		} else {
			c.gpr[reg] &= 0xFFFF
		}
	}
	return c.addressKept()
}

// addressKept reports whether the registers of the address still have the values it needs.
func (c *hwCase) addressKept() bool {
	for reg := range c.fixed {
		if c.used>>reg&1 != 0 && c.gpr[reg] != c.fixed[reg] {
			return false
		}
	}
	return true
}

// hwSelectors are Linux's, but for that of 32-bit code, and some that are refused.
var hwSelectors = [...]uint16{userCS, userCS, userCS, userDS, 0, 3, 0x30, 0x28, 0x37, 0x10, 0x1B, 0x63, 0x83, 0xFFFF}

// far gives a far transfer a pointer or a stack that leads to the end of the
// instruction. Far pointers with REX.W have 64-bit offsets on Intel's processors only.
func (c *hwCase) far() bool {
	r, name := c.r, c.form.row.Name
	wide := c.rexByte()&8 != 0
	if slices.Contains(c.code, 0x66) || wide && c.operand != 0 {
		return false
	}
	end, code, stack := c.slot+uint64(len(c.code)), uint64(hwSelectors[r.IntN(len(hwSelectors))]), uint64(userDS)
	if name == "LSS" && r.IntN(2) == 0 {
		code = userDS
	}
	if r.IntN(4) == 0 {
		stack = uint64(hwSelectors[r.IntN(len(hwSelectors))])
	}
	if c.form.imm == immIw {
		c.code[len(c.code)-1] = 0 // AMD's processors look at an outer stack before they refuse a selector
		c.flags &^= AC
	}
	if name == "CALLF" {
		c.gpr[RSP] = c.scratch + 2048 + r.Uint64N(4096)
	}
	if c.operand != 0 {
		at := c.memory[c.operand&15:]
		binary.LittleEndian.PutUint32(at, uint32(end))
		binary.LittleEndian.PutUint16(at[4:], uint16(code))
		return true
	}
	c.operand = c.scratch + 2048 + r.Uint64N(256)*16
	c.gpr[RSP] = c.operand
	for i, v := range []uint64{end, code, r.Uint64()&(StatusFlags|DF) | 2, r.Uint64(), stack} {
		if wide {
			binary.LittleEndian.PutUint64(c.memory[8*i:], v)
		} else {
			binary.LittleEndian.PutUint32(c.memory[4*i:], uint32(v))
		}
	}
	return true
}

// extended draws the requested components and an XSAVE area whose header is
// mostly valid. Components that the host has beyond the model's are not named. No
// state is initial: the host takes what was written for in use whatever it holds.
func (c *hwCase) extended() {
	r := c.r
	some := func() uint64 { return r.Uint64N(8) }
	c.gpr[RAX], c.gpr[RDX] = some()|r.Uint64()<<32, r.Uint64()<<32
	if r.IntN(3) == 0 {
		c.gpr[RAX] |= 7
	}
	if r.IntN(3) == 0 {
		c.mxcsr = initialMXCSR
	}
	c.validMXCSR(c.operand&15 + 24)
	header := c.memory[c.operand&15+xsaveHeader:]
	clear(header[:64])
	held, layout := some(), uint64(0)
	if r.IntN(3) == 0 {
		if layout = 1<<63 | some(); r.IntN(4) != 0 {
			layout |= held
		}
	}
	switch r.IntN(20) {
	case 0:
		held |= 1 << 62
	case 1:
		layout |= 1 << 40
	case 2:
		header[16+r.IntN(48)] = 1
	}
	binary.LittleEndian.PutUint64(header, held)
	binary.LittleEndian.PutUint64(header[8:], layout)
}

// selectors makes operands that are read as selectors name segments. The limit
// of the segment for the processor's number is the host's own affair.
func (c *hwCase) selectors() {
	draw := func() uint64 {
		s := uint64(hwSelectors[c.r.IntN(len(hwSelectors))])
		switch c.r.IntN(6) {
		case 0:
			s = user32
		case 1:
			if c.form.row.Name != "LSL" {
				s = cpuNode
			}
		}
		return s | c.r.Uint64()<<16
	}
	for reg := range c.gpr {
		if c.used>>reg&1 == 0 {
			c.gpr[reg] = draw()
		}
	}
	for i := 0; i+2 <= len(c.memory); i += 2 {
		binary.LittleEndian.PutUint16(c.memory[i:], uint16(draw()))
	}
}

// strings makes the operands of the string comparisons texts of a small alphabet,
// so that they match, and lengths that are mostly shorter than a register.
func (c *hwCase) strings() {
	letters := [...]byte{0, 1, 2, 3, 0x7F, 0x80, 0xFE, 0xFF}
	first := min(c.r.IntN(4), 1)
	letter := func() uint64 {
		if c.r.IntN(20) == 0 {
			return uint64(letters[c.r.IntN(len(letters))])
		}
		return uint64(letters[first+c.r.IntN(3)])
	}
	word := func() (v uint64) {
		for range 8 {
			v = v<<8 | letter()
		}
		if c.r.IntN(3) == 0 { // words of one byte
			v &= 0x00FF00FF00FF00FF
		}
		return v
	}
	for i := range c.xmm {
		c.xmm[i] = [2]uint64{word(), word()}
	}
	for i := 0; i < len(c.memory); i += 8 {
		binary.LittleEndian.PutUint64(c.memory[i:], word())
	}
	for _, reg := range []int{RAX, RDX} {
		if c.r.IntN(4) != 0 {
			c.gpr[reg] = c.r.Uint64N(40) - 20
		}
	}
}

// validMXCSR makes half of the images of MXCSR at off valid. Bit 17 is
// implemented on AMD's processors.
func (c *hwCase) validMXCSR(off uint64) {
	reserved := uint32(1 << 17)
	if c.r.IntN(2) == 0 {
		reserved = 0xFFFF0000
	}
	image := c.memory[off:]
	binary.LittleEndian.PutUint32(image, binary.LittleEndian.Uint32(image)&^reserved)
}

// rexByte returns the REX prefix, 0 when there is none.
func (c *hwCase) rexByte() byte {
	for _, b := range c.code {
		switch {
		case b&0xF0 == 0x40:
			return b
		case b == 0x66 || b == 0x67 || b == 0xF0 || b == 0xF2 || b == 0xF3:
			continue
		}
		break
	}
	return 0
}
