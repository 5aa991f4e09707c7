package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zhuque/crashinject/result"
)

// The cost of PMEM grows with its latency, native memory does not know of it, and the curve
// is the same whenever it is measured.
func TestSweep(t *testing.T) {
	dir := t.TempDir()
	args := strings.Fields("sweep --param cache.pmem.read=1000,100,305 --format json --out curve -- guest:list")
	var curves [2]result.Overhead
	for i := range curves {
		if err := json.Unmarshal([]byte(zhuque(t, dir, "", args...).want(t, 0).stdout), &curves[i]); err != nil {
			t.Fatal(err)
		}
	}
	c := curves[0]
	if c.Parameter != "cache.pmem.read (ns)" || len(c.Points) != 9 {
		t.Fatalf("%+v", c)
	}
	last := map[string]float64{}
	for i, p := range c.Points {
		if p != curves[1].Points[i] {
			t.Errorf("the second time %+v, the first %+v", curves[1].Points[i], p)
		}
		switch {
		case p.System == "native" && p.RelativeToNative != 1,
			p.System != "native" && p.RelativeToNative <= max(1, last[p.System]):
			t.Errorf("%s at %v: %v times native, after %v", p.System, p.Value, p.RelativeToNative, last[p.System])
		case p.Value != []float64{100, 305, 1000}[i/3]:
			t.Errorf("point %d is at %v: expected ascending values", i, p.Value)
		}
		last[p.System] = p.RelativeToNative
	}
	csv, err := os.ReadFile(filepath.Join(dir, "curve", "overhead-guest-list.csv"))
	if err != nil || !strings.HasPrefix(string(csv), "system,cache.pmem.read (ns),cycles,") {
		t.Errorf("CSV %.80q: %v", csv, err)
	}
}

// What a sweep cannot measure is said, and nothing is drawn.
func TestSweepRefuses(t *testing.T) {
	dir := t.TempDir()
	for args, tc := range map[string]struct {
		status int
		says   string
	}{
		"-- guest:list":                                           {2, "expected NAME=V1,V2"},
		"--param nope=1 -- guest:list":                            {2, "nope"},
		"--param seed=2,2 -- guest:list":                          {2, "duplicate 2"},
		"--param quantum=1.5 -- guest:list":                       {2, "whole number"},
		"--param cache.l1d.size=1 -- guest:list":                  {2, "--param cache.l1d.size 1"},
		"--param seed=1 --system fast -- guest:list":              {2, "native, pmem or zhuque"},
		"--param seed=1 --seeds 0 -- guest:list":                  {2, "--seeds 0"},
		"--param cores=2 -- guest:threads":                        {2, "--clock model"},
		"--param max-instructions=9 -- guest:list":                {16, "max-instructions=9"},
		"--param seed=1 -- guest:none":                            {2, "none"},
		"--param cache.pmem.read=0 --out /dev/null -- guest:list": {2, "/dev/null"},
	} {
		r := zhuque(t, dir, "", append([]string{"sweep"}, strings.Fields(args)...)...)
		if r.status != tc.status || !strings.Contains(r.stderr, tc.says) {
			t.Errorf("sweep %s: status %d, %q; expected %d and %q", args, r.status, r.stderr, tc.status, tc.says)
		}
	}
	if left, _ := filepath.Glob(filepath.Join(dir, "*")); len(left) > 0 {
		t.Errorf("refused sweeps have left %v", left)
	}
}

// Runs with several seeds have an interval; runs that are all alike have none.
func TestSweepOverSeeds(t *testing.T) {
	dir := t.TempDir()
	for program, varies := range map[string]bool{"guest:threads": true, "guest:hello": false} {
		var c result.Overhead
		out := zhuque(t, dir, "", "sweep", "--param", "quantum=300", "--seeds", "3",
			"--system", "zhuque", "--format", "json", "--", program).want(t, 0).stdout
		if err := json.Unmarshal([]byte(out), &c); err != nil || len(c.Points) != 1 {
			t.Fatalf("%s: %v, %+v", program, err, c)
		}
		if p := c.Points[0]; p.N != 3 || p.Low > p.RelativeToNative ||
			p.High < p.RelativeToNative || (p.Low < p.High) != varies {
			t.Errorf("%s: %+v, expected an interval: %v", program, p, varies)
		}
	}
}
