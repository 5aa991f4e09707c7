package crashinject

import (
	"reflect"
	"strings"
	"sync"
	"testing"

	fuzz "github.com/google/gofuzz"

	"zhuque/crashinject/result"
	"zhuque/sim"
	"zhuque/sim/det"
	"zhuque/sim/kernel"
	"zhuque/sim/phys"
)

var planSeeds = []string{
	"after 0", "after 1234 step 3 recovery 7", "after 5 rep 256; after 0; after 18446744073709551615",
	"after 9 keep 0 lose-wc energy 77000000", "after 1 keep 65536 recovery 1 recovery 2 recovery 2",
	"after 0 at call:write#3 step 2; after 7 at (flush|fence)&!address:0x401000 recovery 1",
	"look 2 world /mnt/pmem/f+0x40=2 world /mnt/pmem/a%20b+0x0=18446744073709551615; after 7 world /mnt/pmem/f+0x0=0",
	" after  7\tstep 2 ;after 3 ", "after 5 rep 2 skew 1:40 skew 0:1048576 keep 3 keep 63:0 keep 2:65536; after 8 skew 63:0",
}

func TestPlanTextReadsBack(t *testing.T) {
	r := det.Stream(1, "plans")
	pick := func(n uint64) uint64 { return r.Uint64N(n) * r.Uint64N(2) }
	for range 500 {
		var p Plan
		for range 1 + r.Uint64N(4) {
			c := Cut{After: r.Uint64() >> r.Uint64N(64)}
			c.LoseWC = r.Uint64N(2) == 0
			if n := r.Uint64N(4); n != 0 {
				c.Keep = phys.Some(int(n) - 1)
			}
			if n := r.Uint64N(4); n != 0 {
				c.Energy = phys.Some(phys.NanoJoules(pick(1e9))) // 0 too
			}
			if r.Uint64N(2) == 0 {
				c.Rep = pick(1000)
			} else {
				c.Step = pick(1000)
			}
			for range r.Uint64N(3) {
				c.Recovery = append(c.Recovery, 1+r.Uint64N(50))
			}
			for core := range int(r.Uint64N(4)) {
				c.KeepOn = append(c.KeepOn, sim.CoreCount{Core: 3 * core, N: pick(maxKeep)})
				if c.Step == 0 {
					c.Skew = append(c.Skew, sim.CoreCount{Core: 63 - core, N: pick(maxSkew)})
				}
			}
			p.Cuts = append(p.Cuts, c)
		}
		if q := parse(t, p.String()); !reflect.DeepEqual(p, q) {
			t.Fatalf("%q reads back as %q", p, q)
		}
	}
}

func TestBadPlansAreRefusedWithAReason(t *testing.T) {
	for text, want := range map[string]string{
		"":                            `cut 1: expected "after N"`,
		"step 3":                      `expected "after N"`,
		"after":                       `"after" lacks its number`,
		"after -1":                    "expected a whole number",
		"after 1 after 2":             `duplicate "after"`,
		"after 1; later 2":            `cut 2: "later": expected one of after`,
		"after 1 rep 2 step 3":        "not both",
		"after 1 keep 65537":          "at most 65536",
		"after 1 recovery 0":          "they count from 1",
		"after 1 step 0":              "they count from 1",
		"after 1 rep 0":               "they count from 1",
		"after 1 at":                  `"at" lacks its`,
		"after 1 at flush at fence":   `duplicate "at"`,
		"after 1 at call:a at call:b": `event "call:a": call:a: expected the name`,
		"look 1 at flush|":            "expected one of",
		"look 0":                      "they count from 1",
		"look 1 after 2":              "not both",
		"look 1 world f":              "expected FILE+OFFSET=N",
		"look 1 world f+0x41=2":       "line of 64 bytes",
		"look 1 world f+0x40=-1":      "expected FILE+OFFSET=N",
		"look 1 world +0x40=1":        "expected FILE+OFFSET=N",
		"look 1 world f%4+0x40=1":     "expected FILE+OFFSET=N",
		"look 1 world f%zz+0x0=1":     "expected FILE+OFFSET=N",
		"look 1 world f+x=1":          "line of 64 bytes",
		"look 1 world":                `"world" lacks its`,
		"world f+0x40=1":              `expected "after N"`,
		"after 1 lose-wc 2":           `"2": expected one of after`,

		"after 1 keep 1:2 keep 1:3":  `duplicate "keep 1:"`,
		"after 1 keep 64:2":          "0 to 63",
		"after 1 keep 1:65537":       "at most 65536",
		"after 1 keep 1:":            "expected CORE:N",
		"after 1 skew 4":             "expected CORE:N",
		"after 1 skew":               `"skew" lacks its number`,
		"after 1 skew -1:4":          "expected CORE:N",
		"after 1 skew 1:1048577":     "at most 1048576",
		"after 1 skew 1:4 skew 1:5":  `duplicate "skew 1:"`,
		"after 1 skew 1:4 step 2":    "not one inside a call",
		"after 1; after 2 skew 64:1": "cut 2",
	} {
		if p, err := ParsePlan(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, %v: expected an error with %q", text, p, err, want)
		}
	}
}

