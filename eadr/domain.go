package eadr

import (
	"fmt"
	"strings"
)

// Domain is what the platform protects from a power failure.
type Domain uint8

const (
	ADR  Domain = iota // the memory controllers' queues and the DIMMs' buffers
	EADR               // the caches too
)

func (d Domain) String() string { return nameOf(domainNames[:], uint8(d), "domain") }

// ParseDomain is the inverse of String. Errors: an unknown name, with the known ones.
func ParseDomain(s string) (Domain, error) {
	n, err := parseName(domainNames[:], s, "domain")
	return Domain(n), err
}

// Detected is what Linux shows of the domain in a region's persistence_domain
// file (Documentation/ABI/testing/sysfs-bus-nd).
func (d Domain) Detected() string {
	if d == EADR {
		return "cpu_cache"
	}
	return "memory_controller"
}

// StoreBufferPolicy says what becomes of retired stores that are not yet visible.
type StoreBufferPolicy uint8

const (
	DrainStores StoreBufferPolicy = iota // interrupt entry drains them (SDM volume 3, 11.10)
	LoseStores                           // they are lost
	// LoseOthers: only the core that runs the handler is interrupted; the store buffers
	// of the others are lost.
	LoseOthers
)

func (p StoreBufferPolicy) String() string {
	return nameOf(storeNames[:], uint8(p), "store buffer policy")
}

// DrainOrder is the order in which the dirty lines leave the caches, in the
// words of the cache model. The empty one is LevelOrder.
type DrainOrder string

const (
	LevelOrder    DrainOrder = "level"     // L1, L2, LLC; within a level by set and way
	AddressOrder  DrainOrder = "address"   // by address, so that neighbours meet in the DIMM's buffer
	LRUFirstOrder DrainOrder = "lru-first" // LLC, L2, L1; least recently used lines first
)

// ParseDrainOrder reads a drain order. Errors: an unknown name, with the known ones.
func ParseDrainOrder(s string) (DrainOrder, error) {
	n, err := parseName(orderNames[:], s, "drain order")
	if err != nil {
		return "", err
	}
	return DrainOrder(orderNames[n]), nil
}

// State is a stage of the power-fail sequence.
type State uint8

const (
	Running       State = iota
	Interrupt           // cores accept at an instruction boundary; store buffers drain or lose
	SaveRegisters       // cores write their save areas into their caches
	FlushCaches         // dirty lines go to the write-pending queues, the save areas last
	DrainWPQ            // queued lines go to the DIMMs
	DrainDIMM           // buffered lines go to the medium
	MarkComplete        // the complete mark is written through to the medium
	Off
	NumStates
)

func (s State) String() string { return nameOf(stateNames[:], uint8(s), "state") }

// next is the sequence itself: the state after s, and the one that it skips on
// the way (s itself if none).
func (c *Config) next(s State) (to, skipped State) {
	switch {
	case c.SoftwareFlush:
	case s == SaveRegisters && c.Domain == ADR:
		return DrainWPQ, FlushCaches
	case s == DrainDIMM && c.Domain == ADR && !c.MarkProtected:
		return Off, MarkComplete
	}
	return s + 1, s
}

var (
	domainNames = [...]string{"adr", "eadr"}
	storeNames  = [...]string{"drain", "lose", "lose-others"}
	orderNames  = [...]string{string(LevelOrder), string(AddressOrder), string(LRUFirstOrder)}
	stateNames  = [...]string{"running", "interrupt", "save-registers", "flush-caches",
		"drain-wpq", "drain-dimm", "mark-complete", "off"}
	resultNames = [...]string{"not-reached", "skipped", "cut-short", "done"}
)

func nameOf(names []string, n uint8, kind string) string {
	if int(n) < len(names) {
		return names[n]
	}
	return fmt.Sprintf("%s(%d)", kind, n)
}

func parseName(names []string, s, kind string) (uint8, error) {
	for i, n := range names {
		if n == s {
			return uint8(i), nil
		}
	}
	return 0, fmt.Errorf("%s %q: expected %s", kind, s, strings.Join(names, " or "))
}
