package symbols

import (
	"cmp"
	"debug/elf"
	"slices"
)

// frameTable is the call frame information of a file, ascending by address.
type frameTable []*frameEntry

// cie is what several functions have in common.
type cie struct {
	codeAlign, dataAlign uint64
	returnColumn         uint64
	encoding             byte // of addresses
	augmented            bool // 'z': entries have augmentation data
	signal               bool // 'S': the frame of a signal's trampoline
	program              []byte
}

// frameEntry is a function's.
type frameEntry struct {
	low, high uint64
	cie       *cie
	program   []byte
}

// maxFrames bounds the entries that are read of a file; the largest programs have
// about a million.
const maxFrames = 1 << 22

// frameAt returns the call frame information of an address; nil for none.
func (o *object) frameAt(vaddr uint64) *frameEntry {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.cfi == nil {
		t := o.readFrames()
		o.cfi = &t
	}
	t := *o.cfi
	i, _ := slices.BinarySearchFunc(t, vaddr, func(f *frameEntry, a uint64) int {
		if f.low <= a {
			return -1
		}
		return 1
	})
	if i > 0 && vaddr < t[i-1].high {
		return t[i-1]
	}
	return nil
}

// readFrames merges .eh_frame and .debug_frame. Where both know an address, the first
// counts.
func (o *object) readFrames() (t frameTable) {
	defer guard(func() { t = nil })
	for _, s := range []struct {
		file *elf.File
		name string
	}{{o.file, ".eh_frame"}, {o.file, ".debug_frame"}, {o.debug, ".debug_frame"}} {
		if s.file == nil || s.file.Section(s.name) == nil {
			continue
		}
		p := frameParser{reader: reader{data: o.section(s.file, s.name)}, addr: s.file.Section(s.name).Addr,
			eh: s.name == ".eh_frame", cies: map[uint64]*cie{}}
		t = append(t, p.entries(maxFrames-len(t))...)
	}
	slices.SortStableFunc(t, func(a, b *frameEntry) int { return cmp.Compare(a.low, b.low) })
	return slices.CompactFunc(t, func(a, b *frameEntry) bool { return a.low == b.low })
}

// frameParser reads one section.
type frameParser struct {
	reader
	addr uint64 // of the section
	eh   bool   // .eh_frame, else .debug_frame
	cies map[uint64]*cie
}

func (p *frameParser) entries(most int) (t frameTable) {
	for p.left() >= 4 && len(t) < most {
		start := p.at
		body, id, idAt := p.record()
		if body == nil {
			if p.bad || !p.eh {
				break
			}
			continue // a terminator: the linker joins sections that have one each
		}
		if p.isCIE(id) {
			continue
		}
		from := id
		if p.eh {
			from = idAt - id
		}
		if from >= start && p.eh {
			continue
		}
		if f := p.fde(body, p.cieAt(from)); f != nil {
			t = append(t, f)
		}
	}
	return t
}

// record reads one entry's length and identity and leaves the reader behind the entry.
// body is a reader of what follows, over the section up to the entry's end.
func (p *frameParser) record() (body *reader, id, idAt uint64) {
	size, wide := p.uint(4), false
	if size == 0xffffffff {
		size, wide = p.uint(8), true
	}
	if p.bad || size == 0 || size > p.left() {
		p.bad = p.bad || size > p.left()
		return nil, 0, 0
	}
	idAt = p.at
	end := p.at + size
	body = &reader{data: p.data[:end], at: p.at}
	p.at = end
	switch {
	case !wide || p.eh:
		id = body.uint(4)
		if !p.eh && id == 0xffffffff {
			id = ^uint64(0)
		}
	default:
		id = body.uint(8)
	}
	return body, id, idAt
}

func (p *frameParser) isCIE(id uint64) bool {
	if p.eh {
		return id == 0
	}
	return id == ^uint64(0)
}

// cieAt returns the CIE at an offset, nil for one that is not understood.
func (p *frameParser) cieAt(off uint64) *cie {
	if c, known := p.cies[off]; known {
		return c
	}
	sub := frameParser{reader: reader{data: p.data, at: off}, addr: p.addr, eh: p.eh}
	var c *cie
	if body, id, _ := sub.record(); body != nil && p.isCIE(id) {
		c = sub.cie(body)
	}
	p.cies[off] = c
	return c
}

func (p *frameParser) cie(r *reader) *cie {
	version := r.byte()
	var augmentation []byte
	for b := r.byte(); b != 0 && len(augmentation) < 16; b = r.byte() {
		augmentation = append(augmentation, b)
	}
	if version == 4 && (r.byte() != 8 || r.byte() != 0) { // address size, segment size
		return nil
	}
	if version != 1 && version != 3 && version != 4 {
		return nil
	}
	c := &cie{codeAlign: r.uleb(), dataAlign: r.sleb()}
	if version == 1 {
		c.returnColumn = uint64(r.byte())
	} else {
		c.returnColumn = r.uleb()
	}
	if len(augmentation) > 0 {
		if augmentation[0] != 'z' {
			return nil
		}
		c.augmented = true
		size := r.uleb()
		end := r.at + size
		if size > r.left() {
			return nil
		}
		for _, a := range augmentation[1:] {
			switch a {
			case 'R':
				c.encoding = r.byte()
			case 'P':
				p.pointer(r, r.byte())
			case 'L':
				r.byte()
			case 'S':
				c.signal = true
			default:
				return nil
			}
		}
		r.at = end
	}
	if r.bad || c.returnColumn >= columns {
		return nil
	}
	c.program = r.data[r.at:]
	return c
}

// fde reads an entry behind the pointer to its CIE; nil for one that is not understood.
func (p *frameParser) fde(r *reader, c *cie) *frameEntry {
	if c == nil {
		return nil
	}
	low, ok := p.pointer(r, c.encoding)
	size, ok2 := p.pointer(r, c.encoding&0x0f)
	if !ok || !ok2 || r.bad || size == 0 || low+size < low || low == 0 {
		return nil
	}
	if c.augmented {
		r.take(r.uleb())
	}
	if r.bad {
		return nil
	}
	return &frameEntry{low: low, high: low + size, cie: c, program: r.data[r.at:]}
}

// pointer reads an address in one of the encodings DW_EH_PE; ok is false for one that
// needs the process's memory or cannot occur in a file.
func (p *frameParser) pointer(r *reader, encoding byte) (v uint64, ok bool) {
	if encoding == 0xff { // omit
		return 0, false
	}
	if encoding&0x70 == 0x50 { // aligned
		r.at = (r.at+p.addr+7)&^7 - p.addr
		return r.uint(8), !r.bad
	}
	at := p.addr + r.at
	switch encoding & 0x0f {
	case 0x00, 0x04, 0x0c:
		v = r.uint(8)
	case 0x01:
		v = r.uleb()
	case 0x02:
		v = r.uint(2)
	case 0x03:
		v = r.uint(4)
	case 0x09:
		v = r.sleb()
	case 0x0a:
		v = r.int(2)
	case 0x0b:
		v = r.int(4)
	default:
		r.bad = true
		return 0, false
	}
	switch encoding & 0x70 {
	case 0x00:
	case 0x10:
		v += at
	default:
		return v, false
	}
	return v, encoding&0x80 == 0 && !r.bad
}
