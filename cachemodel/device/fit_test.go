package device_test

import (
	"math"
	"strings"
	"testing"

	"zhuque/cachemodel/device"
	"zhuque/internal/reference"
	"zhuque/sim/phys"
)

func line(a int) phys.LineAddr { return (phys.PMEMBase + phys.Addr(a)).Line() }

// dimms is Cascade Lake with so many DIMMs, for so many cores.
func dimms(t *testing.T, n, cores int) *device.Device {
	t.Helper()
	cfg := device.CascadeLake()
	cfg.DIMMs = n
	d, err := device.New(cfg, cores, 1)
	if err != nil {
		t.Fatal(err)
	}
	return d
}

// targets returns measured rows by the beginning of their ids.
func targets(t *testing.T, prefix string) (list []reference.Target) {
	t.Helper()
	all, err := reference.DeviceTargets()
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range all {
		if strings.HasPrefix(r.ID, prefix) {
			list = append(list, r)
		}
	}
	if len(list) == 0 {
		t.Fatalf("no row %s", prefix)
	}
	return list
}

// closeTo compares a modelled value with a measured one, and what is known to be further off.
func closeTo(t *testing.T, r reference.Target, got, within float64) {
	t.Helper()
	if f := math.Abs(math.Log(got / r.Value)); f > math.Log(within) {
		t.Errorf("%s: %.3f, measured %.3f %s: a factor of %.2f, expected %.2f at most",
			r.ID, got, r.Value, r.Unit, math.Exp(f), within)
	}
}

// A region that is written half a line at a time is amplified when the buffer does not hold it.
func TestWriteAmplification(t *testing.T) {
	for _, r := range targets(t, "fast20.xpbuf_wa.") {
		n := int(r.X)
		if n < 1024 {
			continue // less than one write a line: something combines before the buffer
		}
		d, now, issued, written := dimms(t, 1, 1), device.Picos(0), 0, uint64(0)
		rounds := max(10, 200_000/n)
		for k := range 2 * rounds {
			if k == rounds {
				issued, written = 0, d.Stats().MediumWrites
			}
			for half := 0; half < 256; half += 128 {
				for a := half; a < n; a += 256 {
					d.Write(0, line(a), true, now)
					d.Write(0, line(a+64), true, now)
					now = d.Drain(0, now) + 90*device.Nano
					issued += 128
				}
			}
		}
		closeTo(t, r, float64(d.Stats().MediumWrites-written)*256/float64(issued), 1.15)
	}
}

// The write bandwidth of one DIMM falls with the number of threads.
func TestWriteBandwidthOverThreads(t *testing.T) {
	for _, r := range targets(t, "fast20.bw_threads.optane_ni.ntstore.") {
		threads := int(r.X)
		d, bytes := dimms(t, 1, threads), 0
		at, next := make([]device.Picos, threads), make([]int, threads)
		for range 40_000 {
			i := 0
			for k := range at {
				if at[k] < at[i] {
					i = k
				}
			}
			at[i] = d.Write(i, line(i<<30+next[i]*phys.LineSize), true, at[i]+14_500)
			next[i]++
			bytes += phys.LineSize
		}
		closeTo(t, r, float64(bytes)/float64(at[0])*1000, 1.30)
	}
}

// A fork goes its own way and neither disturbs the other.
func TestForkIsIndependent(t *testing.T) {
	run := func(d *device.Device, from, to int) (sum device.Picos) {
		for i := from; i < to; i++ {
			sum += d.Read(line(i*7919*64%(1<<24)), device.Picos(i)*100_000)
			sum += d.Write(0, line(i*104729*64%(1<<24)), i%2 == 0, device.Picos(i)*100_000)
			sum += d.Evict(line(i*31*64), device.Picos(i)*100_000) + d.Read(phys.LineAddr(i*17), device.Picos(i)*100_000)
		}
		return sum + d.Drain(0, device.Picos(to)*100_000)
	}
	whole := dimms(t, 6, 1)
	run(whole, 0, 3000)
	want := run(whole, 3000, 6000)
	d := dimms(t, 6, 1)
	run(d, 0, 3000)
	f := d.Fork()
	run(f, 9000, 20000)
	g := d.Fork()
	if got := run(d, 3000, 6000); got != want || d.Stats() != whole.Stats() {
		t.Errorf("after a fork ran: %d, %+v, want %d, %+v", got, d.Stats(), want, whole.Stats())
	}
	if got := run(g, 3000, 6000); got != want || g.Stats() != whole.Stats() {
		t.Errorf("a fork: %d, %+v, want %d, %+v", got, g.Stats(), want, whole.Stats())
	}
}

// A calendar finds room for a late request before what is booked already, and never books twice.
func TestCalendar(t *testing.T) {
	var c device.Calendar
	for _, b := range []struct{ from, need, start device.Picos }{
		{100, 10, 100}, {100, 10, 110}, {50, 10, 50}, {50, 40, 60}, {55, 10, 120}, {0, 50, 0}, {0, 10, 130}, {1000, 5, 1000}, {0, 900, 1005}, {0, 800, 140},
	} {
		if got := c.Book(b.from, b.need); got != b.start {
			t.Errorf("%d from %d begin at %d, want %d", b.need, b.from, got, b.start)
		}
	}
}

// A page that is overwritten again and again makes the DIMM move it now and then.
func TestWear(t *testing.T) {
	cfg := device.CascadeLake()
	d, now, slow := dimms(t, 1, 1), device.Picos(0), 0
	n := 3 * cfg.WearWrites
	for range n {
		before := now
		for p := range 4 {
			now = d.Write(0, line(64*p), true, now+15_000)
		}
		now = d.Drain(0, now) + 90*device.Nano
		if now-before > 20*1000*device.Nano {
			slow++
		}
	}
	if slow != 2 && slow != 3 || d.Stats().Migrations < 2 {
		t.Errorf("%d of %d overwrites wait, %d migrations: expected one in %d", slow, n, d.Stats().Migrations, cfg.WearWrites)
	}
}

func TestBadConfigurations(t *testing.T) {
	for _, c := range []struct {
		change func(*device.Config)
		want   string
	}{
		{func(c *device.Config) { c.DIMMs = 0 }, "pmem.dimms is 0"},
		{func(c *device.Config) { c.DIMMs = -1 }, "pmem.dimms is -1"},
		{func(c *device.Config) { c.Interleave = 5000 }, "multiple of 4096"},
		{func(c *device.Config) { c.Channels = 65 }, "dram.channels is 65"},
	} {
		cfg := device.CascadeLake()
		c.change(&cfg)
		if _, err := device.New(cfg, 1, 1); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, expected %q", err, c.want)
		}
	}
}
