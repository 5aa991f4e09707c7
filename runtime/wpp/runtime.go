package wpp

import (
	"encoding/binary"
	"fmt"
	"slices"

	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// Runtime is the volatile part of the Zhuque runtime of one process.
type Runtime struct {
	bug        Mutant
	call       uint64 // number of the last call begun
	generation uint64
	recovering bool

	recoveryRead uint64 // bytes

	table table

	spent Spent

	writeBack bool            // see WriteBack
	lines     []phys.LineAddr // stored to since the last fence, where they are to be written back

	log  []update // of the call being committed; kept for its capacity
	late []update // what the mutant PipeBytesLate writes after the commit
}

// update is one word of the image that a call changes.
type update struct{ off, value uint64 }

// New returns the runtime for a process that is about to start or recover, with
// a deliberate defect when mutant is not empty.
func New(mutant string) (*Runtime, error) {
	bug, err := FindMutant(mutant)
	if err != nil {
		return nil, err
	}
	return &Runtime{bug: bug}, nil
}

// Fork implements sim.Runtime.
func (r *Runtime) Fork() sim.Runtime {
	c := *r
	c.table = r.table.fork()
	c.log, c.late, c.lines = nil, nil, slices.Clone(r.lines)
	return &c
}

// Owned implements sim.Runtime.
func (r *Runtime) Owned() (lo, hi phys.Frame) { return phys.PMEMBase.Frame(), DataBase.Frame() }

// SaveLines implements sim.Runtime: the save area of each thread that a core holds, the
// words of the cores, and the call area.
func (r *Runtime) SaveLines(m *sim.Machine) int {
	threads := 0
	for i := range m.Cores() {
		if tid, _ := m.Held(i); tid != 0 {
			threads++
		}
	}
	const words = phys.LineSize / 8
	return max(threads, 1)*((frameWords*8+threadFrame)/phys.LineSize) + (m.Cores()+words-1)/words + 1
}

// peek reads a word of the image without going through the cache model.
func peek(s *mem.Store, off uint64) uint64 {
	a := phys.PMEMBase + phys.Addr(off)
	return binary.LittleEndian.Uint64(s.ReadPage(a.Frame())[a&phys.PageMask:])
}

// Start implements sim.Runtime: it writes the first image. The process is
// recoverable from the moment its generation is published.
func (r *Runtime) Start(m *sim.Machine) error {
	r.plant(m)
	r.table = newTable(0)
	for i, w := range staticWords(m) {
		r.put(m, sbMagic+8*uint64(i), w)
	}
	if err := r.collect(m, keys(m)); err != nil {
		return err
	}
	for _, rec := range r.log {
		r.put(m, rec.off, rec.value)
	}
	r.put(m, sbShutdowns, m.Durable().DirtyShutdowns)
	r.fence(m)
	r.generation = 1
	r.put(m, sbGeneration, r.generation)
	r.fence(m)
	return nil
}

// keys returns the keys of all records, and the kernel counts none as changed any more.
func keys(m *sim.Machine) []kernel.Key {
	var list []kernel.Key
	for _, rec := range m.Kernel().Records() {
		list = append(list, rec.Key)
	}
	m.Kernel().TakeDirty()
	return list
}

// plant gives the file tree the defect that is not the runtime's own.
func (r *Runtime) plant(m *sim.Machine) {
	if r.bug.FramesInPlace {
		m.Durable().Files.WriteInPlace()
	}
}

// staticWords returns the superblock's checked part.
func staticWords(m *sim.Machine) (w [5]uint64) {
	w = [5]uint64{magic, version, programID(m.Config()), uint64(m.Cores())}
	w[4] = checksum(w[:4]...)
	return w
}

// Call implements sim.Runtime.
func (r *Runtime) Call(m *sim.Machine, c *sim.Call) kernel.Outcome {
	if r.call == maxCounter {
		return kernel.Outcome{Unsupported: &x86.Unsupported{What: "more system calls than the persistent image can number",
			RIP: c.Reissue}}
	}
	r.call++
	begun := r.clock(m)
	r.saveEntry(m, c)
	r.spent.add(&r.spent.Entry, begun, r.clock(m))
	m.Durable().Files.BeginCall(r.call)
	out := m.Dispatch(c)
	begun = r.clock(m)
	if out.Stops() {
		if err := m.Kernel().Release(); err != nil && out.Err == nil {
			out.Err = err
		}
		return out
	}
	if err := r.collect(m, m.Kernel().TakeDirty()); err != nil {
		return kernel.Outcome{Unsupported: &x86.Unsupported{What: err.Error(), RIP: c.Reissue}}
	}
	for _, w := range m.Kernel().TakeInOut() {
		r.inOut(m, w)
	}
	if len(r.log) > maxLogRecords {
		return kernel.Outcome{Unsupported: &x86.Unsupported{What: fmt.Sprintf("one call changes %d words of tables and of its own arguments, the redo log holds %d", len(r.log), maxLogRecords), RIP: c.Reissue}}
	}
	begun = r.spent.add(&r.spent.Tables, begun, r.clock(m))
	r.saveResult(m, c, out.Again)
	begun = r.spent.add(&r.spent.Result, begun, r.clock(m))
	r.commit(m)
	if err := m.Kernel().Release(); err != nil {
		out.Err = err
	}
	r.apply(m)
	m.BeforeReturn()
	r.spent.add(&r.spent.Tables, begun, r.clock(m))
	return out
}

// saveEntry stores the kernel-entry copy of the registers, the vector and x87
// state only where the call is going to change it. Its call number comes last.
func (r *Runtime) saveEntry(m *sim.Machine, c *sim.Call) {
	var f frame
	words := f[:entryWords]
	if c.Kind == sim.Exception || c.Kind == sim.Signal || kernel.SetsAllRegisters(c.Entry.R[x86.RAX]) {
		words = f[:]
		f.encode(&c.Entry)
	} else {
		f.encodeEntry(&c.Entry)
	}
	for i, w := range words {
		r.put(m, saveEntry+16+8*uint64(i), w)
	}
	r.put(m, saveEntrySum, entrySum(r.call, words))
	r.put(m, saveEntry+8, uint64(len(words)))
	r.put(m, saveEntry, guarded(r.call))
}

func entrySum(call uint64, words []uint64) uint64 {
	var s sum
	s.add(call, uint64(len(words)))
	s.add(words...)
	return s.value()
}

func resultSum(call, kind uint64, words []uint64) uint64 {
	var s sum
	s.add(call, kind)
	s.add(words...)
	return s.value()
}

// saveResult stores what the call left in the registers.
func (r *Runtime) saveResult(m *sim.Machine, c *sim.Call, again bool) {
	if again {
		r.put(m, saveResult, resultAgain)
		r.put(m, saveResultSum, resultSum(r.call, resultAgain, nil))
		return
	}
	var now x86.State
	m.CPU().SaveState(&now)
	result := now.R[x86.RAX]
	now.R[x86.RAX] = c.Entry.R[x86.RAX]
	var f frame
	kind, words := uint64(resultRAX), f[:1]
	if now == c.Entry {
		f[0] = result
	} else {
		kind, words = resultFull, f[:]
		now.R[x86.RAX] = result
		f.encode(&now)
	}
	r.put(m, saveResult, kind)
	for i, w := range words {
		r.put(m, saveResult+8+8*uint64(i), w)
	}
	r.put(m, saveResultSum, resultSum(r.call, kind, words))
}

// commit writes the redo log and publishes the call.
func (r *Runtime) commit(m *sim.Machine) {
	if len(r.log) > 0 && !r.bug.InPlace {
		var s sum
		s.add(r.call, uint64(len(r.log)))
		for i, rec := range r.log {
			r.put(m, logRecords+16*uint64(i), rec.off)
			r.put(m, logRecords+16*uint64(i)+8, rec.value)
			s.add(rec.off, rec.value)
		}
		r.put(m, logCount, uint64(len(r.log)))
		r.put(m, logChecksum, s.value())
		r.put(m, logCall, guarded(r.call))
		r.fence(m)
	}
	if r.bug.InPlace {
		r.apply(m)
	}
	r.writeBackFence(m)
	r.put(m, sbCommitted, guarded(r.call))
	m.Committed()
	r.fence(m)
	for _, rec := range r.late {
		r.put(m, rec.off, rec.value)
	}
	r.late = r.late[:0]
}

// apply puts the committed records in place.
func (r *Runtime) apply(m *sim.Machine) {
	if len(r.log) == 0 {
		return
	}
	for _, rec := range r.log {
		r.put(m, rec.off, rec.value)
	}
	r.fence(m)
	r.put(m, sbApplied, guarded(r.call))
	r.writeBackFence(m)
	r.log = r.log[:0]
}

// set records that a word of the tables gets a new value.
func (r *Runtime) set(m *sim.Machine, off, v uint64) {
	if peek(m.Durable().PMEM, off) != v {
		r.log = append(r.log, update{off, v})
	}
}

// inOut records a result that the call writes over its own argument.
func (r *Runtime) inOut(m *sim.Machine, w kernel.InOut) {
	for i, b := range w.Data {
		at := uint64(w.At-phys.PMEMBase) + uint64(i)
		off, shift := at&^7, at&7*8
		n := slices.IndexFunc(r.log, func(rec update) bool { return rec.off == off })
		if n < 0 {
			n = len(r.log)
			r.log = append(r.log, update{off, peek(m.Durable().PMEM, off)})
		}
		r.log[n].value = r.log[n].value&^(0xff<<shift) | uint64(b)<<shift
	}
}

// collect turns what a call changed in the kernel into updates, and stores the
// registers of threads that it made.
func (r *Runtime) collect(m *sim.Machine, changed []kernel.Key) error {
	r.log = r.log[:0]
	for _, key := range changed {
		before := len(r.log)
		if err := r.record(m, key); err != nil {
			return err
		}
		if r.bug.LateRecords && r.generation != 0 && (key.Kind == kernel.KindFD || key.Kind == kernel.KindDesc) {
			r.postpone(before)
		}
	}
	r.table.settle()
	r.set(m, sbCells, guarded(r.table.cells))
	for _, tid := range m.Kernel().TakeBorn() {
		if t := m.Kernel().Thread(tid); t != nil {
			r.storeThread(m, tid, &t.Regs)
		}
	}
	return nil
}

// area returns where a thread's save area is.
func (r *Runtime) area(tid int32) uint64 {
	at, ok := r.table.area(tid)
	if !ok {
		panic(fmt.Sprintf("BUG: thread %d has no save area", tid))
	}
	return at
}

// SwitchOut implements sim.Runtime.
func (r *Runtime) SwitchOut(m *sim.Machine, tid int32, regs *x86.State) {
	if r.bug.NoSwitchOut && peek(m.Durable().PMEM, r.area(tid)+threadID) == uint64(tid) {
		return // what it had when it was here first must do
	}
	begun := r.clock(m)
	r.storeThread(m, tid, regs)
	r.spent.add(&r.spent.Switches, begun, r.clock(m))
}

// storeThread fills a thread's save area.
func (r *Runtime) storeThread(m *sim.Machine, tid int32, regs *x86.State) {
	var f frame
	f.encode(regs)
	at := r.area(tid)
	for i, w := range f {
		if r.bug.TearSaveArea && i == tornWords {
			break
		}
		r.put(m, at+threadFrame+8*uint64(i), w)
	}
	r.put(m, at+threadID, uint64(tid))
	r.put(m, at+threadSum, threadCheck(tid, &f))
	r.writeBackFence(m)
}

func threadCheck(tid int32, f *frame) uint64 {
	var s sum
	s.add(uint64(tid))
	s.add(f[:]...)
	return s.value()
}

// PowerFail implements sim.Runtime: the power-fail handler's stores on all cores.
func (r *Runtime) PowerFail(m *sim.Machine, pm *mem.Store) {
	if r.recovering {
		return // no thread has run since the save area was filled
	}
	page := pm.WritablePage((phys.PMEMBase + saveOff).Frame())
	word := func(off, v uint64) { binary.LittleEndian.PutUint64(page[off:], v) }
	for core := range m.Cores() {
		tid, s := m.Held(core)
		if core == m.Executing() {
			r.saveCall(m, tid, &s, word)
		} else if r.bug.OthersNotSaved {
			word(saveCores+8*uint64(core), heldWord(core, r.generation, tid))
			continue
		}
		if r.bug.Registers != nil {
			r.bug.Registers(&s)
		}
		if _, live := r.table.area(tid); live {
			r.saveThread(pm, tid, &s)
		}
		word(saveCores+8*uint64(core), heldWord(core, r.generation, tid))
	}
}

// saveCall stores where the core that executes stands, which holds thread tid. In a
// call s becomes the registers at kernel entry.
func (r *Runtime) saveCall(m *sim.Machine, tid int32, s *x86.State, word func(off, v uint64)) {
	mode, reissue, sched := uint64(modeUser), uint64(0), m.Kernel().Schedule()
	if c := m.InCall(); c != nil {
		mode, reissue, sched = modeKernel, c.Reissue, c.Before
		if c.Counted {
			mode |= modeCounted
		}
		fpu := *s
		*s = c.Entry
		s.V, s.MXCSR, s.FPU = fpu.V, fpu.MXCSR, fpu.FPU
	}
	threads := uint64(uint32(tid)) | uint64(uint32(sched.Current))<<32
	word(saveMode, mode)
	word(saveCall, r.call)
	word(saveGen, r.generation)
	word(saveReissue, reissue)
	word(saveThread, threads)
	word(saveSlice, sched.Slice)
	word(saveTurns, sched.Turns)
	word(saveChecksum, checksum(mode, r.call, r.generation, reissue, threads, sched.Slice, sched.Turns))
}

// saveThread stores the registers of a thread that a core holds.
func (r *Runtime) saveThread(pm *mem.Store, tid int32, s *x86.State) {
	var f frame
	f.encode(s)
	at := phys.PMEMBase + phys.Addr(r.area(tid))
	page := pm.WritablePage(at.Frame())
	binary.LittleEndian.PutUint64(page[threadID:], uint64(tid))
	binary.LittleEndian.PutUint64(page[threadSum:], threadCheck(tid, &f))
	for i, w := range f {
		binary.LittleEndian.PutUint64(page[threadFrame+8*i:], w)
	}
}

// Complete implements sim.Runtime.
func (r *Runtime) Complete(pm *mem.Store) {
	a := phys.PMEMBase + sbComplete
	page := pm.WritablePage(a.Frame())
	binary.LittleEndian.PutUint64(page[a&phys.PageMask:], peek(pm, sbGeneration))
}

// programID identifies what runs, and on which processor: an image of another
// program, or of one that may be using instructions that this processor lacks or
// holding what it learned from CPUID, is refused.
func programID(cfg *sim.Config) uint64 {
	var s sum
	text := func(t string) {
		s.add(uint64(len(t)))
		for i := range len(t) {
			s.add(uint64(t[i]))
		}
	}
	text(cfg.Program)
	for _, a := range cfg.Args {
		text(a)
	}
	s.add(uint64(cfg.Level))
	return s.value()
}
