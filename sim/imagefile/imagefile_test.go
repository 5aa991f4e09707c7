package imagefile

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"zhuque/sim/det"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// life is what a run would put into a file, remade for each checkpoint.
type life struct {
	r      *rand.Rand
	memory map[uint64]*mem.Page
	files  map[uint64]*mem.Page
	next   uint64
	tree   []byte
	c      Checkpoint
}

func newLife(seed uint64) *life {
	return &life{r: det.Stream(seed, "life"), memory: map[uint64]*mem.Page{},
		files: map[uint64]*mem.Page{}, tree: []byte("a tree")}
}

func (l *life) clone() *life {
	c := *l
	c.memory, c.files = map[uint64]*mem.Page{}, map[uint64]*mem.Page{}
	for k, p := range l.memory {
		q := *p
		c.memory[k] = &q
	}
	for k, p := range l.files {
		c.files[k] = p
	}
	return &c
}

// step changes some of everything.
func (l *life) step() {
	n := func(k int) uint64 { return l.r.Uint64N(uint64(k)) }
	for range 1 + n(4) {
		f := uint64(phys.PMEMBase.Frame()) + n(12)*n(5000)
		switch {
		case n(8) == 0:
			delete(l.memory, f)
			continue
		case l.memory[f] == nil:
			l.memory[f] = new(mem.Page)
		}
		for range n(4) {
			l.memory[f][n(phys.PageSize)] = byte(l.r.Uint64())
		}
	}
	if n(2) == 0 {
		l.files[l.next] = &mem.Page{byte(l.next), 1}
		l.next++
	}
	for k := range l.next {
		if n(6) == 0 {
			delete(l.files, k)
		}
	}
	l.tree = append(bytes.Clone(l.tree), make([]byte, n(6000))...)
	l.tree = l.tree[:len(l.tree)-int(n(len(l.tree)))]
	if len(l.tree) > 0 {
		l.tree[n(len(l.tree))]++
	}
	l.c = Checkpoint{Retired: l.c.Retired + 100, Outages: 3, DirtyShutdowns: 1,
		PowerCycles: l.c.PowerCycles + 1, Consumed: l.c.Consumed + n(5), Note: l.c.Note,
		Before: [2]uint64{n(9), n(9)}, Sinks: [2]Sink{{1, n(100), 3}, {}}}
	for range n(3) {
		l.c.Output = append(l.c.Output, Piece{1 + int(n(2)), []byte("output"[:n(7)])})
	}
}

func puts(from, to *life) func(*Pages) {
	return func(p *Pages) {
		for space, m := range [][2]map[uint64]*mem.Page{{from.memory, to.memory}, {from.files, to.files}} {
			var all []uint64
			for _, side := range m {
				for k := range side {
					all = append(all, k)
				}
			}
			slices.Sort(all)
			for _, k := range slices.Compact(all) {
				p.Put(Memory+Space(space), k, m[0][k], m[1][k])
			}
		}
	}
}

// same compares what was read with what it should be.
func (l *life) same(t *testing.T, what string, c *Contents, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%s: %v", what, err)
	}
	got, want := fmt.Sprintf("%+v", c.Checkpoint), fmt.Sprintf("%+v", l.c)
	if got != want {
		t.Fatalf("%s: read\n%s\nwritten\n%s", what, got, want)
	}
	if !bytes.Equal(c.Tree, l.tree) {
		t.Errorf("%s: the file tree is another", what)
	}
	pages := map[uint64]*mem.Page{}
	c.Memory.Each(0, 1<<30, func(f phys.Frame, p *mem.Page) bool {
		pages[uint64(f)] = p
		return true
	})
	for name, m := range map[string][2]map[uint64]*mem.Page{"memory": {pages, l.memory}, "files": {c.Files, l.files}} {
		if len(m[0]) != len(m[1]) {
			t.Errorf("%s: %s: %d pages, expected %d", what, name, len(m[0]), len(m[1]))
		}
		for k, p := range m[1] {
			if m[0][k] == nil || *m[0][k] != *p {
				t.Errorf("%s: %s: page %#x is another", what, name, k)
			}
		}
	}
}

func readFile(t testing.TB, path string) []byte {
	t.Helper()
	b, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return b
}

// watched remembers what is written.
type watched struct {
	io.WriterAt
	writes []write
}

type write struct {
	at   int
	data []byte
}

func (w *watched) WriteAt(b []byte, at int64) (int, error) {
	w.writes = append(w.writes, write{int(at), bytes.Clone(b)})
	return w.WriterAt.WriteAt(b, at)
}

// onto returns the file that the first n bytes of a write leave.
func (w write) onto(file []byte, n int) []byte {
	b := append(bytes.Clone(file), make([]byte, max(0, w.at+n-len(file)))...)
	copy(b[w.at:], w.data[:n])
	return b
}

