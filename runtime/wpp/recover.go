package wpp

import (
	"encoding/binary"
	"fmt"

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
}

func (im *image) word(off uint64) uint64 {
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
		return err
	}
	if err := r.redo(m, im); err != nil {
		return err
	}
	*im = image{pmem: im.pmem}
	files := m.Durable().Files
	files.Resolve(im.counter(sbCommitted))
	files.ForgetRefs()
	if err := r.addressSpace(m, im); err != nil {
		return err
	}
	if err := r.kernelState(m, im); err != nil {
		return err
	}
	if err := r.registers(m, im); err != nil {
		return err
	}
	files.Sweep()
	m.Kernel().MM.Settle()
	put(m, sbFailures, im.word(sbFailures)+1)
	put(m, sbShutdowns, m.Durable().DirtyShutdowns)
	fence(m)
	r.generation = im.word(sbGeneration) + 1
	put(m, sbGeneration, r.generation)
	fence(m)
	r.recovering = false
	return nil
}

// verify checks that the image is one, is this program's, and is whole.
func (r *Runtime) verify(m *sim.Machine, im *image) error {
	want := staticWords(m)
	got := make([]uint64, len(want))
	im.words(sbMagic, got)
	switch {
	case got[0] != magic:
		return refuse("no superblock: magic %#x", got[0])
	case got[1] != version:
		return refuse("image version %d, this runtime reads version %d", got[1], version)
	case got[3] != checksum(got[:3]...):
		return refuse("superblock: wrong checksum")
	case got[2] != want[2]:
		return refuse("the image belongs to another program or other arguments")
	}
	for _, off := range []uint64{sbCommitted, sbApplied, sbMappings, sbDescriptors, sbWatches, logCall, saveEntry} {
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
	if im.counter(sbApplied) == committed || im.counter(logCall) != committed || r.bug.InPlace {
		return nil // in place, or the call had no records
	}
	n := im.word(logCount)
	if n == 0 || n > maxLogRecords {
		return refuse("redo log: %d records", n)
	}
	words := make([]uint64, 2+2*n)
	words[0], words[1] = committed, n
	im.words(logRecords, words[2:])
	if im.word(logChecksum) != checksum(words...) {
		return refuse("redo log: wrong checksum")
	}
	if r.bug.ClearLogFirst {
		put(m, sbApplied, guarded(committed))
	}
	for i := uint64(2); i < uint64(len(words)); i += 2 {
		if words[i]%8 != 0 || words[i] < sbCommitted || words[i] >= 1<<phys.AddrBits-uint64(phys.PMEMBase) {
			return refuse("redo log: record for offset %#x", words[i])
		}
		put(m, words[i], words[i+1])
	}
	fence(m)
	put(m, sbApplied, guarded(committed))
	fence(m)
	return nil
}

func (r *Runtime) addressSpace(m *sim.Machine, im *image) error {
	n := im.counter(sbMappings)
	if n > maxMappings {
		return refuse("mapping table: %d slots in use, it holds %d", n, maxMappings)
	}
	r.high = int(n)
	for slot := range int(n) {
		var w [mapSize / 8]uint64
		im.words(slotOff(slot), w[:])
		if w[mapFlags/8] == 0 {
			r.free = append(r.free, slot)
			continue
		}
		if w[mapChecksum/8] != checksum(w[:mapChecksum/8]...) && !r.bug.InPlace {
			return refuse("mapping slot %d: wrong checksum", slot)
		}
		v := decodeMapping(&w)
		if err := m.Kernel().MM.Install(v); err != nil {
			if r.bug.ForgetUnmap || r.bug.InPlace {
				r.free = append(r.free, slot)
				continue
			}
			return refuse("mapping slot %d: %v", slot, err)
		}
		r.slots[v.Start] = slot
	}
	m.Kernel().MM.TakeChanges()
	return nil
}

func (r *Runtime) kernelState(m *sim.Machine, im *image) error {
	var s kernel.ProcState
	at := uint64(processOff)
	next := func() uint64 {
		at += 8
		return im.word(at - 8)
	}
	if err := decodeProcess(&s, next); err != nil {
		return refuse("%v", err)
	}
	for n := 1; n < kernel.NSIG; n++ {
		var w [sigSize / 8]uint64
		im.words(signalOff+sigSize*uint64(n-1), w[:])
		if w[sigChecksum/8] != checksum(w[:sigChecksum/8]...) {
			return refuse("action of signal %d: wrong checksum", n)
		}
		s.Sig[n] = kernel.Action{Handler: w[sigHandler/8], Flags: w[sigFlags/8], Restorer: w[sigRestorer/8], Mask: w[sigMask/8]}
	}
	n := im.counter(sbDescriptors)
	if n > maxDescriptors {
		return refuse("descriptor table: %d slots in use, it holds %d", n, maxDescriptors)
	}
	r.descriptors = int(n)
	for num := range r.descriptors {
		var w [fdSize / 8]uint64
		im.words(descriptorOff+fdSize*uint64(num), w[:])
		if w[fdInfo/8] == 0 {
			continue
		}
		if w[fdChecksum/8] != checksum(w[:fdChecksum/8]...) {
			return refuse("descriptor %d: wrong checksum", num)
		}
		s.FDs = append(s.FDs, decodeDescriptor(num, &w))
	}
	if err := r.restorePipes(im, &s); err != nil {
		return err
	}
	if err := r.restoreWatches(im, &s); err != nil {
		return err
	}
	if err := m.Kernel().Restore(&s); err != nil {
		return refuse("%v", err)
	}
	m.Kernel().TakeDirty()
	return nil
}

// registers restores the architectural state: from the power-fail handler's
// save, and for a call in flight from the kernel-entry copy and the recorded result.
func (r *Runtime) registers(m *sim.Machine, im *image) error {
	mode, call, gen, reissue := im.word(saveMode), im.word(saveCall), im.word(saveGen), im.word(saveReissue)
	var f frame
	im.words(saveUser, f[:])
	if !r.bug.NoShutdownCheck && r.bug.Registers == nil {
		switch {
		case im.word(saveChecksum) != saveSum(mode, call, gen, reissue, &f):
			return refuse("save area: wrong checksum")
		case gen != im.word(sbGeneration):
			return refuse("save area: of generation %d, the image is of %d", gen, im.word(sbGeneration))
		case mode != modeUser && mode != modeKernel:
			return refuse("save area: mode %d", mode)
		}
	}
	var s x86.State
	f.decode(&s)
	if mode == modeKernel {
		if im.counter(sbCommitted) >= call {
			r.call = call
			if err := im.result(call, &s); err != nil {
				return err
			}
		} else {
			r.call = call - 1
			if im.counter(saveEntry) == call {
				if err := im.entry(call, &s); err != nil {
					return err
				}
			}
			if s.RIP != reissue {
				m.CPU().Retired-- // the SYSCALL that is issued again had been counted
			}
			s.RIP = reissue
		}
	}
	m.CPU().SetState(&s)
	return nil
}

// result lays the recorded result of the committed call over its entry state.
func (im *image) result(call uint64, s *x86.State) error {
	var f frame
	kind, words := im.word(saveResult), f[:1]
	if kind == resultFull {
		words = f[:]
	}
	im.words(saveResult+8, words)
	if im.word(saveResultSum) != resultSum(call, kind, words) {
		return refuse("recorded result of call %d: wrong checksum", call)
	}
	if kind == resultFull {
		f.decode(s)
		return nil
	}
	err := im.entry(call, s)
	s.R[x86.RAX] = f[0]
	return err
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
