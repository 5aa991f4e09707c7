package explore

import (
	"context"
	"errors"
	"testing"
)

// What a recovery tells apart in more worlds than the bound is found when it is near to everything
// or nothing persisted, and what is common is drawn; nothing is called exhaustive then.
func TestBoundOfACrashPoint(t *testing.T) {
	opt := guest(t, "sum")
	opt.Setup.Args, opt.Cuts = []string{"log", "24"}, 1
	for _, how := range []string{"", "first", "last", "pair"} {
		opt.Recover = command(t, "/sum walk 24 "+how)
		opt.PointWorlds = 400
		r := explored(t, opt)
		if r.Exhaustive || r.Sampled == 0 || r.Worlds < 400 || r.Worlds > 500+10 {
			t.Errorf("%q: %d worlds, exhaustive %t, sampled at %d points", how, r.Worlds, r.Exhaustive, r.Sampled)
		}
		if found := len(r.Failures) > 0; found != (how != "") {
			t.Errorf("%q: found %t", how, found)
		}
	}
	for bound := uint64(1); bound < 5; bound++ {
		if opt.PointWorlds = bound; explored(t, opt).Worlds < bound {
			t.Errorf("a bound of %d: %d worlds", bound, explored(t, opt).Worlds)
		}
	}
	opt.Setup.Args[1], opt.Recover, opt.PointWorlds = "9", command(t, "/sum walk 9"), 1<<9
	r := explored(t, opt)
	if opt.PointWorlds = 0; r.Sampled != 0 || !r.Exhaustive || r.Worlds != explored(t, opt).Worlds {
		t.Errorf("a bound that is not exceeded: %d worlds, exhaustive %t, sampled at %d points",
			r.Worlds, r.Exhaustive, r.Sampled)
	}
}

// An exploration ends with its context, not with the last of its worlds.
func TestEndOfTheContext(t *testing.T) {
	opt := guest(t, "sum")
	opt.Setup.Args, opt.Recover, opt.Cuts = []string{"log", "24"}, command(t, "/sum walk 24"), 1
	ctx, cancel := context.WithCancelCause(context.Background())
	why, n := errors.New("enough"), 0
	opt.seen = func(int, answer) {
		if n++; n == 100 {
			cancel(why)
		}
	}
	r, err := Explore(ctx, opt)
	if err != nil || r.Exhaustive || !errors.Is(r.Err(), why) || n != 100 {
		t.Errorf("%d worlds, %v, %v", n, err, r.Err())
	}
}
