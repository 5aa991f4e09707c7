package systems

import (
	"fmt"

	"zhuque/crashinject"
	"zhuque/scenarios/region"
)

// Workload is a run of a data structure over a system: what lies between its marks is measured.
type Workload struct {
	System, Structure, Mode string
	Mix                     string // load, a, b, c, d or f
	Threads                 uint64 // on as many cores
	Operations              uint64 // of each thread
	Loaded                  uint64 // entries before
}

// Program is the guest that runs the workload.
func (w *Workload) Program() region.Program {
	return region.Program{Name: crashinject.GuestPrefix + Prefix + w.System, Cores: w.Threads, Operations: w.Threads * w.Operations,
		Args: []string{w.Structure, w.Mode, w.Mix, fmt.Sprint(w.Threads), fmt.Sprint(w.Operations), fmt.Sprint(w.Loaded)}}
}
