package imagefile

import (
	"bufio"
	"bytes"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"hash"
	"hash/crc32"
	"io"

	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// Refused says why a file is no image that can be read: damage, or another version.
type Refused struct {
	Reason string
	// Foreign means that the file never was one: it does not begin as images do.
	Foreign bool
}

func (e *Refused) Error() string { return "image file: " + e.Reason }

func refuse(format string, a ...any) error { return &Refused{Reason: fmt.Sprintf(format, a...)} }

// Part is a stretch of a file that was looked at.
type Part struct {
	Name   string `json:"name"`
	Offset int64  `json:"offset"`
	Size   int64  `json:"size"`
	Pages  int    `json:"pages"`            // of a checkpoint
	Damage string `json:"damage,omitempty"` // what is wrong with it
}

// Contents is what a file holds.
type Contents struct {
	Checkpoint        // the last one, but for the note, which is the first one's
	Flags      uint64 // of the header
	Memory     *mem.Store
	Files      map[uint64]*mem.Page // contents of files by number
	Tree       []byte               // the file tree
	Parts      []Part               // as far as they could be read

	end int64
	sum [sha256.Size]byte // of the last checkpoint
	raw map[uint64]*mem.Page
}

// Read reads an image. With an error of type *Refused the Contents tell which parts of
// it are as they should be.
func Read(r io.Reader) (*Contents, error) {
	in := bufio.NewReaderSize(r, 64<<10)
	c := &Contents{Memory: mem.NewStore(), Files: map[uint64]*mem.Page{}, raw: map[uint64]*mem.Page{}}
	number, err := c.header(in)
	c.part("header", 0, headerLen, 0, err)
	if err != nil {
		return c, err
	}
	last := c.end
	c.end = headerLen
	for n := uint64(1); c.end < last; n++ {
		if err := c.checkpoint(in, n, last); err != nil {
			return c, err
		}
	}
	if c.Number != number {
		return c, refuse("it ends with checkpoint %d, its header has %d", c.Number, number)
	}
	return c, c.tail(in)
}

func (c *Contents) part(name string, at, size int64, pages int, err error) {
	p := Part{Name: name, Offset: at, Size: size, Pages: pages}
	if err != nil {
		p.Damage = err.Error()
		var r *Refused
		if errors.As(err, &r) {
			p.Damage = r.Reason
		}
	}
	c.Parts = append(c.Parts, p)
}

// foreign reports whether a file begins unlike any image, damaged ones too.
func foreign(b []byte) bool {
	alike := 0
	for i := range min(len(b), len(headerMagic)) {
		if b[i] == headerMagic[i] {
			alike++
		}
	}
	return 2*alike < min(len(b), len(headerMagic))
}

// header reads the header and returns the number of the last checkpoint.
func (c *Contents) header(in io.Reader) (number uint64, err error) {
	b := make([]byte, headerLen)
	n, err := io.ReadFull(in, b)
	b = b[:n]
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return 0, err
	}
	word := func(off int) uint64 { return binary.LittleEndian.Uint64(b[off:]) }
	switch {
	case len(b) == 0:
		return 0, refuse("it is empty")
	case bytes.HasPrefix(b, []byte(oldMagic)):
		return 0, refuse("it is of the older version 1, this simulator reads version %d", Version)
	case len(b) < headerLen && foreign(b):
		return 0, &Refused{fmt.Sprintf("it does not begin with %q: it is no image file", headerMagic), true}
	case len(b) < headerLen:
		return 0, refuse("it ends after %d bytes, in its header", len(b))
	case string(b[:hdVersion]) != headerMagic && !foreign(b):
		return 0, refuse("it does not begin with %q", headerMagic)
	case string(b[:hdVersion]) != headerMagic:
		return 0, &Refused{fmt.Sprintf("it does not begin with %q: it is no image file", headerMagic), true}
	}
	ok := word(hdSum) == uint64(crc32.Checksum(b[:hdSum], crcTable))
	switch v := word(hdVersion); {
	case v > Version && ok:
		return 0, refuse("it is of the newer version %d, this simulator reads version %d", v, Version)
	case v < Version && ok:
		return 0, refuse("it is of the older version %d, this simulator reads version %d", v, Version)
	case !ok:
		return 0, refuse("the header is damaged: its checksum is wrong")
	case word(hdFlags)&^allFlags != 0, word(hdZero) != 0, word(hdZero+8) != 0,
		word(hdEnd) < headerLen+checkLen+bodyLen, word(hdEnd) > 1<<62:
		return 0, refuse("the header is damaged: a field is impossible")
	}
	c.Flags, c.end = word(hdFlags), int64(word(hdEnd))
	return word(hdNumber), nil
}

