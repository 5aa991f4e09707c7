package kernel

import (
	"cmp"
	"slices"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
)

// Flags of open(2) and fcntl(2).
const (
	oWronly    = 0o1
	oRdwr      = 0o2
	oAccmode   = 0o3
	oCreat     = 0o100
	oExcl      = 0o200
	oNoctty    = 0o400
	oTrunc     = 0o1000
	oAppend    = 0o2000
	oNonblock  = 0o4000
	oDsync     = 0o10000
	oAsync     = 0o20000
	oDirect    = 0o40000
	oLargefile = 0o100000
	oDirectory = 0o200000
	oNofollow  = 0o400000
	oNoatime   = 0o1000000
	oCloexec   = 0o2000000
	oSync      = 0o4010000
	oPath      = 0o10000000
	oTmpfile   = 0o20200000
)

// PipeCapacity is how many bytes a pipe holds.
const PipeCapacity = 65536

// slot is one descriptor.
type slot struct {
	num, desc int
	cloexec   bool
}

// desc is an open file description.
type desc struct {
	id    int
	refs  int
	kind  FDKind
	node  vfs.NodeID
	off   int64
	flags uint32
	pipe  int

	socket  int     // type of a socket
	watches []Watch // of an epoll instance; never changed in place: forks share them
}

func (d *desc) readable() bool { return d.flags&oPath == 0 && d.flags&oAccmode != oWronly }
func (d *desc) writable() bool { return d.flags&oPath == 0 && d.flags&oAccmode != 0 }

// pipe is a byte queue. Its data is never changed in place: forks share it.
type pipe struct {
	id               int
	taken            uint64 // bytes ever read
	data             []byte
	readers, writers int // descriptions open
}

func (p *pipe) state() Pipe { return Pipe{ID: p.id, Taken: p.taken, Content: p.data} }

// files is the descriptor table with what it leads to, each sorted by number.
type files struct {
	slots  []slot
	descs  []desc
	pipes  []pipe
	nextID int // of descriptions and pipes
}

func (f *files) fork() files {
	return files{slices.Clone(f.slots), slices.Clone(f.descs), slices.Clone(f.pipes), f.nextID}
}

func (f *files) slot(num int) *slot {
	i, ok := slices.BinarySearchFunc(f.slots, num, func(s slot, n int) int { return cmp.Compare(s.num, n) })
	if !ok {
		return nil
	}
	return &f.slots[i]
}

func (f *files) desc(id int) *desc {
	i, ok := slices.BinarySearchFunc(f.descs, id, func(d desc, n int) int { return cmp.Compare(d.id, n) })
	if !ok {
		panic("BUG: descriptor without a description")
	}
	return &f.descs[i]
}

func (f *files) pipe(id int) *pipe {
	i, ok := slices.BinarySearchFunc(f.pipes, id, func(p pipe, n int) int { return cmp.Compare(p.id, n) })
	if !ok {
		panic("BUG: pipe end without a pipe")
	}
	return &f.pipes[i]
}

// get returns the description of an open descriptor.
func (f *files) get(num int) *desc {
	if s := f.slot(num); s != nil {
		return f.desc(s.desc)
	}
	return nil
}

// free returns the lowest unused descriptor number from min up.
func (f *files) free(min int) int {
	for _, s := range f.slots {
		if s.num > min {
			break
		}
		if s.num == min {
			min++
		}
	}
	return min
}

func (f *files) openConsole() {
	for i, kind := range []FDKind{FDStdin, FDStdout, FDStderr} {
		f.nextID++
		f.descs = append(f.descs, desc{id: f.nextID, refs: 1, kind: kind, flags: oRdwr | oLargefile})
		f.slots = append(f.slots, slot{num: i, desc: f.nextID})
	}
}

// fdLimit returns RLIMIT_NOFILE's soft limit, bounded.
func (k *Kernel) fdLimit() int { return int(min(k.proc.rlimits[rlimitNofile][0], 1<<20)) }

// install opens a new description under the lowest free number.
func (k *Kernel) install(d desc, cloexec bool) (int, error) {
	num := k.files.free(0)
	if num >= k.fdLimit() {
		return 0, errno.EMFILE
	}
	k.files.nextID++
	d.id, d.refs = k.files.nextID, 0
	k.files.descs = append(k.files.descs, d)
	k.dirty.Misc = true // nextID
	k.bind(num, d.id, cloexec)
	return num, nil
}

// bind makes num, which is free, a descriptor of the description id.
func (k *Kernel) bind(num, id int, cloexec bool) {
	k.files.desc(id).refs++
	i, _ := slices.BinarySearchFunc(k.files.slots, num, func(s slot, n int) int { return cmp.Compare(s.num, n) })
	k.files.slots = slices.Insert(k.files.slots, i, slot{num, id, cloexec})
	k.dirty.FDs = insert(k.dirty.FDs, num)
}

// closeFD closes an open descriptor and, with the last one, its description.
func (k *Kernel) closeFD(num int) error {
	f := &k.files
	i, ok := slices.BinarySearchFunc(f.slots, num, func(s slot, n int) int { return cmp.Compare(s.num, n) })
	if !ok {
		return errno.EBADF
	}
	d := f.desc(f.slots[i].desc)
	f.slots = slices.Delete(f.slots, i, i+1)
	k.dirty.FDs = insert(k.dirty.FDs, num)
	k.dropLocks(d, d.refs == 1)
	if d.refs--; d.refs > 0 {
		return nil
	}
	switch d.kind {
	case FDNode:
		k.unref = append(k.unref, d.node)
	case FDPipeRead, FDPipeWrite:
		k.closePipeEnd(d)
	case FDEpoll:
		k.watch(d, nil)
	}
	k.unwatch(d.id)
	j := slices.IndexFunc(f.descs, func(e desc) bool { return e.id == d.id })
	f.descs = slices.Delete(f.descs, j, j+1)
	return nil
}

func (k *Kernel) closePipeEnd(d *desc) {
	p := k.files.pipe(d.pipe)
	if d.kind == FDPipeRead {
		p.readers--
	} else {
		p.writers--
	}
	if p.readers+p.writers == 0 {
		i := slices.IndexFunc(k.files.pipes, func(q pipe) bool { return q.id == p.id })
		k.files.pipes = slices.Delete(k.files.pipes, i, i+1)
		k.dirty.Pipes = insert(k.dirty.Pipes, d.pipe)
	}
}

// touchDesc marks every descriptor of a description as changed.
func (k *Kernel) touchDesc(id int) {
	for _, s := range k.files.slots {
		if s.desc == id {
			k.dirty.FDs = insert(k.dirty.FDs, s.num)
		}
	}
}

// newPipe makes a pipe and returns its two descriptions, not yet installed.
func (k *Kernel) newPipe(flags uint32) (r, w desc) {
	k.files.nextID++
	id := k.files.nextID
	k.files.pipes = append(k.files.pipes, pipe{id: id, readers: 1, writers: 1})
	k.dirty.Pipes = insert(k.dirty.Pipes, id)
	return desc{kind: FDPipeRead, pipe: id, flags: flags}, desc{kind: FDPipeWrite, pipe: id, flags: flags | oWronly}
}