// A writer that is killed at any moment leaves the checkpoint before or the new one: the
// test makes the file that each of its writes, in their order, and each part of one leave.
// Only the header is written in one piece.
func TestWriterKilledAnywhere(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image")
	l := newLife(1)
	l.c.Note = "a note"
	l.step()
	f, err := Create(path, false, &l.c, l.tree, puts(newLife(1), l))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	for step := range 8 {
		before, file := l.clone(), readFile(t, path)
		w := &watched{WriterAt: f.f}
		f.out = w
		l.step()
		if err := f.Append(&l.c, l.tree, puts(before, l)); err != nil {
			t.Fatal(err)
		}
		for i, one := range w.writes {
			for n := range len(one.data) {
				if last := i == len(w.writes)-1; last && n > 0 || n > 150 && n < len(one.data)-20 && n%97 != 0 {
					continue
				}
				c, err := Read(bytes.NewReader(one.onto(file, n)))
				before.same(t, fmt.Sprintf("step %d, killed after %d writes and %d bytes", step, i, n), c, err)
			}
			file = one.onto(file, len(one.data))
		}
		if last := w.writes[len(w.writes)-1]; last.at != 0 || len(last.data) != headerLen {
			t.Errorf("step %d: the last write has %d bytes at %d", step, len(last.data), last.at)
		}
		c, err := Read(bytes.NewReader(file))
		l.same(t, fmt.Sprintf("step %d", step), c, err)
	}
}

