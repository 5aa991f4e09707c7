package worlds

import (
	"slices"

	"zhuque/sim/phys"
)

// Joiner takes what cuts at several crash points of one run leave, so that one machine can
// be started for all of them: which of them it was is one more thing that is open, and is
// decided where a load first tells some of them apart. Its zero value has none.
type Joiner struct {
	last  *Memory
	first Source
	j     joint
}

// joint is the crash points. It is never changed when machines run.
type joint struct {
	alts     []alt
	versions map[phys.LineAddr][]version // of lines that differ between them, or are open in one
}

// alt is one crash point.
type alt struct {
	past
	sum hash // of its digest
}

// version is what a line is from a crash point on until the next version.
type version struct {
	from int
	at   int // candidates of the versions before
	ln   *line
}

// Cells of a line in several crash points: its list in all of them, and which point it was.
const (
	jointPart = 9
	pointPart = 10
)

// plain reports whether the line has only a list, which no buffer ties.
func (ln *line) plain() bool { return ln.tie == nil && len(ln.nt) == 0 }

// size is how many candidates a version has.
func (v *version) size() int {
	if v.ln.plain() {
		return v.ln.width(0)
	}
	return 1
}

// Add adds a crash point, the next of the same run: m is a fork of its record, which is not
// cut and was made with Config.Keep. src shows the memory that belongs to it.
func (b *Joiner) Add(m *Memory, src Source) {
	if len(m.pasts) > 0 || !m.cfg.Keep {
		panic("BUG: crash points of a machine that has been cut, or that forgets lines, cannot be joined")
	}
	f := m.Cut(src, Open)
	k := len(b.j.alts)
	p := f.pasts[0]
	b.j.alts = append(b.j.alts, alt{p, f.digest.sum})
	if k == 0 {
		b.first, b.j.versions = src, map[phys.LineAddr][]version{}
		p.lines.each(func(_ uint64, ln *line) bool {
			if !ln.plain() || len(ln.list) > 0 {
				b.j.versions[ln.addr] = []version{{ln: ln}}
			}
			return true
		})
	} else {
		before := b.j.alts[k-1].lines.root
		before.diff(p.lines.root, func(_ uint64, old, now *line) { b.j.changed(k, old, now, b.first) })
	}
	b.last = f
}

// changed notes that a line is another from point k on.
func (j *joint) changed(k int, old, now *line, first Source) {
	if now == nil {
		panic("BUG: a line that is kept was forgotten")
	}
	vs := j.versions[now.addr]
	if vs == nil {
		if old == nil { // it was never stored to until now
			old = &line{addr: now.addr, known: ^uint64(0)}
			first.ReadLine(now.addr, &old.base)
		}
		vs = []version{{ln: old}}
	}
	last := vs[len(vs)-1]
	j.versions[now.addr] = append(vs, version{from: k, at: last.at + last.size(), ln: now})
}

// Len returns how many crash points there are.
func (b *Joiner) Len() int { return len(b.j.alts) }

// Memory is persistent memory after a cut at one of the points. src shows the memory of the
// machine that is started, that of the last point; what it says of open lines is never
// looked at.
func (b *Joiner) Memory(src Source) *Memory {
	f := b.last.Fork(src)
	j := b.j
	f.pasts[0] = past{joint: &j, points: spans{{0, len(j.alts) - 1}}, instants: spans{always}}
	f.digest.sum = j.apart()
	if len(j.alts) == 1 {
		f.settlePoint(0)
	}
	return f
}

// versionOf returns the version of point k.
func versionOf(vs []version, k int) int {
	i, ok := slices.BinarySearchFunc(vs, k, func(v version, k int) int { return v.from - k })
	if !ok {
		i--
	}
	return i
}

// find returns the record that the generation has of a line, nil for none. Of several
// points it is the first of those that are left.
func (p *past) find(l phys.LineAddr) *line {
	if p.joint == nil {
		return p.lines.get(uint64(l))
	}
	k := p.points[0].lo
	if vs := p.joint.versions[l]; vs != nil {
		return vs[versionOf(vs, k)].ln
	}
	return p.joint.alts[k].lines.get(uint64(l))
}

// several reports whether it is open which crash point the generation ended at.
func (p *past) several() bool { return p.joint != nil && !p.settled }

// each calls fn with the address of each line that may be open.
func (p *past) each(fn func(phys.LineAddr)) {
	if p.joint == nil {
		p.lines.each(func(_ uint64, ln *line) bool { fn(ln.addr); return true })
		return
	}
	for l := range p.joint.versions {
		fn(l)
	}
}

