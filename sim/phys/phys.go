// Package phys holds the types with units that every other package shares:
// physical addresses, lines, frames, cycles, nanoseconds, and model parameters.
// It is a leaf and imports only the standard library.
package phys

import "fmt"

const (
	LineShift = 6
	LineSize  = 1 << LineShift // bytes in a cache line
	PageShift = 12
	PageSize  = 1 << PageShift // bytes in a page
	PageMask  = PageSize - 1

	// AddrBits is the width of a physical address: DRAM below PMEMBase, PMEM above.
	AddrBits = 42
)

// Addr is a physical byte address.
type Addr uint64

// PMEMBase is the first physical address of persistent memory.
const PMEMBase Addr = 1 << 40

// IsPMEM reports whether a lies in persistent memory.
func (a Addr) IsPMEM() bool { return a >= PMEMBase }

// Line returns the cache line that holds a.
func (a Addr) Line() LineAddr { return LineAddr(a >> LineShift) }

// Frame returns the page frame that holds a.
func (a Addr) Frame() Frame { return Frame(a >> PageShift) }

func (a Addr) String() string {
	if a.IsPMEM() {
		return fmt.Sprintf("pmem:%#x", uint64(a-PMEMBase))
	}
	return fmt.Sprintf("dram:%#x", uint64(a))
}

// LineAddr is a physical address divided by LineSize.
type LineAddr uint64

// Addr returns the line's first byte.
func (l LineAddr) Addr() Addr { return Addr(l) << LineShift }

// IsPMEM reports whether the line lies in persistent memory.
func (l LineAddr) IsPMEM() bool { return l.Addr().IsPMEM() }

// Frame is a physical address divided by PageSize.
type Frame uint64

// Addr returns the frame's first byte.
func (f Frame) Addr() Addr { return Addr(f) << PageShift }

// IsPMEM reports whether the frame lies in persistent memory.
func (f Frame) IsPMEM() bool { return f.Addr().IsPMEM() }

// Cycles counts core clock cycles.
type Cycles uint64

// Nanos is a duration or a point of virtual time in nanoseconds.
type Nanos uint64

// Bytes is a size in bytes.
type Bytes uint64

// NanoJoules is an energy.
type NanoJoules uint64

// Param is one model parameter as it is printed and embedded in reports.
type Param struct {
	Name   string  `json:"name"`
	Value  float64 `json:"value"`
	Unit   string  `json:"unit"`
	Status Status  `json:"status"`
	Source string  `json:"source"`
	Range  string  `json:"range"` // accepted values, as text
}

// Status says where a parameter's value comes from.
type Status string

const (
	Cited    Status = "cited"    // a published figure
	Measured Status = "measured" // measured by us on hardware
	Assumed  Status = "assumed"  // our choice, not backed by a source
)
