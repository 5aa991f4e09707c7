package wpp

import (
	"fmt"
	"slices"
	"strings"

	"zhuque/eadr"
	"zhuque/sim/x86"
)

// Mutant is a deliberately broken runtime: what a campaign must be able to
// catch before anybody believes its passes.
type Mutant struct {
	Name   string
	Broken string // what is wrong, one sentence
	Guest  string // embedded guest that exposes it
	CPU    x86.Level

	// Strategy and Points are the campaign on Guest that exposes it, in the words
	// of crashinject.ParseStrategy.
	Strategy string
	Points   uint64
	Cores    int // of the machine; 0 for one

	Registers       func(*x86.State)   // what the power-fail handler loses
	Platform        func(*eadr.Config) // how the power-fail sequence is wrong
	InPlace         bool               // table entries are written in place, first field first
	ForgetUnmap     bool
	NoShutdownCheck bool
	OthersNotSaved  bool // only the core that executes saves its registers
	PipeBytesLate   bool // a pipe's bytes are written after the call that they belong to has committed
	FramesInPlace   bool // a write to a file that is mapped shared changes the mapped frame
	ClearLogFirst   bool // recovery marks the redo log applied before it is
}

var mutants = []Mutant{
	{Name: "store-buffer-not-drained", Guest: "list", Strategy: "random", Points: 20,
		Broken:   "The power-fail handler saves the registers while younger stores are still in the store buffer, which is lost.",
		Platform: func(c *eadr.Config) { c.StoreBuffer = eadr.LoseStores }},
	{Name: "other-buffers-lost", Guest: "crowd", Cores: 2, Strategy: "random", Points: 40,
		Broken:   "The power failure interrupts one core; what the store buffers of the others hold is lost.",
		Platform: func(c *eadr.Config) { c.StoreBuffer = eadr.LoseOthers }},
	{Name: "other-registers-lost", Guest: "crowd", Cores: 2, Strategy: "random", Points: 40,
		Broken:         "The core that takes the interrupt answers for the others, whose registers are not saved.",
		OthersNotSaved: true},
	{Name: "x87-not-saved", Guest: "fpu", Strategy: "random", Points: 20,
		Broken: "The x87 state and MXCSR are not saved; the program goes on with the initial ones.",
		Registers: func(s *x86.State) {
			s.FPU = x86.X87{CW: 0x37f}
			s.MXCSR = 0x1f80
		}},
	{Name: "ymm-not-saved", Guest: "ymm", CPU: x86.V3, Strategy: "random", Points: 20,
		Broken: "Only the lower halves of the vector registers are saved, as FXSAVE does.",
		Registers: func(s *x86.State) {
			for i := range s.V {
				s.V[i][2], s.V[i][3] = 0, 0
			}
		}},
	{Name: "fs-base-not-saved", Guest: "tls", Strategy: "random", Points: 20,
		Broken:    "The FS base is not saved; thread-local storage is gone after the restart.",
		Registers: func(s *x86.State) { s.FSBase = 0 }},
	{Name: "callee-saved-only", Guest: "sha", Strategy: "random", Points: 20,
		Broken: "Only the registers that a function call preserves are saved.",
		Registers: func(s *x86.State) {
			for _, r := range []int{x86.RAX, x86.RCX, x86.RDX, x86.RSI, x86.RDI, x86.R8, x86.R9, x86.R10, x86.R11} {
				s.R[r] = 0
			}
		}},
	{Name: "mapping-base-first", Guest: "maps", Strategy: "calls", Points: 200,
		Broken:  "A mapping's fields are written in place, its base first, without a log or a checksum.",
		InPlace: true},
	{Name: "munmap-not-recorded", Guest: "maps", Strategy: "calls", Points: 50,
		Broken:      "munmap removes a mapping without recording that it is gone.",
		ForgetUnmap: true},
	{Name: "no-shutdown-check", Guest: "list", Strategy: "energy", Points: 40,
		Broken:          "Restart resumes an image although the stored energy ended before the caches were drained.",
		NoShutdownCheck: true},
	{Name: "pipe-bytes-lost", Guest: "pipes", Strategy: "calls", Points: 200,
		Broken:        "What is written to a pipe is stored after the write has committed.",
		PipeBytesLate: true},
	{Name: "mapped-file-in-place", Guest: "shared", Strategy: "calls", Points: 1000,
		Broken:        "A write to a file that is mapped shared changes the mapped page in place, before the call has committed.",
		FramesInPlace: true},
	{Name: "recovery-not-idempotent", Guest: "maps", Strategy: "recovery", Points: 400,
		Broken:        "Recovery marks the redo log as applied before its records are in place, so a second failure loses them.",
		ClearLogFirst: true},
}

// Mutants lists the registry.
func Mutants() []Mutant { return slices.Clone(mutants) }

// FindMutant returns the mutant called name, the unbroken runtime for "".
func FindMutant(name string) (Mutant, error) {
	if name == "" {
		return Mutant{}, nil
	}
	names := make([]string, len(mutants))
	for i, m := range mutants {
		if m.Name == name {
			return m, nil
		}
		names[i] = m.Name
	}
	return Mutant{}, fmt.Errorf("mutant %q: expected one of %s", name, strings.Join(names, ", "))
}
