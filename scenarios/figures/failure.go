package figures

import (
	"bytes"
	"fmt"
	"io"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/eadr"
	"zhuque/internal/reference"
	"zhuque/runtime/wpp"
	"zhuque/scenarios/region"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/phys"
)

// cutAt is a process of a size whose power goes.
type cutAt struct {
	durable *sim.Durable
	report  sim.CutReport
	config  *sim.Config
}

// cut runs a micro-workload to its second mark, where it holds what it has made, and cuts the power.
func (d *drawing) cut(order eadr.DrainOrder, workload string, n uint64) (*cutAt, error) {
	s := *d.setup
	s.Memory, s.Program, s.Args = sim.Zhuque, crashinject.GuestPrefix+micro, []string{workload, fmt.Sprint(n)}
	var out bytes.Buffer
	cfg, err := s.Config(kernel.NewConsole(nil, &out, &out))
	if err != nil {
		return nil, err
	}
	var there uint64
	cfg.OnMark = func(m *sim.Machine, n uint64) {
		if n == 2 {
			there = m.Retired()
		}
	}
	m, err := s.Start(cfg)
	if err != nil {
		return nil, err
	}
	stop := m.Run()
	m.Free()
	if !stop.Ended() || stop.ExitCode() != 0 || there == 0 {
		return nil, region.NewFailed("%s %d: %v: %s", workload, n, stop, bytes.TrimSpace(out.Bytes()))
	}
	if cfg, err = s.Config(kernel.NewConsole(nil, io.Discard, io.Discard)); err != nil {
		return nil, err
	}
	cfg.Power.DrainOrder = order
	if m, err = s.Start(cfg); err != nil {
		return nil, err
	}
	defer m.Free()
	if stop := m.RunUntil(there); stop.Reason != sim.Reached {
		return nil, fmt.Errorf("BUG: %s %d: %v before instruction %d, where it was before", workload, n, stop, there)
	}
	durable, report := m.Die(sim.Cut{})
	return &cutAt{durable, report, cfg}, nil
}

// dirtied are the pages that a process has touched when the power goes: 1 to 64 MiB.
var dirtied = []uint64{256, 1024, 4096, 8192, 16_384}

// window returns the least and the longest time that power supplies were measured to last.
func window() (least, longest float64, err error) {
	targets, err := reference.DeviceTargets()
	if err != nil {
		return 0, 0, err
	}
	for _, t := range targets {
		switch t.ID {
		case "wsp.residual_window.min":
			least = t.Value
		case "wsp.residual_window.max":
			longest = t.Value
		}
	}
	return least, longest, nil
}

// drawFailure draws how long the caches take to drain when the power goes, and with what energy.
func drawFailure(d *drawing) error {
	least, longest, err := window()
	if err != nil {
		return err
	}
	times := result.Curves{Name: "failure time", X: "memory written before the failure (MiB)", Y: "time (ms)",
		Caption: fmt.Sprintf("Time until all is persistent at a power failure after so much memory was written, by the order in which dirty lines leave them. Diamonds: the shortest and the longest time that power supplies last without mains (%v to %v ms, WSP).", least, longest)}
	energies := result.Curves{Name: "failure energy", X: times.X, Y: "energy (mJ)",
		Caption: "The energy of the same power failures."}
	slowest := phys.Nanos(0)
	for _, order := range []eadr.DrainOrder{eadr.LevelOrder, eadr.AddressOrder, eadr.LRUFirstOrder} {
		for _, pages := range dirtied {
			c, err := d.cut(order, "hold_memory", pages)
			if err != nil {
				return err
			}
			mib, power := float64(pages)/256, &c.report.Power
			times.Points = append(times.Points, result.CurvePoint{Series: string(order), X: mib, Y: float64(power.Time) / 1e6})
			energies.Points = append(energies.Points, result.CurvePoint{Series: string(order), X: mib, Y: float64(power.EnergyUsed) / 1e6})
			slowest = max(slowest, power.Time)
		}
	}
	for _, pages := range []uint64{dirtied[0], dirtied[len(dirtied)-1]} {
		for name, v := range map[string]float64{"shortest window": least, "longest window": longest} {
			times.Points = append(times.Points, result.CurvePoint{Series: name, X: float64(pages) / 256, Y: v, Published: true})
		}
	}
	d.doc.Curves = append(d.doc.Curves, times, energies)
	d.doc.Remarks = append(d.doc.Remarks, fmt.Sprintf("Failures: the slowest took %.2f ms, %.0f %% of the shortest window. What is dirty ends with the size of the caches, and so does the time. "+
		"Published: below 5 ms on every machine tried, 2 to 35 %% of its window (WSP, ASPLOS 2012).", float64(slowest)/1e6, float64(slowest)/1e4/least))
	return nil
}

// held are sizes of processes that recover: how many of each, and how far.
var held = []struct {
	series, workload string
	counts           []uint64
}{
	{"pages", "hold_memory", []uint64{1, 64, 4096, 16_384}},
	{"threads", "hold_threads", []uint64{1, 8, 64}},
	{"mappings", "hold_mappings", []uint64{2, 64, 1024, 8192}},
	{"descriptors", "hold_descriptors", []uint64{1, 64, 1024}},
}

// drawRecovery draws what a recovery reads of persistent memory, over what the process had.
func drawRecovery(d *drawing) error {
	c := result.Curves{Name: "recovery", X: "how many the process has", Y: "PMEM read (KiB)",
		Caption: "What a recovery reads of persistent memory before the process continues, over its pages, threads, mappings and open descriptors. Memory is not read."}
	most, read := 0.0, phys.Nanos(0) // what is read, and how long a line takes
	for _, h := range held {
		for _, n := range h.counts {
			at, err := d.cut(eadr.LevelOrder, h.workload, n)
			if err != nil {
				return err
			}
			rt, err := wpp.New("")
			if err != nil {
				return err
			}
			m, err := sim.Boot(at.durable, at.config, rt, sim.BootOptions{})
			if err != nil {
				return fmt.Errorf("%s %d: %w", h.workload, n, err)
			}
			kib := float64(rt.RecoveryRead()) / 1024
			m.Free()
			most, read = max(most, kib), at.config.Cache.PMEMRead
			c.Points = append(c.Points, result.CurvePoint{Series: h.series, X: float64(n), Y: kib})
		}
	}
	d.doc.Curves = append(d.doc.Curves, c)
	d.doc.Remarks = append(d.doc.Remarks, fmt.Sprintf("Recovery: the largest process reads %.0f KiB. If each of its lines were waited for alone, at the %d ns of a read, that would take %.2f ms.",
		most, read, most*16*float64(read)/1e6))
	return nil
}
