//go:build unix

package main

import (
	"bytes"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"zhuque/crashinject/result"
	"zhuque/sim/det"
)

// inBackground starts the command with standard output appended to a file.
func inBackground(t *testing.T, dir, stdin, out string, args ...string) (c *exec.Cmd, errs *bytes.Buffer) {
	t.Helper()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.OpenFile(filepath.Join(dir, out), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	c = exec.CommandContext(t.Context(), self, args...)
	errs = new(bytes.Buffer)
	c.Dir, c.Stdin, c.Stdout, c.Stderr = dir, strings.NewReader(stdin), f, errs
	c.Env = append(os.Environ(), asCommand+"=1")
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	return c, errs
}

// checkpoints returns the number of the last checkpoint in an image file, 0 for no file.
func checkpoints(file string) uint64 {
	f, err := os.Open(file)
	if err != nil {
		return 0
	}
	defer f.Close()
	var b [8]byte
	if _, err := f.ReadAt(b[:], 16); err != nil {
		return 0
	}
	return binary.LittleEndian.Uint64(b[:])
}

// killed ends c by SIGKILL a while after its image has got a checkpoint, and reports
// whether it was still there.
func killed(t *testing.T, c *exec.Cmd, image string, checkpoint uint64, later time.Duration) bool {
	t.Helper()
	over := make(chan struct{})
	go func() {
		for checkpoints(image) < checkpoint {
			select {
			case <-over:
				return
			case <-time.After(100 * time.Microsecond):
			}
		}
		time.Sleep(later)
		_ = c.Process.Kill() // it may be over
	}()
	err := c.Wait()
	close(over)
	var failed *exec.ExitError
	if errors.As(err, &failed) && failed.Sys().(syscall.WaitStatus).Signaled() {
		return true
	}
	if err != nil {
		t.Fatalf("%v\n%v", err, c.Stderr)
	}
	return false
}

// stats is what --stats wrote, "" for nothing.
func stats(t *testing.T, dir string) (digest string) {
	t.Helper()
	b, err := os.ReadFile(filepath.Join(dir, "stats.json"))
	if errors.Is(err, os.ErrNotExist) {
		return ""
	}
	var s struct{ Digest string }
	if err != nil || json.Unmarshal(b, &s) != nil || s.Digest == "" {
		t.Fatalf("stats.json: %v\n%s", err, b)
	}
	return s.Digest
}

// The simulator's own process is killed at any moment, again and again: the same command
// goes on until the program ends, with the output and the digest of a run that nobody
// disturbed. When each kill comes is chance; what must follow is not.
func TestKilledSimulatorGoesOn(t *testing.T) {
	input := strings.Repeat("some input\n", 2000)
	total := 0
	for every, args := range map[string][]string{
		"5000": {"--", "guest:counter"}, "4000": {"--", "guest:tls"}, "3000": {"--", "guest:files"}, "300": {"--", "guest:threads"}, "301": {"--", "guest:processes"}, "4001": {"--", "guest:pipes"},
		"200": {"--", "guest:upper"}, "500": {"--cores", "2", "--", "guest:crowd"},
	} {
		t.Run(args[len(args)-1], func(t *testing.T) { total += killAgainAndAgain(t, every, input, args) })
	}
	if total < 8 {
		t.Errorf("%d kills in all", total)
	}
}

// The same with software of Debian's: threads of Python's, and a database file.
func TestKilledSimulatorGoesOnWithRealPrograms(t *testing.T) {
	settings := realSettings(t)
	threads := `
import threading
l, n = threading.Lock(), 0
def work(k):
    global n
    for i in range(200):
        with l:
            n += k
    print("thread", k, file=out)
out = open("/tmp/out", "w+")
all = [threading.Thread(target=work, args=(k,)) for k in range(4)]
for t in all: t.start()
for t in all: t.join()
out.seek(0)
print(n, sorted(out.read().split()))
`
	killAgainAndAgain(t, "400000", "", append(slices.Clone(settings), "/usr/bin/python3.11", "-c", threads))
	killAgainAndAgain(t, "400001", `create table t(a integer primary key, b text);
with recursive n(i) as (select 1 union all select i+1 from n where i<300) insert into t select i, hex(i*7919) from n;
update t set b = b || a where a % 3 = 0;
delete from t where a % 7 = 0;
select count(*), sum(length(b)) from t;
pragma integrity_check;
`, append(slices.Clone(settings), "/usr/bin/sqlite3", "words.db"))
}

// realSettings are the flags for software of Debian's, which a test without it is skipped.
func realSettings(t *testing.T) []string {
	t.Helper()
	root, err := filepath.Abs("../../.cache/real/root")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(filepath.Join(root, "usr/bin/sqlite3")); err != nil {
		if os.Getenv("CI") == "true" || os.Getenv("ZHUQUE_REAL") == "need" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	return []string{"--root", root, "--dir", "/tmp", "--env", "LC_ALL=C.UTF-8",
		"--env", "PYTHONHASHSEED=0", "--env", "PYTHONDONTWRITEBYTECODE=1", "--"}
}

// countingServer answers each request with how many it has got, and ends after one of
// "end".
const countingServer = `
import socket
s = socket.socket()
s.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
s.bind(("0.0.0.0", 80))
s.listen()
n, more = 0, True
while more:
    try:
        c, _ = s.accept()
        with c:
            while more and (got := c.recv(100)):
                n += 1
                more = got != b"end"
                c.sendall(b"%d\n" % n)
    except ConnectionResetError:
        pass
`

// A server whose simulator is killed between its answers: a client that connects again
// finds that every request that was answered counts, and no request counts twice.
func TestKilledServerKeepsWhatItAcknowledged(t *testing.T) {
	settings := realSettings(t)
	dir := t.TempDir()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	addr := free.Addr().String()
	free.Close()
	line := slices.Concat([]string{"run", "--image", "image", "--publish", addr + ":80"},
		settings, []string{"/usr/bin/python3.11", "-c", countingServer})
	answered, sent := 0, 0
	// ask sends one request and returns the answer, 0 when the connection broke.
	ask := func(c net.Conn, what string) int {
		sent++
		if _, err := io.WriteString(c, what); err != nil {
			return 0
		}
		var n int
		if _, err := fmt.Fscanf(c, "%d\n", &n); err != nil {
			return 0
		}
		if n <= answered || n > sent {
			t.Fatalf("request %d is answered with %d, the last answer was %d", sent, n, answered)
		}
		answered, sent = n, n
		return n
	}
	r := det.Stream(1, "kill a server")
	for life := range 6 {
		c, errs := inBackground(t, dir, "", "out", line...)
		var client net.Conn
		for range 3000 {
			if client, err = net.Dial("tcp", addr); err == nil {
				break
			}
			time.Sleep(10 * time.Millisecond)
		}
		if client == nil {
			t.Fatalf("nobody answers: %s", errs)
		}
		for range 3 + r.IntN(5) {
			if ask(client, "more") == 0 {
				t.Fatalf("life %d: the connection broke", life)
			}
		}
		if life == 5 {
			if ask(client, "end") == 0 {
				t.Error("no last answer")
			}
			if err := c.Wait(); err != nil {
				t.Errorf("%v\n%s", err, errs)
			}
		} else {
			go func() {
				time.Sleep(time.Duration(r.IntN(8)) * time.Millisecond)
				_ = c.Process.Kill()
			}()
			for ask(client, "more") != 0 {
			}
			_ = c.Wait() // it was killed
		}
		client.Close()
	}
	t.Logf("%d requests were answered", answered)
}

// killAgainAndAgain runs a program whose simulator is killed until the program ends, and
// returns how often that was.
func killAgainAndAgain(t *testing.T, every, input string, args []string) (kills int) {
	t.Helper()
	seed := uint64(1)
	r := det.Stream(seed, "kills "+every)
	dir := t.TempDir()
	line := func(more ...string) []string {
		return slices.Concat([]string{"run", "--stats", "stats.json"}, more, args)
	}
	want := zhuque(t, dir, input, line()...).want(t, 0)
	digest := stats(t, dir)
	if err := os.Remove(filepath.Join(dir, "stats.json")); err != nil {
		t.Fatal(err)
	}
	image, resumed := filepath.Join(dir, "image"), 0
	for again := true; again; {
		c, errs := inBackground(t, dir, input, "out", line("--image", "image", "--checkpoint", every)...)
		if again = killed(t, c, image, checkpoints(image)+1+r.Uint64N(12),
			time.Duration(r.Uint64N(1500))*time.Microsecond); again {
			kills++
		}
		if strings.Contains(errs.String(), "resumed from") {
			resumed++
		}
	}
	out, err := os.ReadFile(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	if string(out) != want.stdout {
		t.Errorf("after %d kills the output is\n%.2000s\ninstead of\n%.2000s", kills, out, want.stdout)
	}
	if got := stats(t, dir); got != "" && got != digest {
		t.Errorf("after %d kills the digest is %s instead of %s", kills, got, digest)
	}
	t.Logf("seed %d: %d kills, %d times resumed", seed, kills, resumed)
	zhuque(t, dir, input, line("--image", "image")...).want(t, 0, "has ended: exited with status 0")
	return kills
}

// awaited waits until something is so.
func awaited(t *testing.T, what string, so func() bool) {
	t.Helper()
	for range 3000 {
		if so() {
			return
		}
		time.Sleep(10 * time.Millisecond)
	}
	t.Fatalf("never: %s", what)
}

// A signal that asks the simulator to end makes it bring the image up to date and say how
// to go on: while the program computes, and while it waits for input.
func TestAskedToEnd(t *testing.T) {
	dir := t.TempDir()
	exists := func(name string) func() bool {
		return func() bool {
			_, err := os.Stat(filepath.Join(dir, name))
			return err == nil
		}
	}
	for i, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
		c, errs := inBackground(t, dir, "", "out", "run", "--image", "long.image", "--", "guest:bench-hashmap", "1000000")
		awaited(t, "the image", exists("long.image"))
		if i > 0 {
			awaited(t, "resumed", func() bool { return strings.Contains(errs.String(), "resumed") })
		}
		if err := c.Process.Signal(sig); err != nil {
			t.Fatal(err)
		}
		_ = c.Wait() // the status is what counts
		said := errs.String()
		if got := c.ProcessState.ExitCode(); got != 128+int(sig) || !strings.Contains(said, "stopped by "+sig.String()) ||
			lastLine(said) != "zhuque run --image long.image -- guest:bench-hashmap 1000000" {
			t.Fatalf("%v: exit status %d, standard error\n%s", sig, got, said)
		}
		zhuque(t, dir, "", "image", "--verify", "long.image").want(t, 0)
	}

	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	next := exec.CommandContext(t.Context(), self, "run", "--image", "input.image", "--", "guest:upper")
	pipe, err := next.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	var out, errs bytes.Buffer
	next.Dir, next.Stdout, next.Stderr, next.Env = dir, &out, &errs, append(os.Environ(), asCommand+"=1")
	if err := next.Start(); err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(pipe, "first\n"); err != nil {
		t.Fatal(err)
	}
	awaited(t, "the first line",
		func() bool { return strings.Contains(zhuqueImage(t, dir, "input.image"), "input consumed 6 bytes") })
	if err := next.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	_ = next.Wait()
	if got := next.ProcessState.ExitCode(); got != 128+int(syscall.SIGTERM) ||
		!strings.Contains(errs.String(), "input.image holds the process") {
		t.Fatalf("exit status %d, standard error\n%s", got, errs.String())
	}
	rest := zhuque(t, dir, "first\nsecond\n", "run", "--image", "input.image",
		"--", "guest:upper").want(t, 0, "resumed from input.image")
	if all := out.String() + rest.stdout; all != "FIRST\nSECOND\nupper: bytes 13\n" {
		t.Errorf("both runs together show %q", all)
	}
}

// zhuqueImage shows an image that another process may be using.
func zhuqueImage(t *testing.T, dir, name string) string {
	if _, err := os.Stat(filepath.Join(dir, name)); err != nil {
		return ""
	}
	return zhuque(t, dir, "", "image", name).stdout
}

// Two processes cannot run one image.
func TestImageInUse(t *testing.T) {
	dir := t.TempDir()
	c, _ := inBackground(t, dir, "", "out", "run", "--image", "image", "--", "guest:bench-hashmap", "1000000")
	awaited(t, "the image", func() bool { return zhuqueImage(t, dir, "image") != "" })
	zhuque(t, dir, "", "run", "--image", "image", "--", "guest:bench-hashmap",
		"1000000").want(t, result.StatusSimulator, "in use by another process")
	if !killed(t, c, filepath.Join(dir, "image"), 1, 0) {
		t.Error("it ended by itself")
	}
	zhuque(t, dir, "", "run", "--image", "image", "--max-instructions", "1", "--", "guest:bench-hashmap",
		"1000000").want(t, result.StatusSimulator, "resumed from image", "instruction limit")
}

// What a killed writer had shown of its last output is told by the size of the file.
func TestOutputBetweenCommitAndMark(t *testing.T) {
	dir := t.TempDir()
	line := []string{"run", "--image", "image", "--", "guest:counter"}
	c, errs := inBackground(t, dir, "", "out", line...)
	if err := c.Wait(); err != nil {
		t.Fatalf("%v\n%s", err, errs)
	}
	whole, err := os.ReadFile(filepath.Join(dir, "out"))
	if err != nil {
		t.Fatal(err)
	}
	image := filepath.Join(dir, "image")
	data, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	reheader(data, func(b []byte) { b[32] = 0 }) // neither shown nor delivered
	for _, n := range []int{0, 1, len(whole) / 2, len(whole)} {
		if err := errors.Join(os.WriteFile(image, data, 0o644),
			os.Truncate(filepath.Join(dir, "out"), int64(n))); err != nil {
			t.Fatal(err)
		}
		c, errs := inBackground(t, dir, "", "out", line...)
		if err := c.Wait(); err != nil {
			t.Fatalf("%v\n%s", err, errs)
		}
		if got, err := os.ReadFile(filepath.Join(dir, "out")); err != nil || !bytes.Equal(got, whole) {
			t.Errorf("%d of %d bytes were shown, the file is then %q", n, len(whole), got)
		}
	}
	// Elsewhere it is shown again, and the user is told.
	if err := os.WriteFile(image, data, 0o644); err != nil {
		t.Fatal(err)
	}
	r := zhuque(t, dir, "", line...).want(t, 0, fmt.Sprintf("the first %d bytes of output", len(whole)))
	if r.stdout != string(whole) {
		t.Errorf("it shows %q", r.stdout)
	}
}
