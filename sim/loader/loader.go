// Package loader reads x86-64 ELF executables and "#!" scripts for the kernel to
// map. It trusts nothing in the file: every number is checked before use, and what
// Linux would refuse, or map in a way that cannot work, is refused with a reason.
//
// It reads program headers only; sections, symbols and debug data are of no
// concern here. It maps nothing and knows neither pages of memory nor files of the
// guest: it must not import the kernel. Sources: System V ABI, AMD64 supplement;
// elf(5); execve(2).
package loader

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
)

// Prot is a set of access rights, with the bits of mmap(2).
type Prot uint8

const (
	Read  Prot = 1
	Write Prot = 2
	Exec  Prot = 4
)

// Segment is one PT_LOAD of an Image. All are ascending and do not overlap, though
// two may share a page.
type Segment struct {
	VAddr    uint64 // address, before the load bias of a PIE
	Off      uint64 // offset in the file; equal to VAddr modulo the page size
	FileSize uint64 // bytes that come from the file
	MemSize  uint64 // bytes in memory, the rest zero; never less than FileSize
	Prot     Prot
}

// Phdr says where the program headers are in memory (AT_PHDR, AT_PHENT, AT_PHNUM).
type Phdr struct {
	VAddr uint64 // before the load bias; 0 when no segment holds them
	Ent   uint64 // bytes of an entry
	Num   uint64
}

// Image is an executable or a program interpreter, checked and ready to map.
type Image struct {
	Entry     uint64 // before the load bias
	PIE       bool   // position-independent: the kernel picks a load bias
	Segments  []Segment
	Interp    string // path of the program interpreter; "" when static
	Phdr      Phdr
	StackExec bool    // the stack must be executable: PT_GNU_STACK says so or is absent
	Low, High uint64  // page-aligned span of all segments, before the load bias
	Align     uint64  // of the load bias of a PIE, a power of two of at least a page
	Script    *Script // set, and nothing else, for a "#!" file
}

// Script is the first line of a "#!" file.
type Script struct {
	Interp string
	Arg    string // the one optional argument
}

// NotExecutable says why a file cannot be run. The caller fills in Path.
type NotExecutable struct {
	Path   string
	Reason string
}

func (e *NotExecutable) Error() string {
	return cmp.Or(e.Path, "this file") + " cannot be run: " + e.Reason
}

func refuse(format string, args ...any) error {
	return &NotExecutable{Reason: fmt.Sprintf(format, args...)}
}

const (
	pageSize   = 4096
	headerSize = 64
	phdrSize   = 56
	maxPhdrs   = 65536 / phdrSize // as Linux has it
	maxInterp  = 4096
	maxAddr    = 1<<47 - pageSize // end of the user address space
	maxLine    = 256              // of a script's first line
)

// Parse reads an executable of size bytes. Its errors are *NotExecutable, or what r
// gave.
func Parse(r io.ReaderAt, size int64) (*Image, error) {
	f := file{r, uint64(max(0, size))}
	head, err := f.bytes(0, min(headerSize, f.size))
	if err != nil {
		return nil, err
	}
	if strings.HasPrefix(string(head), "#!") {
		return f.script()
	}
	if err := f.checkHeader(head); err != nil {
		return nil, err
	}
	le := binary.LittleEndian
	im := &Image{
		Entry:     le.Uint64(head[24:]),
		PIE:       elf.Type(le.Uint16(head[16:])) == elf.ET_DYN,
		Phdr:      Phdr{Ent: phdrSize, Num: uint64(le.Uint16(head[56:]))},
		StackExec: true,
	}
	off := le.Uint64(head[32:])
	table, err := f.bytes(off, im.Phdr.Num*phdrSize)
	if err != nil {
		return nil, err
	}
	for ; len(table) > 0; table = table[phdrSize:] {
		if err := im.header(f, table[:phdrSize]); err != nil {
			return nil, err
		}
	}
	return im, im.finish(off)
}

// file is the reader with its size.
type file struct {
	r    io.ReaderAt
	size uint64
}

// bytes reads count bytes at off, which must be in the file.
func (f file) bytes(off, count uint64) ([]byte, error) {
	if err := f.within(off, count); err != nil {
		return nil, err
	}
	b := make([]byte, count)
	if n, err := f.r.ReadAt(b, int64(off)); n < len(b) {
		if errors.Is(err, io.EOF) || err == nil {
			err = refuse("it ended after %d bytes while it was read", off+uint64(n))
		}
		return nil, err
	}
	return b, nil
}

