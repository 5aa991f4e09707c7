package explore

import (
	"fmt"
	"strings"
	"testing"

	"zhuque/cachemodel/worlds/brute"
	"zhuque/eadr"
)

// A share of the crash points is compared with brute force, in every kind of program, and
// nothing differs; what is not told to brute force is a difference.
func TestSampleIsCompared(t *testing.T) {
	litmus := func(n string) *Options {
		opt := guest(t, "litmus")
		opt.Setup.Args, opt.Recover = []string{n}, command(t, "/litmus")
		return opt
	}
	checked := uint64(0)
	for _, domain := range []eadr.Domain{eadr.ADR, eadr.EADR} {
		for n := 1; n <= 22; n += 2 {
			opt := litmus(fmt.Sprint(n))
			opt.Setup.Domain = domain
			checked += explored(t, opt).Checked
		}
		for _, run := range []string{"right 6", "torn 6", "lost 3", "waste 0", "again 0"} {
			opt := pair(t, run, "show")
			opt.Setup.Domain = domain
			r := explored(t, opt)
			if checked += r.Checked; r.Checked == 0 && domain == eadr.ADR {
				t.Errorf("%s, %v: none of %d crash points was compared", run, domain, r.Looks)
			}
		}
	}
	t.Logf("%d crash points compared", checked)
	opt := pair(t, "torn 6", "show")
	opt.withhold = func(o brute.Op) bool { return o.Kind == brute.Weak }
	if text := bug(func() { explored(t, opt) }); !strings.HasPrefix(text, "BUG: ") {
		t.Errorf("without the flushes nothing differs: %q", text)
	}
}

// Of a line that was given up for others, what was stored to it before is not known: it is not
// compared until it is durable again.
func TestSampleOfManyLines(t *testing.T) {
	opt := guest(t, "many")
	opt.Setup.Args, opt.Recover, opt.Cuts = strings.Fields("1 99 40 98 1 40 2"), command(t, "/many"), 1
	opt.PointWorlds = 4
	if r := explored(t, opt); r.Checked < 8 {
		t.Errorf("%d crash points compared", r.Checked)
	}
}

// What is too long to be compared is followed all the same: it is durable when it was flushed
// after the last store.
func TestSampleOfALongTrail(t *testing.T) {
	opt := guest(t, "many")
	opt.Setup.Args, opt.Recover, opt.Cuts = []string{"long"}, command(t, "/many"), 1
	if r := explored(t, opt); r.Checked == 0 {
		t.Error("no crash point was compared")
	}
}

// bug returns what f panics with.
func bug(f func()) (text string) {
	defer func() {
		if r := recover(); r != nil {
			text = fmt.Sprint(r)
		}
	}()
	f()
	return ""
}
