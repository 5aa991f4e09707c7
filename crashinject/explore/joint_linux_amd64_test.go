package explore

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"zhuque/crashinject"
	"zhuque/eadr"
	"zhuque/internal/testrig"
)

// Crash points that are taken together give the report that they give one by one, for every
// program that is compared here, right and with each fault, under both domains.
func TestJoinedCrashPointsGiveTheSameReport(t *testing.T) {
	const src = "../../scenarios/persistent/src/"
	merged := uint64(0)
	for _, name := range []string{"list", "sumlog", "log", "slots", "hash", "btree", "blocks"} {
		text, err := os.ReadFile(src + name + ".c")
		if err != nil {
			t.Fatal(err)
		}
		faults := map[string]bool{"none": true}
		for _, f := range regexp.MustCompile(`FAULT\((\w+)\)`).FindAllSubmatch(text, -1) {
			faults[string(f[1])] = true
		}
		for fault := range faults {
			opt := &Options{Setup: crashinject.DefaultSetup(), Recover: command(t, "/"+name+" check")}
			opt.Setup.Root = testrig.EmptyRoot(t)
			opt.Setup.Program, opt.Setup.Args = "/"+name, []string{"run", "3"}
			args := []string{"-O1", "-g", "-static", "-DPLANTED=" + fault,
				"-o", filepath.Join(opt.Setup.Root, name), src + name + ".c"}
			if text, err := exec.Command(testrig.Compiler(t), args...).CombinedOutput(); err != nil {
				t.Fatalf("gcc: %v\n%s", err, text)
			}
			for _, domain := range []eadr.Domain{eadr.ADR, eadr.EADR} {
				opt.Setup.Domain = domain
				merged += sameReport(t, fmt.Sprintf("%s, %s, %v", name, fault, domain), opt)
			}
		}
	}
	if merged < 300 {
		t.Errorf("%d machines were saved", merged)
	}
}

// The same with marks, with non-temporal stores, with a check, and where files are made.
func TestJoinedMarksChecksAndFiles(t *testing.T) {
	for _, domain := range []eadr.Domain{eadr.ADR, eadr.EADR} {
		for _, words := range [][2]string{
			{"push push 3", "walk"}, {"push push-wrong 4", "walk"}, {"pair lost 3", "show"}, {"pair torn 3", "show"}, {"pair torn 2", "abort-show"},
			{"pair right 2", "hang-show"}, {"pair torn 2", "pool-show"}, {"files store", "read-one"}, {"files store", "read-all"},
		} {
			list := strings.Fields(words[0])
			opt := guest(t, list[0])
			opt.Setup.Args, opt.Setup.Domain = list[1:], domain
			opt.Recover = command(t, "/"+list[0]+" "+words[1])
			sameReport(t, fmt.Sprint(words, ", ", domain), opt)
			if words[0] == "pair torn 3" {
				opt.Recover, opt.Check = command(t, "/pair none"), opt.Recover
				sameReport(t, fmt.Sprint(words, " as a check, ", domain), opt)
			}
		}
		for n, l := range litmus {
			if n%2 == 0 == (domain == eadr.ADR) {
				continue
			}
			opt := guest(t, "litmus")
			opt.Setup.Args, opt.Setup.Domain = []string{fmt.Sprint(l.test)}, domain
			opt.Recover = command(t, "/litmus")
			sameReport(t, fmt.Sprintf("litmus test %d, %v", l.test, domain), opt)
		}
	}
}

// Where a point has more worlds than the bound, a sample of them is run, the same in both ways; points
// before the mark and the answers between operations come out as ever.
func TestJoinedCrashPointsWithTooManyWorlds(t *testing.T) {
	for _, words := range [][2]string{{"pair right 3", "show"}, {"pair torn 3", "show"},
		{"pair lost 3", "show"}, {"sum log 12", "walk 12 last"}, {"push push-wrong 4", "walk"}} {
		list := strings.Fields(words[0])
		opt := guest(t, list[0])
		opt.Setup.Args, opt.Recover = list[1:], command(t, "/"+list[0]+" "+words[1])
		for opt.PointWorlds = range uint64(7) {
			if opt.PointWorlds > 0 {
				sameReport(t, fmt.Sprintf("%s, at most %d worlds", words, opt.PointWorlds), opt)
			}
		}
		opt.PointWorlds = 100
		sameReport(t, fmt.Sprintf("%s, at most 100 worlds", words), opt)
	}
}

// What was not run is not counted when the context ends, and nothing is called wrong for it.
func TestJoinedCrashPointsInterrupted(t *testing.T) {
	opt := guest(t, "pair")
	opt.Setup.Args, opt.Recover, opt.Cuts, opt.PointWorlds = []string{"right", "3"}, command(t, "/pair show"), 1, 1000
	why := errors.New("enough")
	all := explored(t, opt)
	for most := range int(all.Looks) {
		ctx, cancel := context.WithCancelCause(context.Background())
		n := 0
		opt.looked = func() {
			if n++; n > most {
				cancel(why)
			}
		}
		r, err := Explore(ctx, opt)
		if err != nil || !errors.Is(r.Err(), why) || r.Exhaustive || len(r.Failures) > 0 {
			t.Fatalf("interrupted after %d crash points: %v\n%s", most, err, r.Text())
		}
		// The two before the file has its size are not taken together with the others.
		if looks := r.Looks + r.Before.Looks; looks > 2 ||
			r.Points+r.Before.Points != looks || r.Worlds+r.Before.Worlds != looks {
			t.Errorf("interrupted after %d crash points: %s", most, r.Text())
		}
	}
}

// sameReport compares the two ways, and returns how many machines are saved by the quicker one.
func sameReport(t *testing.T, name string, opt *Options) uint64 {
	t.Helper()
	all := func(apart bool) (r *Report, text string) {
		o := *opt
		o.Cuts, o.apart, o.PointWorlds = 1, apart, cmp.Or(o.PointWorlds, 2000)
		r = explored(t, &o)
		same := *r
		same.Machines = r.Worlds
		text = same.Text()
		for _, f := range r.Failures {
			text += fmt.Sprintln("world", f.World, "at", f.At, f.Kind, f.Also)
		}
		return r, text
	}
	apart, a := all(true)
	joined, b := all(false)
	if apart.Machines != apart.Worlds || joined.Machines > joined.Worlds {
		t.Errorf("%s: %d machines for %d worlds apart, %d for %d joined",
			name, apart.Machines, apart.Worlds, joined.Machines, joined.Worlds)
	}
	if a != b {
		t.Errorf("%s: crash point by crash point:\n%s\njoined:\n%s", name, a, b)
	}
	return apart.Machines - joined.Machines
}
