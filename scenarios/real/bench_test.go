//go:build unix

package real

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"zhuque/crashinject"
	"zhuque/scenarios/guests"
)

// BenchmarkInterpreter is the speed of busybox sha256sum over a mebibyte, in
// million guest instructions a second, with the cache model and without, under
// the Zhuque runtime.
func BenchmarkInterpreter(b *testing.B) {
	setup, _ := workloads[0].setup(b)
	for _, model := range []string{"off", "full"} {
		b.Run("model="+model, func(b *testing.B) {
			if err := setup.Set("model", model); err != nil {
				b.Fatal(err)
			}
			var instructions uint64
			for b.Loop() {
				_, n := uncut(b, setup)
				instructions += n
			}
			b.ReportMetric(float64(instructions)/b.Elapsed().Seconds()/1e6, "MIPS")
		})
	}
}

// BenchmarkPrograms is the cost of a guest instruction in programs as different
// as there are, with the cache model and without, in processor time.
func BenchmarkPrograms(b *testing.B) {
	for i := range workloads {
		w := &workloads[i]
		for _, model := range []string{"off", "full"} {
			b.Run(w.name+"/model="+model, func(b *testing.B) {
				setup, _ := w.setup(b)
				if err := setup.Set("model", model); err != nil {
					b.Fatal(err)
				}
				var instructions uint64
				begin := processor(b)
				for b.Loop() {
					_, n := uncut(b, setup)
					instructions += n
				}
				seconds := (processor(b) - begin).Seconds()
				b.ReportMetric(float64(instructions)/seconds/1e6, "MIPS")
				b.ReportMetric(seconds*1e9/float64(instructions), "ns/instr")
			})
		}
	}
}

// judged runs a campaign all of whose points must pass, and reports its speed.
func judged(b *testing.B, c crashinject.Campaign) (perSecond float64) {
	out, err := c.Run(context.Background())
	if err != nil {
		b.Fatal(err)
	}
	if p, failed := out.FirstFailure(); failed {
		b.Fatalf("%s: %v: %s", p.Plan, p.Verdict, p.Reason)
	}
	return out.PointsPerSecond
}

// BenchmarkEvery is the speed of a campaign that cuts busybox sha256sum at each
// of consecutive instructions, in points a second.
func BenchmarkEvery(b *testing.B) {
	setup, _ := workloads[0].setup(b)
	for _, workers := range []int{1, 2} {
		b.Run(fmt.Sprintf("workers=%d", workers), func(b *testing.B) {
			rate := 0.0
			for b.Loop() {
				rate += judged(b, crashinject.Campaign{Setup: setup, Workers: workers,
					Strategy: crashinject.Strategy{Kind: crashinject.Every, From: 2_000_000, To: 2_199_999}})
			}
			b.ReportMetric(rate/float64(b.N), "points/s")
		})
	}
}

// footprint is a guest that has touched so many megabytes, and a point after that.
func footprint(b testing.TB, megabytes string) (setup crashinject.Setup, at uint64) {
	setup = crashinject.DefaultSetup()
	setup.Root = b.TempDir()
	setup.Guest, setup.Program, setup.Args = guests.Guest, crashinject.GuestPrefix+"footprint", []string{megabytes}
	_, n := uncut(b, setup)
	return setup, n - 400_000
}

// processor is the processor time that this process has used, which a machine
// shared with others does not change as it changes the time on the clock.
func processor(b *testing.B) time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		b.Fatal(err)
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// BenchmarkFootprint is the cost of a crash point, in processor time, after a
// guest has touched 16 MB and 1 GB: it must not depend on that.
func BenchmarkFootprint(b *testing.B) {
	for _, megabytes := range []string{"16", "1024"} {
		b.Run("MB="+megabytes, func(b *testing.B) {
			setup, from := footprint(b, megabytes)
			const few, many = 1000, 201_000
			point := func(n uint64) float64 {
				begin := processor(b)
				judged(b, crashinject.Campaign{Setup: setup, Workers: 1,
					Strategy: crashinject.Strategy{Kind: crashinject.Every, From: from, To: from + n - 1}})
				return (processor(b) - begin).Seconds()
			}
			cost := 0.0
			for b.Loop() {
				cost += point(many) - point(few) // without the runs up to the first point
			}
			b.ReportMetric(1e6*cost/float64(b.N)/(many-few), "CPU-µs/point")
		})
	}
}

