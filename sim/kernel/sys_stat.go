package kernel

import (
	"zhuque/sim/kernel/errno"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
)

const (
	blockSize = phys.PageSize
	pipeDev   = 0xd  // st_dev of pipes and of the console
	socketDev = 0x8  // st_dev of sockets
	ttyDev    = 0x18 // st_dev of terminals
	ttyRdev   = 0x8801
	anonDev   = 0xe // st_dev of what is anonymous
)

// mountFacts are what the calls tell of each file system.
var mountFacts = [...]struct {
	dev   uint64 // st_dev
	magic uint64 // f_type of statfs(2)
}{
	vfs.RootMount: {0x801, 0x01021994}, // tmpfs
	vfs.ProcMount: {0x15, 0x9fa0},      // proc
	vfs.SysMount:  {0x16, 0x62656572},  // sysfs
	vfs.DevMount:  {0x5, 0x01021994},   // tmpfs, as devtmpfs says
	vfs.PMEMMount: {0x10300, 0xef53},   // ext4 on the block device pmem0
}

// stat describes a node of the file tree and the device it is on.
func (c *call) stat(id vfs.NodeID) (vfs.Stat, uint64, error) {
	st, err := c.FS.Stat(id)
	return st, mountFacts[c.FS.Mount(id)].dev, err
}

// anonymous reports whether descriptions of a kind have no inode of their own: they all
// share one of no type.
func (k FDKind) anonymous() bool {
	switch k {
	case FDEvent, FDSemaphore, FDEpoll, FDTimer, FDSignal, FDInotify:
		return true
	}
	return false
}

// statOf describes what a description refers to.
func (c *call) statOf(d *desc) (vfs.Stat, uint64, error) {
	if d.node != 0 {
		return c.stat(d.node)
	}
	switch {
	case d.kind == FDSocket:
		return c.sockOf(d).attrs.stat(vfs.Stat{ID: vfs.NodeID(d.socket), Mode: vfs.ModeSocket, Nlink: 1}), socketDev, nil
	case d.kind == FDQueue:
		q := c.files.ipc.mqueue(d.socket)
		return q.attrs.stat(vfs.Stat{ID: vfs.NodeID(q.id), Mode: vfs.ModeFile,
			Nlink: uint32(min(1, len(q.name))), Size: mqNodeSize}), mqDev, nil
	case d.kind.anonymous():
		return vfs.Stat{ID: 1, Mode: 0o600, Nlink: 1}, anonDev, nil
	}
	if c.console.isTerminal(d.kind) {
		return vfs.Stat{ID: vfs.NodeID(d.kind), Mode: vfs.ModeChar | 0o620, Nlink: 1, Rdev: ttyRdev}, ttyDev, nil
	}
	st := vfs.Stat{ID: vfs.NodeID(d.pipe), Mode: vfs.ModeFIFO | 0o600, Nlink: 1}
	if d.pipe == 0 { // the console looks like a pipe to somebody else
		st.ID = vfs.NodeID(d.kind)
		return st, pipeDev, nil
	}
	if d.isPipe() {
		st = c.files.pipe(d.pipe).attrs.stat(st)
	}
	return st, pipeDev, nil
}

// putStat writes a struct stat (144 bytes).
func (c *call) putStat(va uint64, st vfs.Stat, dev uint64) error {
	b := le.AppendUint64(nil, dev)
	b = le.AppendUint64(b, uint64(st.ID))
	b = le.AppendUint64(b, uint64(st.Nlink))
	b = le.AppendUint32(b, st.Mode)
	b = le.AppendUint32(b, st.UID)
	b = le.AppendUint32(b, st.GID)
	b = le.AppendUint32(b, 0)
	b = le.AppendUint64(b, st.Rdev)
	b = le.AppendUint64(b, uint64(st.Size))
	b = le.AppendUint64(b, blockSize)
	b = le.AppendUint64(b, uint64(st.Blocks))
	b = append(b, timespec(st.Atime)...)
	b = append(b, timespec(st.Mtime)...)
	b = append(b, timespec(st.Ctime)...)
	return c.store(va, append(b, make([]byte, 24)...))
}

func sysStat(c *call) (uint64, error)  { return c.statPath(true) }
func sysLstat(c *call) (uint64, error) { return c.statPath(false) }

