package x86

import "encoding/binary"

// maxLength is the longest instruction in bytes; a longer one is #GP.
const maxLength = 15

// decodeStatus is the outcome of decoding one instruction.
type decodeStatus uint8

const (
	decoded       decodeStatus = iota
	decodeShort                // the bytes end before the instruction does
	decodeLong                 // more than 15 bytes: #GP
	decodeUD                   // #UD: an encoding that no feature in CPUID defines
	decodeUnknown              // a row that is not modelled: Unsupported
)

// decode reads the instruction at rip from code as a processor of the level does
// and chooses its handler. Bytes beyond the first 15 are ignored. in must be zero.
func (l Level) decode(code []byte, rip uint64, in *Inst) decodeStatus {
	if st := l.decodeFields(code, rip, in); st != decoded {
		return st
	}
	pick := forms[in.row].pick
	if pick == nil {
		return decodeUnknown
	}
	if in.fn = pick(in); in.fn == nil {
		return decodeUD
	}
	return decoded
}

// decodeFields fills in all of in but its handler.
func (l Level) decodeFields(code []byte, rip uint64, in *Inst) decodeStatus {
	if len(code) > maxLength {
		code = code[:maxLength]
	}
	short := decodeShort
	if len(code) == maxLength {
		short = decodeLong
	}
	in.base, in.index = RZero, RZero
	var rex, pre byte
	class, pos := classNP, 0
	var b byte
prefixes:
	for ; ; pos++ {
		if pos >= len(code) {
			return short
		}
		b = code[pos]
		switch {
		case b&0xF0 == 0x40:
			rex = b
			continue
		case b == 0x66:
			pre |= prefixOpsize
		case b == 0xF2:
			pre = pre&^prefixRep | prefixRepne
		case b == 0xF3:
			pre = pre&^prefixRepne | prefixRep
		case b == 0x67:
			pre |= prefixAddr32
		case b == 0xF0:
			pre |= prefixLock
		case b == 0x64:
			in.seg = SegFS
		case b == 0x65:
			in.seg = SegGS
		case b == 0x2E, b == 0x36, b == 0x3E, b == 0x26:
			// CS, SS, DS and ES have base zero and, unlike in 32-bit mode, do not undo FS or GS.
		default:
			break prefixes
		}
		rex = 0 // a REX that is not the last prefix is ignored
	}
	pos++
	if rex != 0 {
		pre |= prefixREX
	}
	switch {
	case pre&prefixRep != 0:
		class = classF3
	case pre&prefixRepne != 0:
		class = classF2
	case pre&prefixOpsize != 0:
		class = class66
	}

	opmap, refused := 0, false
	switch {
	case b&0xFE == 0xC4:
		if payload := int(0xC5-b) + 1; pre&prefixREX != 0 && len(code)-pos >= payload {
			return decodeUD // before the rest is read, unlike with other prefixes
		}
		refused = pre&(prefixREX|prefixOpsize|prefixRep|prefixRepne|prefixLock) != 0
		v, n := decodeVEX(code[pos:], b)
		if n < 0 {
			return short
		}
		pos += n
		opmap, rex, class, in.vvvv, in.long, b = v.table, v.rex, v.class, v.vvvv, v.long, v.opcode
		if opmap < 0 {
			return decodeUD
		}
	case b == 0x0F:
		if pos >= len(code) {
			return short
		}
		opmap = 1
		b = code[pos]
		pos++
		if b == 0x38 || b == 0x3A {
			if pos >= len(code) {
				return short
			}
			opmap = 2 + int(b>>1&1)
			b = code[pos]
			pos++
		}
	}
	o := maps[l][opmap][b]
	if o == nil {
		if opmap == 0 && cutOff(code[pos:], b, pre) {
			return short
		}
		return decodeUD
	}

	var num uint16
	ripRelative := false
	vindex := noVIndex
	if !o.modrm {
		num = o.cells[cell(class, rex>>3&1, 0, 0)]
	} else {
		if pos >= len(code) {
			return short
		}
		m := code[pos]
		pos++
		if opmap == 1 && b&^3 == 0x20 {
			m |= 0xC0 // moves from and to control and debug registers ignore mod
		}
		in.reg = m>>3&7 | rex<<1&8
		if m >= 0xC0 {
			pre |= prefixRegForm
			in.rm = m&7 | rex<<3&8
			if o.exact != nil {
				num = o.exact[class][m]
			}
			if num == 0 {
				num = o.cells[cell(class, rex>>3&1, 1, m>>3&7)]
			}
		} else {
			num = o.cells[cell(class, rex>>3&1, 0, m>>3&7)]
			n := decodeMemory(code[pos:], m, rex, in)
			if n < 0 {
				return short
			}
			if m&7 == 4 {
				vindex = code[pos]>>3&7 | rex<<2&8
			}
			pos += n
			ripRelative = m&0xC7 == 5
		}
	}
	if num == 0 {
		if opmap == 0 && b&^1 == 0xC6 && len(code)-pos < movImmediate(b, rex, pre) {
			return short // the whole group has MOV's immediate
		}
		return decodeUD
	}
	f := &forms[num-1]
	in.row = num - 1
	in.cc = b & 15
	if f.regInOp {
		in.rm = b&7 | rex<<3&8
		pre |= prefixRegForm
	}
	in.width = f.width(rex, pre)
	n := f.immediate(code[pos:], in, pre)
	if n < 0 {
		return short
	}
	pos += n
	in.length = uint8(pos)
	in.next = rip + uint64(pos)
	if ripRelative {
		in.disp += in.next
	}
	if f.imm == immCb || f.imm == immCd {
		in.imm += in.next
	}
	in.prefix = pre
	if f.enc.vsib {
		if in.index = vindex; vindex == noVIndex {
			return decodeUD
		}
	}
	if refused || in.vvvv != 0 && !f.vvvv {
		return decodeUD
	}
	if pre&prefixLock != 0 && (!f.lock || pre&prefixRegForm != 0) {
		return decodeUD
	}
	return decoded
}

