package main

import (
	"bytes"
	"encoding/json"
	"os"
	"os/signal"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"zhuque/crashinject/result"
)

// Each verdict has its exit status, and the last line of a failure is the
// command that repeats it.
func TestVerdictsAndReplay(t *testing.T) {
	dir := t.TempDir()
	place(t, dir, "code32", program(code32, ""))
	place(t, dir, "forever", program(forever, ""))
	place(t, dir, "sleepers", program(sleepers, millisecond))
	for _, tc := range []struct {
		args   string
		status int
		replay bool
	}{
		{"campaign --from 10 --to 20 -- guest:hello", 0, false},
		{"campaign --mutant x87-not-saved --points 5", 10, true},
		{"campaign --strategy random --points 5 --mutant fs-base-not-saved -- guest:tls", 10, true},
		{"campaign --points 10 list-adr", 11, true},
		{"campaign --strategy random --points 5 --memory pmem -- guest:hello", 11, true},
		{"campaign -- ./code32", 12, false},
		{"campaign --max-instructions 5000 -- ./forever", 14, false},
		{"campaign --max-events 1000 -- ./sleepers", 14, false},
		{"crash --at 5 -- guest:hello", 0, false},
		{"crash --at 300000 --mutant x87-not-saved -- guest:fpu", 10, false},
		{"crash --at 5 --domain adr -- guest:hello", 11, false},
		{"crash --at 0 -- ./code32", 12, false},
		{"crash --at 10 --max-instructions 5000 -- ./forever", 14, false},
		{"crash --at 10 --max-events 1000 -- ./sleepers", 14, false},
	} {
		t.Run(tc.args, func(t *testing.T) {
			r := zhuque(t, dir, "", strings.Fields(tc.args)...).want(t, tc.status)
			command := strings.Fields(lastLine(r.stdout))
			if !tc.replay {
				if strings.Contains(r.stdout, "replay") {
					t.Errorf("standard output %q: nothing to replay", r.stdout)
				}
				return
			}
			if len(command) != 3 || command[0] != "zhuque" || command[1] != "replay" {
				t.Fatalf("the last line of standard output is %q: expected zhuque replay FILE", lastLine(r.stdout))
			}
			again := zhuque(t, dir, "", command[1:]...).want(t, tc.status)
			verdict, _, _ := strings.Cut(again.stdout, ":")
			if v, err := result.ParseVerdict(verdict); err != nil || v.ExitCode() != tc.status {
				t.Errorf("replay says %q", again.stdout)
			}
		})
	}
}

// A program that waits for ever has hung for every verb.
func TestDeadlock(t *testing.T) {
	dir := t.TempDir()
	place(t, dir, "waits", program([]byte{0x90, 0xb8, 34, 0, 0, 0, 0x0f, 0x05}, "")) // nop; mov eax, pause; syscall
	zhuque(t, dir, "", "crash", "--at", "0", "--save", "image", "--", "./waits").want(t, 0)
	zhuque(t, dir, "", "crash", "--at", "0", "--", "./waits").want(t, 14, "deadlock")
	zhuque(t, dir, "", "campaign", "--", "./waits").want(t, 14, "deadlock")
	zhuque(t, dir, "", "resume", "image").want(t, 14, "deadlock")
}

