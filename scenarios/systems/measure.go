package systems

import (
	"bytes"
	"fmt"

	"zhuque/cachemodel"
	"zhuque/crashinject"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/phys"
)

// Workload is a run of a data structure over a system: what lies between its marks is measured.
type Workload struct {
	System, Structure, Mode string
	Mix                     string // load, a, b, c, d or f
	Threads                 uint64 // on as many cores
	Operations              uint64 // of each thread
	Loaded                  uint64 // entries before
}

// Cost is what the operations of a workload took.
type Cost struct {
	Nanos        float64 // until the last thread was done
	CoreNanos    float64 // of all cores that were busy
	Operations   uint64
	Instructions uint64
	Stats        cachemodel.Stats
	Stalls       map[string]phys.Cycles
	MediaBytes   phys.Bytes // that persistent media took
	MHz          int
	Prints       string // what the structure holds at the end
}

// args are the program's.
func (w *Workload) args() []string {
	return []string{w.Structure, w.Mode, w.Mix, fmt.Sprint(w.Threads), fmt.Sprint(w.Operations), fmt.Sprint(w.Loaded)}
}

// Failed is a program that did not end with status 0: a check of its own fails, say.
type Failed struct{ what string }

func (e *Failed) Error() string { return e.what }

// Measure runs a workload with the memory and the parameters of a setup. Errors: *Failed, those of the setup.
func (w *Workload) Measure(s crashinject.Setup) (*Cost, error) {
	s.Guest, s.Program, s.Args = Guest, crashinject.GuestPrefix+Prefix+w.System, w.args()
	for _, set := range [][2]string{{"model", "timed"}, {"clock", "model"}, {"cores", fmt.Sprint(w.Threads)}} {
		if err := s.Set(set[0], set[1]); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	cfg, err := s.Config(kernel.NewConsole(nil, &out, &out))
	if err != nil {
		return nil, err
	}
	marks := map[uint64]moment{}
	cfg.OnMark = func(m *sim.Machine, n uint64) {
		marks[n] = moment{m.Time(), m.Hierarchy().Stats(), m.Retired()}
	}
	m, err := s.Start(cfg)
	if err != nil {
		return nil, err
	}
	defer m.Free()
	if stop := m.Run(); !stop.Ended() || stop.ExitCode() != 0 {
		return nil, &Failed{fmt.Sprintf("%s %v: %v: %s", w.System, w.args(), stop, bytes.TrimSpace(out.Bytes()))}
	}
	return w.cost(marks[1], marks[2], m.Hierarchy().Config().CoreMHz, out.String())
}

// moment is what has passed up to a mark.
type moment struct {
	time    sim.Time
	stats   cachemodel.Stats
	retired uint64
}

func (w *Workload) cost(from, to moment, mhz int, prints string) (*Cost, error) {
	if to.time.ElapsedCycles <= from.time.ElapsedCycles {
		return nil, fmt.Errorf("BUG: %s %v: no time passes between the marks", w.System, w.args())
	}
	c := &Cost{Operations: w.Threads * w.Operations, Instructions: to.retired - from.retired, MHz: mhz, Prints: prints,
		Stats: to.stats.Sub(&from.stats), Stalls: map[string]phys.Cycles{},
		MediaBytes: to.time.MediaBytesWritten - from.time.MediaBytesWritten}
	c.Nanos = c.nanos(to.time.ElapsedCycles - from.time.ElapsedCycles)
	for i := range to.time.CoreCycles {
		c.CoreNanos += c.nanos(to.time.CoreCycles[i] - from.time.CoreCycles[i])
	}
	for cause, n := range to.time.Stalls {
		c.Stalls[cause] = n - from.time.Stalls[cause]
	}
	return c, nil
}

func (c *Cost) nanos(n phys.Cycles) float64 { return float64(n) * 1000 / float64(c.MHz) }

// PerOperation is the modelled time of one operation of one thread, in nanoseconds.
func (c *Cost) PerOperation(threads uint64) float64 {
	return c.Nanos * float64(threads) / float64(c.Operations)
}
