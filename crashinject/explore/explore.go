// Package explore judges a program that manages persistent memory itself: it runs the
// program once, and for each crash point that can leave a memory that no other leaves,
// each memory that the architecture allows there is given to a recovery. What
// a recovery cannot tell apart is run once. See Explore.
//
// A world is a machine that was run after a cut. Its verdict needs no checker: how the
// recovery ends, and whether it knows what the program had acknowledged.
package explore

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"math"

	"zhuque/cachemodel/worlds"
	"zhuque/cachemodel/worlds/brute"
	"zhuque/crashinject"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

// Options is what is explored.
type Options struct {
	Setup   crashinject.Setup
	Recover *crashinject.Restart // the recovery; nil: the program itself, run again
	Check   *crashinject.Restart // run after a recovery that ended well; nil for none

	Input []byte // standard input of the program; nil: the setup's. That of a recovery is empty

	Status int    // exit status of a recovery that is right
	Output []byte // what it writes to standard output; nil: not looked at
	Pipe   bool   // standard output is a pipe, not a terminal

	Worlds uint64 // worlds after which exploring stops; 0 for no bound
	// PointWorlds is how many worlds of a crash point are run, 0 for all; see frontier for which.
	PointWorlds uint64
	Cuts        int // power cuts one after the other: 1 leaves the recovery alone; 0 counts as 1

	FailOn   []Kind         // kinds of advice that are a violation
	Suppress []*Suppression // what is left out of the report; how often each was used is counted in it

	// Only is the Failure.World to run, nil for all.
	Only []uint64

	seen     func(acked int, a answer) // for tests: told of every world
	looked   func()                    // for tests: told of every crash point of the program
	apart    bool                      // for tests: each crash point has a machine of its own
	withhold func(brute.Op) bool       // for tests: what brute force is not told of
}

// MostCuts bounds Options.Cuts.
const MostCuts = 8

// Place is an instruction in a program's own words.
type Place struct {
	File     string `json:"file,omitempty"`
	Line     int    `json:"line,omitempty"`
	Function string `json:"function,omitempty"`
	Address  string `json:"address"`
	// In is the function of a library at Address, or its file and an offset, where File
	// and Line are the innermost caller's that has a line.
	In string `json:"in,omitempty"`
}

// NoPMEM says that a program never touches persistent memory.
type NoPMEM struct {
	Stop string // how the program ended, if not with status 0, and what it said last
}

func (e *NoPMEM) Error() string {
	text := "the program stores to no mapped file of " + vfs.PMEMDir + ": there is nothing to explore"
	if e.Stop != "" {
		text += "; it " + e.Stop
	}
	return text
}

// BaselineFails says what fails without a power cut.
type BaselineFails struct{ What string }

func (e *BaselineFails) Error() string { return "baseline: without a power cut " + e.What }

// answer is what a recovery says.
type answer struct {
	stop   string
	status int
	stdout string
}

// explorer is one exploration.
type explorer struct {
	ctx  context.Context
	opt  *Options
	cfg  *sim.Config // of the program
	rcfg *sim.Config // of the recovery
	prog sim.Program // the recovery
	res  *Report

	budget    uint64   // instructions of a recovery
	operation bool     // answers are compared with those between operations
	empty     answer   // of the recovery where there is nothing
	known     []answer // after each acknowledgement, the first before any
	pending   []*finding
	waiting   map[alike]bool // those that are in pending
	failures  map[string]*Failure
	seen      map[key]bool
	tree      *vfs.FS // of the last look
	trees     int
	path      []way   // to the world that runs, see Failure.World
	replay    *replay // of a case; nil for none
	first     uint64  // crash points of the program
	blocks    *sim.Machine
	sites     sites // of all machines
	domain    worlds.Domain
	sample    *sample
	threads   int // of the program, at most
	orders    map[order]*Advice
	advice    []*Advice
	remade    int   // machines that were run to find smallest sets
	stopped   error // a bound was reached, or the context ended
	naive     float64
	marked    bool
	batch     *batch // crash points that are taken together
}

// key tells looks apart.
type key struct {
	memory      [2]uint64
	tree, acked int
	depth       int
}

// finding is an answer that cannot be judged before the next acknowledgement.
type finding struct {
	wrong
	acked  int
	answer answer
}

// errBound stops an exploration.
var errBound = errors.New("the bound on worlds was reached")