// The next writer goes on behind the image, over what a killed one left, and a long file
// becomes a short one with the same content.
func TestGoingOn(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image")
	l := newLife(2)
	l.c.Note = "a note"
	l.step()
	f, err := Create(path, true, &l.c, l.tree, puts(newLife(2), l))
	if err != nil {
		t.Fatal(err)
	}
	for step := range 20 {
		before := l.clone()
		l.step()
		if step%7 == 6 {
			err = f.Replace(&l.c, l.tree, puts(newLife(0), l))
		} else {
			err = f.Append(&l.c, l.tree, puts(before, l))
		}
		if err != nil {
			t.Fatal(err)
		}
		if step == 3 {
			if err := f.Mark(Delivered); err != nil {
				t.Fatal(err)
			}
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
		if step%2 == 0 {
			left := append(readFile(t, path), binaryBeginning(l.c.Number+1)...)
			killed := filepath.Join(filepath.Dir(path), ".image.123.new")
			if err := errors.Join(os.WriteFile(path, left, 0o644), os.WriteFile(killed, left[:100], 0o644)); err != nil {
				t.Fatal(err)
			}
		}
		var c *Contents
		f, c, err = Open(path)
		l.same(t, fmt.Sprintf("step %d", step), c, err)
		if want := uint64(0); len(l.c.Output) == 0 {
			if want = Shown; step == 3 {
				want |= Delivered
			}
			if c.Flags != want {
				t.Errorf("step %d: flags %d, expected %d", step, c.Flags, want)
			}
		}
	}
	if _, _, err := Open(path); err == nil || !errors.As(err, new(*InUse)) {
		t.Errorf("a second process opens it: %v", err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	names, err := os.ReadDir(filepath.Dir(path))
	if err != nil || len(names) != 1 {
		t.Errorf("files are left: %v, %v", names, err)
	}
}

func binaryBeginning(number uint64) []byte {
	b, _ := checkHeader(number, false, &Pages{sum: newSum(), n: 5000}, [32]byte{})
	return append(b, "the beginning of a body"...)
}

// Damage anywhere is refused: every bit of headers, sampled ones of bodies, each length
// that the file can be cut to, and what stands behind it.
func TestDamage(t *testing.T) {
	path := filepath.Join(t.TempDir(), "image")
	l := newLife(3)
	l.c.Note = "a note"
	l.step()
	f, err := Create(path, false, &l.c, l.tree, puts(newLife(3), l))
	if err != nil {
		t.Fatal(err)
	}
	for range 3 {
		before := l.clone()
		l.step()
		if err := f.Append(&l.c, l.tree, puts(before, l)); err != nil {
			t.Fatal(err)
		}
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
	file := readFile(t, path)
	whole, err := Read(bytes.NewReader(file))
	l.same(t, "undamaged", whole, err)
	try := func(what string, damaged []byte) {
		t.Helper()
		c, err := Read(bytes.NewReader(damaged))
		if r := (*Refused)(nil); !errors.As(err, &r) || r.Reason == "" {
			t.Errorf("%s: %v", what, err)
		} else if last := c.Parts[len(c.Parts)-1]; last.Damage == "" && !strings.Contains(r.Reason, "header") {
			t.Errorf("%s: refused with %q, and no part is damaged: %+v", what, r.Reason, c.Parts)
		}
	}
	flip := func(bit int) []byte {
		b := bytes.Clone(file)
		b[bit/8] ^= 1 << (bit % 8)
		return b
	}
	seed := uint64(1)
	r := det.Stream(seed, "damage")
	t.Logf("seed %d, %d bytes, %d checkpoints", seed, len(file), l.c.Number)
	for bit := range 8 * headerLen {
		try(fmt.Sprintf("header, bit %d flipped", bit), flip(bit))
	}
	for _, p := range whole.Parts[1:] {
		for bit := range 8 * (checkLen + 16) {
			try(fmt.Sprintf("%s, bit %d flipped", p.Name, bit), flip(8*int(p.Offset)+bit))
		}
		for range 100 {
			bit := int(r.Uint64N(uint64(8 * p.Size)))
			try(fmt.Sprintf("%s, bit %d flipped", p.Name, bit), flip(8*int(p.Offset)+bit))
		}
		for _, n := range []int64{0, 1, ckNumber, checkLen - 1, checkLen, checkLen + 1, checkLen + bodyLen, p.Size - 1} {
			try(fmt.Sprintf("%s, cut off after %d bytes", p.Name, n), file[:p.Offset+n])
		}
	}
	for n := range headerLen {
		try(fmt.Sprintf("%d bytes", n), file[:n])
	}
	for _, more := range []string{"\x00", "X", checkMagic + "\x01", headerMagic} {
		try(fmt.Sprintf("%q behind it", more), append(bytes.Clone(file), more...))
	}
	try("two checkpoints exchanged", exchange(file, whole.Parts[2], whole.Parts[3]))
}

func exchange(file []byte, a, b Part) []byte {
	return slices.Concat(file[:a.Offset], file[b.Offset:b.Offset+b.Size],
		file[a.Offset:a.Offset+a.Size], file[b.Offset+b.Size:])
}

func TestOtherVersions(t *testing.T) {
	for version, says := range map[uint64]string{1: "older version 1", 3: "newer version 3", 1 << 40: "newer version"} {
		b := header(1, 1000, 0)
		b[hdVersion], b[hdVersion+5] = byte(version), byte(version>>40)
		copy(b[hdSum:], sumOf(b))
		if _, err := Read(bytes.NewReader(b)); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("version %d: %v", version, err)
		}
	}
	if _, err := Read(strings.NewReader("ZHUQUE-IMAGE-1\n and so on")); err == nil ||
		!strings.Contains(err.Error(), "older version 1") {
		t.Errorf("version 1: %v", err)
	}
}

// The offsets that the package comment names are the code's.
func TestDocumentedOffsets(t *testing.T) {
	doc := string(readFile(t, "doc.go"))
	sections := map[string]map[int]string{}
	title := ""
	row := regexp.MustCompile(`^//\t *(\d+) +(?:\d+  )?(\S.*)$`)
	for _, line := range strings.Split(doc, "\n") {
		if text, ok := strings.CutPrefix(line, "// # "); ok {
			title, _, _ = strings.Cut(text, ",")
			sections[title] = map[int]string{}
		} else if m := row.FindStringSubmatch(line); m != nil && title != "" {
			n, err := strconv.Atoi(m[1])
			if err != nil {
				t.Fatal(err)
			}
			sections[title][n] = m[2]
		}
	}
	const body = "Body of a checkpoint"
	for _, c := range []struct {
		section string
		off     int
		says    string
	}{
		{"Header", hdMagic, `"` + headerMagic + `"`}, {"Header", hdVersion, fmt.Sprint("version: ", Version)}, {"Header", hdNumber, "number of the last"}, {"Header", hdEnd, "end"},
		{"Header", hdFlags, "flags"}, {"Header", hdZero, "zero"}, {"Header", hdZero + 8, "zero"}, {"Header", hdSum, "CRC-32C"},
		{"Checkpoint", ckMagic, `CHECKPT`}, {"Checkpoint", ckNumber, "number"}, {"Checkpoint", ckWhole, "complete"}, {"Checkpoint", ckLength, "length"}, {"Checkpoint", ckSum, "SHA-256"}, {"Checkpoint", checkLen, "body"},
		{body, bdRetired, "retired"}, {body, bdOutages, "without power"}, {body, bdShutdowns, "dirty"}, {body, bdCycles, "power cycles"},
		{body, bdConsumed, "standard input"}, {body, bdEnd, "the program"}, {body, bdStatus, "status"}, {body, bdBefore, "standard output"},
		{body, bdBefore + 8, "standard error"}, {body, bdSink, "standard output"}, {body, bdSink + 24, "standard error"}, {body, bdNote, "note"},
		{body, bdPieces, "pieces"}, {body, bdTree, "file tree"}, {body, bodyLen, "note:"},
		{"Piece of output", pcStream, "1 for standard output"}, {"Piece of output", pcLength, "length"}, {"Piece of output", pieceLen, "bytes"},
		{"Page", pgWhere, fmt.Sprint("space << ", spaceShift)}, {"Page", pgLines, "bit for each"}, {"Page", pgSum, "CRC-32C"}, {"Page", pageLen, "64 bytes for each line"},
	} {
		if got := sections[c.section][c.off]; !strings.Contains(got, c.says) {
			t.Errorf("%s: at %d the comment says %q, the code %q", c.section, c.off, got, c.says)
		}
	}
	if !strings.Contains(doc, fmt.Sprintf("the first at offset %d", headerLen)) {
		t.Error("the offset of the first checkpoint is another")
	}
}
