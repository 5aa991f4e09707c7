// Package figures makes the figures of a paper: what persistence costs, and what one would pay
// otherwise. Each figure names the runs that it needs and draws from them alone, so that runs are
// shared, made once and kept. Nothing is fitted to a published result.
package figures

import (
	"context"
	"errors"
	"fmt"
	"math"
	"slices"
	"strings"
	"sync"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/scenarios/region"
	"zhuque/scenarios/systems"
	"zhuque/sim"
)

// Point is a run: a program with memory of a kind, and a parameter that differs from the default.
type Point struct {
	region.Program
	Memory sim.Memory
	Params string // NAME=VALUE with commas between, "" for none
}

// Name tells points apart.
func (p Point) Name() string {
	return strings.TrimSpace(fmt.Sprintf("%v, %d cores, %d operations, memory %v %s", &p.Program, p.Cores, p.Operations, p.Memory, p.Params))
}

// size is how much is run.
type size struct {
	operations, loaded uint64 // of all threads
	threads            []uint64
	server             uint64 // threads of the server
	full               bool
	requests, keys     uint64 // of memcached
	python, memcached  string // the programs' paths, "" for none
	created            uint64 // threads of a micro-benchmark, a multiple of 50
	locked             uint64 // rounds of its lock
	pages              uint64 // that it maps, a multiple of 32
}

var (
	quick = size{240, 480, []uint64{1, 2, 4}, 4, false, 600, 200, "", "", 200, 10_000, 2048}
	full  = size{4000, 8000, []uint64{1, 2, 4, 8, 16}, 16, true, 20_000, 10_000, "", "", 2500, 1_000_000, 32_768}
)

// figure is one of them.
type figure struct {
	name, about string
	points      func(s *size) []Point // nil: none that are worth keeping
	draw        func(d *drawing) error
}

// drawing is what a figure draws from, and into.
type drawing struct {
	runs
	size  *size
	setup *crashinject.Setup // of the runs, where a figure makes some that are over at once
	doc   *result.Document
}

var all = []figure{
	{"micro", "threads, a lock, memory and files mapped, beside the published ones (figure 5)", microPoints, drawMicro},
	{"python", "programs in Python, beside the published ones (figure 6)", pythonPoints, drawPython},
	{"structures", "data structures with 256-byte values over threads", structurePoints, drawStructures},
	{"reservation", "bookings over threads, after STAMP's vacation", reservationPoints, drawReservation},
	{"systems", "what each system costs with flushes and without, over all structures", systemPoints, drawSystems},
	{"latency", "a hash map over the read latency of persistent memory", latencies.points, latencies.draw},
	{"bandwidth", "a hash map over what a DIMM takes for a write", bandwidths.points, bandwidths.draw},
	{"caches", "a hash map over the size of the caches", caches.points, caches.draw},
	{"calls", "Zhuque over the rate of system calls", callPoints, drawCalls},
	{"breakdown", "what an operation takes, taken apart", breakdownPoints, drawBreakdown},
	{"writes", "fences, flushes and lines of persistent memory that an operation takes", breakdownPoints, drawWrites},
	{"server", "a key-value server with one lock, beside memcached 1.2.5 as published (figure 7)", serverPoints, drawServer},
	{"failure", "time and energy until all is persistent, over what was written", nil, drawFailure},
	{"recovery", "what a recovery reads, over the size of the process", nil, drawRecovery},
	{"locked", "the server over threads, beside memcached 1.2.5 as published (figure 8)", lockedPoints, drawLocked},
	{"memcached", "memcached over threads, beside the published one (figure 8)", modernPoints, drawModern},
	{"speedups", "how much faster Zhuque is than each system, beside the published means", structurePoints, drawSpeedups},
}

// Names returns the names of the figures with what they show.
func Names() (list [][2]string) {
	for _, f := range all {
		list = append(list, [2]string{f.name, f.about})
	}
	return list
}

// Guests returns the names of the guests that are run.
func Guests() []string { return append(systems.Names(), micro, load) }

