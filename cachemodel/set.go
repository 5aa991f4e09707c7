package cachemodel

import "zhuque/sim/phys"

// word describes one cached line: line number plus one (so that zero is an empty
// way), index of its pre-image, flags.
type word uint64

const (
	dirty   word = 1 << iota // differs from memory
	pending                  // a CLFLUSHOPT or CLWB waits for its barrier; only on dirty PMEM lines
	armed                    // pending, and no store since: the next one must save the line's image
	// shared: another core's L1 or L2 may hold a copy. A dirty line in an L1 or L2
	// is the only copy; only the LLC keeps dirty lines that are shared.
	shared

	indexShift = 4
	indexBits  = 24
	tagShift   = indexShift + indexBits
	indexMask  = (1<<indexBits - 1) << indexShift
)

func newWord(l phys.LineAddr) word { return word(l+1) << tagShift }

func (w word) line() phys.LineAddr { return phys.LineAddr(w>>tagShift) - 1 }

func (w word) index() uint32 { return uint32(w & indexMask >> indexShift) }

func (w word) withIndex(i uint32) word { return w&^indexMask | word(i)<<indexShift }

// find returns the way of a set that holds l, or -1. Ways are in order of use,
// the most recent first, with the empty ones last.
func find(set []word, l phys.LineAddr) int {
	tag := word(l + 1)
	for i, w := range set {
		if w>>tagShift == tag {
			return i
		}
	}
	return -1
}

// toFront makes way i the most recently used.
func toFront(set []word, i int) {
	w := set[i]
	for ; i > 0; i-- {
		set[i] = set[i-1]
	}
	set[0] = w
}

// level is one set-associative cache. Its sets lie in chunks that are allocated
// on first use and copied on the first write after a Fork.
type level struct {
	mask       uint64 // number of sets minus one
	ways       int
	chunkShift uint // log2 of the sets in a chunk
	chunks     []*chunk

	dirty, dirtyPMEM int // lines
}

type chunk struct {
	epoch uint64 // the hierarchy that may write it
	words []word
}

func newLevel(g Geometry, chunkShift uint) level {
	sets := g.Sets()
	for 1<<chunkShift > sets {
		chunkShift--
	}
	return level{mask: uint64(sets - 1), ways: g.Ways, chunkShift: chunkShift, chunks: make([]*chunk, sets>>chunkShift)}
}

func (v *level) fork() level {
	c := *v
	c.chunks = make([]*chunk, len(v.chunks))
	copy(c.chunks, v.chunks)
	return c
}

// peek returns the set of l for reading, nil when it was never used.
func (v *level) peek(l phys.LineAddr) []word {
	set := uint64(l) & v.mask
	k := v.chunks[set>>v.chunkShift]
	if k == nil {
		return nil
	}
	off := int(set&(1<<v.chunkShift-1)) * v.ways
	return k.words[off : off+v.ways]
}

// own returns the set of l for writing by the hierarchy of this epoch.
func (v *level) own(l phys.LineAddr, epoch uint64) []word {
	set := uint64(l) & v.mask
	k := v.chunks[set>>v.chunkShift]
	if k == nil || k.epoch != epoch {
		k = v.copyChunk(set>>v.chunkShift, epoch)
	}
	off := int(set&(1<<v.chunkShift-1)) * v.ways
	return k.words[off : off+v.ways]
}

func (v *level) copyChunk(i, epoch uint64) *chunk {
	k := &chunk{epoch: epoch, words: make([]word, v.ways<<v.chunkShift)}
	if old := v.chunks[i]; old != nil {
		copy(k.words, old.words)
	}
	v.chunks[i] = k
	return k
}

// count adds n to the numbers of dirty lines if w is one.
func (v *level) count(w word, n int) {
	if w&dirty == 0 {
		return
	}
	v.dirty += n
	if w.line().IsPMEM() {
		v.dirtyPMEM += n
	}
}

// put inserts a line as the most recently used and returns the victim, 0 for none.
func (v *level) put(w word, epoch uint64) (victim word) {
	set := v.own(w.line(), epoch)
	victim = set[v.ways-1]
	copy(set[1:], set[:v.ways-1])
	set[0] = w
	v.count(w, 1)
	v.count(victim, -1)
	return victim
}

// take removes l and returns its word, 0 when the level does not hold it.
func (v *level) take(l phys.LineAddr, epoch uint64) word {
	i := find(v.peek(l), l)
	if i < 0 {
		return 0
	}
	set := v.own(l, epoch)
	w := set[i]
	copy(set[i:], set[i+1:])
	set[v.ways-1] = 0
	v.count(w, -1)
	return w
}

// each calls fn for every word in order of set and way until it returns false.
func (v *level) each(fn func(set uint64, way int, w word) bool) bool {
	for ci, k := range v.chunks {
		if k == nil {
			continue
		}
		for i, w := range k.words {
			if w != 0 && !fn(uint64(ci)<<v.chunkShift+uint64(i/v.ways), i%v.ways, w) {
				return false
			}
		}
	}
	return true
}
