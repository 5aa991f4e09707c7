package device

import (
	"sync/atomic"

	"zhuque/sim/det"
	"zhuque/sim/phys"
)

// epochs number the devices that may write a part in place; they reach no result.
var epochs atomic.Uint64

// Device is a machine's DRAM and persistent memory.
type Device struct {
	cfg    Config
	epoch  uint64
	random uint64 // state of the draws
	dimms  []*dimm
	dram   *dram
	cores  []*window // what each core has sent and the DIMMs have not taken, by core
	llc    *window
	stats  Stats
}

// Stats counts what the devices did.
type Stats struct {
	MediumReads  uint64 // of 256 bytes
	MediumWrites uint64
	BufferHits   uint64 // reads
	AITMisses    uint64
	Migrations   uint64 // for wear
}

// New returns idle devices for so many cores. The error is Config.Validate's.
func New(cfg Config, cores int, seed uint64) (*Device, error) {
	if err := cfg.Validate(); err != nil {
		return nil, err
	}
	d := &Device{cfg: cfg, epoch: epochs.Add(1), random: det.Stream(seed, "devices").Uint64() | 1}
	for range cfg.DIMMs {
		d.dimms = append(d.dimms, newDIMM(&cfg, d.epoch))
	}
	d.dram = newDRAM(&cfg, d.epoch)
	for range cores {
		d.cores = append(d.cores, &window{epoch: d.epoch})
	}
	d.llc = &window{epoch: d.epoch}
	return d, nil
}

// Fork returns independent devices in the same state. Parts are copied when they change.
func (d *Device) Fork() *Device {
	f := *d
	f.epoch, d.epoch = epochs.Add(1), epochs.Add(1)
	f.dimms = append([]*dimm(nil), d.dimms...)
	f.cores = append([]*window(nil), d.cores...)
	return &f
}

// draw returns a number below n (xorshift; the low bits are discarded).
func (d *Device) draw(n int) int {
	d.random ^= d.random << 13
	d.random ^= d.random >> 7
	d.random ^= d.random << 17
	return int(d.random >> 33 % uint64(n))
}

// Stats returns the counters so far.
func (d *Device) Stats() Stats { return d.stats }

// MediaBytes returns the bytes that the medium took.
func (d *Device) MediaBytes() phys.Bytes { return phys.Bytes(d.stats.MediumWrites * lineBytes) }

// own returns the DIMM of a line for writing, and the line's number on it in 256 bytes.
func (d *Device) own(l phys.LineAddr) (m *dimm, line uint64) {
	a := uint64(l.Addr() - phys.PMEMBase)
	stripe, n := a/uint64(d.cfg.Interleave), uint64(len(d.dimms))
	i := stripe % n
	m = d.dimms[i]
	if m.epoch != d.epoch {
		m = m.clone(d.epoch)
		d.dimms[i] = m
	}
	return m, (stripe/n*uint64(d.cfg.Interleave) + a%uint64(d.cfg.Interleave)) / lineBytes
}

// Read returns when a line that is asked for at now can be used.
func (d *Device) Read(l phys.LineAddr, now Picos) (done Picos) {
	if !l.IsPMEM() {
		return d.ownDRAM().read(&d.cfg, l, now)
	}
	m, line := d.own(l)
	return m.read(d, line, int(l%pieces), now)
}

// entry is one line on its way from a core or from the LLC.
type entry struct {
	line phys.LineAddr
	at   Picos
	nt   bool
}

// window is what has been sent and not been taken: its lines are taken at random.
type window struct {
	epoch uint64
	lines []entry
}

func (w *window) own(epoch uint64) *window {
	if w.epoch == epoch {
		return w
	}
	return &window{epoch, append([]entry(nil), w.lines...)}
}

// take serves one of the window's lines and returns when it was accepted.
func (d *Device) take(w *window) (accepted Picos) {
	i := d.draw(len(w.lines))
	e := w.lines[i]
	w.lines[i] = w.lines[len(w.lines)-1]
	w.lines = w.lines[:len(w.lines)-1]
	return d.write(e)
}

// Write takes a line that core sends at now and returns when the core can send the next one.
// nt tells a write-combining buffer from a flushed line.
func (d *Device) Write(core int, l phys.LineAddr, nt bool, now Picos) (accepted Picos) {
	if !l.IsPMEM() {
		return d.ownDRAM().write(&d.cfg, l, now)
	}
	w := d.cores[core].own(d.epoch)
	d.cores[core] = w
	w.lines = append(w.lines, entry{l, now, nt})
	if len(w.lines) <= d.cfg.Window {
		return now
	}
	return max(now, d.take(w))
}

// Drain has all that a core has sent taken, as a fence that waits for it does, and returns when
// the last was.
func (d *Device) Drain(core int, now Picos) (accepted Picos) {
	if len(d.cores[core].lines) == 0 {
		return 0
	}
	w := d.cores[core].own(d.epoch)
	d.cores[core] = w
	first := ^Picos(0)
	for len(w.lines) > 0 {
		nt := w.lines[0].nt
		a := d.take(w)
		accepted = max(accepted, a)
		if nt {
			first = min(first, a)
		}
	}
	if first != ^Picos(0) {
		for i := range d.dimms {
			if d.dimms[i].written {
				m := d.dimms[i]
				if m.epoch != d.epoch {
					m = m.clone(d.epoch)
					d.dimms[i] = m
				}
				m.written = false
				m.closed = max(m.closed, first+Picos(d.cfg.TurnAround)*Nano)
			}
		}
	}
	return accepted
}

// Evict takes a line that the LLC writes back; nobody waits for it.
func (d *Device) Evict(l phys.LineAddr, now Picos) (accepted Picos) {
	if !l.IsPMEM() {
		return d.ownDRAM().write(&d.cfg, l, now)
	}
	d.llc = d.llc.own(d.epoch)
	d.llc.lines = append(d.llc.lines, entry{l, now, false})
	if len(d.llc.lines) <= d.cfg.EvictWindow {
		return now
	}
	return d.take(d.llc)
}

// write puts a line into its DIMM's buffer.
func (d *Device) write(e entry) (accepted Picos) {
	m, line := d.own(e.line)
	m.written = m.written || e.nt
	at := e.at
	if e.nt {
		at = max(at, m.closed)
	}
	return m.write(d, line, int(e.line%pieces), e.nt, at)
}

func (d *Device) ownDRAM() *dram {
	if d.dram.epoch != d.epoch {
		d.dram = d.dram.clone(d.epoch)
	}
	return d.dram
}
