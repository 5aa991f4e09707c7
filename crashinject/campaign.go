// Package crashinject decides where the power goes and judges what comes back:
// plans, strategies that make them, campaigns that judge them, cases that replay
// one of them, and the shrinking of a failing one.
//
// A campaign runs the program once. That main line is never cut: at each crash
// point a copy-on-write image of it loses power, restarts, and is compared with
// it. Points are spread over workers as stretches of the main line.
//
// It must not be imported by anything under sim, cachemodel, eadr or runtime.
package crashinject

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"zhuque/crashinject/check"
	"zhuque/crashinject/result"
	"zhuque/sim"
	"zhuque/sim/kernel/vfs"
)

// Campaign is a set of crash points of one program.
type Campaign struct {
	Name     string
	Setup    Setup
	Strategy Strategy
	Also     []Strategy // whose points are judged in the same run; none of them Every
	Workers  int        // 0: one for each CPU
	// Tails is how many points, evenly spread, run on to the program's end and
	// are compared there too.
	Tails uint64
	// Expect is what the points must be on a platform that is broken on purpose: each of
	// one of these shares, and each share of its size; nil for a platform that is not.
	Expect []result.Share
	// Prints is what the uncut run must print, which must then exit with 0; nil: anything.
	Prints []byte
	// Restart runs a command after each cut and judges by its exit status; nil: the
	// program comes back and is compared with one that never failed.
	Restart  *Restart
	Progress func(done, total uint64) // may be nil; called now and then
	// Found is told a failing case while the campaign runs: the first that is found, and
	// each later one whose point comes before all of those, so that what ends the process
	// does not end what is known. One call at a time, on any goroutine. May be nil.
	Found func(Case)
	// Replay is told the first failing case of the campaign; it writes it where
	// it wants and returns the command that repeats it. May be nil.
	Replay func(Case) (command string, err error)

	// Ledger, if not nil, keeps what is judged, a job at a time, and knows what was judged before.
	Ledger Ledger
	// Shard is the part of the jobs that is judged here; the zero one is all.
	Shard Shard

	inputs []Input // of the run
	before uint64  // points that the ledger had already
}

// Unsound is a campaign whose program does not even run without a failure.
type Unsound struct {
	Stop    sim.Stop
	Printed bool // it ends, but not as Campaign.Prints says
}

func (u *Unsound) Error() string {
	if u.Printed {
		return "the program does not print what it should without a cut: " + u.Stop.String()
	}
	return "baseline run failed: " + u.Stop.String()
}

// Run executes the campaign. Errors: *Unsound, or what kept the program from
// starting. When ctx ends early the campaign so far is returned with ctx's error.
func (c *Campaign) Run(ctx context.Context) (*result.Campaign, error) {
	base, cfg, err := c.baseline(ctx)
	if err != nil {
		return nil, err
	}
	of, err := Case{Setup: c.Setup, Restart: c.Restart}.Digested()
	if err != nil {
		return nil, err
	}
	c.inputs = of.Inputs
	v := &verifier{setup: &c.Setup, cfg: cfg, base: base, oracle: base.oracle}
	points, err := c.points(base)
	if err != nil {
		return nil, err
	}
	if c.Restart != nil {
		if err := c.Restart.fit(c, points); err != nil {
			return nil, err
		}
	}
	out := &result.Campaign{Name: c.Name, Program: c.Setup.Program, Args: c.Setup.Args, Config: c.Setup.Fields(),
		Strategy: c.strategies(), Seed: c.Setup.Seed, From: points.from, To: points.to, Mutant: c.Setup.Mutant, Expect: result.MainVerdict(c.Expect), Instructions: base.instructions}
	workers := c.Workers
	if workers <= 0 {
		workers = runtime.NumCPU()
	}
	defer paceGC()()
	start := time.Now()
	collector, runErr := c.judgeAll(ctx, v, points, workers)
	if collector == nil {
		return nil, runErr
	}
	out.WallSeconds = time.Since(start).Seconds()
	out.Workers = workers
	collector.Fill(out)
	out.PointsPerSecond = float64(out.Points-c.before) / out.WallSeconds
	out.Seal()
	if p, failed := out.FirstFailure(); failed && c.Replay != nil {
		plan, err := ParsePlan(p.Plan)
		if err != nil {
			return out, fmt.Errorf("BUG: plan %q of a judged point: %w", p.Plan, err)
		}
		if out.Replay, err = c.Replay(c.caseOf(plan, &p)); err != nil {
			return out, err
		}
	}
	return out, runErr
}

