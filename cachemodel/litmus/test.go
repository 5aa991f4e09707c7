package litmus

import (
	"fmt"
	"strings"
)

// Test is one litmus test.
type Test struct {
	Name       string
	Doc        string
	File       string
	Locations  []Location
	Sections   [][]Thread // what runs before the first cut, then after it, and so on
	Conditions []Condition

	observed []term // what conditions speak of, each once, in order
	regs     []term // all registers
	instrs   []string
}

// Location is a named place in persistent memory: Count words of Size bytes, one
// after the other.
type Location struct {
	Name        string
	Addr        int // from the beginning of line 0
	Size, Count int
	Initial     uint64 // of each word
}

// Thread is a column of the table: each thread has a core of its own.
type Thread struct {
	Name   string
	Instrs []Instr
}

// Op is what an instruction does.
type Op uint8

// The instructions.
const (
	Store Op = iota
	NTStore
	Load
	CLFLUSH
	CLFLUSHOPT
	CLWB
	SFENCE
	MFENCE
	LFENCE
	Serialize
	Interrupt
	Xadd
	Xchg
	CmpXchg
	If // the thread ends unless Reg, or the word, equals Values[0]; with Not, if it does
	Print
)

// Instr is one instruction.
type Instr struct {
	Op     Op
	Text   string
	Addr   int // of a memory operand
	Size   int
	Mem    bool
	Reg    int       // index in the test's registers of what it writes or tests; -1 for none
	Values []operand // what it stores or adds; compared value first
	Not    bool

	id int // index of Text in the test's instructions
}

// operand is a number or a register.
type operand struct {
	value uint64
	reg   int // -1 for a number
}

// Quantifier is what a condition says of the outcomes.
type Quantifier string

// The quantifiers.
const (
	Exists Quantifier = "exists" // some outcome has it
	Never  Quantifier = "never"  // none has it
	Forall Quantifier = "forall" // all have it
)

// Condition is what the persistency rules say of a test in one domain or in both.
type Condition struct {
	ADR, EADR  bool
	Quantifier Quantifier
	Text       string // of the expression
	Line       int
	expr       expr
}

func (c *Condition) String() string { return string(c.Quantifier) + " " + c.Text }

// term is what a condition can ask for: a word of memory, or a register of a
// thread. Two registers are always there: prints, how often the thread printed,
// and done, 1 when the thread has ended and its fences have left.
type term struct {
	name      string
	addr      int
	size      int
	thread    int // of all sections; -1 for memory
	register  string
	index     int // of the register
	section   int
	threadSec int // within its section
}

// expr is a condition over the values of the observed terms.
type expr interface{ holds(v []uint64) bool }

type (
	and []expr
	or  []expr
	not struct{ e expr }
	is  struct {
		term  int
		value uint64
		not   bool
	}
)

func (a and) holds(v []uint64) bool {
	for _, e := range a {
		if !e.holds(v) {
			return false
		}
	}
	return true
}

func (o or) holds(v []uint64) bool {
	for _, e := range o {
		if e.holds(v) {
			return true
		}
	}
	return false
}

func (n not) holds(v []uint64) bool { return !n.e.holds(v) }
func (i is) holds(v []uint64) bool  { return (v[i.term] == i.value) != i.not }

// Error is bad input: a file, a line and a sentence.
type Error struct {
	File string
	Line int
	Text string
}

func (e *Error) Error() string { return fmt.Sprintf("%s:%d: %s", e.File, e.Line, e.Text) }

// Title is the first sentence about the test.
func (t *Test) Title() string {
	first, _, _ := strings.Cut(t.Doc, "\n")
	return first
}
