package worlds

import (
	"encoding/binary"
	"math"
	"math/bits"

	"zhuque/sim/phys"
)

// hash is 128 bits that add up over lines in any order.
type hash [2]uint64

func (h *hash) add(o hash) {
	var carry uint64
	h[0], carry = bits.Add64(h[0], o[0], 0)
	h[1], _ = bits.Add64(h[1], o[1], carry)
}

func (h *hash) sub(o hash) {
	var borrow uint64
	h[0], borrow = bits.Sub64(h[0], o[0], 0)
	h[1], _ = bits.Sub64(h[1], o[1], borrow)
}

// word mixes one number in.
func (h *hash) word(v uint64) {
	hi, lo := bits.Mul64(h[0]^v^0x9e3779b97f4a7c15, h[1]^bits.RotateLeft64(v, 32)|1)
	h[0], h[1] = hi^v*0xd6e8feb86659fd93+h[1], lo^bits.RotateLeft64(h[0], 29)
}

// bytes mixes the known bytes of a line in.
func (h *hash) bytes(b *[phys.LineSize]byte, known uint64) {
	h.word(known)
	for i := 0; i < phys.LineSize; i += 8 {
		v := binary.LittleEndian.Uint64(b[i:])
		if k := known >> i & 0xff; k != 0xff {
			for n := range 8 {
				if k>>n&1 == 0 {
					v &^= 0xff << (8 * n)
				}
			}
		}
		h.word(v)
	}
}

// digests keeps the digest up to date at the cost of what has changed.
type digests struct {
	sum     hash            // of all lines, those in touched as they were
	log     int64           // of the candidates of all lines, in units of 2**-32 of log10
	touched []phys.LineAddr // open lines that have changed since; some more than once
}

// closedHash is that of a line of which all is known.
func closedHash(l phys.LineAddr, b *[phys.LineSize]byte) (h hash) {
	h.word(uint64(l))
	h.bytes(b, ^uint64(0))
	return h
}

// opened takes out what the line added while it was closed.
func (d *digests) opened(ln *line) {
	if ln.known == ^uint64(0) {
		d.sum.sub(closedHash(ln.addr, &ln.base))
	}
}

// closed puts in what the line adds now that it is closed.
func (d *digests) closed(ln *line) {
	d.sum.sub(ln.hash)
	d.log -= ln.log
	d.sum.add(closedHash(ln.addr, &ln.base))
}

// changed notes that the candidates of a line have changed.
func (m *Memory) changed(ln *line) {
	if ln.stale {
		return
	}
	ln.stale = true
	d := &m.digest
	if len(d.touched) > 2*m.lines.n+1024 {
		m.rehash()
	}
	d.touched = append(d.touched, ln.addr)
}

// rehash brings the digest up to date.
func (m *Memory) rehash() {
	d := &m.digest
	for _, l := range d.touched {
		ln := m.lines.get(uint64(l))
		if ln == nil || !ln.stale {
			continue
		}
		ln = m.mine(ln)
		d.sum.sub(ln.hash)
		d.log -= ln.log
		ln.hash, ln.log, ln.stale = ln.candidateHash(nil), ln.candidateLog(), false
		d.sum.add(ln.hash)
		d.log += ln.log
	}
	d.touched = nil
}

// candidateHash is that of the contents that the line may have, given for its list
// those that are left (nil for all).
func (ln *line) candidateHash(left spans) (h hash) {
	h.word(uint64(ln.addr))
	width := ln.width(0)
	if left == nil {
		left = spans{{0, width - 1}}
	}
	first := true
	var before overlay
	ln.listContents(left, func(_ int, o *overlay) {
		o2 := *o
		o2.under(&ln.base, ln.known)
		if !first && before.same(&o2) {
			return
		}
		first, before = false, o2
		h.bytes(&o2.bytes, o2.known)
	})
	if ln.tie != nil {
		h.word(uint64(ln.tie.core))
		for _, s := range ln.tie.span {
			h.word(uint64(s.lo)<<32 | uint64(s.hi))
		}
	}
	for i := range ln.nt {
		h.word(uint64(ln.nt[i].tie))
		for k := range ln.nt[i].list {
			e := &ln.nt[i].list[k]
			h.word(uint64(e.off)<<8 | uint64(e.size) | uint64(ln.nt[i].core)<<16)
			h.word(binary.LittleEndian.Uint64(e.data[:]))
		}
	}
	return h
}

