// Package validate runs the micro-workloads by which memory devices were measured on the modelled
// machine, as guest code, and compares what comes out with the published values. A row runs
// under the preset that its configuration names. What has no counterpart is listed as absent.
package validate

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"zhuque/cachemodel"
	"zhuque/crashinject"
	"zhuque/internal/reference"
	"zhuque/scenarios/guests"
	"zhuque/sim"
	"zhuque/sim/phys"
)

// Row is one measured value and the model's.
type Row struct {
	ID       string  `json:"id"`
	Family   string  `json:"family"`
	Preset   string  `json:"preset"`
	Config   string  `json:"config"` // of the machine that was measured
	X        float64 `json:"x"`
	XUnit    string  `json:"x_unit"`
	Measured float64 `json:"measured"`
	Modelled float64 `json:"modelled"`
	Unit     string  `json:"unit"`
	Factor   float64 `json:"factor"` // between the two, at least 1
	Source   string  `json:"source"`
}

// Family is the rows of one kind of measurement.
type Family struct {
	Name    string  `json:"name"`
	Rows    int     `json:"rows"`
	Geomean float64 `json:"geomean"` // of the factors
	Worst   float64 `json:"worst"`
	Goal    float64 `json:"goal"` // for the geometric mean
	OK      bool    `json:"ok"`
}

// Result is all that was compared.
type Result struct {
	Rows     []Row        `json:"rows"`
	Geomean  float64      `json:"geomean"`
	Families []Family     `json:"families"`
	Absent   []string     `json:"absent"` // ids of verified rows without a counterpart
	Fitted   []phys.Param `json:"fitted"`
}

// OK reports whether every family reaches its goal.
func (r *Result) OK() bool {
	return !slices.ContainsFunc(r.Families, func(f Family) bool { return !f.OK })
}

// Names returns the names of the families.
func Names() (names []string) {
	for _, f := range families {
		names = append(names, f.name)
	}
	return names
}

// job is one row to run.
type job struct {
	target reference.Target
	family string
	work   workload
}

// jobs returns the rows of some families, all where none is named, and what is absent.
func jobs(only []string) (list []job, absent []string, err error) {
	targets, err := reference.DeviceTargets()
	if err != nil {
		return nil, nil, err
	}
	for _, t := range targets {
		made := false
		for _, f := range families {
			rest, ok := strings.CutPrefix(t.ID, f.prefix)
			if !ok {
				continue
			}
			w := f.make(&t, rest)
			if made = w.value != nil; made && (len(only) == 0 || slices.Contains(only, f.name)) {
				list = append(list, job{t, f.name, w})
			}
			break
		}
		if !made && t.Confidence == "verified" {
			absent = append(absent, t.ID)
		}
	}
	return list, absent, nil
}

// Run compares the rows of some families, all where none is named, on so many host
// processors at once. told is called after each row.
func Run(ctx context.Context, only []string, workers int, told func(Row)) (*Result, error) {
	for _, name := range only {
		if !slices.Contains(Names(), name) {
			return nil, fmt.Errorf("family %q: expected one of %q", name, Names())
		}
	}
	list, absent, err := jobs(only)
	if err != nil {
		return nil, err
	}
	rows, errs := make([]Row, len(list)), make([]error, len(list))
	next, lock := make(chan int), sync.Mutex{}
	var group sync.WaitGroup
	for range max(workers, 1) {
		group.Go(func() {
			for i := range next {
				rows[i], errs[i] = list[i].run()
				lock.Lock()
				if told != nil && errs[i] == nil {
					told(rows[i])
				}
				lock.Unlock()
			}
		})
	}
	for i := range list {
		if ctx.Err() != nil {
			break
		}
		next <- i
	}
	close(next)
	group.Wait()
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	for i, err := range errs {
		if err != nil {
			return nil, fmt.Errorf("%s: %w", list[i].target.ID, err)
		}
	}
	return summarize(rows, absent)
}

// run runs one row's workload.
func (j *job) run() (Row, error) {
	w := &j.work
	s := crashinject.DefaultSetup()
	s.Guest = guests.Guest
	s.Program = crashinject.GuestPrefix + "devices"
	s.Args = []string{w.name, fmt.Sprint(w.size), fmt.Sprint(w.threads), fmt.Sprint(w.count)}
	for _, set := range [][2]string{{"memory", w.memory}, {"model", "timed"}, {"clock", "model"}, {"preset", w.preset},
		{"cores", fmt.Sprint(w.threads)}, {"quantum", "60"}, {"max-instructions", "2000000000"}} {
		if err := s.Set(set[0], set[1]); err != nil {
			return Row{}, err
		}
	}
	cfg, err := s.Config(nil)
	if err != nil {
		return Row{}, err
	}
	cfg.Cache.Timing.Devices.DIMMs = w.dimms
	cfg.Kernel = sim.Config{}.Kernel // what was measured is devices: pages were touched, and threads ran, before
	var seen watch
	cfg.OnMark = seen.mark
	m, err := s.Start(cfg)
	if err != nil {
		return Row{}, err
	}
	defer m.Free()
	if stop := m.Run(); !stop.Ended() || stop.ExitCode() != 0 {
		return Row{}, fmt.Errorf("the workload %s: %v", w.name, stop)
	}
	t := &j.target
	r := Row{ID: t.ID, Family: j.family, Preset: w.preset, Config: t.Config, X: t.X, XUnit: t.XUnit, Measured: t.Value,
		Modelled: w.value(w, &seen.sum), Unit: t.Unit, Source: t.Source}
	if !(r.Modelled > 0) || math.IsInf(r.Modelled, 0) {
		return r, fmt.Errorf("the workload %s gives %v %s", w.name, r.Modelled, r.Unit)
	}
	r.Factor = max(r.Modelled/r.Measured, r.Measured/r.Modelled)
	return r, nil
}

func summarize(rows []Row, absent []string) (*Result, error) {
	r := &Result{Rows: rows, Absent: absent}
	total := 0.0
	for _, f := range families {
		sum, s := 0.0, Family{Name: f.name, Goal: f.goal}
		for _, row := range rows {
			if row.Family == f.name {
				s.Rows++
				sum += math.Log(row.Factor)
				s.Worst = max(s.Worst, row.Factor)
			}
		}
		if s.Rows == 0 {
			continue
		}
		total += sum
		s.Geomean = math.Exp(sum / float64(s.Rows))
		s.OK = s.Geomean <= s.Goal
		r.Families = append(r.Families, s)
	}
	r.Geomean = math.Exp(total / float64(len(rows)))
	cfg, err := cachemodel.Preset("clx-g1")
	if err != nil {
		return nil, err
	}
	for _, p := range cfg.Params() {
		if strings.HasPrefix(p.Source, "fitted") {
			r.Fitted = append(r.Fitted, p)
		}
	}
	r.Fitted = append(r.Fitted, shaped...)
	return r, nil
}

// shaped is what of the guest and of the model was chosen to meet rows and is no parameter.
var shaped = []phys.Param{
	{Name: "guest.lens_read_overhead", Value: 136, Unit: "nop", Status: phys.Assumed, Range: "fixed",
		Source: "fitted: what an access of LENS read costs beside the read; no source"},
	{Name: "model.flush_burst", Value: 4, Unit: "flushes", Status: phys.Assumed, Range: "fixed",
		Source: "fitted: flushes that start at once; bandwidth of clwb over threads"},
}
