package ledger

import (
	"errors"
	"fmt"
	"path/filepath"
	"testing"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
)

// judged is a job whose points all failed.
func judged(t testing.TB, lo, hi uint64) crashinject.Judged {
	t.Helper()
	c := result.NewCollector(0, 1<<40, result.Limits{})
	j := crashinject.Judged{Job: crashinject.Job{Lo: lo, Hi: hi}}
	for i := lo; i < hi; i++ {
		p := result.Point{Index: i, At: i, Kind: result.AtInstruction, Verdict: result.Violation, Reason: fmt.Sprintf("page 0x%x differs", i), Plan: fmt.Sprintf("after %d\n", i)}
		c.Add(p)
		j.Failed = append(j.Failed, p)
	}
	var err error
	if j.Result, err = c.MarshalJSON(); err != nil {
		t.Fatal(err)
	}
	return j
}

func opened(t testing.TB, path string, points uint64) *Ledger {
	t.Helper()
	l, err := Create(path, "a simulator")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := l.Open(crashinject.Description{Fields: map[string]string{"program": "p"}, Points: points, Jobs: points / 100}); err != nil {
		t.Fatal(err)
	}
	return l
}

// A job that is kept twice is there once; causes have no numbers; what is not there is not there.
func TestKeep(t *testing.T) {
	path := filepath.Join(t.TempDir(), "l e d?ger#1.sqlite")
	l := opened(t, path, 300)
	for _, lo := range []uint64{100, 0, 100} {
		if err := l.Keep(judged(t, lo, lo+100)); err != nil {
			t.Fatal(err)
		}
	}
	n, err := l.Counts()
	if err != nil || n.Jobs != 2 || n.Points != 200 || n.Verdicts.Violation != 200 || l.Complete() {
		t.Errorf("%+v, %v", n, err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	r, err := Read(path)
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	f, err := r.Failures("", 10)
	if err != nil || len(f) != 1 || f[0] != (Failure{"violation: page # differs", 200, 0, "page 0x0 differs", "after 0\n"}) {
		t.Errorf("failures %+v, %v", f, err)
	}
	if f, err := r.Failures("timeout", 10); err != nil || len(f) != 0 {
		t.Errorf("timeouts %+v, %v", f, err)
	}
	if err := r.Keep(judged(t, 200, 300)); err == nil {
		t.Error("a ledger that is read was written")
	}
}

// Parts in which a job came out otherwise are not merged.
func TestMergeSeesDifferences(t *testing.T) {
	dir := t.TempDir()
	a, b := opened(t, filepath.Join(dir, "a"), 100), opened(t, filepath.Join(dir, "b"), 100)
	defer a.Close()
	defer b.Close()
	one, other := judged(t, 0, 100), judged(t, 1, 101)
	other.Job = one.Job
	if err := errors.Join(a.Keep(one), b.Keep(other)); err != nil {
		t.Fatal(err)
	}
	if err := a.Merge(b); !errors.As(err, new(*Foreign)) {
		t.Errorf("merged: %v", err)
	}
	if err := a.Merge(a); err != nil {
		t.Errorf("with itself: %v", err)
	}
}

// BenchmarkKeep is rows of points a second, in jobs of the usual size.
func BenchmarkKeep(b *testing.B) {
	l := opened(b, filepath.Join(b.TempDir(), "ledger"), 1<<39)
	defer l.Close()
	const size = 1000
	at := uint64(0)
	for b.Loop() {
		b.StopTimer()
		j := judged(b, at, at+size)
		b.StartTimer()
		if err := l.Keep(j); err != nil {
			b.Fatal(err)
		}
		at += size
	}
	b.ReportMetric(float64(at)/b.Elapsed().Seconds(), "rows/s")
}
