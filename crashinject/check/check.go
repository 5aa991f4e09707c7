// Package check compares a recovered machine with the one that never failed.
//
// Compared, and equal or a violation:
//
//   - the clock: instructions retired, from which virtual time follows;
//   - of every thread: general registers, RIP, RFLAGS, FS and GS base, x87 with its
//     pointers, MXCSR, all vector registers in full width;
//   - of every process: its mappings with range, protection, kind, file and offset, and
//     every byte of every mapping, written or not;
//   - all kernel-resident state: the kernel's live objects, field by field, whether or not
//     their records hold the field (see kernel.Kernel.Differences, whose table lists the
//     fields that are left out, each with its reason);
//   - the file tree likewise (vfs.FS.Differences): names, attributes, times, contents,
//     references, advisory locks, deleted files that are open; and pages that a shared
//     mapping has written;
//   - what was written to the console, and how much input was consumed;
//   - at the end of a run (Ends): how the program ended, after how many instructions,
//     all output, and the files.
//
// Pages and file trees that both machines share are equal by identity and cost nothing.
//
// Not compared:
//
//   - caches, store buffers and TLBs, which a restart finds cold, and the cycles that
//     this costs;
//   - which core holds the registers of a thread that does not run, and decoded blocks;
//   - where in physical memory a mapping lies, what is in memory that no mapping shows,
//     and the free lists of physical memory;
//   - the runtime's own tables, which a restart has just read: the next restart of the same
//     plan compares what comes out of them;
//   - what is outside the machine beside the console: peers of sockets, the host's files;
//   - the reference itself: that it runs as a real machine does is the matter of other
//     tests.
package check

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"slices"

	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// Result is the outcome of a comparison.
type Result struct {
	Differences []string // none: identical; at most Limit
	Pages       uint64   // pages compared, shared ones included

	blind blindness
}

// Limit bounds the differences that are reported.
const Limit = 8

// OK reports whether nothing differed.
func (r *Result) OK() bool { return len(r.Differences) == 0 }

func (r *Result) add(format string, a ...any) {
	if len(r.Differences) < Limit {
		r.Differences = append(r.Differences, fmt.Sprintf(format, a...))
	}
}

// Comparer compares machines with a reference; it remembers what it learned of the
// reference's memory between calls of it.
type Comparer struct {
	ref   *sim.Machine
	calls uint64

	// files is how many pages of file mappings ref has, all found equal to their
	// files when it had taken filesCalls calls; 0 when that must be found out.
	files      int64
	filesCalls uint64

	blind blindness
}

// Compare compares everything the program can see. Neither machine is changed.
func (c *Comparer) Compare(want, got *sim.Machine) (r Result) {
	if c.ref != want || c.calls != want.Calls() {
		*c = Comparer{ref: want, calls: want.Calls(), blind: c.blind}
	}
	r.blind = c.blind
	if w, g := want.Retired(), got.Retired(); w != g {
		r.add("the clock is at %d instructions instead of %d", g, w)
	}
	threads(&r, want, got)
	if wv, gv, ok := mappings(&r, want, got); ok {
		c.memory(&r, want, got, wv, gv)
	}
	state(&r, want.Kernel(), got.Kernel())
	output(&r, want, got)
	files(&r, want, got)
	return r
}

// threads compares the registers of all threads.
func threads(r *Result, want, got *sim.Machine) {
	for _, w := range want.Kernel().Threads() {
		g := got.Kernel().Thread(w.TID())
		if g == nil {
			continue // that it is gone is told with the records
		}
		if ws, gs := want.Registers(w), got.Registers(g); ws != gs && r.blind != toRegisters {
			where := ""
			if len(want.Kernel().Threads()) > 1 {
				where = fmt.Sprintf("thread %d: ", w.TID())
			}
			registers(r, where, &ws, &gs)
		}
	}
}

