package explore

import (
	"fmt"
	"slices"
	"strings"

	"zhuque/cachemodel"
	"zhuque/cachemodel/worlds/brute"
	"zhuque/sim"
	"zhuque/sim/phys"
)

// sample compares, at a share of the crash points, what the engine says of one or two lines of
// memory with what package brute enumerates, which shares no code with it: from the stores,
// flushes and fences since these lines were last durable for certain.
//
// Under eADR all lines are taken together since the store buffer was drained, as their order
// counts. What is longer than a dozen instructions is left out, since brute force does not end.
type sample struct {
	m     *sim.Machine
	eadr  bool
	cores int
	drop  func(brute.Op) bool // for tests: events that are withheld

	trails map[phys.LineAddr]*trail
	order  []phys.LineAddr        // of trails, the oldest first
	lost   map[phys.LineAddr]bool // lines whose trail was given up for others': what they may hold is not known
	seq    int
	looks  int
}

// trail is what was done to a line.
type trail struct {
	base [phys.LineSize]byte
	ops  []step
	long bool // it has more than mostOps

	several bool // cores
	flushed int  // the last store: notFlushed, weakly, strongly
}

// step is an operation with its place in the order of all.
type step struct {
	seq int
	brute.Op
}

// Bounds: of operations of one comparison, of lines that are followed, of comparisons of a run; every
// how many crash points there is one, when all of the first ones have been taken.
const (
	mostOps     = 8
	mostTrails  = 64
	mostSamples = 300
	sampleEvery = 4
	all         = 16
)

func newSample(m *sim.Machine, eadr bool, cores int) *sample {
	return &sample{m: m, eadr: eadr, cores: cores, trails: map[phys.LineAddr]*trail{}, lost: map[phys.LineAddr]bool{}}
}

// tell is told of what the machine does.
func (s *sample) tell(e *sim.Event) {
	s.seq++ // as Left.Told counts
	switch e.Kind {
	case sim.StoreEvent, sim.NTStoreEvent:
		kind := brute.Store
		if e.Kind == sim.NTStoreEvent {
			kind = brute.NT
		}
		first, n := e.Addr.Line(), min(len(e.Data), phys.LineSize-int(e.Addr%phys.LineSize))
		s.add(first, brute.Op{Core: e.Core, Kind: kind, Off: int(e.Addr % phys.LineSize), Data: slices.Clone(e.Data[:n])})
		if n < len(e.Data) { // it tears between lines: neither is followed
			s.add(first+1, brute.Op{Core: e.Core, Kind: kind, Data: slices.Clone(e.Data[n:])})
			s.spoil(first)
			s.spoil(first + 1)
		}
	case sim.FlushEvent:
		kind := brute.Weak
		if e.Flush == cachemodel.CLFLUSH {
			kind = brute.CLFLUSH
		}
		if s.trails[e.Line] != nil {
			s.add(e.Line, brute.Op{Core: e.Core, Kind: kind})
		}
	case sim.WrittenEvent:
		s.forget(e.Line)
		delete(s.lost, e.Line)
	case sim.FenceEvent:
		s.fence(e)
	}
}

func (s *sample) fence(e *sim.Event) {
	kind := brute.SFENCE
	switch e.Fence {
	case cachemodel.LFENCE:
		return
	case cachemodel.MFENCE, cachemodel.Locked:
		kind = brute.MFENCE
	case cachemodel.Serialize, cachemodel.Interrupt:
		kind = brute.Serialize
	}
	if s.eadr {
		clear(s.trails)
		s.order = nil
		return
	}
	for _, l := range slices.Clone(s.order) {
		t := s.trails[l]
		if t.durable(e.Core, kind) {
			s.forget(l)
			continue
		}
		if last := t.ops[len(t.ops)-1]; last.Core != e.Core || last.Kind != kind {
			s.add(l, brute.Op{Core: e.Core, Kind: kind})
		}
	}
}

// write-backs of a line's last store.
const (
	notFlushed = iota
	weakly     // until a fence
	strongly   // until the store buffer is drained
)

// note follows the operation's effect on durability.
func (t *trail) note(o brute.Op) {
	t.several = t.several || len(t.ops) > 0 && o.Core != t.ops[0].Core
	switch o.Kind {
	case brute.Store:
		t.flushed = notFlushed
	case brute.NT, brute.CLFLUSH:
		t.flushed = strongly
	case brute.Weak:
		t.flushed = max(t.flushed, weakly)
	}
}

// durable reports whether a line is durable for certain once a core's fence has acted: that core
// alone has touched it, and has flushed it after its last store.
func (t *trail) durable(core int, fence brute.Kind) bool {
	alone := !t.several && t.ops[0].Core == core
	return alone && (t.flushed == strongly || t.flushed == weakly && fence != brute.Serialize)
}

func (s *sample) add(l phys.LineAddr, o brute.Op) {
	if s.drop != nil && s.drop(o) {
		return
	}
	t := s.trails[l]
	if t == nil {
		if s.lost[l] {
			return
		}
		if len(s.order) == mostTrails && !s.eadr {
			s.lost[s.order[0]] = true
			s.forget(s.order[0])
		}
		t = &trail{}
		s.m.LineNow(l, &t.base)
		s.trails[l] = t
		s.order = append(s.order, l)
	}
	t.note(o)
	if t.long = t.long || len(t.ops) >= mostOps; !t.long {
		t.ops = append(t.ops, step{s.seq, o})
	}
}

