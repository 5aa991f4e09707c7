package kernel

import (
	"zhuque/sim/kernel/errno"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// InOut is a small result that a call writes over its own argument, such as the
// offset of sendfile(2), or the old mask of rt_sigprocmask(2) with both pointers
// equal. Written before the commit, it would make a second issue of the call see
// another argument; so a runtime that issues calls again takes these writes, logs
// them and makes them when it has committed.
type InOut struct {
	At   phys.Addr
	Data []byte // within one page
}

// DeferInOut makes system calls leave such writes to TakeInOut. Off, the calls
// make them themselves.
func (k *Kernel) DeferInOut(on bool) { k.deferring = on }

// TakeInOut returns the writes that the last call left to be made.
func (k *Kernel) TakeInOut() []InOut {
	w := k.inOut
	k.inOut = nil
	return w
}

// putBack writes a result at va that may overlap the n bytes of argument at in.
func (c *call) putBack(va uint64, data []byte, in uint64, n int) error {
	if !c.deferring || in == 0 || va >= in+uint64(n) || in >= va+uint64(len(data)) {
		return c.port.WriteBytes(va, data)
	}
	// Writing what is there checks the access and gives the page to this Store,
	// so that the physical write finds the page that the TLB holds.
	now := make([]byte, len(data))
	if err := c.port.ReadBytes(va, now); err != nil {
		return err
	}
	if err := c.port.WriteBytes(va, now); err != nil {
		return err
	}
	for len(data) > 0 {
		t, ok, bus := c.MM.Translate(va, mem.Write)
		if !ok || bus || !t.Write {
			return errno.EFAULT
		}
		m := min(len(data), phys.PageSize-int(va&phys.PageMask))
		c.inOut = append(c.inOut, InOut{t.Frame.Addr() + phys.Addr(va&phys.PageMask), data[:m:m]})
		data, va = data[m:], va+uint64(m)
	}
	return nil
}
