package crashinject

import (
	"fmt"
	"reflect"
	"strings"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/sim"
	"zhuque/sim/x86"
)

func TestEventsReadBack(t *testing.T) {
	for text, want := range map[string]string{
		"flush": "", "call:write": "", "call:write#3": "", "!flush": "", "flush|fence": "", "flush|fence&!flush#2": "",
		"(flush|fence)#18446744073709551615": "", "(flush|fence)&call:read": "",
		"(!flush)#2": "", "flush&(fence&flush)": "", "!(flush|fence)": "",
		"address:4198400": "address:0x401000", "instruction:clwb": "instruction:CLWB",
		"((flush))": "flush", "(flush|fence)|flush": "flush|fence|flush",
		"(flush#2)#3": "",
	} {
		e, err := ParseEvent(text)
		if err != nil {
			t.Errorf("%q: %v", text, err)
			continue
		}
		if want == "" {
			want = text
		}
		again, err := ParseEvent(e.String())
		if e.String() != want || err != nil || !reflect.DeepEqual(e, again) {
			t.Errorf("%q is printed as %q: expected %q", text, e, want)
		}
	}
	for text, want := range map[string]string{
		"":                                      `expected one of call:NAME`,
		"write":                                 `"write": expected one of call:NAME, address:ADDRESS`,
		"call":                                  `"call": expected call:NAME`,
		"flush:1":                               `"flush:1": expected flush`,
		"call:rwite":                            "expected the name of a system call",
		"call:":                                 "expected the name of a system call",
		"address:main":                          "expected a number such as 0x401000",
		"instruction:clwbb":                     "expected a mnemonic",
		"flush#0":                               "expected a number above 0 after #",
		"flush#":                                "expected a number above 0 after #",
		"flush#18446744073709551616":            "expected a number above 0 after #",
		"(flush":                                "expected )",
		"flush)":                                "expected | or & or nothing more",
		"flush#2#3":                             "expected | or & or nothing more",
		"flush|":                                "expected one of",
		"!":                                     "expected one of",
		strings.Repeat("(", 1001):               "at most 1000",
		"flush" + strings.Repeat("|flush", 500): "at most 1000",
	} {
		if e, err := ParseEvent(text); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q gives %v, %v: expected an error with %q", text, e, err, want)
		}
	}
}

// Every kind of events is reached where the instructions, counted one by one, say so, and the
// plan is judged there as one that counts them.
func TestEventsAreReached(t *testing.T) {
	r := newRig(t, guestSetup(t, "nt"))
	write, m := uint64(0), r.at(0)
	for m.CPU().Next().Name != "SYSCALL" || m.CPU().R[x86.RAX] != 1 {
		m.Step()
		write = m.Retired()
	}
	where := func(from uint64, nth int, names ...string) uint64 {
		m := r.at(from)
		for {
			for _, name := range names {
				if m.CPU().Next().Name == name {
					nth--
				}
			}
			if nth == 0 {
				return m.Retired()
			}
			if stop := m.Step(); stop.Reason != sim.Reached {
				t.Fatalf("%v before %v", stop, names)
			}
		}
	}
	flush := []string{"CLWB", "CLFLUSHOPT", "CLFLUSH"}
	third := where(0, 3, flush...)
	for event, at := range map[string]uint64{
		"call:write":                  write,
		"call:read|call:write":        write,
		"flush":                       where(0, 1, flush...),
		"flush#3":                     third,
		"fence#2":                     where(0, 2, "SFENCE", "MFENCE"),
		"instruction:sfence|flush":    where(0, 1, append(flush, "SFENCE")...),
		"(flush|fence)#4&!call:write": where(0, 4, append(flush, "SFENCE", "MFENCE")...),
		"!flush":                      0,
		fmt.Sprintf("address:%#x&flush#3", r.at(third).CPU().RIP): third,
		fmt.Sprintf("address:%#x&flush", r.at(third).CPU().RIP):   firstAt(r, r.at(third).CPU().RIP),
	} {
		p, want := r.plan(parse(t, "after 0 at "+event)), r.plan(At(at))
		want.Plan, p.Plan = "", ""
		if p.At != at || p.Verdict != result.Pass || p.DirtyLines != want.DirtyLines || p.DirtyPMEM != want.DirtyPMEM {
			t.Errorf("%s: %+v: expected what a cut after %d instructions is: %+v", event, p, at, want)
		}
	}
	first := where(0, 1, flush...)
	later := At(first + 1)
	later.Cuts[0].At = parse(t, "after 0 at flush").Cuts[0].At
	if p := r.plan(later); p.At != where(first+1, 1, flush...) {
		t.Errorf("the first flush from instruction %d on is at %d", first+1, p.At)
	}
	several := parse(t, "after 0 at call:write step 2; after 0 at flush|fence; after 10 at fence#2 recovery 3")
	if p := r.plan(several); p.Verdict != result.Pass {
		t.Errorf("several cuts: %+v", p)
	}
	for _, n := range []int{2, 4} { // what comes for the third time comes so once
		if rip := r.at(where(0, n, flush...)).CPU().RIP; rip != r.at(third).CPU().RIP {
			if p := r.plan(parse(t, fmt.Sprintf("after 0 at flush#3&address:%#x", rip))); p.Verdict != result.Unreached {
				t.Errorf("flush %d is the third one: %+v", n, p)
			}
		}
	}
	never := parse(t, "after 0 at call:ptrace")
	if p := r.plan(never); p.Verdict != result.Unreached || !strings.Contains(p.Reason, "before the event") {
		t.Errorf("no such call: %+v", p)
	}
}

func firstAt(r rig, rip uint64) uint64 {
	m := r.at(0)
	for m.CPU().RIP != rip {
		m.Step()
	}
	return m.Retired()
}

// An event is searched in either of two machines that have to stay the same.
func TestEventsOfSeveralCores(t *testing.T) {
	s := guestSetup(t, "threads")
	s.Cores, s.MaxInstructions = 2, 3_000_000
	r := newRig(t, s)
	plan := parse(t, "after 0 at call:futex#2; after 0 at instruction:CMPXCHG|call:write")
	if p := r.plan(plan); p.Verdict != result.Pass {
		t.Errorf("%+v", p)
	}
}

func BenchmarkEvent(b *testing.B) {
	r := newRig(b, guestSetup(b, "counter"))
	e, err := ParseEvent("call:write#1000000|flush")
	if err != nil {
		b.Fatal(err)
	}
	m, there := r.at(0), e.watch()
	for b.Loop() {
		if there(m) || m.Step().Reason != sim.Reached {
			m, there = r.at(0), e.watch()
		}
	}
}
