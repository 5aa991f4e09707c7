package kernel

import "zhuque/sim/kernel/errno"

// Options of prctl(2).
const (
	prSetPdeathsig      = 1
	prGetPdeathsig      = 2
	prGetDumpable       = 3
	prSetDumpable       = 4
	prGetKeepcaps       = 7
	prSetKeepcaps       = 8
	prGetTiming         = 13
	prSetTiming         = 14
	prSetName           = 15
	prGetName           = 16
	prGetSeccomp        = 21
	prCapbsetRead       = 23
	prCapbsetDrop       = 24
	prGetTSC            = 25
	prSetTSC            = 26
	prGetSecurebits     = 27
	prSetSecurebits     = 28
	prSetTimerslack     = 29
	prGetTimerslack     = 30
	prPerfDisable       = 31
	prPerfEnable        = 32
	prMCEKill           = 33
	prMCEKillGet        = 34
	prSetChildSubreaper = 36
	prGetChildSubreaper = 37
	prSetNoNewPrivs     = 38
	prGetNoNewPrivs     = 39
	prGetTidAddress     = 40
	prSetTHPDisable     = 41
	prGetTHPDisable     = 42
	prCapAmbient        = 47

	usualSlack = 50000 // nanoseconds
)

func sysPrctl(c *call) (uint64, error) {
	option, arg := int32(c.a[0]), c.a[1]
	switch option {
	case prGetKeepcaps, prSetKeepcaps, prCapbsetRead, prCapbsetDrop, prGetSecurebits,
		prSetSecurebits, prCapAmbient, prSetNoNewPrivs, prGetNoNewPrivs:
		return c.prctlIdentity(option, arg)
	case prSetName, prGetName:
		return 0, c.prctlName(option, arg)
	case prSetPdeathsig:
		if arg >= NSIG {
			return 0, errno.EINVAL
		}
		if c.thread.deathSignal != int32(arg) {
			c.thread.deathSignal = int32(arg)
			c.touchThread(c.thread)
		}
		return 0, nil
	case prGetPdeathsig:
		return 0, c.put32(arg, uint32(c.thread.deathSignal))
	case prGetDumpable:
		return flagWord(!c.proc.private), nil
	case prSetDumpable:
		if arg > 1 {
			return 0, errno.EINVAL
		}
		c.setDumpable(uint8(arg))
		return 0, nil
	case prSetTimerslack:
		if int64(arg) <= 0 {
			arg = usualSlack
		}
		if slack := arg - usualSlack; slack != c.thread.slack {
			c.thread.slack = slack
			c.touchThread(c.thread)
		}
		return 0, nil
	case prGetTimerslack:
		return c.thread.slack + usualSlack, nil
	case prSetChildSubreaper:
		if c.proc.subreaper != (arg != 0) {
			c.proc.subreaper = arg != 0
			c.touchProcess(c.proc)
		}
		return 0, nil
	case prGetChildSubreaper:
		return 0, c.put32(arg, uint32(flagWord(c.proc.subreaper)))
	}
	return c.prctlFixed(option, arg)
}