func FuzzParsePlan(f *testing.F) {
	for _, s := range planSeeds {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := ParsePlan(text)
		if err != nil {
			return
		}
		if q, err := ParsePlan(p.String()); err != nil || !reflect.DeepEqual(p, q) {
			t.Errorf("%q is printed as %q, which reads back as %v, %v", text, p, q, err)
		}
	})
}

// hello is a rig of the smallest guest, made once in a process.
var hello = struct {
	sync.Once
	rig
}{}

// A runtime without a planted bug survives whatever the fuzzer plans.
func FuzzPlans(f *testing.F) {
	for _, s := range []string{"", "\x00\x01", "power fails", strings.Repeat("\xff\x80\x03\x41", 64), strings.Repeat("\x85\x02\x00\x17\xc3", 80)} {
		f.Add([]byte(s))
	}
	hello.Do(func() { hello.rig = newRig(f, guestSetup(f, "hello")) })
	r := hello.rig
	f.Fuzz(func(t *testing.T, data []byte) {
		plan := FuzzPlan(fuzz.NewFromGoFuzz(data), 0, r.base.instructions-1)
		if q := parse(t, plan.String()); !reflect.DeepEqual(plan, q) {
			t.Fatalf("%q reads back as %q", plan, q)
		}
		if len(plan.Cuts) == 0 || len(plan.Cuts) > maxCuts || plan.Cuts[0].After >= r.base.instructions {
			t.Fatalf("%q: expected 1 to %d cuts, the first before instruction %d", plan, maxCuts, r.base.instructions)
		}
		main, err := r.start()
		if err != nil {
			t.Fatal(err)
		}
		if stop := main.RunUntil(plan.Cuts[0].After); stop.Reason != sim.Reached {
			t.Fatalf("%v before the first cut", stop)
		}
		if p, plan := r.drawn(main, plan); p.Verdict != result.Pass {
			t.Errorf("%s: %v: %s", plan, p.Verdict, p.Reason)
		}
	})
}

// litmus is a rig of two threads on two cores, made once in a process.
var litmus = struct {
	sync.Once
	rig
}{}

// A machine with two cores survives what the fuzzer plans, with cores that accept the
// interrupt later than others.
func FuzzSkewedPlans(f *testing.F) {
	for _, s := range []string{"", "\x00\x01", "power fails", strings.Repeat("\xff\x80\x03\x41", 64), strings.Repeat("\x85\x02\x00\x17\xc3", 80), strings.Repeat("\x00\x31\x07\x90\x33\x52", 70)} {
		f.Add([]byte(s))
	}
	litmus.Do(func() {
		s := guestSetup(f, "litmus")
		s.Cores = 2
		litmus.rig = newRig(f, s)
	})
	r := litmus.rig
	f.Fuzz(func(t *testing.T, data []byte) {
		plan := FuzzPlan(fuzz.NewFromGoFuzz(data), 0, r.base.instructions-1)
		plan.skew(2)
		if q := parse(t, plan.String()); !reflect.DeepEqual(plan, q) {
			t.Fatalf("%q reads back as %q", plan, q)
		}
		main, err := r.start()
		if err != nil {
			t.Fatal(err)
		}
		if stop := main.RunUntil(plan.Cuts[0].After); stop.Reason != sim.Reached {
			t.Fatalf("%v before the first cut", stop)
		}
		if p, plan := r.drawn(main, plan); p.Verdict != result.Pass {
			t.Errorf("%s: %v: %s", plan, p.Verdict, p.Reason)
		}
	})
}

