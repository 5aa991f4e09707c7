package crashinject

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"strconv"
	"strings"

	"github.com/google/shlex"

	"zhuque/crashinject/result"
	"zhuque/sim"
)

// Restart is a command that is run inside the machine after a power cut, as a new process
// on the files that the cut left, and the exit status that it must have.
type Restart struct {
	Program string
	Args    []string
	Status  int // as a shell shows it: 128+n after signal n
}

// ParseRestart splits a command line into words as a shell does; nothing is expanded.
func ParseRestart(command string, status int) (*Restart, error) {
	words, err := shlex.Split(command)
	if err != nil {
		return nil, fmt.Errorf("%q: %w", command, err)
	}
	if len(words) == 0 || words[0] == "" {
		return nil, fmt.Errorf("%q: expected a command", command)
	}
	if status < 0 || status > 255 {
		return nil, fmt.Errorf("exit status %d: expected 0 to 255", status)
	}
	return &Restart{Program: words[0], Args: words[1:], Status: status}, nil
}

func (r *Restart) String() string { return strings.Join(append([]string{r.Program}, r.Args...), " ") }

// fits reports what of a plan has no meaning when a command is run after the cuts.
func (r *Restart) fits(p Plan) error {
	for i := range p.Cuts {
		if r != nil && len(p.Cuts[i].Recovery) > 0 {
			return fmt.Errorf("cut %d: recovery cuts the recovery of the runtime, which does not run where a command is started anew; expected a further cut", i+1)
		}
	}
	return nil
}

// fit is fits for the points of a campaign.
func (r *Restart) fit(c *Campaign, points *pointSet) error {
	for _, s := range append([]Strategy{c.Strategy}, c.Also...) {
		if s.Kind == Recovery {
			return errors.New("strategy recovery cuts the recovery of the runtime, which does not run where a command is started anew")
		}
	}
	for _, p := range points.plans {
		for i := range p.Cuts {
			p.Cuts[i].Recovery = nil // of fuzzed plans
		}
	}
	return nil
}

// write renders the lines of a case.
func (r *Restart) write(b *strings.Builder) {
	if r == nil {
		return
	}
	fmt.Fprintf(b, "restart %q\n", r.Program)
	for _, a := range r.Args {
		fmt.Fprintf(b, "restart-arg %q\n", a)
	}
	if r.Status != 0 {
		fmt.Fprintf(b, "restart-status %q\n", strconv.Itoa(r.Status))
	}
}

// restartLine reads one of the lines that write renders.
func (c *Case) restartLine(key, value string) error {
	if key != "restart-status" || c.Restart == nil {
		return addCommand(&c.Restart, key, "restart", value)
	}
	n, err := strconv.ParseUint(value, 10, 8)
	if err != nil {
		return fmt.Errorf("restart-status %q: expected a whole number from 0 to 255", value)
	}
	c.Restart.Status = int(n)
	return nil
}

// oracle returns who judges a run of setup: by the command, or without one by identity.
func (r *Restart) oracle(setup *Setup, cfg *sim.Config) Oracle {
	if r == nil {
		return Identity{}
	}
	return &ExitStatus{command: r, setup: setup, cfg: cfg}
}

// ExitStatus is the oracle that runs a command after a cut and looks at how it ends.
type ExitStatus struct {
	command *Restart
	setup   *Setup
	cfg     *sim.Config
	budget  uint64 // instructions that the command may take after a cut
}

// BaselineFails says that a check fails without any power cut.
type BaselineFails struct {
	Command *Restart
	Stop    sim.Stop
	Stderr  []byte
}

func (e *BaselineFails) Error() string {
	return fmt.Sprintf("baseline: without a power cut %q %v, expected exit status %d: what it says after a cut would mean nothing", e.Command, e.Stop, e.Command.Status)
}