// An interrupt is not bad input, not even before the first point.
func TestInterruptedBeforeTheFirstPoint(t *testing.T) {
	dir := t.TempDir()
	place(t, dir, "forever", program(forever, ""))
	t.Chdir(dir)
	self, err := os.FindProcess(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	mine := make(chan os.Signal, 1) // so that an early one does not end the test
	signal.Notify(mine, os.Interrupt)
	defer signal.Stop(mine)
	for _, args := range [][]string{{"campaign", "--", "./forever"}, {"mutants", "--run", "x87-not-saved"}} {
		status := make(chan int)
		go func() { status <- execute(root(), args) }()
		for tick, over := time.NewTicker(time.Millisecond), false; !over; {
			select {
			case got := <-status:
				if over = true; got != result.StatusInterrupted {
					t.Errorf("%v: status %d, expected %d", args, got, result.StatusInterrupted)
				}
				tick.Stop()
			case <-tick.C:
				if err := self.Signal(os.Interrupt); err != nil {
					t.Fatal(err)
				}
			}
		}
	}
}

// A case file that claims another verdict than it has is a contradiction.
func TestReplayContradiction(t *testing.T) {
	dir := t.TempDir()
	text := "zhuque-case 1\nprogram \"guest:hello\"\ncut after 5\nverdict violation\n"
	if err := os.WriteFile(filepath.Join(dir, "wrong.case"), []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	zhuque(t, dir, "", "replay", "wrong.case").want(t, 13, "violation", "pass")
}

// keys returns the keys of a JSON object.
func keys(t *testing.T, text string) (list []string) {
	t.Helper()
	var m map[string]json.RawMessage
	if err := json.Unmarshal([]byte(text), &m); err != nil {
		t.Fatalf("%v in %.500q", err, text)
	}
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}

func wantKeys(t *testing.T, text, want string) {
	t.Helper()
	if got := strings.Join(keys(t, text), " "); got != want {
		t.Errorf("keys\n%s\nexpected\n%s", got, want)
	}
}

// The keys of every JSON form are a promise.
func TestJSONKeys(t *testing.T) {
	dir := t.TempDir()
	r := zhuque(t, dir, "", "campaign", "--format", "json", "--from", "10", "--to", "20", "--", "guest:hello").want(t, 0)
	wantKeys(t, r.stdout, "campaign detected digest pass points points_per_second redrawn seed simbug timeout unreached unsupported verdict violation")
	var sum campaignSummary
	if err := json.Unmarshal([]byte(r.stdout), &sum); err != nil || sum.Points != 11 ||
		sum.Pass != 11 || sum.Digest != sum.Campaign.Digest || sum.Seed != 1 {
		t.Errorf("%+v, %v", sum, err)
	}
	r = zhuque(t, dir, "", "campaign", "--format", "json", "--points",
		"5", "--mutant", "x87-not-saved", "--out", "bad dir").want(t, 10)
	wantKeys(t, r.stdout, "campaign detected digest pass points points_per_second redrawn seed simbug timeout unreached unsupported verdict violation")
	if last := lastLine(r.stderr); last != "zhuque replay 'bad dir/first-violation.case'" {
		t.Errorf("the last line of standard error is %q", last)
	}
	zhuque(t, dir, "", "run", "--stats", "stats.json", "--", "guest:hello").want(t, 0)
	stats, err := os.ReadFile(filepath.Join(dir, "stats.json"))
	if err != nil {
		t.Fatal(err)
	}
	wantKeys(t, string(stats), "core_cycles counters cycles digest elapsed_cycles elapsed_nanos exit_status hits instructions instructions_per_second media_bytes_written misses name program stalls wall_seconds")
	var run result.Run
	if err := json.Unmarshal(stats, &run); err != nil || run.ElapsedCycles != run.Cycles ||
		run.Instructions != 37 || run.Cycles < 37 || len(run.Digest) < 32 {
		t.Errorf("%+v, %v", run, err)
	}
	wantKeys(t, string(run.Counters), "cache mappings model pages_dram pages_pmem power_failures")
	r = zhuque(t, dir, "", "crash", "--at", "20", "--format", "json", "--", "guest:hello").want(t, 0)
	wantKeys(t, r.stderr, "digest exit_status failures_planned failures_survived instructions point verdict")
	r = zhuque(t, dir, "", "replay", "--format", "json", "bad dir/first-violation.case").want(t, 10)
	if got := keys(t, r.stdout); !slices.Contains(got, "verdict") ||
		!slices.Contains(got, "reason") || !slices.Contains(got, "plan") {
		t.Errorf("replay: keys %q", got)
	}
	for verb, first := range map[string]string{"scenarios": "counter-every",
		"mutants": "store-buffer-not-drained", "syscalls": "read", "isa": "ADD", "params": "cache.cores"} {
		r := zhuque(t, dir, "", verb, "--format", "json").want(t, 0)
		var rows []map[string]any
		if err := json.Unmarshal([]byte(r.stdout), &rows); err != nil || len(rows) == 0 || rows[0]["name"] != first {
			t.Errorf("%s: first row %v, %v, expected the name %q", verb, rows[:min(1, len(rows))], err, first)
		}
	}
}

// The report of --out is complete, and the table does not depend on it.
func TestCampaignReport(t *testing.T) {
	dir := t.TempDir()
	zhuque(t, dir, "", "campaign", "--from", "10", "--to", "30", "--out", "out", "--", "guest:hello").want(t, 0)
	doc, err := result.Load(filepath.Join(dir, "out", "results.json"))
	if err != nil {
		t.Fatal(err)
	}
	if len(doc.Campaigns) != 1 || doc.Campaigns[0].Points != 21 || len(doc.Params) < 20 || len(doc.Commands) != 1 ||
		doc.Commands[0] != "zhuque campaign --from 10 --to 30 --out out -- guest:hello" {
		t.Errorf("%d campaigns, %d parameters, commands %q", len(doc.Campaigns), len(doc.Params), doc.Commands)
	}
	page, err := os.ReadFile(filepath.Join(dir, "out", "report.html"))
	if err != nil || !bytes.Contains(page, []byte("21 power cuts, all recovered identically.")) ||
		!bytes.Contains(page, []byte("<svg")) {
		t.Errorf("report.html: %d bytes, %v", len(page), err)
	}
}

// The campaign goes on to its table when its report cannot be written.
func TestReportThatCannotBeWritten(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "out", "campaigns.csv"), 0o755); err != nil {
		t.Fatal(err)
	}
	r := zhuque(t, dir, "", "campaign", "--from", "10", "--to", "30", "--out",
		"out", "--", "guest:hello").want(t, 3, "campaigns.csv", "incomplete")
	if !strings.Contains(r.stdout, "guest:hello") || !strings.Contains(r.stdout, "21") {
		t.Errorf("standard output %q: expected the table", r.stdout)
	}
	if _, err := result.Load(filepath.Join(dir, "out", "results.json")); err != nil {
		t.Errorf("what was written before is lost: %v", err)
	}
}