// Explore explores. Errors: *BaselineFails, *NoPMEM, *crashinject.Unsound, those of
// starting the program.
func Explore(ctx context.Context, opt *Options) (*Report, error) {
	x := newExplorer(ctx, opt)
	if err := x.explore(); err != nil {
		return nil, err
	}
	return x.res, nil
}

func newExplorer(ctx context.Context, opt *Options) *explorer {
	return &explorer{ctx: ctx, opt: opt, failures: map[string]*Failure{}, seen: map[key]bool{}, waiting: map[alike]bool{}, orders: map[order]*Advice{}, res: newReport(opt)}
}

func (x *explorer) explore() error {
	if err := x.configure(); err != nil {
		return err
	}
	if err := x.baseline(); err != nil {
		return err
	}
	if err := x.run(); err != nil {
		return err
	}
	x.report()
	return nil
}

// console is that of a recovery, captured, with nothing to read.
func (x *explorer) console() *kernel.Console {
	c := kernel.NewConsole(nil, nil, nil)
	c.Capture()
	return x.terminal(c)
}

func (x *explorer) terminal(c *kernel.Console) *kernel.Console {
	c.SetTerminals(false, !x.opt.Pipe, !x.opt.Pipe)
	return c
}

func (x *explorer) configure() (err error) {
	setup := x.opt.Setup
	setup.Memory, setup.Model = sim.Native, crashinject.FullModel
	if x.cfg, err = setup.Config(nil); err != nil {
		return err
	}
	x.cfg.Model = false // the record knows what is lost
	if x.opt.Input != nil {
		x.cfg.Console = kernel.NewConsole(bytes.NewReader(x.opt.Input), nil, nil)
		x.cfg.Console.Capture()
	}
	x.rcfg = x.cfg
	if r := x.opt.Recover; r != nil {
		x.prog, err = program(setup, r)
	}
	return err
}

// program is a command as what a restarted machine runs.
func program(setup crashinject.Setup, r *crashinject.Restart) (sim.Program, error) {
	setup.Program, setup.Args = r.Program, r.Args
	setup.Memory, setup.Model = sim.Native, crashinject.FullModel
	cfg, err := setup.Config(nil)
	if err != nil {
		return sim.Program{}, err
	}
	return sim.Program{Path: cfg.Program, Args: cfg.Args, Preload: cfg.Preload}, nil
}

func (x *explorer) start() (*sim.Machine, error) {
	cfg := *x.cfg
	cfg.Console = x.terminal(x.cfg.Console.Fork(true))
	return sim.New(&cfg, nil)
}

// attention is how many instructions a run may go on after its context ended.
const attention = 20e6

// toEnd runs a machine to its end, at most so many instructions.
func (x *explorer) toEnd(m *sim.Machine, limit uint64) (stop sim.Stop, err error) {
	for {
		stop = m.RunUntil(min(limit, m.Retired()+attention))
		if stop.Reason != sim.Reached || m.Retired() >= limit {
			return stop, nil
		}
		if x.ctx.Err() != nil {
			return stop, context.Cause(x.ctx)
		}
	}
}

// ask runs the recovery where nothing is undecided.
func (x *explorer) ask(d *sim.Durable, limit uint64) (a answer, m *sim.Machine, err error) {
	d.PMEM = d.PMEM.Fork()
	d.Files = d.Files.Fork()
	x.silence(d)
	m, err = sim.Restart(d, x.rcfg, nil, x.prog, x.blocks)
	if err != nil {
		return a, nil, fmt.Errorf("recovery: %w", err)
	}
	stop, err := x.toEnd(m, limit)
	if err == nil && limit == unlimited && !stop.Ended() {
		err = &crashinject.Unsound{Stop: stop}
	}
	return answerOf(m, stop), m, err
}

// notStarted is what a recovery says that cannot be started.
var notStarted = answer{stop: "could not be started", status: 127}

// silence gives what is restarted a console of its own.
func (x *explorer) silence(d *sim.Durable) { d.SetConsole(x.console()) }

func answerOf(m *sim.Machine, stop sim.Stop) answer {
	if m.NotStarted() != nil {
		return notStarted
	}
	out, _ := m.Output()
	return answer{stop: stop.String(), status: stop.ExitCode(), stdout: string(out)}
}

