package loader

import (
	"bytes"
	"encoding/binary"
	"errors"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// prog is a program header as it stands in a file.
type prog struct {
	typ, flags                                  uint32
	off, vaddr, paddr, fileSize, memSize, align uint64
}

const (
	ptLoad, ptInterp, ptPhdr, ptStack = 1, 3, 6, 0x6474e551
	pfX, pfW, pfR                     = 1, 2, 4
)

// build makes an ELF file of the given size around the program headers.
func build(size int, typ uint16, entry uint64, progs ...prog) []byte {
	var b bytes.Buffer
	b.Write([]byte{0x7f, 'E', 'L', 'F', 2, 1, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0})
	for _, v := range []any{typ, uint16(62), uint32(1), entry, uint64(64), uint64(0), uint32(0),
		uint16(64), uint16(56), uint16(len(progs)), uint16(0), uint16(0), uint16(0)} {
		binary.Write(&b, binary.LittleEndian, v)
	}
	for _, p := range progs {
		binary.Write(&b, binary.LittleEndian, p)
	}
	out := make([]byte, max(size, b.Len()))
	copy(out, b.Bytes())
	return out
}

func text(vaddr, off, size uint64) prog {
	return prog{ptLoad, pfR | pfX, off, vaddr, vaddr, size, size, 4096}
}

func data(vaddr, off, fileSize, memSize uint64) prog {
	return prog{ptLoad, pfR | pfW, off, vaddr, vaddr, fileSize, memSize, 4096}
}

func static() []byte {
	return build(0x1100, 2, 0x400200, text(0x400000, 0, 0x1000), data(0x402080, 0x1080, 0x80, 0x4000),
		prog{typ: ptStack, flags: pfR | pfW})
}

func dynamic() []byte {
	b := build(0x1000, 3, 0x500, prog{ptPhdr, pfR, 64, 64, 64, 3 * 56, 3 * 56, 8},
		prog{ptInterp, pfR, 0x400, 0x400, 0x400, 6, 6, 1}, prog{ptLoad, pfR | pfX, 0, 0, 0, 0x1000, 0x1000, 0x200000})
	copy(b[0x400:], "/l/ld\x00")
	return b
}

func parse(b []byte) (*Image, error) { return Parse(bytes.NewReader(b), int64(len(b))) }

func TestParse(t *testing.T) {
	for _, c := range []struct {
		name string
		file []byte
		want *Image
	}{
		{"static", static(), &Image{Entry: 0x400200, Align: 4096, Low: 0x400000, High: 0x407000,
			Phdr: Phdr{0x400040, 56, 3}, Segments: []Segment{
				{0x400000, 0, 0x1000, 0x1000, Read | Exec}, {0x402080, 0x1080, 0x80, 0x4000, Read | Write}}}},
		{"dynamic", dynamic(), &Image{Entry: 0x500, PIE: true, Interp: "/l/ld", StackExec: true, Align: 0x200000,
			High: 0x1000, Phdr: Phdr{64, 56, 3}, Segments: []Segment{{0, 0, 0x1000, 0x1000, Read | Exec}}}},
		{"headers in no segment", build(0x2000, 2, 0x401000, text(0x401000, 0x1000, 0x1000)), &Image{Entry: 0x401000,
			StackExec: true, Align: 4096, Low: 0x401000, High: 0x402000, Phdr: Phdr{0, 56, 1},
			Segments: []Segment{{0x401000, 0x1000, 0x1000, 0x1000, Read | Exec}}}},
		{"script", []byte("#! /bin/sh  -e x \necho\n"), &Image{Script: &Script{"/bin/sh", "-e x"}}},
		{"script without newline", []byte("#!/bin/true"), &Image{Script: &Script{Interp: "/bin/true"}}},
	} {
		got, err := parse(c.file)
		if err != nil {
			t.Errorf("%s: %v", c.name, err)
		} else if d := cmp.Diff(c.want, got); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.name, d)
		}
	}
}

// edit returns the file with bytes replaced.
func edit(b []byte, at int, with ...byte) []byte {
	b = bytes.Clone(b)
	copy(b[at:], with)
	return b
}

