package kernel

import "zhuque/sim/kernel/errno"

// Versions of the header of capget(2), and capabilities(7).
const (
	capVersion1 = 0x19980330
	capVersion2 = 0x20071026
	capVersion3 = 0x20080522
)

// capHeader reads the header of capget(2) and capset(2): how many halves of the sets the
// caller passes, and whose they are. With a version that it does not know it puts the newest into the header.
func (c *call) capHeader() (halves int, tid int32, err error) {
	var header [8]byte
	if err := c.load(c.a[0], header[:4]); err != nil {
		return 0, 0, err
	}
	switch le.Uint32(header[:]) {
	case capVersion1:
		halves = 1
	case capVersion2, capVersion3:
		halves = 2
	default:
		if err := c.put32(c.a[0], capVersion3); err != nil {
			return 0, 0, err
		}
		return 0, 0, errno.EINVAL
	}
	if c.a[1] == 0 && c.row.Name == "capget" {
		return halves, 0, nil // the version was asked for
	}
	err = c.load(c.a[0]+4, header[4:])
	return halves, int32(le.Uint32(header[4:])), err
}

func sysCapget(c *call) (uint64, error) {
	halves, tid, err := c.capHeader()
	if halves == 0 && err == errno.EINVAL && c.a[1] == 0 {
		return 0, nil // the version was asked for
	}
	if err != nil {
		return 0, err
	}
	t := c.thread
	switch {
	case tid < 0:
		return 0, errno.EINVAL
	case tid != 0:
		if t = c.findThread(tid); t == nil {
			return 0, errno.ESRCH
		}
	}
	if c.a[1] == 0 {
		return 0, nil
	}
	u := t.who()
	var b []byte
	for i := range halves {
		for _, set := range [...]uint64{u.effective, u.permitted, u.inheritable} {
			b = le.AppendUint32(b, uint32(set>>(32*i)))
		}
	}
	return 0, c.store(c.a[1], b)
}

func sysCapset(c *call) (uint64, error) {
	halves, tid, err := c.capHeader()
	if err != nil {
		return 0, err
	}
	if tid != 0 && tid != c.thread.tid {
		return 0, errno.EPERM
	}
	b := make([]byte, 12*halves)
	if err := c.load(c.a[1], b); err != nil {
		return 0, err
	}
	var sets [3]uint64 // effective, permitted, inheritable
	for i := range 3 * halves {
		sets[i%3] |= uint64(le.Uint32(b[4*i:])) << (32 * (i / 3))
	}
	const all = 1<<(capLast+1) - 1
	old := c.thread.who()
	u := *old
	u.effective, u.permitted, u.inheritable = sets[0]&all, sets[1]&all, sets[2]&all
	switch {
	case !old.can(capSetpcap) && u.inheritable&^(old.inheritable|old.permitted) != 0,
		u.inheritable&^(old.inheritable|old.bounding) != 0,
		u.permitted&^old.permitted != 0,
		u.effective&^u.permitted != 0:
		return 0, errno.EPERM
	}
	u.ambient &= u.permitted & u.inheritable
	c.become(u)
	return 0, nil
}
