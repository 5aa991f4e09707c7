package litmus

import (
	"strings"
)

// lineSize is that of a cache line in bytes.
const lineSize = 64

// plain are the instructions without operands.
var plain = map[string]Op{"sfence": SFENCE, "mfence": MFENCE, "lfence": LFENCE,
	"cpuid": Serialize, "interrupt": Interrupt, "print": Print}

// onWord are those whose first operand is a word of memory, with how many numbers
// follow.
var onWord = map[string]struct {
	op     Op
	values int
}{
	"movnti": {NTStore, 1}, "movntdq": {NTStore, 1}, "clflush": {CLFLUSH, 0}, "clflushopt": {CLFLUSHOPT, 0}, "clwb": {CLWB, 0},
	"lock xadd": {Xadd, 1}, "xchg": {Xchg, 1}, "lock cmpxchg": {CmpXchg, 2},
}

// instruction reads one cell of the table.
func (p *parser) instruction(thread, text string, line int) Instr {
	in := Instr{Text: text, Reg: -1}
	if op, ok := plain[text]; ok {
		in.Op = op
		return in
	}
	if s, ok := strings.CutPrefix(text, "if "); ok {
		return p.test(thread, in, s, line)
	}
	s := text
	if left, right, ok := strings.Cut(s, "="); ok { // REG = … or WORD = VALUE
		left, right = strings.TrimSpace(left), strings.TrimSpace(right)
		if !isRegister(left) {
			p.word(&in, left, line)
			in.Op = Store
			p.operands(thread, &in, right, line)
			return in
		}
		in.Reg = p.register(thread, left)
		if _, _, found := mnemonic(right); !found {
			p.word(&in, right, line)
			in.Op = Load
			return in
		}
		s = right
	}
	name, rest, ok := mnemonic(s)
	if !ok {
		p.fail(line, "unknown instruction %q", text)
	}
	row := onWord[name]
	if in.Op = row.op; in.Reg >= 0 && in.Op < Xadd {
		p.fail(line, "%s gives no value for a register", name)
	}
	first, values, _ := strings.Cut(rest, ",")
	p.word(&in, strings.TrimSpace(first), line)
	if strings.TrimSpace(values) != "" {
		p.operands(thread, &in, strings.TrimSpace(values), line)
	}
	if words := len(in.Values); words != row.values && (row.op != NTStore || words == 0) {
		p.fail(line, "%s takes %d numbers after the location, not %d", name, row.values, words)
	}
	if in.Op >= Xadd && in.Addr%lineSize+in.Size > lineSize {
		p.fail(line, "%s crosses a line: split locks are left out", name)
	}
	return in
}

// mnemonic splits an instruction of onWord.
func mnemonic(s string) (name, rest string, ok bool) {
	for n := range onWord {
		if r, found := strings.CutPrefix(s, n+" "); found {
			return n, strings.TrimSpace(r), true
		}
	}
	return "", "", false
}

// test reads if REG, if WORD, with = VALUE or != VALUE behind them.
func (p *parser) test(thread string, in Instr, s string, line int) Instr {
	in.Op = If
	in.Values, in.Not = []operand{{value: 0, reg: -1}}, true
	what := s
	if left, right, ok := strings.Cut(s, "="); ok {
		in.Not = strings.HasSuffix(left, "!")
		what = strings.TrimSpace(strings.TrimSuffix(left, "!"))
		in.Values[0] = p.operand(thread, strings.TrimSpace(right), line)
	}
	if isRegister(what) {
		in.Reg = p.register(thread, what)
		return in
	}
	p.word(&in, what, line)
	return in
}

// word reads NAME or NAME[I]: the first bytes that the instruction is about.
func (p *parser) word(in *Instr, s string, line int) {
	name, index, indexed := strings.Cut(s, "[")
	l := p.find(name)
	if l == nil {
		p.fail(line, "%q: unknown location or instruction", s)
	}
	i := 0
	if indexed {
		i = int(min(p.number(strings.TrimSuffix(index, "]"), line), maxWords))
	}
	if i >= l.Count {
		p.fail(line, "%s: location %s has %d words, counted from 0", s, name, l.Count)
	}
	in.Mem, in.Addr, in.Size = true, l.Addr+i*l.Size, l.Size
}

// operands reads one number or register, or {A, B} for several words at once.
func (p *parser) operands(thread string, in *Instr, s string, line int) {
	list, wide := strings.CutPrefix(s, "{")
	if wide {
		list, wide = strings.CutSuffix(list, "}")
		if !wide {
			p.fail(line, "%q has no closing brace", s)
		}
	}
	for _, v := range strings.Split(list, ",") {
		o := p.operand(thread, strings.TrimSpace(v), line)
		if o.reg < 0 && in.Size < 8 && o.value>>(8*in.Size) != 0 {
			p.fail(line, "%d does not fit into %d bytes", o.value, in.Size)
		}
		in.Values = append(in.Values, o)
	}
	if (in.Op == Store || in.Op == NTStore) && !wide && len(in.Values) > 1 {
		p.fail(line, "several words are stored at once as {A, B}")
	}
	if wide {
		end := in.Addr + in.Size*len(in.Values)
		for i := range p.t.Locations {
			if l := &p.t.Locations[i]; l.Addr <= in.Addr && in.Addr < l.Addr+l.Size*l.Count && end > l.Addr+l.Size*l.Count {
				p.fail(line, "%d words do not fit into location %s", len(in.Values), l.Name)
			}
		}
	}
}

func (p *parser) operand(thread, s string, line int) operand {
	if isRegister(s) {
		return operand{reg: p.register(thread, s)}
	}
	return operand{value: p.number(s, line), reg: -1}
}

// register returns the index of a thread's register.
func (p *parser) register(thread, name string) int {
	full := thread + ":" + name
	if i, ok := p.regs[full]; ok {
		return i
	}
	i := len(p.t.regs)
	p.regs[full] = i
	p.t.regs = append(p.t.regs, term{name: full})
	return i
}