// Flags change a scenario; without them it is the row's.
func TestFlagsChangeScenario(t *testing.T) {
	dir := t.TempDir()
	run := func(status int, args ...string) *result.Campaign {
		r := zhuque(t, dir, "", append([]string{"campaign", "--format", "json"}, args...)...).want(t, status)
		var sum campaignSummary
		if err := json.Unmarshal([]byte(r.stdout), &sum); err != nil {
			t.Fatal(err)
		}
		return sum.Campaign
	}
	base := run(0, "maps-calls", "--points", "8")
	if base.Points != 8 || base.Strategy != "calls 8" || base.Config["seed"] != "" {
		t.Errorf("%d points of %q, config %v", base.Points, base.Strategy, base.Config)
	}
	if c := run(11, "maps-calls", "--points", "8", "--domain", "adr"); c.Config["domain"] != "adr" {
		t.Errorf("config %v, expected the domain adr", c.Config)
	}
	one, two := run(0, "list-random", "--points", "3"), run(0, "list-random", "--points", "3", "--seed", "2")
	if one.Samples[0].At == two.Samples[0].At || two.Seed != 2 {
		t.Errorf("seeds 1 and 2 give the same first point %d", one.Samples[0].At)
	}
}

// The demo succeeds only when what is real passes and what is broken is caught.
func TestDemoVerdict(t *testing.T) {
	campaign := func(mutant string, expect result.Verdict, c result.Counts) result.Campaign {
		return result.Campaign{Mutant: mutant, Expect: expect, Counts: c, Points: c.Total()}
	}
	pass := campaign("", 0, result.Counts{Pass: 3})
	caught := campaign("m", 0, result.Counts{Pass: 1, Violation: 2})
	refused := campaign("", result.Detected, result.Counts{Detected: 2})
	for i, tc := range []struct {
		status    int
		campaigns []result.Campaign
	}{
		{0, []result.Campaign{pass, refused, caught}},
		{13, []result.Campaign{pass, refused, campaign("m", 0, result.Counts{Pass: 3})}},
		{13, []result.Campaign{pass, campaign("", result.Detected, result.Counts{Detected: 2, Pass: 1}), caught}},
		{10, []result.Campaign{campaign("", 0, result.Counts{Pass: 3, Violation: 1}), refused, caught}},
		{11, []result.Campaign{campaign("", 0, result.Counts{Pass: 3, Detected: 1}), refused, caught}},
	} {
		status := 0
		if err := demoVerdict(&result.Document{Campaigns: tc.campaigns}); err != nil {
			status = err.(*exitError).status
		}
		if status != tc.status {
			t.Errorf("case %d: status %d, expected %d", i, status, tc.status)
		}
	}
}

