package symbols

// rule says where a register of the caller is.
type rule struct {
	kind ruleKind
	num  uint64 // offset from the CFA, or a register
	code []byte // expression
}

type ruleKind uint8

const (
	sameValue ruleKind = iota // also what is not mentioned
	undefined
	atOffset  // in memory at CFA + num
	isOffset  // CFA + num
	inReg     // in another register
	atExpr    // in memory at the expression's address
	isExpr    // the expression's value
	cfaOffset // CFA only: register reg + num
)

// rules is a row of the table that call frame information stands for.
type rules struct {
	cfa    rule
	cfaReg uint64
	reg    [columns]rule
}

// maxRemembered bounds the stack of DW_CFA_remember_state.
const maxRemembered = 64

// cfaMachine executes the instructions of call frame information, DWARF 5 chapter 6.4.2.
type cfaMachine struct {
	*cie
	row, initial rules
	remembered   []rules
	loc          uint64
}

// rowAt returns the rules at an address inside the entry; ok is false for a program
// that is not understood.
func (f *frameEntry) rowAt(addr uint64) (*rules, bool) {
	m := cfaMachine{cie: f.cie, loc: f.low}
	if !m.run(f.cie.program, ^uint64(0)) {
		return nil, false
	}
	m.initial, m.loc = m.row, f.low
	if !m.run(f.program, addr) {
		return nil, false
	}
	return &m.row, true
}

// run executes until the location passes addr. Each instruction is at least a byte long.
func (m *cfaMachine) run(code []byte, addr uint64) bool {
	r := &reader{data: code}
	for r.left() > 0 {
		op := r.byte()
		if delta, moves := m.advance(op, r); moves {
			if m.loc += delta; r.bad || m.loc > addr {
				return !r.bad
			}
			continue
		}
		if !m.instruction(op, r) || r.bad {
			return false
		}
	}
	return true
}

// advance returns how far the instruction moves the location.
func (m *cfaMachine) advance(op byte, r *reader) (delta uint64, moves bool) {
	switch {
	case op>>6 == 1:
		return uint64(op&0x3f) * m.codeAlign, true
	case op == 0x01: // set_loc: absolute addresses do not occur in what gcc writes
		return r.uint(8) - m.loc, true
	case op == 0x02, op == 0x03, op == 0x04:
		return r.uint(1<<(op-2)) * m.codeAlign, true
	}
	return 0, false
}

func (m *cfaMachine) set(n uint64, r rule) bool {
	if n < columns {
		m.row.reg[n] = r
	}
	return true // vector registers and the like are of no interest
}

func (m *cfaMachine) restore(n uint64) bool {
	if n < columns {
		m.row.reg[n] = m.initial.reg[n]
	}
	return true
}

func (m *cfaMachine) setCFA(reg, off uint64) bool {
	m.row.cfa, m.row.cfaReg = rule{kind: cfaOffset, num: off}, reg
	return reg < columns
}

func (m *cfaMachine) instruction(op byte, r *reader) bool {
	switch op >> 6 {
	case 2:
		return m.set(uint64(op&0x3f), rule{kind: atOffset, num: r.uleb() * m.dataAlign})
	case 3:
		return m.restore(uint64(op & 0x3f))
	}
	switch op {
	case 0x00: // nop
	case 0x05: // offset_extended
		return m.setNext(r, atOffset, r.uleb, 1)
	case 0x06:
		return m.restore(r.uleb())
	case 0x07:
		return m.set(r.uleb(), rule{kind: undefined})
	case 0x08:
		return m.set(r.uleb(), rule{kind: sameValue})
	case 0x09: // register
		n := r.uleb()
		return m.set(n, rule{kind: inReg, num: r.uleb()})
	case 0x0a: // remember_state
		m.remembered = append(m.remembered, m.row)
		return len(m.remembered) <= maxRemembered
	case 0x0b: // restore_state
		n := len(m.remembered) - 1
		if n < 0 {
			return false
		}
		m.row, m.remembered = m.remembered[n], m.remembered[:n]
	case 0x0c: // def_cfa
		n := r.uleb()
		return m.setCFA(n, r.uleb())
	case 0x0d: // def_cfa_register
		return m.row.cfa.kind == cfaOffset && m.setCFA(r.uleb(), m.row.cfa.num)
	case 0x0e: // def_cfa_offset
		return m.row.cfa.kind == cfaOffset && m.setCFA(m.row.cfaReg, r.uleb())
	case 0x0f: // def_cfa_expression
		m.row.cfa = rule{kind: isExpr, code: r.take(r.uleb())}
	case 0x10, 0x16: // expression, val_expression
		kind := atExpr
		if op == 0x16 {
			kind = isExpr
		}
		n := r.uleb()
		return m.set(n, rule{kind: kind, code: r.take(r.uleb())})
	case 0x11: // offset_extended_sf
		return m.setNext(r, atOffset, r.sleb, 1)
	case 0x12: // def_cfa_sf
		n := r.uleb()
		return m.setCFA(n, r.sleb()*m.dataAlign)
	case 0x13: // def_cfa_offset_sf
		return m.row.cfa.kind == cfaOffset && m.setCFA(m.row.cfaReg, r.sleb()*m.dataAlign)
	case 0x14: // val_offset
		return m.setNext(r, isOffset, r.uleb, 1)
	case 0x15: // val_offset_sf
		return m.setNext(r, isOffset, r.sleb, 1)
	case 0x2e: // GNU_args_size
		r.uleb()
	case 0x2f: // GNU_negative_offset_extended
		return m.setNext(r, atOffset, r.uleb, ^uint64(0))
	default:
		return false
	}
	return true
}

// setNext reads a register and a factored offset.
func (m *cfaMachine) setNext(r *reader, kind ruleKind, number func() uint64, sign uint64) bool {
	n := r.uleb()
	return m.set(n, rule{kind: kind, num: number() * m.dataAlign * sign})
}