// checkpoint reads one checkpoint, which must end at last or before.
func (c *Contents) checkpoint(in io.Reader, n uint64, last int64) (err error) {
	at, pages := c.end, 0
	name := fmt.Sprintf("checkpoint %d", c.Number+1)
	size := int64(checkLen)
	defer func() {
		var r *Refused
		if errors.As(err, &r) {
			err = refuse("%s, at offset %d: %s", name, at, r.Reason)
			c.part(name, at, size, pages, r)
		} else {
			c.part(name, at, size, pages, err)
		}
	}()
	head := make([]byte, checkLen)
	if err := full(in, head); err != nil {
		return err
	}
	number, whole, length := binary.LittleEndian.Uint64(head[ckNumber:]),
		binary.LittleEndian.Uint64(head[ckWhole:]), binary.LittleEndian.Uint64(head[ckLength:])
	switch {
	case string(head[:ckNumber]) != checkMagic:
		return refuse("it does not begin with %q", checkMagic)
	case n > 1 && number != c.Number+1, number == 0:
		return refuse("its number is %d", number)
	case whole > 1 || (whole == 1) != (n == 1):
		return refuse("the mark of a complete checkpoint is %d", whole)
	case length < bodyLen || length > uint64(last-at-checkLen):
		return refuse("its body has %d bytes, %d are left", length, last-at-checkLen)
	}
	name, size = fmt.Sprintf("checkpoint %d", number), checkLen+int64(length)
	b := &body{in: in, left: length, sum: sha256.New()}
	next, treeLen, err := b.words()
	if err == nil {
		next.Number = number
		if n > 1 {
			next.Note = c.Note
		}
		pages, err = c.pages(b, treeLen)
	}
	if err != nil {
		return err
	}
	b.sum.Write(head[:ckSum])
	b.sum.Write(c.sum[:])
	if sum := b.sum.Sum(nil); !bytes.Equal(sum, head[ckSum:]) {
		return refuse("its checksum is wrong")
	}
	copy(c.sum[:], head[ckSum:])
	c.Checkpoint, c.end = *next, at+size
	return nil
}

func full(in io.Reader, b []byte) error {
	n, err := io.ReadFull(in, b)
	if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
		return refuse("the file ends early: %d of %d bytes are there", n, len(b))
	}
	return err
}

// body reads the body of a checkpoint.
type body struct {
	in   io.Reader
	left uint64
	sum  hash.Hash
}

func (b *body) take(n uint64) ([]byte, error) {
	if n > b.left {
		return nil, refuse("something in it has %d bytes, %d are left", n, b.left)
	}
	// A length that is wrong must not cost its memory before the file ends.
	var out []byte
	for at := uint64(0); at < n; {
		step := min(n-at, 1<<20)
		out = append(out, make([]byte, step)...)
		if err := full(b.in, out[at:]); err != nil {
			return nil, err
		}
		at += step
	}
	b.left -= n
	b.sum.Write(out)
	return out, nil
}

// words reads what comes before the pages.
func (b *body) words() (c *Checkpoint, treeLen uint64, err error) {
	fixed, err := b.take(bodyLen)
	if err != nil {
		return nil, 0, err
	}
	word := func(off int) uint64 { return binary.LittleEndian.Uint64(fixed[off:]) }
	c = &Checkpoint{Retired: word(bdRetired), Outages: phys.Nanos(word(bdOutages)), DirtyShutdowns: word(bdShutdowns), PowerCycles: word(bdCycles), Consumed: word(bdConsumed),
		End: End(word(bdEnd)), Status: word(bdStatus)}
	for i := range c.Sinks {
		c.Before[i] = word(bdBefore + 8*i)
		c.Sinks[i] = Sink{word(bdSink + 24*i), word(bdSink + 24*i + 8), word(bdSink + 24*i + 16)}
	}
	treeLen = word(bdTree)
	if c.End > Killed || treeLen > maxTree || c.Consumed > 1<<62 || word(bdPieces) > b.left/pieceLen {
		return nil, 0, refuse("a field is impossible")
	}
	note, err := b.take(word(bdNote))
	if err != nil {
		return nil, 0, err
	}
	c.Note = string(note)
	for range word(bdPieces) {
		head, err := b.take(pieceLen)
		if err != nil {
			return nil, 0, err
		}
		stream := binary.LittleEndian.Uint64(head[pcStream:])
		if stream < 1 || stream > 2 {
			return nil, 0, refuse("output for stream %d", stream)
		}
		data, err := b.take(binary.LittleEndian.Uint64(head[pcLength:]))
		if err != nil {
			return nil, 0, err
		}
		c.Output = append(c.Output, Piece{int(stream), data})
	}
	return c, treeLen, nil
}