// A command judges what a cut leaves, inside the machine and without a shell; one that
// fails without any cut judges nothing.
func TestRestartVerdicts(t *testing.T) {
	dir := t.TempDir()
	place(t, dir, "code32", program(code32, ""))
	place(t, dir, "forever", program(forever, ""))
	for _, tc := range []struct {
		args   []string
		status int
		says   string
	}{
		{[]string{"crash", "--at", "20", "--restart", "guest:hello", "--", "guest:counter"}, 0, "then the command exited with status 0"},
		{[]string{"crash", "--at", "20", "--memory", "native", "--domain", "adr", "--restart", "guest:hello", "--", "guest:counter"}, 0, "pass"},
		{[]string{"crash", "--at", "20", "--restart", "guest:hello", "--expect-status", "3", "--", "guest:counter"}, 16, "baseline: "},
		{[]string{"campaign", "--from", "5", "--to", "9", "--restart", "guest:hello", "--expect-status", "3", "--", "guest:counter"}, 16, "baseline: "},
		{[]string{"campaign", "--from", "5", "--to", "9", "--restart", "guest:hello", "--", "guest:counter"}, 0, ""},
		{[]string{"crash", "--at", "20", "--restart", filepath.Join(dir, "code32"), "--", "guest:counter"}, 12, ""},
		{[]string{"crash", "--at", "20", "--max-instructions", "900000", "--restart", filepath.Join(dir, "forever"), "--", "guest:hello"}, 14, ""},
		{[]string{"crash", "--at", "20", "--restart", "./nothing", "--", "guest:counter"}, 2, "nothing"},
		{[]string{"crash", "--at", "20", "--restart", "'", "--", "guest:counter"}, 2, "--restart"},
		{[]string{"crash", "--at", "20", "--restart", "", "--", "guest:counter"}, 2, "expected a command"},
		{[]string{"crash", "--at", "20", "--expect-status", "3", "--", "guest:counter"}, 2, "expected --restart"},
		{[]string{"crash", "--at", "20", "--restart", "guest:hello", "--expect-status", "256", "--", "guest:counter"}, 2, "256"},
		{[]string{"crash", "--at", "20", "--restart", "guest:hello", "--save", "x", "--", "guest:counter"}, 2, "--save"},
		{[]string{"crash", "--plan", "after 5 recovery 3", "--restart", "guest:hello", "--", "guest:counter"}, 2, "recovery"},
		{[]string{"campaign", "--strategy", "recovery", "--restart", "guest:hello", "--", "guest:counter"}, 2, "recovery"},
	} {
		t.Run(strings.Join(tc.args, " "), func(t *testing.T) {
			r := zhuque(t, dir, "", tc.args...).want(t, tc.status)
			if !strings.Contains(r.stderr, tc.says) {
				t.Errorf("standard error %q: expected %q in it", r.stderr, tc.says)
			}
		})
	}
}
