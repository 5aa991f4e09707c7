package main

import (
	"encoding/binary"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"zhuque/crashinject/result"
)

// What run refuses, and with which status: those of env, timeout and container
// runners.
func TestRunRefuses(t *testing.T) {
	dir := t.TempDir()
	good := program(cat([]byte{0x31, 0xff}, exitSyscall), "")
	machine := func(m uint16) []byte {
		b := append([]byte(nil), good...)
		binary.LittleEndian.PutUint16(b[18:], m)
		return b
	}
	elf32 := append([]byte(nil), good...)
	elf32[4] = 1
	binary.LittleEndian.PutUint16(elf32[18:], 3)
	place(t, dir, "good", good)
	place(t, dir, "text", []byte("this is no program\n"))
	place(t, dir, "empty", nil)
	place(t, dir, "short-header", good[:40])
	place(t, dir, "short-table", good[:70])
	place(t, dir, "short-code", good[:len(good)-3])
	place(t, dir, "elf32", elf32)
	place(t, dir, "arm", machine(0xb7))
	place(t, dir, "code32", program(code32, ""))
	place(t, dir, "forever", program(forever, ""))
	place(t, dir, "sleepers", program(sleepers, millisecond))
	place(t, dir, "undefined", program(undefined, ""))
	if err := os.WriteFile(filepath.Join(dir, "plain"), good, 0o644); err != nil {
		t.Fatal(err)
	}
	for _, tc := range []struct {
		args   string
		status int
		says   string
	}{
		{"-- ./good", 0, ""},
		{"-- ./missing", 127, "missing"},
		{"-- no-such-program", 127, "no-such-program"},
		{"-- ./good/x", 127, "good/x"},
		{"-- guest:nobody", 127, "nobody"},
		{"-- .", 126, "directory"},
		{"-- ./text", 126, "ELF"},
		{"-- ./empty", 126, "empty cannot be run"},
		{"-- ./short-header", 126, "short-header"},
		{"-- ./short-table", 126, "short-table"},
		{"-- ./short-code", 126, "short-code"},
		{"-- ./elf32", 126, "32-bit"},
		{"-- ./arm", 126, "machine"},
		{"-- ./plain", 126, "execute"},
		{"-- ./undefined", 128 + 4, ""},
		{"-- ./code32", 125, "unsupported: 32-bit code"},
		{"--max-instructions 5000 -- ./forever", 125, "limit"},
		{"--max-events 1000 -- ./sleepers", 125, "limit of events"},
		{"", 125, "no program"},
		{"--no-such-flag -- ./good", 125, "no-such-flag"},
		{"--seed many -- ./good", 125, "whole number"},
		{"--memory tape -- ./good", 125, "zhuque, native or pmem"},
		{"--model half -- ./good", 125, "full, timed or off"},
		{"--domain edar -- ./good", 125, "eadr"},
		{"--cache none -- ./good", 125, "icx-g2"},
		{"--preset none -- ./good", 125, "icx-g2"},
		{"--preset /dev/zero -- ./good", 125, "regular file"},
		{"--cache clx-g1 -- ./good", 0, ""},
		{"--quantum 0 -- ./good", 125, "at least 1"},
		{"--max-instructions 0 -- ./good", 125, "at least 1"},
		{"--set quantum=0 -- ./good", 125, "at least 1"},
		{"--set cache.l1d.size=0 -- ./good", 125, "64 to"},
		{"--set cache.l1d.ways=7 -- ./good", 125, "7 ways"},
		{"--set cache.l9.size=64 -- ./good", 125, "zhuque params"},
		{"--set volume=11 -- ./good", 125, "zhuque params"},
		{"--set energy -- ./good", 125, "NAME=VALUE"},
		{"--set cache.pmem.read=1 --set power.energy=0 -- ./good", 0, ""},
		{"--mutant none -- ./good", 125, "x87-not-saved"},
		{"--env NAME -- ./good", 125, "NAME=VALUE"},
		{"--domain adr --model off -- ./good", 125, "model full"},
		{"--root ./missing -- /good", 125, "missing"},
		{"--overlay ./missing -- ./good", 125, "missing"},
		{"--dir /no/such/place -- ./good", 125, "/no/such/place"},
		{"--stats ./missing/stats.json -- ./good", 125, "missing/stats.json"},
		{"--stats . -- ./good", 125, "directory"},
	} {
		r := zhuque(t, dir, "", append([]string{"run"}, strings.Fields(tc.args)...)...)
		if r.status != tc.status || !strings.Contains(r.stderr, tc.says) {
			t.Errorf("run %s: status %d, standard error %q; expected %d and %q", tc.args, r.status, r.stderr, tc.status, tc.says)
		}
		if tc.status >= 125 && tc.status <= 127 && strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("run %s: %q: expected one line", tc.args, r.stderr)
		}
	}
}

