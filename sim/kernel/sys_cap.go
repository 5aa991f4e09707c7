package kernel

import "zhuque/sim/kernel/errno"

// Versions of the header of capget(2), and capabilities(7).
const (
	capVersion1 = 0x19980330
	capVersion2 = 0x20071026
	capVersion3 = 0x20080522

	capNetAdmin = 12
	capNetRaw   = 13
	capSysAdmin = 21
	capLast     = 40 // CAP_CHECKPOINT_RESTORE

	// capabilities are those of the superuser, as whom programs run, but for those whose
	// calls the machine answers with EPERM.
	capabilities uint64 = (1<<(capLast+1) - 1) &^ (1<<capNetAdmin | 1<<capNetRaw | 1<<capSysAdmin)
)

// sysCapget tells the capabilities of a thread: all that there are are effective and
// permitted, none is inherited. With a version that it does not know it puts the newest into the header.
func sysCapget(c *call) (uint64, error) {
	var header [8]byte
	if err := c.load(c.a[0], header[:]); err != nil {
		return 0, err
	}
	sets := 2
	switch le.Uint32(header[:]) {
	case capVersion1:
		sets = 1
	case capVersion2, capVersion3:
	default:
		if err := c.put32(c.a[0], capVersion3); err != nil {
			return 0, err
		}
		if c.a[1] == 0 {
			return 0, nil
		}
		return 0, errno.EINVAL
	}
	switch pid := int32(le.Uint32(header[4:])); {
	case pid < 0:
		return 0, errno.EINVAL
	case pid != 0 && c.Thread(pid) == nil:
		return 0, errno.ESRCH
	case c.a[1] == 0:
		return 0, nil
	}
	var b []byte
	for i := range sets {
		set := uint32(capabilities >> (32 * i))
		b = le.AppendUint32(le.AppendUint32(le.AppendUint32(b, set), set), 0)
	}
	return 0, c.store(c.a[1], b)
}
