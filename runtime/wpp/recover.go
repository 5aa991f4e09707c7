package wpp

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"

	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// image reads the persistent tables of a PMEM, a page at a time.
type image struct {
	pmem  *mem.Store
	frame phys.Frame
	page  *mem.Page
	over  map[uint64]uint64 // words that count for others, by offset; nil for none
	read  uint64            // bytes, in all
}

func (im *image) word(off uint64) uint64 {
	if w, ok := im.over[off]; ok {
		return w
	}
	im.read += 8
	a := phys.PMEMBase + phys.Addr(off)
	if f := a.Frame(); f != im.frame {
		im.frame, im.page = f, im.pmem.ReadPage(f)
	}
	return binary.LittleEndian.Uint64(im.page[a&phys.PageMask:])
}

func (im *image) words(off uint64, w []uint64) {
	for i := range w {
		w[i] = im.word(off + 8*uint64(i))
	}
}

// counter reads a guarded word, which verify has checked.
func (im *image) counter(off uint64) uint64 {
	v, _ := counter(im.word(off))
	return v
}

func refuse(format string, a ...any) error {
	return &sim.Detected{Reason: fmt.Sprintf(format, a...)}
}

// Recover implements sim.Runtime. It changes nothing that a further restart
// would need until it publishes the next generation with its last store.
func (r *Runtime) Recover(m *sim.Machine) error {
	r.recovering = true
	r.plant(m)
	im := &image{pmem: m.Durable().PMEM}
	if err := r.verify(m, im); err != nil {
		if r.writeBack {
			return refuse("%s; %s", strings.TrimPrefix(err.Error(), "image refused: "), r.tables(im))
		}
		return err
	}
	if err := r.redo(m, im); err != nil {
		return err
	}
	im.frame = 0 // what is in it has changed
	files := m.Durable().Files
	if r.bug.KeepFiles {
		files.Resolve(im.counter(saveEntry))
	} else {
		files.Resolve(im.counter(sbCommitted))
	}
	files.ForgetRefs()
	records, err := r.records(im)
	if err != nil {
		return err
	}
	if r.bug.ForgetUnmap || r.bug.InPlace {
		records = r.disentangle(m, records)
	}
	last, err := r.callArea(im)
	if err != nil {
		return err
	}
	if r.bug.Forget != nil {
		r.bug.Forget.Damage(records)
	}
	if err := m.Kernel().Restore(records, m.Space, last.schedule); err != nil {
		return refuse("%v", err)
	}
	if err := r.registers(m, im, last); err != nil {
		return err
	}
	held, err := r.held(m, im)
	if err != nil {
		return err
	}
	m.Attach()
	if r.bug.Forget != nil {
		r.lose(m, held)
	}
	m.Load(held)
	files.Sweep()
	for _, p := range m.Kernel().Processes() {
		p.MM.Settle()
	}
	r.put(m, sbFailures, im.word(sbFailures)+1)
	r.put(m, sbShutdowns, m.Durable().DirtyShutdowns)
	r.fence(m)
	r.generation = im.word(sbGeneration) + 1
	r.put(m, sbGeneration, r.generation)
	r.fence(m)
	r.recovering, r.recoveryRead = false, im.read
	return nil
}

// Committed implements sim.Runtime.
func (r *Runtime) Committed(pmem *mem.Store) uint64 {
	im := &image{pmem: pmem}
	return im.counter(sbCommitted)
}

// RecoveryRead returns how many bytes of persistent memory the recovery read, 0 when
// there was none.
func (r *Runtime) RecoveryRead() uint64 { return r.recoveryRead }

