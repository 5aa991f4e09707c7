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

// TestTimeMoves: what has expired, or belongs to who is stopped, or counts processor time
// does not keep time from passing while all wait, and when nothing is left that is a deadlock.
func TestTimeMoves(t *testing.T) {
	for name, arm := range map[string]func(*rig){
		"an unread timer of a descriptor": func(r *rig) {
			r.want(3, "timerfd_create", 1, 0)
			r.want(0, "timerfd_settime", 3, 0, iov(0, 1, 0, 1), 0)
		},
		"a timer that tells nobody": func(r *rig) {
			r.want(0, "timer_create", 1, append(iov(0, sigevNone<<32), make([]byte, 48)...), r.put(make([]byte, 8)))
			r.want(0, "timer_settime", 0, 0, iov(0, 1, 0, 1), 0)
		},
		"a blocked signal": func(r *rig) {
			r.want(0, "rt_sigprocmask", 0, iov(1<<13), 0, 8)
			r.want(0, "timer_create", 1, 0, r.put(make([]byte, 8)))
			r.want(0, "timer_settime", 0, 0, iov(0, 1, 0, 1), 0)
		},
		"an ignored signal": func(r *rig) {
			r.want(0, "rt_sigaction", 14, append(iov(sigIgn, 0), iov(0, 0)...), 0, 8)
			r.want(0, "setitimer", itimerReal, iov(0, 1, 0, 1), 0)
		},
		"processor time": func(r *rig) {
			r.want(0, "setitimer", itimerVirtual, iov(0, 500000, 0, 500000), 0)
			r.want(0, "setitimer", itimerProf, iov(0, 500000, 0, 500000), 0)
		},
	} {
		t.Run(name, func(t *testing.T) {
			r := newRig(t, nil)
			arm(r)
			r.prepare("pause")
			if o := r.k.Syscall(r.c); !o.Again {
				t.Fatalf("pause: %+v", o)
			}
			for turns := 0; ; turns++ {
				o := r.k.Turn(r.c.Retired)
				var d *Deadlock
				if errors.As(o.Err, &d) {
					break
				}
				if turns > 3 {
					t.Fatalf("turn %d: the time is %d ns, and nobody runs", turns, r.k.Time())
				}
			}
		})
	}
}

// TestStandstillSays: a machine that turns in itself is told from one in which all wait.
func TestStandstillSays(t *testing.T) {
	r := newRig(t, nil)
	if got := r.k.Standstill(5).Error(); !strings.Contains(got, "standstill: in 5 entries") ||
		!strings.Contains(got, "thread 1000 of process 1000 waits for its turn") {
		t.Error(got)
	}
}
