package kernel

import (
	"errors"

	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// ownOffset as an offset means: at the description's own, which moves.
const ownOffset = -1

// peek returns up to n bytes that a read of d would get, without consuming them.
// None means the end of the file.
func (c *call) peek(d *desc, n int, off int64) ([]byte, error) {
	switch d.kind {
	case FDStdin, FDStdout, FDStderr:
		return c.console.peek(n)
	case FDPipeRead, FDPipeBoth:
		return c.peekPipe(d, n)
	case FDSocket:
		return c.peekSocket(d, n)
	case FDEvent, FDSemaphore:
		return c.peekEvent(d, n)
	case FDTimer:
		return c.peekTimer(d, n)
	case FDSignal:
		return c.peekSignals(d, n)
	case FDInotify:
		return c.peekEvents(d, n)
	case FDMaster, FDTerminal:
		return c.peekTerm(d, n)
	case FDQueue:
		return c.peekMqueue(d, n), nil
	case FDEpoll:
		return nil, errno.EINVAL
	case FDNode:
	default:
		return nil, errno.EBADF
	}
	switch c.FS.Device(d.node) {
	case vfs.DevNull:
		return nil, nil
	case vfs.DevZero, vfs.DevFull:
		return make([]byte, n), nil
	case vfs.DevRandom, vfs.DevURandom:
		return c.random(c.sys.randPos, n), nil
	case vfs.DevTTY:
		return nil, errno.EIO
	}
	buf := make([]byte, n)
	m, err := c.FS.ReadAt(d.node, buf, off)
	return buf[:m], err
}

func (c *call) peekPipe(d *desc, n int) ([]byte, error) {
	p := c.files.pipe(d.pipe)
	switch {
	case len(p.data) > 0:
		return p.data[:min(n, len(p.data))], nil
	case p.writers == 0:
		return nil, nil
	case d.flags&oNonblock != 0:
		return nil, errno.EAGAIN
	}
	return nil, c.waitReady(d, pollIn|pollHup)
}

// consume makes n peeked bytes of d read.
func (c *call) consume(d *desc, n int) {
	switch d.kind {
	case FDStdin, FDStdout, FDStderr:
		c.console.ahead += n
	case FDPipeRead, FDPipeBoth:
		p := c.files.pipe(d.pipe)
		full := p.room() < pipeBuf
		p.data, p.taken = p.data[n:], p.taken+uint64(n)
		if n > 0 && p.node == 0 {
			p.attrs.atime = c.Now()
		}
		if full && p.room() >= pipeBuf {
			p.news.out++
		}
		c.touchPipe(p.id)
	case FDSocket:
		c.drain(c.sockOf(d), n)
	case FDEvent, FDSemaphore:
		if n > 0 {
			c.takeEvent(d)
		}
	case FDTimer:
		if n > 0 {
			c.takeTimer(d)
		}
	case FDSignal:
		c.takeSignals(d, n)
	case FDInotify:
		c.takeEvents(d, n)
	case FDMaster, FDTerminal:
		c.takeTerm(d, n)
	case FDQueue:
		d.off += int64(n)
		c.touchDesc(d.id)
	case FDNode:
		if n > 0 {
			c.notify(inAccess, d.node)
		}
		switch c.FS.Device(d.node) {
		case vfs.DevRandom, vfs.DevURandom:
			c.sys.randPos += uint64(n)
			c.touchSystem()
		}
	}
}

// advance moves the description's own offset.
func (c *call) advance(d *desc, n int) {
	if n > 0 && d.kind == FDNode && c.FS.Device(d.node) == vfs.NoDevice {
		d.off += int64(n)
		c.touchDesc(d.id)
	}
}

// stream reports whether d has no offset.
func (c *call) stream(d *desc) bool { return d.kind != FDNode }

// copyOut writes to guest memory and returns how much was written before a fault.
func (c *call) copyOut(va uint64, data []byte) (int, error) {
	err := c.store(va, data)
	var f *mem.Fault
	if errors.As(err, &f) {
		return int(min(f.Addr-va, uint64(len(data)))), errno.EFAULT
	}
	return len(data), err
}

// copyIn reads n bytes of guest memory, as far as they can be read.
func (c *call) copyIn(va uint64, n int) ([]byte, error) {
	buf := make([]byte, n)
	err := c.load(va, buf)
	var f *mem.Fault
	if errors.As(err, &f) {
		return buf[:min(f.Addr-va, uint64(n))], errno.EFAULT
	}
	return buf, err
}

// readInto reads n bytes of d to guest memory at va.
func (c *call) readInto(d *desc, va, n uint64, off int64) (uint64, error) {
	if !d.readable() {
		return 0, errno.EBADF
	}
	if err := c.notDir(d); err != nil {
		return 0, err
	}
	pos, done := off, uint64(0)
	if off == ownOffset {
		pos = d.off
	}
	n = min(n, maxCount)
	if n == 0 && d.kind.anonymous() { // whose reads are of a size
		_, err := c.peek(d, 0, pos)
		return 0, err
	}
	for n > done {
		want := int(min(n-done, chunk))
		data, err := c.peek(d, want, pos)
		if err != nil {
			return short(done, err)
		}
		got, err := c.copyOut(va+done, data)
		c.consume(d, got)
		if off == ownOffset {
			c.advance(d, got)
		}
		done, pos = done+uint64(got), pos+int64(got)
		if err != nil {
			return short(done, err)
		}
		if got < want || c.stream(d) {
			break
		}
	}
	return done, nil
}

// short returns a count where some bytes were moved before an error.
func short(done uint64, err error) (uint64, error) {
	var e errno.Errno
	if done > 0 && errors.As(err, &e) {
		return done, nil
	}
	return done, err
}

func (c *call) notDir(d *desc) error {
	if d.kind != FDNode {
		return nil
	}
	st, err := c.FS.Stat(d.node)
	if err == nil && st.Dir() {
		err = errno.EISDIR
	}
	return err
}

// sink writes data to d and returns how much it took.
func (c *call) sink(d *desc, data []byte, off int64) (int, error) {
	switch d.kind {
	case FDStdin, FDStdout:
		c.console.write(0, data)
		return len(data), nil
	case FDStderr:
		c.console.write(1, data)
		return len(data), nil
	case FDPipeWrite, FDPipeBoth:
		return c.sinkPipe(d, data)
	case FDSocket:
		n, err := c.sendStream(d, c.sockOf(d), c.plain(d, data))
		return int(n), err
	case FDEvent, FDSemaphore:
		return c.sinkEvent(d, data)
	case FDMaster:
		return c.typed(d, data)
	case FDTerminal:
		return c.printed(d, data)
	case FDEpoll, FDTimer, FDSignal:
		return 0, errno.EINVAL
	case FDNode:
	default:
		return 0, errno.EBADF
	}
	switch c.FS.Device(d.node) {
	case vfs.DevNull, vfs.DevZero, vfs.DevRandom, vfs.DevURandom:
		return len(data), nil
	case vfs.DevFull:
		return 0, errno.ENOSPC
	case vfs.DevTTY:
		return 0, errno.EIO
	}
	room, err := c.fileRoom(off, len(data))
	if err != nil {
		return 0, err
	}
	n, err := c.FS.WriteAt(d.node, data[:room], off)
	if n > 0 {
		c.fileChanged(d.node)
		c.dropRights(d.node)
		if d.flags&(oSync|oDsync) != 0 {
			c.FS.SyncPages(d.node, uint64(off)>>phys.PageShift, uint64(off+int64(n)+phys.PageMask)>>phys.PageShift)
		}
	}
	return n, err
}

// fileRoom returns how many of n bytes at off RLIMIT_FSIZE lets a file have; none is EFBIG
// with a signal (setrlimit(2)).
func (c *call) fileRoom(off int64, n int) (int, error) {
	limit := c.proc.rlimits[rlimitFsize][0]
	switch {
	case uint64(off)+uint64(n) <= limit || n == 0:
		return n, nil
	case uint64(off) < limit:
		return int(limit - uint64(off)), nil
	}
	if err := c.Send(c.proc, Queued{Signal: SIGXFSZ, Code: siUser, PID: c.proc.pid}); err != nil {
		return 0, err
	}
	return 0, errno.EFBIG
}

// modified tells of n bytes that were written to a file.
func (c *call) modified(d *desc, n int) {
	if n > 0 && d.kind == FDNode {
		c.notify(inModify, d.node)
	}
}

// pipeBuf is PIPE_BUF: writes up to this size are whole or not at all.
const pipeBuf = 4096

func (c *call) sinkPipe(d *desc, data []byte) (int, error) {
	p := c.files.pipe(d.pipe)
	if p.readers == 0 {
		if err := c.Send(c.proc, Queued{Signal: SIGPIPE, Code: siUser, PID: c.proc.pid}); err != nil {
			return 0, err
		}
		return 0, errno.EPIPE
	}
	room := p.room()
	if room == 0 || room < len(data) && len(data) <= pipeBuf {
		if d.flags&oNonblock != 0 {
			return 0, errno.EAGAIN
		}
		return 0, c.waitReady(d, pollOut|pollErr)
	}
	n := min(room, len(data))
	p.data = append(p.data[:len(p.data):len(p.data)], data[:n]...)
	p.news.in++
	if p.node == 0 {
		p.attrs.mtime = c.Now()
		p.attrs.ctime = p.attrs.mtime
	}
	c.touchPipe(p.id)
	return n, nil
}

// writeFrom writes n bytes of guest memory at va to d.
func (c *call) writeFrom(d *desc, va, n uint64, off int64) (uint64, error) {
	switch {
	case !d.writable():
		return 0, errno.EBADF
	case d.kind == FDEpoll, d.kind == FDTimer, d.kind == FDSignal:
		return 0, errno.EINVAL // before the memory is looked at
	case n == 0 && d.kind.anonymous():
		_, err := c.sink(d, nil, 0)
		return 0, err
	}
	n = min(n, maxCount)
	if d.kind == FDNode {
		switch c.FS.Device(d.node) {
		case vfs.DevNull, vfs.DevZero:
			return n, nil // whatever the memory holds, if it is any
		case vfs.DevFull:
			return 0, errno.ENOSPC
		}
	}
	pos := off
	if off == ownOffset {
		pos = d.off
	}
	if d.flags&oAppend != 0 && d.kind == FDNode {
		st, err := c.FS.Stat(d.node)
		if err != nil {
			return 0, err
		}
		pos = st.Size
	}
	var done uint64
	for done < n {
		want := int(min(n-done, chunk))
		data, fault := c.copyIn(va+done, want)
		got, err := 0, error(nil)
		if len(data) > 0 {
			got, err = c.sink(d, data, pos)
			c.modified(d, got)
		}
		done, pos = done+uint64(got), pos+int64(got)
		if off == ownOffset && got > 0 && d.kind == FDNode && c.FS.Device(d.node) == vfs.NoDevice {
			d.off = pos
			c.touchDesc(d.id)
		}
		if err == nil {
			err = fault
		}
		if err != nil {
			return short(done, err)
		}
		if got < want && (!d.isPipe() || d.flags&oNonblock != 0) {
			break
		}
	}
	return done, nil
}

func sysRead(c *call) (uint64, error) {
	d, err := c.desc(0)
	if err != nil {
		return 0, err
	}
	if d.kind == FDSocket && c.a[2] == 0 {
		return 0, nil // whatever the socket's state (sock_read_iter in net/socket.c)
	}
	if d.kind == FDSocket {
		return c.receiveOn(d, []span{{c.a[1], min(c.a[2], maxCount)}})
	}
	return c.readInto(d, c.a[1], c.a[2], ownOffset)
}

func sysWrite(c *call) (uint64, error) {
	d, err := c.desc(0)
	if err != nil {
		return 0, err
	}
	if d.kind == FDSocket {
		return c.sendOn(d, []span{{c.a[1], min(c.a[2], maxCount)}})
	}
	skip := min(c.moved(), c.a[2])
	return c.continues(c.writeFrom(d, c.a[1]+skip, c.a[2]-skip, ownOffset))
}

// seekable returns the description of argument 0 and the offset in argument 3.
func (c *call) seekable() (*desc, int64, error) {
	if int64(c.a[3]) < 0 {
		return nil, 0, errno.EINVAL
	}
	d, err := c.node(0, errno.ESPIPE)
	return d, int64(c.a[3]), err
}

func sysPread64(c *call) (uint64, error) {
	d, off, err := c.seekable()
	if err != nil {
		return 0, err
	}
	return c.readInto(d, c.a[1], c.a[2], off)
}

func sysPwrite64(c *call) (uint64, error) {
	d, off, err := c.seekable()
	if err != nil {
		return 0, err
	}
	return c.writeFrom(d, c.a[1], c.a[2], off)
}

// vector runs f over the buffers of an iovec array until one is not filled.
func (c *call) vector(va, count uint64, off int64, f func(va, n uint64, off int64) (uint64, error)) (uint64, error) {
	if count > 1024 {
		return 0, errno.EINVAL
	}
	b := make([]byte, 16*count)
	if err := c.load(va, b); err != nil {
		return 0, err
	}
	var total uint64
	for i := uint64(0); i < count; i++ {
		n := le.Uint64(b[16*i+8:])
		if int64(n) < 0 || total+n < total || int64(total+n) < 0 {
			return 0, errno.EINVAL
		}
		total += n
	}
	var done uint64
	skip := c.moved()
	for i := uint64(0); i < count && done < maxCount; i++ {
		at, n := le.Uint64(b[16*i:]), min(le.Uint64(b[16*i+8:]), maxCount-done)
		had := min(skip, n)
		at, n, skip = at+had, n-had, skip-had
		if n == 0 {
			continue
		}
		pos := off
		if off != ownOffset {
			pos += int64(done)
		}
		m, err := f(at, n, pos)
		done += m
		if err != nil {
			return short(done, err)
		}
		if m < n {
			break
		}
	}
	return done, nil
}

func sysReadv(c *call) (uint64, error) { return c.readVector(ownOffset) }

func sysWritev(c *call) (uint64, error) { return c.writeVector(ownOffset) }

func (c *call) readVector(off int64) (uint64, error) {
	d, err := c.desc(0)
	switch {
	case err != nil:
		return 0, err
	case !d.readable():
		return 0, errno.EBADF
	case d.kind == FDEpoll:
		return 0, errno.EINVAL
	}
	if d.kind == FDSocket {
		to, n, err := c.spans(c.a[1], c.a[2])
		if err != nil || n == 0 {
			return 0, iovecError(err)
		}
		return c.receiveOn(d, to)
	}
	first := true
	return c.vector(c.a[1], c.a[2], off, func(va, n uint64, off int64) (uint64, error) {
		if !first && c.stream(d) && !c.more(d) {
			return 0, nil
		}
		first = false
		return c.readInto(d, va, n, off)
	})
}

// iovecError is the error of an iovec array that is too long, as readv and writev tell it.
func iovecError(err error) error {
	if err == errno.EMSGSIZE {
		return errno.EINVAL
	}
	return err
}

// more reports whether a stream has data that a read would get without waiting.
func (c *call) more(d *desc) bool {
	switch d.kind {
	case FDTimer, FDSignal:
		return c.ready(d)&pollIn != 0
	case FDEvent, FDSemaphore:
		return d.off != 0
	case FDMaster, FDTerminal:
		return c.ready(d)&pollIn != 0
	case FDPipeRead, FDPipeBoth, FDInotify:
		return len(c.files.pipe(d.pipe).data) > 0
	}
	return c.console.avail() > 0
}

func (c *call) writeVector(off int64) (uint64, error) {
	d, err := c.desc(0)
	switch {
	case err != nil:
		return 0, err
	case !d.writable():
		return 0, errno.EBADF
	case d.kind == FDEpoll, d.kind == FDTimer, d.kind == FDSignal:
		return 0, errno.EINVAL
	}
	if d.kind == FDSocket {
		from, n, err := c.spans(c.a[1], c.a[2])
		if err != nil || n == 0 {
			return 0, iovecError(err)
		}
		return c.sendOn(d, from)
	}
	return c.continues(c.vector(c.a[1], c.a[2], off, func(va, n uint64, off int64) (uint64, error) {
		return c.writeFrom(d, va, n, off)
	}))
}

func sysPreadv(c *call) (uint64, error) {
	if _, off, err := c.seekable(); err != nil {
		return 0, err
	} else {
		return c.readVector(off)
	}
}

func sysPwritev(c *call) (uint64, error) {
	if _, off, err := c.seekable(); err != nil {
		return 0, err
	} else {
		return c.writeVector(off)
	}
}

// transfer copies up to n bytes between descriptions, for sendfile and the like.
// A negative offset means the description's own.
func (c *call) transfer(in, out *desc, inOff, outOff int64, n uint64) (uint64, error) {
	if !in.readable() || !out.writable() {
		return 0, errno.EBADF
	}
	if err := c.notDir(in); err != nil || in.kind == FDNode && c.FS.Device(in.node) == vfs.DevNull {
		return 0, errno.EINVAL
	}
	from, to := inOff, outOff
	if inOff == ownOffset {
		from = in.off
	}
	if outOff == ownOffset {
		to = out.off
	}
	var done uint64
	for n = min(n, maxCount); done < n; {
		want := int(min(n-done, chunk))
		data, err := c.peek(in, want, from)
		if err != nil || len(data) == 0 {
			return short(done, err)
		}
		data = append([]byte(nil), data...)
		got, err := c.sink(out, data, to)
		c.consume(in, got)
		c.modified(out, got)
		done, from, to = done+uint64(got), from+int64(got), to+int64(got)
		if inOff == ownOffset && (in != out || outOff != ownOffset) {
			c.advance(in, got)
		}
		if outOff == ownOffset {
			c.advance(out, got)
		}
		if done > 0 && (err == errBlocked || err == errInterrupted) {
			return done, nil // a short count; the rest is the caller's to ask for
		}
		if err != nil {
			return short(done, err)
		}
		if got < want {
			break
		}
	}
	return done, nil
}

// offsetArg reads an optional pointer to an offset; ownOffset when it is NULL.
func (c *call) offsetArg(va uint64) (int64, error) {
	if va == 0 {
		return ownOffset, nil
	}
	v, err := c.u64(va)
	if err == nil && int64(v) < 0 {
		err = errno.EINVAL
	}
	return int64(v), err
}

func sysSendfile(c *call) (uint64, error) {
	off, wrong := c.offsetArg(c.a[2])
	if wrong != nil && wrong != errno.EINVAL {
		return 0, wrong
	}
	in, err := c.desc(1)
	switch {
	case err != nil:
		return 0, err
	case !in.readable():
		return 0, errno.EBADF
	case off != ownOffset && in.kind != FDNode:
		return 0, errno.ESPIPE
	}
	out, err := c.desc(0)
	if err != nil {
		return 0, err
	}
	if in.kind != FDNode || wrong != nil || out.flags&oAppend != 0 {
		return 0, errno.EINVAL
	}
	n, err := c.transfer(in, out, off, ownOffset, c.a[3])
	if err == nil && off != ownOffset {
		err = c.put64(c.a[2], uint64(off)+n)
	}
	return n, err
}

// copyable checks the two ends of copy_file_range.
func (c *call) copyable(in, out *desc, inOff, outOff int64) error {
	if c.a[5] != 0 { // flags
		return errno.EINVAL
	}
	for _, d := range []*desc{in, out} {
		if d.kind != FDNode {
			return errno.EINVAL
		}
		st, err := c.FS.Stat(d.node)
		switch {
		case err != nil:
			return err
		case st.Dir():
			return errno.EISDIR
		case !st.Regular():
			return errno.EINVAL
		}
	}
	if inOff == ownOffset {
		inOff = in.off
	}
	if outOff == ownOffset {
		outOff = out.off
	}
	n := int64(min(c.a[4], maxCount))
	switch {
	case !in.readable() || !out.writable() || out.flags&oAppend != 0:
		return errno.EBADF
	case inOff+n < inOff || outOff+n < outOff:
		return errno.EOVERFLOW
	}
	if n = min(n, max(0, c.FS.Size(in.node)-inOff)); in.node == out.node && inOff < outOff+n && outOff < inOff+n {
		return errno.EINVAL
	}
	return nil
}

func sysCopyFileRange(c *call) (uint64, error) {
	in, err := c.desc(0)
	if err != nil {
		return 0, err
	}
	out, err := c.desc(2)
	if err != nil {
		return 0, err
	}
	inOff, err := c.offsetArg(c.a[1])
	if err != nil {
		return 0, err
	}
	outOff, err := c.offsetArg(c.a[3])
	if err != nil {
		return 0, err
	}
	if err := c.copyable(in, out, inOff, outOff); err != nil {
		return 0, err
	}
	return c.between(in, out, c.a[1], c.a[3], c.a[4])
}
