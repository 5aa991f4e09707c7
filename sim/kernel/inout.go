package kernel

import (
	"zhuque/sim/kernel/errno"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// InOut is a part of a call's result that lies over something that the call has
// read, such as the offset of sendfile(2), the sets of select(2), or the data of a
// readv(2) on top of its own iovec array. Written before the commit, it would make
// a second issue of the call see another argument; so a runtime that issues calls
// again takes these writes, logs them and makes them when it has committed.
type InOut struct {
	At   phys.Addr
	Data []byte // within one page
}

// DeferInOut makes system calls leave such writes to TakeInOut. Off, the calls
// make them themselves.
func (k *Kernel) DeferInOut(on bool) { k.deferring = on }

// TakeInOut returns the writes that the last call left to be made, in order: of
// two to the same byte the later one counts.
func (k *Kernel) TakeInOut() []InOut {
	w := k.inOut
	k.inOut = nil
	return w
}

// span is n bytes of guest memory.
type span struct{ at, n uint64 }

// load reads guest memory that the call depends on. Everything of a call that
// reads arguments from memory goes through it, and every write through store.
func (c *call) load(va uint64, buf []byte) error {
	err := c.port.ReadBytes(va, buf)
	if err == nil {
		c.depend(va, uint64(len(buf)))
	}
	return err
}

// depend notes that the call depends on n bytes of guest memory.
func (c *call) depend(va, n uint64) {
	if !c.deferring || n == 0 {
		return
	}
	if last := len(c.read) - 1; last >= 0 && c.read[last].at+c.read[last].n == va {
		c.read[last].n += n
		return
	}
	c.read = append(c.read, span{va, n})
}

// store writes a result to guest memory, except where the call has read: those
// writes are left to TakeInOut.
func (c *call) store(va uint64, data []byte) error {
	for len(data) > 0 {
		n, depended := c.stretch(va, uint64(len(data)))
		write := c.port.WriteBytes
		if depended {
			write = c.putBack
		}
		if err := write(va, data[:n]); err != nil {
			return err
		}
		data, va = data[n:], va+n
	}
	return nil
}

// stretch returns how many of the n bytes at va are alike: all read by the call,
// or none.
func (c *call) stretch(va, n uint64) (alike uint64, depended bool) {
	for _, s := range c.read {
		if in := va - s.at; in < s.n {
			return min(n, s.n-in), true
		}
		if ahead := s.at - va; ahead < n {
			n = ahead
		}
	}
	return n, false
}

// putBack leaves a write to TakeInOut.
func (c *call) putBack(va uint64, data []byte) error {
	for len(data) > 0 {
		m := min(len(data), phys.PageSize-int(va&phys.PageMask))
		// Writing what is there checks the access and gives the page to this Store,
		// so that the physical write finds the page that the TLB holds.
		now := make([]byte, m)
		if err := c.port.ReadBytes(va, now); err != nil {
			return err
		}
		if err := c.port.WriteBytes(va, now); err != nil {
			return err
		}
		t, ok, bus := c.MM.Translate(va, mem.Write)
		if !ok || bus || !t.Write {
			return errno.EFAULT
		}
		c.inOut = append(c.inOut, InOut{t.Frame.Addr() + phys.Addr(va&phys.PageMask), data[:m:m]})
		data, va = data[m:], va+uint64(m)
	}
	return nil
}
