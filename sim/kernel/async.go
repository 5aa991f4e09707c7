package kernel

import (
	"slices"

	"zhuque/sim/kernel/errno"
)

// A description with O_ASYNC sends SIGIO to its owner whenever something happens to it
// that an edge-triggered watch would tell of. Sources: fcntl(2), fs/fcntl.c.

// async is who is told of what happens to a description.
type async struct {
	owner int32 // a process, negative for a process group, 0 for nobody
	told  news  // with O_ASYNC: what had happened when the owner was last told
}

func (a *async) code(c *codec, on bool) {
	code(c, &a.owner)
	if on {
		a.told.code(c)
	}
}

// asyncs reports whether descriptions of a kind can send signals.
func (k FDKind) asyncs() bool {
	switch k {
	case FDPipeRead, FDPipeWrite, FDPipeBoth, FDSocket, FDInotify, FDMaster, FDTerminal:
		return true
	}
	return false
}

// setAsync sets or clears O_ASYNC.
func (k *Kernel) setAsync(d *desc, on bool) {
	if on == (d.flags&oAsync != 0) {
		return
	}
	i, _ := slices.BinarySearch(k.files.asyncs, d.id)
	if on {
		d.flags |= oAsync
		d.async.told = k.newsOf(d)
		k.files.asyncs = slices.Insert(k.files.asyncs, i, d.id)
	} else {
		d.flags &^= oAsync
		d.async.told = news{} // nobody is told any more, and no record keeps it
		k.files.asyncs = slices.Delete(k.files.asyncs, i, i+1)
	}
	k.touchDesc(d.id)
}

// tellAsync sends the signals that what has happened calls for.
func (k *Kernel) tellAsync() {
	for _, id := range k.files.asyncs {
		d := k.files.desc(id)
		n := k.newsOf(d)
		if n == d.async.told {
			continue
		}
		d.async.told = n
		k.touchDesc(id)
		for _, p := range k.procs {
			if !p.dead && (p.pid == d.async.owner || p.pgid == -d.async.owner) {
				_ = k.Send(p, Queued{Signal: SIGIO, Code: siKernel}) // a full queue loses it, as in Linux
			}
		}
	}
}

const (
	fSetown   = 8
	fGetown   = 9
	fSetsig   = 10
	fGetsig   = 11
	fSetownEx = 15
	fGetownEx = 16
)

// asyncOwner is fcntl for the commands about who is told.
func (c *call) asyncOwner(d *desc, cmd int32) (uint64, error) {
	const thread, process, group = 0, 1, 2 // what a struct f_owner_ex names
	who := d.async.owner
	switch cmd {
	case fSetown:
		return 0, c.setAsyncOwner(d, int32(c.a[2]))
	case fGetown:
		return uint64(who), nil
	case fSetsig:
		switch {
		case c.a[2] >= NSIG:
			return 0, errno.EINVAL
		case c.a[2] != 0:
			return 0, c.lacks("another signal than SIGIO")
		}
		return 0, nil
	case fGetsig:
		return 0, nil
	case fGetownEx:
		kind := uint32(process)
		if who < 0 {
			kind, who = group, -who
		}
		return 0, c.store(c.a[2], le.AppendUint32(le.AppendUint32(nil, kind), uint32(who)))
	}
	var b [8]byte
	if err := c.load(c.a[2], b[:]); err != nil {
		return 0, err
	}
	switch who = int32(le.Uint32(b[4:])); le.Uint32(b[:]) {
	case thread:
		return 0, c.lacks("signals to a thread")
	case process:
		return 0, c.setAsyncOwner(d, who)
	case group:
		return 0, c.setAsyncOwner(d, -who)
	}
	return 0, errno.EINVAL
}

// setAsyncOwner is F_SETOWN.
func (c *call) setAsyncOwner(d *desc, who int32) error {
	there := func(p *Process) bool { return p.pid == who || p.pgid == -who }
	switch {
	case who == -1<<31:
		return errno.EINVAL
	case who != 0 && !slices.ContainsFunc(c.procs, there):
		return errno.ESRCH
	}
	d.async.owner = who
	c.touchDesc(d.id)
	return nil
}
