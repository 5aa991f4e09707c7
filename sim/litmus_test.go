package sim_test

import (
	"encoding/binary"
	"fmt"
	"testing"

	"zhuque/eadr"
	"zhuque/sim"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// The words of the guest litmus, in its own order.
const (
	data = iota
	flag
	seenFlag
	seenData
	flushedData
	flushedFlag
	x
	y
	seenY
	seenX
	p
	q
	words
)

// shared is the words of the litmus guest in one memory.
type shared [words]uint64

// read reads the words from a memory that holds the guest's page at a.
func read(s *mem.Store, a phys.Addr) (w shared) {
	page := s.ReadPage(a.Frame())
	for i := range w {
		w[i] = binary.LittleEndian.Uint64(page[64*i:])
	}
	return w
}

// sharedPage returns where the litmus guest's page lies, 0 before it is mapped.
func sharedPage(m *sim.Machine) phys.Addr {
	for _, v := range m.Kernel().MM.VMAs() {
		if v.Start == 0x10000000 {
			return v.Phys
		}
	}
	return 0
}

// written is a store of the litmus guest: which word got its how manieth value.
type written struct{ word, nth int }

// history is what happened to the words so far, in the one order of instructions: the
// values of each word, and the stores of each core.
type history struct {
	values [words][]uint64
	cores  [2][]written
}

// note adds what an instruction of a core has changed.
func (h *history) note(core int, before, after shared) {
	for i := range after {
		if before[i] != after[i] {
			h.values[i] = append(h.values[i], after[i])
			h.cores[core] = append(h.cores[core], written{i, len(h.values[i])})
		}
	}
}

// nth returns which of a word's values an image has, 0 for the initial one.
func (h *history) nth(word int, value uint64) int {
	for i := len(h.values[word]); i > 0; i-- {
		if h.values[word][i-1] == value {
			return i
		}
	}
	return 0
}

// total reports how an image violates total store order: of the stores of each core a
// first part is in it, and the rest is not, but where another core's store to the same
// word came later.
func (h *history) total(w shared) error {
	var at shared
	for i := range at {
		at[i] = uint64(h.nth(i, w[i]))
		if at[i] == 0 && w[i] != 0 {
			return fmt.Errorf("word %d is %d, which nobody stored", i, w[i])
		}
	}
	for core, stores := range h.cores {
		missing := written{nth: -1}
		for _, s := range stores {
			switch there := at[s.word] == uint64(s.nth); {
			case there && missing.nth >= 0:
				return fmt.Errorf("core %d: its store %d to word %d is there, the earlier %d to word %d is not",
					core, s.nth, s.word, missing.nth, missing.word)
			case at[s.word] < uint64(s.nth) && missing.nth < 0:
				missing = s
			}
		}
	}
	return nil
}

// causal reports how an image violates what the two threads read: a value that was
// read, and what was read told in a store that is there, is there itself.
func causal(w shared) error {
	const half = 1<<32 - 1
	for _, rule := range []struct {
		what           string
		smaller, other uint64
	}{
		{"message passing: flag without data", w[flag], w[data]},
		{"message passing: the flag that was seen", w[seenFlag], w[flag]},
		{"message passing: the data that was seen", w[seenData], w[data]},
		{"message passing: what was seen of the flag came first", w[seenData], max(w[seenFlag], w[seenData])},
		{"store buffering: the other's store that was seen", w[seenY] & half, w[y]},
		{"store buffering: the other's store that was seen", w[seenX] & half, w[x]},
		{"store buffering: its own store before", w[seenY] >> 32, w[x]},
		{"store buffering: its own store before", w[seenX] >> 32, w[y]},
		flushed(w),
	} {
		if rule.smaller > rule.other {
			return fmt.Errorf("%s: %d is there, the other word holds %d", rule.what, rule.smaller, rule.other)
		}
	}
	return nil
}

func flushed(w shared) struct {
	what           string
	smaller, other uint64
} {
	return struct {
		what           string
		smaller, other uint64
	}{"message passing with a flush", w[flushedFlag], w[flushedData]}
}

// At every instruction of two threads on two cores, and for several lengths of what the
// store buffers let go, the crash image of a platform that drains its caches is one that
// total store order allows. Without draining caches only what was flushed is in order.
func TestLitmusUnderPowerFailure(t *testing.T) {
	for _, domain := range []eadr.Domain{eadr.EADR, eadr.ADR} {
		t.Run(domain.String(), func(t *testing.T) {
			cfg := onCores(t, "litmus", 2)
			cfg.Power = eadr.Default(domain)
			cfg.Quantum = 37 // the threads meet in many places
			m := start(t, cfg)
			var h history
			var before shared
			images, lost, weak := 0, [2]int{}, 0
			for core := m.Executing(); m.Step().Reason == sim.Reached; core = m.Executing() {
				at := sharedPage(m)
				if at == 0 {
					continue
				}
				now := read(m.Store(at), at)
				h.note(core, before, now)
				before = now
				paused := 1 - m.Executing()
				for _, keep := range [][2]int{{0, 0}, {0, sim.Drain}, {sim.Drain, 0}, {1, 0}, {0, 1}, {2, 1}, {1, 3}} {
					w := cut(m, at, keep)
					images++
					if domain == eadr.ADR {
						if f := flushed(w); f.smaller > f.other {
							t.Fatalf("after %d instructions, keeping %v: %s: %d before %d", m.Retired(), keep, f.what, f.smaller, f.other)
						}
						if h.total(w) != nil {
							weak++
						}
						continue
					}
					if err := h.total(w); err != nil {
						t.Fatalf("after %d instructions, keeping %v: %v\n%v\n%v", m.Retired(), keep, err, now, w)
					}
					if err := causal(w); err != nil {
						t.Fatalf("after %d instructions, keeping %v: %v\n%v\n%v", m.Retired(), keep, err, now, w)
					}
					if w != now && keep[paused] == 0 && keep[1-paused] == sim.Drain {
						lost[paused]++
					}
				}
			}
			if domain == eadr.EADR && (lost[0] < 100 || lost[1] < 100) {
				t.Errorf("of %d images %v lost stores of the core that did not execute: expected hundreds", images, lost)
			}
			if domain == eadr.ADR && weak < 100 {
				t.Errorf("of %d images %d are out of order: expected hundreds where caches are lost", images, weak)
			}
		})
	}
}

// cut returns the words that a power failure leaves when each core lets so many of its
// buffered stores go.
func cut(m *sim.Machine, at phys.Addr, keep [2]int) shared {
	var c sim.Cut
	if n := keep[m.Executing()]; n != sim.Drain {
		c.Keep = phys.Some(n)
	}
	if other := 1 - m.Executing(); keep[other] != sim.Drain {
		c.KeepOn = []sim.CoreCount{{Core: other, N: uint64(keep[other])}}
	}
	d, _ := m.PowerCut(c)
	defer d.Release()
	return read(d.PMEM, at)
}
