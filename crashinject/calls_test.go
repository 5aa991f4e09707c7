package crashinject

import (
	"errors"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"zhuque/crashinject/check"
	"zhuque/crashinject/result"
	"zhuque/internal/testrig"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/x86"
)

// setup returns the machine for a situation, whose program finds an executable /exit.
func (s *situation) setup(t testing.TB) Setup {
	setup := DefaultSetup()
	setup.Program, setup.Root, setup.Cores = GuestPrefix+s.row.Name, testrig.EmptyRoot(t), s.cores
	setup.Guest = func(string) ([]byte, error) { return s.elf, nil }
	exit, err := parseSituation("exit: exit 5", "")
	if err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(setup.Root, "exit")
	if err := os.WriteFile(file, exit.elf, 0o755); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{file, setup.Root} {
		if err := os.Chtimes(name, time.Unix(1, 0), time.Unix(1, 0)); err != nil {
			t.Fatal(err)
		}
	}
	return setup
}

// Uncut, each situation gives the result that it names, and calls that are not there say so.
func TestSituations(t *testing.T) {
	for _, s := range situations(t) {
		stop, results := s.run(t)
		if !stop.Ended() || len(results) == 0 && s.row.Class != kernel.Final ||
			len(results) > 0 && !s.result(results[len(results)-1]) {
			t.Errorf("%s: %v, results %d", s.text, stop, results)
		}
	}
	for _, row := range kernel.Table() {
		s, err := parseSituation(row.Name+": "+row.Name, "")
		if err != nil {
			t.Fatal(err)
		}
		var unsupported *x86.Unsupported
		switch row.State {
		case kernel.Always:
			if stop, results := s.run(t); !stop.Ended() ||
				!slices.Equal(results, []int64{int64(row.Answer.Result())}) || row.Class != kernel.Pure {
				t.Errorf("%s: %v, results %d, class %v, expected what it always answers and pure",
					row.Name, stop, results, row.Class)
			}
		case kernel.Refused:
			if stop, _ := s.run(t); !errors.As(stop.Err, &unsupported) || !strings.Contains(unsupported.What, row.Name) {
				t.Errorf("%s: %v, expected a refusal", row.Name, stop)
			}
		}
	}
}

// run runs a situation uncut and returns the results of its row's calls.
func (s *situation) run(t testing.TB) (stop sim.Stop, results []int64) {
	setup := s.setup(t)
	cfg, err := setup.Config(nil)
	if err != nil {
		t.Fatal(err)
	}
	cfg.Strace = func(_ int32, nr uint64, _ [6]uint64, r uint64) {
		if nr == s.row.Nr {
			results = append(results, int64(r))
		}
	}
	m, err := setup.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return m.RunUntil(1e6), results
}

// seen is what was found of a system call in all its situations.
type seen struct {
	points   int
	before   bool // a cut left the state before the call
	after    bool // or the one behind it
	changed  bool // the two differ in more than registers and memory
	waited   bool
	partly   bool // it waited when some of its bytes had been moved
	returned bool // its thread goes on behind it
}

// callCutter cuts a situation at every step.
type callCutter struct {
	rig
	s     *situation
	found seen
}

// sites returns the calls to cut: from the first of the row on, but for the last exit.
func (c *callCutter) sites() []site {
	list := c.rig.sites()
	first := slices.IndexFunc(list, func(x site) bool { return x.nr == c.s.row.Nr })
	if first < 0 {
		c.t.Fatalf("%s: the call is never made", c.s.text)
	}
	list = list[first:]
	if c.s.row.Class != kernel.Final {
		list = list[:len(list)-1]
	}
	return list
}

