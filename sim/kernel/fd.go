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

// PipeCapacity is how many bytes a pipe holds unless F_SETPIPE_SZ says otherwise; MaxPipe is the most
// that it can say.
const (
	PipeCapacity = 65536
	MaxPipe      = 1 << 20
)

// FDKind tells what an open file description refers to. Its numbers are part of
// the persistent image.
type FDKind uint8

const (
	FDStdin FDKind = 1 + iota
	FDStdout
	FDStderr
	FDNode // a file, directory or synthetic device of the file tree
	FDPipeRead
	FDPipeWrite
	FDSocket
	FDEvent     // an eventfd, whose value stands in the offset
	FDSemaphore // an eventfd that is a semaphore
	FDEpoll
	FDTimer
	FDSignal   // signals as data; its set of signals stands in the offset
	FDPipeBoth // a pipe opened for reading and writing
	FDInotify
	FDMaster   // of a pseudoterminal, whose identity stands in the offset
	FDTerminal // what its programs have open, likewise
	FDQueue    // a POSIX message queue
	fdKinds
)

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

	socket  int      // or POSIX message queue
	timer   schedule // of a timer descriptor
	watches watchSet // of an epoll instance
	news    news     // of an eventfd
	async   async
}

func (d *desc) readable() bool { return d.flags&oPath == 0 && d.flags&oAccmode != oWronly }
func (d *desc) writable() bool { return d.flags&oPath == 0 && d.flags&oAccmode != 0 }

// pipe is a byte queue. Its data is never changed in place: forks share it.
type pipe struct {
	id               int
	taken            uint64 // bytes ever read
	data             []byte
	readers, writers int // descriptions open, and opens that wait
	news             news
	node             vfs.NodeID // of a FIFO, 0 for a pipe without a name
	opened           [2]uint64  // how often for reading and for writing
	size             int        // F_SETPIPE_SZ in bytes, 0 for PipeCapacity
	attrs            attrs      // of a pipe without a name
}

// code passes what a pipe's record holds beside its bytes.
func (p *pipe) code(c *codec) {
	code(c, &p.taken)
	p.news.code(c)
	code(c, &p.node)
	code(c, &p.opened[0])
	code(c, &p.opened[1])
	code(c, &p.size)
	if c.decoding && (p.size < 0 || p.size > MaxPipe) {
		c.fail("a pipe of %d bytes", p.size)
	}
	p.attrs.code(c)
}

// capacity is how many bytes the pipe holds.
func (p *pipe) capacity() int {
	if p.size != 0 {
		return p.size
	}
	return PipeCapacity
}

// room is how many more it takes now.
func (p *pipe) room() int { return p.capacity() - len(p.data) }

func (s *slot) code(c *codec) {
	code(c, &s.desc)
	c.flag(&s.cloexec)
}

func (d *desc) code(c *codec) {
	code(c, &d.kind)
	code(c, &d.node)
	code(c, &d.off)
	code(c, &d.flags)
	code(c, &d.pipe)
	code(c, &d.socket)
	d.news.code(c)
	d.async.code(c, d.flags&oAsync != 0)
	if d.kind == FDTimer {
		d.timer.code(c)
	}
}

// files is what the descriptors of all processes lead to, each list ascending by
// identity.
type files struct {
	descs ordered[desc]
	pipes []pipe
	socks []*socket

	timers   []int // the descriptions that are timers, ascending
	asyncs   []int // those with O_ASYNC, ascending
	watchers watchers
	changes  uint64 // of records on which the readiness of descriptions hangs

	marks []mark // ascending by instance and number
	terms []terminal
	ipc   ipcObjects
}

func (f *files) fork() files {
	f.watchers.shared = true
	c := files{descs: f.descs.fork(), pipes: slices.Clone(f.pipes), socks: make([]*socket, len(f.socks)),
		timers: slices.Clone(f.timers), asyncs: slices.Clone(f.asyncs), watchers: f.watchers, changes: f.changes,
		marks: slices.Clone(f.marks), terms: slices.Clone(f.terms), ipc: f.ipc.fork()}
	for i, s := range f.socks {
		c.socks[i] = s.fork()
	}
	return c
}

// list enters a description of the highest identity so far.
func (f *files) list(d *desc) {
	if d.kind == FDTimer {
		f.timers = append(f.timers, d.id)
	}
	if d.flags&oAsync != 0 {
		f.asyncs = append(f.asyncs, d.id)
	}
}

// drop forgets a description.
func (f *files) drop(d *desc) {
	if d.kind == FDTimer {
		i, _ := slices.BinarySearch(f.timers, d.id)
		f.timers = slices.Delete(f.timers, i, i+1)
	}
	f.descs.remove(d.id)
}

// slot returns an open descriptor, nil for a free number.
func (p *Process) slot(num int) *slot { return p.slots.find(num) }

