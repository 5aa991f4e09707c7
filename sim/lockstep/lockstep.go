// Package lockstep runs a program twice, one instruction at a time: in the
// simulator and on the processor of the host, and stops at the first difference
// in a register or in memory. The processor is the oracle of the whole model of
// user mode: decoder, interpreter, ports, decoded blocks.
//
// On the host the program runs in a process of its own under ptrace(2), which
// executes user-mode instructions only: no system call of the program ever
// reaches the host. The mappings, the memory and the registers of that process
// are made to be the model's; what the modelled kernel does in a call is copied
// into it. Registers, x87 and SSE state are compared after every instruction,
// the pages that the model changed every so many instructions, and every page
// that either side touched now and then and at the end.
//
// Left out, that is, taken over from the model instead of compared: system
// calls; instructions whose result is the machine's own affair (CPUID, RDTSC,
// RDRAND and the like, the approximations RCPPS and RSQRTPS, the transcendental
// functions of the x87, what FNSTENV, FNSAVE and FXSAVE write); near branches and
// bit scans with prefixes that processors disagree about (see x86.Next.Odd);
// flags that the manual leaves undefined; moves of segment registers; what the
// program itself single-steps; the first instruction behind an exception; last
// instruction and data pointers of the x87; the upper halves of the vector registers.
//
// A string instruction with a REP prefix is one instruction here and one step
// for each iteration on the host.
//
// It exists on linux/amd64 only. It must not import crashinject or the runtime.
// Sources: ptrace(2), proc(5); Intel SDM volume 2 for undefined flags.
package lockstep

import (
	"fmt"
	"strings"

	"zhuque/sim"
	"zhuque/sim/x86"
)

// Options says what is run and how.
type Options struct {
	// Start returns the machine, fresh and always the same: a difference in memory
	// is narrowed down in a second run.
	Start func() (*sim.Machine, error)
	From  uint64 // instructions that the model makes alone first
	Max   uint64 // instructions to compare, 0 for all up to the program's end
	Every uint64 // instructions between two comparisons of memory, 0 for DefaultEvery

	// Progress, if set, is called every few thousand instructions.
	Progress func(*Report)

	sweep uint64 // instructions between two sweeps over all memory, 0 for sweepEvery
	// disturb, if set, is called after each instruction and before the comparison,
	// with the machine and what writes to the process: for tests.
	disturb func(m *sim.Machine, write func(va uint64, data []byte) error)
}

// DefaultEvery is how many instructions lie between two comparisons of memory.
const DefaultEvery = 64

const sweepEvery = 1 << 14

// Report is what a run in lockstep found.
type Report struct {
	From      uint64 `json:"from"`      // instruction that the comparison began with
	Compared  uint64 `json:"compared"`  // instructions executed on both sides and compared
	Mirrored  uint64 `json:"mirrored"`  // instructions taken over from the model
	Faults    uint64 `json:"faults"`    // exceptions compared
	Undefined uint64 `json:"undefined"` // instructions after which undefined flags differed
	Pages     uint64 `json:"pages"`     // comparisons of a 4 KiB page
	// Forms are the instruction forms compared, in the order of the table, as
	// mnemonic and encoding.
	Forms []string `json:"forms"`
	// Executed counts the instructions compared by form, an index into x86.ISA().
	Executed []uint64 `json:"-"`
	// Absent are the forms, among those mirrored, that the host's processor does
	// not have.
	Absent     []string    `json:"absent,omitempty"`
	End        string      `json:"end"` // why it ended
	Difference *Difference `json:"difference"`

	Stop sim.Stop `json:"-"` // how the machine stood at the end
}

// Difference is the first difference found.
type Difference struct {
	Instruction uint64 `json:"instruction"` // retired before the one that differs
	RIP         uint64 `json:"rip"`
	Code        string `json:"code"` // hexadecimal
	Text        string `json:"text"` // disassembly
	// Window is how many instructions the difference may be old, 1 when it is
	// certain that this instruction made it.
	Window uint64   `json:"window"`
	Fields []string `json:"fields"` // what differs: name, model's and processor's value
	Before string   `json:"before"` // general registers before the instruction
	Model  string   `json:"model"`  // general registers after it
	CPU    string   `json:"cpu"`

	from  uint64 // where memory was last known to be the same
	swept bool   // seen by a sweep only
}

func (d *Difference) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "instruction %d at rip %#x: %s  (%s)\n", d.Instruction, d.RIP, d.Text, d.Code)
	if d.Window > 1 {
		fmt.Fprintf(&b, "the difference may be up to %d instructions older\n", d.Window-1)
	}
	for _, f := range d.Fields {
		fmt.Fprintf(&b, "  %s\n", f)
	}
	for _, part := range []struct{ name, text string }{{"before", d.Before}, {"model", d.Model}, {"processor", d.CPU}} {
		fmt.Fprintf(&b, "%s:\n%s", part.name, part.text)
	}
	return b.String()
}

// NotHere is the error where a program cannot be run natively.
type NotHere struct{ Reason string }

func (e *NotHere) Error() string { return "lockstep with the host's processor: " + e.Reason }

// Run compares until the first difference, the end of the program or of
// Options.Max. A difference is in the report and no error. Errors: *NotHere;
// what Start returns; the machine ends before From; the host fails.
func Run(o Options) (*Report, error) {
	if o.Every == 0 {
		o.Every = DefaultEvery
	}
	if o.sweep == 0 {
		o.sweep = sweepEvery
	}
	r, err := compare(o)
	for err == nil && r.Difference != nil && r.Difference.Window > 1 {
		near, narrower := o.narrowed(r.Difference)
		if !narrower {
			break
		}
		again, failed := compare(near)
		if failed != nil || again.Difference == nil {
			break
		}
		o.Every, o.sweep, r.Difference = near.Every, near.sweep, again.Difference
	}
	return r, err
}

// narrowed is a run over the instructions that may have made a difference, with
// memory compared more often; ok is false when that cannot be.
func (o Options) narrowed(d *Difference) (near Options, ok bool) {
	near = o
	near.From, near.Max, near.Every, near.Progress = d.from, d.Instruction+1-d.from, 1, nil
	if d.swept {
		near.sweep = max(o.sweep/128, 1)
	}
	return near, near.Every < o.Every || near.sweep < o.sweep
}

var registerNames = strings.Fields("rax rcx rdx rbx rsp rbp rsi rdi r8 r9 r10 r11 r12 r13 r14 r15")

// registers formats general registers, four to a line.
func registers(s *x86.State) string {
	var b strings.Builder
	for i, v := range s.R {
		fmt.Fprintf(&b, "  %-3s %016x", registerNames[i], v)
		if i%4 == 3 {
			b.WriteByte('\n')
		}
	}
	fmt.Fprintf(&b, "  rip %016x  flags %#x  fs %x  gs %x\n", s.RIP, s.RFlags, s.FSBase, s.GSBase)
	return b.String()
}