// all cuts before every store of every call, sometimes in the restart too.
func (c *callCutter) all() {
	main := c.at(0)
	for _, x := range c.sites() {
		if main.RunUntil(x.at); main.Retired() != x.at {
			c.t.Fatalf("%s: %d instructions instead of %d", c.s.text, main.Retired(), x.at)
		}
		own := x.nr == c.s.row.Nr
		behind := main.Fork()
		calls := behind.Calls()
		stop := behind.RunUntil(x.at + 1)
		single := behind.Calls() == calls+1
		if own {
			c.found.changed = c.found.changed || lasting(main, behind) != ""
			c.found.returned = c.found.returned || !stop.Ended() && behind.Kernel().Thread(main.Kernel().Current()) != nil
		}
		if own && !stop.Ended() {
			c.pass(behind, At(x.at+1))
			c.found.after = true
		}
		committed := false
		for step := uint64(1); step <= x.steps; step++ {
			if own {
				committed = c.instant(main, behind, step, single, committed)
			}
			plan := At(x.at)
			plan.Cuts[0].Step = step
			c.pass(main, plan)
			if step%5 == 2 {
				plan.Cuts[0].Recovery = []uint64{1 + step/5%8, 1 + step/5%3}
				c.pass(main, plan)
			}
		}
	}
}

func (c *callCutter) pass(main *sim.Machine, plan Plan) {
	c.found.points++
	c.ahead = searched // the recoveries are of many lengths
	if p, plan := c.judgeDrawn(main, plan, c.found.points%16 == 0); p.Verdict != result.Pass {
		c.t.Errorf("%s: %s: %v: %s", c.s.text, plan, p.Verdict, p.Reason)
	}
}

// instant restarts from a cut before one store of a call and tells whether the call had
// taken effect. Where main makes one call, there must be nothing between not at all and
// wholly, and no way back.
func (c *callCutter) instant(main, behind *sim.Machine, step uint64, single, committed bool) bool {
	tid := main.Kernel().Current()
	m := c.cutInCall(main, step)
	if t := m.Kernel().Thread(tid); t != nil {
		messages, bytes, waits := t.Waits()
		c.found.waited = c.found.waited || waits
		c.found.partly = c.found.partly || messages+bytes > 0
	}
	var compare check.Comparer
	undone := compare.Compare(main, m)
	undone.Differences = slices.DeleteFunc(undone.Differences, func(d string) bool {
		return strings.HasPrefix(d, "memory at ") || scratch.MatchString(d) // what the call issued again writes again
	})
	if undone.OK() && !committed {
		c.found.before = true
		return false
	}
	if !single {
		return committed
	}
	compare = check.Comparer{}
	if done := compare.Compare(behind, m); !done.OK() && m.Retired() > main.Retired() {
		c.t.Errorf("%s: step %d: neither before the call (%q) nor behind it (%q)",
			c.s.text, step, undone.Differences, done.Differences)
	}
	return true
}

// cutInCall returns main's like that lost power before a store of its next call, and
// was restarted.
func (c *callCutter) cutInCall(main *sim.Machine, step uint64) *sim.Machine {
	c.t.Helper()
	f := main.Fork()
	f.ArmStep(step)
	if stop := f.RunUntil(main.Retired() + 1); stop.Reason != sim.PowerLost {
		c.t.Fatalf("%s: step %d: %v", c.s.text, step, stop)
	}
	d, _ := f.PowerCut(sim.Cut{})
	return c.boot(d)
}

// scratch are differences of the registers that SYSCALL itself changes.
var scratch = regexp.MustCompile(`^(thread \d+: )?(rcx|r11) is `)

// lasting tells what a call changed besides registers and memory.
func lasting(before, behind *sim.Machine) string {
	x, y := before.CPU().State(), behind.CPU().State()
	if x.FSBase != y.FSBase || x.GSBase != y.GSBase {
		return "a segment base"
	}
	var compare check.Comparer
	for _, d := range compare.Compare(before, behind).Differences {
		if strings.HasPrefix(d, "memory at 0x2000") { // no answers there: see $mapped
			return d
		}
	}
	if !slices.EqualFunc(before.Kernel().Records(), behind.Kernel().Records(), kernel.Record.Equal) {
		return "kernel-resident state"
	}
	bo, be := before.Output()
	ao, ae := behind.Output()
	if len(bo) != len(ao) || len(be) != len(ae) || before.Consumed() != behind.Consumed() {
		return "the console"
	}
	f, g := before.Durable().Files, behind.Durable().Files
	if f.SameTree(g) {
		return ""
	}
	a, _ := f.Digest()
	if b, _ := g.Digest(); a != b {
		return "files"
	}
	return ""
}

