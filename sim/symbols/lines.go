package symbols

import (
	"cmp"
	"debug/dwarf"
	"debug/elf"
	"encoding/binary"
	"slices"
)

// Bounds of the work over one file's DWARF. The debug build of a database has some ten
// million entries and rows, of which the units that are asked about have few.
const (
	maxUnits   = 1 << 20
	maxSteps   = 1 << 24 // entries, ranges and rows that are read of a file in all
	maxInlined = 64      // inlined functions around one address
	maxOrigins = 8       // references from a function to its name
)

// place is a source position; of several the innermost comes first.
type place struct {
	function, file string
	line           int
}

// dwarfInfo is the debug information of a file.
type dwarfInfo struct {
	data  *dwarf.Data
	units []*unit
	spans []span // of all units
	steps int    // that may still be taken
}

// span is a range of addresses that belongs to something with an index.
type span struct {
	low, high uint64
	index     int
}

// unit is a compilation unit.
type unit struct {
	at        dwarf.Offset // of its first entry
	read      bool
	rows      []row
	files     []string
	functions []function
	ranges    []span // of functions, in the order of the entries: inner ones come later
}

// row is a row of the line table: it holds up to the next one's address.
type row struct {
	addr uint64
	line int32
	file int32 // in unit.files; -1: the end of a sequence
}

// function is one that was compiled or inlined.
type function struct {
	entry    dwarf.Offset // where its name is found
	name     string
	depth    int  // of nesting
	inlined  bool // then its caller is the next one around it, at:
	callFile int32
	callLine int32
}

// lines returns the source position of an address, the innermost inlined function
// first; none when it has no line.
func (o *object) lines(vaddr uint64) (list []place) {
	o.mu.Lock()
	defer o.mu.Unlock()
	defer guard(func() { list = nil })
	if o.dwarf == nil {
		o.dwarf = &dwarfInfo{}
		e := o.file
		if o.debug != nil && o.debug.Section(".debug_info") != nil {
			e = o.debug
		}
		o.readDWARF(e, o.dwarf)
	}
	return o.dwarf.at(vaddr)
}

// readDWARF finds the units of a file and the addresses of each.
func (o *object) readDWARF(e *elf.File, d *dwarfInfo) {
	info := o.section(e, ".debug_info")
	if len(info) == 0 {
		return
	}
	data, err := dwarf.New(o.section(e, ".debug_abbrev"), nil, nil, info, o.section(e, ".debug_line"), nil,
		o.section(e, ".debug_ranges"), o.section(e, ".debug_str"))
	if err != nil {
		return
	}
	for _, name := range []string{".debug_addr", ".debug_line_str", ".debug_str_offsets", ".debug_rnglists"} {
		if err := data.AddSection(name, o.section(e, name)); err != nil {
			return
		}
	}
	d.data, d.steps = data, maxSteps
	for _, at := range unitOffsets(info) {
		if !d.step(1) {
			return
		}
		r := data.Reader()
		r.Seek(at)
		entry, err := r.Next()
		if err != nil || entry == nil || entry.Tag != dwarf.TagCompileUnit {
			continue
		}
		ranges, err := data.Ranges(entry)
		if err != nil || !d.step(len(ranges)) {
			continue
		}
		for _, g := range ranges {
			if g[0] < g[1] && g[0] != 0 {
				d.spans = append(d.spans, span{g[0], g[1], len(d.units)})
			}
		}
		d.units = append(d.units, &unit{at: at})
	}
	slices.SortStableFunc(d.spans, func(a, b span) int { return cmp.Compare(a.low, b.low) })
}

// unitOffsets returns where the first entries of the compilation units lie.
func unitOffsets(info []byte) (list []dwarf.Offset) {
	le := binary.LittleEndian
	for off := uint64(0); off+11 <= uint64(len(info)) && len(list) < maxUnits; {
		size, head, word := uint64(le.Uint32(info[off:])), uint64(4), uint64(4)
		if size == 0xffffffff {
			if off+12+11 > uint64(len(info)) {
				break
			}
			size, head, word = le.Uint64(info[off+4:]), 12, 8
		}
		if size < 8 || size > uint64(len(info))-off-head {
			break
		}
		body := info[off+head:]
		first := off + head + 2 + word + 1 // version, abbreviations, address size
		if le.Uint16(body) >= 5 {
			first++                         // unit type
			if kind := body[2]; kind != 1 { // DW_UT_compile
				first = 0
			}
		}
		if first != 0 {
			list = append(list, dwarf.Offset(first))
		}
		off += head + size
	}
	return list
}

// step takes n steps of the bounded work; false when there are none left.
func (d *dwarfInfo) step(n int) bool {
	d.steps -= n
	return d.steps > 0
}

// maxOverlap is how many units may claim one address before the rest is not looked at.
const maxOverlap = 16

func (d *dwarfInfo) at(vaddr uint64) []place {
	i, _ := slices.BinarySearchFunc(d.spans, vaddr, func(s span, a uint64) int {
		if s.low <= a {
			return -1
		}
		return 1
	})
	for n := 0; i > 0 && n < maxOverlap; n++ {
		i--
		s := d.spans[i]
		if vaddr >= s.high {
			continue
		}
		u := d.units[s.index]
		if !u.read {
			u.read = true
			d.readUnit(u)
		}
		if list := d.places(u, vaddr); len(list) > 0 {
			return list
		}
	}
	return nil
}

