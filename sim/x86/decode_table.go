package x86

import (
	"fmt"
	"strconv"
	"strings"
)

// immKind is the immediate, displacement or offset that follows ModRM.
type immKind uint8

const (
	immNone immKind = iota
	immIb           // 8 bits, sign-extended
	immIw           // 16 bits, zero-extended
	immIwIb         // ENTER: 16 bits into imm, 8 bits into disp
	immId           // 32 bits, sign-extended
	immIz           // 16 or 32 bits by operand size, sign-extended
	immIv           // 16, 32 or 64 bits by operand size
	immIo           // 64 bits
	immCb           // relative branch, 8 bits
	immCd           // relative branch, 32 bits
	immMo           // absolute address as wide as the address size, into disp
	immIs4          // a register number in the upper four bits of a byte
)

var immKinds = map[string]immKind{"ib": immIb, "iw": immIw, "id": immId, "iz": immIz,
	"iv": immIv, "io": immIo, "cb": immCb, "cd": immCd, "mo": immMo, "/is4": immIs4}

// sizeKind says how Inst.width follows from the prefixes.
type sizeKind uint8

const (
	sizeV  sizeKind = iota // 2 with 66, 8 with REX.W, else 4
	sizeB                  // 1
	sizeY                  // 8 with REX.W, else 4
	size64                 // 2 with 66, else 8
	sizeF                  // 8
)

// Mandatory prefix classes.
const (
	classNP = iota // in the order of VEX.pp
	class66
	classF3
	classF2
	classes
)

// form is what the decoder needs of a Row.
type form struct {
	row      *Row
	pick     func(in *Inst) handler
	imm      immKind
	size     sizeKind
	modrm    bool
	regInOp  bool // +r
	vvvv     bool // VEX.vvvv names an operand
	lock     bool
	ends     bool
	enc      encoding
	specific uint8 // rank among rows that share a cell
}

// encoding is a parsed Row.Enc.
type encoding struct {
	class  int // -1 for any
	rexW   int // -1 for any
	opmap  int
	opcode byte
	digit  int // -1 for /r
	exact  int // second byte, -1 when none
	exactN int // how many second bytes from exact on
	mod    int // 3 for reg, 0 for mem, -1 for both
	modrm  bool
	plusR  bool
	imm    immKind
	vex    bool
	long   int  // VEX.L, -1 for any
	vsib   bool // the SIB byte's index is a vector register
}

// opcode holds the rows that share an opcode byte of a map, by mandatory prefix
// class, REX.W, ModRM.mod==3 and ModRM.reg. Entries are row numbers plus one.
type opcode struct {
	modrm bool
	cells [classes * 2 * 2 * 8]uint16
	exact *[classes][256]uint16
}

func cell(class int, rexW, mod3, digit uint8) int {
	return class<<5 | int(rexW)<<4 | int(mod3)<<3 | int(digit)
}

var (
	forms []form             // parallel to rows
	maps  [levels]opcodeMaps // by processor level
)

// opcodeMaps are the one-byte map, 0F, 0F 38 and 0F 3A, then the maps of VEX with
// L=0 and with L=1, of which the first is not used.
type opcodeMaps [3 * vexTables][256]*opcode

// vexTables is the index of the first of opcodeMaps that belongs to VEX.
const vexTables = 4

func vexTable(opmap, long int) int { return vexTables*(1+long) + opmap }

func init() {
	forms = make([]form, len(rows))
	rank := map[*uint16]uint8{}
	for i := range rows {
		forms[i] = newForm(&rows[i])
		for l := forms[i].level(); l < levels; l++ {
			place(&maps[l], i, rank)
		}
	}
}

func newForm(r *Row) form {
	e := parseEncoding(r.Enc)
	f := form{row: r, pick: r.Pick, imm: e.imm, modrm: e.modrm, regInOp: e.plusR, lock: r.Lock, ends: r.Ends, enc: e}
	for arg := range strings.SplitSeq(r.Args, ",") {
		f.vvvv = f.vvvv || arg[:min(1, len(arg))] == "H" || arg == "By"
	}
	first, _, _ := strings.Cut(r.Args, ",")
	switch {
	case r.Size == "d64":
		f.size = size64
	case r.Size == "f64":
		f.size = sizeF
	case len(first) == 2 && first[1] == 'b' || first == "AL" || first == "DX" && r.Args == "DX,AL":
		f.size = sizeB
	case strings.Contains(r.Args, "Ey") || strings.Contains(r.Args, "Gy") ||
		strings.Contains(r.Args, "My") || strings.Contains(r.Args, "By") || e.class == class66:
		f.size = sizeY
	}
	if e.class >= 0 {
		f.specific += 2
	}
	if e.rexW >= 0 {
		f.specific++
	}
	return f
}

// level is the lowest processor level that has the form.
func (f *form) level() Level { return featureLevel[f.row.Feature] }

// parseVEX reads the first part of an encoding such as VEX.256.66.0F38.W1.
func (e *encoding) parseVEX(s string) (ok bool) {
	e.vex, e.long, e.class, e.opmap = true, -2, classNP, 0
	for part := range strings.SplitSeq(s, ".") {
		switch part {
		case "VEX", "NP", "WIG":
		case "LIG":
			e.long = -1
		case "128", "L0", "LZ":
			e.long = 0
		case "256", "L1":
			e.long = 1
		case "66":
			e.class = class66
		case "F3":
			e.class = classF3
		case "F2":
			e.class = classF2
		case "0F":
			e.opmap = 1
		case "0F38":
			e.opmap = 2
		case "0F3A":
			e.opmap = 3
		case "W0":
			e.rexW = 0
		case "W1":
			e.rexW = 1
		default:
			return false
		}
	}
	return e.opmap != 0 && e.long != -2
}

