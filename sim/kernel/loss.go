package kernel

import "slices"

// Loss says what of the kernel-resident state a restart loses: for runtimes that are
// broken on purpose.
type Loss struct {
	Offsets      bool // of open files
	HighestFD    bool // of each process
	Sharing      bool // between descriptors of one open file
	Dispositions bool
	Pending      bool
	Mask         bool
	AltStack     bool
	TIDs         bool // of all threads but the first of each process
	Waits        bool
	Counts       bool // of what a call had moved before it waited
	RobustList   bool
	SplitOffset  bool // of a file mapping that continues the one below it
	Watches      bool
	Timers       bool
	Zombies      bool
	Barrier      bool // threads go on before others have handled the power failure, and those that have not are not there yet
}

// Damage changes the records of mappings before Restore reads them.
func (l *Loss) Damage(records []Record) {
	if !l.SplitOffset {
		return
	}
	read := func(r Record) (m mapping) {
		c := codec{w: r.Words, decoding: true}
		m.code(&c)
		m.Start = r.Key.B
		return m
	}
	below := map[Key]mapping{} // by where they end
	for _, r := range records {
		if r.Key.Kind == KindMapping {
			m := read(r)
			below[Key{KindMapping, r.Key.A, m.End}] = m
		}
	}
	for i, r := range records {
		if r.Key.Kind != KindMapping {
			continue
		}
		m := read(r)
		if b, ok := below[r.Key]; ok && m.Node != 0 && b.Node == m.Node && b.Kind == m.Kind && b.Shared == m.Shared {
			m.Off = b.Off
			var c codec
			m.code(&c)
			records[i].Words = c.w
		}
	}
}

// Lose changes a kernel that Restore has just made. It returns the new numbers of
// threads by their old ones.
func (k *Kernel) Lose(l *Loss) (renumbered map[int32]int32) {
	for _, t := range k.threads {
		t.lose(l)
	}
	for _, p := range k.procs {
		p.lose(l)
	}
	k.loseFiles(l)
	k.noBarrier = l.Barrier
	if l.Zombies {
		k.procs = slices.DeleteFunc(k.procs, func(p *Process) bool { return p.dead })
	}
	if l.TIDs {
		return k.renumber()
	}
	return nil
}

func (t *Thread) lose(l *Loss) {
	if l.Pending {
		t.queue = nil
	}
	if l.Mask {
		t.mask = 0
	}
	if l.AltStack {
		t.alt = AltStack{Flags: ssDisable}
	}
	if l.Waits {
		t.wait = nil
	}
	if l.Counts && t.wait != nil {
		w := *t.wait
		w.moved, w.messages = 0, 0
		t.wait = &w
	}
	if l.RobustList {
		t.robust = [2]uint64{}
	}
}

func (p *Process) lose(l *Loss) {
	if l.Pending {
		p.queue = nil
	}
	if l.Dispositions {
		p.actions = [NSIG]Action{}
	}
	if l.Timers {
		p.timers = nil
	}
}

// loseFiles loses what belongs to descriptors.
func (k *Kernel) loseFiles(l *Loss) {
	for d := range k.files.descs.all() {
		if l.Offsets && d.kind == FDNode {
			d.off = 0
		}
		if l.Watches {
			d.watches, k.files.watchers = watchSet{}, watchers{}
		}
	}
	seen := map[int]bool{}
	for _, p := range k.procs {
		for s := range p.slots.all() {
			d := k.files.desc(s.desc)
			if l.Sharing && d.kind == FDNode && seen[d.id] {
				k.split(s, d)
			}
			seen[s.desc] = true
		}
		if l.HighestFD && p.slots.n > 3 {
			s := p.slots.last()
			k.files.desc(s.desc).refs--
			p.slots.remove(s.num)
		}
	}
}

// split gives a descriptor an open file of its own.
func (k *Kernel) split(s *slot, d *desc) {
	own := *d
	d.refs--
	own.id, own.refs, own.off = k.newID(), 1, 0
	k.FS.Ref(own.node)
	k.files.list(k.files.descs.insert(own))
	s.desc = own.id
}

// renumber gives all threads but the first of each process new numbers.
func (k *Kernel) renumber() map[int32]int32 {
	moved := map[int32]int32{}
	for _, t := range slices.Clone(k.threads) {
		if t.tid == t.proc.pid {
			continue
		}
		i := slices.Index(k.threads, t)
		k.threads = slices.Delete(k.threads, i, i+1)
		was := t.tid
		t.tid = k.newTID()
		moved[was] = t.tid
		k.threads = append(k.threads, t)
		if was == k.sys.current {
			k.sys.current = t.tid
		}
	}
	k.setCurrent()
	return moved
}
