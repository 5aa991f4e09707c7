package wpp

import (
	"cmp"
	"encoding/binary"
	"fmt"
	"slices"

	"zhuque/sim"
	"zhuque/sim/kernel"
)

// A pipe's unread bytes stand in a ring of its slot, at their position in the
// stream modulo the ring's size. A call that writes to a pipe puts its bytes into
// the unused part of the ring before it commits; the header's words go through the
// redo log and make them part of the pipe.

// pipeStates records what a call changed in pipes. New content comes first: what
// the call gives up is not to be overwritten by the same call.
func (r *Runtime) pipeStates(m *sim.Machine, ids []int) error {
	for _, id := range ids {
		if p, ok := m.Kernel().Pipe(id); ok {
			if err := r.pipe(m, &p); err != nil {
				return err
			}
		}
	}
	for _, id := range ids {
		slot := slices.Index(r.pipes, id)
		if _, ok := m.Kernel().Pipe(id); !ok && slot >= 0 {
			r.pipes[slot] = 0
			r.set(m, pipeSlot(slot)+pipeID, 0)
		}
	}
	return nil
}

func (r *Runtime) pipe(m *sim.Machine, p *kernel.Pipe) error {
	slot := slices.Index(r.pipes, p.ID)
	first, tail := p.Taken, p.Taken
	if slot >= 0 {
		first = peek(m.Durable().PMEM, pipeSlot(slot)+pipeTaken)
		tail = first + peek(m.Durable().PMEM, pipeSlot(slot)+pipeLength)
	} else if slot = slices.Index(r.pipes, 0); slot >= 0 {
		r.pipes[slot] = p.ID
	} else if slot = len(r.pipes); slot < maxPipes {
		r.pipes = append(r.pipes, p.ID)
	} else {
		return fmt.Errorf("more than %d pipes", maxPipes)
	}
	end := p.Taken + uint64(len(p.Content))
	if end-first > ringSize {
		panic("BUG: a call takes bytes from a pipe and puts others in their place")
	}
	if tail < end {
		r.fillRing(m, slot, tail, p.Content[tail-p.Taken:])
	}
	for i, w := range encodePipe(p) {
		r.set(m, pipeSlot(slot)+8*uint64(i), w)
	}
	return nil
}

// fillRing puts bytes into the ring of a slot, from position at of its stream on.
func (r *Runtime) fillRing(m *sim.Machine, slot int, at uint64, data []byte) {
	for len(data) > 0 {
		off := ring(slot) + at&^7%ringSize
		var word [8]byte
		binary.LittleEndian.PutUint64(word[:], peek(m.Durable().PMEM, off))
		n := copy(word[at&7:], data)
		if v := binary.LittleEndian.Uint64(word[:]); r.bug.PipeBytesLate {
			r.late = append(r.late, record{off, v})
		} else {
			put(m, off, v)
		}
		data, at = data[n:], at+uint64(n)
	}
}

func encodePipe(p *kernel.Pipe) [pipeSize / 8]uint64 {
	w := [pipeSize / 8]uint64{uint64(p.ID), p.Taken, uint64(len(p.Content))}
	w[pipeChecksum/8] = checksum(w[:pipeChecksum/8]...)
	return w
}

// restorePipes reads the pipes of an image into s.
func (r *Runtime) restorePipes(im *image, s *kernel.ProcState) error {
	r.pipes = r.pipes[:0]
	for slot := range maxPipes {
		if im.word(pipeSlot(slot)+pipeID) == 0 {
			continue
		}
		var w [pipeSize / 8]uint64
		im.words(pipeSlot(slot), w[:])
		if w[pipeChecksum/8] != checksum(w[:pipeChecksum/8]...) {
			return refuse("pipe slot %d: wrong checksum", slot)
		}
		if w[pipeLength/8] > ringSize {
			return refuse("pipe slot %d: %d bytes, a pipe holds %d", slot, w[pipeLength/8], ringSize)
		}
		p := kernel.Pipe{ID: int(w[pipeID/8]), Taken: w[pipeTaken/8], Content: make([]byte, w[pipeLength/8])}
		for i := range p.Content {
			at := p.Taken + uint64(i)
			p.Content[i] = byte(im.word(ring(slot)+at&^7%ringSize) >> (at & 7 * 8))
		}
		for len(r.pipes) <= slot {
			r.pipes = append(r.pipes, 0)
		}
		r.pipes[slot] = p.ID
		s.Pipes = append(s.Pipes, p)
	}
	slices.SortFunc(s.Pipes, func(a, b kernel.Pipe) int { return cmp.Compare(a.ID, b.ID) })
	return nil
}

func pipeSlot(slot int) uint64 { return pipeOff + pipeSize*uint64(slot) }
func ring(slot int) uint64     { return ringOff + ringSize*uint64(slot) }
