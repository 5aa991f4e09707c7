package kernel

import (
	"slices"
	"testing"

	"zhuque/sim/kernel/errno"
)

// lockers makes n children. They and the first process, whose numbers are returned,
// share descriptor 3 of a file and have one of their own each, 4.
func (r *rig) lockers(n int) (pids []int32) {
	r.sharedFile("/tmp/l", 100)
	pids = []int32{initialPID}
	for range n {
		pids = append(pids, r.forked())
	}
	for _, pid := range pids {
		r.as(pid)
		r.want(4, "open", "/tmp/l", oRdwr, 0)
	}
	return pids
}

// TestLocksAreWaitedFor: each way to give a lock up lets who waits for it go on, for
// each kind of lock, across a restart too.
func TestLocksAreWaitedFor(t *testing.T) {
	type step struct {
		name string
		args []any
	}
	kinds := map[string]func(r *rig) (take, give step){
		"flock": func(*rig) (step, step) { return step{"flock", []any{4, lockEx}}, step{"flock", []any{4, lockUn}} },
		"process": func(r *rig) (step, step) {
			return step{"fcntl", []any{4, fSetlkw, r.flock(fWrlck, 0, 10, 5)}},
				step{"fcntl", []any{4, fSetlk, r.flock(fUnlck, 0, 0, 0)}}
		},
		"description": func(r *rig) (step, step) {
			return step{"fcntl", []any{4, fOfdWait, r.flock(fWrlck, 0, 10, 5)}},
				step{"fcntl", []any{4, fOfdSetlk, r.flock(fUnlck, 0, 12, 3)}}
		},
	}
	for name, kind := range kinds {
		for _, how := range []string{"unlock", "close", "exit"} {
			r := newRig(t, nil)
			r.sharedFile("/tmp/l", 100)
			take, give := kind(r)
			child := r.forked()
			r.want(4, "open", "/tmp/l", oRdwr, 0)
			r.as(child)
			r.want(4, "open", "/tmp/l", oRdwr, 0)
			r.want(0, take.name, take.args...)
			r.blocks(initialPID, take.name, take.args...)
			if r.ok(r.reborn(r.k.Records())); r.canRun(initialPID) {
				t.Fatalf("%s: the wait is over after a restart", name)
			}
			r.as(child)
			switch how {
			case "unlock":
				r.want(0, give.name, give.args...)
				if name == "description" { // of 10 to 14 only a part is free
					if r.canRun(initialPID) {
						t.Fatalf("%s: goes on before all is free", name)
					}
					r.want(0, "fcntl", 4, fOfdSetlk, r.flock(fUnlck, 0, 10, 2))
				}
			case "close":
				r.want(0, "close", 4)
			case "exit":
				r.raw("exit_group", 0)
			}
			r.goesOn(initialPID, 0, take.name, take.args...)
		}
	}
}

// TestLockInterrupted: a signal ends the wait, or the call starts anew behind the
// handler.
func TestLockInterrupted(t *testing.T) {
	r := newRig(t, nil)
	pids := r.lockers(1)
	const sigusr1 = 10
	r.as(pids[0])
	r.want(0, "flock", 4, lockEx)
	for _, flags := range []uint64{0, saRestart} {
		r.as(pids[1])
		r.want(0, "rt_sigaction", sigusr1, iov(0x1234, flags|saRestorer, 0x1234, 0), 0, 8)
		r.blocks(pids[1], "flock", 4, lockEx)
		r.as(pids[0])
		r.want(0, "kill", int(pids[1]), sigusr1)
		if !r.canRun(pids[1]) {
			t.Fatal("the signal does not wake")
		}
		r.as(pids[1])
		o := r.raw("flock", 4, lockEx)
		if entered := r.c.RIP == 0x1234; o.Again != (flags != 0) || entered == o.Again {
			t.Errorf("flags %#x: %+v, at %#x", flags, o, r.c.RIP)
		}
		if r.k.thread.wait != nil {
			t.Error("the thread still waits")
		}
		r.k.proc.queue, r.k.thread.mask = nil, 0
	}
}