func (f file) within(off, count uint64) error {
	switch end := off + count; {
	case end < off:
		return refuse("its headers speak of bytes beyond the largest offset")
	case end > f.size:
		return refuse("truncated: needs %d bytes, file has %d", end, f.size)
	}
	return nil
}

// checkHeader checks everything in the ELF header but the offsets.
func (f file) checkHeader(h []byte) error {
	if len(h) < len(elf.ELFMAG) || string(h[:len(elf.ELFMAG)]) != elf.ELFMAG {
		return refuse("not an ELF file")
	}
	if f.size < headerSize {
		return refuse("truncated: needs %d bytes, file has %d", headerSize, f.size)
	}
	le := binary.LittleEndian
	if class := elf.Class(h[elf.EI_CLASS]); class == elf.ELFCLASS32 {
		return refuse("a 32-bit program (%s); only x86-64 runs here", machineName(machineOf(h)))
	} else if class != elf.ELFCLASS64 {
		return refuse("unknown ELF class %d", class)
	}
	if m := machineOf(h); m != elf.EM_X86_64 {
		return refuse("made for another machine: %s; only x86-64 runs here", machineName(m))
	}
	if elf.Data(h[elf.EI_DATA]) != elf.ELFDATA2LSB {
		return refuse("an x86-64 program in big-endian byte order")
	}
	if h[elf.EI_VERSION] != byte(elf.EV_CURRENT) {
		return refuse("unknown ELF version %d", h[elf.EI_VERSION])
	}
	switch t := elf.Type(le.Uint16(h[16:])); t {
	case elf.ET_EXEC, elf.ET_DYN:
	case elf.ET_REL:
		return refuse("an object file: it has yet to be linked")
	case elf.ET_CORE:
		return refuse("a core dump")
	default:
		return refuse("unknown ELF type %d", t)
	}
	if n := le.Uint16(h[54:]); n != phdrSize {
		return refuse("its program headers are %d bytes long, not %d", n, phdrSize)
	}
	if n := le.Uint16(h[56:]); n == 0 || n > maxPhdrs {
		return refuse("it has %d program headers; 1 to %d are possible", n, maxPhdrs)
	}
	return nil
}

func machineOf(h []byte) elf.Machine {
	if elf.Data(h[elf.EI_DATA]) == elf.ELFDATA2MSB {
		return elf.Machine(binary.BigEndian.Uint16(h[18:]))
	}
	return elf.Machine(binary.LittleEndian.Uint16(h[18:]))
}

func machineName(m elf.Machine) string {
	switch m {
	case elf.EM_AARCH64:
		return "ARM aarch64"
	case elf.EM_ARM:
		return "ARM"
	case elf.EM_386:
		return "Intel 386"
	case elf.EM_X86_64:
		return "x86-64 with 32-bit pointers (x32)"
	case elf.EM_RISCV:
		return "RISC-V"
	case elf.EM_PPC64:
		return "PowerPC 64"
	case elf.EM_S390:
		return "IBM S/390"
	case elf.EM_MIPS:
		return "MIPS"
	case elf.EM_LOONGARCH:
		return "LoongArch"
	}
	return strings.TrimPrefix(m.String(), "EM_")
}

// header takes in one program header.
func (im *Image) header(f file, p []byte) error {
	le := binary.LittleEndian
	flags := elf.ProgFlag(le.Uint32(p[4:]))
	off, vaddr := le.Uint64(p[8:]), le.Uint64(p[16:])
	fileSize, memSize, align := le.Uint64(p[32:]), le.Uint64(p[40:]), le.Uint64(p[48:])
	switch elf.ProgType(le.Uint32(p)) {
	case elf.PT_LOAD:
		return im.load(f, Segment{VAddr: vaddr, Off: off, FileSize: fileSize, MemSize: memSize, Prot: prot(flags)}, align)
	case elf.PT_INTERP:
		return im.interpreter(f, off, fileSize)
	case elf.PT_GNU_STACK:
		im.StackExec = flags&elf.PF_X != 0
	}
	return nil
}

func prot(f elf.ProgFlag) (p Prot) {
	if f&elf.PF_R != 0 {
		p |= Read
	}
	if f&elf.PF_W != 0 {
		p |= Write
	}
	if f&elf.PF_X != 0 {
		p |= Exec
	}
	return p
}