// caseOf is the case of a judged point.
func (c *Campaign) caseOf(plan Plan, p *result.Point) Case {
	return Case{Setup: c.Setup, Inputs: c.inputs, Plan: plan, Tail: p.Tail, Restart: c.Restart, Verdict: p.Verdict, Reason: p.Reason}
}

// discovery hands failures on as soon as they are found.
type discovery struct {
	mu    sync.Mutex
	any   bool
	first uint64 // index of the earliest point that was handed on
}

// note hands a failing point on, unless an earlier one was.
func (c *Campaign) note(d *discovery, plan Plan, p *result.Point) {
	if c.Found == nil || !p.Verdict.Failed() {
		return
	}
	d.mu.Lock()
	defer d.mu.Unlock()
	if !d.any || p.Index < d.first {
		d.any, d.first = true, p.Index
		c.Found(c.caseOf(plan, p))
	}
}

// attention is how many instructions an uncut run may go on after its context ended.
const attention = 20e6

// baseline runs the program uncut, until ctx ends.
func (c *Campaign) baseline(ctx context.Context) (*baseline, *sim.Config, error) {
	cfg, err := c.Setup.Config(nil)
	if err != nil {
		return nil, nil, err
	}
	m, err := c.Setup.Start(cfg)
	if err != nil {
		return nil, nil, err
	}
	base := &baseline{first: m.Fork()}
	base.first.Detach() // or it would keep all the memory that m is going to touch
	m.OnCall(func(at, steps uint64) {
		if n := len(base.calls) - 1; n >= 0 && base.calls[n].at == at {
			base.calls[n].steps, base.calls[n].took = steps, m.CommittedAt() // of several calls before one instruction
			return
		}
		base.calls = append(base.calls, callSite{at, steps, m.CommittedAt()})
	})
	stop := m.RunUntil(attention)
	for ; stop.Reason == sim.Reached; stop = m.RunUntil(m.Retired() + attention) {
		if ctx.Err() != nil {
			return nil, nil, context.Cause(ctx)
		}
	}
	if !stop.Ended() {
		return nil, nil, &Unsound{Stop: stop}
	}
	// The machines of the campaign read the same input from its beginning.
	if cfg, err = c.Setup.Config(nil); err != nil {
		return nil, nil, err
	}
	base.instructions, base.end, base.holdUp = m.Retired(), check.EndOf(m, stop), holdUpOf(m)
	if c.Prints != nil && (stop.ExitCode() != 0 || !bytes.Equal(base.end.Stdout, c.Prints)) {
		return nil, nil, &Unsound{Stop: stop, Printed: true}
	}
	base.oracle = c.Restart.oracle(&c.Setup, cfg)
	return base, cfg, base.oracle.Baseline(ctx, m, stop)
}

// stretch is a piece of the main line with its crash points.
type stretch struct {
	main  *sim.Machine
	plans planRange
}

// judgeAll runs the main line once, and lets workers judge its stretches.
func (c *Campaign) judgeAll(ctx context.Context, v *verifier, points *pointSet, workers int) (*result.Collector, error) {
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	work := make(chan stretch, 1)
	total := c.collector(points)
	todo, err := c.jobs(points, workers, total)
	if err != nil {
		return nil, err
	}
	var mu sync.Mutex // of total
	var done atomic.Uint64
	c.before = total.Counts().Total()
	done.Store(c.before)
	var found discovery
	var wg sync.WaitGroup
	for range workers {
		wg.Go(func() {
			v := v.alone()
			v.ahead = searched
			own := c.collector(points)
			for s := range work {
				if err := c.judgeJob(ctx, v, points, s, own, &done, &found); err != nil {
					cancel(err)
				}
			}
			mu.Lock()
			defer mu.Unlock()
			total.Merge(own)
		})
	}
	stop := c.watch(&done, points.total)
	err = c.feed(ctx, v, points, work, todo)
	close(work)
	wg.Wait()
	stop()
	if err == nil {
		err = context.Cause(ctx)
	}
	return total, err
}