// Baseline implements Oracle: the command must succeed on what the uncut run leaves.
func (o *ExitStatus) Baseline(ctx context.Context, uncut *sim.Machine, _ sim.Stop) error {
	m, err := o.start(uncut.PowerOff(), nil)
	if err != nil {
		return fmt.Errorf("%s: %w", o.command, err)
	}
	stop := m.RunUntil(attention)
	for ; stop.Reason == sim.Reached; stop = m.RunUntil(m.Retired() + attention) {
		if ctx.Err() != nil {
			return context.Cause(ctx)
		}
	}
	switch {
	case !stop.Ended():
		return &Unsound{Stop: stop}
	case stop.ExitCode() != o.command.Status:
		_, stderr := m.Output()
		return &BaselineFails{Command: o.command, Stop: stop, Stderr: stderr}
	}
	o.budget = 10*m.Retired() + 1_000_000
	return nil
}

// Twin implements Oracle.
func (*ExitStatus) Twin() bool { return false }

// start runs the command on a durable half.
func (o *ExitStatus) start(d *sim.Durable, blocks *sim.Machine) (*sim.Machine, error) {
	of := *o.setup
	of.Program, of.Args = o.command.Program, o.command.Args
	cfg, err := of.Config(nil)
	if err != nil {
		return nil, err
	}
	rt, err := of.runtime()
	if err != nil {
		return nil, err
	}
	return sim.Restart(d, o.cfg, rt, sim.Program{Path: cfg.Program, Args: cfg.Args, Preload: cfg.Preload}, blocks)
}

// Cut implements Oracle.
func (o *ExitStatus) Cut(s *survivor, c *Cut, first bool) bool {
	if s.m == nil { // the main line is cut as it stands
		return s.buffered(c, s.ref) && o.restart(s, s.borrow(c))
	}
	s.limit = 0
	if s.failures > 0 {
		s.limit = o.budget
	}
	if _, ok := s.place(c, first); !ok {
		o.unreached(s)
		return false
	}
	d, rep := s.power(s.m, c.Cut)
	s.note(rep)
	return o.restart(s, d)
}

// unreached judges a command that ended before its cut: how it ended counts all the same.
func (o *ExitStatus) unreached(s *survivor) {
	if why := s.p.Reason; s.p.Verdict == result.Unreached && s.failures > 0 && s.m.Ended().Ended() {
		if o.End(s, true); s.p.Verdict == result.Pass {
			s.fail(result.Unreached, "%s", why)
		}
	}
}

// restart starts the command on what a cut left.
func (o *ExitStatus) restart(s *survivor, d *sim.Durable) bool {
	s.left = d
	m, err := o.start(d, cmp.Or(s.ref, s.m))
	if err != nil {
		// Where the command's file is gone, or is not what it was: it cannot run, and that is
		// what somebody at the machine would see.
		return s.fail(result.Violation, "after the restart %q cannot be started: %v", o.command, err)
	}
	s.m = m
	s.failures++
	return true
}

// End implements Oracle.
func (o *ExitStatus) End(s *survivor, _ bool) {
	s.p.Tail = true
	stop := s.m.RunUntil(o.budget)
	switch {
	case stop.Reason == sim.Reached || stop.Limited():
		s.fail(result.Timeout, "after the restart %q still runs after %d instructions", o.command, o.budget)
	case !stop.Ended():
		s.stuck(stop)
	case stop.ExitCode() != o.command.Status:
		s.fail(result.Violation, "after the restart %q %v instead of exit status %d%s", o.command, stop, o.command.Status, lastWords(s.m))
	default:
		s.p.Verdict = result.Pass
	}
}

// lastWords is the last line that a program wrote to standard error, "" for none.
func lastWords(m *sim.Machine) string {
	_, stderr := m.Output()
	lines := strings.Split(strings.TrimSpace(string(stderr)), "\n")
	last := lines[len(lines)-1]
	if last == "" {
		return ""
	}
	return fmt.Sprintf(": %s", clip(strings.ToValidUTF8(last, "?")))
}
