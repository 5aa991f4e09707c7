package crashinject

import (
	"bytes"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zhuque/scenarios/guests"
	"zhuque/sim"
	"zhuque/sim/imagefile"
)

// persistent is a run in a file of a fresh directory with both streams to files.
func persistent(t testing.TB, dir string, every uint64) (*Persistent, *bytes.Buffer) {
	t.Helper()
	var out [2]*os.File
	for i, name := range []string{"out", "err"} {
		f, err := os.OpenFile(filepath.Join(dir, name), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { f.Close() })
		out[i] = f
	}
	told := new(bytes.Buffer)
	p := &Persistent{Path: filepath.Join(dir, "image"), Every: every, Tell: func(format string, a ...any) { fmt.Fprintf(told, format+"\n", a...) },
		AtRest: func() { t.Error("asked to end the process") }}
	p.out = out
	return p, told
}

// open gives p a guest.
func (p *Persistent) open(t testing.TB, guest, stdin string, args ...string) error {
	t.Helper()
	setup := DefaultSetup()
	setup.Program, setup.Args, setup.Guest = GuestPrefix+guest, args, guests.Guest
	cfg, err := setup.Config(p.Console(strings.NewReader(stdin), p.out[0], p.out[1], [3]bool{}))
	if err != nil {
		t.Fatal(err)
	}
	return p.Open(setup, cfg)
}

// Each checkpoint that a run makes boots, in another run, to a process that ends alike: no
// output is lost or repeated, whichever of them is the last.
func TestEveryCheckpointGoesOn(t *testing.T) {
	for _, guest := range []string{"files", "threads", "upper", "pipes", "shared"} {
		stdin := strings.Repeat("some input\n", 1000)
		dir := t.TempDir()
		p, _ := persistent(t, dir, 1<<40)
		if err := p.open(t, guest, stdin); err != nil {
			t.Fatal(err)
		}
		if stop, err := p.Run(); err != nil || stop.ExitCode() != 0 {
			t.Fatal(guest, stop, err)
		}
		want, digest, end := readAll(t, dir), p.m.Digest(), p.m.Retired()

		dir = t.TempDir()
		goes := 0
		for budget := end / 6; ; budget += end / 6 {
			p, told := persistent(t, dir, 1<<40)
			if err := p.open(t, guest, stdin); err != nil {
				t.Fatal(guest, err, told)
			}
			p.m.Config().MaxInstructions = budget
			stop, err := p.Run()
			if err != nil {
				t.Fatal(guest, err)
			}
			goes++
			if stop.Ended() {
				if got := readAll(t, dir); got != want {
					t.Errorf("%s: in %d lives it showed\n%s\ninstead of\n%s", guest, goes, got, want)
				}
				if got := p.m.Digest(); got != digest {
					t.Errorf("%s: in %d lives it ends with digest %s instead of %s", guest, goes, got, digest)
				}
				break
			}
		}
		if goes < 6 {
			t.Errorf("%s: %d lives", guest, goes)
		}
	}
}

func readAll(t *testing.T, dir string) string {
	t.Helper()
	a, errA := os.ReadFile(filepath.Join(dir, "out"))
	b, errB := os.ReadFile(filepath.Join(dir, "err"))
	if err := errors.Join(errA, errB); err != nil {
		t.Fatal(err)
	}
	return string(a) + "-- standard error --\n" + string(b)
}

// A checkpoint that cannot be written ends the run, and nothing that it would have
// contained is shown.
func TestFailedCheckpointShowsNothing(t *testing.T) {
	dir := t.TempDir()
	p, _ := persistent(t, dir, 300_000)
	if err := p.open(t, "counter", ""); err != nil {
		t.Fatal(err)
	}
	if err := p.file.Close(); err != nil { // as good as a full disk
		t.Fatal(err)
	}
	if _, err := p.Run(); err == nil || !strings.Contains(err.Error(), "checkpoint in ") {
		t.Errorf("the run goes on: %v", err)
	}
	if got := readAll(t, dir); got != "-- standard error --\n" {
		t.Errorf("it showed %q", got)
	}
}

// A machine that is stuck leaves the last checkpoint as it is, and its output since then
// waits for a simulator that can go on.
func TestStuckMachineKeepsItsCheckpoint(t *testing.T) {
	broken := errors.New("the host fails")
	p, _ := persistent(t, t.TempDir(), 1<<40)
	setup := DefaultSetup()
	setup.Program, setup.Guest = GuestPrefix+"upper", guests.Guest
	cfg, err := setup.Config(p.Console(&failing{after: 11, err: broken}, p.out[0], p.out[1], [3]bool{}))
	if err != nil {
		t.Fatal(err)
	}
	if err := p.Open(setup, cfg); err != nil {
		t.Fatal(err)
	}
	if stop, err := p.Run(); err != nil || stop.Reason != sim.Stuck || !errors.Is(stop.Err, broken) {
		t.Fatalf("%v, %v", stop, err)
	}
	f, c, err := imagefile.Open(p.Path)
	if err != nil || c.End != imagefile.Running || c.Consumed != 11 {
		t.Fatalf("%+v, %v", c, err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// failing gives some input and then an error.
type failing struct {
	after int
	err   error
}

func (f *failing) Read(b []byte) (int, error) {
	if f.after == 0 {
		return 0, f.err
	}
	n := copy(b, strings.Repeat("x", f.after))
	f.after -= n
	return n, nil
}

// BenchmarkCheckpoints is what checkpoints cost a program that writes to 4 MB of memory at
// random: in time, and in bytes of the file.
func BenchmarkCheckpoints(b *testing.B) {
	for _, every := range []uint64{1 << 40, 20_000_000, 5_000_000, 1_000_000, 200_000} {
		for _, sync := range []bool{false, true} {
			if sync && every > 20_000_000 {
				continue
			}
			b.Run(fmt.Sprintf("every=%d/fsync=%v", every, sync), func(b *testing.B) {
				instructions, bytes := uint64(0), int64(0)
				for b.Loop() {
					p, _ := persistent(b, b.TempDir(), every)
					p.Sync = sync
					if err := p.open(b, "bench-hashmap", "", "10"); err != nil {
						b.Fatal(err)
					}
					if stop, err := p.Run(); err != nil || stop.ExitCode() != 0 {
						b.Fatal(stop, err)
					}
					instructions += p.m.Retired()
					bytes += p.file.Size()
				}
				b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(instructions), "ns/instruction")
				b.ReportMetric(float64(bytes)/float64(b.N), "B-in-file")
			})
		}
	}
}
