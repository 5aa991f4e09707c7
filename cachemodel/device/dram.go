package device

import "zhuque/sim/phys"

const (
	banks    = 16
	rowLines = 8192 / phys.LineSize
)

// dram is channels, interleaved by 256 bytes, with banks that have a row open.
type dram struct {
	epoch    uint64
	channels []channel
}

type channel struct {
	bus  Calendar
	open [banks]uint64 // row plus one; 0: none
}

func newDRAM(cfg *Config, epoch uint64) *dram {
	return &dram{epoch: epoch, channels: make([]channel, cfg.Channels)}
}

func (m *dram) clone(epoch uint64) *dram {
	c := &dram{epoch: epoch, channels: append([]channel(nil), m.channels...)}
	for i := range c.channels {
		c.channels[i].bus = m.channels[i].bus.clone()
	}
	return c
}

// at returns the channel of a line, and whether its row is open; now it is.
func (m *dram) at(l phys.LineAddr) (c *channel, hit bool) {
	block, n := uint64(l)/pieces, uint64(len(m.channels))
	c = &m.channels[block%n]
	row := block / n * pieces / rowLines
	open := &c.open[row%banks]
	hit = *open == row+1
	*open = row + 1
	return c, hit
}

func (m *dram) read(cfg *Config, l phys.LineAddr, now Picos) (done Picos) {
	c, hit := m.at(l)
	latency := cfg.RowMiss
	if hit {
		latency = cfg.RowHit
	}
	return c.bus.Book(now, cfg.DRAMRead) + Picos(latency)*Nano
}

func (m *dram) write(cfg *Config, l phys.LineAddr, now Picos) (accepted Picos) {
	c, _ := m.at(l)
	return c.bus.Book(now, cfg.DRAMWrite)
}
