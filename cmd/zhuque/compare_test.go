package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// A slower memory is told, with the values that grow, and a bound on growth fails.
func TestCompareReports(t *testing.T) {
	dir := t.TempDir()
	zhuque(t, dir, "", strings.Fields("sweep --param cache.pmem.read=100,305 --out a -- guest:list")...).want(t, 0)
	zhuque(t, dir, "", strings.Fields("sweep --param cache.pmem.read=100,305 --set cache.l2.latency=40 --out b -- guest:list")...).want(t, 0)
	out := zhuque(t, dir, "", "compare", "a", "a").want(t, 0)
	if strings.Contains(out.stdout, "%\n") && !strings.Contains(out.stdout, "+0.00%") {
		t.Errorf("the same report differs:\n%s", out.stdout)
	}
	out = zhuque(t, dir, "", "compare", "a", filepath.Join("b", "results.json")).want(t, 0)
	if !strings.Contains(out.stdout, "parameter: cache.l2.latency is 40") || !strings.Contains(out.stdout, "Zhuque at 305") {
		t.Errorf("printed\n%s", out.stdout)
	}
	zhuque(t, dir, "", "compare", "--fail-above", "0", "a", "a").want(t, 0)
	zhuque(t, dir, "", strings.Fields("sweep --param cache.pmem.read=100,305 --set cache.dram.read=1 --out c -- guest:list")...).want(t, 0)
	zhuque(t, dir, "", strings.Fields("compare --fail-above 1 a c")...).want(t, 10)
	if err := os.WriteFile(filepath.Join(dir, "new.json"), []byte(`{"schema":"zhuque-sim-result","version":99}`), 0o644); err != nil {
		t.Fatal(err)
	}
	for args, says := range map[string]string{"a none": "none", "a new.json": "new.json", "a": "accepts 2", "--fail-above -1 a a": "--fail-above -1"} {
		if out := zhuque(t, dir, "", append([]string{"compare"}, strings.Fields(args)...)...).want(t, 2); !strings.Contains(out.stderr, says) {
			t.Errorf("%s: said %q, expected %q", args, out.stderr, says)
		}
	}
}
