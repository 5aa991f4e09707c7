package crashinject

import (
	"fmt"
	"slices"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/sim"
	"zhuque/sim/det"
	"zhuque/sim/x86"
)

// Many failures in a row, the program running on between them or not at all.
func TestConsecutiveFailures(t *testing.T) {
	for _, guest := range []string{"files", "signals", "maps", "fpu"} {
		r := newRig(t, guestSetup(t, guest))
		rnd := det.Stream(1, guest)
		plan := At(rnd.Uint64N(r.base.instructions / 2))
		for len(plan.Cuts) < 8 {
			plan.Cuts = append(plan.Cuts, Cut{After: rnd.Uint64N(r.base.instructions>>rnd.Uint64N(8)) / 16})
		}
		if p := r.plan(plan); p.Verdict != result.Pass || !p.Tail {
			t.Errorf("%s: %s: %v: %s", guest, plan, p.Verdict, p.Reason)
		}
		in := At(r.base.calls[len(r.base.calls)/2].at)
		in.Cuts[0].Step = 7
		for range 8 {
			in.Cuts[0].Recovery = append(in.Cuts[0].Recovery, 1+rnd.Uint64N(3))
		}
		if p := r.plan(in); p.Verdict != result.Pass || !p.Tail || p.Kind != result.AtRecovery {
			t.Errorf("%s: %s: %v, %v: %s", guest, in, p.Verdict, p.Kind, p.Reason)
		}
	}
}

// site is a call of the uncut run by what it is.
type site struct {
	callSite
	nr uint64 // system call
}

// sites lists the calls of the uncut run; guests cut them late, where the run to
// the end is short.
func (r rig) sites() (list []site) {
	r.t.Helper()
	m := r.at(0)
	for _, c := range r.base.calls {
		if stop := m.RunUntil(c.at); stop.Reason != sim.Reached {
			r.t.Fatalf("before call at %d: %v", c.at, stop)
		}
		list = append(list, site{c, m.CPU().State().R[x86.RAX]})
	}
	return list
}

// last returns the last call with number nr that makes more than steps stores.
func last(t *testing.T, list []site, nr, steps uint64) site {
	t.Helper()
	for _, s := range slices.Backward(list) {
		if s.nr == nr && s.steps > steps {
			return s
		}
	}
	t.Fatalf("no call %d with more than %d stores", nr, steps)
	return site{}
}

const (
	sysWrite     = 1
	sysMmap      = 9
	sysMunmap    = 11
	sysSigreturn = 15
	sysMremap    = 25
	sysKill      = 62
	sysRename    = 82
)

// A failure before every store that the runtime makes in one call of each kind.
func TestEveryStoreOfOneCall(t *testing.T) {
	sites := map[string][]site{}
	rigs := map[string]rig{}
	for _, c := range []struct {
		name, guest string
		nr, steps   uint64
	}{
		{"mmap", "maps", sysMmap, 35}, {"munmap", "maps", sysMunmap, 20}, {"mremap", "maps", sysMremap, 40},
		{"write to a file", "files", sysWrite, 20}, {"rename", "files", sysRename, 20},
		{"rt_sigreturn", "signals", sysSigreturn, 150}, {"kill with delivery", "signals", sysKill, 150},
	} {
		r, ok := rigs[c.guest]
		if !ok {
			r = newRig(t, guestSetup(t, c.guest))
			rigs[c.guest], sites[c.guest] = r, r.sites()
		}
		s := last(t, sites[c.guest], c.nr, c.steps)
		main := r.at(s.at)
		inside := uint64(0)
		for step := range s.steps {
			plan := At(s.at)
			plan.Cuts[0].Step = step + 1
			p := r.judge(main, plan, true)
			if p.Verdict != result.Pass || !p.Tail {
				t.Errorf("%s: %s: %v: %s", c.name, plan, p.Verdict, p.Reason)
			}
			if p.Kind == result.AtRuntime {
				inside++
			}
		}
		if inside != s.steps {
			t.Errorf("%s: %d of %d cuts fell inside the call", c.name, inside, s.steps)
		}
	}
}

// A failure before every store of one recovery, which has a redo log to apply,
// and at every one of those a second and a third.
func TestEveryStoreOfOneRecovery(t *testing.T) {
	r := newRig(t, guestSetup(t, "maps"))
	s := last(t, r.sites(), sysMmap, 35)
	main := r.at(s.at)
	most := uint64(0)
	for step := range s.steps {
		plan := At(s.at)
		plan.Cuts[0].Step = step + 1
		p := r.judge(main, plan, false)
		if p.RecoverySteps == 0 {
			t.Fatalf("%s: a recovery without a store", plan)
		}
		for k := uint64(1); k <= p.RecoverySteps && p.RecoverySteps > most; k++ {
			for _, more := range [][]uint64{{k}, {k, k}, {k, 1, k}} {
				plan.Cuts[0].Recovery = more
				q, plan := r.drawn(main, plan) // a recovery after one that was cut may be shorter
				if q.Verdict != result.Pass || q.Kind != result.AtRecovery || len(more) == 1 && q.Step != k {
					t.Errorf("%s: %v, %v %d: %s", plan, q.Verdict, q.Kind, q.Step, q.Reason)
				}
			}
		}
		most = max(most, p.RecoverySteps)
	}
	if most < 8 {
		t.Errorf("the longest recovery makes %d stores: expected one that applies a redo log", most)
	}
}

