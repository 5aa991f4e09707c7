package kernel

// Bits of personality(2) that change what calls do; the others are kept and told only:
// addresses are the same in every run (ADDR_NO_RANDOMIZE), no address space is small.
const (
	personaShort    = 0xff // PER_MASK
	personaLinux32  = 0x08
	uname26         = 0x0020000
	readImpliesExec = 0x0400000

	// personaClearedOnSetid are the bits that a program with a set-user-ID bit loses:
	// READ_IMPLIES_EXEC, ADDR_NO_RANDOMIZE, ADDR_COMPAT_LAYOUT, MMAP_PAGE_ZERO.
	personaClearedOnSetid = readImpliesExec | 0x0040000 | 0x0200000 | 0x0100000
)

func sysPersonality(c *call) (uint64, error) {
	const ask = 0xffff_ffff
	old := c.thread.persona
	if n := uint32(c.a[0]); n != ask && n != old {
		c.thread.persona = n
		c.touchThread(c.thread)
	}
	return uint64(old), nil
}
