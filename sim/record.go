package sim

import (
	"bytes"
	"fmt"
	"maps"

	"zhuque/cachemodel"
	"zhuque/cachemodel/worlds"
	"zhuque/sim/kernel"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// Observer is told where a machine that is explored could lose power with another
// outcome than before. It may take what is Left, and must not change the machine.
type Observer interface {
	// Look is a crash point: what it leaves holds all that a cut since the last Look
	// could have left. acked is how many acknowledgements the world outside had by then.
	Look(m *Machine, left *Left)
	// Acknowledged comes after an acknowledgement: a call that wrote lines to standard
	// output, or zhuque_mark.
	Acknowledged(m *Machine, a Ack)
}

// Ack is an acknowledgement.
type Ack struct {
	N     int    // from 1
	Mark  bool   // by zhuque_mark, with the number
	Of    uint64 // Mark: its argument
	Lines int    // written by the call
}

// Left is what a power cut would leave of a machine: a Durable, in whose memory the
// open lines are not decided.
type Left struct {
	Durable *Durable
	Acked   int
	At      uint64 // instructions retired
	Told    int    // events that had been told, see Machine.Tell
	Acts    bool   // the next one was under way
	memory  *worlds.Memory
	cut     bool // memory is as a cut leaves it
	sites   Sites
	open    map[phys.Frame]struct{} // frames that the cut before did not leave decided; nil for none
}

// Digest is equal for what leaves the same memories, but for the file tree.
func (l *Left) Digest() [2]uint64 { return l.memory.Digest() }

// NaiveLog10 is the power of ten of how many memories there are.
func (l *Left) NaiveLog10() float64 { return l.memory.NaiveLog10() }

// record is what a machine that is explored remembers of the persistent memory of files.
type record struct {
	m       *Machine   // nil while it is being started
	pmem    *mem.Store // then: the memory that it will have
	memory  *worlds.Memory
	open    map[phys.Frame]struct{} // frames that the last cut did not leave decided; never changed
	watches []coreWatch
	to      Observer

	acked   int
	restart bool   // after a cut: what the machine says acknowledges nothing of the program's
	before  *Left  // of the call in flight, where it may have to be looked at
	changes uint64 // of files when the call in flight began
	lines   int    // of standard output then

	ours       map[phys.Frame]bool // whether a frame is of a file in the persistent memory; never changes
	notStarted error               // why there is no machine

	beside uint64 // stores to mappings of other files

	tell  func(*Event)     // nil: nobody is told
	told  int              // events
	acts  bool             // an event is about to be told
	races *races           // nil: not looked for
	waste map[Waste]uint64 // nil: not counted
	adr   bool             // a fence that completes no flush is one for nothing

	retry     *Machine // the machine as it was before the call in flight, nil in user mode
	undecided []worlds.Choice
	site      worlds.Site // of the load that asked
	pc        uint64      // its address
	sites     Sites
}

// Sites numbers the instruction at pc, at which an explored machine stores, loads, flushes
// or fences; the numbers come back in what worlds.Memory says of causes. It must not
// change the machine.
type Sites func(m *Machine, pc uint64) worlds.Site

// NumberSites says who numbers the instructions of an explored machine and of all that
// follow from it; without, their addresses are their numbers.
func (m *Machine) NumberSites(s Sites) { m.rec.sites = s }

// Waste is an instruction that orders or writes back what needs it not.
type Waste struct {
	Kind WasteKind
	Site worlds.Site
}

// WasteKind says why.
type WasteKind uint8

// What flushes and fences can be wasted on.
const (
	FlushedTwice    WasteKind = iota // nothing was stored since the last flush, which waits for a fence
	FlushedClean                     // nothing was stored since it was guaranteed
	FencedNothing                    // no line got a guarantee
	NeverGuaranteed                  // a store that no flush and fence made durable until the end
	NotCombined                      // flushed and fenced alone, and stored to again before anything else was: one flush would have done
)

func (k WasteKind) String() string {
	return [...]string{"flushed twice", "flushed clean", "fence for nothing", "never durable", "not combined"}[k]
}

// Wasted returns how often each instruction of an explored machine was wasted, with the
// stores that are not durable now.
func (m *Machine) Wasted() map[Waste]uint64 {
	all := maps.Clone(m.rec.waste)
	m.rec.memory.Unguaranteed(func(_ phys.LineAddr, s worlds.Ref, _ worlds.Missing) {
		all[Waste{NeverGuaranteed, s.Site}]++
	})
	return all
}

// source shows the engine the bytes of a memory.
type source struct{ pmem *mem.Store }

// ReadLine implements worlds.Source.
func (s source) ReadLine(l phys.LineAddr, dst *[phys.LineSize]byte) {
	lines{pmem: s.pmem}.ReadLine(l, dst)
}

// Explore has a machine record what power cuts may leave of the files in persistent
// memory, from here on, and tell of it. Its runtime is none.
func (m *Machine) Explore(domain worlds.Domain, to Observer) {
	if m.rt != nil {
		panic("BUG: exploring under a runtime")
	}
	cfg := worlds.Config{Domain: domain, Cores: len(m.cores), Keep: true} // so that looks can be joined
	if domain == worlds.EADR {
		cfg.StoreBuffer = int(m.cfg.Cache.StoreBuffer)
	}
	m.record(worlds.New(cfg, source{m.durable.PMEM}), nil, to, 0)
	m.rec.waste, m.rec.adr = map[Waste]uint64{}, domain == worlds.ADR
}

// record makes the machine's accesses go to a memory.
func (m *Machine) record(memory *worlds.Memory, open map[phys.Frame]struct{}, to Observer, acked int) {
	r := &record{m: m, memory: memory, open: open, to: to, acked: acked, ours: map[phys.Frame]bool{}}
	m.rec = r
	memory.Look = nil
	if to != nil {
		memory.Look = r.look
	}
	r.watches = make([]coreWatch, len(m.cores))
	for i := range m.cores {
		r.watches[i] = coreWatch{r: r, core: i}
		m.cores[i].port.Watch(&r.watches[i], vfs.FrameBase)
		m.cores[i].cpu.Mark = r.mark
	}
	m.durable.PMEM.SetGuard(r)
	m.durable.Files.SetCaches(r)
}

// fork gives a fork of the machine its record.
func (r *record) fork(m *Machine) {
	m.record(r.memory.Fork(source{m.durable.PMEM}), r.open, r.to, r.acked)
	m.rec.restart, m.rec.sites = r.restart, r.sites
}

// left is what a power cut would leave now.
func (r *record) left() *Left {
	d := r.m.PowerOff()
	return &Left{Durable: d, Acked: r.acked, At: r.m.cpu.Retired, memory: r.memory.Fork(source{d.PMEM}), open: r.open, sites: r.sites, Told: r.told, Acts: r.acts}
}

func (r *record) look() { r.to.Look(r.m, r.left()) }

// Pick chooses one of the ways in which a load can come out.
type Pick func([]worlds.Choice) int

// RestartLeft is Restart of what is Left, with every memory that it may be: see
// Machine.Split. to is told of looks at the new machine, nil for nobody. There are several
// machines where what is undecided decides how they start, because the program is in an
// open page; with pick there is one. One whose program cannot be started is NotStarted, and
// only its Worlds and Acked may be asked for.
func RestartLeft(l *Left, cfg *Config, p Program, to Observer, blocks *Machine, pick Pick) []*Machine {
	memory := l.memory.Fork(source{l.Durable.PMEM})
	if !l.cut {
		memory = l.memory.Cut(source{l.Durable.PMEM}, worlds.Open)
	}
	return l.restart(memory, cfg, p, to, blocks, pick)
}

// RestartOff is RestartLeft after an orderly shutdown, which loses nothing: what an
// earlier cut left undecided is so still.
func RestartOff(l *Left, cfg *Config, p Program, blocks *Machine, pick Pick) []*Machine {
	return l.restart(l.memory.Fork(source{l.Durable.PMEM}), cfg, p, nil, blocks, pick)
}

// Where names a line of memory as FILE+OFFSET, "" where no file has it.
func (l *Left) Where(line phys.LineAddr) (name string) {
	fs, f := l.Durable.Files, line.Addr().Frame()
	fs.EachFrame(func(id vfs.NodeID, index uint64, at phys.Frame) bool {
		if at == f {
			path, _ := fs.Path(id)
			name = fmt.Sprintf("%s+%#x", path, index*phys.PageSize+uint64(line.Addr()&phys.PageMask))
		}
		return at != f
	})
	return name
}

// Joint is what several crash points of one run leave, in which the file tree is the same:
// one machine is started for all of them, and splits where a load first tells some apart.
// Its zero value has none.
type Joint struct {
	points worlds.Joiner
	last   *Left
}

// Add adds what the next crash point leaves.
func (j *Joint) Add(l *Left) {
	j.points.Add(l.memory, source{l.Durable.PMEM})
	j.last = l
}

// AddPersisted adds what is left where a cut loses nothing.
func (j *Joint) AddPersisted(l *Left) {
	j.points.Add(l.memory.Persisted(source{l.Durable.PMEM}), source{l.Durable.PMEM})
	j.last = l
}

// Len returns how many crash points there are.
func (j *Joint) Len() int { return j.points.Len() }

// Left is what all of them leave, with the clock of the last one.
func (j *Joint) Left() *Left {
	l := *j.last
	l.memory, l.cut = j.points.Memory(source{l.Durable.PMEM}), true
	return &l
}

// LeftAt is what one of them leaves, by its number from 0. The memory that comes with it is
// that of the last one: in all pages with lines that differ it has to be decided.
func (j *Joint) LeftAt(k int) *Left {
	l := j.Left()
	l.open = map[phys.Frame]struct{}{}
	for _, line := range l.memory.OpenLines() {
		l.open[line.Addr().Frame()] = struct{}{}
	}
	l.memory.AtPoint(k)
	return l
}

// durable is a copy for one machine.
func (l *Left) durable() *Durable {
	d := *l.Durable
	d.PMEM, d.Files = l.Durable.PMEM.Fork(), l.Durable.Files.Fork()
	if l.Durable.world != nil {
		d.world = l.Durable.world.Fork(true)
	}
	return &d
}

// SetConsole says what is outside the machine that is started next.
func (d *Durable) SetConsole(c *kernel.Console) { d.world = c }

// restart starts a machine for each way in which what it loads before its first instruction
// can come out.
func (l *Left) restart(memory *worlds.Memory, cfg *Config, p Program, to Observer, blocks *Machine, pick Pick) (all []*Machine) {
	for todo := []*worlds.Memory{memory}; len(todo) > 0; {
		memory = todo[len(todo)-1]
		todo = todo[:len(todo)-1]
		m, choices := l.start(memory, cfg, p, to, blocks)
		switch {
		case choices == nil:
			all = append(all, m)
			continue
		case pick != nil:
			i := pick(choices)
			choices = choices[i : i+1]
		}
		for i := len(choices) - 1; i >= 0; i-- { // the first one comes out first
			f := memory.Fork(source{l.Durable.PMEM})
			f.Narrow(choices[i], 0)
			todo = append(todo, f)
		}
	}
	return all
}

// start starts one machine, or returns the choices of a load on the way.
func (l *Left) start(memory *worlds.Memory, cfg *Config, p Program, to Observer, blocks *Machine) (m *Machine, choices []worlds.Choice) {
	d := l.durable()
	memory = memory.Fork(source{d.PMEM})
	open := map[phys.Frame]struct{}{}
	for _, line := range memory.OpenLines() {
		open[line.Addr().Frame()] = struct{}{}
	}
	for f := range l.open {
		decide(f, memory, d.PMEM)
	}
	d.PMEM.SetGuard(&record{memory: memory, open: open, pmem: d.PMEM})
	defer func() {
		switch u := recover().(type) {
		case nil:
		case *mem.Undecided:
			choices = u.Choices.([]worlds.Choice)
		default:
			panic(u)
		}
	}()
	m, err := Restart(d, cfg, nil, p, blocks)
	if err != nil { // as a cut may have left the program
		return &Machine{rec: &record{memory: memory, acked: l.Acked, notStarted: err}}, nil
	}
	m.record(memory, open, to, l.Acked)
	m.rec.restart, m.rec.sites = true, l.sites
	return m, nil
}

// decide puts those lines of a frame into memory that loads have decided since it was left
// open.
func decide(f phys.Frame, memory *worlds.Memory, pmem *mem.Store) {
	var b [phys.LineSize]byte
	for off := phys.Addr(0); off < phys.PageSize; off += phys.LineSize {
		a := f.Addr() + off
		if memory.Open(a.Line()) || memory.Read(0, a, b[:]) != nil {
			continue
		}
		if !bytes.Equal(pmem.Raw(f)[off:][:phys.LineSize], b[:]) {
			copy(pmem.WritablePage(f)[off:], b[:])
		}
	}
}

// Undecided reports how many ways the load can come out at which a machine has
// stopped with that Reason.
func (m *Machine) Undecided() int { return len(m.rec.undecided) }

// Split takes a machine that has stopped with the Reason Undecided, and returns the
// machines that go on in its place, one for each way in which the load can come out,
// in the order in which to try them. m must not be used any more.
func (m *Machine) Split() []*Machine {
	r, from := m.rec, m
	if r.retry != nil {
		from = r.retry
	}
	all := make([]*Machine, len(r.undecided))
	for i := range all {
		all[i] = from
		if i < len(all)-1 {
			all[i] = from.Fork()
		}
	}
	for i, c := range r.undecided {
		all[i].rec.memory.Narrow(c, r.site)
	}
	from.rec.undecided, from.rec.retry = nil, nil
	return all
}

// Choices are the ways in which the load can come out at which a machine has stopped.
func (m *Machine) Choices() []worlds.Choice { return m.rec.undecided }

// Asking is the address of the load at which a machine has stopped with the Reason Undecided.
func (m *Machine) Asking() uint64 { return m.rec.pc }

// Take is Split for one of the ways alone.
func (m *Machine) Take(i int) *Machine {
	r, from := m.rec, m
	if r.retry != nil {
		from = r.retry
	}
	from.rec.memory.Narrow(r.undecided[i], r.site)
	from.rec.undecided, from.rec.retry = nil, nil
	return from
}

// Worlds returns the machine's record, nil where it is not explored.
func (m *Machine) Worlds() *worlds.Memory {
	if m.rec == nil {
		return nil
	}
	return m.rec.memory
}

// Beside returns how many stores an explored machine has made to shared mappings of files that
// are not in the persistent memory; they are taken as durable at once.
func (m *Machine) Beside() uint64 { return m.rec.beside }

// NotStarted says why a machine of RestartLeft or RestartOff could not be started, nil if it was.
func (m *Machine) NotStarted() error {
	if m.rec == nil {
		return nil
	}
	return m.rec.notStarted
}

// Acked returns how many acknowledgements an explored machine, or the one before the
// power cut, has made.
func (m *Machine) Acked() int { return m.rec.acked }

// Left returns what a power cut would leave of an explored machine now.
func (m *Machine) Left() *Left { return m.rec.left() }

// address is that of the instruction that is being executed.
func (r *record) address() uint64 {
	if c := r.m.call; c != nil {
		return c.Reissue
	}
	return r.m.cpu.At()
}

// at names the instruction that is being executed.
func (r *record) at() worlds.Site {
	pc := r.address()
	if r.sites != nil {
		return r.sites(r.m, pc)
	}
	return worlds.Site(pc)
}

// undecide is what stops a load that can come out in several ways.
func (r *record) undecide(a phys.Addr, c []worlds.Choice) {
	panic(&mem.Undecided{Addr: a, Choices: c})
}

// Open implements mem.Guard.
func (r *record) Open(f phys.Frame) bool {
	_, ok := r.open[f]
	return ok
}

// Settle implements mem.Guard: the bytes are loaded line by line.
func (r *record) Settle(f phys.Frame, off, n int) {
	pmem, id := r.pmem, 0
	if r.m != nil {
		pmem, id = r.m.durable.PMEM, r.m.id
	}
	var b [phys.LineSize]byte
	for end := off + n; off < end; {
		part := b[:min(end-off, phys.LineSize-off%phys.LineSize)]
		if c := r.memory.Read(id, f.Addr()+phys.Addr(off), part); c != nil {
			r.undecide(f.Addr()+phys.Addr(off), c)
		}
		if now := pmem.Raw(f)[off:][:len(part)]; !bytes.Equal(now, part) {
			copy(pmem.WritablePage(f)[off:], part)
		}
		off += len(part)
	}
}

// Overwrite implements vfs.Caches: a write past the cores.
func (r *record) Overwrite(a phys.Addr, data []byte) {
	r.act()
	r.memory.Write(a, data, r.at())
	if r.tell != nil {
		r.event(&Event{Kind: WrittenEvent, Core: r.m.id, Line: a.Line()})
	}
}

// WriteBack implements vfs.Caches: what was stored to the frame is durable.
func (r *record) WriteBack(f phys.Frame) {
	for l := f.Addr().Line(); l < (f + 1).Addr().Line(); l++ {
		r.memory.Access(r.m.id, l)
		r.act()
		r.memory.Flush(r.m.id, l, worlds.CLWB, r.at())
		if r.tell != nil {
			r.event(&Event{Kind: FlushEvent, Core: r.m.id, Line: l, Flush: cachemodel.CLWB})
		}
	}
	r.act()
	r.memory.Fence(r.m.id, worlds.SFENCE, r.at())
	if r.tell != nil {
		r.event(&Event{Kind: FenceEvent, Core: r.m.id, Fence: cachemodel.SFENCE})
	}
}

// mark is zhuque_mark.
func (r *record) mark(n uint64) {
	if r.to == nil || r.restart {
		return
	}
	if r.memory.Fresh() {
		r.memory.Looked()
	}
	r.acknowledge(Ack{Mark: true, Of: n})
}

// effect notes that something is seen outside of the memory: what was durable had to be.
func (r *record) effect() {
	for i := range r.watches {
		r.watches[i].alone = alone{}
	}
}

func (r *record) acknowledge(a Ack) {
	r.effect()
	r.acked++
	r.memory.Changed()
	a.N = r.acked
	r.to.Acknowledged(r.m, a)
}

// enter is told of a call that comes next: in it a load may have to be decided, or a file
// may change.
func (r *record) enter(c *Call) {
	if len(r.open) > 0 {
		r.retry = r.m.Fork()
		r.retry.cpu.RIP, r.retry.cpu.Retired = c.Reissue, c.Retired
	}
	if r.to == nil {
		return
	}
	r.changes, r.lines = r.m.durable.Files.Changes(), r.shown()
	if r.memory.Fresh() {
		r.before = r.left()
	}
}

// shown counts the lines of standard output.
func (r *record) shown() int {
	out, _ := r.m.Output()
	return bytes.Count(out, []byte{'\n'})
}

// leave is told that the call is over.
func (r *record) leave() {
	r.retry = nil
	if r.to == nil {
		return
	}
	wrote := r.shown() - r.lines
	if r.restart {
		wrote = 0
	}
	changed := r.m.durable.Files.Changes() != r.changes
	if (changed || wrote > 0) && r.before != nil {
		r.to.Look(r.m, r.before)
	}
	r.before = nil
	if changed {
		r.effect()
		r.memory.Changed()
	}
	if wrote > 0 {
		r.acknowledge(Ack{Lines: wrote})
	}
}

// inCall runs f, in which a load may be undecided.
func (r *record) inCall(f func()) (stop Stop) {
	defer func() {
		switch u := recover().(type) {
		case nil:
		case *mem.Undecided:
			stop = r.stop(u)
		default:
			panic(u)
		}
	}()
	f()
	return Stop{Reason: Reached}
}

// stop makes a load that is undecided a reason to stop.
func (r *record) stop(u *mem.Undecided) Stop {
	r.undecided, r.site, r.pc = u.Choices.([]worlds.Choice), r.at(), r.address()
	return Stop{Reason: Undecided}
}

// coreWatch is the way of one core's accesses to the record.
type coreWatch struct {
	r    *record
	core int

	frame phys.Frame // of the last store or flush
	ours  bool       // of that one: see mine

	flushes int   // of dirty lines since the last fence
	last    alone // the last of them
	alone   alone // the line that the last fence made durable, where it was one alone
}

// alone is a flush of a line; without a site there is none.
type alone struct {
	line phys.LineAddr
	site worlds.Site
}

// mine reports whether a frame is of a file in the persistent memory. What mappings of other
// files store is taken as durable, as writes through calls are.
func (w *coreWatch) mine(f phys.Frame) bool {
	if f == w.frame {
		return w.ours
	}
	yes, ok := w.r.ours[f]
	if !ok {
		fs := w.r.m.durable.Files
		fs.EachFrame(func(id vfs.NodeID, _ uint64, at phys.Frame) bool {
			yes = at == f && fs.Mount(id) == vfs.PMEMMount
			return at != f
		})
		w.r.ours[f] = yes
	}
	w.frame, w.ours = f, yes
	return yes
}

// combine notes what flushes could have been one: a line that was flushed and fenced alone,
// and is flushed again with nothing stored elsewhere, and nothing acknowledged, in between.
// Stores of one line persist in their order without a fence.
func (w *coreWatch) combine(l phys.LineAddr, effect worlds.FlushEffect) {
	if effect != worlds.FlushDirty || len(w.r.watches) > 1 {
		return
	}
	if w.alone.site != 0 && w.alone.line == l {
		w.r.waste[Waste{NotCombined, w.alone.site}]++
	}
	w.flushes++
	w.alone, w.last = alone{}, alone{l, w.r.at()}
}

// Loads implements mem.Watch.
func (w *coreWatch) Loads(f phys.Frame) bool {
	return len(w.r.watches) > 1 || w.r.races != nil || w.r.Open(f)
}

// Load implements mem.Watch.
func (w *coreWatch) Load(a phys.Addr, dst []byte) {
	w.r.memory.Access(w.core, a.Line())
	if w.r.races != nil {
		w.r.races.load(w, a, len(dst))
	}
	if !w.r.Open(a.Frame()) {
		copy(dst, w.r.m.durable.PMEM.Raw(a.Frame())[a&phys.PageMask:])
		return
	}
	if c := w.r.memory.Read(w.core, a, dst); c != nil {
		w.r.undecide(a, c)
	}
}

// Store implements mem.Watch.
func (w *coreWatch) Store(a phys.Addr, data []byte) {
	if !w.mine(a.Frame()) {
		w.r.beside++
		return
	}
	w.access(a, data)
	if w.r.races != nil {
		w.r.races.store(w, a)
	}
	if a.Line() != w.alone.line {
		w.alone = alone{}
	}
	w.r.act()
	w.r.memory.Store(w.core, a, data, w.r.at())
	if w.r.tell != nil {
		w.r.event(&Event{Kind: StoreEvent, Core: w.core, Addr: a, Data: data})
	}
}

// NTStore implements mem.Watch.
func (w *coreWatch) NTStore(a phys.Addr, data []byte) {
	if !w.mine(a.Frame()) {
		w.r.beside++
		return
	}
	w.access(a, data)
	w.alone = alone{}
	w.r.act()
	w.r.memory.NTStore(w.core, a, data, w.r.at())
	if w.r.tell != nil {
		w.r.event(&Event{Kind: NTStoreEvent, Core: w.core, Addr: a, Data: data})
	}
}

func (w *coreWatch) access(a phys.Addr, data []byte) {
	w.r.memory.Access(w.core, a.Line())
	if last := a + phys.Addr(len(data)) - 1; last.Line() != a.Line() {
		w.r.memory.Access(w.core, last.Line())
	}
}

// Flush implements mem.Watch.
func (w *coreWatch) Flush(l phys.LineAddr, k cachemodel.FlushKind) {
	if !w.mine(l.Addr().Frame()) {
		return
	}
	w.r.memory.Access(w.core, l)
	w.r.act()
	effect := w.r.memory.Flush(w.core, l, worlds.FlushKind(k), w.r.at())
	if w.r.tell != nil {
		w.r.event(&Event{Kind: FlushEvent, Core: w.core, Line: l, Flush: k})
	}
	if w.r.races != nil && k == cachemodel.CLFLUSH {
		w.r.races.settle(w.r)
	}
	if w.r.waste != nil {
		w.combine(l, effect)
	}
	switch {
	case w.r.waste == nil || effect == worlds.FlushDirty:
	case effect == worlds.FlushedOnce:
		w.r.waste[Waste{FlushedTwice, w.r.at()}]++
	default:
		w.r.waste[Waste{FlushedClean, w.r.at()}]++
	}
}

// Fence implements mem.Watch.
func (w *coreWatch) Fence(k cachemodel.FenceKind) {
	w.r.act()
	lines := w.r.memory.Fence(w.core, worlds.FenceKind(k), w.r.at())
	if w.r.tell != nil {
		w.r.event(&Event{Kind: FenceEvent, Core: w.core, Fence: k})
	}
	if w.r.races != nil {
		w.r.races.settle(w.r)
	}
	if w.alone = (alone{}); lines == 1 && w.flushes == 1 {
		w.alone = w.last
	}
	w.flushes = 0
	if lines == 0 && w.r.waste != nil && k == cachemodel.SFENCE && w.r.adr {
		w.r.waste[Waste{FencedNothing, w.r.at()}]++
	}
}

var _ = [1]struct{}{}[int(cachemodel.Interrupt)-int(worlds.Interrupt)] // the kinds have the same numbers
var _ = [1]struct{}{}[int(cachemodel.CLWB)-int(worlds.CLWB)]
var _ mem.Guard = (*record)(nil)
var _ vfs.Caches = (*record)(nil)