// Dropping a failure leaves the later ones at their instructions.
func TestWithoutKeepsLaterCutsInPlace(t *testing.T) {
	p := parse(t, "after 10; after 20 step 2; after 5")
	for i, want := range []string{"after 30 step 2; after 5", "after 10; after 25", "after 10; after 20 step 2"} {
		if got := p.without(i).String(); got != want {
			t.Errorf("%q without cut %d is %q instead of %q", p, i+1, got, want)
		}
	}
	if p.String() != "after 10; after 20 step 2; after 5" {
		t.Errorf("the plan became %q", p)
	}
}

// Shrinking ends: every weaker plan is smaller in one respect and larger in none
// but the position of later cuts.
func TestWeakerPlansAreSmaller(t *testing.T) {
	size := func(p Plan) (n uint64) {
		for _, c := range p.Cuts {
			n += 1<<40 + c.After + c.Step<<20 + c.Rep + uint64(len(c.Recovery))<<30
			if c.LoseWC {
				n++
			}
			if c.Keep.Given() {
				n++
			}
			if c.Energy.Given() {
				n++
			}
		}
		return n
	}
	p := parse(t, "after 10 keep 2 lose-wc; after 20 step 2 recovery 4 recovery 1; after 5 rep 9; after 1 energy 3")
	weaker := p.weaken()
	if len(weaker) < 15 {
		t.Fatalf("%d weaker plans: %v", len(weaker), weaker)
	}
	for _, q := range weaker {
		if size(q) >= size(p) {
			t.Errorf("%q is not weaker than %q", q, p)
		}
	}
	if got := At(0).weaken(); len(got) != 0 {
		t.Errorf("the smallest plan has weaker ones: %v", got)
	}
}

// A cut farther away than there are instructions to count lies behind the end.
func TestCutBehindTheLastInstructionThatCanBeCounted(t *testing.T) {
	const far = "18446744073709551615"
	o, err := Crash(guestSetup(t, "hello"), parse(t, "after 20; after "+far), kernel.NewConsole(nil, nil, nil))
	if err != nil || o.Failures != 1 || o.Point.Verdict != result.Unreached {
		t.Errorf("%d failures, %v, %v", o.Failures, o.Point.Verdict, err)
	}
	o, err = CrashPublished(guestSetup(t, "hello"), parse(t, "after 20; after "+far), kernel.NewConsole(nil, nil, nil))
	if err != nil || o.Failures != 1 || o.Point.Verdict != result.Unreached {
		t.Errorf("published: %d failures, %v, %v", o.Failures, o.Point.Verdict, err)
	}
	if p := parse(t, "after 20; after "+far).without(0); p.Cuts[0].After != ^uint64(0) {
		t.Errorf("without its first cut the plan is %v", p)
	}
}

// A run in which the power never fails proves nothing.
func TestCutBehindTheEndIsNoPass(t *testing.T) {
	for name, crash := range map[string]func(Setup, Plan, *kernel.Console) (Outcome, error){"beside a twin": Crash, "published": CrashPublished} {
		o, err := crash(guestSetup(t, "hello"), parse(t, "after 5000"), kernel.NewConsole(nil, nil, nil))
		if err != nil || o.Point.Verdict != result.Unreached || !strings.Contains(o.Point.Reason, "before the cut") {
			t.Errorf("%s: %v, %v", name, o.Point.Verdict, err)
		}
	}
}
