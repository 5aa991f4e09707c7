package figures

import (
	"math"
	"slices"

	"zhuque/crashinject/result"
	"zhuque/scenarios/systems"
	"zhuque/sim"
	"zhuque/sim/phys"
)

// row is a system as a figure names it.
type row struct {
	label, system, mode string
	memory              sim.Memory
}

// The region of a system lies in persistent memory, all else in DRAM; under Zhuque everything is persistent.
var (
	native = row{"native", "native", "adr", sim.Native}
	onPMEM = row{"on PMEM", "native", "adr", sim.PMEM}
	zhuque = row{"Zhuque", "native", "adr", sim.Zhuque}
	logged = []row{
		{"undo log", "undo", "adr", sim.Native}, {"redo STM", "redo", "adr", sim.Native},
		{"sections", "fase", "adr", sim.Native}, {"clobber", "clobber", "adr", sim.Native},
	}
	rows = slices.Concat([]row{native, onPMEM, zhuque}, logged)
)

func (r row) as(mode string) row {
	r.mode = mode
	return r
}

// point is a run of a system: operations and entries are of all threads together.
func (r row) point(s *size, structure, mix string, threads uint64) Point {
	w := systems.Workload{System: r.system, Structure: structure, Mode: r.mode, Mix: mix,
		Threads: threads, Operations: s.operations / threads, Loaded: s.loaded}
	return Point{Program: w.Program(), Memory: r.memory}
}

// over is one system at one place of a curve.
func (r runs) over(x float64, label string, p, base Point) result.OverheadPoint {
	c := r.of(p)
	return result.OverheadPoint{System: label, Value: x, Cycles: phys.Cycles(math.Round(c.Nanos * float64(c.MHz) / 1000)),
		Instructions: c.Instructions, RelativeToNative: r.ratio(p, base), N: 1}
}