// Every call of the table is cut at each of its steps, in a program that makes it do what it
// is there for, and some of the restarts are cut as well. It finds that a call takes
// effect at one instant, that nothing of it is lost or done twice, and that it is what its
// class says.
func TestEveryCallAtEveryStep(t *testing.T) {
	rows := map[string]*seen{}
	var mu sync.Mutex
	t.Run("situations", func(t *testing.T) {
		for _, s := range situations(t) {
			rows[s.row.Name] = &seen{}
			t.Run(s.row.Name, func(t *testing.T) {
				t.Parallel()
				c := callCutter{rig: newRig(t, s.setup(t)), s: &s}
				c.all()
				mu.Lock()
				defer mu.Unlock()
				row := rows[s.row.Name]
				row.points += c.found.points
				row.before, row.after = row.before || c.found.before, row.after || c.found.after
				row.changed, row.returned = row.changed || c.found.changed, row.returned || c.found.returned
				row.waited, row.partly = row.waited || c.found.waited, row.partly || c.found.partly
			})
		}
	})
	points := 0
	for _, row := range kernel.Table() {
		found := rows[row.Name]
		switch {
		case row.State == kernel.Always || row.State == kernel.Refused:
			if found != nil {
				t.Errorf("%s: a situation for a call that is not there", row.Name)
			}
			continue
		case found == nil:
			t.Errorf("%s: no situation in scenarios/calls/calls.txt", row.Name)
			continue
		}
		points += found.points
		if got := found.class(); got != row.Class || !found.before && !t.Failed() ||
			!found.after && row.Class != kernel.Final {
			t.Errorf("%s: %v in the table, %v by what it does: %+v", row.Name, row.Class, got, *found)
		}
	}
	t.Logf("%d points", points)
}

// class is what a call was found to be.
func (s *seen) class() kernel.Class {
	switch {
	case !s.returned:
		return kernel.Final
	case s.partly:
		return kernel.Count
	case s.waited:
		return kernel.Wait
	case s.changed:
		return kernel.Once
	}
	return kernel.Pure
}

// Each class has a bug that is caught in its calls' situations.
func TestClassMutantsAreCaught(t *testing.T) {
	list := situations(t)
	for _, c := range []struct{ mutant, name string }{
		{"call-not-issued-again", "uname"},
		{"result-not-recorded", "lseek"},
		{"files-not-undone", "mkdir"},
		{"files-not-undone", "write"},
		{"entry-frame-after-commit", "read"},
		{"wait-forgotten", "nanosleep"},
		{"wait-forgotten", "futex"},
		{"count-forgotten", "write"},
		{"count-forgotten", "recvfrom"},
		{"count-forgotten", "recvmmsg"},
		{"call-not-issued-again", "exit_group"},
	} {
		caught := 0
		for i := range list {
			if list[i].row.Name == c.name {
				caught += violations(t, &list[i], c.mutant)
			}
		}
		t.Logf("%s in %s: %d points", c.mutant, c.name, caught)
		if caught == 0 {
			t.Errorf("%s is not caught in %s", c.mutant, c.name)
		}
	}
}

// violations counts the steps of a situation at which a mutant is caught.
func violations(t *testing.T, s *situation, mutant string) (caught int) {
	r := newRig(t, s.setup(t))
	r.setup.Mutant = mutant
	c := callCutter{rig: r, s: s}
	main := c.at(0)
	for _, x := range c.sites() {
		main.RunUntil(x.at)
		for step := uint64(1); step <= x.steps; step++ {
			plan := At(x.at)
			plan.Cuts[0].Step = step
			if r.judge(main, plan, false).Verdict == result.Violation {
				caught++
			}
		}
	}
	return caught
}