// baseline runs program, recovery and check without a power cut.
func (x *explorer) baseline() error {
	m, err := x.start()
	if err != nil {
		return err
	}
	x.blocks = m
	if x.empty, _, err = x.ask(m.PowerOff(), unlimited); err != nil {
		if x.ctx.Err() != nil {
			return err
		}
		x.empty = notStarted // it may come to be with the pool; if not, that is said below
	}
	acks := &counter{}
	m.Explore(worlds.ADR, acks)
	stop, err := x.toEnd(m, unlimited)
	switch {
	case err != nil:
		return err
	case !stop.Ended():
		return &crashinject.Unsound{Stop: stop}
	case stop.Reason == sim.Killed:
		return &BaselineFails{"the program was " + stop.String()}
	case !touched(m) && stop.ExitCode() != 0:
		return &NoPMEM{stop.String() + lastLine(m)}
	case !touched(m):
		return &NoPMEM{}
	}
	x.res.Baseline = Baseline{Program: stop.String(), Instructions: m.Retired(), Acknowledgements: acks.n}
	x.threads = acks.ever
	x.operation = acks.n > 0 && (acks.threads <= 1 || acks.marks > 0)
	switch {
	case acks.n == 0:
		x.res.note("operations are not judged: the program writes no line to standard output and marks nothing")
	case !x.operation:
		x.res.note("operations are not judged: several threads were in flight, and lines of output do not tell whose operation they acknowledge; use zhuque_mark")
	case acks.several:
		x.res.note("a write of several lines is one operation")
	}
	return x.baselineOfRecovery(m)
}

const unlimited = math.MaxUint64

func (x *explorer) baselineOfRecovery(m *sim.Machine) error {
	a, rec, err := x.ask(m.PowerOff(), unlimited)
	if err != nil {
		return err
	}
	x.res.Baseline.Recovery, x.res.Baseline.RecoveryInstructions = a.stop, rec.Retired()
	switch {
	case rec.Ended().Reason == sim.Killed || a.status != x.opt.Status:
		return &BaselineFails{fmt.Sprintf("the recovery %s, expected exit status %d%s", a.stop, x.opt.Status, lastLine(rec))}
	case x.opt.Output != nil && a.stdout != string(x.opt.Output):
		return &BaselineFails{"the recovery writes other output than was expected"}
	}
	x.budget = 10*rec.Retired() + 1_000_000
	if why, err := x.check(rec); err != nil || why != "" {
		return cmp.Or(err, error(&BaselineFails{why}))
	}
	d := m.PowerOff()
	d.PowerCycles++
	d.Outages += 3600e9
	if b, _, err := x.ask(d, unlimited); err != nil {
		return err
	} else if a != b {
		x.operation = false
		x.res.note("operations are not judged: the recovery prints other things from run to run")
	}
	return nil
}

// touched reports whether a file of the persistent memory was mapped and stored to.
func touched(m *sim.Machine) (yes bool) {
	fs := m.Durable().Files
	fs.EachFrame(func(id vfs.NodeID, _ uint64, _ phys.Frame) bool {
		yes = fs.Mount(id) == vfs.PMEMMount
		return !yes
	})
	return yes
}

// check runs the check on what a recovery leaves when it is over; why is "" for nothing wrong.
func (x *explorer) check(rec *sim.Machine) (why string, err error) {
	if x.opt.Check == nil {
		return "", nil
	}
	p, err := program(x.opt.Setup, x.opt.Check)
	if err != nil {
		return "", err
	}
	d := rec.PowerOff()
	x.silence(d)
	m, err := sim.Restart(d, x.rcfg, nil, p, nil)
	if err != nil {
		return "", fmt.Errorf("check: %w", err)
	}
	stop, err := x.toEnd(m, unlimited)
	if err == nil && (!stop.Ended() || stop.ExitCode() != x.opt.Check.Status) {
		why = fmt.Sprintf("the check %v, expected exit status %d%s", stop, x.opt.Check.Status, lastLine(m))
	}
	return why, err
}

// counter counts acknowledgements.
type counter struct {
	n, marks int
	threads  int // at an acknowledgement, at most
	ever     int // at a crash point, at most
	several  bool
}

// Look implements sim.Observer.
func (c *counter) Look(m *sim.Machine, _ *sim.Left) { c.ever = max(c.ever, len(m.Kernel().Threads())) }

func (c *counter) Acknowledged(m *sim.Machine, a sim.Ack) {
	c.n++
	c.threads = max(c.threads, len(m.Kernel().Threads()))
	if a.Mark {
		c.marks++
	}
	c.several = c.several || a.Lines > 1
}
