package kernel

import (
	"fmt"
	"slices"
)

// Capabilities of capabilities(7), and the sets of them.
const (
	capChown          = 0
	capDacOverride    = 1
	capDacReadSearch  = 2
	capFowner         = 3
	capFsetid         = 4
	capKill           = 5
	capSetgid         = 6
	capSetuid         = 7
	capSetpcap        = 8
	capNetBindService = 10
	capNetAdmin       = 12
	capNetRaw         = 13
	capIpcLock        = 14
	capIpcOwner       = 15
	capSysRawio       = 17
	capSysPtrace      = 19
	capSysAdmin       = 21
	capSysNice        = 23
	capSysResource    = 24
	capMknod          = 27
	capMacOverride    = 32
	capLast           = 40 // CAP_CHECKPOINT_RESTORE

	// capabilities are those of the superuser, as whom programs start, but for those whose
	// calls the machine answers with EPERM.
	capabilities uint64 = (1<<(capLast+1) - 1) &^ (1<<capNetAdmin | 1<<capNetRaw | 1<<capSysAdmin)

	// fileCapabilities go and come with the file system's user: CAP_CHOWN to CAP_FSETID,
	// CAP_LINUX_IMMUTABLE, CAP_MKNOD, CAP_MAC_OVERRIDE.
	fileCapabilities uint64 = 1<<capChown | 1<<capDacOverride | 1<<capDacReadSearch | 1<<capFowner | 1<<capFsetid | 1<<9 | 1<<capMknod | 1<<capMacOverride
)

// Bits of PR_SET_SECUREBITS; each has a lock in the bit above it.
const (
	secureNoRoot       = 1 << 0
	secureNoSetuidFix  = 1 << 2
	secureKeepCaps     = 1 << 4
	secureNoAmbient    = 1 << 6
	secureBits         = 0x55
	secureLocks        = secureBits << 1
	nobody             = ^uint32(0) // the identity that none is: "leave it as it is"
	superuser          = uint32(0)
	overflowGroupLimit = 65536 // NGROUPS_MAX
)

// ids are the four identities of a thread, of users or of groups. Source: credentials(7).
type ids struct{ real, effective, saved, file uint32 }

func (i ids) String() string {
	return fmt.Sprintf("%d,%d,%d,%d", i.real, i.effective, i.saved, i.file)
}

// tabbed shows the identities as /proc/PID/status does.
func (i ids) tabbed() string {
	return fmt.Sprintf("%d\t%d\t%d\t%d", i.real, i.effective, i.saved, i.file)
}

func (i *ids) code(c *codec) {
	code(c, &i.real)
	code(c, &i.effective)
	code(c, &i.saved)
	code(c, &i.file)
}

// has reports whether id is the real, effective or saved one.
func (i ids) has(id uint32) bool { return id == i.real || id == i.effective || id == i.saved }

// cred is who a thread is and what it may do. It is never changed in place: threads share
// it, and forks.
type cred struct {
	user, group ids
	groups      []uint32 // supplementary, ascending

	inheritable, permitted, effective, bounding, ambient uint64

	secure     uint32 // PR_SET_SECUREBITS
	noNewPrivs bool   // PR_SET_NO_NEW_PRIVS
}

// root is who programs are at the start: the superuser, with all that the machine grants.
var root = cred{permitted: capabilities, effective: capabilities, bounding: capabilities}

func (u *cred) code(c *codec) {
	u.user.code(c)
	u.group.code(c)
	codeList(c, &u.groups, maxGroups, func(g *uint32) { code(c, g) })
	for _, set := range []*uint64{&u.inheritable, &u.permitted, &u.effective, &u.bounding, &u.ambient} {
		code(c, set)
	}
	code(c, &u.secure)
	c.flag(&u.noNewPrivs)
	if c.decoding && (u.permitted|u.inheritable|u.bounding)&^capabilities != 0 {
		c.fail("capabilities that the machine does not have")
	}
}

// isRoot reports whether u is what programs start with.
func (u *cred) isRoot() bool {
	return u.user == root.user && u.group == root.group && len(u.groups) == 0 && u.inheritable == 0 &&
		u.permitted == capabilities && u.effective == capabilities &&
		u.bounding == capabilities && u.ambient == 0 && u.secure == 0 && !u.noNewPrivs
}

func (u *cred) String() string {
	return fmt.Sprintf("{user %v group %v groups %v inheritable %#x permitted %#x effective %#x bounding %#x ambient %#x secure %#x no new privileges %v}",
		u.user, u.group, u.groups, u.inheritable, u.permitted, u.effective, u.bounding, u.ambient, u.secure, u.noNewPrivs)
}

// can reports whether a capability is effective.
func (u *cred) can(capability int) bool { return u.effective>>capability&1 != 0 }

// in reports whether g is the group for files or a supplementary one.
func (u *cred) in(g uint32) bool {
	if g == u.group.file {
		return true
	}
	_, found := slices.BinarySearch(u.groups, g)
	return found
}

// codeCred passes a thread's identity, for which root takes one word.
func codeCred(c *codec, at **cred) {
	differs := *at != nil
	if c.flag(&differs); !differs {
		*at = nil
		return
	}
	u := cred{}
	if *at != nil {
		u = **at
	}
	u.code(c)
	*at = &u
}

// who returns a thread's identity.
func (t *Thread) who() *cred {
	if t.cred == nil {
		return &root
	}
	return t.cred
}

// become gives the current thread another identity. Like Linux it makes the process's
// memory private where a user or group or the permitted set changed.
func (c *call) become(u cred) {
	t := c.thread
	old := t.who()
	if u.user.effective != old.user.effective || u.group.effective != old.group.effective ||
		u.user.file != old.user.file || u.group.file != old.group.file || u.permitted&^old.permitted != 0 {
		c.setDumpable(0)
		if t.deathSignal != 0 {
			t.deathSignal = 0
		}
	}
	if t.cred = &u; u.isRoot() {
		t.cred = nil
	}
	c.touchThread(t)
}

// setDumpable sets PR_SET_DUMPABLE of all that live in the current memory.
func (c *call) setDumpable(v uint8) {
	for _, p := range c.procs {
		if p.space == c.proc.space && !p.dead && p.private != (v == 0) {
			p.private = v == 0
			c.touchProcess(p)
		}
	}
}

// fixUser adapts the capabilities of u to a change of its users from old's. Source:
// capabilities(7), "Effect of user ID changes on capabilities".
func (u *cred) fixUser(old *cred) {
	if u.secure&secureNoSetuidFix != 0 {
		return
	}
	if old.user.has(superuser) && !u.user.has(superuser) {
		if u.secure&secureKeepCaps == 0 {
			u.permitted, u.effective = 0, 0
		}
		u.ambient = 0
	}
	switch was, is := old.user.effective == superuser, u.user.effective == superuser; {
	case was && !is:
		u.effective = 0
	case !was && is:
		u.effective = u.permitted
	}
}
