package x86

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/klauspost/compress/zstd"

	"zhuque/sim/phys"
)

// Recorded cases: what a processor did, for machines that have none like it.
// testdata/vectors holds a file for each CPUID feature, written by
// TestAgainstHost -record and by nothing else.
//
// A file is zstd-compressed: the magic, the processor, the layout of memory
// (five numbers), then the rows. A row is encoding, mnemonic, operands and its
// cases. A case is code, address of the code, the words of State that are not
// those of vectorBase, scratch memory where it is not hwBackground, the
// exception, the words that changed and the memory that changed. Numbers are
// varints, strings and bytes have their length in front, lists their count.

const vectorMagic = "zhuque vectors 1\n"

// recordCommand is what writes vectors and oracle.csv.
const recordCommand = "go test ./sim/x86 -run TestAgainstHost -record -timeout 30m"

// stateWord is a word of State that has a certain value.
type stateWord struct {
	index int
	value uint64
}

// memoryBytes is memory that has certain contents.
type memoryBytes struct {
	addr uint64
	data []byte
}

// vector is one instruction as a processor executed it.
type vector struct {
	code   []byte
	rip    uint64
	before []stateWord // against vectorBase
	memory []memoryBytes
	fault  *hwFault
	after  []stateWord // against before
	stored []memoryBytes
}

// vectorRow is the vectors of a row.
type vectorRow struct {
	enc, name, args string
	vectors         []vector
}

func (r *vectorRow) key() string { return rowKey(r.enc, r.name, r.args) }

// vectorFile is the vectors of a feature.
type vectorFile struct {
	processor string
	layout    hwLayout
	rows      []vectorRow
}

// stateWords is State as a list of words: general registers, RIP, flags, segment
// bases, vector registers, MXCSR, x87, selectors.
func stateWords(s *State) (w []uint64) {
	w = append(w, s.R[:]...)
	w = append(w, s.RIP, s.RFlags, s.FSBase, s.GSBase)
	for i := range s.V {
		w = append(w, s.V[i][:]...)
	}
	w = append(w, uint64(s.MXCSR), uint64(s.FPU.CW), uint64(s.FPU.SW), uint64(s.FPU.Tag))
	for _, r := range s.FPU.Reg {
		w = append(w, r.Mant, uint64(r.SE))
	}
	for _, sel := range s.Sel {
		w = append(w, uint64(sel))
	}
	return w
}

// stateOf is the inverse of stateWords.
func stateOf(w []uint64) (s State) {
	take := func(n int) (head []uint64) {
		head, w = w[:n], w[n:]
		return head
	}
	copy(s.R[:], take(16))
	m := take(4)
	s.RIP, s.RFlags, s.FSBase, s.GSBase = m[0], m[1], m[2], m[3]
	for i := range s.V {
		copy(s.V[i][:], take(4))
	}
	m = take(4)
	s.MXCSR, s.FPU.CW, s.FPU.SW, s.FPU.Tag = uint32(m[0]), uint16(m[1]), uint16(m[2]), uint8(m[3])
	for i := range s.FPU.Reg {
		r := take(2)
		s.FPU.Reg[i] = F80{Mant: r[0], SE: uint16(r[1])}
	}
	for i, sel := range take(4) {
		s.Sel[i] = uint16(sel)
	}
	return s
}

// vectorBase is the state against which recorded ones are written down: numbers
// that differ everywhere, x87 registers full, everything masked.
func vectorBase() (s State) {
	for i := range s.R {
		s.R[i] = uint64(i+1) * 0x1122_3344_5566_7788
	}
	for i := range s.V {
		n := uint64(i + 1)
		s.V[i] = Vec{n * 0x0123_4567_89AB_CDEF, n * 0x0FED_CBA9_8765_4321,
			n * 0x1032_5476_98BA_DCFE, n * 0x0EFC_DAB8_9674_5230}
	}
	for i := range s.FPU.Reg {
		s.FPU.Reg[i] = F80{Mant: 1<<63 | uint64(i)<<40, SE: uint16(0x3FFF + i)}
	}
	s.RFlags, s.MXCSR, s.FPU.CW, s.FPU.Tag = flagsFixed, 0x1F80, 0x37F, 0xFF
	return s
}

// wordsAgainst lists where s differs from base.
func wordsAgainst(base, s *State) (list []stateWord) {
	b := stateWords(base)
	for i, v := range stateWords(s) {
		if v != b[i] {
			list = append(list, stateWord{i, v})
		}
	}
	return list
}

// applied is base with some words replaced.
func applied(base *State, list []stateWord) State {
	w := stateWords(base)
	for _, x := range list {
		w[x.index] = x.value
	}
	return stateOf(w)
}

// memoryAgainst lists where now, memory from va on, differs from before.
func memoryAgainst(before, now []byte, va uint64) (list []memoryBytes) {
	for i := 0; i < len(now); i++ {
		if now[i] == before[i] {
			continue
		}
		start := i
		for i < len(now) && now[i] != before[i] {
			i++
		}
		list = append(list, memoryBytes{va + uint64(start), slices.Clone(now[start:i])})
	}
	return list
}