// candidateLog is the logarithm of how many contents a list of candidates would
// have for the line.
func (ln *line) candidateLog() (log int64) {
	log = log10(ln.width(0))
	var n [8]int
	for i := range ln.nt {
		for k := range ln.nt[i].list {
			n[ln.nt[i].list[k].piece]++
		}
	}
	for _, k := range n {
		log += log10(k + 1)
	}
	return log
}

const logUnit = 1 << 32

func log10(n int) int64 { return int64(math.Round(math.Log10(float64(n)) * logUnit)) }

// Digest is a number that is equal for two forks of one Memory if and, but for
// chance, only if a cut of each may leave the same memories, buffers included, and
// the same candidates are left of what earlier cuts left open. Flushes that wait
// for a fence do not count. It costs what has changed since the last one.
func (m *Memory) Digest() [2]uint64 {
	m.rehash()
	h := m.digest.sum
	for i := range m.cores {
		c := &m.cores[i]
		for n := range c.length() {
			b := c.nth(n)
			if b.kind == bufferedFlush || b.kind == bufferedGone {
				continue
			}
			h.word(uint64(b.line)<<4 | uint64(b.kind))
			h.word(uint64(i)<<32 | uint64(b.off)<<16 | uint64(b.size))
			if b.kind == bufferedStore {
				h.bytes(&b.data, byteMask(0, int(b.size)))
			}
		}
	}
	for i := range m.pasts {
		for _, p := range m.pasts[i].points {
			if !m.pasts[i].settled {
				h.word(uint64(p.lo)<<32 | uint64(p.hi))
			}
		}
		for _, s := range m.pasts[i].steps {
			for _, p := range s {
				h.word(uint64(p.lo)<<32 | uint64(p.hi))
			}
		}
	}
	return h
}

// StateDigest is Digest with the flushes that wait for a fence: equal, but for
// chance, only when the same calls lead to equal Digests ever after.
func (m *Memory) StateDigest() [2]uint64 {
	h := hash(m.Digest())
	var notes hash
	m.lines.each(func(_ uint64, ln *line) bool {
		for i := range ln.notes {
			n, covered := &ln.notes[i], 0
			for k := range ln.list {
				if ln.list[k].seq <= n.seq {
					covered++
				}
			}
			var one hash
			one.word(uint64(ln.addr))
			one.word(uint64(n.core)<<32 | uint64(covered))
			notes.add(one)
		}
		return true
	})
	h.word(notes[0])
	h.word(notes[1])
	for i := range m.cores {
		c := &m.cores[i]
		for n := range c.length() {
			if b := c.nth(n); b.kind == bufferedFlush {
				h.word(uint64(b.line)<<16 | uint64(i)<<8 | uint64(n))
			}
		}
	}
	return h
}

// hash is what a frozen line adds to the digest.
func (p *past) hash(ln *line) hash {
	if ln.tie == nil && len(ln.nt) == 0 {
		left := p.candidates(ln, 0, ln.width(0))
		return ln.candidateHash(left)
	}
	h := ln.hash
	for _, part := range ln.cells() {
		left := p.narrowed.get(cell{addr: ln.addr, part: part}.key())
		if left == nil {
			continue
		}
		h.word(uint64(part))
		for _, s := range *left {
			h.word(uint64(s.lo)<<32 | uint64(s.hi))
		}
	}
	return h
}

// NaiveLog10 is the power of ten of how many memories there would be to try if a
// cut now were enumerated: the product over lines and buffers of what each may be.
func (m *Memory) NaiveLog10() float64 {
	m.rehash()
	log := m.digest.log
	for i := range m.cores {
		if n := m.cores[i].length(); n > 0 {
			log += log10(n + 1)
		}
	}
	return float64(log) / logUnit
}