// eachVersion calls fn with the versions that are left of a line, and the points of each
// that are left.
func (p *past) eachVersion(vs []version, fn func(v *version, points spans)) {
	left := p.points
	for i := versionOf(vs, left[0].lo); i < len(vs) && len(left) > 0; i++ {
		end := len(p.joint.alts) - 1
		if i+1 < len(vs) {
			end = vs[i+1].from - 1
		}
		for len(left) > 0 && left[0].hi < vs[i].from {
			left = left[1:]
		}
		n := 0
		for n < len(left) && left[n].lo <= end {
			n++
		}
		if n > 0 {
			fn(&vs[i], left[:n].and(spans{{vs[i].from, end}}))
		}
	}
}

// resolveJoint is resolve of a line in several crash points: it puts the bytes under o that
// all of them have, or returns the choices.
func (m *Memory) resolveJoint(gen int, vs []version, want uint64, o *overlay) []Choice {
	p := &m.pasts[gen]
	need := want &^ o.known
	l := vs[0].ln.addr
	if need == 0 {
		return nil
	}
	if choices := p.pointsApart(gen, l, vs); choices != nil {
		return choices
	}
	left := p.narrowed.get(cell{addr: l, part: jointPart}.key())
	var groups []Choice
	index := map[overlay]int{}
	p.eachVersion(vs, func(v *version, _ spans) {
		width := v.size()
		own := spans{{0, width - 1}}
		if left != nil {
			if own = left.slice(v.at, v.at+width-1); len(own) == 0 {
				return
			}
		}
		v.ln.listContents(own, func(i int, content *overlay) {
			got := *content
			got.under(&v.ln.base, v.ln.known)
			got.mask(need)
			g, ok := index[got]
			if !ok {
				g = len(groups)
				index[got] = g
				groups = append(groups, Choice{cell: cell{gen, l, jointPart}, load: got})
			}
			groups[g].keep = groups[g].keep.add(v.at + i)
		})
	})
	if len(groups) == 1 {
		o.under(&groups[0].load.bytes, need)
		return nil
	}
	return ordered(groups)
}

// pointsApart is the choices of a line that buffers have a part in at some of the points:
// each of those by itself.
func (p *past) pointsApart(gen int, l phys.LineAddr, vs []version) (choices []Choice) {
	var rest spans
	p.eachVersion(vs, func(v *version, points spans) {
		if v.ln.plain() {
			rest = append(rest, points...)
			return
		}
		points.each(func(k int) {
			choices = append(choices, Choice{cell: cell{gen, l, pointPart}, keep: spans{{k, k}}})
		})
	})
	if choices == nil {
		return nil
	}
	if rest != nil {
		choices = append(choices, Choice{cell: cell{gen, l, pointPart}, keep: rest})
	}
	return ordered(choices)
}

// narrowJoint takes a choice of a line in several crash points.
func (m *Memory) narrowJoint(c Choice) {
	p := &m.pasts[c.cell.gen]
	if c.cell.part == pointPart {
		p.points = p.points.and(c.keep)
	} else {
		keep := slices.Clone(c.keep)
		key := c.cell.key()
		if old := p.narrowed.get(key); old != nil {
			m.digest.sum.sub(keepHash(key, *old))
		}
		p.narrowed.put(m.own, key, &keep)
		m.digest.sum.add(keepHash(key, keep))
		vs := p.joint.versions[c.cell.addr]
		var points spans
		p.eachVersion(vs, func(v *version, at spans) {
			if len(keep.slice(v.at, v.at+v.size()-1)) > 0 {
				points = append(points, at...)
			}
		})
		p.points = p.points.and(points)
	}
	if p.points.count() == 1 {
		m.settlePoint(c.cell.gen)
	}
}

// apart is what the digest has for the points while they are several.
func (j *joint) apart() (h hash) {
	last := j.alts[len(j.alts)-1].sum
	h.word(last[0])
	h.word(last[1])
	return h
}

func keepHash(key uint64, keep spans) (h hash) {
	h.word(key)
	for _, s := range keep {
		h.word(uint64(s.lo)<<32 | uint64(s.hi))
	}
	return h
}

// settlePoint makes the one crash point that is left what the generation is.
func (m *Memory) settlePoint(gen int) {
	p := &m.pasts[gen]
	k := p.points[0].lo
	a := &p.joint.alts[k]
	jointly := p.narrowed
	p.settled, p.narrowed, p.lines, p.steps = true, trie[spans]{}, a.lines, a.steps
	p.instants = a.instants
	m.digest.sum.sub(p.joint.apart())
	m.digest.sum.add(a.sum)
	jointly.each(func(key uint64, keep *spans) bool {
		m.digest.sum.sub(keepHash(key, *keep))
		l := phys.LineAddr(key >> cellBits)
		vs := p.joint.versions[l]
		v := &vs[versionOf(vs, k)]
		own := keep.slice(v.at, v.at+v.size()-1)
		if !v.ln.plain() || own.count() == v.size() {
			return true
		}
		m.digest.sum.sub(p.hash(v.ln))
		p.narrowed.put(m.own, cell{addr: l, part: 0}.key(), &own)
		m.digest.sum.add(p.hash(v.ln))
		p.instants = p.instants.and(v.ln.instants(0, own))
		return true
	})
}

