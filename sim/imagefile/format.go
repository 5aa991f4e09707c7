package imagefile

import (
	"crypto/sha256"
	"encoding/binary"
	"fmt"
	"hash"
	"hash/crc32"
	"io"
	"math/bits"

	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// Version is the version of the format that is written and read.
const Version = 2

const (
	headerMagic = "ZHUQUEIM"
	oldMagic    = "ZHUQUE-IMAGE-" // of version 1

	hdMagic   = 0
	hdVersion = 8
	hdNumber  = 16
	hdEnd     = 24
	hdFlags   = 32
	hdZero    = 40
	hdSum     = 56
	headerLen = 64

	checkMagic = "CHECKPT\n"

	ckMagic  = 0
	ckNumber = 8
	ckWhole  = 16
	ckLength = 24
	ckSum    = 32
	checkLen = 64

	bdRetired   = 0
	bdOutages   = 8
	bdShutdowns = 16
	bdCycles    = 24
	bdConsumed  = 32
	bdEnd       = 40
	bdStatus    = 48
	bdBefore    = 56 // of two streams
	bdSink      = 72 // of two streams, three words each
	bdNote      = 120
	bdPieces    = 128
	bdTree      = 136
	bodyLen     = 144

	pcStream = 0
	pcLength = 8
	pieceLen = 16

	pgWhere = 0
	pgLines = 8
	pgSum   = 16
	pageLen = 24

	gone       = 1 << 32
	spaceShift = 56
	maxTree    = 1 << 30
)

// Flags of the header.
const (
	Shown     = 1 << iota // the output of the last checkpoint has been shown
	Delivered             // the files of the program, which ended, are where the user wants them
	allFlags  = Shown | Delivered
)

// Space says what a page belongs to.
type Space uint8

// The spaces of pages.
const (
	Memory Space = 1 + iota // index: frame
	Files                   // contents of files; index: number
	tree
)

func (s Space) String() string {
	if s < Memory || s > tree {
		return fmt.Sprintf("space %d", uint8(s))
	}
	return [...]string{"memory", "file contents", "file tree"}[s-Memory]
}

// End says how a program ended.
type End uint64

// The states of a program.
const (
	Running End = iota
	Exited
	Killed
)

// Sink is the regular file that a stream of output goes to, as it is before the output
// of a checkpoint. The zero Sink is anything else.
type Sink struct{ Device, Inode, Size uint64 }

// Piece is output of a program.
type Piece struct {
	Stream int // 1 standard output, 2 standard error
	Data   []byte
}

// Checkpoint is what a checkpoint says beside its pages.
type Checkpoint struct {
	Number         uint64 // set by who writes it
	Retired        uint64
	Outages        phys.Nanos
	DirtyShutdowns uint64
	PowerCycles    uint64
	Consumed       uint64
	End            End
	Status         uint64
	Before         [2]uint64
	Sinks          [2]Sink
	Note           string
	Output         []Piece
}

var crcTable = crc32.MakeTable(crc32.Castagnoli)

func header(number, end, flags uint64) []byte {
	b := make([]byte, headerLen)
	copy(b[hdMagic:], headerMagic)
	for off, v := range map[int]uint64{hdVersion: Version, hdNumber: number, hdEnd: end, hdFlags: flags} {
		binary.LittleEndian.PutUint64(b[off:], v)
	}
	binary.LittleEndian.PutUint64(b[hdSum:], uint64(crc32.Checksum(b[:hdSum], crcTable)))
	return b
}

// Pages writes the pages of a checkpoint; each must come behind those before it.
type Pages struct {
	w     io.Writer
	sum   hash.Hash
	n     uint64
	err   error
	stage []byte
}

func (p *Pages) write(b []byte) {
	if p.err != nil {
		return
	}
	p.sum.Write(b)
	p.n += uint64(len(b))
	_, p.err = p.w.Write(b)
}

type line = [phys.LineSize]byte

// Put writes how a page differs from what it was; nil stands for one that is not there.
func (p *Pages) Put(space Space, index uint64, old, now *mem.Page) {
	b := binary.LittleEndian.AppendUint64(p.stage[:0], uint64(space)<<spaceShift|index)
	switch {
	case now == old:
		return
	case now == nil:
		b = binary.LittleEndian.AppendUint64(b, 0)
		b = binary.LittleEndian.AppendUint64(b, gone)
	default:
		base := old
		if base == nil {
			base = &zero
		}
		b = append(b, make([]byte, pageLen-pgLines)...)
		mask := uint64(0)
		for i := 0; i < phys.PageSize; i += phys.LineSize {
			if l := (*line)(now[i:]); *l != *(*line)(base[i:]) {
				mask |= 1 << (i / phys.LineSize)
				b = append(b, l[:]...)
			}
		}
		if mask == 0 && old != nil {
			return
		}
		binary.LittleEndian.PutUint64(b[pgLines:], mask)
		binary.LittleEndian.PutUint64(b[pgSum:], uint64(crc32.Checksum(now[:], crcTable)))
	}
	p.stage = b
	p.write(b)
}

var (
	zero    mem.Page // never written
	zeroSum = uint64(crc32.Checksum(zero[:], crcTable))
)

// writeBody writes the body of a checkpoint and returns its length and the running sum.
func writeBody(w io.Writer, c *Checkpoint, oldTree, newTree []byte, pages func(*Pages)) (*Pages, error) {
	p := &Pages{w: w, sum: sha256.New()}
	b := make([]byte, bodyLen)
	word := func(off int, v uint64) { binary.LittleEndian.PutUint64(b[off:], v) }
	for off, v := range map[int]uint64{bdRetired: c.Retired, bdOutages: uint64(c.Outages),
		bdShutdowns: c.DirtyShutdowns, bdCycles: c.PowerCycles, bdConsumed: c.Consumed,
		bdEnd: uint64(c.End), bdStatus: c.Status, bdNote: uint64(len(c.Note)), bdPieces: uint64(len(c.Output)), bdTree: uint64(len(newTree))} {
		word(off, v)
	}
	for i, s := range c.Sinks {
		word(bdBefore+8*i, c.Before[i])
		for j, v := range [...]uint64{s.Device, s.Inode, s.Size} {
			word(bdSink+24*i+8*j, v)
		}
	}
	b = append(b, c.Note...)
	for _, o := range c.Output {
		b = binary.LittleEndian.AppendUint64(b, uint64(o.Stream))
		b = binary.LittleEndian.AppendUint64(b, uint64(len(o.Data)))
		b = append(b, o.Data...)
	}
	p.write(b)
	pages(p)
	for i := range uint64(max(pagesOf(oldTree), pagesOf(newTree))) {
		p.Put(tree, i, treePage(oldTree, i), treePage(newTree, i))
	}
	return p, p.err
}

func pagesOf(b []byte) int { return (len(b) + phys.PageMask) / phys.PageSize }

// treePage is a page of the file tree, nil behind its end.
func treePage(b []byte, i uint64) *mem.Page {
	at := i * phys.PageSize
	if at >= uint64(len(b)) {
		return nil
	}
	p := new(mem.Page)
	copy(p[:], b[at:])
	return p
}

// checkHeader is the header of a checkpoint whose body has been written.
func checkHeader(number uint64, whole bool, body *Pages, before [sha256.Size]byte) (b []byte, sum [sha256.Size]byte) {
	b = make([]byte, checkLen)
	copy(b[ckMagic:], checkMagic)
	binary.LittleEndian.PutUint64(b[ckNumber:], number)
	if whole {
		b[ckWhole] = 1
	}
	binary.LittleEndian.PutUint64(b[ckLength:], body.n)
	body.sum.Write(b[:ckSum])
	body.sum.Write(before[:])
	body.sum.Sum(sum[:0])
	copy(b[ckSum:], sum[:])
	return b, sum
}

// lineCount is how many lines a mask announces.
func lineCount(mask uint64) int { return bits.OnesCount64(mask) }
