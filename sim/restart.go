package sim

import (
	"cmp"
	"fmt"
	"maps"

	"zhuque/sim/det"
	"zhuque/sim/kernel"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

// Program is what a restarted machine runs. Empty fields are those of the configuration.
type Program struct {
	Path string
	Args []string // including argv[0]
	Env  []string
	Dir  string
	// Preload is executables placed in the file tree, by absolute path, where they are not there.
	Preload map[string][]byte
}

// PowerOff is what an orderly shutdown leaves of a machine that runs on: all that was
// stored, and the files synchronized.
func (m *Machine) PowerOff() *Durable {
	d := m.durable
	d.PMEM, d.Files = m.durable.PMEM.Fork(), m.durable.Files.Fork()
	m.port.FlushTLB() // of pointers into pages that both have now
	d.Files.SetMemory(d.PMEM)
	d.Files.SetCaches(nil)
	d.Files.SyncAll()
	d.Retired, d.Uptime = m.cpu.Retired, m.kernel.Uptime(m.cpu.Retired)
	d.Outages += m.cfg.Outage
	d.PowerCycles++
	d.world = m.durable.world.Fork(true)
	return &d
}

// Restart starts a new process on what a power cut left, which it takes over: a system
// that is switched on again and runs a program, where Boot brings the dead process
// back. The process finds the files as the cut left them (the call in flight took effect or
// did not, descriptors and locks are gone, deleted files that were open too); of the
// dead processes' own memory nothing is left. Pages of files that mappings share are
// the files'. Wall clock, power cycles and dirty shutdowns go on; the monotonic
// clock and the count of instructions begin anew, and so do the random streams, which
// belong to the power cycle. rt is a fresh runtime, nil without one; blocks is as in
// BootOptions. Errors: as those of New.
func Restart(d *Durable, cfg *Config, rt Runtime, p Program, blocks *Machine) (*Machine, error) {
	half := *d
	half.from, half.Lost = nil, nil
	if half.world == nil {
		half.world = kernel.NewConsole(nil, nil, nil)
	}
	var committed uint64
	if rt != nil {
		committed = rt.Committed(half.PMEM)
	}
	half.Files.SetMemory(half.PMEM)
	half.Files.Reopen(committed)
	half.PMEM.Drop(phys.PMEMBase.Frame(), vfs.FrameBase.Frame())
	half.Retired, half.Started = 0, half.PowerCycles
	half.Earlier, half.Uptime = half.Earlier+half.Uptime, 0
	absent := maps.Clone(p.Preload)
	maps.DeleteFunc(absent, func(name string, _ []byte) bool {
		_, err := half.Files.Walk(vfs.Root, name, true)
		return err == nil
	})
	if err := preload(half.Files, absent); err != nil {
		return nil, err
	}
	again := *cfg
	again.Program, again.Dir = cmp.Or(p.Path, cfg.Program), cmp.Or(p.Dir, cfg.Dir)
	if p.Args != nil {
		again.Args = p.Args
	}
	if p.Env != nil {
		again.Env = p.Env
	}
	m, err := assemble(&again, half, rt, false, blocks)
	if err != nil {
		return nil, err
	}
	if err := m.launch(); err != nil {
		return nil, err
	}
	return m, nil
}

// seed is that of the random streams of the process that runs.
func (d *Durable) seed(cfg *Config) uint64 {
	if d.Started == 0 {
		return cfg.Seed
	}
	return det.Stream(cfg.Seed, fmt.Sprintf("power cycle %d", d.Started)).Uint64()
}