// What the other verbs refuse: always 2, with one sentence.
func TestBadInput(t *testing.T) {
	dir := t.TempDir()
	place(t, dir, "text", []byte("this is no program\n"))
	for name, text := range map[string]string{
		"empty.case":   "",
		"header.case":  "zhuque-case 3\n",
		"program.case": "zhuque-case 1\n\nprogram guest:list\ncut after 5\n",
		"cut.case":     "zhuque-case 1\nprogram \"guest:list\"\n# five\ncut after five\n",
		"set.case":     "zhuque-case 1\nset volume \"11\"\n",
		"nocut.case":   "zhuque-case 1\nprogram \"guest:list\"\n",
		"guest.case":   "zhuque-case 1\nprogram \"guest:nobody\"\ncut after 5\n",
		"late.case":    "zhuque-case 1\nprogram \"guest:hello\"\ncut after 5000\n",
	} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	for _, tc := range []struct{ args, says string }{
		{"replay empty.case", "empty.case:1:"},
		{"replay header.case", "header.case:1:"},
		{"replay program.case", "program.case:3:"},
		{"replay cut.case", "cut.case:4:"},
		{"replay set.case", "set.case:2:"},
		{"replay nocut.case", "no cut"},
		{"replay guest.case", "nobody"},
		{"replay missing.case", "missing.case"},
		{"replay", "1 arg"},
		{"crash -- guest:hello", "--at"},
		{"crash --at five -- guest:hello", "whole number"},
		{"crash --at 5 --plan after", "program"},
		{"crash --plan before -- guest:hello", "--plan"},
		{"crash --at 5 --plan after -- guest:hello", "one of them"},
		{"crash --at 5 -- ./missing", "missing"},
		{"crash --at 5 -- ./text", "ELF"},
		{"crash --at 5 --save missing/image -- guest:hello", "missing/image"},
		{"crash --at 5 --save x --stats y -- guest:hello", "one of them"},
		{"campaign", "scenario"},
		{"campaign nobody", "counter-every"},
		{"campaign list-calls maps-calls", "one scenario"},
		{"campaign list-calls -- guest:hello", "either"},
		{"campaign --mutant nobody", "x87-not-saved"},
		{"campaign -- guest:nobody", "nobody"},
		{"campaign -- ./text", "ELF"},
		{"campaign --strategy all -- guest:hello", "fuzz"},
		{"campaign --from x -- guest:hello", "whole number"},
		{"campaign --from 30 --to 20 -- guest:hello", "greater than"},
		{"campaign --to 5000 -- guest:hello", "last is 36"},
		{"campaign --points 5 -- guest:hello", "every"},
		{"campaign --strategy random --points 0 -- guest:hello", "above 0"},
		{"campaign --format xml -- guest:hello", "text or json"},
		{"campaign --stdin missing -- guest:upper", "missing"},
		{"campaign --out text/report -- guest:hello", "text/report"},
		{"campaign --workers -1 -- guest:hello", "negative"},
		{"resume missing.image", "missing.image"},
		{"scenarios --format xml", "text or json"},
		{"params --cache none", "icx-g2"},
		{"params --preset none", "icx-g2"},
		{"params --preset empty.case", "empty.case:1: expected a list"},
		{"params --set cache.none=1", "expected a name that zhuque params prints"},
		{"params --set cache.l1d.latency=100", "an inner cache must not be slower"},
		{"isa extra", "extra"},
		{"nothing", "nothing"},
	} {
		r := zhuque(t, dir, "", strings.Fields(tc.args)...)
		if r.status != result.StatusBadInput || !strings.Contains(r.stderr, tc.says) || strings.Count(r.stderr, "\n") != 1 {
			t.Errorf("%s: status %d, standard error %q; expected %d and one line with %q",
				tc.args, r.status, r.stderr, result.StatusBadInput, tc.says)
		}
		if r.stdout != "" {
			t.Errorf("%s: standard output %q", tc.args, r.stdout)
		}
	}
	late := "the program exited with status 0 after 37 instructions, before the cut"
	zhuque(t, dir, "", "replay", "late.case").want(t, 15)
	zhuque(t, dir, "", "crash", "--at", "5000", "--", "guest:hello").want(t, 15, late)
	zhuque(t, dir, "", "crash", "--at", "5000", "--save", "late.image", "--", "guest:hello").want(t, 15, late)
	if _, err := os.Stat(filepath.Join(dir, "late.image")); err == nil {
		t.Error("an image was written although the program had ended")
	}
}

// A full disk is told, and what was there before stays.
func TestFullDisk(t *testing.T) {
	if _, err := os.Stat("/dev/full"); err != nil {
		t.Skip("this host has no /dev/full")
	}
	dir := t.TempDir()
	zhuque(t, dir, "", "run", "--stats", "/dev/full", "--", "guest:hello").want(t, 125, "/dev/full", "no space left")
	zhuque(t, dir, "", "crash", "--at", "20", "--save", "/dev/full",
		"--", "guest:hello").want(t, 3, "/dev/full", "no space left")
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	if st, err := os.Stat("/dev/full"); err != nil || st.Mode()&os.ModeCharDevice == 0 {
		t.Fatal("the device was replaced")
	}
	for args, status := range map[string]int{"run -- guest:hello": 125, "isa": 3, "campaign -- guest:hello": 3} {
		if got := intoFull(t, self, dir, args); got != status {
			t.Errorf("zhuque %s >/dev/full: status %d, expected %d", args, got, status)
		}
	}
}

// intoFull runs the command with its standard output on a full device.
func intoFull(t *testing.T, self, dir, args string) int {
	t.Helper()
	full, err := os.OpenFile("/dev/full", os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer full.Close()
	c := exec.Command(self, strings.Fields(args)...)
	c.Dir, c.Stdout, c.Env = dir, full, append(os.Environ(), asCommand+"=1")
	_ = c.Run()
	return c.ProcessState.ExitCode()
}