// readUnit reads the line table and the functions of a unit.
func (d *dwarfInfo) readUnit(u *unit) {
	r := d.data.Reader()
	r.Seek(u.at)
	cu, err := r.Next()
	if err != nil || cu == nil {
		return
	}
	d.readRows(u, cu)
	var depth int
	for {
		e, err := r.Next()
		if err != nil || e == nil || !d.step(1) {
			return
		}
		switch e.Tag {
		case 0:
			if depth--; depth < 0 {
				return
			}
			continue
		case dwarf.TagSubprogram, dwarf.TagInlinedSubroutine:
			d.addFunction(u, e, depth)
		case dwarf.TagCompileUnit:
			return // of the next unit: this one has no children
		}
		if e.Children {
			depth++
		}
	}
}

func (d *dwarfInfo) addFunction(u *unit, e *dwarf.Entry, depth int) {
	ranges, err := d.data.Ranges(e)
	if err != nil || len(ranges) == 0 || !d.step(len(ranges)) {
		return
	}
	for _, g := range ranges {
		if g[0] < g[1] && g[0] != 0 {
			u.ranges = append(u.ranges, span{g[0], g[1], len(u.functions)})
		}
	}
	f := function{entry: e.Offset, depth: depth, inlined: e.Tag == dwarf.TagInlinedSubroutine, callFile: -1}
	if n, ok := e.Val(dwarf.AttrCallFile).(int64); ok && n >= 0 && n < int64(len(u.files)) {
		f.callFile = int32(n)
	}
	if n, ok := e.Val(dwarf.AttrCallLine).(int64); ok && n > 0 && n < 1<<31 {
		f.callLine = int32(n)
	}
	u.functions = append(u.functions, f)
}

// readRows reads the line table.
func (d *dwarfInfo) readRows(u *unit, cu *dwarf.Entry) {
	lr, err := d.data.LineReader(cu)
	if err != nil || lr == nil {
		return
	}
	index := map[*dwarf.LineFile]int32{}
	for _, f := range lr.Files() {
		name := ""
		if f != nil {
			name = f.Name
			index[f] = int32(len(u.files))
		}
		u.files = append(u.files, name)
	}
	var rows []row
	start := 0
	var sequences [][]row
	var e dwarf.LineEntry
	for lr.Next(&e) == nil && d.step(1) {
		rw := row{addr: e.Address, line: int32(min(e.Line, 1<<31-1)), file: -1}
		if !e.EndSequence && e.File != nil {
			if i, ok := index[e.File]; ok {
				rw.file = i
			}
		}
		rows = append(rows, rw)
		if e.EndSequence {
			if s := rows[start:]; s[0].addr != 0 {
				slices.SortStableFunc(s, func(a, b row) int { return cmp.Compare(a.addr, b.addr) })
				sequences = append(sequences, s)
			}
			start = len(rows)
		}
	}
	slices.SortStableFunc(sequences, func(a, b []row) int { return cmp.Compare(a[0].addr, b[0].addr) })
	for _, s := range sequences {
		if n := len(u.rows); n > 0 && u.rows[n-1].addr > s[0].addr {
			continue // overlaps the one before: no compiler writes that
		}
		u.rows = append(u.rows, s...)
	}
}

// places returns the source positions of an address in a unit.
func (d *dwarfInfo) places(u *unit, vaddr uint64) []place {
	i, _ := slices.BinarySearchFunc(u.rows, vaddr, func(r row, a uint64) int {
		if r.addr <= a {
			return -1
		}
		return 1
	})
	if i == 0 || u.rows[i-1].file < 0 || u.rows[i-1].line <= 0 {
		return nil
	}
	at := u.rows[i-1]
	file, line := at.file, at.line
	var list []place
	for _, f := range u.around(vaddr) {
		list = append(list, place{d.name(&u.functions[f]), u.files[file], int(line)})
		if !u.functions[f].inlined || u.functions[f].callFile < 0 {
			return list
		}
		file, line = u.functions[f].callFile, u.functions[f].callLine
	}
	if len(list) == 0 {
		list = []place{{"", u.files[file], int(line)}}
	}
	return list
}

// around returns the functions that hold an address, the innermost first.
func (u *unit) around(vaddr uint64) (list []int) {
	for _, s := range u.ranges {
		if s.low <= vaddr && vaddr < s.high && len(list) < maxInlined {
			list = append(list, s.index)
		}
	}
	slices.SortStableFunc(list, func(a, b int) int { return cmp.Compare(u.functions[b].depth, u.functions[a].depth) })
	return slices.Compact(list)
}

// name returns a function's name, found by way of what it is an instance of.
func (d *dwarfInfo) name(f *function) string {
	if f.name != "" || d.data == nil {
		return f.name
	}
	at := f.entry
	for range maxOrigins {
		if !d.step(1) {
			return ""
		}
		r := d.data.Reader()
		r.Seek(at)
		e, err := r.Next()
		if err != nil || e == nil {
			return ""
		}
		if n, ok := e.Val(dwarf.AttrName).(string); ok && n != "" {
			f.name = n[:min(len(n), maxName)]
			return f.name
		}
		next, ok := e.Val(dwarf.AttrAbstractOrigin).(dwarf.Offset)
		if !ok {
			next, ok = e.Val(dwarf.AttrSpecification).(dwarf.Offset)
		}
		if !ok {
			return ""
		}
		at = next
	}
	return ""
}