func output(r *Result, want, got *sim.Machine) {
	wo, we := want.Output()
	g, ge := got.Output()
	stream(r, "standard output", wo, g)
	stream(r, "standard error", we, ge)
	if w, g := want.Consumed(), got.Consumed(); w != g {
		r.add("%d bytes of standard input are consumed instead of %d", g, w)
	}
}

// files compares the file trees: the nodes, and the pages that shared mappings
// keep in persistent memory.
func files(r *Result, wm, gm *sim.Machine) {
	if d := wm.Durable().Files.Differences(gm.Durable().Files, 1); len(d) > 0 && r.blind != toFiles {
		r.add("the file trees differ: %s", d[0])
		return
	}
	frames(r, wm, gm)
}

// frames compares the frames of two file trees that have the same ones.
func frames(r *Result, want, got *sim.Machine) {
	fs := want.Durable().Files
	if fs.Framed() == 0 {
		return
	}
	differ := map[phys.Frame][2]*mem.Page{}
	mem.Diff(want.Store(phys.PMEMBase), got.Store(phys.PMEMBase), vfs.FrameBase.Frame(), 1<<(phys.AddrBits-phys.PageShift), func(f phys.Frame, a, b *mem.Page) bool {
		differ[f] = [2]*mem.Page{a, b}
		return true
	})
	if len(differ) == 0 {
		return
	}
	fs.EachFrame(func(id vfs.NodeID, index uint64, f phys.Frame) bool {
		if d, ok := differ[f]; ok {
			name, _ := fs.Path(id)
			page(r, name+" at ", index<<phys.PageShift, d[0], d[1])
		}
		return len(r.Differences) < Limit
	})
}

// End is what an observer knows of a program that is over.
type End struct {
	Stop           sim.Stop
	Instructions   uint64
	Stdout, Stderr []byte
	files          string // digest of the file tree
	filesErr       error
}

// EndOf returns the end of a machine whose program is over.
func EndOf(m *sim.Machine, stop sim.Stop) *End {
	e := &End{Stop: stop, Instructions: m.Retired()}
	e.Stdout, e.Stderr = m.Output()
	e.files, e.filesErr = m.Durable().Files.Digest()
	return e
}

// Ends compares two programs that are over: how they ended, after how many
// instructions, what they wrote to the console and what they left in files.
func Ends(want, got *End) (r Result) {
	if want.Stop.Reason != got.Stop.Reason || want.Stop.Status != got.Stop.Status {
		r.add("the program %v instead of %v", got.Stop, want.Stop)
	}
	if want.Instructions != got.Instructions {
		r.add("the program took %d instructions instead of %d", got.Instructions, want.Instructions)
	}
	stream(&r, "standard output", want.Stdout, got.Stdout)
	stream(&r, "standard error", want.Stderr, got.Stderr)
	if err := errors.Join(want.filesErr, got.filesErr); err != nil {
		r.add("the files that the program left cannot be compared: %v", err)
	} else if want.files != got.files {
		r.add("the files that the program left differ")
	}
	return r
}

func stream(r *Result, name string, want, got []byte) {
	if len(want) == len(got) && (len(want) == 0 || &want[0] == &got[0] || bytes.Equal(want, got)) {
		return
	}
	i := 0
	for i < len(want) && i < len(got) && want[i] == got[i] {
		i++
	}
	r.add("%s differs at byte %d: %d bytes instead of %d", name, i, len(got), len(want))
}

