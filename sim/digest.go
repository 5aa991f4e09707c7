package sim

import (
	"zhuque/cachemodel"
	"zhuque/sim/det"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// Digest hashes what the program is and has done: registers, mappings, memory,
// instructions retired, captured output, and the end if it is over. Caches and
// host facts do not enter, so it is the same with the cache model on and off.
func (m *Machine) Digest() string {
	d := det.NewDigest()
	d.U64(m.Retired())
	for _, t := range m.kernel.Threads() {
		s := m.Registers(t)
		registers(d, &s)
	}
	for _, p := range m.kernel.Processes() {
		m.space(d, p.MM)
	}
	out, errs := m.Output()
	d.Bytes(out)
	d.Bytes(errs)
	if m.ended != nil {
		d.String(m.ended.String())
	}
	return d.Sum()
}

// registers hashes a thread's register state.
func registers(d *det.Digest, s *x86.State) {
	for _, r := range s.R {
		d.U64(r)
	}
	for _, v := range []uint64{s.RIP, s.RFlags, s.FSBase, s.GSBase,
		uint64(s.MXCSR), uint64(s.FPU.CW), uint64(s.FPU.SW), uint64(s.FPU.Tag)} {
		d.U64(v)
	}
	for _, sel := range s.Sel {
		d.U64(uint64(sel))
	}
	if s.Trap {
		d.U64(1)
	}
	for _, v := range s.V {
		for _, q := range v {
			d.U64(q)
		}
	}
	for _, r := range s.FPU.Reg {
		d.U64(r.Mant)
		d.U64(uint64(r.SE))
	}
}

// space hashes a process's mappings and memory. How a mapping that grew is cut into
// extents does not count: a restart changes it.
func (m *Machine) space(d *det.Digest, s *mm.Space) {
	for _, v := range mm.Regions(s.VMAs()) {
		for _, w := range []uint64{v.Start, v.End, uint64(v.Prot), uint64(v.Kind), v.Off} {
			d.U64(w)
		}
	}
	for _, v := range s.VMAs() {
		m.memory(d, v)
	}
}

// memory hashes a mapping's touched pages that are not all zero. What a mapping only
// shows of a file is the file's, and which of its pages have been looked at since the last
// restart is nobody's.
func (m *Machine) memory(d *det.Digest, v mm.VMA) {
	if v.Kind == mm.File {
		return
	}
	if v.InFrames() {
		m.shared(d, v)
		return
	}
	m.Store(v.Phys).Each(v.Phys.Frame(), (v.Phys + phys.Addr(v.Size())).Frame(), func(f phys.Frame, p *mem.Page) bool {
		if *p != (mem.Page{}) {
			d.U64(v.Start + uint64(f.Addr()-v.Phys))
			d.Bytes(p[:])
		}
		return true
	})
}

// shared hashes what a shared mapping shows of its file, as far as mappings have
// touched it.
func (m *Machine) shared(d *det.Digest, v mm.VMA) {
	m.durable.Files.EachFrame(func(id vfs.NodeID, index uint64, f phys.Frame) bool {
		at := index << phys.PageShift
		if p := m.durable.PMEM.ReadPage(f); id == v.Node && at >= v.Off && at < v.Off+v.Size() && *p != (mem.Page{}) {
			d.U64(v.Start + at - v.Off)
			d.Bytes(p[:])
		}
		return true
	})
}

// Counters are a run's cache and memory counters.
type Counters struct {
	Model      bool              `json:"model"` // whether the cache model ran
	Cache      *cachemodel.Stats `json:"cache,omitempty"`
	PagesDRAM  int64             `json:"pages_dram"` // 4 KiB pages that hold something
	PagesPMEM  int64             `json:"pages_pmem"`
	Mappings   int               `json:"mappings"`
	PowerFails uint64            `json:"power_failures"`
}

// Counters returns the counters so far.
func (m *Machine) Counters() Counters {
	c := Counters{Model: m.hier != nil, PagesDRAM: m.dram.Touched(), PagesPMEM: m.durable.PMEM.Touched(),
		PowerFails: m.durable.PowerCycles}
	for _, p := range m.kernel.Processes() {
		c.Mappings += p.MM.Len()
	}
	if m.hier != nil {
		s := m.hier.Stats()
		c.Cache = &s
	}
	return c
}

// Close writes the guest's file changes to the overlay directory, if there is one.
func (m *Machine) Close() error { return m.durable.Files.Close() }

// Detach makes a forked machine independent of its origin, which another goroutine
// may run then, or nobody at all: decoded blocks are shared until then, and the
// file tree asks the origin's kernel.
func (m *Machine) Detach() {
	for i := range m.cores {
		m.cores[i].cpu.ForgetBlocks()
	}
	m.kernel.Own()
}
