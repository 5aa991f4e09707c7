package kernel

import (
	"errors"
	"strings"
	"testing"
)

// TestDeadlockSays: when every thread waits for ever, the run's end says for what.
func TestDeadlockSays(t *testing.T) {
	r := newRig(t, nil)
	r.want(0, "mknod", "/tmp/fifo", 0o10600, 0)
	pids := r.lockers(3)
	r.as(pids[1])
	r.want(0, "flock", 4, lockEx)
	r.blocks(pids[0], "flock", 4, lockSh)
	r.blocks(pids[2], "open", "/tmp/fifo", 0, 0)
	r.as(pids[3])
	r.want(0, "kill", int(pids[3]), SIGSTOP)
	r.blocks(pids[1], "pause")
	r.k.reschedule()
	var d *Deadlock
	if o := r.k.Turn(r.c.Retired); !errors.As(o.Err, &d) || len(d.Waits) != 4 {
		t.Fatalf("four threads wait: %+v", o)
	}
	for i, want := range []string{"a lock of file", "a signal", "the other end of pipe", "is stopped by signal 19"} {
		if !strings.Contains(d.Waits[i], want) {
			t.Errorf("thread %d: %q, want %q", i, d.Waits[i], want)
		}
	}
}