func (c *Campaign) collector(points *pointSet) *result.Collector {
	l := result.NewCollector(points.from, points.to, result.Limits{})
	l.Coarse(points.total)
	l.Expect(c.Expect)
	return l
}

// feed advances the main line and hands out its stretches.
func (c *Campaign) feed(ctx context.Context, v *verifier, points *pointSet, work chan<- stretch, todo []planRange) error {
	main, err := v.start()
	if err != nil {
		return err
	}
	for _, r := range todo {
		first := points.plan(r.lo).Cuts[0].After
		if stop := main.RunUntil(first); stop.Reason != sim.Reached {
			return early(stop, first)
		}
		s := stretch{main: main.Fork(), plans: r}
		s.main.Detach()
		select {
		case work <- s:
		case <-ctx.Done():
			return nil
		}
	}
	return nil
}

// early is the error of a main line that ends where the uncut run went on: the host's fault,
// or a bug of the simulator.
func early(stop sim.Stop, point uint64) error {
	if errors.As(stop.Err, new(*vfs.Changed)) || errors.As(stop.Err, new(*vfs.HostError)) {
		return fmt.Errorf("before crash point %d: %w", point, stop.Err)
	}
	return fmt.Errorf("BUG: the main line ended before crash point %d: %v", point, stop)
}

func (c *Campaign) judgeStretch(ctx context.Context, v *verifier, points *pointSet, s stretch, add func(result.Point), done *atomic.Uint64, found *discovery) (err error) {
	defer func() {
		if r := recover(); r != nil {
			err = fmt.Errorf("BUG: the main line: %s", bugReport(r))
		}
	}()
	spacing := points.total + 1
	if c.Tails > 0 {
		spacing = max(1, points.total/c.Tails)
	}
	for i := s.plans.lo; i < s.plans.hi && ctx.Err() == nil; i++ {
		plan := points.plan(i)
		if stop := s.main.RunUntil(plan.Cuts[0].After); stop.Reason != sim.Reached {
			return early(stop, plan.Cuts[0].After)
		}
		p, plan := v.judgeDrawn(s.main, plan, i%spacing == spacing/2)
		p.Index = i
		p.Plan = plan.String()
		add(p)
		c.note(found, plan, &p)
		done.Add(1)
	}
	return nil
}

// redraws is how often the words of a drawn plan are drawn again at most, one each time.
const redraws = 16

// judgeDrawn judges a plan that a strategy drew. A word that is not reached is drawn again,
// from what the run has; the plan that was judged is returned.
func (v *verifier) judgeDrawn(main *sim.Machine, plan Plan, tail bool) (result.Point, Plan) {
	plan.Cuts = slices.Clone(plan.Cuts) // some words are changed as they are met
	p := v.judge(main, plan, tail)
	for range redraws {
		if p.Verdict != result.Unreached {
			break
		}
		plan = plan.redrawn(v.missing)
		p = v.judge(main, plan, tail)
		p.Redrawn = true
	}
	return p, plan
}

// searched is how far behind its cut a drawn plan looks for the next place of a word.
const searched = 2_000

// watch reports progress until the returned function is called.
func (c *Campaign) watch(done *atomic.Uint64, total uint64) (stop func()) {
	if c.Progress == nil {
		return func() {}
	}
	quit, gone := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(gone)
		tick := time.NewTicker(200 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				c.Progress(done.Load(), total)
			case <-quit:
				c.Progress(done.Load(), total)
				return
			}
		}
	}()
	return func() { close(quit); <-gone }
}
