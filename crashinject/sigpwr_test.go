package crashinject

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/scenarios/guests"
	"zhuque/sim/kernel"
	"zhuque/sim/x86"
)

// "From the application's perspective, power failure is delivered as an
// asynchronous signal": the handler runs once for each failure survived, and the
// program goes on where it stopped.
func TestPowerFailureIsASignal(t *testing.T) {
	s := DefaultSetup()
	s.Program, s.Guest = GuestPrefix+"power", guests.Guest
	plan, err := ParsePlan("after 5000; after 1; after 70000 recovery 2; after 3")
	if err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	o, err := Crash(s, plan, kernel.NewConsole(nil, &out, nil))
	if err != nil {
		t.Fatal(err)
	}
	if o.Point.Verdict != result.Pass || o.Stop.ExitCode() != 0 {
		t.Fatalf("%v %v: %s", o.Point.Verdict, o.Stop, o.Point.Reason)
	}
	if want := "power: sum 0xedfedcbcc719f2e1\npower: failures 4\n"; out.String() != want {
		t.Errorf("the program wrote %q, want %q", out.String(), want)
	}
}

// The delivery of SIGPWR, its handler and its return are cut like anything else.
func TestHandlerIsInterruptedByTheNextFailure(t *testing.T) {
	s := DefaultSetup()
	s.Program, s.Guest = GuestPrefix+"power", guests.Guest
	var plans []Plan
	for n := range uint64(24) {
		p := At(5000)
		p.Cuts = append(p.Cuts, At(n).Cuts...)
		plans = append(plans, p)
	}
	camp := Campaign{Setup: s}
	base, cfg, err := camp.baseline(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	v := &verifier{setup: &s, cfg: cfg, base: base}
	for _, p := range plans {
		got, err := v.fromStart(p, true)
		if err != nil || got.Verdict != result.Pass {
			t.Errorf("%v: %v %s, %v", p, got.Verdict, got.Reason, err)
		}
	}
}

func TestCampaignOverAProgramThatHandlesSIGPWR(t *testing.T) {
	s := DefaultSetup()
	s.Program, s.Guest = GuestPrefix+"power", guests.Guest
	c := Campaign{Setup: s, Strategy: Strategy{Kind: Random, Points: 40, Seed: 3}, Tails: 20}
	r, err := c.Run(context.Background())
	if err != nil || r.Counts.Pass != 40 {
		t.Errorf("%+v, %v", r.Counts, err)
	}
}

// In both modes, on one core and on two, the handlers of several threads are cut
// everywhere, and the next failure comes while they run: the threads are all there, and
// none goes on before (the guest looks).
func TestHandlersOfSeveralThreads(t *testing.T) {
	for _, mode := range []string{SIGPWRProcess, SIGPWRPerThread} {
		for cores := 1; cores <= 2; cores++ {
			s := guestSetup(t, "handlers")
			s.SIGPWR, s.Cores = mode, cores
			r := newRig(t, s)
			main := r.at(9000)
			for n := uint64(0); n < 1500; n += 23 {
				p := At(9000)
				p.Cuts = append(p.Cuts, At(n).Cuts[0], At(n % 5).Cuts[0])
				if got := r.judge(main, p, n%10 == 0); got.Verdict != result.Pass {
					t.Fatalf("%s on %d cores: %v: %v: %s", mode, cores, p, got.Verdict, got.Reason)
				}
			}
		}
	}
}

// Each instruction of a handler, and of the delivery and the return around it, is
// followed by the next failure, which comes once more in the restart.
func TestEveryInstructionOfAHandler(t *testing.T) {
	r := newRig(t, guestSetup(t, "power"))
	main := r.at(5000)
	for n := range uint64(40) { // the handler takes 17
		p := At(5000)
		p.Cuts = append(p.Cuts, At(n).Cuts[0], At(n % 3).Cuts[0])
		p.Cuts[1].Recovery = []uint64{1 + n%3}
		if got := r.judge(main, p, true); got.Verdict != result.Pass || !got.Tail {
			t.Fatalf("%v: %v: %s", p, got.Verdict, got.Reason)
		}
	}
}

// Every program that is told is told how often the power has failed, the failures in
// its restarts included.
func TestHandlerIsToldTheCount(t *testing.T) {
	s := guestSetup(t, "power")
	r := newRig(t, s)
	m := r.restarted(r.at(5000))
	m.TellPowerFailure(7)
	m.RunUntil(5000)
	var code [4]byte
	if err := m.Port().ReadBytes(m.CPU().R[x86.RSI]+8, code[:]); err != nil || code != [4]byte{7} {
		t.Errorf("si_code is %v, %v", code, err)
	}
}

// A point's run to the end tells every process that handles the failure, not the first alone.
func TestChildIsToldInATail(t *testing.T) {
	s, err := parseSituation("read: pipe2 buf 0; fork (rt_sigaction 30 {handler 0x04000000 restorer 0} 0 8; read 3 buf 60000; write 4 buf 60000; exit 0);"+
		"spin 20000; write 4 buf 60000; wait4 -1 0 0 0", "")
	if err != nil {
		t.Fatal(err)
	}
	r := newRig(t, s.setup(t))
	// Its read is interrupted, and its 60000 bytes are the first in the pipe: the others find no room.
	if p := r.plan(At(10_000)); p.Verdict != result.Timeout ||
		!strings.Contains(p.Reason, "waits for a pipe (descriptor 4) to have room") {
		t.Errorf("%v: %s", p.Verdict, p.Reason)
	}
}