// flagWord is 1 for true.
func flagWord(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// prctlFixed are the options whose answer is always the same.
func (c *call) prctlFixed(option int32, arg uint64) (uint64, error) {
	rest := c.a[2] | c.a[3] | c.a[4]
	switch option {
	case prGetTiming, prGetSeccomp, prPerfDisable, prPerfEnable:
		return 0, nil
	case prSetTiming:
		if arg != 0 {
			return 0, errno.EINVAL
		}
		return 0, nil
	case prGetTSC:
		return 0, c.put32(arg, 1) // PR_TSC_ENABLE
	case prSetTSC:
		switch arg {
		case 1:
			return 0, nil
		case 2:
			return 0, c.lacks("RDTSC that is a fault")
		}
	case prMCEKill:
		if c.a[3]|c.a[4] == 0 && (arg == 0 && c.a[2] == 0 || arg == 1 && c.a[2] <= 2) {
			return 0, nil
		}
	case prMCEKillGet:
		const byDefault = 2
		if arg|rest == 0 {
			return byDefault, nil
		}
	case prGetTidAddress:
		return 0, c.put64(arg, c.thread.clearTID)
	case prSetTHPDisable:
		if arg|rest == 0 { // there are no huge pages to do without: EINVAL, as from a kernel that lacks the option
			return 0, nil
		}
	case prGetTHPDisable:
		if arg|rest == 0 {
			return 0, nil
		}
	}
	return 0, errno.EINVAL
}

func (c *call) prctlName(option int32, at uint64) error {
	if option == prGetName {
		return c.store(at, c.thread.comm[:])
	}
	s, _, err := c.str(at, 15)
	if err != nil {
		return err
	}
	if len(s) == 0 { // no NUL within 15 bytes: cut
		b, err := c.copyIn(at, 15)
		if err != nil {
			return err
		}
		s = cString(b)
	}
	c.thread.comm = [16]byte{}
	copy(c.thread.comm[:15], s)
	c.touchThread(c.thread)
	return nil
}

// prctlIdentity are the options about what the thread may do.
func (c *call) prctlIdentity(option int32, arg uint64) (uint64, error) {
	u := *c.thread.who()
	switch option {
	case prGetKeepcaps:
		return flagWord(u.secure&secureKeepCaps != 0), nil
	case prSetKeepcaps:
		switch {
		case arg > 1:
			return 0, errno.EINVAL
		case u.secure&(secureKeepCaps<<1) != 0:
			return 0, errno.EPERM
		}
		if u.secure &^= secureKeepCaps; arg == 1 {
			u.secure |= secureKeepCaps
		}
	case prCapbsetRead:
		if arg > capLast {
			return 0, errno.EINVAL
		}
		return u.bounding >> arg & 1, nil
	case prCapbsetDrop:
		switch {
		case !u.can(capSetpcap):
			return 0, errno.EPERM
		case arg > capLast:
			return 0, errno.EINVAL
		}
		u.bounding &^= 1 << arg
	case prGetSecurebits:
		return uint64(u.secure), nil
	case prSetSecurebits:
		old := uint64(u.secure)
		if old&secureLocks>>1&(old^arg) != 0 || old&secureLocks&^arg != 0 ||
			arg&^(secureLocks|secureBits) != 0 || !u.can(capSetpcap) {
			return 0, errno.EPERM
		}
		u.secure = uint32(arg)
	case prSetNoNewPrivs:
		if arg != 1 || c.a[2]|c.a[3]|c.a[4] != 0 {
			return 0, errno.EINVAL
		}
		u.noNewPrivs = true
	case prGetNoNewPrivs:
		if arg|c.a[2]|c.a[3]|c.a[4] != 0 {
			return 0, errno.EINVAL
		}
		return flagWord(u.noNewPrivs), nil
	case prCapAmbient:
		return c.prctlAmbient(u, arg)
	}
	c.become(u)
	return 0, nil
}

func (c *call) prctlAmbient(u cred, op uint64) (uint64, error) {
	const isSet, raise, lower, clearAll = 1, 2, 3, 4
	capability, rest := c.a[2], c.a[3]|c.a[4]
	if op == clearAll {
		if capability|rest != 0 {
			return 0, errno.EINVAL
		}
		u.ambient = 0
		c.become(u)
		return 0, nil
	}
	if capability > capLast || rest != 0 {
		return 0, errno.EINVAL
	}
	switch op {
	case isSet:
		return u.ambient >> capability & 1, nil
	case raise:
		if u.permitted&u.inheritable>>capability&1 == 0 || u.secure&secureNoAmbient != 0 {
			return 0, errno.EPERM
		}
		u.ambient |= 1 << capability
	case lower:
		u.ambient &^= 1 << capability
	default:
		return 0, errno.EINVAL
	}
	c.become(u)
	return 0, nil
}
