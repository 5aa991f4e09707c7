package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"zhuque/crashinject/result"
)

func TestStreamsPassThrough(t *testing.T) {
	dir := t.TempDir()
	r := zhuque(t, dir, "hello, 1 world\n", "run", "--", "guest:upper").want(t, 0)
	if !strings.HasPrefix(r.stdout, "HELLO, 1 WORLD\n") || !strings.Contains(r.stdout, "15") || r.stderr != "" {
		t.Errorf("standard output %q, standard error %q: expected the line in capitals and 15 bytes counted",
			r.stdout, r.stderr)
	}
	c := zhuque(t, dir, "hello, 1 world\n", "crash", "--at", "50", "--at",
		"50", "--", "guest:upper").want(t, 0, "pass: 2 of 2 power failures")
	if c.stdout != r.stdout {
		t.Errorf("with two power failures standard output is %q, without %q", c.stdout, r.stdout)
	}
}

func TestStrace(t *testing.T) {
	r := zhuque(t, t.TempDir(), "", "run", "--strace", "--",
		"guest:hello").want(t, 0, "write(1, 0x", ", 13) = 13\n", "exit")
	if r.stdout != "hello, world\n" {
		t.Errorf("standard output %q", r.stdout)
	}
}

func TestColourOnlyOnTerminals(t *testing.T) {
	r := zhuque(t, t.TempDir(), "", "campaign", "--mutant", "x87-not-saved", "--points", "3").want(t, 10)
	if strings.ContainsRune(r.stdout+r.stderr, 0x1b) {
		t.Error("an escape sequence in a pipe")
	}
}

