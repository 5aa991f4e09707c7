package main

import (
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zhuque/sim/hostdir"
)

// A campaign that is killed at any moment continues: in the end the ledger is that of one that was
// never killed, on one worker or two, and so is the report's digest. It is a broken runtime's, so
// that there are failures to keep.
func TestLedgerOutlivesKills(t *testing.T) {
	dir := t.TempDir()
	args := func(name, workers string) []string {
		return []string{"campaign", "--strategy", "random", "--points", "3000", "--mutant", "fs-base-not-saved", "--shrink", "0",
			"--workers", workers, "--ledger", name + ".sqlite", "--out", name, "--format", "json", "--", "guest:tls"}
	}
	zhuque(t, dir, "", args("whole", "1")...).want(t, 10)
	want := zhuque(t, dir, "", "ledger", "export", "whole.sqlite").want(t, 0).stdout
	if strings.Count(want, "\njob,") < 100 || strings.Count(want, "\npoint,") < 100 {
		t.Fatalf("the ledger has\n%.500s", want)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	kills := 4
	if os.Getenv("ZHUQUE_REAL_ALL") != "" {
		kills = 100
	}
	for i, killed := 0, 0; killed < kills && i < 4*kills; i++ {
		ctx, stop := context.WithTimeout(context.Background(), time.Duration(150+37*i%400)*time.Millisecond)
		cmd := exec.CommandContext(ctx, self, args("killed", "2")...)
		cmd.Dir, cmd.Env = dir, append(os.Environ(), asCommand+"=1")
		if err := cmd.Run(); ctx.Err() != nil && err != nil {
			killed++
		}
		stop()
	}
	zhuque(t, dir, "", args("killed", "2")...).want(t, 10)
	if got := zhuque(t, dir, "", "ledger", "export", "killed.sqlite").want(t, 0).stdout; got != want {
		t.Error("the ledger of the killed campaign is another")
	}
}

// Shards on several machines are the campaign: their merged ledger is that of one run, nothing of it is
// judged again, and its report is the same.
func TestShardsMerge(t *testing.T) {
	dir := t.TempDir()
	camp := func(out string, more ...string) ran {
		args := append(strings.Fields("campaign --strategy random --points 300 --format json --domain adr --shrink 0 --out "+out), more...)
		return zhuque(t, dir, "", append(args, "--", "guest:list")...).want(t, 11)
	}
	camp("whole", "--ledger", "whole.sqlite")
	for _, i := range []string{"1", "2", "3"} {
		camp("part"+i, "--shard", i+"/3", "--ledger", i+".sqlite")
	}
	if out := zhuque(t, dir, "", "merge", "all.sqlite", "1.sqlite", "2.sqlite").want(t, 0); strings.Contains(out.stdout, "300 of 300") {
		t.Errorf("two of three parts: %s", out.stdout)
	}
	if out := zhuque(t, dir, "", "merge", "all.sqlite", "2.sqlite", "3.sqlite").want(t, 0); !strings.Contains(out.stdout, "300 of 300 points, 19 of 19 jobs") {
		t.Errorf("all parts: %s", out.stdout)
	}
	for _, as := range []string{"csv", "json"} {
		one := zhuque(t, dir, "", "ledger", "export", "--format", as, "whole.sqlite").want(t, 0).stdout
		if all := zhuque(t, dir, "", "ledger", "export", "--format", as, "all.sqlite").want(t, 0).stdout; all != one || len(one) < 1000 {
			t.Errorf("%s: the merged ledger is another", as)
		}
	}
	digest := func(o ran) string {
		_, d, _ := strings.Cut(o.stdout, `"digest"`)
		d, _, _ = strings.Cut(d, ",")
		return d
	}
	if a, b := camp("again", "--ledger", "all.sqlite"), camp("plain"); digest(a) != digest(b) || digest(a) == "" {
		t.Errorf("digests %s and %s", digest(a), digest(b))
	}
	shown := zhuque(t, dir, "", "ledger", "--verdict", "detected", "all.sqlite").want(t, 0).stdout
	if !strings.Contains(shown, "300 points, the first 0: detected: no superblock: magic #") {
		t.Errorf("shown:\n%s", shown)
	}
}

func TestLedgerRefuses(t *testing.T) {
	dir := t.TempDir()
	camp := func(points, seed, ledger string) []string {
		return strings.Fields("campaign --strategy random --points " + points + " --seed " + seed + " --out o --ledger " + ledger + " -- guest:counter")
	}
	zhuque(t, dir, "", camp("20", "1", "a.sqlite")...).want(t, 0)
	zhuque(t, dir, "", camp("20", "2", "b.sqlite")...).want(t, 0)
	for name, text := range map[string]string{"noise": "noise that is no database at all", "empty": ""} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, "b.sqlite"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := hostdir.Lock(f); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args []string
		says string
	}{
		{camp("30", "1", "a.sqlite"), `its strategy is "random 20, seed 1", here it is "random 30, seed 1"`},
		{camp("20", "2", "a.sqlite"), `a ledger of another campaign: its setting seed is ""`},
		{camp("20", "2", "b.sqlite"), "another campaign writes this ledger"},
		{camp("20", "2", "noise"), "it is no ledger"},
		{camp("20", "2", "."), "expected a file"},
		{[]string{"ledger", "noise"}, "it is no ledger"},
		{[]string{"ledger", "empty"}, "it is no ledger"},
		{[]string{"ledger", "none"}, "none"},
		{[]string{"ledger", "--verdict", "pasta", "a.sqlite"}, "--verdict"},
		{[]string{"ledger", "export", "--format", "xml", "a.sqlite"}, `--format "xml"`},
		{[]string{"merge", "c.sqlite", "a.sqlite", "b.sqlite"}, "a ledger of another campaign"},
		{[]string{"merge", "d.sqlite", "a.sqlite", "empty"}, "it is no ledger"},
		{strings.Fields("campaign --shard 2/3 -- guest:counter"), "--shard without a ledger"},
		{strings.Fields("campaign --shard 4/3 --out o -- guest:counter"), `shard "4/3"`},
	} {
		zhuque(t, dir, "", tc.args...).want(t, 2, tc.says)
	}
	if _, err := os.Stat(filepath.Join(dir, "d.sqlite")); err == nil {
		t.Error("a ledger was made of parts that cannot be read")
	}
}

// The ledger in --out is the run's own: a complete one, or another campaign's, begins anew.
func TestLedgerBeginsAnew(t *testing.T) {
	dir := t.TempDir()
	for _, points := range []string{"40", "40", "50"} {
		out := zhuque(t, dir, "", strings.Fields("campaign --strategy random --points "+points+" --out o -- guest:counter")...).want(t, 0)
		if strings.Contains(out.stderr, "continues") {
			t.Errorf("%s points: %s", points, out.stderr)
		}
		if shown := zhuque(t, dir, "", "ledger", "o/ledger.sqlite").want(t, 0).stdout; !strings.Contains(shown, points+" of "+points+" points") {
			t.Errorf("shown:\n%s", shown)
		}
	}
}
