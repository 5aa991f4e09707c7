package symbols

import (
	"fmt"
	"io"
	"path"
	"slices"

	"zhuque/sim/x86"
)

// File is a file of the guest's as it is now.
type File interface {
	io.ReaderAt
	Size() int64 // bytes
	// Key is equal for equal contents and for no others, as a digest is; "" when
	// the file cannot be read.
	Key() string
}

// Files is the guest's file tree, in which debug files are looked for.
type Files interface {
	// Open returns the regular file at an absolute path; nil when there is none.
	Open(path string) File
}

// Mapping is a piece of the process's memory.
type Mapping struct {
	Start, End uint64
	Off        uint64 // of Start in File, in bytes
	Exec       bool
	Name       string // path, for people
	File       File   // nil: no file
}

// Process is what questions are about. Its zero value knows no address.
type Process struct {
	Cache    *Cache    // nil: nothing is remembered
	Files    Files     // nil: no separate debug files
	Mappings []Mapping // ascending, not overlapping
	// Memory copies memory and returns how many bytes were mapped from addr on; nil
	// for none.
	Memory func(addr uint64, buf []byte) int
}

// Location is what is known of an address. What is not known is empty.
type Location struct {
	Addr uint64 `json:"address"`

	Module string `json:"module,omitempty"` // the mapped file
	Offset uint64 `json:"offset,omitempty"` // in it, in bytes

	Symbol       string `json:"symbol,omitempty"` // of the symbol tables, "NAME@plt" for a stub
	SymbolOffset uint64 `json:"symbol_offset,omitempty"`

	Function string `json:"function,omitempty"` // by DWARF: the innermost inlined one
	File     string `json:"file,omitempty"`     // source file as the compiler named it, with its directory
	Line     int    `json:"line,omitempty"`     // from 1; 0: none

	Text string `json:"text,omitempty"` // the instruction, where there is no line
}

// HasLine reports whether a source line is known.
func (l Location) HasLine() bool { return l.Line > 0 }

// String returns the most telling form: "list.c:41 (push)", else
// "pmem_persist+0x1c (libpmem.so.1)" or "0x401136 (prog+0x1136)", each with its instruction.
func (l Location) String() string {
	name := l.Function
	if name == "" {
		name = l.Symbol
	}
	if l.HasLine() {
		s := fmt.Sprintf("%s:%d", path.Base(l.File), l.Line)
		if name != "" {
			s += " (" + name + ")"
		}
		return s
	}
	s := fmt.Sprintf("%#x", l.Addr)
	switch {
	case l.Symbol != "":
		s = fmt.Sprintf("%s+%#x", l.Symbol, l.SymbolOffset)
		if l.Module != "" {
			s += " (" + path.Base(l.Module) + ")"
		}
	case l.Module != "":
		s += fmt.Sprintf(" (%s+%#x)", path.Base(l.Module), l.Offset)
	default:
		s += " (no symbols)"
	}
	if l.Text != "" {
		s += ": " + l.Text
	}
	return s
}

// mapping returns the mapping that holds addr, nil for none.
func (p *Process) mapping(addr uint64) *Mapping {
	i, _ := slices.BinarySearchFunc(p.Mappings, addr, func(m Mapping, a uint64) int {
		if m.End <= a {
			return -1
		}
		return 1
	})
	if i < len(p.Mappings) && p.Mappings[i].Start <= addr {
		return &p.Mappings[i]
	}
	return nil
}

// At returns what is known of an address.
func (p *Process) At(addr uint64) Location { return p.at(addr, 0)[0] }

// at returns the location of the instruction that holds addr-back, named by addr:
// the innermost inlined function first, then those that it was inlined into. There is
// always one.
func (p *Process) at(addr, back uint64) []Location {
	l := Location{Addr: addr}
	m := p.mapping(addr - back)
	if m != nil && m.File != nil {
		l.Module, l.Offset = m.Name, addr-m.Start+m.Off
	}
	o, vaddr := p.object(m, addr-back)
	if o != nil {
		if s, ok := o.symbol(vaddr); ok {
			l.Symbol, l.SymbolOffset = s.name, vaddr+back-s.addr
		}
		if list := o.lines(vaddr); len(list) > 0 {
			all := make([]Location, len(list))
			for i, f := range list {
				all[i] = l
				all[i].Function, all[i].File, all[i].Line = f.function, f.file, f.line
			}
			return all
		}
	}
	l.Text = p.disassemble(addr - back)
	return []Location{l}
}

// maxInstruction is the longest instruction in bytes.
const maxInstruction = 15

// disassemble returns the instruction at addr; "" for memory that holds no code. An
// address behind a call, one byte into its instruction's end, has no text.
func (p *Process) disassemble(addr uint64) string {
	m := p.mapping(addr)
	if m == nil || !m.Exec || p.Memory == nil {
		return ""
	}
	var code [maxInstruction]byte
	text, n := x86.Disasm(code[:p.Memory(addr, code[:])], addr)
	if n == 0 {
		return ""
	}
	return text
}

// object returns the parsed file behind a mapping and the address that addr has in it.
func (p *Process) object(m *Mapping, addr uint64) (o *object, vaddr uint64) {
	if m == nil || m.File == nil {
		return nil, 0
	}
	o = p.Cache.object(m, p.Files)
	if o == nil {
		return nil, 0
	}
	vaddr, ok := o.vaddr(m, addr)
	if !ok {
		return nil, 0
	}
	return o, vaddr
}