// noVIndex says that there is no SIB byte, and so no vector of indices.
const noVIndex = uint8(0xFF)

// vexPrefix is a decoded VEX prefix with the opcode behind it.
type vexPrefix struct {
	table  int   // in maps, -1 for an opcode map that does not exist
	rex    byte  // W, R, X and B as in a REX prefix
	vvvv   uint8 // not inverted: an unused field is 0
	long   uint8
	class  int
	opcode byte
}

// decodeVEX reads what follows first, C4 or C5, and returns the length, -1 when
// the bytes end.
func decodeVEX(code []byte, first byte) (v vexPrefix, n int) {
	n = int(0xC5-first) + 1 // bytes of the prefix after the first
	if len(code) < n+1 {
		return v, -1
	}
	opmap, last := byte(1), code[n-1]
	v.rex = ^code[0] >> 5 & 4
	if n == 2 {
		opmap = code[0] & 0x1F
		v.rex = ^code[0]>>5&7 | last>>4&8
	}
	v.vvvv, v.class, v.opcode = ^last>>3&15, int(last&3), code[n]
	v.long = last >> 2 & 1
	v.table = vexTable(int(opmap), int(v.long))
	if opmap < 1 || opmap > 3 {
		v.table = -1
	}
	return v, n + 1
}

// movImmediate is the length of the immediate of C6 and C7.
func movImmediate(b, rex, pre byte) int {
	switch {
	case b == 0xC6:
		return 1
	case pre&prefixOpsize != 0 && rex&8 == 0:
		return 2
	}
	return 4
}

// cutOff reports whether code ends before the operands that opcode b has outside
// 64-bit mode: the processor reads them before it raises #UD.
func cutOff(code []byte, b, pre byte) bool {
	n := 0
	switch b {
	case 0x9A, 0xEA: // a far pointer
		n = 6
		if pre&prefixOpsize != 0 {
			n = 4
		}
	case 0xD4, 0xD5:
		n = 1
	case 0x82: // as 80
		if len(code) == 0 {
			return true
		}
		n = 2
		if code[0] < 0xC0 {
			m := decodeMemory(code[1:], code[0], 0, &Inst{})
			if m < 0 {
				return true
			}
			n += m
		}
	}
	return len(code) < n
}

// decodeMemory reads SIB and displacement after a ModRM byte m with mod != 3 and
// returns their length, or -1 when the bytes end.
func decodeMemory(code []byte, m, rex byte, in *Inst) int {
	pos, mod := 0, m>>6
	if m&7 == 4 {
		if len(code) == 0 {
			return -1
		}
		sib := code[0]
		pos = 1
		in.scale = sib >> 6
		if x := sib>>3&7 | rex<<2&8; x != 4 {
			in.index = x
		}
		in.base = sib&7 | rex<<3&8
		if mod == 0 && sib&7 == 5 {
			in.base, mod = RZero, 2
		}
	} else if mod == 0 && m&7 == 5 {
		in.base, mod = RZero, 2
	} else {
		in.base = m&7 | rex<<3&8
	}
	switch mod {
	case 1:
		if len(code) < pos+1 {
			return -1
		}
		in.disp = uint64(int8(code[pos]))
		pos++
	case 2:
		if len(code) < pos+4 {
			return -1
		}
		in.disp = uint64(int32(binary.LittleEndian.Uint32(code[pos:])))
		pos += 4
	}
	return pos
}

// width returns the operand size in bytes.
func (f *form) width(rex, pre byte) uint8 {
	switch f.size {
	case sizeB:
		return 1
	case sizeF:
		return 8
	case size64:
		if pre&prefixOpsize != 0 && rex&8 == 0 {
			return 2
		}
		return 8
	}
	switch {
	case rex&8 != 0:
		return 8
	case f.size == sizeV && pre&prefixOpsize != 0:
		return 2
	}
	return 4
}

// immediate reads what follows ModRM, SIB and displacement and returns its
// length, or -1 when the bytes end.
func (f *form) immediate(code []byte, in *Inst, pre byte) int {
	n := 0
	switch f.imm {
	case immNone:
		return 0
	case immIb, immCb, immIs4:
		n = 1
	case immIw:
		n = 2
	case immIwIb:
		n = 3
	case immId, immCd:
		n = 4
	case immIz:
		n = int(min(in.width, 4))
	case immIv:
		n = int(in.width)
	case immIo:
		n = 8
	case immMo:
		n = 8
		if pre&prefixAddr32 != 0 {
			n = 4
		}
	}
	if len(code) < n {
		return -1
	}
	var v uint64
	switch n {
	case 1:
		v = uint64(int8(code[0]))
	case 2:
		v = uint64(int16(binary.LittleEndian.Uint16(code)))
	case 3:
		v, in.disp = uint64(binary.LittleEndian.Uint16(code)), uint64(code[2])
	case 4:
		v = uint64(int32(binary.LittleEndian.Uint32(code)))
	case 8:
		v = binary.LittleEndian.Uint64(code)
	}
	switch f.imm {
	case immIw:
		v = uint64(uint16(v))
	case immMo:
		if n == 4 {
			v = uint64(uint32(v))
		}
		in.disp, in.base, in.index = v, RZero, RZero
		return n
	}
	in.imm = v
	return n
}
