package kernel

import (
	"crypto/sha256"

	"zhuque/sim/det"
	"zhuque/sim/kernel/errno"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// random returns n bytes of the process's random stream at a position. The
// stream is a hash of the seed and a block counter, so that a restart continues
// it from the position alone.
func (k *Kernel) random(pos uint64, n int) []byte {
	out := make([]byte, 0, n+sha256.Size)
	for block := pos / sha256.Size; len(out) < n+int(pos%sha256.Size); block++ {
		b := le.AppendUint64([]byte("getrandom"), k.cfg.Seed)
		h := sha256.Sum256(le.AppendUint64(b, block))
		out = append(out, h[:]...)
	}
	return out[pos%sha256.Size:][:n]
}

// atRandom returns the 16 bytes of AT_RANDOM.
func (k *Kernel) atRandom() []byte {
	r := det.Stream(k.cfg.Seed, "kernel/at_random")
	return le.AppendUint64(le.AppendUint64(nil, r.Uint64()), r.Uint64())
}

func sysGetrandom(c *call) (uint64, error) {
	const nonblock, random, insecure = 1, 2, 4
	if c.a[2]&^(nonblock|random|insecure) != 0 || c.a[2]&(random|insecure) == random|insecure {
		return 0, errno.EINVAL
	}
	n, done := min(c.a[1], maxCount), uint64(0)
	var err error
	for done < n && err == nil {
		var got int
		got, err = c.copyOut(c.a[0]+done, c.random(c.sys.randPos, int(min(n-done, chunk))))
		c.sys.randPos += uint64(got)
		if got > 0 {
			c.touchSystem()
		}
		done += uint64(got)
	}
	return short(done, err)
}

func sysGetpid(c *call) (uint64, error)  { return uint64(c.proc.pid), nil }
func sysGetppid(c *call) (uint64, error) { return uint64(c.proc.ppid), nil }
func sysGettid(c *call) (uint64, error)  { return uint64(c.thread.tid), nil }

func sysUname(c *call) (uint64, error) {
	b := make([]byte, 6*65)
	release, machine := kernelRelease, "x86_64"
	if c.thread.persona&uname26 != 0 {
		release = "2.6.61-zhuque"
	}
	if c.thread.persona&personaShort == personaLinux32 {
		machine = "i686"
	}
	for i, s := range []string{"Linux", "zhuque", release, kernelVersion, machine, "(none)"} {
		copy(b[65*i:], s)
	}
	return 0, c.store(c.a[0], b)
}

func sysSysinfo(c *call) (uint64, error) {
	total := uint64(c.cfg.MemTotal)
	free := total - min(total, c.MM.Mapped())
	var b []byte
	for _, v := range []uint64{uint64(c.mono() / second), 0, 0, 0, total, free, 0, 0, 0, 0} {
		b = le.AppendUint64(b, v)
	}
	b = le.AppendUint64(b, uint64(len(c.threads))) // processes, padding
	b = append(b, make([]byte, 16)...)
	b = le.AppendUint32(b, 1) // bytes in a memory unit
	return 0, c.store(c.a[0], append(b, make([]byte, 4)...))
}

func sysArchPrctl(c *call) (uint64, error) {
	const setGS, setFS, getFS, getGS = 0x1001, 0x1002, 0x1003, 0x1004
	switch c.a[0] {
	case setFS, setGS:
		if c.a[1] >= 1<<47-phys.PageSize {
			return 0, errno.EPERM
		}
		seg := x86.SegFS
		if c.a[0] == setGS {
			seg = x86.SegGS
		}
		c.cpu.SetSegment(seg, c.a[1])
		return 0, nil
	case getFS:
		return 0, c.put64(c.a[1], c.cpu.SegBase[x86.SegFS])
	case getGS:
		return 0, c.put64(c.a[1], c.cpu.SegBase[x86.SegGS])
	}
	return 0, errno.EINVAL
}

func sysSetTidAddress(c *call) (uint64, error) {
	c.thread.clearTID = c.a[0]
	c.touchThread(c.thread)
	return uint64(c.thread.tid), nil
}

func sysSetRobustList(c *call) (uint64, error) {
	if c.a[1] != 24 {
		return 0, errno.EINVAL
	}
	c.thread.robust = [2]uint64{c.a[0], c.a[1]}
	c.touchThread(c.thread)
	return 0, nil
}

func sysGetRobustList(c *call) (uint64, error) {
	t := c.thread
	if p := int32(c.a[0]); p != 0 {
		if t = c.threadOf(c.proc.pid, p); t == nil {
			return 0, errno.ESRCH
		}
	}
	if err := c.put64(c.a[1], t.robust[0]); err != nil {
		return 0, err
	}
	return 0, c.put64(c.a[2], 24)
}

func sysPrlimit64(c *call) (uint64, error) {
	p := c.proc
	if id := int32(c.a[0]); id != 0 {
		if p = c.processWith(id); p == nil {
			return 0, errno.ESRCH
		}
	}
	return c.rlimit(p, c.a[1], c.a[2], c.a[3])
}

func sysGetrlimit(c *call) (uint64, error) {
	if uint32(c.a[0]) < rlimitCount && c.a[1] == 0 {
		return 0, errno.EFAULT
	}
	return c.rlimit(c.proc, c.a[0], 0, c.a[1])
}

func sysSetrlimit(c *call) (uint64, error) {
	if c.a[1] == 0 {
		return 0, errno.EFAULT
	}
	return c.rlimit(c.proc, c.a[0], c.a[1], 0)
}

// limitSpace gives the address space the limits of the process that is about to change it:
// processes that share one have limits of their own.
func (p *Process) limitSpace() {
	p.MM.SetLimits(finite(p.rlimits[rlimitAS][0]), finite(p.rlimits[rlimitData][0]))
}

// limitable reports whether the caller may see and set the limits of p (getrlimit(2)).
func (c *call) limitable(p *Process) bool {
	me := c.thread.who()
	if p == c.proc || me.can(capSysResource) {
		return true
	}
	t := c.threadOf(p.pid, p.pid)
	if t == nil {
		return false
	}
	it, u, g := t.who(), me.user.real, me.group.real
	return it.user == ids{u, u, u, it.user.file} && it.group == ids{g, g, g, it.group.file}
}

// rlimit is prlimit(2): set and get are pointers that may be NULL.
func (c *call) rlimit(p *Process, res, set, get uint64) (uint64, error) {
	var soft, hard uint64
	var err error
	if set != 0 {
		if soft, err = c.u64(set); err != nil {
			return 0, err
		}
		if hard, err = c.u64(set + 8); err != nil {
			return 0, err
		}
	}
	switch {
	case !c.limitable(p):
		return 0, errno.EPERM
	case uint32(res) >= rlimitCount:
		return 0, errno.EINVAL
	}
	old := p.rlimits[uint32(res)]
	if set != 0 {
		switch {
		case soft > hard:
			return 0, errno.EINVAL
		case uint32(res) == rlimitNofile && hard > 1<<20, hard > old[1] && !c.thread.who().can(capSysResource):
			return 0, errno.EPERM
		}
		p.rlimits[uint32(res)] = [2]uint64{soft, hard}
		c.touchProcess(p)
	}
	if get == 0 {
		return 0, nil
	}
	return 0, c.store(get, le.AppendUint64(le.AppendUint64(nil, old[0]), old[1]))
}

// processWith returns the process with a number, or the one of whose threads one has it, as
// calls take it that are about processes; nil for none.
func (k *Kernel) processWith(id int32) *Process {
	if t := k.findThread(id); t != nil && !k.unborn(t) {
		return t.proc
	}
	return k.findProcess(id)
}

// task returns the thread with a number; 0 is the caller.
func (k *Kernel) task(tid int32) *Thread {
	if tid == 0 {
		return k.thread
	}
	return k.findThread(tid)
}

func sysSchedGetaffinity(c *call) (uint64, error) {
	if size := uint32(c.a[1]); size < 8 || size&7 != 0 {
		return 0, errno.EINVAL
	}
	t := c.task(int32(c.a[0]))
	if t == nil {
		return 0, errno.ESRCH
	}
	return 8, c.put64(c.a[2], c.allowed(t))
}

// coreMask is the set of all cores.
func (k *Kernel) coreMask() uint64 { return 1<<min(k.cfg.Cores, 64) - 1 }

func sysSchedSetaffinity(c *call) (uint64, error) {
	t := c.task(int32(c.a[0]))
	if t == nil {
		return 0, errno.ESRCH
	}
	b, err := c.copyIn(c.a[2], int(min(c.a[1], 8)))
	if err != nil {
		return 0, err
	}
	cores := le.Uint64(append(b, make([]byte, 8)...)) & c.coreMask()
	if cores == 0 {
		return 0, errno.EINVAL
	}
	if cores != c.allowed(t) {
		t.affinity = cores
		c.touchThread(t)
	}
	return 0, nil
}

func sysGetcpu(c *call) (uint64, error) {
	for i, word := range []uint32{uint32(c.CoreOf(c.thread)), 0} { // the core, the NUMA node
		va := c.a[i]
		if va == 0 {
			continue
		}
		if err := c.put32(va, word); err != nil {
			return 0, err
		}
	}
	return 0, nil
}

// sysMemfdCreate makes a file without a name.
func sysMemfdCreate(c *call) (uint64, error) {
	const cloexec, sealing, noexec, exec = 1, 2, 8, 16
	if c.a[1]&^(cloexec|sealing|noexec|exec) != 0 {
		return 0, errno.EINVAL
	}
	name, ok, err := c.str(c.a[0], 250)
	if err != nil || !ok {
		return 0, errnoFirst(err, errno.EINVAL)
	}
	id, err := c.FS.Anonymous("memfd:"+name, 0o777)
	if err != nil {
		return 0, err
	}
	flags := uint32(oRdwr)
	if c.a[1]&cloexec != 0 {
		flags |= oCloexec
	}
	return c.openDesc(id, flags)
}