// verify checks that the image is one, is this program's, and is whole.
func (r *Runtime) verify(m *sim.Machine, im *image) error {
	want := staticWords(m)
	var got [len(want)]uint64
	im.words(sbMagic, got[:])
	switch {
	case got[0] != magic:
		return refuse("no superblock: magic %#x", got[0])
	case got[1] != version:
		return refuse("image version %d, this runtime reads version %d", got[1], version)
	case got[4] != checksum(got[:4]...):
		return refuse("superblock: wrong checksum")
	case got[2] != want[2]:
		return refuse("the image belongs to another program, other arguments or another processor")
	case got[3] != want[3]:
		return refuse("the image belongs to a machine with %d cores, this one has %d", got[3], want[3])
	}
	for _, off := range []uint64{sbCommitted, sbApplied, sbCells, logCall, saveEntry} {
		if w := im.word(off); guarded(im.counter(off)) != w {
			return refuse("the counter at offset %#x is damaged: %#x", off, w)
		}
	}
	if r.bug.NoShutdownCheck {
		return nil
	}
	gen := im.word(sbGeneration)
	switch {
	case gen == 0:
		return refuse("the process was not live yet: the first image was not complete")
	case im.word(sbShutdowns) != m.Durable().DirtyShutdowns:
		return refuse("dirty shutdown: the count rose from %d to %d", im.word(sbShutdowns), m.Durable().DirtyShutdowns)
	case im.word(sbComplete) != gen:
		return refuse("the power-fail sequence of generation %d did not complete", gen)
	}
	return nil
}

// redo puts the records of the last committed call in place if that had not happened.
func (r *Runtime) redo(m *sim.Machine, im *image) error {
	committed := im.counter(sbCommitted)
	r.call = committed
	if r.bug.InPlace {
		return nil
	}
	words, err := im.log(committed)
	if err != nil || words == nil {
		return err
	}
	if r.bug.ClearLogFirst {
		r.put(m, sbApplied, guarded(committed))
	}
	for i := 0; i < len(words); i += 2 {
		r.put(m, words[i], words[i+1])
	}
	r.fence(m)
	r.put(m, sbApplied, guarded(committed))
	r.fence(m)
	return nil
}

// log returns the records of the last committed call as offsets and values in turn, nil
// if they are in place or there are none.
func (im *image) log(committed uint64) ([]uint64, error) {
	if im.counter(sbApplied) == committed || im.counter(logCall) != committed {
		return nil, nil
	}
	n := im.word(logCount)
	if n == 0 || n > maxLogRecords {
		return nil, refuse("redo log: %d records", n)
	}
	words := make([]uint64, 2+2*n)
	words[0], words[1] = committed, n
	im.words(logRecords, words[2:])
	if im.word(logChecksum) != checksum(words...) {
		return nil, refuse("redo log: wrong checksum")
	}
	words = words[2:]
	for i := 0; i < len(words); i += 2 {
		if off := words[i]; off%8 != 0 || off < sbCommitted || off >= 1<<phys.AddrBits-uint64(phys.PMEMBase) {
			return nil, refuse("redo log: record for offset %#x", off)
		}
	}
	return words, nil
}

// lose loses what the mutant loses; held is the threads that the cores hold.
func (r *Runtime) lose(m *sim.Machine, held []int32) {
	moved := m.Kernel().Lose(r.bug.Forget)
	key := func(tid int32) kernel.Key { return kernel.Key{Kind: kernel.KindThread, A: uint64(tid)} }
	for was, is := range moved {
		r.table.blocks[key(is)] = r.table.blocks[key(was)]
		delete(r.table.blocks, key(was))
	}
	for core, tid := range held {
		if is, ok := moved[tid]; ok {
			held[core] = is
		}
	}
}

// disentangle drops the mappings of a mutant's image that cannot be.
func (r *Runtime) disentangle(m *sim.Machine, records []kernel.Record) []kernel.Record {
	probe := m.Space()
	return slices.DeleteFunc(records, func(rec kernel.Record) bool {
		return rec.Key.Kind == kernel.KindMapping && !rec.FitsInto(probe)
	})
}

// callArea is where the core that executed stood.
type callArea struct {
	mode, call, reissue uint64
	tid                 int32
	schedule            kernel.Schedule
}

func (a *callArea) inKernel() bool { return a.mode&^modeCounted == modeKernel }

// callArea reads the call area.
func (r *Runtime) callArea(im *image) (*callArea, error) {
	gen, threads := im.word(saveGen), im.word(saveThread)
	a := &callArea{mode: im.word(saveMode), call: im.word(saveCall), reissue: im.word(saveReissue), tid: int32(uint32(threads)),
		schedule: kernel.Schedule{Current: int32(uint32(threads >> 32)),
			Slice: im.word(saveSlice), Turns: im.word(saveTurns)}}
	if r.bug.NoShutdownCheck {
		return a, nil
	}
	switch {
	case im.word(saveChecksum) != checksum(a.mode, a.call, gen, a.reissue, threads, a.schedule.Slice, a.schedule.Turns):
		return nil, refuse("call area: wrong checksum")
	case gen != im.word(sbGeneration):
		return nil, refuse("call area: of generation %d, the image is of %d", gen, im.word(sbGeneration))
	case a.mode != modeUser && !a.inKernel():
		return nil, refuse("call area: mode %d", a.mode)
	}
	return a, nil
}

