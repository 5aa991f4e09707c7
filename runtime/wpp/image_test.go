package wpp

import (
	"encoding/binary"
	"errors"
	"fmt"
	"strings"
	"testing"

	"zhuque/internal/testrig"
	"zhuque/sim"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// guest starts an embedded guest under the runtime, in an empty file tree.
func guest(t testing.TB, name string, args ...string) *sim.Machine {
	t.Helper()
	return guestUnder(t, fresh(t), name, args...)
}

func guestUnder(t testing.TB, rt *Runtime, name string, args ...string) *sim.Machine {
	t.Helper()
	cfg := testrig.Config(t, name)
	cfg.Args = append(cfg.Args, args...)
	m, err := sim.New(cfg, rt)
	if err != nil {
		t.Fatal(err)
	}
	return m
}

func fresh(t testing.TB) *Runtime {
	t.Helper()
	rt, err := New("")
	if err != nil {
		t.Fatal(err)
	}
	return rt
}

// cutImage is what a power cut left, to be damaged and booted again and again.
type cutImage struct {
	t    testing.TB
	d    *sim.Durable
	cfg  *sim.Config
	want string // the undamaged image's machine
}

func cutNow(t *testing.T, m *sim.Machine) *cutImage {
	t.Helper()
	d, _ := m.PowerCut(sim.Cut{})
	c := &cutImage{t: t, d: d, cfg: m.Config()}
	whole, err := c.boot(func(func(uint64) []byte) {})
	if err != nil {
		t.Fatalf("the undamaged image: %v", err)
	}
	c.want = whole
	return c
}

// boot boots the image after damage, which gets a function that returns the
// eight bytes at an offset, and accounts for the machine.
func (c *cutImage) boot(damage func(at func(off uint64) []byte)) (string, error) {
	c.t.Helper()
	d := *c.d
	d.PMEM, d.Files = c.d.PMEM.Fork(), c.d.Files.Fork()
	damage(func(off uint64) []byte {
		a := phys.PMEMBase + phys.Addr(off)
		return d.PMEM.WritablePage(a.Frame())[a&phys.PageMask:][:8]
	})
	m, err := sim.Boot(&d, c.cfg, fresh(c.t), sim.BootOptions{})
	if err != nil {
		return "", err
	}
	files, err := d.Files.Digest()
	if err != nil {
		c.t.Fatal(err)
	}
	stop := m.RunUntil(m.Retired() + 200) // the tables must serve what follows, too
	return fmt.Sprintf("%v %s %+v files %s", stop, m.Digest(), m.Kernel().Records(), files), nil
}

func (c *cutImage) word(off uint64) uint64 { return peek(c.d.PMEM, off) }

// region is a part of the image in which a test flips bits.
type region struct {
	name    string
	off     uint64
	words   uint64
	refused bool // any flipped bit must be refused; else the machine may also be the same
}

// flips flips single bits of a region: each word's first, last and some others.
func (c *cutImage) flips(r region) {
	c.t.Helper()
	refused, same := 0, 0
	for w := range r.words {
		for _, bit := range []uint64{0, 63, 1, (w*7 + 3) % 64, (w*11 + 32) % 64} {
			off := r.off + 8*w
			got, err := c.boot(func(at func(uint64) []byte) {
				b := at(off)
				binary.LittleEndian.PutUint64(b, binary.LittleEndian.Uint64(b)^1<<bit)
			})
			var d *sim.Detected
			switch {
			case errors.As(err, &d) && d.Reason != "":
				refused++
			case err != nil:
				c.t.Errorf("%s: bit %d of the word at %#x: %v", r.name, bit, off, err)
			case got != c.want:
				c.t.Errorf("%s: bit %d of the word at %#x (%#x) is not noticed: the machine becomes another",
					r.name, bit, off, c.word(off))
			case r.refused:
				c.t.Errorf("%s: bit %d of the word at %#x (%#x) is not noticed", r.name, bit, off, c.word(off))
			default:
				same++
			}
		}
	}
	c.t.Logf("%-16s %4d flips refused, %4d without effect", r.name, refused, same)
}

func (c *cutImage) tables() []region {
	return []region{
		{"superblock", sbMagic, 4, true},
		{"life cycle", sbGeneration, 3, true},
		{"counters", sbFailures, 1, false},
		{"calls and cells", sbCommitted, (sbCells-sbCommitted)/8 + 1, true},
		{"records", recordOff, cellWords * c.counter(sbCells), false},
		{"cells beyond", recordOff + cellSize*c.counter(sbCells), 8 * 4, false},
	}
}

// A damaged word of the tables never makes another machine of the image: the
// restart refuses it, or the word did not matter.
func TestFlippedBitsAreRefused(t *testing.T) {
	m := guest(t, "signals")
	if stop := m.RunUntil(9000); stop.Reason != sim.Reached {
		t.Fatal(stop)
	}
	c := cutNow(t, m)
	for _, r := range append(c.tables(), region{"save area", threadOff, 2 + frameWords, true},
		region{"call area", saveMode, 6, true}) {
		c.flips(r)
	}
}

// The same in the middle of a call: not committed, committed with a log that is
// not in place yet, and done.
func TestFlippedBitsInACall(t *testing.T) {
	for _, phase := range []string{"before the commit", "behind the commit"} {
		m := guest(t, "maps")
		at, steps := longCall(t, m.Fork(), 40)
		m.RunUntil(at)
		c := stopIn(t, m, at, steps, phase == "behind the commit")
		t.Logf("%s, after %d instructions: call %d, committed %d, applied %d, %d records", phase,
			at, c.word(saveCall), c.counter(sbCommitted), c.counter(sbApplied), c.word(logCount))
		list := append(c.tables(), region{"save area", threadOff, 2 + frameWords, true}, region{"call area", saveMode, 6, true},
			region{"entry copy", saveEntry, 2 + entryWords, true}, region{"entry checksum", saveEntrySum, 1, true},
			region{"result", saveResult, 2, phase == "behind the commit"})
		if phase == "behind the commit" {
			list = append(list, region{"redo log", logRecords, 2 * c.word(logCount), true},
				region{"redo log head", logCall, 3, true})
		}
		for _, r := range list {
			c.flips(r)
		}
	}
}

// longCall runs a machine until a call that makes more than least stores, and
// returns where it began and how many stores it made.
func longCall(t *testing.T, m *sim.Machine, least uint64) (at, steps uint64) {
	t.Helper()
	m.OnCall(func(n, s uint64) {
		if s > least && at == 0 && n > 10_000 {
			at, steps = n, s
		}
	})
	for at == 0 {
		if stop := m.RunUntil(m.Retired() + 1000); stop.Reason != sim.Reached {
			t.Fatalf("no call with more than %d stores: %v", least, stop)
		}
	}
	return at, steps
}

// stopIn cuts the power in the next call, at its last store before the commit or
// among the first behind it.
func stopIn(t *testing.T, m *sim.Machine, at, steps uint64, committed bool) *cutImage {
	t.Helper()
	var before *cutImage
	for step := range steps {
		f := m.Fork()
		f.ArmStep(step + 1)
		if stop := f.RunUntil(at + 1); stop.Reason != sim.PowerLost {
			t.Fatalf("store %d of %d: %v", step+1, steps, stop)
		}
		c := cutNow(t, f)
		if c.counter(sbCommitted) == c.word(saveCall) {
			if committed {
				return c
			}
			return before
		}
		before = c
	}
	t.Fatalf("the call at %d commits nowhere", at)
	return nil
}

func (c *cutImage) counter(off uint64) uint64 {
	v, ok := counter(c.word(off))
	if !ok {
		c.t.Fatalf("the counter at %#x is %#x", off, c.word(off))
	}
	return v
}

// An image belongs to a level of processor: its program may have chosen
// instructions that another lacks.
func TestImageOfAnotherProcessor(t *testing.T) {
	m := guest(t, "list")
	m.RunUntil(10_000)
	c := cutNow(t, m)
	other := *c.cfg
	other.Level = x86.V3
	c.cfg = &other
	_, err := c.boot(func(func(uint64) []byte) {})
	var d *sim.Detected
	if !errors.As(err, &d) || !strings.Contains(d.Reason, "processor") {
		t.Errorf("an image of a v2 processor on a v3 processor: %v, want a refusal", err)
	}
}