// ofPoint returns what a choice of a line in several points keeps of it at the first point
// that is left.
func (p *past) ofPoint(c *Choice) (ln *line, keep spans) {
	ln = p.find(c.cell.addr)
	if c.cell.part == pointPart {
		return ln, nil
	}
	vs := p.joint.versions[c.cell.addr]
	v := &vs[versionOf(vs, p.points[0].lo)]
	return ln, c.keep.slice(v.at, v.at+v.size()-1)
}

// chose reports whether a decision about a line in several points has left out some of its
// candidates at the first point that is left.
func (p *past) chose(d *Decision) bool {
	ln, keep := p.ofPoint(&d.Choice)
	return len(keep) > 0 && ln.plain() && keep.count() < ln.width(0)
}

// Compare orders two worlds that may both have come from point k as a machine for that point
// alone would have come to them, by Split: 0 where that is the order in which they were split here.
func (m *Memory) Compare(o *Memory, k int) int {
	mine, theirs := m.decisions(), o.decisions()
	i := 0
	for i < len(mine) && i < len(theirs) && mine[i] == theirs[i] {
		i++
	}
	if i == len(mine) || i == len(theirs) || mine[i].cell.part != jointPart {
		return 0
	}
	c := mine[i].cell
	p := &m.pasts[c.gen]
	vs := p.joint.versions[c.addr]
	v := &vs[versionOf(vs, k)]
	top := v.size() - 1
	for _, d := range mine[:i] {
		if d.cell == c {
			own := d.keep.slice(v.at, v.at+v.size()-1)
			top = own[len(own)-1].hi
		}
	}
	a, b := mine[i].keep.slice(v.at, v.at+v.size()-1), theirs[i].keep.slice(v.at, v.at+v.size()-1)
	switch {
	case a.has(top):
		return -1
	case b.has(top):
		return 1
	}
	return a[0].lo - b[0].lo
}

// strict reports whether each of several points that are left is one that a strict machine
// could have left: see Robust.
func (p *past) strict() (all bool) {
	all = true
	p.points.each(func(k int) {
		instants := spans{always}
		p.narrowed.each(func(key uint64, keep *spans) bool {
			vs := p.joint.versions[phys.LineAddr(key>>cellBits)]
			v := &vs[versionOf(vs, k)]
			if own := keep.slice(v.at, v.at+v.size()-1); v.ln.plain() {
				instants = instants.and(v.ln.instants(0, own))
			}
			return len(instants) > 0
		})
		all = all && len(instants) > 0
	})
	return all
}

// Points calls fn with the number, from 0, of each of the joined crash points that this
// world may have come from.
func (m *Memory) Points(fn func(k int)) {
	if len(m.pasts) > 0 && m.pasts[0].joint != nil {
		m.pasts[0].points.each(fn)
	}
}

// AtPoint decides which of the joined crash points it was. No load has decided anything yet.
func (m *Memory) AtPoint(k int) {
	if p := &m.pasts[0]; !p.settled {
		p.points = spans{{k, k}}
		m.settlePoint(0)
	}
}

// Agrees reports whether a choice of another world with as many cuts comes out as the loads
// of this one did.
func (m *Memory) Agrees(c Choice) bool {
	var o overlay
	want := c.load.known
	if m.below(c.cell.gen, c.cell.addr, want, &o) != nil {
		return false
	}
	o.mask(want)
	return c.load.same(&o)
}

// Persisted returns a fork in which all that has retired is guaranteed.
func (m *Memory) Persisted(src Source) *Memory {
	f := m.Fork(src)
	for id := range f.cores {
		f.Drain(id)
		for len(f.cores[id].combining) > 0 {
			f.leave(id, f.cores[id].combining[0])
		}
	}
	var open []*line
	f.lines.each(func(_ uint64, ln *line) bool {
		if len(ln.list) > 0 {
			open = append(open, ln)
		}
		return true
	})
	for _, ln := range open {
		ln = f.mine(ln)
		f.raise(ln, f.seq, 0)
		f.closeIfDone(ln)
	}
	return f
}

// mask drops what is not in the set.
func (o *overlay) mask(want uint64) {
	o.known &= want
	for i := range o.bytes {
		if o.known>>i&1 == 0 {
			o.bytes[i] = 0
		}
	}
}
