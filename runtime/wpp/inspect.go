package wpp

import (
	"fmt"
	"slices"

	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// Survey is what can be read of an image without booting it, however damaged it is.
type Survey struct {
	Parts []Part `json:"parts"`

	Program    uint64 `json:"program"` // digest of program, arguments and processor
	Cores      uint64 `json:"cores"`
	Generation uint64 `json:"generation"`
	Complete   uint64 `json:"complete"` // the generation whose power-fail sequence ended
	Shutdowns  uint64 `json:"dirty_shutdowns"`
	Failures   uint64 `json:"failures_survived"`
	Committed  uint64 `json:"committed_call"`
	Applied    uint64 `json:"applied_call"`
	Cells      uint64 `json:"cells"`
	FreeCells  uint64 `json:"free_cells"`

	Interrupted string         `json:"interrupted"` // what the power failure found, and what the restart does
	Threads     []ThreadArea   `json:"threads"`
	Records     []Record       `json:"-"`
	Kinds       map[string]int `json:"records"` // how many of each kind
	// Extents is where the memory of the process ends: fresh mappings are taken from there.
	Extents phys.Addr `json:"extents_end"`
}

// Part is a stretch of the image. Offsets are those of layout.go.
type Part struct {
	Name   string `json:"name"`
	Offset uint64 `json:"offset"`
	Size   uint64 `json:"size"`
	Says   string `json:"says"`             // what stands there
	Damage string `json:"damage,omitempty"` // what is wrong with it
}

// ThreadArea is a thread's save area.
type ThreadArea struct {
	TID    int32     `json:"tid"`
	Offset uint64    `json:"offset"`
	Core   int       `json:"core"` // that held the registers, -1 for none
	Regs   x86.State `json:"registers"`
}

// Record is a record and where it lies.
type Record struct {
	kernel.Record
	Offset, Cells uint64
}

// Damaged lists what is wrong, one sentence each.
func (s *Survey) Damaged() (list []string) {
	for _, p := range s.Parts {
		if p.Damage != "" {
			list = append(list, fmt.Sprintf("%s, at offset %#x: %s", p.Name, p.Offset, p.Damage))
		}
	}
	return list
}

// inspector makes a Survey.
type inspector struct {
	*image
	s *Survey
}

func (in *inspector) part(name string, off, size uint64, damage, says string, a ...any) {
	in.s.Parts = append(in.s.Parts, Part{name, off, size, fmt.Sprintf(says, a...), damage})
}

// Inspect looks at an image. shutdowns is what the DIMMs count.
func Inspect(pmem *mem.Store, shutdowns uint64) *Survey {
	in := &inspector{&image{pmem: pmem}, &Survey{Kinds: map[string]int{}, Extents: DataBase}}
	in.superblock(shutdowns)
	in.counters()
	in.redoLog()
	in.recordTable()
	in.callArea()
	in.saveAreas()
	return in.s
}

func (in *inspector) superblock(shutdowns uint64) {
	var w [5]uint64
	in.words(sbMagic, w[:])
	damage := ""
	switch {
	case w[0] != magic:
		damage = fmt.Sprintf("its magic is %#x: nothing was ever written here, or it is damaged", w[0])
	case w[4] != checksum(w[:4]...):
		damage = "its checksum is wrong"
	case w[1] != version:
		damage = fmt.Sprintf("it is of version %d, this runtime reads version %d", w[1], version)
	}
	in.s.Program, in.s.Cores = w[2], w[3]
	in.part("superblock", superblockOff, sbChecksum+8, damage, "version %d, program %016x, cores %d", w[1], w[2], w[3])

	s := in.s
	s.Generation, s.Complete, s.Shutdowns, s.Failures = in.word(sbGeneration),
		in.word(sbComplete), in.word(sbShutdowns), in.word(sbFailures)
	damage = ""
	switch {
	case s.Generation == 0:
		damage = "the process was not live yet: the first image was not complete"
	case s.Shutdowns != shutdowns:
		damage = fmt.Sprintf("dirty shutdown: the count rose from %d to %d", s.Shutdowns, shutdowns)
	case s.Complete != s.Generation:
		damage = fmt.Sprintf("the power-fail sequence of generation %d did not complete; the last one that did is that of %d",
			s.Generation, s.Complete)
	}
	in.part("life cycle", sbGeneration, sbFailures+8-sbGeneration, damage, "generation %d, complete %d, dirty shutdowns %d, failures survived %d", s.Generation, s.Complete, s.Shutdowns, s.Failures)
}

// guard reads a guarded word and says what is wrong with it.
func (in *inspector) guard(off uint64) (v uint64, damage string) {
	w := in.word(off)
	v, ok := counter(w)
	if !ok {
		damage = fmt.Sprintf("the word %#x does not guard itself", w)
	}
	return v, damage
}

func (in *inspector) counters() {
	for _, c := range []struct {
		name string
		off  uint64
		into *uint64
	}{{"committed call", sbCommitted, &in.s.Committed}, {"applied call", sbApplied, &in.s.Applied}, {"record table, cells ever used", sbCells, &in.s.Cells}} {
		v, damage := in.guard(c.off)
		if c.off == sbCells && v > maxCells {
			damage, v = fmt.Sprintf("%d cells, the table has %d", v, maxCells), 0
		}
		*c.into = v
		in.part(c.name, c.off, 8, damage, "%d", v)
	}
}

func (in *inspector) redoLog() {
	call, damage := in.guard(logCall)
	n := in.word(logCount)
	says := fmt.Sprintf("of call %d, %d words, in place", call, n)
	pending := damage == "" && call != 0 && call == in.s.Committed && in.s.Applied != call
	switch {
	case !pending:
		n = 0
	case n == 0 || n > maxLogRecords:
		damage, n = fmt.Sprintf("%d words, it holds 1 to %d", n, maxLogRecords), 0
	default:
		words := make([]uint64, 2+2*n)
		words[0], words[1] = call, n
		in.words(logRecords, words[2:])
		if in.word(logChecksum) != checksum(words...) {
			damage = "its checksum is wrong"
		}
		says = fmt.Sprintf("of call %d, %d words, which the restart puts in place", call, n)
	}
	in.part("redo log", logOff, logRecords-logOff+16*n, damage, "%s", says)
}

// recordTable reads all blocks. Behind one whose length cannot be, it is lost where the
// next begins.
func (in *inspector) recordTable() {
	r := &Runtime{table: newTable(0)}
	used := uint64(0)
	for at := uint64(0); at < in.s.Cells; {
		off := recordOff + at*cellSize
		w0 := in.word(off + 8*cellHead)
		n, count := w0&maxRecordWords, w0>>cellCountShift&0x7fff
		if count == 0 || at+count > in.s.Cells || cellWord0+n > count*cellWords {
			in.part(fmt.Sprintf("block at cell %d", at), off, cellSize,
				fmt.Sprintf("%d cells with %d words: what follows it cannot be read", count, n), "")
			return
		}
		var words []uint64
		if w0&cellUsed != 0 {
			words = make([]uint64, cellWord0-1+n)
			in.words(off+8, words)
		}
		name := fmt.Sprintf("block at cell %d", at)
		if head(count, n, w0&cellUsed != 0, words...) != w0 {
			in.part(name, off, cellSize*count, "its checksum is wrong", "")
		} else if w0&cellUsed == 0 {
			in.s.FreeCells += count
		} else if rec, err := r.readRecord(in.image, block{off, count, -1, 0}, words); err != nil {
			in.part(name, off, cellSize*count, reasonOf(err), "")
		} else {
			in.enter(Record{rec, off, count})
		}
		at += count
		used += count
	}
	in.part("record table", recordOff, cellSize*used, "", "%d records in %d cells, %d cells free",
		len(in.s.Records), used-in.s.FreeCells, in.s.FreeCells)
	slices.SortFunc(in.s.Records, func(a, b Record) int { return a.Key.Compare(b.Key) })
	for _, rec := range in.s.Records {
		if rec.Key.Kind == kernel.KindThread {
			off, _ := r.table.area(int32(rec.Key.A))
			in.s.Threads = append(in.s.Threads, ThreadArea{TID: int32(rec.Key.A), Offset: off, Core: -1})
		}
	}
}

func reasonOf(err error) string {
	if d, ok := err.(*sim.Detected); ok {
		return d.Reason
	}
	return err.Error()
}

// enter notes a record that is whole.
func (in *inspector) enter(rec Record) {
	in.s.Records = append(in.s.Records, rec)
	in.s.Kinds[rec.Key.Kind.String()]++
	if err := rec.Check(); err != nil {
		in.part(rec.Key.String(), rec.Offset, cellSize*rec.Cells, err.Error(), "")
		return
	}
	if v, ok := rec.Mapping(); ok && v.Phys.IsPMEM() {
		in.s.Extents = max(in.s.Extents, v.Phys+phys.Addr(v.Size()))
	}
}

// callArea tells where the core that executed stood.
func (in *inspector) callArea() {
	gen, threads := in.word(saveGen), in.word(saveThread)
	mode, call, reissue, slice, turns := in.word(saveMode), in.word(saveCall),
		in.word(saveReissue), in.word(saveSlice), in.word(saveTurns)
	damage := ""
	switch {
	case in.word(saveChecksum) != checksum(mode, call, gen, reissue, threads, slice, turns):
		damage = "its checksum is wrong"
	case gen != in.s.Generation:
		damage = fmt.Sprintf("it is of generation %d, the image of %d", gen, in.s.Generation)
	}
	says := fmt.Sprintf("thread %d was in user mode", int32(uint32(threads)))
	if mode&^modeCounted == modeKernel {
		says = fmt.Sprintf("thread %d was in call %d, which had not taken effect: it is issued again at %#x",
			int32(uint32(threads)), call, reissue)
		if in.s.Committed >= call {
			says = fmt.Sprintf("thread %d was in call %d, which had taken effect: its recorded result is returned",
				int32(uint32(threads)), call)
		}
		in.callCopies(call)
	}
	in.s.Interrupted = says
	in.part("call area", saveOff, saveTurns+8-saveOff, damage, "%s", says)
	for core := range min(in.s.Cores, sim.MaxCores) {
		off := saveCores + 8*core
		w, damage := in.word(off), ""
		tid := int32(uint32(w))
		if w != heldWord(int(core), in.s.Generation, tid) {
			damage = "the core did not say that it has saved its registers"
		}
		says := "no thread"
		if tid != 0 {
			says = fmt.Sprintf("thread %d", tid)
		}
		in.part(fmt.Sprintf("core %d", core), off, 8, damage, "%s", says)
		for i := range in.s.Threads {
			if in.s.Threads[i].TID == tid {
				in.s.Threads[i].Core = int(core)
			}
		}
	}
}

// callCopies looks at what a restart needs of the call in flight.
func (in *inspector) callCopies(call uint64) {
	var s x86.State
	if in.s.Committed >= call {
		_, err := in.result(call, &s, false)
		in.part("result", saveResult, saveResultSum+8-saveResult, damageOf(err), "of call %d", call)
	}
	if n, damage := in.guard(saveEntry); damage != "" || n == call {
		if damage == "" {
			damage = damageOf(in.entry(call, &s))
		}
		in.part("kernel-entry copy", saveEntry, saveEntrySum+8-saveEntry,
			damage, "of call %d, %d words", n, in.word(saveEntry+8))
	}
}

func damageOf(err error) string {
	if err == nil {
		return ""
	}
	return reasonOf(err)
}

func (in *inspector) saveAreas() {
	for i := range in.s.Threads {
		t := &in.s.Threads[i]
		var f frame
		in.words(t.Offset+threadFrame, f[:])
		damage := ""
		if in.word(t.Offset+threadID) != uint64(t.TID) || in.word(t.Offset+threadSum) != threadCheck(t.TID, &f) {
			damage = "its checksum is wrong"
		}
		f.decode(&t.Regs)
		in.part(fmt.Sprintf("save area of thread %d", t.TID), t.Offset,
			threadFrame+8*frameWords, damage, "rip %#x, rsp %#x", t.Regs.RIP, t.Regs.R[x86.RSP])
	}
}