// registers restores the architectural state of all threads: from their save areas,
// and for a call in flight from the kernel-entry copy and the recorded result.
func (r *Runtime) registers(m *sim.Machine, im *image, last *callArea) error {
	for _, t := range m.Kernel().Threads() {
		if err := r.thread(im, t); err != nil {
			return err
		}
	}
	if !last.inKernel() {
		return nil
	}
	call, reissue := last.call, last.reissue
	var s x86.State
	t := m.Kernel().Thread(last.tid)
	if t == nil {
		t = &kernel.Thread{} // the call ended it
	}
	s = t.Regs
	if im.counter(sbCommitted) >= call && !r.bug.IgnoreCommit {
		r.call = call
		again, err := im.result(call, &s, r.bug.DropResult)
		if err != nil {
			return err
		}
		if again {
			s.RIP = reissue
		} else if last.mode&modeCounted != 0 {
			m.CPU().Retired++
		}
	} else {
		r.call = call - 1
		if im.counter(saveEntry) == call {
			if err := im.entry(call, &s); err != nil {
				return err
			}
		}
		s.RIP = reissue
		if r.bug.SkipCall {
			s.RIP += 2 // the length of SYSCALL
		}
	}
	t.Regs = s
	return nil
}

// held returns the thread that each core held; its registers are in its save area.
func (r *Runtime) held(m *sim.Machine, im *image) ([]int32, error) {
	tids := make([]int32, m.Cores())
	for core := range tids {
		w := im.word(saveCores + 8*uint64(core))
		tids[core] = int32(uint32(w))
		if !r.bug.NoShutdownCheck && w != heldWord(core, im.word(sbGeneration), tids[core]) {
			return nil, refuse("call area: core %d did not say that it has saved its registers", core)
		}
	}
	return tids, nil
}

// thread restores a thread's registers from its save area.
func (r *Runtime) thread(im *image, t *kernel.Thread) error {
	var f frame
	at := r.area(t.TID())
	im.words(at+threadFrame, f[:])
	if !r.bug.NoShutdownCheck && !r.bug.NoAreaCheck &&
		(im.word(at+threadID) != uint64(t.TID()) || im.word(at+threadSum) != threadCheck(t.TID(), &f)) {
		return refuse("save area of thread %d: wrong checksum", t.TID())
	}
	f.decode(&t.Regs)
	return nil
}

// result lays the recorded result of the committed call over its entry state; again
// tells that the call is to be issued again. dropped leaves RAX as it was.
func (im *image) result(call uint64, s *x86.State, dropped bool) (again bool, err error) {
	var f frame
	kind, words := im.word(saveResult), f[:1]
	switch kind {
	case resultFull:
		words = f[:]
	case resultAgain:
		words = nil
	}
	im.words(saveResult+8, words)
	if im.word(saveResultSum) != resultSum(call, kind, words) {
		return false, refuse("recorded result of call %d: wrong checksum", call)
	}
	if kind == resultFull {
		f.decode(s)
		return false, nil
	}
	err = im.entry(call, s)
	if kind == resultRAX && !dropped {
		s.R[x86.RAX] = f[0]
	}
	return kind == resultAgain, err
}

// entry lays the kernel-entry copy over s, the vector and x87 state only where
// the copy has it.
func (im *image) entry(call uint64, s *x86.State) error {
	var f frame
	n := im.word(saveEntry + 8)
	full := n == frameWords
	if !full && n != entryWords {
		return refuse("kernel-entry copy of call %d: %d words", call, n)
	}
	words := f[:n]
	im.words(saveEntry+16, words)
	if im.word(saveEntrySum) != entrySum(call, words) {
		return refuse("kernel-entry copy of call %d: wrong checksum", call)
	}
	if full {
		f.decode(s)
	} else {
		f.decodeEntry(s)
	}
	return nil
}
