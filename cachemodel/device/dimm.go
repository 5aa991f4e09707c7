package device

import "zhuque/sim/phys"

const (
	lineBytes = 256
	pieces    = lineBytes / phys.LineSize
	allPieces = 1<<pieces - 1
	ways      = 8 // of the address-translation buffer
)

// slot is one line of a DIMM's buffer.
type slot struct {
	line    uint64 // plus one; 0: free
	written uint8  // pieces that were stored and are not on the medium
	nt      bool   // the last of them by a write-combining buffer
	read    uint8  // pieces read in order so far
	used    uint64 // the number of the last access
	ready   Picos  // when its content has come from the medium
}

// dimm is one DIMM of persistent memory.
type dimm struct {
	epoch   uint64
	slots   []slot
	reads   Calendar
	writes  Calendar
	closed  Picos // its channel takes no write-combining buffer before
	written bool  // by write-combining buffers that no fence has waited for
	wear    map[uint64]int
	used    uint64 // accesses
	ait     *ait
}

// ait is an address-translation buffer: pages by set, 0 for none.
type ait struct {
	epoch uint64
	pages []uint64
}

func newDIMM(cfg *Config, epoch uint64) *dimm {
	sets := max(cfg.AITPages/ways, 1)
	return &dimm{epoch: epoch, slots: make([]slot, cfg.BufferLines),
		wear: map[uint64]int{}, ait: &ait{epoch, make([]uint64, sets*ways)}}
}

func (m *dimm) clone(epoch uint64) *dimm {
	c := *m
	c.epoch = epoch
	c.slots = append([]slot(nil), m.slots...)
	c.reads, c.writes = m.reads.clone(), m.writes.clone()
	c.wear = make(map[uint64]int, len(m.wear))
	for k, v := range m.wear {
		c.wear[k] = v
	}
	return &c
}

func (m *dimm) find(line uint64) *slot {
	for i := range m.slots {
		if m.slots[i].line == line+1 {
			return &m.slots[i]
		}
	}
	return nil
}

// translate returns what the translation of a line costs.
func (m *dimm) translate(d *Device, line uint64) Picos {
	page := line/(phys.PageSize/lineBytes) + 1
	sets := uint64(len(m.ait.pages) / ways)
	at := page * 0x9e3779b97f4a7c15 >> 32 % sets * ways
	for _, p := range m.ait.pages[at : at+ways] {
		if p == page {
			return 0
		}
	}
	if m.ait.epoch != m.epoch {
		m.ait = &ait{m.epoch, append([]uint64(nil), m.ait.pages...)}
	}
	m.ait.pages[at+uint64(d.draw(ways))] = page
	d.stats.AITMisses++
	return Picos(d.cfg.AITMiss) * Nano
}

func (m *dimm) read(d *Device, line uint64, piece int, now Picos) (done Picos) {
	c := &d.cfg
	s := m.find(line)
	if s == nil {
		translated := m.translate(d, line)
		start := m.reads.Book(now, Picos(c.ReadService)*Nano)
		d.stats.MediumReads++
		s, _ = m.room(d, start)
		*s = slot{line: line + 1, ready: start + translated + Picos(c.MediumRead)*Nano}
		done = s.ready
	} else {
		d.stats.BufferHits++
		done = max(now+Picos(c.BufferRead)*Nano, s.ready)
		if s.ready > now { // it follows the piece that was asked for first
			s.ready += Picos(c.PieceGap) * Nano
			done = max(done, s.ready)
		}
	}
	m.used++
	s.used = m.used
	switch {
	case int(s.read) != piece || s.written != 0:
		s.read = 0
		if piece == 0 {
			s.read = 1
		}
	case piece == pieces-1: // a stream does not come back
		s.line = 0
	default:
		s.read++
	}
	return done
}

// room frees a slot, the older of two random ones when none is free, and returns when it
// can be used.
func (m *dimm) room(d *Device, now Picos) (s *slot, from Picos) {
	if s = m.find(^uint64(0)); s == nil {
		s = &m.slots[d.draw(len(m.slots))]
		if o := &m.slots[d.draw(len(m.slots))]; o.used < s.used {
			s = o
		}
	}
	if s.line != 0 && s.written != 0 {
		now = m.store(d, s, now)
	}
	return s, now
}

// store writes a line to the medium and returns when there is room in the queue before it.
func (m *dimm) store(d *Device, s *slot, now Picos) (queued Picos) {
	line, need := s.line-1, Picos(d.cfg.FlushService)*Nano
	if s.nt {
		need = Picos(d.cfg.WriteService) * Nano
	}
	d.stats.MediumWrites++
	page := line / (phys.PageSize / lineBytes)
	if m.wear[page]++; m.wear[page] >= d.cfg.WearWrites {
		delete(m.wear, page)
		d.stats.Migrations++
		need += Picos(d.cfg.WearStall) * Nano
	}
	start := m.writes.Book(now, need)
	return max(now, start-min(start, Picos(d.cfg.WriteQueue)*Picos(d.cfg.WriteService)*Nano))
}

func (m *dimm) write(d *Device, line uint64, piece int, nt bool, now Picos) (accepted Picos) {
	s := m.find(line)
	switch {
	case s == nil:
		m.translate(d, line)
		s, accepted = m.room(d, now)
		*s = slot{line: line + 1}
	case s.written == allPieces: // it goes to the medium; what comes takes a slot of its own
		accepted = m.store(d, s, now)
		s.line = 0
		var from Picos
		s, from = m.room(d, now)
		accepted = max(accepted, from)
		*s = slot{line: line + 1}
	default:
		accepted = now
	}
	m.used++
	s.used = m.used
	s.written |= 1 << piece
	s.nt = nt
	s.read = 0
	return accepted
}