// parseLegacy reads mandatory prefix, REX.W and map, and returns the rest.
func (e *encoding) parseLegacy(tok []string) []string {
	switch tok[0] {
	case "NP":
		e.class, tok = classNP, tok[1:]
	case "66":
		e.class, tok = class66, tok[1:]
	case "F3":
		e.class, tok = classF3, tok[1:]
	case "F2":
		e.class, tok = classF2, tok[1:]
	}
	switch tok[0] {
	case "REX.W":
		e.rexW, tok = 1, tok[1:]
	case "W0":
		e.rexW, tok = 0, tok[1:]
	}
	switch {
	case tok[0] == "0F" && len(tok) > 2 && tok[1] == "38":
		e.opmap, tok = 2, tok[2:]
	case tok[0] == "0F" && len(tok) > 2 && tok[1] == "3A":
		e.opmap, tok = 3, tok[2:]
	case tok[0] == "0F":
		e.opmap, tok = 1, tok[1:]
	}
	return tok
}

// parseEncoding reads a Row.Enc; a mistake in one is our bug.
func parseEncoding(s string) encoding {
	e := encoding{class: -1, rexW: -1, digit: -1, exact: -1, mod: -1}
	tok := strings.Fields(s)
	bad := func() { panic("BUG: instruction table: cannot parse encoding " + strconv.Quote(s)) }
	if strings.HasPrefix(tok[0], "VEX.") {
		if !e.parseVEX(tok[0]) || len(tok) < 2 {
			bad()
		}
		tok = tok[1:]
	} else {
		tok = e.parseLegacy(tok)
	}
	hexByte := func(t string) (byte, bool) {
		v, err := strconv.ParseUint(t, 16, 8)
		return byte(v), err == nil && len(t) == 2 && t == strings.ToUpper(t)
	}
	op, plus := strings.CutSuffix(tok[0], "+r")
	b, ok := hexByte(op)
	if !ok {
		bad()
	}
	e.opcode, e.plusR = b, plus
	for _, t := range tok[1:] {
		k, isImm := immKinds[t]
		second, plusI := strings.CutSuffix(t, "+i")
		h, isHex := hexByte(second)
		switch {
		case isImm && e.imm == immIw && k == immIb:
			e.imm = immIwIb
		case isImm && e.imm == immNone:
			e.imm = k
		case t == "reg":
			e.mod = 3
		case t == "mem":
			e.mod = 0
		case t == "vsib" && e.vex:
			e.mod, e.vsib = 0, true
		case t == "/r":
			e.modrm = true
		case len(t) == 2 && t[0] == '/' && t[1] >= '0' && t[1] <= '7':
			e.modrm, e.digit = true, int(t[1]-'0')
		case isHex && h >= 0xC0 && e.exact < 0:
			e.modrm, e.exact, e.exactN = true, int(h), 1
			if plusI {
				e.exactN = 8
			}
		default:
			bad()
		}
	}
	return e
}

// place enters row i into every cell of m that it claims. A more specific row
// (mandatory prefix, then REX.W) wins a cell; equals clash.
func place(m *opcodeMaps, i int, rank map[*uint16]uint8) {
	f := &forms[i]
	e := &f.enc
	claim := func(slot *uint16) {
		switch {
		case *slot == 0 || f.specific > rank[slot]:
			*slot, rank[slot] = uint16(i+1), f.specific
		case f.specific == rank[slot]:
			panic(fmt.Sprintf("BUG: instruction table: %q (%s) and %q (%s) clash",
				rows[i].Enc, rows[i].Name, rows[*slot-1].Enc, rows[*slot-1].Name))
		}
	}
	n := 1
	if e.plusR {
		n = 8
	}
	for op := int(e.opcode); op < int(e.opcode)+n; op++ {
		for _, table := range e.tables() {
			o := m[table][op]
			if o == nil {
				o = &opcode{modrm: e.modrm}
				m[table][op] = o
			}
			if o.modrm != e.modrm {
				panic(fmt.Sprintf("BUG: instruction table: rows of opcode %#x disagree about ModRM: %q", op, rows[i].Enc))
			}
			for class := range classes {
				if e.class < 0 || e.class == class {
					placeClass(o, e, class, claim)
				}
			}
		}
	}
}

// tables lists the opcodeMaps that hold the encoding.
func (e *encoding) tables() []int {
	switch {
	case !e.vex:
		return []int{e.opmap}
	case e.long < 0:
		return []int{vexTable(e.opmap, 0), vexTable(e.opmap, 1)}
	}
	return []int{vexTable(e.opmap, e.long)}
}

func placeClass(o *opcode, e *encoding, class int, claim func(*uint16)) {
	if e.exact >= 0 {
		if o.exact == nil {
			o.exact = new([classes][256]uint16)
		}
		for b := e.exact; b < e.exact+e.exactN; b++ {
			claim(&o.exact[class][b])
		}
		return
	}
	for i := range uint8(32) {
		w, mod3, digit := i>>4, i>>3&1, i&7
		if e.rexW >= 0 && int(w) != e.rexW || e.mod == 3 && mod3 == 0 ||
			e.mod == 0 && mod3 == 1 || e.digit >= 0 && int(digit) != e.digit {
			continue
		}
		claim(&o.cells[cell(class, w, mod3, digit)])
	}
}