// TestLocksDeadlock: two and three processes that wait for each other in a circle;
// locks of descriptions are not looked at.
func TestLocksDeadlock(t *testing.T) {
	r := newRig(t, nil)
	all, far := r.flock(fUnlck, 0, 0, 0), r.flock(fWrlck, 0, 50, 1)
	at := []uint64{r.flock(fWrlck, 0, 0, 1), r.flock(fWrlck, 0, 1, 1), r.flock(fWrlck, 0, 2, 1)}
	pids := r.lockers(2)
	for i, pid := range pids {
		r.as(pid)
		r.want(0, "fcntl", 4, fSetlk, at[i])
	}
	r.blocks(pids[0], "fcntl", 4, fSetlkw, at[1])
	r.as(pids[1])
	r.want(errno.EDEADLK, "fcntl", 4, fSetlkw, at[0])
	r.blocks(pids[1], "fcntl", 4, fSetlkw, at[2])
	r.ok(r.reborn(r.k.Records()))
	r.as(pids[2])
	r.want(errno.EDEADLK, "fcntl", 4, fSetlkw, at[0])
	r.want(errno.EDEADLK, "fcntl", 4, fSetlkw, at[1])
	r.want(errno.EAGAIN, "fcntl", 4, fSetlk, at[1])
	r.want(0, "fcntl", 4, fSetlkw, far)
	r.want(0, "fcntl", 4, fSetlk, all)
	r.goesOn(pids[1], 0, "fcntl", 4, fSetlkw, at[2])
	r.want(0, "fcntl", 4, fSetlk, all)
	r.goesOn(pids[0], 0, "fcntl", 4, fSetlkw, at[1])

	r.want(0, "fcntl", 4, fSetlk, all)
	for i, pid := range pids[:2] {
		r.as(pid)
		r.want(0, "fcntl", 4, fOfdSetlk, at[i])
	}
	r.blocks(pids[0], "fcntl", 4, fOfdWait, at[1])
	r.blocks(pids[1], "fcntl", 4, fOfdWait, at[0])
}

// TestLockOrder: who waits is served in the order of Linux: conflicting requests as
// they came, readers that wait for the same writer together, and one that nothing
// held is in the way of at once.
func TestLockOrder(t *testing.T) {
	r := newRig(t, nil)
	pids := r.lockers(5)
	next := func(want ...int) {
		t.Helper()
		var got []int
		for i, pid := range pids {
			if r.k.findThread(pid).wait != nil && r.canRun(pid) {
				got = append(got, i)
			}
		}
		if !slices.Equal(got, want) {
			t.Fatalf("next are %v, want %v", got, want)
		}
	}
	r.as(pids[0])
	r.want(0, "flock", 4, lockEx)
	for i, op := range []int{lockSh, lockEx, lockSh, lockEx, lockEx} {
		r.blocks(pids[i+1], "flock", 4, op)
	}
	r.ok(r.reborn(r.k.Records()))
	r.as(pids[0])
	r.want(0, "flock", 4, lockUn)
	next(1, 3)
	r.goesOn(pids[3], 0, "flock", 4, lockSh)
	next(1)
	r.goesOn(pids[1], 0, "flock", 4, lockSh)
	r.as(pids[0])
	r.want(0, "flock", 4, lockSh) // though three wait for an exclusive one
	for _, i := range []int{0, 1, 3} {
		next()
		r.as(pids[i])
		r.want(0, "flock", 4, lockUn)
	}
	next(2)
	r.as(pids[0])
	r.want(0, "flock", 4, lockEx) // who is awake already is no obstacle
	next()
	r.want(0, "flock", 4, lockUn)
	for _, i := range []int{2, 4, 5} {
		next(i)
		r.goesOn(pids[i], 0, "flock", 4, lockEx)
		next()
		r.want(0, "flock", 4, lockUn)
	}
}
