package kernel

import (
	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
)

// Commands and types of locks, of fcntl(2) and flock(2).
const (
	fGetlk    = 5
	fSetlk    = 6
	fSetlkw   = 7
	fOfdGetlk = 36
	fOfdSetlk = 37
	fOfdWait  = 38

	fRdlck = 0
	fWrlck = 1
	fUnlck = 2

	lockSh = 1
	lockEx = 2
	lockNb = 4
	lockUn = 8
)

// lockKey is what the locks of a description are kept under. What is no node of
// the file tree is locked by its own number.
func lockKey(d *desc) vfs.NodeID {
	const noNode, isPipe = 1 << 60, 1 << 59
	switch {
	case d.node != 0:
		return d.node
	case d.kind.anonymous(): // all share one inode, and so its locks
		return vfs.NodeID(noNode)
	case d.isPipe():
		return vfs.NodeID(noNode | isPipe | d.pipe)
	}
	return vfs.NodeID(noNode | d.id)
}

func lockOwner(kind vfs.LockKind, id int) vfs.LockOwner {
	return vfs.LockOwner{Kind: kind, ID: uint64(id)}
}

// dropLocks releases what closing a descriptor of d releases: all locks that the
// process has of the file, and with the last descriptor those of the description,
// which on Linux a mapping would keep.
func (k *Kernel) dropLocks(d *desc, last bool) {
	key := lockKey(d)
	k.FS.DropLocks(key, lockOwner(vfs.Process, int(k.proc.pid)))
	if last {
		k.FS.DropLocks(key, lockOwner(vfs.WholeFile, d.id))
		k.FS.DropLocks(key, lockOwner(vfs.Description, d.id))
	}
}

func sysFlock(c *call) (uint64, error) {
	const mandatory = 32 // LOCK_MAND, which Linux ignores since 5.18
	op := int32(c.a[1])
	if op&mandatory != 0 {
		return 0, nil
	}
	if op&^lockNb != lockSh && op&^lockNb != lockEx && op&^lockNb != lockUn {
		return 0, errno.EINVAL
	}
	d, err := c.desc(0)
	if err != nil {
		return 0, err
	}
	l := vfs.Lock{Owner: lockOwner(vfs.WholeFile, d.id), Write: op&lockEx != 0, To: vfs.LockEnd}
	key := lockKey(d)
	if op&lockUn != 0 {
		c.FS.DropLocks(key, l.Owner)
		return 0, nil
	}
	if _, meets := c.FS.Obstacle(key, l); meets {
		c.FS.DropLocks(key, l.Owner) // a conversion that cannot be made at once loses what there was
	}
	return 0, c.takeLock(key, l, op&lockNb == 0)
}

// sizeofFlock is the size of struct flock: type, whence, start, length, process.
const sizeofFlock = 32

// fileLock is fcntl with one of the commands above.
func (c *call) fileLock(d *desc, cmd int32) (uint64, error) {
	b := make([]byte, sizeofFlock)
	if err := c.load(c.a[2], b); err != nil {
		return 0, err
	}
	typ := int16(le.Uint16(b))
	owner := lockOwner(vfs.Process, int(c.proc.pid))
	named := cmd >= fOfdGetlk && le.Uint32(b[24:]) != 0 // a process, though a description owns the lock
	if cmd >= fOfdGetlk {
		owner = lockOwner(vfs.Description, d.id)
	}
	get := cmd == fGetlk || cmd == fOfdGetlk
	l := vfs.Lock{Owner: owner, Write: typ == fWrlck}
	var err error
	if typ < fRdlck || typ > fUnlck || get && typ == fUnlck {
		return 0, errno.EINVAL
	}
	if l.From, l.To, err = c.lockRange(d, b); err != nil {
		return 0, err
	}
	key := lockKey(d)
	switch {
	case get && named:
		return 0, errno.EINVAL
	case get:
		return 0, c.putObstacle(key, l)
	case typ == fRdlck && !d.readable(), typ == fWrlck && !d.writable():
		return 0, errno.EBADF
	case named:
		return 0, errno.EINVAL
	case typ == fUnlck:
		c.FS.Unlock(key, owner, l.From, l.To)
		return 0, nil
	}
	return 0, c.takeLock(key, l, cmd == fSetlkw || cmd == fOfdWait)
}

// lockRange returns the bytes that a struct flock is about.
func (c *call) lockRange(d *desc, b []byte) (from, to int64, err error) {
	var base int64
	switch le.Uint16(b[2:]) {
	case 0: // SEEK_SET
	case 1: // SEEK_CUR
		base = d.off
	case 2: // SEEK_END
		if d.kind == FDNode {
			base = c.FS.Size(d.node)
		}
	default:
		return 0, 0, errno.EINVAL
	}
	start, n := int64(le.Uint64(b[8:])), int64(le.Uint64(b[16:]))
	if start > vfs.LockEnd-base {
		return 0, 0, errno.EOVERFLOW
	}
	if from = base + start; from < 0 {
		return 0, 0, errno.EINVAL
	}
	switch {
	case n == 0:
		return from, vfs.LockEnd, nil
	case n < 0:
		if from+n < 0 {
			return 0, 0, errno.EINVAL
		}
		return from + n, from - 1, nil
	case n-1 > vfs.LockEnd-from:
		return 0, 0, errno.EOVERFLOW
	}
	return from, from + n - 1, nil
}

// putObstacle answers F_GETLK.
func (c *call) putObstacle(key vfs.NodeID, l vfs.Lock) error {
	o, meets := c.FS.Obstacle(key, l)
	if !meets {
		return c.store(c.a[2], []byte{fUnlck, 0})
	}
	b := make([]byte, sizeofFlock-4)
	if o.Write {
		b[0] = fWrlck
	}
	le.PutUint64(b[8:], uint64(o.From))
	if o.To != vfs.LockEnd {
		le.PutUint64(b[16:], uint64(o.To-o.From+1))
	}
	pid := ^uint32(0) // a description is no process
	if o.Owner.Kind == vfs.Process {
		pid = uint32(o.Owner.ID)
	}
	le.PutUint32(b[24:], pid)
	return c.store(c.a[2], b)
}
