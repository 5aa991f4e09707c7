package symbols

import (
	"cmp"
	"debug/elf"
	"encoding/binary"
	"slices"
)

// symbol is a named range of addresses of a file.
type symbol struct {
	addr, size uint64 // size 0: not told
	end        uint64 // of its section: a symbol without a size reaches no further
	reach      uint64 // the highest end of a sized symbol up to here in the table
	name       string
	rank       uint8 // of several at one address the highest counts
}

// symtab is ascending by address.
type symtab []symbol

// symbol returns the symbol that holds an address: the innermost that covers it, else
// the last one without a size before it.
func (o *object) symbol(vaddr uint64) (symbol, bool) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.syms == nil {
		t := o.readSymbols()
		o.syms = &t
	}
	return o.syms.find(vaddr)
}

func (t symtab) find(vaddr uint64) (symbol, bool) {
	i, _ := slices.BinarySearchFunc(t, vaddr, func(s symbol, a uint64) int {
		if s.addr <= a {
			return -1
		}
		return 1
	})
	for i--; i >= 0; i-- {
		s := t[i]
		switch {
		case s.size == 0 && vaddr < s.end, s.size > 0 && vaddr-s.addr < s.size:
			return s, true
		case s.size > 0 && s.reach <= vaddr:
			// A symbol that ended; nothing before it reaches so far, and one without
			// a size ends where the next symbol begins.
			return symbol{}, false
		}
	}
	return symbol{}, false
}

// readSymbols merges .symtab of the file and its debug file, .dynsym and the stubs of
// the procedure linkage table.
func (o *object) readSymbols() (t symtab) {
	defer guard(func() { t = nil })
	e := o.file
	t = o.add(t, e, elf.SHT_SYMTAB)
	if len(t) == 0 && o.debug != nil {
		t = o.add(t, o.debug, elf.SHT_SYMTAB)
	}
	t = o.add(t, e, elf.SHT_DYNSYM)
	t = o.stubs(t)
	slices.SortStableFunc(t, func(a, b symbol) int {
		return cmp.Or(cmp.Compare(a.addr, b.addr), cmp.Compare(a.rank, b.rank))
	})
	var reach uint64
	for i := range t {
		reach = max(reach, t[i].addr+t[i].size)
		t[i].reach = reach
	}
	return t
}

// symbolSize is the size in bytes of a 64-bit symbol table entry.
const symbolSize = 24

// add appends the symbols of one table that name code or data.
func (o *object) add(t symtab, e *elf.File, kind elf.SectionType) symtab {
	s := e.SectionByType(kind)
	if s == nil || s.Link == 0 || int(s.Link) >= len(e.Sections) {
		return t
	}
	data, names := o.section(e, s.Name), o.section(e, e.Sections[s.Link].Name)
	for ; len(data) >= symbolSize; data = data[symbolSize:] {
		le := binary.LittleEndian
		typ, bind, index := elf.SymType(data[4]&15), elf.SymBind(data[4]>>4), int(le.Uint16(data[6:]))
		if index == 0 || index >= len(e.Sections) {
			continue
		}
		in := e.Sections[index]
		addr, size := le.Uint64(data[8:]), le.Uint64(data[16:])
		name := stringAt(names, uint64(le.Uint32(data)))
		if name == "" || in.Flags&elf.SHF_ALLOC == 0 || addr < in.Addr || addr-in.Addr >= max(in.Size, 1) ||
			in.Flags&elf.SHF_TLS != 0 {
			continue
		}
		sym := symbol{addr: addr, size: min(size, in.Addr+in.Size-addr), end: in.Addr + in.Size, name: name}
		switch typ {
		case elf.STT_FUNC, elf.STT_GNU_IFUNC, elf.STT_OBJECT:
			sym.rank = 4
		case elf.STT_NOTYPE:
		default:
			continue
		}
		if sym.size > 0 {
			sym.rank += 2
		}
		if bind == elf.STB_GLOBAL {
			sym.rank++
		}
		t = append(t, sym)
	}
	return t
}

// maxName bounds a symbol's name in bytes.
const maxName = 4096

func stringAt(table []byte, off uint64) string {
	if off >= uint64(len(table)) {
		return ""
	}
	b := table[off:]
	b = b[:min(len(b), maxName)]
	if end := slices.Index(b, 0); end >= 0 {
		b = b[:end]
	}
	return string(b)
}

// stubs appends "NAME@plt" for each stub of the procedure linkage table, found by the
// slot through which it jumps.
func (o *object) stubs(t symtab) symtab {
	e := o.file
	slots := map[uint64]string{}
	dyn := e.SectionByType(elf.SHT_DYNSYM)
	if dyn == nil || dyn.Link == 0 || int(dyn.Link) >= len(e.Sections) {
		return t
	}
	syms, names := o.section(e, dyn.Name), o.section(e, e.Sections[dyn.Link].Name)
	for _, name := range []string{".rela.plt", ".rela.dyn"} {
		for rel := o.section(e, name); len(rel) >= 24; rel = rel[24:] {
			info := binary.LittleEndian.Uint64(rel[8:])
			kind, index := elf.R_X86_64(info&0xffffffff), info>>32
			if kind != elf.R_X86_64_JMP_SLOT && kind != elf.R_X86_64_GLOB_DAT || index >= uint64(len(syms))/symbolSize {
				continue
			}
			if n := stringAt(names, uint64(binary.LittleEndian.Uint32(syms[index*symbolSize:]))); n != "" {
				slots[binary.LittleEndian.Uint64(rel)] = n
			}
		}
	}
	for _, s := range []struct {
		name  string
		bytes uint64
	}{{".plt", 16}, {".plt.sec", 16}, {".plt.got", 8}} {
		sec, code := e.Section(s.name), o.section(e, s.name)
		for off := uint64(0); off+s.bytes <= uint64(len(code)); off += s.bytes {
			stub := code[off : off+s.bytes]
			for i := 0; i+6 <= len(stub); i++ {
				if stub[i] != 0xff || stub[i+1] != 0x25 { // JMP [RIP+disp32]
					continue
				}
				slot := sec.Addr + off + uint64(i) + 6 + uint64(int64(int32(binary.LittleEndian.Uint32(stub[i+2:]))))
				if n := slots[slot]; n != "" {
					t = append(t,
						symbol{addr: sec.Addr + off, size: s.bytes, end: sec.Addr + off + s.bytes, name: n + "@plt", rank: 1})
				}
				break
			}
		}
	}
	return t
}