func (c *call) statPath(follow bool) (uint64, error) {
	flags := uint64(atSymlinkNofollow)
	if follow {
		flags = 0
	}
	st, dev, err := c.statAt(-1, 0, flags)
	if err != nil {
		return 0, err
	}
	return 0, c.putStat(c.a[1], st, dev)
}

func sysFstat(c *call) (uint64, error) {
	d, err := c.place(0)
	if err != nil {
		return 0, err
	}
	st, dev, err := c.statOf(d)
	if err != nil {
		return 0, err
	}
	return 0, c.putStat(c.a[1], st, dev)
}

// statAt describes what target finds.
func (c *call) statAt(dirfd, p int, flags uint64) (vfs.Stat, uint64, error) {
	id, d, err := c.target(dirfd, p, flags)
	switch {
	case err != nil:
		return vfs.Stat{}, 0, err
	case d != nil:
		return c.statOf(d)
	}
	return c.stat(id)
}

func sysNewfstatat(c *call) (uint64, error) {
	const noAutomount = 0x800
	if c.a[3]&^(atSymlinkNofollow|atEmptyPath|noAutomount) != 0 {
		return 0, errno.EINVAL
	}
	st, dev, err := c.statAt(0, 1, c.a[3])
	if err != nil {
		return 0, err
	}
	return 0, c.putStat(c.a[2], st, dev)
}

func sysStatx(c *call) (uint64, error) {
	const basic, mountID, reserved = 0x7ff, 0x1000, 1 << 31
	const isDAX = 0x200000
	if c.a[3]&reserved != 0 || c.a[2]&^0x7900 != 0 || c.a[2]&0x6000 == 0x6000 {
		return 0, errno.EINVAL
	}
	st, dev, err := c.statAt(0, 1, c.a[2])
	if err != nil {
		return 0, err
	}
	attributes := uint64(0)
	if dev == mountFacts[vfs.PMEMMount].dev {
		attributes = isDAX
	}
	b := le.AppendUint32(nil, basic|mountID)
	b = le.AppendUint32(b, blockSize)
	b = le.AppendUint64(b, attributes)
	b = le.AppendUint32(b, st.Nlink)
	b = le.AppendUint32(b, st.UID)
	b = le.AppendUint32(b, st.GID)
	b = le.AppendUint16(b, uint16(st.Mode))
	b = le.AppendUint16(b, 0)
	b = le.AppendUint64(b, uint64(st.ID))
	b = le.AppendUint64(b, uint64(st.Size))
	b = le.AppendUint64(b, uint64(st.Blocks))
	b = le.AppendUint64(b, isDAX) // attributes that could be
	for _, t := range []phys.Nanos{st.Atime, 0, st.Ctime, st.Mtime} {
		b = append(b, timespec(t)...) // 12 bytes used, 4 reserved: nanoseconds fit in 32 bits
	}
	for _, n := range []uint64{st.Rdev, dev} {
		major, minor := n>>8&0xfff, n&0xff|n>>12&0xfff00
		b = le.AppendUint32(b, uint32(major))
		b = le.AppendUint32(b, uint32(minor))
	}
	b = le.AppendUint64(b, dev+1) // identity of the mount
	return 0, c.store(c.a[4], append(b, make([]byte, 256-len(b))...))
}

func sysStatfs(c *call) (uint64, error) {
	id, err := c.existing(-1, 0, true)
	if err != nil {
		return 0, err
	}
	return 0, c.putStatfs(mountFacts[c.FS.Mount(id)].magic)
}

func sysFstatfs(c *call) (uint64, error) {
	const pipeMagic = 0x50495045
	d, err := c.place(0)
	if err != nil {
		return 0, err
	}
	if d.kind != FDNode {
		return 0, c.putStatfs(pipeMagic)
	}
	return 0, c.putStatfs(mountFacts[c.FS.Mount(d.node)].magic)
}

// putStatfs describes a file system (struct statfs, 120 bytes).
func (c *call) putStatfs(magic uint64) error {
	s := c.FS.Statfs()
	blocks, used := uint64(s.MaxBytes)/blockSize, (uint64(s.Bytes)+blockSize-1)/blockSize
	free := blocks - min(used, blocks)
	nodes := uint64(max(0, s.MaxNodes-s.Nodes))
	var b []byte
	for _, v := range []uint64{magic, blockSize, blocks, free, free,
		uint64(s.MaxNodes), nodes, 0, vfs.MaxName, blockSize, 0} {
		b = le.AppendUint64(b, v)
	}
	return c.store(c.a[1], append(b, make([]byte, 120-len(b))...))
}