// find returns an open file description, nil when there is none with that identity.
func (f *files) find(id int) *desc { return f.descs.find(id) }

func (f *files) desc(id int) *desc {
	d := f.find(id)
	if d == nil {
		panic("BUG: descriptor without a description")
	}
	return d
}

func (f *files) pipeIndex(id int) (i int, ok bool) {
	return slices.BinarySearchFunc(f.pipes, id, func(p pipe, n int) int { return cmp.Compare(p.id, n) })
}

func (f *files) pipe(id int) *pipe {
	i, ok := f.pipeIndex(id)
	if !ok {
		panic("BUG: pipe end without a pipe")
	}
	return &f.pipes[i]
}

// get returns the description of the current process's open descriptor.
func (k *Kernel) get(num int) *desc {
	if s := k.proc.slot(num); s != nil {
		return k.files.desc(s.desc)
	}
	return nil
}

// free returns the lowest unused descriptor number from min up.
func (p *Process) free(min int) int { return p.slots.free(min) }

func (k *Kernel) openConsole() {
	for i, kind := range []FDKind{FDStdin, FDStdout, FDStderr} {
		d := desc{id: k.newID(), refs: 1, kind: kind, flags: oRdwr | oLargefile}
		k.files.descs.insert(d)
		k.proc.slots.insert(slot{num: i, desc: d.id})
	}
}

// newID hands out an identity for a description or a pipe.
func (k *Kernel) newID() int {
	k.sys.nextID++
	k.touchSystem()
	return k.sys.nextID
}

// fdLimit returns RLIMIT_NOFILE's soft limit, bounded.
func (k *Kernel) fdLimit() int { return int(min(k.proc.rlimits[rlimitNofile][0], 1<<20)) }

// install opens a new description under the lowest free number.
func (k *Kernel) install(d desc, cloexec bool) (int, error) {
	num := k.proc.free(0)
	if num >= k.fdLimit() {
		return 0, errno.EMFILE
	}
	d.id, d.refs = k.newID(), 0
	k.files.list(k.files.descs.insert(d))
	k.touchDesc(d.id)
	k.bind(num, d.id, cloexec)
	return num, nil
}

// bind makes num, which is free, a descriptor of the description id.
func (k *Kernel) bind(num, id int, cloexec bool) {
	k.files.desc(id).refs++
	k.proc.slots.insert(slot{num, id, cloexec})
	k.touchFD(num)
}

// closeFD closes an open descriptor and, with the last one, its description.
func (k *Kernel) closeFD(num int) error {
	p := k.proc
	s := p.slot(num)
	if s == nil {
		return errno.EBADF
	}
	id := s.desc
	p.slots.remove(num)
	k.touchFD(num)
	d := k.files.desc(id)
	k.dropLocks(d, d.refs == 1)
	k.mqForget(d)
	k.unrefDesc(id)
	return nil
}

// unrefDesc takes away one of the descriptors of a description.
func (k *Kernel) unrefDesc(id int) {
	d := k.files.desc(id)
	if d.refs--; d.refs > 0 {
		return
	}
	k.unwatched(d)
	switch d.kind {
	case FDNode:
		k.closeNode(d)
	case FDInotify:
		k.closeInotify(d)
	case FDMaster, FDTerminal:
		k.closeTerm(d)
	case FDQueue:
		k.closeMqueue(d)
	case FDPipeRead, FDPipeWrite, FDPipeBoth:
		if d.node != 0 {
			k.unref = append(k.unref, d.node)
		}
		k.leavePipe(d.pipe, d.kind)
	case FDEpoll:
		k.unwatchAll(d)
	}
	k.setAsync(d, false)
	socket := 0
	if d.kind == FDSocket {
		socket = d.socket
	}
	k.files.drop(d)
	k.touchDesc(id)
	if socket != 0 { // last: it may hold descriptions that go with it
		k.closeSocket(k.files.sock(socket))
	}
}

// closeNode lets go of a node of the file tree.
func (k *Kernel) closeNode(d *desc) {
	k.unref = append(k.unref, d.node)
	if len(k.files.marks) == 0 {
		return
	}
	switch {
	case d.flags&oPath != 0:
	case d.writable():
		k.notify(inCloseWrite, d.node)
	default:
		k.notify(inCloseNowrite, d.node)
	}
	k.vanished(d.node)
}

// newPipe makes a pipe and returns its two descriptions, not yet installed.
func (k *Kernel) newPipe(flags uint32) (r, w desc) {
	id := k.newID()
	k.files.pipes = append(k.files.pipes,
		pipe{id: id, readers: 1, writers: 1, opened: [2]uint64{1, 1}, attrs: k.newAttrs(0o600)})
	k.touchPipe(id)
	return desc{kind: FDPipeRead, pipe: id, flags: flags}, desc{kind: FDPipeWrite, pipe: id, flags: flags | oWronly}
}