func (im *Image) load(f file, s Segment, align uint64) error {
	if s.MemSize == 0 && s.FileSize == 0 {
		return nil
	}
	n := len(im.Segments)
	switch {
	case s.FileSize > s.MemSize:
		return refuse("segment %d has %d bytes in the file but only %d in memory", n, s.FileSize, s.MemSize)
	case s.MemSize > maxAddr || s.VAddr > maxAddr-s.MemSize:
		return refuse("segment %d (%#x, %d bytes) lies outside the address space", n, s.VAddr, s.MemSize)
	case (s.VAddr-s.Off)%pageSize != 0:
		return refuse("segment %d: address %#x and file offset %#x differ within a page", n, s.VAddr, s.Off)
	case align&(align-1) != 0:
		return refuse("segment %d: alignment %d is no power of two", n, align)
	}
	if err := f.within(s.Off, s.FileSize); err != nil {
		return err
	}
	if n > 0 {
		if last := im.Segments[n-1]; s.VAddr < last.VAddr+last.MemSize {
			return refuse("segment %d (%#x) begins before segment %d ends (%#x)", n, s.VAddr, n-1, last.VAddr+last.MemSize)
		}
	}
	im.Align = max(im.Align, align, pageSize)
	im.Segments = append(im.Segments, s)
	return nil
}

func (im *Image) interpreter(f file, off, size uint64) error {
	if im.Interp != "" {
		return refuse("it names two program interpreters")
	}
	if size < 2 || size > maxInterp {
		return refuse("the name of its program interpreter is %d bytes long; 2 to %d are possible", size, maxInterp)
	}
	b, err := f.bytes(off, size)
	if err != nil {
		return err
	}
	name, rest, ended := strings.Cut(string(b), "\x00")
	if !ended || rest != "" || name == "" {
		return refuse("the name of its program interpreter, %q, is no terminated string", b)
	}
	im.Interp = name
	return nil
}

// finish checks and derives what depends on all headers; off is that of the program
// headers in the file.
func (im *Image) finish(off uint64) error {
	if len(im.Segments) == 0 {
		return refuse("it has no segment to load")
	}
	first, last := im.Segments[0], im.Segments[len(im.Segments)-1]
	im.Low = first.VAddr &^ (pageSize - 1)
	im.High = (last.VAddr + last.MemSize + pageSize - 1) &^ (pageSize - 1)
	if im.Align > maxAddr {
		return refuse("a segment asks for an alignment of %d", im.Align)
	}
	if !im.PIE && im.Low == 0 {
		return refuse("it asks to be loaded at address 0")
	}
	table := im.Phdr.Num * phdrSize // found in the segments: PT_PHDR may lie
	holds := func(s Segment) bool {
		return off >= s.Off && off-s.Off <= s.FileSize && s.FileSize-(off-s.Off) >= table
	}
	if i := slices.IndexFunc(im.Segments, holds); i >= 0 {
		im.Phdr.VAddr = im.Segments[i].VAddr + off - im.Segments[i].Off
	}
	runs := func(s Segment) bool {
		return s.Prot&Exec != 0 && im.Entry >= s.VAddr && im.Entry-s.VAddr < s.MemSize
	}
	// A shared object without an entry point parses: it may be an interpreter or
	// just not meant to be run, which shows when it is.
	if !slices.ContainsFunc(im.Segments, runs) && !(im.PIE && im.Entry == 0) {
		return refuse("its entry point %#x is in no executable segment", im.Entry)
	}
	return nil
}

// script reads a "#!" line.
func (f file) script() (*Image, error) {
	b, err := f.bytes(0, min(maxLine, f.size))
	if err != nil {
		return nil, err
	}
	line, _, ended := strings.Cut(string(b[2:]), "\n")
	if !ended && f.size > maxLine {
		return nil, refuse("the first line of the script is longer than %d bytes", maxLine-1)
	}
	if i := strings.IndexByte(line, 0); i >= 0 {
		line = line[:i]
	}
	line = strings.Trim(line, " \t")
	if line == "" {
		return nil, refuse("a script whose first line names no interpreter")
	}
	s := &Script{Interp: line}
	if i := strings.IndexAny(line, " \t"); i >= 0 {
		s.Interp, s.Arg = line[:i], strings.TrimLeft(line[i:], " \t")
	}
	return &Image{Script: s}, nil
}
