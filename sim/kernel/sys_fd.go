package kernel

import (
	"hash/fnv"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

func sysClose(c *call) (uint64, error) { return 0, c.closeFD(c.fd(0)) }

func sysCloseRange(c *call) (uint64, error) {
	const cloexec = 4
	first, last := uint64(uint32(c.a[0])), uint64(uint32(c.a[1]))
	if first > last || c.a[2]&^cloexec != 0 {
		return 0, errno.EINVAL
	}
	open := c.proc.slots.fork() // closing changes the list
	for s := range open.all() {
		if n := uint64(s.num); n < first || n > last {
			continue
		}
		if c.a[2]&cloexec != 0 {
			c.proc.slot(s.num).cloexec = true
			c.touchFD(s.num)
		} else if err := c.closeFD(s.num); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

func sysLseek(c *call) (uint64, error) {
	const most = 4 // SEEK_HOLE
	d, err := c.desc(0)
	switch {
	case err != nil:
		return 0, err
	case uint32(c.a[2]) > most:
		return 0, errno.EINVAL
	case d.kind.anonymous(), d.kind == FDNode && c.FS.Device(d.node) != vfs.NoDevice:
		return 0, nil // the offset stays where it is, at the beginning
	case d.kind != FDNode:
		return 0, errno.ESPIPE
	}
	st, err := c.FS.Stat(d.node)
	if err != nil {
		return 0, err
	}
	off := int64(c.a[1])
	base := int64(0)
	switch int32(c.a[2]) {
	case 0: // SEEK_SET
	case 1: // SEEK_CUR
		base = d.off
	case 2: // SEEK_END
		base = st.Size
	case 3, 4: // SEEK_DATA, SEEK_HOLE: a file is all data, with a hole behind its end
		if off < 0 || off >= st.Size {
			return 0, errno.ENXIO
		}
		if int32(c.a[2]) == 4 {
			off = st.Size
		}
	}
	if off > 0 && base+off < base {
		return 0, errno.EOVERFLOW
	}
	if base+off < 0 {
		return 0, errno.EINVAL
	}
	if d.off != base+off {
		d.off = base + off
		c.touchDesc(d.id)
	}
	return uint64(d.off), nil
}

func sysDup(c *call) (uint64, error) { return c.dupFrom(0, false) }

// dupFrom duplicates argument 0 under the lowest free number from low up.
func (c *call) dupFrom(low int, cloexec bool) (uint64, error) {
	d, err := c.place(0)
	if err != nil {
		return 0, err
	}
	num := c.proc.free(low)
	if num >= c.fdLimit() {
		return 0, errno.EMFILE
	}
	c.bind(num, d.id, cloexec)
	return uint64(num), nil
}

func sysDup2(c *call) (uint64, error) {
	if _, err := c.place(0); err != nil {
		return 0, err
	}
	if c.fd(0) == c.fd(1) {
		return uint64(c.fd(0)), nil
	}
	return c.dupTo(c.fd(1), false)
}

func sysDup3(c *call) (uint64, error) {
	if c.a[2]&^oCloexec != 0 || c.fd(0) == c.fd(1) {
		return 0, errno.EINVAL
	}
	return c.dupTo(c.fd(1), c.a[2]&oCloexec != 0)
}

func (c *call) dupTo(num int, cloexec bool) (uint64, error) {
	d, err := c.place(0)
	if err != nil {
		return 0, err
	}
	if num < 0 || num >= c.fdLimit() {
		return 0, errno.EBADF
	}
	id := d.id
	if c.proc.slot(num) != nil {
		if err := c.closeFD(num); err != nil {
			return 0, err
		}
	}
	c.bind(num, id, cloexec)
	return uint64(num), nil
}

func sysFcntl(c *call) (uint64, error) {
	const settable = oAppend | oNonblock | oDirect | oNoatime
	d, err := c.place(0)
	if err != nil {
		return 0, err
	}
	s := c.proc.slot(c.fd(0))
	switch cmd := int32(c.a[1]); cmd {
	case 0, 1030: // F_DUPFD, F_DUPFD_CLOEXEC
		low := c.fd(2)
		if low < 0 || low >= c.fdLimit() {
			return 0, errno.EINVAL
		}
		return c.dupFrom(low, cmd == 1030)
	case 1: // F_GETFD
		if s.cloexec {
			return 1, nil
		}
		return 0, nil
	case 2: // F_SETFD
		s.cloexec = c.a[2]&1 != 0
		c.touchFD(s.num)
		return 0, nil
	case 3: // F_GETFL
		return uint64(d.flags), nil
	}
	if d.flags&oPath != 0 {
		return 0, errno.EBADF
	}
	switch cmd := int32(c.a[1]); cmd {
	case 4: // F_SETFL
		if c.a[2]&oDirect != 0 && !c.direct(d) {
			return 0, errno.EINVAL
		}
		c.setAsync(d, d.kind.asyncs() && c.a[2]&oAsync != 0)
		d.flags = d.flags&^settable | uint32(c.a[2])&settable
		c.touchDesc(d.id)
		return 0, nil
	case fSetown, fGetown, fSetsig, fGetsig, fSetownEx, fGetownEx:
		return c.asyncOwner(d, cmd)
	case fGetlk, fSetlk, fSetlkw, fOfdGetlk, fOfdSetlk, fOfdWait:
		return c.fileLock(d, cmd)
	case 1031: // F_SETPIPE_SZ
		return c.resizePipe(d, uint32(c.a[2]))
	case 1032: // F_GETPIPE_SZ
		if d.isPipe() {
			return uint64(c.files.pipe(d.pipe).capacity()), nil
		}
		return 0, errno.EBADF
	case 1025: // F_GETLEASE: nobody has one
		return fUnlck, nil
	case 1026: // F_NOTIFY: of nothing, which ends what there was
		if c.a[2]&0x7fff_ffff == 0 {
			return 0, nil
		}
	case 1033: // F_ADD_SEALS
		if !d.writable() {
			return 0, errno.EPERM
		}
	}
	return 0, errno.EINVAL
}

// direct reports whether a description can be read and written past the page cache: files of
// the file tree that are on a disk, and pipes, whose writes are packets then.
func (c *call) direct(d *desc) bool {
	return d.isPipe() || d.kind == FDNode && c.FS.Device(d.node) == vfs.NoDevice && !c.isDir(d.node)
}

// resizePipe gives a pipe another capacity, which it returns: a power of two of pages.
// More than MaxPipe is not to be had.
func (c *call) resizePipe(d *desc, want uint32) (uint64, error) {
	const most = 1 << 31
	if !d.isPipe() {
		return 0, errno.EBADF
	}
	size := uint64(phys.PageSize)
	for size < uint64(want) {
		size *= 2
	}
	p := c.files.pipe(d.pipe)
	switch {
	case size > most:
		return 0, errno.EINVAL
	case size > MaxPipe && !c.thread.who().can(capSysResource):
		return 0, errno.EPERM
	case size > MaxPipe:
		return 0, errno.ENOMEM
	case len(p.data) > int(size):
		return 0, errno.EBUSY
	}
	if p.size = int(size); size == PipeCapacity {
		p.size = 0
	}
	p.news.out++
	c.touchPipe(p.id)
	return size, nil
}

func sysIoctl(c *call) (uint64, error) {
	d, err := c.desc(0)
	if err != nil {
		return 0, err
	}
	if c.console.isTerminal(d.kind) {
		switch uint32(c.a[1]) {
		case tcGets:
			s := standard()
			return 0, c.store(c.a[2], s.encode())
		case tiocGwinsz: // 24 rows of 80 columns
			return 0, c.store(c.a[2], []byte{24, 0, 80, 0, 0, 0, 0, 0})
		case tiocGpgrp:
			return 0, c.put32(c.a[2], uint32(c.proc.pid))
		}
	}
	if d.isTerm() {
		if r, ok, err := c.termIoctl(d); ok {
			return r, err
		}
	}
	switch uint32(c.a[1]) {
	case 0x541b: // FIONREAD
		n, err := c.unread(d)
		if err != nil {
			return 0, err
		}
		return 0, c.put32(c.a[2], uint32(min(n, 1<<31-1)))
	case 0x5421: // FIONBIO
		var b [4]byte
		if err := c.load(c.a[2], b[:]); err != nil {
			return 0, err
		}
		d.flags &^= oNonblock
		if le.Uint32(b[:]) != 0 {
			d.flags |= oNonblock
		}
		c.touchDesc(d.id)
		return 0, nil
	case 0x5452: // FIOASYNC
		var b [4]byte
		if err := c.load(c.a[2], b[:]); err != nil {
			return 0, err
		}
		on := le.Uint32(b[:]) != 0
		if on && !d.kind.asyncs() {
			return 0, errno.ENOTTY
		}
		c.setAsync(d, on)
		return 0, nil
	case 0x5450, 0x5451: // FIONCLEX, FIOCLEX
		c.proc.slot(c.fd(0)).cloexec = c.a[1] == 0x5451
		c.touchFD(c.fd(0))
		return 0, nil
	}
	return 0, errno.ENOTTY
}

// unread returns how many bytes a read would get, as FIONREAD tells it.
func (c *call) unread(d *desc) (int, error) {
	switch d.kind {
	case FDPipeRead, FDPipeWrite, FDPipeBoth, FDInotify:
		return len(c.files.pipe(d.pipe).data), nil
	case FDStdin:
		return c.console.avail(), nil
	case FDNode:
		st, err := c.FS.Stat(d.node)
		if err != nil {
			return 0, err
		}
		if !st.Regular() {
			return 0, errno.ENOTTY
		}
		return int(max(0, st.Size-d.off)), nil
	case FDSocket:
		return c.nextRead(c.sockOf(d)), nil
	}
	return 0, errno.ENOTTY
}

func sysPipe(c *call) (uint64, error) { return c.makePipe(0) }

func sysPipe2(c *call) (uint64, error) {
	if c.a[1]&^(oCloexec|oNonblock|oDirect) != 0 {
		return 0, errno.EINVAL
	}
	if c.a[1]&oDirect != 0 {
		return 0, c.lacks("packet mode")
	}
	return c.makePipe(uint32(c.a[1]))
}

func (c *call) makePipe(flags uint32) (uint64, error) {
	low := c.proc.free(0)
	if c.proc.free(low+1) >= c.fdLimit() {
		return 0, errno.EMFILE
	}
	r, w := c.newPipe(flags &^ oCloexec)
	a, err := c.install(r, flags&oCloexec != 0)
	if err != nil {
		return 0, err
	}
	b, err := c.install(w, flags&oCloexec != 0)
	if err != nil {
		return 0, err
	}
	out := le.AppendUint32(le.AppendUint32(nil, uint32(a)), uint32(b))
	if err := c.store(c.a[0], out); err != nil {
		return 0, errnoFirst(err, c.closeFD(a), c.closeFD(b))
	}
	return 0, nil
}

func errnoFirst(errs ...error) error {
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	return nil
}

// cookie is a name's place in a directory listing: by hash, as in ext4, so that
// removing names in between skips none.
func cookie(name string) int64 {
	switch name {
	case ".":
		return 1
	case "..":
		return 2
	}
	h := fnv.New64a()
	_, _ = h.Write([]byte(name)) // cannot fail
	return int64(h.Sum64()>>2) + 3
}

func sysFtruncate(c *call) (uint64, error) {
	if int64(c.a[1]) < 0 {
		return 0, errno.EINVAL
	}
	d, err := c.node(0, errno.EINVAL)
	if err != nil {
		return 0, err
	}
	if !d.writable() {
		return 0, errno.EINVAL
	}
	return 0, c.truncate(d.node, int64(c.a[1]))
}

func (c *call) truncate(id vfs.NodeID, size int64) error {
	if limit := c.proc.rlimits[rlimitFsize][0]; uint64(size) > limit && size > c.FS.Size(id) {
		_, err := c.fileRoom(size, 1)
		return err
	}
	err := c.FS.Truncate(id, size)
	if err == nil {
		c.fileChanged(id)
		c.fileCut(id)
		c.dropRights(id)
		c.notify(inModify, id)
	}
	return err
}

// sysFsync is also fdatasync. Without a page cache the file tree is durable when
// any call commits.
func sysFsync(c *call) (uint64, error) {
	d, err := c.node(0, errno.EINVAL)
	if err == nil && c.FS.Device(d.node) != vfs.NoDevice {
		err = errno.EINVAL
	}
	if err == nil {
		c.FS.SyncNode(d.node)
	}
	return 0, err
}

func sysSyncfs(c *call) (uint64, error) {
	_, err := c.desc(0)
	if err == nil {
		c.FS.SyncAll()
	}
	return 0, err
}

func sysSync(c *call) (uint64, error) {
	c.FS.SyncAll()
	return 0, nil
}

// pollfd events.
const (
	pollIn    = 0x001
	pollOut   = 0x004
	pollErr   = 0x008
	pollHup   = 0x010
	pollNval  = 0x020
	pollRdhup = 0x2000
	pollAll   = pollIn | pollOut | 0x040 | 0x100 // with POLLRDNORM, POLLWRNORM
)

// ready returns the poll events of a description that hold now.
func (k *Kernel) ready(d *desc) uint16 {
	switch d.kind {
	case FDStdin:
		return pollIn | 0x040
	case FDStdout, FDStderr:
		return pollOut | 0x100
	case FDPipeRead, FDPipeWrite, FDPipeBoth:
		return k.pipeReady(d)
	case FDEvent, FDSemaphore:
		ev := uint16(0)
		if d.off != 0 {
			ev = pollIn
		}
		if uint64(d.off) < maxEvent {
			ev |= pollOut
		}
		return ev
	case FDEpoll:
		ev := uint16(0)
		k.telling(d, 0, func(Watch, uint32) bool {
			ev = pollIn | 0x040
			return false
		})
		return ev
	case FDTimer:
		if k.expired(&d.timer) > 0 {
			return pollIn | 0x040
		}
		return 0
	case FDSignal:
		t := k.viewer
		if t == nil {
			t = k.thread
		}
		if t.pending()&uint64(d.off) != 0 {
			return pollIn | 0x040
		}
		return 0
	case FDInotify:
		if len(k.files.pipe(d.pipe).data) > 0 {
			return pollIn | pollRdnorm
		}
		return 0
	case FDMaster, FDTerminal:
		return k.termReady(d)
	case FDQueue:
		return k.mqReady(d)
	case FDSocket:
		return k.socketReady(k.sockOf(d))
	}
	return pollAll
}

// pipeReady is ready for pipes.
func (k *Kernel) pipeReady(d *desc) uint16 {
	p, ev := k.files.pipe(d.pipe), uint16(0)
	if d.pipeReader() {
		if len(p.data) > 0 {
			ev = pollIn | 0x040
		}
		if p.writers == 0 && p.opened[1] != uint64(d.off) {
			ev |= pollHup
		}
	}
	if d.pipeWriter() {
		if p.room() >= pipeBuf {
			ev |= pollOut | 0x100
		}
		if p.readers == 0 {
			ev |= pollErr
		}
	}
	return ev
}

func sysPoll(c *call) (uint64, error) {
	return c.poll(milliseconds(int32(c.a[2])))
}

// milliseconds returns a timeout as poll(2) takes it; negative for none.
func milliseconds(ms int32) phys.Nanos {
	if ms < 0 {
		return forever
	}
	return phys.Nanos(ms) * 1e6
}

func sysPpoll(c *call) (uint64, error) {
	t := forever
	if c.a[2] != 0 {
		var err error
		if t, err = c.timespecAt(c.a[2]); err != nil {
			return 0, err
		}
	}
	if err := c.maskAt(c.a[3], c.a[4]); err != nil {
		return 0, err
	}
	hits, err := c.poll(t)
	if err == nil && t != forever {
		c.putRemaining(t, timespec)
	}
	return hits, err
}

// putRemaining writes how much of the timeout in argument 2 of ppoll, 4 of select,
// was left. As in Linux, one that cannot be written is left as it is.
func (c *call) putRemaining(timeout phys.Nanos, encode func(phys.Nanos) []byte) {
	arg := 4
	if c.row.Name == "ppoll" {
		arg = 2
	}
	if w := c.thread.wait; w != nil {
		timeout = max(w.deadline, c.mono()) - c.mono()
	} else if c.elapsed > 0 {
		timeout -= min(timeout, c.elapsed)
	}
	_ = c.store(c.a[arg], encode(timeout))
}

func (c *call) poll(timeout phys.Nanos) (uint64, error) {
	n := c.a[1]
	if n > uint64(c.fdLimit()) {
		return 0, errno.EINVAL
	}
	b := make([]byte, 8*n)
	if err := c.port.ReadBytes(c.a[0], b); err != nil {
		return 0, err
	}
	var hits uint64
	var on []interest
	for i := range n {
		e := b[8*i : 8*i+8]
		num, events, got := int(int32(le.Uint32(e))), le.Uint16(e[4:]), uint16(0)
		if num >= 0 {
			if d := c.get(num); d == nil {
				got = pollNval
			} else {
				want := events | pollErr | pollHup
				got = c.ready(d) & want
				on = append(on, interest{d.id, want, 0})
			}
		}
		le.PutUint16(e[6:], got)
		if got != 0 {
			hits++
		}
	}
	if hits == 0 {
		if err := c.waitAny(on, timeout); err != nil {
			return 0, err
		}
	}
	for i := range n { // only revents: the rest may be read-only to other parts of the program
		if err := c.store(c.a[0]+8*i+6, b[8*i+6:8*i+8]); err != nil {
			return 0, err
		}
	}
	c.depend(c.a[0], 8*n) // only now: revents is no argument
	return hits, nil
}

// waitAny waits until one of several descriptions is ready; the error is nil when
// the time is up.
func (c *call) waitAny(on []interest, timeout phys.Nanos) error {
	if timeout == 0 {
		return nil
	}
	begin := c.mono()
	err := c.waitFor(wait{on: on, deadline: c.after(timeout)})
	if err == errTimeout {
		c.elapsed = c.mono() - begin
		return nil
	}
	return err
}

// sysSelect is also pselect6, without a signal mask.
func sysSelect(c *call) (uint64, error) {
	n := int(int32(c.a[0]))
	if n < 0 {
		return 0, errno.EINVAL
	}
	n = min(n, 1024, c.proc.tableSize())
	timeout, err := c.selectTimeout()
	if err != nil {
		return 0, err
	}
	if err := c.selectMask(); err != nil {
		return 0, err
	}
	size := (n + 63) / 64 * 8
	var hits uint64
	var on []interest
	var sets [3][]byte
	for i, want := range [3]uint16{pollIn | pollHup | pollErr, pollOut | pollErr, 0} {
		va := c.a[1+i]
		if va == 0 {
			continue
		}
		sets[i] = make([]byte, size)
		if err := c.load(va, sets[i]); err != nil {
			return 0, err
		}
		for num := range n {
			if sets[i][num/8]>>(num%8)&1 == 0 {
				continue
			}
			d := c.get(num)
			if d == nil {
				return 0, errno.EBADF
			}
			on = append(on, interest{d.id, want, 0})
			if c.ready(d)&want == 0 {
				sets[i][num/8] &^= 1 << (num % 8)
			} else {
				hits++
			}
		}
	}
	if hits == 0 {
		if err := c.waitAny(on, timeout); err != nil {
			return 0, err
		}
	}
	for i, s := range sets {
		if s == nil {
			continue
		}
		if err := c.store(c.a[1+i], s); err != nil {
			return 0, err
		}
	}
	if timeout != forever {
		encode := timeval
		if c.row.Name == "pselect6" {
			encode = timespec
		}
		c.putRemaining(timeout, encode)
	}
	return hits, nil
}

// selectTimeout reads the timeout of select and pselect6.
func (c *call) selectTimeout() (phys.Nanos, error) {
	switch {
	case c.a[4] == 0:
		return forever, nil
	case c.row.Name == "pselect6":
		return c.timespecAt(c.a[4])
	}
	sec, err := c.u64(c.a[4])
	if err != nil {
		return 0, err
	}
	us, err := c.u64(c.a[4] + 8)
	if err == nil && (int64(sec) < 0 || int64(us) < 0) {
		err = errno.EINVAL
	}
	return phys.Nanos(min(sec, maxSleep))*second + phys.Nanos(min(us, 1<<40))*1000, err
}

// selectMask applies pselect6's signal mask, a pointer to it and its size.
func (c *call) selectMask() error {
	if c.row.Name != "pselect6" || c.a[5] == 0 {
		return nil
	}
	set, err := c.u64(c.a[5])
	if err != nil {
		return err
	}
	size, err := c.u64(c.a[5] + 8)
	if err != nil {
		return err
	}
	return c.maskAt(set, size)
}

func sysFadvise64(c *call) (uint64, error) {
	d, err := c.desc(0)
	switch {
	case err != nil:
		return 0, err
	case d.isPipe():
		return 0, errno.ESPIPE
	case int64(c.a[2]) < 0 || uint32(c.a[3]) > 5:
		return 0, errno.EINVAL
	}
	return 0, nil
}
