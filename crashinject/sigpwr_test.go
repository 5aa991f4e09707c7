package crashinject

import (
	"bytes"
	"context"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/scenarios/guests"
	"zhuque/sim/kernel"
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