// Options is what is made.
type Options struct {
	Names   []string // nil: all
	Full    bool
	Setup   crashinject.Setup
	Workers int
	// The paths of programs in the machine, "" for none.
	Python, Memcached string
	Known             map[string]*region.Cost // runs that were made before, by Point.Name
	// Made is told of each run, one at a time.
	Made func(done, total int, p Point, c *region.Cost) error
}

// runs are the costs of points.
type runs map[string]*region.Cost

func (r runs) of(p Point) *region.Cost {
	c := r[p.Name()]
	if c == nil {
		panic("BUG: a figure draws a run that it did not name: " + p.Name())
	}
	return c
}

// ratio is the time of a run relative to another one's.
func (r runs) ratio(p, to Point) float64 { return r.of(p).Nanos / r.of(to).Nanos }

// Make makes the runs that are not known and draws. Errors: unknown names; a run whose own checks fail.
func Make(ctx context.Context, o *Options, doc *result.Document) error {
	picked, err := pick(o.Names)
	if err != nil {
		return err
	}
	s := &size{}
	if *s = quick; o.Full {
		*s = full
	}
	s.python, s.memcached = o.Python, o.Memcached
	var points []Point
	seen := map[string]bool{}
	for _, f := range picked {
		if f.points == nil {
			continue
		}
		for _, p := range f.points(s) {
			if !seen[p.Name()] {
				seen[p.Name()] = true
				points = append(points, p)
			}
		}
	}
	r := runs{}
	if err := r.make(ctx, o, points); err != nil {
		return err
	}
	for _, f := range picked {
		if err := f.draw(&drawing{r, s, &o.Setup, doc}); err != nil {
			return fmt.Errorf("figure %s: %w", f.name, err)
		}
	}
	return nil
}

// Check reports names of figures that there are none of.
func Check(names []string) error {
	_, err := pick(names)
	return err
}

func pick(names []string) ([]figure, error) {
	if len(names) == 0 {
		return all, nil
	}
	var known, picked = []string{}, []figure{}
	for _, f := range all {
		known = append(known, f.name)
		if slices.Contains(names, f.name) {
			picked = append(picked, f)
		}
	}
	for _, n := range names {
		if !slices.Contains(known, n) {
			return nil, fmt.Errorf("figure %q: expected one of %s", n, strings.Join(known, ", "))
		}
	}
	return picked, nil
}

// make runs the points, by several workers. The first error ends it.
func (r runs) make(ctx context.Context, o *Options, points []Point) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var lock sync.Mutex
	var group sync.WaitGroup
	var todo []Point
	for _, p := range points {
		if c := o.Known[p.Name()]; c != nil {
			r[p.Name()] = c
		} else {
			todo = append(todo, p)
		}
	}
	next := make(chan Point)
	for range max(o.Workers, 1) {
		group.Go(func() {
			for p := range next {
				c, err := p.measure(o.Setup)
				lock.Lock()
				if err == nil {
					r[p.Name()] = c
					err = o.Made(len(r), len(points), p, c)
				}
				if err != nil {
					stop(err)
				}
				lock.Unlock()
			}
		})
	}
	for _, p := range todo {
		if ctx.Err() != nil {
			break
		}
		next <- p
	}
	close(next)
	group.Wait()
	return context.Cause(ctx)
}

func (p *Point) measure(s crashinject.Setup) (*region.Cost, error) {
	s.Memory = p.Memory
	for set := range strings.SplitSeq(p.Params, ",") {
		if name, value, ok := strings.Cut(set, "="); ok {
			if err := s.Set(name, value); err != nil {
				return nil, err
			}
		}
	}
	return p.Program.Measure(s)
}

// means returns the arithmetic and the geometric mean.
func means(list []float64) (arithmetic, geometric float64, err error) {
	if len(list) == 0 {
		return 0, 0, errors.New("BUG: the mean of nothing")
	}
	for _, v := range list {
		arithmetic += v / float64(len(list))
		geometric += math.Log(v) / float64(len(list))
	}
	return arithmetic, math.Exp(geometric), nil
}