// vectorWriter appends what a file is made of.
type vectorWriter struct{ bytes.Buffer }

func (w *vectorWriter) number(n uint64) { w.Write(binary.AppendUvarint(nil, n)) }
func (w *vectorWriter) text(s string)   { w.number(uint64(len(s))); w.WriteString(s) }

func (w *vectorWriter) words(list []stateWord) {
	w.number(uint64(len(list)))
	for _, x := range list {
		w.number(uint64(x.index))
		w.number(x.value)
	}
}

func (w *vectorWriter) bytes(list []memoryBytes, base uint64) {
	w.number(uint64(len(list)))
	for _, x := range list {
		w.number(x.addr - base)
		w.text(string(x.data))
	}
}

func (f *vectorFile) encode() ([]byte, error) {
	w := &vectorWriter{}
	w.WriteString(vectorMagic)
	w.text(f.processor)
	for _, n := range []uint64{f.layout.slot, f.layout.scratch, f.layout.size, f.layout.flow, f.layout.flowLen} {
		w.number(n)
	}
	w.number(uint64(len(f.rows)))
	for _, r := range f.rows {
		w.text(r.enc)
		w.text(r.name)
		w.text(r.args)
		w.number(uint64(len(r.vectors)))
		for _, v := range r.vectors {
			w.text(string(v.code))
			w.number(v.rip)
			w.words(v.before)
			w.bytes(v.memory, f.layout.scratch)
			if v.fault == nil {
				w.number(0)
			} else {
				w.number(v.fault.vector + 1)
				w.number(v.fault.code)
				w.number(v.fault.addr)
			}
			w.words(v.after)
			w.bytes(v.stored, f.layout.scratch)
		}
	}
	z, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedBestCompression), zstd.WithEncoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	return z.EncodeAll(w.Bytes(), nil), z.Close()
}

// vectorReader is the inverse; what is wrong with the text stays in err.
type vectorReader struct {
	b   []byte
	err error
}

func (r *vectorReader) number() uint64 {
	v, n := binary.Uvarint(r.b)
	if n <= 0 {
		r.b, r.err = nil, fmt.Errorf("the file ends early")
		return 0
	}
	r.b = r.b[n:]
	return v
}

func (r *vectorReader) text() string {
	n := r.number()
	if n > uint64(len(r.b)) {
		r.b, r.err = nil, fmt.Errorf("the file ends early")
		return ""
	}
	s := string(r.b[:n])
	r.b = r.b[n:]
	return s
}

// list calls read as often as a count says.
func (r *vectorReader) list(read func()) {
	for n := r.number(); n > 0 && r.err == nil; n-- {
		read()
	}
}

func (r *vectorReader) words() (list []stateWord) {
	r.list(func() { list = append(list, stateWord{int(r.number()), r.number()}) })
	return list
}

func (r *vectorReader) bytes(base uint64) (list []memoryBytes) {
	r.list(func() { list = append(list, memoryBytes{base + r.number(), []byte(r.text())}) })
	return list
}

func decodeVectors(compressed []byte) (*vectorFile, error) {
	z, err := zstd.NewReader(nil, zstd.WithDecoderConcurrency(1))
	if err != nil {
		return nil, err
	}
	defer z.Close()
	b, err := z.DecodeAll(compressed, nil)
	if err != nil {
		return nil, err
	}
	b, ok := bytes.CutPrefix(b, []byte(vectorMagic))
	if !ok {
		return nil, fmt.Errorf("the file does not begin with %q", vectorMagic)
	}
	r := &vectorReader{b: b}
	f := &vectorFile{processor: r.text()}
	for _, n := range []*uint64{&f.layout.slot, &f.layout.scratch, &f.layout.size, &f.layout.flow, &f.layout.flowLen} {
		*n = r.number()
	}
	r.list(func() {
		row := vectorRow{enc: r.text(), name: r.text(), args: r.text()}
		r.list(func() {
			v := vector{code: []byte(r.text()), rip: r.number(), before: r.words(), memory: r.bytes(f.layout.scratch)}
			if n := r.number(); n > 0 {
				v.fault = &hwFault{n - 1, r.number(), r.number()}
			}
			v.after, v.stored = r.words(), r.bytes(f.layout.scratch)
			row.vectors = append(row.vectors, v)
		})
		f.rows = append(f.rows, row)
	})
	return f, r.err
}

