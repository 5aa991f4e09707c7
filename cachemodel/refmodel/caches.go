package refmodel

import (
	"slices"

	"zhuque/cachemodel"
	"zhuque/sim/phys"
)

// cache is one cache: sets of ways, from the most recently used.
type cache struct {
	sets [][]*cached
	ways int
}

func newCache(g cachemodel.Geometry) cache {
	return cache{sets: make([][]*cached, g.Sets()), ways: g.Ways}
}

func (k *cache) set(l phys.LineAddr) *[]*cached { return &k.sets[uint64(l)%uint64(len(k.sets))] }

func (k *cache) find(l phys.LineAddr) *cached {
	for _, c := range *k.set(l) {
		if c.line == l {
			return c
		}
	}
	return nil
}

// remove takes a line out and returns it, nil when it is not there.
func (k *cache) remove(l phys.LineAddr) *cached {
	c := k.find(l)
	s := k.set(l)
	*s = slices.DeleteFunc(*s, func(o *cached) bool { return o == c })
	return c
}

// insert puts a line in and returns the victim, nil for none.
func (k *cache) insert(c *cached) (victim *cached) {
	s := k.set(c.line)
	*s = append([]*cached{c}, *s...)
	if len(*s) > k.ways {
		victim = (*s)[k.ways]
		*s = (*s)[:k.ways]
	}
	return victim
}

// each calls fn for every copy.
func (m *Machine) each(fn func(level int, c *cached)) {
	visit := func(level int, k cache) {
		for _, s := range k.sets {
			for _, c := range s {
				fn(level, c)
			}
		}
	}
	for _, o := range m.cores {
		visit(0, o.cache[0])
		visit(1, o.cache[1])
	}
	visit(cachemodel.Levels-1, m.llc)
}

// newest returns the copy that differs from memory, or else any, or nil.
func (m *Machine) newest(l phys.LineAddr) (found *cached) {
	for _, c := range append(m.holders(nil, l), m.llc.find(l)) {
		if c != nil && (found == nil || c.dirty) {
			found = c
		}
	}
	return found
}

// purge writes l back if it is dirty and drops every copy.
func (m *Machine) purge(l phys.LineAddr) {
	if c := m.newest(l); c != nil && c.dirty {
		m.Counts.FlushWriteBacks++
		m.writeBack(c)
	}
	for _, o := range m.cores {
		o.cache[0].remove(l)
		o.cache[1].remove(l)
	}
	m.llc.remove(l)
}

// holders returns the copies that other cores than c have in their own caches.
func (m *Machine) holders(c *core, l phys.LineAddr) (list []*cached) {
	for _, o := range m.cores {
		for i := range o.cache {
			if k := o.cache[i].find(l); k != nil && o != c {
				list = append(list, k)
			}
		}
	}
	return list
}

// obtain moves a line to the front of its L1 set and victims outwards; for a
// store no other copy remains.
func (c *core) obtain(l phys.LineAddr, store bool) *cached {
	m := c.m
	got := c.cache[0].remove(l)
	if got == nil {
		m.Counts.L1Misses++
		got = c.cache[1].remove(l)
	}
	switch {
	case got == nil:
		m.Counts.L2Misses++
		got = c.bring(l, store)
	case store && got.shared:
		m.Counts.Upgrades++
		if far := m.llc.remove(l); far != nil {
			got.data, got.dirty = far.data, far.dirty
		}
		c.invalidate(l)
		got.shared = false
	}
	c.keep(got)
	return got
}

// keep inserts a line into the L1.
func (c *core) keep(got *cached) {
	m := c.m
	victim := c.cache[0].insert(got)
	if victim == nil {
		return
	}
	m.Counts.WriteBacks[0] += count(victim.dirty)
	if victim = c.cache[1].insert(victim); victim == nil {
		return
	}
	if victim.shared && (m.llc.find(victim.line) != nil || len(m.holders(c, victim.line)) > 0) {
		return
	}
	victim.shared = false
	m.Counts.WriteBacks[1] += count(victim.dirty)
	m.keepFar(victim)
}

// keepFar inserts a line into the LLC.
func (m *Machine) keepFar(c *cached) {
	if victim := m.llc.insert(c); victim != nil && victim.dirty {
		m.Counts.WriteBacks[2]++
		m.writeBack(victim)
	}
}

// bring gets a line that the core does not have from wherever it is.
func (c *core) bring(l phys.LineAddr, store bool) *cached {
	m := c.m
	if far := m.llc.remove(l); far != nil {
		if !far.shared {
			return far
		}
		if !store {
			m.llc.insert(far)
			return &cached{line: l, data: far.data, shared: true}
		}
		c.invalidate(l)
		far.shared = false
		return far
	}
	others := m.holders(c, l)
	if len(others) == 0 {
		m.Counts.LLCMisses++
		if l.IsPMEM() {
			m.Counts.PMEMReads++
		} else {
			m.Counts.DRAMReads++
		}
		return &cached{line: l, data: m.Memory[l]}
	}
	m.Counts.Transfers++
	from := others[0]
	if store {
		c.invalidate(l)
		return &cached{line: l, data: from.data, dirty: from.dirty}
	}
	if from.dirty {
		m.Counts.Downgrades++
		m.keepFar(&cached{line: l, data: from.data, dirty: true, shared: true})
		from.dirty = false
	}
	from.shared = true
	return &cached{line: l, data: from.data, shared: true}
}

// invalidate drops the copies in other cores' own caches.
func (c *core) invalidate(l phys.LineAddr) {
	for _, o := range c.m.cores {
		for i := range o.cache {
			if o != c && o.cache[i].remove(l) != nil {
				c.m.Counts.Invalidated++
			}
		}
	}
}
