package kernel

import (
	"slices"

	"zhuque/sim/kernel/errno"
)

// identityCall is one of the calls that set identities: it acts on the users or the groups.
type identityCall struct {
	set     func(*ids, [3]uint32, bool) error // may tells that the caller has the capability
	groups  bool
	invalid bool // ^0 is no identity instead of "as it is"
}

func (ch identityCall) run(c *call) (uint64, error) {
	old := c.thread.who()
	u := *old
	which, capability := &u.user, capSetuid
	if ch.groups {
		which, capability = &u.group, capSetgid
	}
	a := [3]uint32{uint32(c.a[0]), uint32(c.a[1]), uint32(c.a[2])}
	if ch.invalid && a[0] == nobody {
		return 0, errno.EINVAL
	}
	if err := ch.set(which, a, old.can(capability)); err != nil {
		return 0, err
	}
	which.file = which.effective
	if !ch.groups {
		u.fixUser(old)
	}
	if u.user != old.user || u.group != old.group || u.permitted != old.permitted ||
		u.effective != old.effective || u.ambient != old.ambient {
		c.become(u)
	}
	return 0, nil
}

// setOne is setuid(2) and setgid(2).
func setOne(i *ids, a [3]uint32, may bool) error {
	switch {
	case may:
		i.real, i.saved = a[0], a[0]
	case a[0] != i.real && a[0] != i.saved:
		return errno.EPERM
	}
	i.effective = a[0]
	return nil
}

// setTwo is setreuid(2) and setregid(2).
func setTwo(i *ids, a [3]uint32, may bool) error {
	old := *i
	if a[0] != nobody {
		if i.real = a[0]; !may && a[0] != old.real && a[0] != old.effective {
			return errno.EPERM
		}
	}
	if a[1] != nobody {
		if i.effective = a[1]; !may && !old.has(a[1]) {
			return errno.EPERM
		}
	}
	if a[0] != nobody || a[1] != nobody && a[1] != old.real {
		i.saved = i.effective
	}
	return nil
}

// setThree is setresuid(2) and setresgid(2).
func setThree(i *ids, a [3]uint32, may bool) error {
	old := *i
	for n, at := range []*uint32{&i.real, &i.effective, &i.saved} {
		if a[n] == nobody {
			continue
		}
		if *at = a[n]; !may && !old.has(a[n]) {
			return errno.EPERM
		}
	}
	return nil
}

var (
	sysSetuid    = identityCall{set: setOne, invalid: true}.run
	sysSetgid    = identityCall{set: setOne, invalid: true, groups: true}.run
	sysSetreuid  = identityCall{set: setTwo}.run
	sysSetregid  = identityCall{set: setTwo, groups: true}.run
	sysSetresuid = identityCall{set: setThree}.run
	sysSetresgid = identityCall{set: setThree, groups: true}.run
)

func sysGetuid(c *call) (uint64, error)  { return uint64(c.thread.who().user.real), nil }
func sysGeteuid(c *call) (uint64, error) { return uint64(c.thread.who().user.effective), nil }
func sysGetgid(c *call) (uint64, error)  { return uint64(c.thread.who().group.real), nil }
func sysGetegid(c *call) (uint64, error) { return uint64(c.thread.who().group.effective), nil }

func sysGetresuid(c *call) (uint64, error) { return 0, c.putIDs(c.thread.who().user) }
func sysGetresgid(c *call) (uint64, error) { return 0, c.putIDs(c.thread.who().group) }

func (c *call) putIDs(i ids) error {
	for n, id := range [...]uint32{i.real, i.effective, i.saved} {
		if err := c.put32(c.a[n], id); err != nil {
			return err
		}
	}
	return nil
}

// sysSetfsuid answers the identity before, whether it was changed or not.
func sysSetfsuid(c *call) (uint64, error) {
	old := c.thread.who()
	u, id := *old, uint32(c.a[0])
	if id == nobody || id == old.user.file || !old.user.has(id) && !old.can(capSetuid) {
		return uint64(old.user.file), nil
	}
	u.user.file = id
	if u.secure&secureNoSetuidFix == 0 {
		switch {
		case old.user.file == superuser:
			u.effective &^= fileCapabilities
		case id == superuser:
			u.effective |= fileCapabilities & u.permitted
		}
	}
	c.become(u)
	return uint64(old.user.file), nil
}

// sysSetfsgid answers the identity before, whether it was changed or not.
func sysSetfsgid(c *call) (uint64, error) {
	old := c.thread.who()
	u, id := *old, uint32(c.a[0])
	if id != nobody && id != old.group.file && (old.group.has(id) || old.can(capSetgid)) {
		u.group.file = id
		c.become(u)
	}
	return uint64(old.group.file), nil
}

func sysGetgroups(c *call) (uint64, error) {
	groups := c.thread.who().groups
	size, n := int32(c.a[0]), len(groups)
	switch {
	case size < 0, size > 0 && int(size) < n:
		return 0, errno.EINVAL
	case size == 0:
		return uint64(n), nil
	}
	var b []byte
	for _, g := range groups {
		b = le.AppendUint32(b, g)
	}
	return uint64(n), c.store(c.a[1], b)
}

// maxGroups is how many supplementary groups a thread's record has room for.
const maxGroups = 1024

func sysSetgroups(c *call) (uint64, error) {
	old := c.thread.who()
	n := int(int32(c.a[0]))
	switch {
	case !old.can(capSetgid):
		return 0, errno.EPERM
	case n < 0 || n > overflowGroupLimit:
		return 0, errno.EINVAL
	case n > maxGroups:
		return 0, c.lacks("%d groups, at most %d are kept", n, maxGroups)
	}
	b := make([]byte, 4*n)
	if err := c.load(c.a[1], b); err != nil {
		return 0, err
	}
	groups := make([]uint32, n)
	for i := range groups {
		if groups[i] = le.Uint32(b[4*i:]); groups[i] == nobody {
			return 0, errno.EINVAL
		}
	}
	slices.Sort(groups)
	u := *old
	if u.groups = groups; n == 0 {
		u.groups = nil
	}
	c.become(u)
	return 0, nil
}
