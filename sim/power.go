package sim

import (
	"fmt"
	"slices"

	"zhuque/cachemodel"
	"zhuque/eadr"
	"zhuque/sim/kernel"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// Cut is how the power goes at the place where a machine stands. The zero Cut is the clean
// one with the platform's energy.
type Cut struct {
	cachemodel.Cut
	// Energy is the hold-up energy; absent for the platform's.
	Energy phys.Opt[phys.NanoJoules]
}

// CoreCount is a core and a number: of its stores, or of its instructions.
type CoreCount = cachemodel.CoreCount

// Drain as a Loss's KeepStores drains a core's store buffer.
const Drain = -1

// CutReport tells what the power-fail sequence found and did.
type CutReport struct {
	Inventory cachemodel.Inventory
	Power     eadr.Outcome
}

// PowerCut ends the power: the power-fail sequence runs as far as the energy
// lasts, and what is left is returned. m itself is not changed, so that a
// crash check can go on with it after Durable.Release; until then it must not run.
func (m *Machine) PowerCut(cut Cut) (*Durable, CutReport) {
	d, rep := m.cut(cut, m.durable.PMEM.Borrow())
	d.from = m.durable.PMEM
	return d, rep
}

// cut is PowerCut with a copy of the persistent memory.
func (m *Machine) cut(cut Cut, pmem *mem.Store) (*Durable, CutReport) {
	var rep CutReport
	d := m.durable
	d.PMEM = pmem
	d.Files = m.durable.Files.Fork()
	d.Files.SetMemory(d.PMEM)
	d.Files.SetCaches(nil)
	if !m.booting {
		d.Retired = m.cpu.Retired // a recovery that is cut has run nothing
		if m.call != nil {
			d.Retired = m.call.Retired // the runtime knows whether it took effect
		}
		d.Uptime = m.kernel.Uptime(d.Retired)
	}
	d.Outages += m.cfg.Outage
	d.PowerCycles++
	d.world = m.durable.world.Fork(true)

	power := m.cfg.Power
	power.Energy = cut.Energy.Or(power.Energy)
	inv := eadr.Inventory{Cores: len(m.cores)}
	if m.rt != nil {
		inv.SaveLines = m.rt.SaveLines(m)
	}
	var loss cachemodel.Loss
	var leaving cachemodel.Leaving
	if m.hier != nil {
		rep.Inventory = m.hier.Inventory()
		loss = m.loss(cut, power.StoreBuffer)
		leaving = m.hier.Leaving(loss.KeepStores)
		inventory(&inv, &rep.Inventory, &leaving, loss.WCLost)
	}
	rep.Power = eadr.Run(power, inv)
	if m.hier != nil {
		m.shorten(&loss, &leaving, inv.WCLines, &rep.Power)
		m.takeBack(d.PMEM, loss, &leaving, &power, &rep.Power)
	}
	d.Lost = d.Files.LoseUnsynced()
	if m.rt != nil && rep.Power.RegistersSaved {
		m.rt.PowerFail(m, d.PMEM)
		if rep.Power.Complete {
			m.rt.Complete(d.PMEM)
		}
	}
	if !rep.Power.Clean {
		d.DirtyShutdowns++
	}
	return &d, rep
}

// Die is PowerCut for good: m is dead, and the console that it wrote to goes on
// with what is booted from the Durable.
func (m *Machine) Die(cut Cut) (*Durable, CutReport) {
	d, rep := m.PowerCut(cut)
	d.world = m.durable.world
	d.world.DropPending()
	return d, rep
}

// inventory is what the power-fail sequence has to move: what the caches hold dirty, and
// what the buffers add to it when they drain.
func inventory(inv *eadr.Inventory, found *cachemodel.Inventory, leaving *cachemodel.Leaving, wcLost bool) {
	inv.BufferedStores = leaving.Stores
	inv.DirtyLines = found.DirtyPMEM
	for i, n := range found.DirtyLines {
		inv.DirtyDRAM[i] = n - found.DirtyPMEM[i]
	}
	inv.DirtyLines[0] += len(leaving.Dirtied)
	inv.DirtyDRAM[0] += leaving.DRAM
	if !wcLost {
		inv.WCLines = leaving.WC
	}
}

// shorten loses of the buffers what the energy did not last for. The cores drain their store
// buffers side by side, so each has let out as many of its oldest stores as the others.
func (m *Machine) shorten(loss *cachemodel.Loss, leaving *cachemodel.Leaving, wcLines int, power *eadr.Outcome) {
	if power.StoresDrained < leaving.Stores {
		each := power.StoresDrained / len(m.cores)
		for i, n := range loss.KeepStores {
			if n < 0 || n > each {
				loss.KeepStores[i] = each
			}
		}
	}
	if power.WCOnMedium < wcLines {
		kept := m.hier.WCLines(power.WCOnMedium)
		loss.WCLost = true
		loss.WCKept = func(l phys.LineAddr, _ int) bool { return slices.Contains(kept, l) }
	}
}

// takeBack puts back into pm what the failure loses.
func (m *Machine) takeBack(pm *mem.Store, loss cachemodel.Loss,
	leaving *cachemodel.Leaving, power *eadr.Config, out *eadr.Outcome) {
	if out.LinesDrained < out.LinesDirty {
		drained := make(map[phys.LineAddr]struct{}, out.LinesDrained)
		m.hier.EachDirtyPMEM(drainOrder(power.DrainOrder), leaving.Dirtied, func(l phys.LineAddr, _ int) bool {
			if len(drained) == out.LinesDrained {
				return false
			}
			drained[l] = struct{}{}
			return true
		})
		loss.CachesLost = func(l phys.LineAddr) bool {
			_, ok := drained[l]
			return !ok
		}
	}
	m.hier.TakeBacks(loss, func(a phys.Addr, old []byte) {
		if a.IsPMEM() {
			pm.Write(a, old)
		}
	})
}

// loss is what the cores' buffers lose.
func (m *Machine) loss(cut Cut, policy eadr.StoreBufferPolicy) cachemodel.Loss {
	loss := cachemodel.Loss{KeepStores: make([]int, len(m.cores)), WCLost: cut.LoseWC || policy == eadr.LoseStores}
	for i := range loss.KeepStores {
		loss.KeepStores[i] = Drain
		if policy == eadr.LoseStores || policy == eadr.LoseOthers && i != m.id {
			loss.KeepStores[i] = 0
		}
	}
	if policy == eadr.DrainStores {
		for _, k := range cut.KeepOn {
			if k.Core < len(loss.KeepStores) {
				loss.KeepStores[k.Core] = int(k.N)
			}
		}
	}
	if policy != eadr.LoseStores {
		loss.KeepStores[m.id] = cut.Keep.Or(loss.KeepStores[m.id])
	}
	return loss
}

// drainOrder is the cache model's word for the platform's order.
func drainOrder(o eadr.DrainOrder) cachemodel.DrainOrder {
	if o == "" {
		o = eadr.LevelOrder
	}
	return cachemodel.DrainOrder(o) // the names are the same
}

// BootOptions arms a power failure during the restart.
type BootOptions struct {
	CutAtStep uint64   // lose power before this store of the recovery (from 1), 0 for never
	Blocks    *Machine // of the same configuration, whose decoded blocks may be shared; nil for nobody's. Only a matter of speed
}

// Boot restarts from a Durable, which it takes over. Errors: *Detected when the runtime refuses the
// image; ErrPowerLost (with the machine as it stood) when the armed step was reached.
func Boot(d *Durable, cfg *Config, rt Runtime, opt BootOptions) (m *Machine, err error) {
	if rt == nil {
		return nil, &Detected{Reason: "no runtime: memory outside Zhuque does not survive a power failure"}
	}
	if used, there := processPages(d.PMEM, rt), int64(cfg.pmemSize()>>phys.PageShift); used > there {
		return nil, &Detected{Reason: fmt.Sprintf(
			"the process has %d pages, the persistent memory of this machine has room for %d", used, there)}
	}
	half := *d
	half.from = nil
	if half.world == nil {
		half.world = kernel.NewConsole(nil, nil, nil)
	}
	m, err = assemble(cfg, half, rt, true, opt.Blocks)
	if err != nil {
		return nil, err
	}
	m.booting = true
	m.ArmStep(opt.CutAtStep)
	if opt.CutAtStep != 0 {
		defer func() {
			if r := recover(); r != nil {
				if _, ok := r.(powerLost); !ok {
					panic(r)
				}
				err = ErrPowerLost
			}
		}()
	}
	if err := rt.Recover(m); err != nil {
		return nil, err
	}
	m.booting = false
	m.stepAt = 0
	return m, nil
}

// processPages counts the pages beside those of the runtime.
func processPages(pmem *mem.Store, rt Runtime) int64 {
	n := pmem.Touched()
	lo, hi := rt.Owned()
	pmem.Each(lo, hi, func(phys.Frame, *mem.Page) bool {
		n--
		return true
	})
	return n
}

// TellPowerFailure sends SIGPWR to a restarted program that handles it, before
// it goes on, and reports whether it did; see kernel.PowerFailed.
func (m *Machine) TellPowerFailure(failures uint64) bool {
	if m.ended != nil || !m.kernel.ToldOfPowerFailures() {
		return false
	}
	c := m.begin(Failed, m.cpu.RIP, m.cpu.Retired)
	c.Failures = failures
	m.enter(c)
	return true
}

// Free gives the memory of a machine's volatile parts back; m must not be used
// any more.
func (m *Machine) Free() {
	for i := range m.cores {
		m.cores[i].port.Free()
	}
	m.volatile = volatile{}
}

// ErrPowerLost is Boot's answer when the armed step of the recovery was reached.
var ErrPowerLost = powerLostError{}

type powerLostError struct{}

func (powerLostError) Error() string { return "power lost during recovery" }