func registers(r *Result, where string, want, got *x86.State) {
	names := [16]string{"rax", "rcx", "rdx", "rbx", "rsp", "rbp",
		"rsi", "rdi", "r8", "r9", "r10", "r11", "r12", "r13", "r14", "r15"}
	for i, n := range names {
		if want.R[i] != got.R[i] {
			r.add("%s%s is %#x instead of %#x", where, n, got.R[i], want.R[i])
		}
	}
	for _, f := range []struct {
		name      string
		want, got uint64
	}{
		{"rip", want.RIP, got.RIP}, {"rflags", want.RFlags, got.RFlags}, {"fs base", want.FSBase, got.FSBase},
		{"gs base", want.GSBase, got.GSBase}, {"mxcsr", uint64(want.MXCSR), uint64(got.MXCSR)},
	} {
		if f.want != f.got {
			r.add("%s%s is %#x instead of %#x", where, f.name, f.got, f.want)
		}
	}
	if want.Trap != got.Trap {
		r.add("%sa single step's #DB is due: %t instead of %t", where, got.Trap, want.Trap)
	}
	for i, n := range [...]string{"es", "ds", "fs", "gs"} {
		if want.Sel[i] != got.Sel[i] {
			r.add("%s%s is %#x instead of %#x", where, n, got.Sel[i], want.Sel[i])
		}
	}
	for i := range want.V {
		if want.V[i] != got.V[i] {
			r.add("%svector register %d is %x instead of %x", where, i, got.V[i], want.V[i])
		}
	}
	if want.FPU != got.FPU {
		x87(r, &want.FPU, &got.FPU)
	}
}

// x87 names the first register and each control word that differs.
func x87(r *Result, want, got *x86.X87) {
	for _, w := range []struct {
		name      string
		want, got uint16
	}{{"control word", want.CW, got.CW}, {"status word", want.SW, got.SW}, {"opcode", want.Op, got.Op}} {
		if w.want != w.got {
			r.add("the x87 %s is %#x instead of %#x", w.name, w.got, w.want)
		}
	}
	if want.Tag != got.Tag {
		r.add("the x87 registers in use are %08b instead of %08b", got.Tag, want.Tag)
	}
	if want.IP != got.IP || want.DP != got.DP {
		r.add("the x87 pointers are %#x and %#x instead of %#x and %#x", got.IP, got.DP, want.IP, want.DP)
	}
	for i := range want.Reg {
		if w, g := want.Reg[i], got.Reg[i]; w != g {
			r.add("x87 register %d is %04x:%016x instead of %04x:%016x", i, g.SE, g.Mant, w.SE, w.Mant)
			return
		}
	}
}

// mappings compares the mappings of all processes and returns both lists cut at the
// same addresses; ok is false when memory cannot be compared.
func mappings(r *Result, want, got *sim.Machine) (wv, gv []mm.VMA, ok bool) {
	wp, gp := want.Kernel().Processes(), got.Kernel().Processes()
	if len(wp) != len(gp) {
		r.add("%d processes instead of %d", len(gp), len(wp))
		return nil, nil, false
	}
	for i := range wp {
		w, g, same := regions(r, wp[i].MM.VMAs(), gp[i].MM.VMAs())
		if !same {
			return nil, nil, false
		}
		if len(wp) == 1 {
			return w, g, true
		}
		wv, gv = append(wv, w...), append(gv, g...)
	}
	return wv, gv, true
}

// regions compares the mappings of a process as it sees them.
func regions(r *Result, wv, gv []mm.VMA) (w, g []mm.VMA, ok bool) {
	if !slices.EqualFunc(wv, gv, r.alike) {
		w, g := mm.Regions(wv), mm.Regions(gv)
		if len(w) != len(g) {
			r.add("%d mappings instead of %d: %s", len(g), len(w), firstExtra(w, g))
			return nil, nil, false
		}
		same := true
		for i := range w {
			if !r.alike(w[i], g[i]) {
				r.add("mapping %s instead of %s", show(g[i]), show(w[i]))
				same = false
			}
		}
		if !same {
			return nil, nil, false
		}
		wv, gv = align(wv, gv)
	}
	return wv, gv, true
}

// alike reports whether two mappings are the same but for where their memory lies.
func (r *Result) alike(w, g mm.VMA) bool {
	g.Phys, g.Seen = w.Phys, w.Seen
	if r.blind == toProtection {
		g.Prot = w.Prot
	}
	return w == g
}