// Recovery converges: from whichever of its own stores the power fails again, once, twice
// or in another place the second time, the same process comes back. In every guest, between
// instructions and in calls.
func TestEveryStoreOfRecoveriesEverywhere(t *testing.T) {
	cuts, longest := 0, uint64(0)
	for _, guest := range []string{"threads", "processes", "pipes",
		"files", "signals", "shared", "maps", "handlers", "bulk"} {
		for cores := 1; cores <= 2; cores++ {
			s := guestSetup(t, guest)
			s.Cores = cores
			r := newRig(t, s)
			main, calls := r.at(0), r.base.calls
			for i := 3; i < len(calls); i += 1 + len(calls)/5 {
				c := calls[i]
				main.RunUntil(c.at)
				for _, step := range []uint64{0, 1 + c.steps/2, c.took + 1, c.steps} {
					plan := At(c.at)
					plan.Cuts[0].Step = step
					most := r.judge(main, plan, false).RecoverySteps
					longest = max(longest, most)
					for k := uint64(1); k <= min(most, 400); k++ {
						plan.Cuts[0].Recovery = []uint64{k, k, 1 + most - k}[:1+k%3]
						cuts++
						if got, plan := r.drawn(main, plan); got.Verdict != result.Pass {
							t.Fatalf("%s on %d cores: %v: %v: %s", guest, cores, plan, got.Verdict, got.Reason)
						}
					}
				}
			}
		}
	}
	if cuts < 1000 {
		t.Errorf("%d cuts of recoveries of at most %d stores", cuts, longest)
	}
	t.Logf("%d cuts of recoveries of at most %d stores", cuts, longest)
}

// String instructions cut between their iterations, three times in a row.
func TestFailuresBetweenIterations(t *testing.T) {
	r := newRig(t, guestSetup(t, "strings"))
	m := r.at(0)
	found := 0
	for n := uint64(0); n < 200_000 && found < 6; n++ {
		if m.CPU().AtRep() && m.CPU().State().R[x86.RCX] > 6 {
			found++
			for rep := range uint64(6) {
				f, before := m.Fork(), m.CPU().State()
				if f.StepRep(rep+1) || f.CPU().State().R[x86.RCX] != before.R[x86.RCX]-rep-1 ||
					f.CPU().State().RIP != before.RIP || f.Retired() != n {
					t.Errorf("%d iterations after %d instructions end at %#x", rep+1, n, f.CPU().State().RIP)
				}
				plan := parse(t, fmt.Sprintf("after %d rep %d; after 0 rep 1; after 1 rep 2", n, rep+1))
				p := r.judge(m, plan, rep == 0 && found == 1)
				if p.Verdict != result.Pass || p.Kind != result.AtREP {
					t.Errorf("%s: %v, %v: %s", plan, p.Verdict, p.Kind, p.Reason)
				}
			}
		}
		if stop := m.RunUntil(n + 1); stop.Reason != sim.Reached {
			t.Fatal(stop)
		}
	}
	if found == 0 {
		t.Error("no string instruction of several iterations in the first 200,000 instructions")
	}
}

// A cut is said to be inside a string instruction only where it is.
func TestKindOfACutOutsideStringInstructions(t *testing.T) {
	r := newRig(t, guestSetup(t, "hello"))
	main := r.at(5)
	if main.CPU().AtRep() {
		t.Fatal("expected no string instruction")
	}
	if p := r.judge(main, parse(t, "after 5 rep 2"), false); p.Verdict != result.Unreached ||
		p.Kind != result.AtInstruction || p.Step != 0 {
		t.Errorf("%v, %v, step %d", p.Verdict, p.Kind, p.Step)
	}
	r = newRig(t, guestSetup(t, "strings"))
	for main = r.at(0); !main.CPU().AtRep(); {
		main.Step()
	}
	plan := At(main.Retired())
	plan.Cuts[0].Rep = 1 << 40 // more than it has
	if p := r.judge(main, plan, false); p.Verdict != result.Unreached || p.Kind != result.AtInstruction {
		t.Errorf("behind its last iteration: %v, %v", p.Verdict, p.Kind)
	}
}