// BenchmarkPeakMemory is the most memory that a process holds that judges crash
// points of a guest with 1 GB touched.
func BenchmarkPeakMemory(b *testing.B) {
	const child = "ZHUQUE_PEAK_CHILD"
	if os.Getenv(child) != "" {
		setup, from := footprint(b, "1024")
		judged(b, crashinject.Campaign{Setup: setup, Tails: 2, Strategy: crashinject.Strategy{Kind: crashinject.Every, From: from, To: from + 99_999}})
		b.ReportMetric(peak(b), "peak-MB")
		return
	}
	most := 0.0
	for b.Loop() {
		cmd := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkPeakMemory$", "-test.benchtime=1x")
		cmd.Env = append(os.Environ(), child+"=1")
		out, err := cmd.CombinedOutput()
		m := regexp.MustCompile(`([0-9.]+) peak-MB`).FindSubmatch(out)
		if err != nil || m == nil {
			b.Fatalf("%v\n%s", err, out)
		}
		mb, err := strconv.ParseFloat(string(m[1]), 64)
		if err != nil {
			b.Fatal(err)
		}
		most = max(most, mb)
	}
	b.ReportMetric(most, "peak-MB")
}

// peak returns the largest resident set of this process so far, in megabytes.
func peak(b *testing.B) float64 {
	f, err := os.Open("/proc/self/status")
	if err != nil {
		b.Skip("no /proc/self/status here: ", err)
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		var kb float64
		if strings.HasPrefix(lines.Text(), "VmHWM:") {
			if _, err := fmt.Sscanf(lines.Text(), "VmHWM: %f kB", &kb); err != nil {
				b.Fatal(err)
			}
			return kb / 1000
		}
	}
	b.Fatal("/proc/self/status has no VmHWM")
	return 0
}

// BenchmarkSoftware is the speed of the programs that the figures are about, in
// million guest instructions a second: natively only the time is known.
func BenchmarkSoftware(b *testing.B) {
	root := software(b)
	for _, w := range []run{
		{name: "bench-python-start", args: []string{"/usr/bin/python3.11", "-c", "pass"}},
		{name: "bench-python-json", args: []string{"/usr/bin/python3.11", "-c",
			"import json\nd = [{'id': i, 'name': 'n%d' % i, 'half': i / 2, 'list': [i, None, True]} for i in range(20000)]\nassert json.loads(json.dumps(d)) == d"}},
		{name: "bench-sqlite", args: []string{"/usr/bin/sqlite3", ":memory:", "create table t(a integer, b text); begin; " +
			"with recursive c(x) as (values(1) union all select x + 1 from c where x < 20000) insert into t select x, printf('%08d', x) from c; commit; select sum(a), max(b) from t;"}},
	} {
		dir := w.prepare(b, root)
		b.Run(w.name+"/native", func(b *testing.B) {
			for b.Loop() {
				w.natively(b, root, dir)
			}
		})
		for _, model := range []string{"off", "full"} {
			b.Run(fmt.Sprintf("%s/model=%s", w.name, model), func(b *testing.B) {
				setup := w.setup(root, dir)
				if err := setup.Set("model", model); err != nil {
					b.Fatal(err)
				}
				var instructions uint64
				begin := processor(b)
				for b.Loop() {
					_, n := uncut(b, setup)
					instructions += n
				}
				cpu := (processor(b) - begin).Seconds()
				b.ReportMetric(float64(instructions)/float64(b.N)/1e6, "Minstr")
				b.ReportMetric(float64(instructions)/cpu/1e6, "MIPS-of-CPU-time")
				b.ReportMetric(float64(instructions)/b.Elapsed().Seconds()/1e6, "MIPS")
			})
		}
	}
}
