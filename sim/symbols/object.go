package symbols

import (
	"bytes"
	"debug/elf"
	"hash/crc32"
	"io"
	"path"
	"slices"
	"strings"
	"sync"

	"encoding/binary"
	"encoding/hex"
)

const pageMask = 4095

// object is an ELF file with what was read of it so far. Its methods may be called by
// several goroutines.
type object struct {
	mu    sync.Mutex
	file  *elf.File
	debug *elf.File // separate debug information; nil for none
	left  int64     // bytes of sections that may still be read, see section

	syms  *symtab
	dwarf *dwarfInfo
	cfi   *frameTable

	debugSize int64 // bytes of the separate file
}

// parse reads a file's headers; nil when it is no 64-bit x86 ELF file.
func parse(f File, name string, files Files) *object {
	e := readELF(f)
	if e == nil {
		return nil
	}
	o := &object{file: e, left: maxSections}
	if files != nil && e.Section(".debug_info") == nil {
		o.debug, o.debugSize = debugFile(e, name, files)
	}
	return o
}

// extra is how many bytes are kept beside the file's own.
func (o *object) extra() int64 {
	if o == nil {
		return 0
	}
	return o.debugSize
}

// guard turns what debug/elf and debug/dwarf may do over a hostile file into "nothing known".
func guard(fallback func()) {
	if recover() != nil {
		fallback()
	}
}

// readELF reads a file whole: what is kept must not hang on a machine that may be gone.
func readELF(f File) (e *elf.File) {
	defer guard(func() { e = nil })
	size := f.Size()
	if size <= 0 || size > maxFile {
		return nil
	}
	var magic [4]byte
	if n, _ := f.ReadAt(magic[:], 0); n < 4 || string(magic[:]) != elf.ELFMAG {
		return nil
	}
	data := make([]byte, size)
	if n, err := f.ReadAt(data, 0); int64(n) < size && err != nil {
		return nil
	}
	e, err := elf.NewFile(bytes.NewReader(data))
	if err != nil || e.Class != elf.ELFCLASS64 || e.Machine != elf.EM_X86_64 || e.Data != elf.ELFDATA2LSB {
		return nil
	}
	return e
}

// maxSections bounds the bytes of all sections that are read of one file; compressed
// ones count with what they claim to hold.
const maxSections = 1 << 30

// maxExpansion is how much larger than its file a section may be: deflate reaches 1032.
const maxExpansion = 64

// section returns a section's bytes, decompressed; nil when there is none, or none that
// may be read.
func (o *object) section(e *elf.File, name string) []byte {
	if e == nil {
		return nil
	}
	s := e.Section(name)
	if s == nil || s.Type == elf.SHT_NOBITS || s.Size > uint64(o.left) ||
		s.Size > maxExpansion*max(s.FileSize, 4096) {
		return nil
	}
	o.left -= int64(s.Size)
	data, err := s.Data()
	if err != nil {
		return nil
	}
	return data
}

// vaddr turns an address of a mapping into the file's own.
func (o *object) vaddr(m *Mapping, addr uint64) (uint64, bool) {
	off := addr - m.Start + m.Off
	best, found := uint64(0), false
	for _, exact := range []bool{true, false} {
		for _, p := range o.file.Progs {
			if p.Type != elf.PT_LOAD || off < p.Off&^pageMask {
				continue
			}
			if exact && (off < p.Off || off-p.Off >= p.Filesz) || !exact && off-p.Off >= p.Filesz+pageMask {
				continue
			}
			v := off - p.Off + p.Vaddr
			if m.Exec == (p.Flags&elf.PF_X != 0) {
				return v, true
			}
			if !found {
				best, found = v, true
			}
		}
	}
	return best, found
}

// debugFile looks for separate debug information: by build-id, then by the name in
// .gnu_debuglink, whose checksum must fit.
func debugFile(e *elf.File, name string, files Files) (*elf.File, int64) {
	id := buildID(e)
	if len(id) > 1 {
		h := hex.EncodeToString(id)
		if f := files.Open("/usr/lib/debug/.build-id/" + h[:2] + "/" + h[2:] + ".debug"); f != nil {
			if d := readELF(f); d != nil && bytes.Equal(buildID(d), id) {
				return d, f.Size()
			}
		}
	}
	link, sum, ok := debugLink(e)
	if !ok {
		return nil, 0
	}
	dir := path.Dir(name)
	for _, at := range []string{dir + "/" + link, dir + "/.debug/" + link, "/usr/lib/debug" + dir + "/" + link} {
		f := files.Open(path.Clean(at))
		if f == nil || f.Size() > maxFile || at == name {
			continue
		}
		h := crc32.NewIEEE()
		if _, err := io.Copy(h, io.NewSectionReader(f, 0, f.Size())); err != nil || h.Sum32() != sum {
			continue
		}
		if d := readELF(f); d != nil {
			return d, f.Size()
		}
	}
	return nil, 0
}

// maxNote bounds the sections that name a debug file, in bytes.
const maxNote = 1 << 16

// buildID returns the content of the note NT_GNU_BUILD_ID; nil for none.
func buildID(e *elf.File) []byte {
	s := e.Section(".note.gnu.build-id")
	if s == nil || s.Size > maxNote || s.Type != elf.SHT_NOTE {
		return nil
	}
	b, err := s.Data()
	for err == nil && len(b) >= 12 {
		nameSize, size, kind := binary.LittleEndian.Uint32(b),
			binary.LittleEndian.Uint32(b[4:]), binary.LittleEndian.Uint32(b[8:])
		b = b[12:]
		n, d := (uint64(nameSize)+3)&^3, (uint64(size)+3)&^3
		if n+uint64(size) > uint64(len(b)) {
			return nil
		}
		if kind == 3 && strings.TrimRight(string(b[:nameSize]), "\x00") == "GNU" {
			return b[n : n+uint64(size)]
		}
		b = b[min(n+d, uint64(len(b))):]
	}
	return nil
}

// debugLink returns the name and the CRC-32 of the debug file.
func debugLink(e *elf.File) (name string, sum uint32, ok bool) {
	s := e.Section(".gnu_debuglink")
	if s == nil || s.Size > maxNote || s.Type == elf.SHT_NOBITS {
		return "", 0, false
	}
	b, err := s.Data()
	end := slices.Index(b, 0)
	at := (end + 4) &^ 3
	if err != nil || end < 1 || at+4 > len(b) || strings.ContainsRune(string(b[:end]), '/') {
		return "", 0, false
	}
	return string(b[:end]), binary.LittleEndian.Uint32(b[at:]), true
}