// The guest sees the tree of --root and nothing else, and changes no host file.
func TestGuestIsConfined(t *testing.T) {
	dir := t.TempDir()
	root, overlay := filepath.Join(dir, "root"), filepath.Join(dir, "overlay")
	for _, d := range []string{root, filepath.Join(root, "etc"), overlay} {
		if err := os.Mkdir(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	place(t, root, "passwd", openExit("/etc/passwd"))
	place(t, root, "up", openExit("/../../../../etc/passwd"))
	place(t, root, "mine", openExit("/etc/mine"))
	place(t, root, "write", writeFileGuest("/new"))
	if err := os.WriteFile(filepath.Join(root, "etc", "mine"), nil, 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("/etc/passwd", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	place(t, root, "through", openExit("/link"))
	if _, err := os.Stat("/etc/passwd"); err == nil {
		zhuque(t, dir, "", "run", "--", "root/passwd").want(t, 0) // the host's tree has it
	}
	for name, status := range map[string]int{"passwd": 1, "up": 1, "through": 1, "mine": 0} {
		if r := zhuque(t, dir, "", "run", "--root", root, "--", "/"+name); r.status != status {
			t.Errorf("%s in its own root: exit status %d, expected %d; %s", name, r.status, status, r.stderr)
		}
	}
	new := filepath.Join(root, "new")
	zhuque(t, dir, "", "run", "--root", root, "--", "/write").want(t, 0)
	zhuque(t, dir, "", "crash", "--at", "3", "--root", root, "--", "/write").want(t, 0)
	if _, err := os.Stat(new); err == nil {
		t.Error("the guest wrote to the host")
	}
	zhuque(t, dir, "", "run", "--root", root, "--overlay", overlay, "--", "/write").want(t, 0)
	if _, err := os.Stat(new); err == nil {
		t.Error("the guest wrote to the host although there is an overlay")
	}
	if kept, err := os.ReadFile(filepath.Join(overlay, "tree", "new")); err != nil || string(kept) != "/new" {
		t.Errorf("the overlay holds %q, %v", kept, err)
	}
}

// One seed gives one digest, whatever the process looks like.
func TestTwoProcessesOneDigest(t *testing.T) {
	dir := t.TempDir()
	digest := func(env ...string) (campaign, run string) {
		r := with(t, dir, "", env, "campaign", "--format", "json", "--strategy",
			"fuzz", "--points", "20", "--seed", "9", "--", "guest:signals").want(t, 0)
		var sum campaignSummary
		if err := json.Unmarshal([]byte(r.stdout), &sum); err != nil {
			t.Fatal(err)
		}
		with(t, dir, "", env, "run", "--seed", "9", "--stats", "stats.json", "--", "guest:maps").want(t, 0)
		var rec result.Run
		text, err := os.ReadFile(filepath.Join(dir, "stats.json"))
		if err == nil {
			err = json.Unmarshal(text, &rec)
		}
		if err != nil {
			t.Fatal(err)
		}
		return sum.Digest, rec.Digest
	}
	c1, r1 := digest("GOMAXPROCS=1")
	c2, r2 := digest("GOMAXPROCS=4", "LANG=C", "TZ=Asia/Tokyo")
	if c1 != c2 || r1 != r2 {
		t.Errorf("digests %s and %s, %s and %s", c1, c2, r1, r2)
	}
}

// A saved image goes on in another process, and a damaged one never does.
func TestSaveAndResume(t *testing.T) {
	dir := t.TempDir()
	const input = "one line\nand another, rather longer than the guest's buffer, which holds sixty-four bytes\n"
	whole := zhuque(t, dir, input, "run", "--", "guest:upper").want(t, 0)
	for _, plan := range []string{"after 10", "after 700", "after 200; after 300 recovery 3", "after 12 step 2"} {
		t.Run(plan, func(t *testing.T) {
			first := zhuque(t, dir, input, "crash", "--plan", plan, "--save",
				"image", "--", "guest:upper").want(t, 0, "zhuque resume image")
			second := zhuque(t, dir, input, "resume", "image").want(t, 0, "exited with status 0")
			if got := first.stdout + second.stdout; got != whole.stdout {
				t.Errorf("%q before the failure and %q after it, expected %q in all", first.stdout, second.stdout, whole.stdout)
			}
			info := zhuque(t, dir, "", "image", "--format", "json", "image").want(t, 0)
			wantKeys(t, info.stdout, "args checkpoint config damage dirty_shutdowns file input_consumed instructions memory pages_pmem plan power_cycles program state")
		})
	}
	data, err := os.ReadFile(filepath.Join(dir, "image"))
	if err != nil {
		t.Fatal(err)
	}
	for name, damaged := range map[string][]byte{
		"magic":     append([]byte("X"), data[1:]...),
		"checksum":  flip(data, 20),
		"body":      flip(data, len(data)/2),
		"truncated": data[:len(data)-7],
		"empty":     nil,
	} {
		place(t, dir, "damaged", damaged)
		for _, verb := range []string{"resume", "image"} {
			if r := zhuque(t, dir, input, verb, "damaged"); r.status != 11 ||
				verb == "resume" && r.stdout != "" || !strings.Contains(r.stderr, "image refused: ") {
				t.Errorf("%s: %s: exit status %d, standard output %q, standard error %q", verb, name, r.status, r.stdout, r.stderr)
			}
		}
	}
}

// A write that was cut before its commit is made once, by whoever comes after.
func TestSaveInsideWrite(t *testing.T) {
	dir := t.TempDir()
	inside := 0
	for step := 1; step <= 12; step++ {
		// Instruction 23 of hello is its only write.
		plan := fmt.Sprintf("after 22 step %d", step)
		first := zhuque(t, dir, "", "crash", "--plan", plan, "--save",
			"image", "--format", "json", "--", "guest:hello").want(t, 0)
		second := zhuque(t, dir, "", "resume", "image").want(t, 0)
		if got := first.stdout + second.stdout; got != "hello, world\n" {
			t.Errorf("%s: %q before the failure and %q after it", plan, first.stdout, second.stdout)
		}
		if strings.Contains(first.stderr, `"kind": "runtime"`) {
			inside++
		}
	}
	if inside == 0 {
		t.Error("no cut fell inside the call")
	}
}

func flip(b []byte, at int) []byte {
	c := append([]byte(nil), b...)
	c[at] ^= 0x10
	return c
}

// Without eADR the image is refused in another process too.
func TestResumeRefusesWithoutEADR(t *testing.T) {
	dir := t.TempDir()
	zhuque(t, dir, "", "crash", "--at", "2000", "--domain", "adr", "--save", "image", "--", "guest:list").want(t, 11)
	if r := zhuque(t, dir, "", "resume", "image").want(t, 11, "refused"); r.stdout != "" {
		t.Errorf("standard output %q", r.stdout)
	}
}

// What a program has written can be seen while it runs on, in order over both streams.
func TestOutputIsShownAtOnce(t *testing.T) {
	dir := t.TempDir()
	say := func(stream byte) []byte {
		return cat(leaRDI, []byte{0x48, 0x89, 0xfe, 0xbf, stream, 0, 0, 0, 0xba, 4, 0, 0, 0, 0xb8, 1, 0, 0, 0, 0x0f, 0x05}) // mov rsi, rdi; mov edi, stream; mov edx, 4; mov eax, write
	}
	place(t, dir, "speaks", program(cat(say(1), say(2), say(1), forever), "now\n"))
	for _, verb := range [][]string{{"run"}, {"crash", "--at", "1000"}} {
		seen, theirs, err := os.Pipe()
		if err != nil {
			t.Fatal(err)
		}
		self, err := os.Executable()
		if err != nil {
			t.Fatal(err)
		}
		c := exec.CommandContext(t.Context(), self, append(verb, "--", "./speaks")...)
		c.Dir, c.Env, c.Stdout, c.Stderr = dir, append(os.Environ(), asCommand+"=1"), theirs, theirs
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		if err := theirs.Close(); err != nil {
			t.Fatal(err)
		}
		if err := seen.SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
			t.Fatal(err)
		}
		b := make([]byte, 12)
		if _, err := io.ReadFull(seen, b); err != nil || string(b) != "now\nnow\nnow\n" {
			t.Errorf("%v shows %q, %v", verb, b, err)
		}
		if err := c.Process.Kill(); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // it was killed
	}
}
