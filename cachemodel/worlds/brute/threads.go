package brute

import (
	"encoding/binary"
	"fmt"
	"slices"
)

// The instructions of threads beside those of Run. There SFENCE waits in the store
// buffer, and loads go to a register.
const (
	LFENCE Kind = Serialize + 1 + iota
	Xadd
	Xchg
	CmpXchg
	Branch // the thread ends where the register or word does not compare
	Print
)

// Value is a number or, if Reg is not negative, a register.
type Value struct {
	N   uint64
	Reg int
}

// Instr is an instruction of a thread. Addr counts from line 0 by whole lines.
type Instr struct {
	Kind       Kind
	Addr, Size int
	Mem        bool // Branch: a word, not a register
	Reg        int
	Values     []Value
	Not        bool
}

// Outcome is what one way to run threads leaves.
type Outcome struct {
	Regs         []uint64
	Done, Prints []uint64 // of the threads of all tables, in order
	Memory       [][lineSize]byte
}

// run is a state of threads.
type run struct {
	*state
	pc           []int
	regs, prints []uint64
}

func (r *run) key() string {
	return r.state.key() + fmt.Sprint(r.pc, r.regs, r.prints)
}

func (r *run) with(s *state) *run {
	return &run{s, slices.Clone(r.pc), slices.Clone(r.regs), slices.Clone(r.prints)}
}

// All runs tables of threads, each from every memory that a cut of the one before
// may leave, in all ways.
func (cfg Config) All(tables [][][]Instr, from Outcome) (all []Outcome) {
	starts := map[string]Outcome{"": from}
	for _, threads := range tables {
		next := map[string]Outcome{}
		for _, start := range starts {
			cfg.table(threads, start, next)
		}
		starts = next
	}
	for _, o := range starts {
		all = append(all, o)
	}
	return all
}

// table adds what one table leaves from one start.
func (cfg Config) table(threads [][]Instr, start Outcome, found map[string]Outcome) {
	s := &state{lines: make([]line, len(start.Memory)), cores: make([]core, len(threads))}
	for i := range s.lines {
		s.lines[i].visible, s.lines[i].persistent = start.Memory[i], start.Memory[i]
	}
	todo := []*run{{s, make([]int, len(threads)), slices.Clone(start.Regs), make([]uint64, len(threads))}}
	seen := map[string]bool{}
	for len(todo) > 0 {
		r := todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		if k := r.key(); seen[k] {
			continue
		} else {
			seen[k] = true
		}
		o := Outcome{Regs: r.regs, Done: slices.Clone(start.Done), Prints: append(slices.Clone(start.Prints), r.prints...)}
		for id := range threads {
			done := uint64(0)
			if r.pc[id] == len(threads[id]) && !r.cores[id].fences() {
				done = 1
			}
			o.Done = append(o.Done, done)
		}
		for i := range r.lines {
			o.Memory = append(o.Memory, r.lines[i].persistent)
		}
		found[fmt.Sprint(o)] = o
		for _, s := range cfg.steps(r.state) {
			todo = append(todo, r.with(s))
		}
		for id := range threads {
			if r.pc[id] < len(threads[id]) {
				if n := cfg.instr(r, id, threads[id]); n != nil {
					todo = append(todo, n)
				}
			}
		}
	}
}

func (c *core) fences() bool {
	return slices.ContainsFunc(c.buffer, func(e entry) bool { return e.kind == SFENCE })
}

func (r *run) value(v Value) uint64 {
	if v.Reg >= 0 {
		return r.regs[v.Reg]
	}
	return v.N
}

// pieces splits bytes at 8 bytes, which are never in two lines.
func pieces(addr int, data []byte) (list []write) {
	for len(data) > 0 {
		n := min(len(data), 8-addr%8)
		list = append(list, write{addr / lineSize, addr % lineSize, string(data[:n])})
		addr, data = addr+n, data[n:]
	}
	return list
}

// load is what a core sees.
func (s *state) load(id, addr, size int) uint64 {
	var b [8]byte
	for i := range size {
		l, off := (addr+i)/lineSize, (addr+i)%lineSize
		b[i] = s.lines[l].visible[off]
		see := func(list []write) {
			for _, w := range list {
				if w.line == l && off >= w.off && off < w.off+len(w.data) {
					b[i] = w.data[off-w.off]
				}
			}
		}
		see(s.cores[id].wc)
		for _, e := range s.cores[id].buffer {
			see(e.parts)
		}
	}
	return binary.LittleEndian.Uint64(b[:])
}

// instr is the next instruction of a thread, nil when it has to wait.
func (cfg Config) instr(r *run, id int, thread []Instr) *run {
	in := &thread[r.pc[id]]
	n := r.with(r.state.clone())
	c := &n.cores[id]
	n.pc[id]++
	var data []byte
	for _, v := range in.Values {
		data = append(data, binary.LittleEndian.AppendUint64(nil, r.value(v))[:in.Size]...)
	}
	switch in.Kind {
	case Store:
		c.buffer = append(c.buffer, entry{kind: Store, parts: pieces(in.Addr, data)})
	case NT:
		for _, w := range pieces(in.Addr, data) {
			for _, e := range c.buffer {
				if e.kind == CLFLUSH || e.kind == SFENCE || e.kind == Store && slices.ContainsFunc(e.parts, func(o write) bool { return o.line == w.line }) {
					return nil
				}
			}
			n.writeBack(w.line, len(n.lines[w.line].queue))
			c.wc = append(c.wc, w)
		}
	case Load:
		n.regs[in.Reg] = n.load(id, in.Addr, in.Size)
	case CLFLUSH, SFENCE:
		c.buffer = append(c.buffer, entry{kind: in.Kind, line: in.Addr / lineSize})
	case Weak:
		c.buffer = append(c.buffer, entry{kind: Weak, line: in.Addr / lineSize})
		n.release(id)
	case MFENCE, Serialize:
		if n.fence(Op{Core: id, Kind: in.Kind}) == nil {
			return nil
		}
	case Xadd, Xchg, CmpXchg:
		if n.fence(Op{Core: id, Kind: MFENCE}) == nil {
			return nil
		}
		n.exchange(cfg, id, in)
	case Branch:
		v := uint64(0)
		if in.Mem {
			v = n.load(id, in.Addr, in.Size)
		} else {
			v = n.regs[in.Reg]
		}
		if (v == n.value(in.Values[0])) == in.Not {
			n.pc[id] = len(thread)
		}
	case Print:
		if c.fences() {
			return nil
		}
		n.prints[id]++
	}
	return n
}

// exchange is the load and the store of a locked instruction.
func (r *run) exchange(cfg Config, id int, in *Instr) {
	old := r.load(id, in.Addr, in.Size)
	v := r.value(in.Values[0])
	switch in.Kind {
	case Xadd:
		v += old
	case CmpXchg:
		if v = old; old == r.value(in.Values[0]) {
			v = r.value(in.Values[1])
		}
	}
	if in.Reg >= 0 {
		r.regs[in.Reg] = old
	}
	for _, w := range pieces(in.Addr, binary.LittleEndian.AppendUint64(nil, v)[:in.Size]) {
		r.show(cfg, w)
	}
}