// replay runs the model on a vector and returns the differences.
func (m *hwModel) replay(row *Row, v *vector) (diff []string) {
	m.fill(m.scratch, hwBackground)
	m.fill(m.flow, make([]byte, m.flowLen))
	m.put(m.slot, make([]byte, 32))
	for _, x := range v.memory {
		m.put(x.addr, x.data)
	}
	m.put(v.rip, v.code)
	base := vectorBase()
	start := applied(&base, v.before)
	start.RIP = v.rip
	scratch, flow := m.contents(m.scratch, m.size), m.contents(m.flow, m.flowLen)
	got, stop := m.execute(&start)
	if stop.Reason == StopUnsupported {
		return []string{stop.Unsup.Error()}
	}
	for _, x := range v.stored {
		if m.inScratch(x.addr) {
			copy(scratch[x.addr-m.scratch:], x.data)
		} else {
			copy(flow[x.addr-m.flow:], x.data)
		}
	}
	diff = append(diff, compareFaults(row, stop, v.fault)...)
	diff = append(diff, compareStates(row, got, applied(&start, v.after))...)
	diff = append(diff, m.compareMemory(row, m.scratch, scratch)...)
	return append(diff, m.compareMemory(row, m.flow, flow)...)
}

// contents copies whole pages.
func (m *hwModel) contents(va, n uint64) []byte {
	b := make([]byte, n)
	for i := uint64(0); i < n; i += phys.PageSize {
		copy(b[i:], m.page(va+i))
	}
	return b
}

const vectorDir = "testdata/vectors"

// vectorPath is where the vectors of a feature are.
func vectorPath(feature string) string {
	if feature == "" {
		feature = "base"
	}
	return filepath.Join(vectorDir, strings.ToLower(feature)+".zst")
}

func readVectors(path string) (*vectorFile, error) {
	b, err := os.ReadFile(path)
	if err != nil {
		return nil, err
	}
	f, err := decodeVectors(b)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return f, nil
}

// TestVectors runs the model on every recorded case, on any kind of machine.
func TestVectors(t *testing.T) {
	byKey := map[string]*Row{}
	for i := range rows {
		byKey[rows[i].key()] = &rows[i]
	}
	paths, err := filepath.Glob(filepath.Join(vectorDir, "*.zst"))
	if err != nil || len(paths) == 0 {
		t.Fatalf("no vectors in %s: %v; they are written by\n\t%s", vectorDir, err, recordCommand)
	}
	seen, cases, faults := map[string]int{}, 0, 0
	for _, path := range paths {
		f, err := readVectors(path)
		if err != nil {
			t.Fatal(err)
		}
		m := newHWModel(f.layout)
		for _, r := range f.rows {
			row := byKey[r.key()]
			if row == nil || vectorPath(row.Feature) != filepath.ToSlash(path) && vectorPath(row.Feature) != path {
				t.Errorf("%s: %s %s %s is not in the table, or not there; write it again with\n\t%s",
					path, r.enc, r.name, r.args, recordCommand)
				continue
			}
			for i := range r.vectors {
				v := &r.vectors[i]
				cases++
				if v.fault != nil {
					faults++
				}
				if diff := m.replay(row, v); len(diff) > 0 {
					t.Errorf("%s: %s (%s %s), case %d, % x at %#x, recorded on %s:\n\t%s", path,
						r.enc, r.name, r.args, i, v.code, v.rip, f.processor, strings.Join(diff, "\n\t"))
				}
			}
			seen[r.key()] += len(r.vectors)
		}
	}
	for i := range rows {
		r := &rows[i]
		o, _ := oracles()(r)
		if r.Pick != nil && o.oracle == OracleHost && seen[r.key()] < 4 {
			t.Errorf("%s (%s %s): %d vectors; they are written by\n\t%s", r.Enc, r.Name, r.Args, seen[r.key()], recordCommand)
		}
	}
	t.Logf("%d cases of %d rows, %d of them with an exception", cases, len(seen), faults)
}

// TestOracleTable: oracle.csv and the table agree, row by row.
func TestOracleTable(t *testing.T) {
	list, err := parseOracle(oracleCSV)
	if err != nil {
		t.Fatal(err)
	}
	left := map[string]oracleRecord{}
	for _, r := range list {
		if _, twice := left[r.key()]; twice {
			t.Errorf("%s is there twice", r.key())
		}
		left[r.key()] = r
	}
	for i := range rows {
		row := &rows[i]
		if row.Pick == nil {
			continue
		}
		r, ok := left[row.key()]
		delete(left, row.key())
		switch {
		case !ok || r.digest != row.digest():
			t.Errorf("%s (%s %s): new or changed since it was compared; do that with\n\t%s",
				row.Enc, row.Name, row.Args, recordCommand)
		case r.oracle == OracleHost && r.cases < fullCases:
			t.Errorf("%s (%s %s): %d cases compared, expected %d", row.Enc, row.Name, row.Args, r.cases, fullCases)
		case r.oracle == OracleHost && (r.processor == "" || r.reason != ""),
			r.oracle == OracleUnit && (r.cases != 0 || r.reason == ""),
			r.oracle != OracleHost && r.oracle != OracleUnit:
			t.Errorf("%s (%s %s): %q", row.Enc, row.Name, row.Args, r.fields())
		}
	}
	for key := range left {
		t.Errorf("%s is in oracle.csv, but not in the table; write it again with\n\t%s", key, recordCommand)
	}
}

// fullCases is how many cases of a row a full run compares.
const fullCases = 10_000
