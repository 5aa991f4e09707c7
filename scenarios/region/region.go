// Package region measures what a program does between its marks 1 and 2 (zhuque_mark of the header
// that comes with explore): modelled time, stalls by cause, accesses, and what reaches the medium.
// What lies before and after, start-up above all, is no part of a figure. A program that cannot mark
// is measured whole, so that another run that only starts may be taken off it.
package region

import (
	"bytes"
	"fmt"
	"strings"

	"zhuque/cachemodel"
	"zhuque/crashinject"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/phys"
)

// Program is a program with its arguments; it runs with a clock of the model, a core for each thread.
type Program struct {
	Name       string // a path, or guest:NAME
	Args       []string
	Label      string // stands for both where they are long
	Cores      uint64
	Whole      bool   // from the first instruction to the last; there are no marks
	Operations uint64 // that it does between the marks, of all threads
}

func (p *Program) String() string {
	if p.Label != "" {
		return p.Label
	}
	return strings.Join(append([]string{p.Name}, p.Args...), " ")
}

// Cost is what lies between the marks.
type Cost struct {
	Nanos        float64 // until the last thread was done
	CoreNanos    float64 // of all cores that were busy
	Operations   uint64
	Instructions uint64
	Stats        cachemodel.Stats
	Stalls       map[string]phys.Cycles
	MediaBytes   phys.Bytes // that persistent media took
	MHz          int
	Prints       string // the program's output
}

// Failed is a program that did not end with status 0: a check of its own fails, say.
type Failed struct{ what string }

// NewFailed says what failed.
func NewFailed(format string, args ...any) *Failed { return &Failed{fmt.Sprintf(format, args...)} }

func (e *Failed) Error() string { return e.what }

// Measure runs a program with the memory and the parameters of a setup. Errors: *Failed, those of the setup.
func (p *Program) Measure(s crashinject.Setup) (*Cost, error) {
	s.Program, s.Args = p.Name, p.Args
	for _, set := range [][2]string{{"model", "timed"}, {"clock", "model"}, {"cores", fmt.Sprint(p.Cores)}} {
		if err := s.Set(set[0], set[1]); err != nil {
			return nil, err
		}
	}
	var out bytes.Buffer
	cfg, err := s.Config(kernel.NewConsole(nil, &out, &out))
	if err != nil {
		return nil, err
	}
	var from, to moment
	cfg.OnMark = func(m *sim.Machine, n uint64) {
		switch {
		case p.Whole:
		case n == 1:
			from = at(m)
		case n == 2:
			to = at(m)
		}
	}
	m, err := s.Start(cfg)
	if err != nil {
		return nil, err
	}
	defer m.Free()
	if stop := m.Run(); !stop.Ended() || stop.ExitCode() != 0 {
		return nil, NewFailed("%v: %v: %s", p, stop, bytes.TrimSpace(out.Bytes()))
	}
	if p.Whole {
		to = at(m)
	}
	return p.cost(from, to, m.Hierarchy().Config().CoreMHz, out.String())
}

func at(m *sim.Machine) moment { return moment{m.Time(), m.Hierarchy().Stats(), m.Retired()} }

// moment is what has passed up to a mark.
type moment struct {
	time    sim.Time
	stats   cachemodel.Stats
	retired uint64
}

func (p *Program) cost(from, to moment, mhz int, prints string) (*Cost, error) {
	if to.time.ElapsedCycles <= from.time.ElapsedCycles {
		return nil, NewFailed("%v: no time passes between the marks 1 and 2", p)
	}
	c := &Cost{Operations: p.Operations, Instructions: to.retired - from.retired, MHz: mhz, Prints: prints,
		Stats: to.stats.Sub(&from.stats), Stalls: map[string]phys.Cycles{},
		MediaBytes: to.time.MediaBytesWritten - from.time.MediaBytesWritten}
	c.Nanos = c.nanos(to.time.ElapsedCycles - from.time.ElapsedCycles)
	for i, n := range to.time.CoreCycles {
		if len(from.time.CoreCycles) > 0 {
			n -= from.time.CoreCycles[i]
		}
		c.CoreNanos += c.nanos(n)
	}
	for cause, n := range to.time.Stalls {
		c.Stalls[cause] = n - from.time.Stalls[cause]
	}
	return c, nil
}

func (c *Cost) nanos(n phys.Cycles) float64 { return float64(n) * 1000 / float64(c.MHz) }