func TestRefused(t *testing.T) {
	const max64 = ^uint64(0)
	exec := func(progs ...prog) []byte { return build(0x2000, 2, 0x400200, progs...) }
	for _, c := range []struct {
		file   []byte
		reason string
	}{
		{nil, "not an ELF file"},
		{[]byte("hello, world"), "not an ELF file"},
		{static()[:20], "truncated: needs 64 bytes, file has 20"},
		{static()[:100], "truncated: needs 232 bytes, file has 100"},
		{static()[:0x1090], "truncated: needs 4352 bytes, file has 4240"},
		{edit(static(), 18, 183), "another machine: ARM aarch64"},
		{edit(edit(static(), 4, 1), 18, 3), "32-bit program (Intel 386)"},
		{edit(edit(static(), 5, 2), 18, 0, 22), "another machine: IBM S/390"},
		{edit(static(), 5, 2, 1), "another machine"}, // EM_X86_64 read the other way round
		{edit(static(), 16, 1), "yet to be linked"},
		{edit(static(), 16, 4), "core dump"},
		{edit(static(), 54, 32), "32 bytes long"},
		{edit(static(), 56, 0), "0 program headers"},
		{edit(static(), 56, 255, 255), "65535 program headers"},
		{edit(static(), 32, 255, 255, 255, 255, 255, 255, 255, 255), "beyond the largest offset"},
		{exec(prog{typ: ptStack}), "no segment to load"},
		{exec(text(0x400000, 0, 0x3000)), "needs 12288 bytes, file has 8192"},
		{exec(text(0x400000, max64-0xfff, 0x1000)), "beyond the largest offset"},
		{exec(text(max64-0xfff, 0, 0x1000)), "outside the address space"},
		{exec(data(0x400000, 0, 0x100, max64)), "outside the address space"},
		{exec(data(0x400000, 0, 0x100, 0x80)), "256 bytes in the file but only 128 in memory"},
		{exec(text(0x400010, 0, 0x1000)), "differ within a page"},
		{exec(text(0x400000, 0, 0x1000), data(0x400800, 0x800, 0x800, 0x800)), "before segment 0 ends"},
		{exec(text(0x402000, 0, 0x1000), text(0x400000, 0, 0x1000)), "before segment 0 ends"},
		{exec(text(0x500000, 0, 0x1000)), "entry point 0x400200"},
		{exec(data(0x400000, 0, 0x1000, 0x1000)), "entry point 0x400200"},
		{exec(text(0, 0, 0x1000)), "address 0"},
		{exec(prog{ptLoad, pfR, 0, 0x400000, 0, 1, 1, 3}), "no power of two"},
		{edit(dynamic(), 0x405, 'x'), "no terminated string"},
		{exec(prog{typ: ptInterp, off: 0, fileSize: 1 << 40}), "1099511627776 bytes long"},
		{[]byte("#!\n"), "names no interpreter"},
		{[]byte("#!" + strings.Repeat("x", 300)), "longer than 255 bytes"},
	} {
		im, err := parse(c.file)
		var no *NotExecutable
		if !errors.As(err, &no) || !strings.Contains(no.Reason, c.reason) {
			t.Errorf("got %v, %v; want a refusal that says %q", im, err, c.reason)
		}
	}
}

// A reader that fails is the host's fault, not the file's.
func TestReadError(t *testing.T) {
	broken := errors.New("broken")
	if _, err := Parse(failing{broken}, 4096); !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
}

type failing struct{ err error }

func (f failing) ReadAt([]byte, int64) (int, error) { return 0, f.err }

// The test binary itself is an executable made by a real linker.
func TestOwnBinary(t *testing.T) {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		t.Skip("the test binary is no x86-64 ELF file here")
	}
	path, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	fi, err := f.Stat()
	if err != nil {
		t.Fatal(err)
	}
	im, err := Parse(f, fi.Size())
	if err != nil {
		t.Fatal(err)
	}
	if len(im.Segments) < 3 || im.Phdr.VAddr == 0 || im.StackExec {
		t.Errorf("unlikely image: %+v", im)
	}
}

// FuzzParse holds every accepted image against what the kernel relies on.
func FuzzParse(f *testing.F) {
	for _, b := range [][]byte{static(), dynamic(), []byte("#!/bin/sh -e\n"), static()[:100]} {
		f.Add(b)
	}
	f.Fuzz(func(t *testing.T, b []byte) {
		im, err := parse(b)
		if err != nil {
			var no *NotExecutable
			if !errors.As(err, &no) {
				t.Fatalf("untyped error %v", err)
			}
			return
		}
		if im.Script != nil {
			if im.Script.Interp == "" || len(im.Segments) != 0 {
				t.Fatalf("%+v", im)
			}
			return
		}
		at := im.Low
		for _, s := range im.Segments {
			if s.VAddr < at || s.FileSize > s.MemSize || s.Off+s.FileSize > uint64(len(b)) || s.VAddr%4096 != s.Off%4096 {
				t.Fatalf("bad segment %+v", s)
			}
			at = s.VAddr + s.MemSize
		}
		if at > im.High || im.High > 1<<47 || im.Low%4096 != 0 ||
			im.High%4096 != 0 || im.Low >= im.High || im.Align&(im.Align-1) != 0 {
			t.Fatalf("bad span %+v", im)
		}
		if strings.Contains(im.Interp, "\x00") {
			t.Fatalf("bad interpreter %q", im.Interp)
		}
	})
}