// align cuts two lists that cover the same addresses so that each piece of one
// has its like in the other.
func align(a, b []mm.VMA) (x, y []mm.VMA) {
	for len(a) > 0 {
		lo, hi := max(a[0].Start, b[0].Start), min(a[0].End, b[0].End)
		x, y = append(x, a[0].Part(lo, hi)), append(y, b[0].Part(lo, hi))
		if a[0].End == hi {
			a = a[1:]
		}
		if b[0].End == hi {
			b = b[1:]
		}
	}
	return x, y
}

func firstExtra(want, got []mm.VMA) string {
	for i := range max(len(want), len(got)) {
		switch {
		case i == len(want):
			return "there is " + show(got[i])
		case i == len(got):
			return "there is no " + show(want[i])
		case want[i].Start != got[i].Start || want[i].End != got[i].End:
			return show(got[i]) + " instead of " + show(want[i])
		}
	}
	return "same ranges"
}

func show(v mm.VMA) string {
	return fmt.Sprintf("%#x-%#x %v %v", v.Start, v.End, v.Prot, v.Kind)
}

// memory compares the content of all mappings; wv and gv have equal ranges.
func (c *Comparer) memory(r *Result, want, got *sim.Machine, wv, gv []mm.VMA) {
	skipFiles := c.sameFiles(want, got, wv)
	if skipFiles {
		r.Pages += uint64(c.files)
	}
	var shared []mm.VMA // extents that both sides have in PMEM at the same place
	for i, w := range wv {
		if w.Kind == mm.Copy && !skipFiles {
			extents(r, want, got, unwritten(w), unwritten(gv[i]))
		}
		switch {
		case w.InFrames(): // see files
		case skipFiles && w.Kind == mm.File:
		case w.Phys == gv[i].Phys && w.Phys.IsPMEM():
			shared = append(shared, w)
		default:
			extents(r, want, got, w, gv[i])
		}
	}
	shared = disjoint(shared)
	ws, gs := want.Store(phys.PMEMBase), got.Store(phys.PMEMBase)
	r.Pages += uint64(ws.Touched())
	if len(shared) == 0 {
		return
	}
	first, last := shared[0], shared[len(shared)-1]
	mem.Diff(ws, gs, first.Phys.Frame(), (last.Phys + phys.Addr(last.Size())).Frame(), func(f phys.Frame, a, b *mem.Page) bool {
		i, _ := slices.BinarySearchFunc(shared, f.Addr(), func(v mm.VMA, a phys.Addr) int {
			if v.Phys+phys.Addr(v.Size()) <= a {
				return -1
			}
			return 1
		})
		if i < len(shared) && shared[i].Phys <= f.Addr() {
			v := &shared[i]
			va := v.Start + uint64(f.Addr()-v.Phys)
			page(r, "memory at ", va, shown(want, v, va, a), shown(got, v, va, b))
		}
		return len(r.Differences) < Limit
	})
}

// unwritten returns the mapping of the pages that a private mapping shows of its
// file as long as they are not written.
func unwritten(v mm.VMA) mm.VMA {
	v.Kind, v.Phys, v.Seen = mm.File, v.Seen, 0
	return v
}

// disjoint sorts mappings by where their memory lies. What processes share counts once.
func disjoint(list []mm.VMA) []mm.VMA {
	slices.SortFunc(list, func(a, b mm.VMA) int { return cmp.Compare(a.Phys, b.Phys) })
	out, end := list[:0], phys.Addr(0)
	for _, v := range list {
		last := v.Phys + phys.Addr(v.Size())
		if last <= end {
			continue
		}
		if v.Phys < end {
			v = v.Part(v.Start+uint64(end-v.Phys), v.End)
		}
		out, end = append(out, v), last
	}
	return out
}

// shown returns what a page of v shows when p lies in its extent: the file's where
// that is nothing.
func shown(m *sim.Machine, v *mm.VMA, va uint64, p *mem.Page) *mem.Page {
	if p == nil && v.Kind == mm.Copy {
		return m.Kernel().MM.Page(v, va)
	}
	return p
}