// pages reads the pages and puts them in place.
func (c *Contents) pages(b *body, treeLen uint64) (n int, err error) {
	before := uint64(0)
	// New pages of the tree have a line in them at least: nothing in it is zeros for long.
	const empty = 64 // that may be all the same
	if most := (uint64(len(c.raw)) + b.left/(pageLen+phys.LineSize) + empty) * phys.PageSize; treeLen > most {
		return 0, refuse("the file tree has %d bytes, there is room for %d", treeLen, most)
	}
	head, lines := make([]byte, pageLen), make([]byte, phys.PageSize)
	for ; b.left > 0; n++ {
		if b.left < pageLen {
			return n, refuse("%d bytes follow the last page", b.left)
		}
		if err := full(b.in, head); err != nil {
			return n, err
		}
		b.sum.Write(head)
		b.left -= pageLen
		where, mask, sum := binary.LittleEndian.Uint64(head[pgWhere:]),
			binary.LittleEndian.Uint64(head[pgLines:]), binary.LittleEndian.Uint64(head[pgSum:])
		space, index := Space(where>>spaceShift), where&(1<<spaceShift-1)
		size := lineCount(mask) * phys.LineSize
		switch {
		case where <= before || space < Memory || space > tree:
			return n, refuse("page %#x of %v is out of order", index, space)
		case space == Memory && (index >= 1<<(phys.AddrBits-phys.PageShift) || !phys.Frame(index).IsPMEM()):
			return n, refuse("page at frame %#x lies outside persistent memory", index)
		case sum > gone || sum == gone && mask != 0 || uint64(size) > b.left:
			return n, refuse("page %#x of %v: its fields are impossible", index, space)
		}
		before = where
		if err := full(b.in, lines[:size]); err != nil {
			return n, err
		}
		b.sum.Write(lines[:size])
		b.left -= uint64(size)
		if !c.place(space, index, mask, sum, lines) {
			return n, refuse("page %#x of %v: its checksum is wrong", index, space)
		}
	}
	c.Tree = make([]byte, 0, treeLen)
	for i := uint64(0); uint64(len(c.Tree)) < treeLen; i++ {
		p := c.raw[i]
		if p == nil {
			return n, refuse("page %#x of the file tree is missing", i)
		}
		c.Tree = append(c.Tree, p[:min(treeLen-uint64(len(c.Tree)), phys.PageSize)]...)
	}
	if uint64(len(c.raw)) != uint64(pagesOf(c.Tree)) {
		return n, refuse("the file tree has %d pages, its length is %d", len(c.raw), treeLen)
	}
	return n, nil
}

// place makes a page what a checkpoint says, and reports whether its checksum is right.
func (c *Contents) place(space Space, index, mask, sum uint64, lines []byte) bool {
	pages := c.raw
	switch space {
	case Memory:
		f := phys.Frame(index)
		if sum == gone {
			c.Memory.Drop(f, f+1)
			return true
		}
		if mask == 0 && c.Memory.Page(f) == nil {
			c.Memory.Share(f, &zero) // or 24 bytes of a file would buy 4096 of memory
			return sum == zeroSum
		}
		return fill(c.Memory.WritablePage(f), mask, sum, lines)
	case Files:
		pages = c.Files
	}
	if sum == gone {
		delete(pages, index)
		return true
	}
	switch p := pages[index]; {
	case p == nil && mask == 0:
		pages[index] = &zero
		return sum == zeroSum
	case p == nil || p == &zero:
		pages[index] = new(mem.Page)
	}
	return fill(pages[index], mask, sum, lines)
}

func fill(p *mem.Page, mask, sum uint64, lines []byte) bool {
	for i := range phys.PageSize / phys.LineSize {
		if mask>>i&1 != 0 {
			copy(p[i*phys.LineSize:], lines[:phys.LineSize])
			lines = lines[phys.LineSize:]
		}
	}
	return uint64(crc32.Checksum(p[:], crcTable)) == sum
}

// tail looks at what lies behind the image.
func (c *Contents) tail(in io.Reader) error {
	want := binary.LittleEndian.AppendUint64([]byte(checkMagic), c.Number+1)
	got := make([]byte, len(want))
	n, err := io.ReadFull(in, got)
	if err != nil && !errors.Is(err, io.EOF) && !errors.Is(err, io.ErrUnexpectedEOF) {
		return err
	}
	if n == 0 {
		return nil
	}
	if !bytes.Equal(got[:n], want[:n]) {
		err = refuse("something follows its end at offset %d that is no checkpoint", c.end)
	} else {
		err = nil
	}
	c.part("checkpoint that was not finished, no part of the image", c.end, int64(n), 0, err)
	return err
}
