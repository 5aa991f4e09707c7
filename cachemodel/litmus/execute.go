package litmus

import (
	"encoding/binary"

	"zhuque/cachemodel/worlds"
)

// execute adds the states after the next instruction of a thread, none when there
// is none or it has to wait.
func (x *explorer) execute(s *state, id int) {
	th := &x.t.Sections[s.section][id]
	if s.pc[id] >= len(th.Instrs) {
		return
	}
	in := &th.Instrs[s.pc[id]]
	entries, fences := s.mem.Buffered(id)
	switch {
	case in.drains() && entries > 0: // its entries leave by themselves
		return
	case in.Op == Print && fences > 0: // an SFENCE holds back all but loads (rule 7)
		return
	}
	f := s.fork(x.initial, x.t.instrs[in.id])
	f.pc[id]++
	site := worlds.Site(in.id + 1)
	switch in.Op {
	case Store, NTStore:
		x.store(f, id, in, site)
		return
	case Load:
		x.read(f, id, in.Addr, in.Size, func(f *state, v uint64) {
			f.regs[in.Reg] = v
			x.add(f)
		})
		return
	case If:
		x.branch(f, id, in, len(th.Instrs))
		return
	case Xadd, Xchg, CmpXchg:
		x.locked(f, id, in, site)
		return
	case CLFLUSH, CLFLUSHOPT, CLWB:
		f.mem.Flush(id, place(in.Addr).Line(), worlds.CLFLUSH+worlds.FlushKind(in.Op-CLFLUSH), site)
	case SFENCE:
		f.mem.FenceBuffered(id, site)
	case MFENCE:
		f.mem.Fence(id, worlds.MFENCE, site)
	case LFENCE:
		f.mem.Fence(id, worlds.LFENCE, site)
	case Serialize:
		f.mem.Fence(id, worlds.Serialize, site)
	case Interrupt:
		f.mem.Fence(id, worlds.Interrupt, site)
	case Print:
		f.prints[id]++
	}
	x.add(f)
}

// drains reports whether the instruction waits for an empty store buffer (rule 8).
func (in *Instr) drains() bool {
	switch in.Op {
	case MFENCE, Serialize, Interrupt, Xadd, Xchg, CmpXchg:
		return true
	}
	return false
}

func (s *state) value(o operand) uint64 {
	if o.reg >= 0 {
		return s.regs[o.reg]
	}
	return o.value
}

// bytes returns what an instruction stores.
func (s *state) bytes(in *Instr) (data []byte) {
	for _, o := range in.Values {
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], s.value(o))
		data = append(data, b[:in.Size]...)
	}
	return data
}

// piece is the part of a store in one aligned 8 bytes.
type piece struct {
	addr int
	data []byte
}

// store stores in every order of the pieces that the store touches: in which they
// become visible nobody says (rule 4).
func (x *explorer) store(f *state, id int, in *Instr, site worlds.Site) {
	var pieces []piece
	for a, data := in.Addr, f.bytes(in); len(data) > 0; {
		n := min(len(data), 8-a%8)
		pieces = append(pieces, piece{a, data[:n]})
		a, data = a+n, data[n:]
	}
	if in.Op == NTStore { // pieces of a write-combining buffer have no order
		for _, p := range pieces {
			f.mem.NTStore(id, place(p.addr), p.data, site)
		}
		x.add(f)
		return
	}
	x.permute(f, id, pieces, site)
}

func (x *explorer) permute(f *state, id int, pieces []piece, site worlds.Site) {
	if len(pieces) == 0 {
		x.add(f)
		return
	}
	for i, p := range pieces {
		g := f
		if len(pieces) > 1 {
			g = f.fork(x.initial, f.by)
			g.from = f.from
		}
		g.mem.Store(id, place(p.addr), p.data, site)
		rest := append(append([]piece(nil), pieces[:i]...), pieces[i+1:]...)
		x.permute(g, id, rest, site)
	}
}

// branch ends the thread unless the condition holds.
func (x *explorer) branch(f *state, id int, in *Instr, end int) {
	test := func(f *state, v uint64) {
		if (v == f.value(in.Values[0])) == in.Not {
			f.pc[id] = end
		}
		x.add(f)
	}
	if in.Mem {
		x.read(f, id, in.Addr, in.Size, test)
		return
	}
	test(f, f.regs[in.Reg])
}

// locked is a read-modify-write: a barrier, a load and a store at one instant, a
// barrier (rule 8).
func (x *explorer) locked(f *state, id int, in *Instr, site worlds.Site) {
	f.mem.Fence(id, worlds.Locked, site)
	x.read(f, id, in.Addr, in.Size, func(f *state, old uint64) {
		value := f.value(in.Values[len(in.Values)-1])
		switch {
		case in.Op == Xadd:
			value += old
		case in.Op == CmpXchg && old != f.value(in.Values[0]):
			value = old // it stores what was there
		}
		var b [8]byte
		binary.LittleEndian.PutUint64(b[:], value)
		f.mem.Store(id, place(in.Addr), b[:in.Size], site)
		f.mem.Fence(id, worlds.Locked, site)
		if in.Reg >= 0 {
			f.regs[in.Reg] = old
		}
		x.add(f)
	})
}