// sameFiles reports whether the file mappings need no look at each page: the
// restarted machine has read none yet, every mapped file is the same object in
// both file trees, and ref's pages were compared with their files before.
func (c *Comparer) sameFiles(want, got *sim.Machine, mapped []mm.VMA) bool {
	const dram = phys.Addr(0)
	if got.Store(dram).Touched() != 0 {
		return false
	}
	for _, v := range mapped {
		if (v.Kind == mm.File && v.Phys.IsPMEM() || v.Kind == mm.Copy && v.Seen.IsPMEM()) ||
			!v.InFrames() && v.Node != 0 && !want.Durable().Files.Same(got.Durable().Files, v.Node) {
			return false
		}
	}
	touched := want.Store(dram).Touched()
	same := c.files == touched && c.filesCalls == want.Calls() && touched != 0
	c.files, c.filesCalls = touched, want.Calls() // the caller compares them all now
	return same
}

// extents compares a mapping that lies in different places, or in DRAM, where
// the restarted machine reads file pages again.
func extents(r *Result, want, got *sim.Machine, w, g mm.VMA) {
	pages := func(m *sim.Machine, v mm.VMA, f phys.Frame) *mem.Page {
		return m.Kernel().MM.Page(&v, v.Start+uint64(f.Addr()-v.Phys))
	}
	seen := func(m *sim.Machine, v mm.VMA, fn func(off phys.Addr)) {
		lo, hi := v.Phys.Frame(), (v.Phys + phys.Addr(v.Size())).Frame()
		m.Store(v.Phys).Each(lo, hi, func(f phys.Frame, _ *mem.Page) bool {
			fn(f.Addr() - v.Phys)
			return true
		})
	}
	compare := func(off phys.Addr) {
		r.Pages++
		a, b := pages(want, w, (w.Phys+off).Frame()), pages(got, g, (g.Phys+off).Frame())
		if a != b {
			page(r, "memory at ", w.Start+uint64(off), a, b)
		}
	}
	seen(want, w, compare)
	seen(got, g, func(off phys.Addr) {
		if want.Store(w.Phys).Page((w.Phys + off).Frame()) == nil {
			compare(off)
		}
	})
}

// page compares two pages; what says what they are pages of.
func page(r *Result, what string, va uint64, a, b *mem.Page) {
	var zero mem.Page
	if a == nil {
		a = &zero
	}
	if b == nil {
		b = &zero
	}
	if *a == *b || r.blind == toSomePages && va>>phys.PageShift%1000 == 7 {
		return
	}
	for i := range a {
		if a[i] != b[i] {
			r.add("%s%#x is %#02x instead of %#02x", what, va+uint64(i), b[i], a[i])
			return
		}
	}
}

// state compares the kernels' objects. Where their records show a difference too, they
// tell it in better words.
func state(r *Result, want, got *kernel.Kernel) {
	live := want.Differences(got, Limit)
	if len(live) == 0 || r.blind == toState {
		return
	}
	before := len(r.Differences)
	records(r, want.Objects(), got.Objects())
	if len(r.Differences) > before {
		return
	}
	for _, d := range live {
		r.add("kernel state that is in no record: %s", d)
	}
}

// records compares two lists of records, ascending by key.
func records(r *Result, want, got []kernel.Record) {
	for len(want) > 0 || len(got) > 0 {
		order := 0
		switch {
		case len(want) == 0:
			order = 1
		case len(got) == 0:
			order = -1
		default:
			order = want[0].Key.Compare(got[0].Key)
		}
		switch {
		case order < 0:
			r.add("there is no %v", want[0])
			want = want[1:]
		case order > 0:
			r.add("there is %v, which should not be", got[0])
			got = got[1:]
		default:
			if !want[0].Equal(got[0]) {
				r.add("%v instead of %v", got[0], want[0])
			}
			want, got = want[1:], got[1:]
		}
	}
}
