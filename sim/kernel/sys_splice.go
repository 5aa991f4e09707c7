package kernel

import (
	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
)

// spliceNonblock is SPLICE_F_NONBLOCK; the other flags of splice(2) ask for nothing
// that can be seen.
const (
	spliceNonblock = 2
	spliceFlags    = 0xf
)

// pipeRoom returns how many bytes a pipe takes now, or what a writer is told.
func (c *call) pipeRoom(d *desc, nonblock bool) (uint64, error) {
	p := c.files.pipe(d.pipe)
	room := p.room()
	if room > 0 || p.readers == 0 {
		return uint64(room), nil
	}
	if nonblock || d.flags&oNonblock != 0 {
		return 0, errno.EAGAIN
	}
	return 0, c.waitReady(d, pollOut|pollErr)
}

// pipeFilled says what a reader of an empty pipe is told.
func (c *call) pipeFilled(d *desc, nonblock bool) error {
	p := c.files.pipe(d.pipe)
	if nonblock && len(p.data) == 0 && p.writers > 0 {
		return errno.EAGAIN
	}
	return nil
}

func sysSplice(c *call) (uint64, error) {
	switch {
	case c.a[4] == 0:
		return 0, nil
	case c.a[5]&^spliceFlags != 0:
		return 0, errno.EINVAL
	}
	in, err := c.desc(0)
	if err != nil {
		return 0, err
	}
	out, err := c.desc(2)
	if err != nil {
		return 0, err
	}
	n, nonblock := min(c.a[4], chunk), c.a[5]&spliceNonblock != 0
	fromPipe, toPipe := in.pipeReader(), out.pipeWriter()
	switch {
	case in.isPipe() && c.a[1] != 0, out.isPipe() && c.a[3] != 0:
		return 0, errno.ESPIPE
	case !in.readable() || !out.writable():
		return 0, errno.EBADF
	case !fromPipe && !toPipe, fromPipe && toPipe && in.pipe == out.pipe:
		return 0, errno.EINVAL
	case !toPipe && out.flags&oAppend != 0:
		return 0, errno.EINVAL
	}
	for i, d := range []*desc{in, out} {
		switch {
		case d.kind.anonymous(), d.kind == FDSocket && (!c.sockOf(d).stream() || c.a[1+2*i] != 0):
			return 0, errno.EINVAL
		case d.kind != FDSocket && d.kind != FDNode && !d.isPipe():
			return 0, c.lacks("splice with a terminal")
		}
		if st := (vfs.Stat{}); d.kind == FDNode {
			if st, err = c.FS.Stat(d.node); err != nil || st.Dir() {
				return 0, errnoFirst(err, errno.EINVAL)
			}
			if c.a[1+2*i] != 0 && c.FS.Device(d.node) != vfs.NoDevice {
				return 0, errno.EINVAL
			}
		}
	}
	if fromPipe {
		if err := c.pipeFilled(in, nonblock); err != nil {
			return 0, err
		}
	}
	if toPipe {
		room, err := c.pipeRoom(out, nonblock)
		if err != nil {
			return 0, err
		}
		if room > 0 {
			n = min(n, room)
		}
	}
	return c.between(in, out, c.a[1], c.a[3], n)
}

// between is transfer with pointers to offsets, which it moves.
func (c *call) between(in, out *desc, inPtr, outPtr, n uint64) (uint64, error) {
	inOff, err := c.offsetArg(inPtr)
	if err != nil {
		return 0, err
	}
	outOff, err := c.offsetArg(outPtr)
	if err != nil {
		return 0, err
	}
	moved, err := c.transfer(in, out, inOff, outOff, n)
	if err == nil && inOff != ownOffset {
		err = c.put64(inPtr, uint64(inOff)+moved)
	}
	if err == nil && outOff != ownOffset {
		err = c.put64(outPtr, uint64(outOff)+moved)
	}
	return moved, err
}

// sysTee copies from one pipe to another and consumes nothing.
func sysTee(c *call) (uint64, error) {
	switch {
	case c.a[3]&^spliceFlags != 0:
		return 0, errno.EINVAL
	case c.a[2] == 0:
		return 0, nil
	}
	in, err := c.desc(0)
	if err != nil {
		return 0, err
	}
	out, err := c.desc(1)
	nonblock := c.a[3]&spliceNonblock != 0
	switch {
	case err != nil:
		return 0, err
	case !in.readable() || !out.writable():
		return 0, errno.EBADF
	case !in.pipeReader() || !out.pipeWriter() || in.pipe == out.pipe:
		return 0, errno.EINVAL
	}
	if err := c.pipeFilled(in, nonblock); err != nil {
		return 0, err
	}
	data, err := c.peek(in, int(min(c.a[2], chunk)), 0)
	if err != nil || len(data) == 0 {
		return 0, err
	}
	room, err := c.pipeRoom(out, nonblock)
	if err != nil {
		return 0, err
	}
	if room > 0 {
		data = data[:min(room, uint64(len(data)))]
	}
	n, err := c.sink(out, data, 0)
	return uint64(n), err
}

// sysVmsplice is writev to a pipe, or readv from one.
func sysVmsplice(c *call) (uint64, error) {
	if c.a[3]&^spliceFlags != 0 {
		return 0, errno.EINVAL
	}
	d, err := c.desc(0)
	switch {
	case err != nil:
		return 0, err
	}
	if _, n, err := c.spans(c.a[1], c.a[2]); err != nil || n == 0 {
		return 0, err // before anybody asks what the descriptor is
	}
	switch {
	case d.kind.reads() && !d.kind.writes():
		return c.readVector(ownOffset)
	case d.pipeWriter():
		if c.a[3]&spliceNonblock != 0 {
			if _, err := c.pipeRoom(d, true); err != nil {
				return 0, err
			}
		}
		return c.writeVector(ownOffset)
	}
	return 0, errno.EBADF
}