func (s *sample) spoil(l phys.LineAddr) {
	if t := s.trails[l]; t != nil {
		t.long = true
	}
}

func (s *sample) forget(l phys.LineAddr) {
	delete(s.trails, l)
	if i := slices.Index(s.order, l); i >= 0 {
		s.order = slices.Delete(s.order, i, i+1)
	}
}

// look compares a crash point, if it is one of the share. It reports whether it did.
func (s *sample) look(left *sim.Left) bool {
	if s.looks++; s.looks > all && s.looks%sampleEvery != 0 || s.looks > sampleEvery*mostSamples {
		return false
	}
	if left.Told != s.seq || s.eadr && left.Acts { // it is of before the call, or in the midst of a drain
		return false
	}
	lines, ops := s.choose()
	if len(lines) == 0 {
		return false
	}
	cfg := brute.Config{EADR: s.eadr, Cores: s.cores, Lines: len(lines)}
	if s.eadr {
		cfg.StoreBuffer = mostOps
	}
	var initial strings.Builder
	var at []phys.Addr
	program := make([]brute.Op, 0, len(ops))
	for i, l := range lines {
		pieces := piecesOf(ops, i)
		for k := range brute.LineBytes / 8 {
			if k < len(pieces) {
				at = append(at, l.Addr()+phys.Addr(8*pieces[k]))
				initial.Write(s.trails[l].base[8*pieces[k]:][:8])
			} else {
				initial.WriteString(strings.Repeat("\x00", 8))
			}
		}
	}
	for _, o := range ops {
		if o, ok := observed(o.Op, piecesOf(ops, o.Line)); ok {
			program = append(program, o)
		}
	}
	got, ok := left.Contents(at, 4096)
	if !ok {
		return false
	}
	states := cfg.Run(brute.Persistent(initial.String()), program)
	want := map[string]bool{}
	for m := range states[len(states)-1] {
		want[wanted(m[1:], lines, ops)] = true
	}
	if !same(got, want) {
		panic(fmt.Sprintf("BUG: at instruction %d the memories after a cut are not those of brute force: %x, expected %x, for lines %v after %+v", left.At, brute.Sorted(got), brute.Sorted(want), lines, program))
	}
	return true
}

// wanted cuts what brute force leaves to the pieces that are looked at.
func wanted(m string, lines []phys.LineAddr, ops []step) (s string) {
	for i := range lines {
		s += m[i*brute.LineBytes:][:8*len(piecesOf(ops, i))]
	}
	return s
}

func same(a, b map[string]bool) bool {
	for k := range a {
		if !b[k] {
			return false
		}
	}
	return len(a) == len(b)
}

// choose takes the lines to compare, and what was done to them in order: under eADR all or
// none, else the youngest ones that fit.
func (s *sample) choose() (lines []phys.LineAddr, ops []step) {
	for i := len(s.order) - 1; i >= 0; i-- {
		l := s.order[i]
		t := s.trails[l]
		switch fits := !t.long && len(ops)+len(t.ops) <= mostOps && !(s.cores > 1 && t.streams()); {
		case !fits && s.eadr || s.eadr && (s.cores > 1 || len(lines) == 3):
			return nil, nil
		case !fits:
			continue
		}
		for _, o := range t.ops {
			o.Line = len(lines)
			ops = append(ops, o)
		}
		if lines = append(lines, l); len(lines) == 2 && !s.eadr {
			break
		}
	}
	slices.SortStableFunc(ops, func(a, b step) int { return a.seq - b.seq })
	return lines, slices.CompactFunc(ops, func(a, b step) bool { return a.seq == b.seq && a.Kind >= brute.SFENCE })
}

// streams reports whether there are non-temporal stores, which other cores' loads force out.
func (t *trail) streams() bool {
	return slices.ContainsFunc(t.ops, func(o step) bool { return o.Kind == brute.NT })
}

// piecesOf are the aligned 8 bytes of a line that operations store to, as many as brute force looks at.
func piecesOf(ops []step, line int) (list []int) {
	for _, o := range ops {
		if o.Line != line || o.Kind != brute.Store && o.Kind != brute.NT {
			continue
		}
		for p := o.Off / 8; p <= (o.Off+len(o.Data)-1)/8; p++ {
			if !slices.Contains(list, p) {
				list = append(list, p)
			}
		}
	}
	slices.Sort(list)
	return list[:min(len(list), brute.LineBytes/8)]
}

// observed is an operation as brute force has it: of a store the bytes in these pieces.
func observed(o brute.Op, pieces []int) (brute.Op, bool) {
	if o.Kind != brute.Store && o.Kind != brute.NT {
		return o, true
	}
	var data []byte
	off := -1
	for i, b := range o.Data {
		k := slices.Index(pieces, (o.Off+i)/8)
		if k < 0 {
			continue
		}
		if off < 0 {
			off = 8*k + (o.Off+i)%8
		}
		data = append(data, b)
	}
	o.Off, o.Data = off, data
	return o, len(data) > 0
}
