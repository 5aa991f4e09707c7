package wpp

import (
	"fmt"
	"slices"
	"strings"

	"zhuque/eadr"
	"zhuque/sim/kernel"
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
	Cores    int               // of the machine; 0 for one
	Settings map[string]string // that differ from the defaults, in the words of crashinject.Setup.Set

	Registers       func(*x86.State)   // what the power-fail handler loses
	Platform        func(*eadr.Config) // how the power-fail sequence is wrong
	InPlace         bool               // table entries are written in place, first field first
	ForgetUnmap     bool
	NoShutdownCheck bool
	OthersNotSaved  bool // only the core that executes saves its registers
	PipeBytesLate   bool // a pipe's bytes are written after the call that they belong to has committed
	FramesInPlace   bool // a write to a file that is mapped shared changes the mapped frame
	ClearLogFirst   bool // recovery marks the redo log applied before it is

	Forget       *kernel.Loss // what a restart loses of the kernel-resident state; nil for nothing
	NoSwitchOut  bool         // the registers of a thread that leaves the core are not stored
	TearSaveArea bool         // a thread that leaves the core gets its first registers stored only
	NoAreaCheck  bool         // a restart does not look at the checksums of save areas
	IgnoreCommit bool         // a restart goes on from the kernel-entry copy although the call took effect
	SkipCall     bool         // a restart goes on behind a call that was cut, although the call had no effect
	DropResult   bool         // a restart returns from a committed call with what was in RAX before
	KeepFiles    bool         // a restart keeps what a call has done to files that had not committed
	LateRecords  bool         // the commit does not cover the records of descriptors: they are written afterwards
}

// tornWords is how many registers TearSaveArea stores.
const tornWords = 8

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
		Broken: "The x87 state and MXCSR are not saved; the program continues with the initial ones.",
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
	{Name: "file-offset-lost", Guest: "files", Strategy: "random", Points: 20,
		Broken: "Files are opened again at offset 0.",
		Forget: &kernel.Loss{Offsets: true}},
	{Name: "high-descriptors-forgotten", Guest: "processes", Strategy: "random", Points: 20,
		Broken: "A process's highest descriptor is not opened again.",
		Forget: &kernel.Loss{HighestFD: true}},
	{Name: "dup-makes-two", Guest: "processes", Strategy: "random", Points: 20,
		Broken: "Descriptors that share an open file are opened one by one, with an offset each.",
		Forget: &kernel.Loss{Sharing: true}},
	{Name: "dispositions-lost", Guest: "signals", Strategy: "random", Points: 20,
		Broken: "What the program does with signals is not set again.",
		Forget: &kernel.Loss{Dispositions: true}},
	{Name: "pending-signals-lost", Guest: "processes", Strategy: "random", Points: 20,
		Broken: "Signals that were sent and wait for a mask to lift are gone.",
		Forget: &kernel.Loss{Pending: true}},
	{Name: "signal-mask-lost", Guest: "processes", Strategy: "random", Points: 20,
		Broken: "Every signal is let in after a restart.",
		Forget: &kernel.Loss{Mask: true}},
	{Name: "alternate-stack-lost", Guest: "signals", Strategy: "random", Points: 20,
		Broken: "The alternate signal stack is not set again.",
		Forget: &kernel.Loss{AltStack: true}},
	{Name: "stale-owner-tid", Guest: "threads", Strategy: "random", Points: 20,
		Broken: "Threads get other numbers at a restart, and locks are owned by nobody's.",
		Forget: &kernel.Loss{TIDs: true}},
	{Name: "wait-forgotten", Guest: "threads", Strategy: "random", Points: 20,
		Broken: "What a thread waited for is forgotten: until when, and whether somebody had woken it.",
		Forget: &kernel.Loss{Waits: true}},
	{Name: "count-forgotten", Guest: "bulk", Strategy: "calls", Points: 100,
		Broken: "How many bytes a call had moved before it waited is forgotten; they are moved again.",
		Forget: &kernel.Loss{Counts: true}},
	{Name: "robust-list-lost", Guest: "threads", Strategy: "random", Points: 20,
		Broken: "The list of robust locks that a thread holds is not registered again.",
		Forget: &kernel.Loss{RobustList: true}},
	{Name: "registers-left-in-core", Guest: "threads", Strategy: "random", Points: 20,
		Broken:      "The registers of a thread that leaves the core are not stored in its save area.",
		NoSwitchOut: true},
	{Name: "save-area-torn", Guest: "threads", Strategy: "random", Points: 20,
		Broken:       "The first registers of a thread that leaves the core are stored, the others not, and the restart does not look at the checksum.",
		TearSaveArea: true, NoAreaCheck: true},
	{Name: "entry-frame-after-commit", Guest: "pipes", Strategy: "calls", Points: 400,
		Broken:       "A call that had taken effect is issued again from the registers at kernel entry.",
		IgnoreCommit: true},
	{Name: "call-not-issued-again", Guest: "maps", Strategy: "calls", Points: 50,
		Broken:   "A call that was cut before it took effect is skipped; the program continues after it.",
		SkipCall: true},
	{Name: "result-not-recorded", Guest: "maps", Strategy: "calls", Points: 400,
		Broken:     "A call that had taken effect returns, but not its result.",
		DropResult: true},
	{Name: "files-not-undone", Guest: "files", Strategy: "calls", Points: 200,
		Broken:    "What a call did to files stays although the call had not committed, and is done again.",
		KeepFiles: true},
	{Name: "descriptor-recorded-late", Guest: "files", Strategy: "calls", Points: 400,
		Broken:      "Descriptors are recorded after the call that opened, moved or closed them has committed.",
		LateRecords: true},
	{Name: "split-offset-wrong", Guest: "shared", Strategy: "random", Points: 20,
		Broken: "The upper part of a file mapping that was split shows the file from the offset of the lower part.",
		Forget: &kernel.Loss{SplitOffset: true}},
	{Name: "watches-lost", Guest: "pipes", Strategy: "random", Points: 20,
		Broken: "An epoll instance is made again without what it watched.",
		Forget: &kernel.Loss{Watches: true}},
	{Name: "timers-lost", Guest: "processes", Strategy: "random", Points: 40,
		Broken: "Interval timers and POSIX timers are not armed again.",
		Forget: &kernel.Loss{Timers: true}},
	{Name: "handler-before-barrier", Guest: "handlers", Strategy: "fuzz", Points: 60, Settings: map[string]string{"sigpwr": "per-thread"},
		Broken: "Each thread runs its power-failure handler and continues when it has been made, although others have not been.",
		Forget: &kernel.Loss{Barrier: true}},
	{Name: "zombie-lost", Guest: "processes", Strategy: "random", Points: 40,
		Broken: "A child that ended and was not waited for is forgotten.",
		Forget: &kernel.Loss{Zombies: true}},
}

// Mutants lists the registry.
func Mutants() []Mutant { return slices.Clone(mutants) }

// FindMutant returns the mutant called name, the unbroken runtime for "".
func FindMutant(name string) (Mutant, error) {
	if name == "" {
		return Mutant{}, nil
	}
	for _, m := range mutants {
		if m.Name == name {
			return m, nil
		}
	}
	return Mutant{}, fmt.Errorf("mutant %q: expected one of %s", name, strings.Join(MutantNames(), ", "))
}

// MutantNames lists the names of the mutants.
func MutantNames() []string {
	names := make([]string, len(mutants))
	for i, m := range mutants {
		names[i] = m.Name
	}
	return names
}
