package x86

import (
	"slices"

	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

const (
	defaultBlock = 64      // longest block, in instructions
	maxBlocks    = 1 << 17 // blocks kept; when there are more, all are forgotten
	tableBits    = 15
	noRIP        = 1 << 63 // not canonical: no block is looked up there
)

// block is a run of instructions without a branch but at its end, decoded once.
// It lies in one page, or is a single instruction that crosses into a second.
type block struct {
	rip   uint64
	gen   uint64 // the CPU.gen for which pages were last compared
	insts []Inst
	end   uint64 // address behind the last instruction
	pages [2]*mem.Page
	frame [2]phys.Frame

	// next are the blocks that control went to from here last. They are kept where
	// the end of the block knows its targets, so that finding the next block need not
	// wait for the branch; whether one is the right one is asked each time.
	next   [2]*block
	direct bool

	flows []flow // of its instructions, nil until asked for
}

// noBlock is at no address, never current, and leads nowhere.
var noBlock = func() *block {
	b := &block{rip: noRIP}
	b.next = [2]*block{b, b}
	return b
}()

// codeCache holds decoded blocks. It may be shared by CPUs that run on the same
// goroutine: whether a block is current is decided by the identity of the page
// it was decoded from, not by its address alone.
type codeCache struct {
	table   [1 << tableBits]*block
	all     map[blockKey]*block
	byFrame map[phys.Frame][]*block
	gen     uint64 // last generation handed out
	limit   int    // longest block
	scratch []Inst
	arena   []Inst
}

// blockKey is where a block is: processes have different code at the same address.
type blockKey struct {
	rip   uint64
	frame phys.Frame // of its first page
}

func newCodeCache() *codeCache {
	return &codeCache{all: map[blockKey]*block{}, byFrame: map[phys.Frame][]*block{},
		limit: defaultBlock, scratch: make([]Inst, 0, defaultBlock)}
}

func tableSlot(rip uint64) uint64 { return (rip ^ rip>>tableBits) & (1<<tableBits - 1) }

// InvalidateBlocks must be called when mappings or protections changed or
// translations now lead to other page objects (munmap, mmap, mprotect, fork,
// memory exchanged under the port). Blocks whose pages are still the same are kept.
// Stores through this processor's own port and those of its group need no call; stores
// to code through another port of the same memory do not reach it and need ForgetBlocks.
func (c *CPU) InvalidateBlocks() {
	c.code.gen++
	c.gen = c.code.gen
}

// ForgetBlocks drops every decoded block and stops sharing them with clones: for
// bytes that were changed in place behind the port, and before a clone is handed
// to another goroutine.
func (c *CPU) ForgetBlocks() {
	limit := c.code.limit
	c.code = newCodeCache()
	c.code.limit = limit
	c.InvalidateBlocks()
}

// SetMaxBlock sets the longest block in instructions (1..64) and forgets what is decoded.
func (c *CPU) SetMaxBlock(n int) {
	c.ForgetBlocks()
	c.code.limit = min(max(n, 1), defaultBlock)
}

// codeWritten is Port.CodeWritten: a store is about to change frame f. A block
// of it that is being executed stops after the current instruction.
func (c *CPU) codeWritten(f phys.Frame) {
	for _, b := range c.code.byFrame[f] {
		b.kill()
	}
	delete(c.code.byFrame, f)
}

// kill makes a block unusable, even in the middle of its execution.
func (b *block) kill() {
	b.rip, b.gen = noRIP, 0
	b.pages = [2]*mem.Page{}
	for i := range b.insts {
		b.insts[i].fn = stale
	}
}

// staleBlock is what stale panics with.
type staleBlock struct{}

// stale stands in for the instructions of a killed block.
func stale(*CPU, *Inst) { panic(staleBlock{}) }

// follow returns the current block at rip, to which control goes from b.
func (c *CPU) follow(b *block, rip uint64) *block {
	to := c.code.table[tableSlot(rip)]
	if to == nil || to.rip != rip || to.gen != c.gen {
		to = c.lookup(rip)
	}
	if b.direct && b.next[0] != to {
		b.next[0], b.next[1] = to, b.next[0]
	}
	return to
}

// lookup returns the current block at rip, decoding it when needed. It panics
// with a *mem.Fault when rip cannot be fetched.
func (c *CPU) lookup(rip uint64) *block {
	page, frame := c.Port.FetchPage(rip)
	b := c.code.table[tableSlot(rip)]
	if b == nil || b.rip != rip || b.frame[0] != frame {
		b = c.code.all[blockKey{rip, frame}]
	}
	if b == nil || b.rip != rip || b.pages[0] != page || !c.sameSecond(b) {
		b = c.decodeBlock(rip, page, frame)
	}
	b.gen = c.gen
	c.Port.WatchCode(frame)
	if b.pages[1] != nil {
		c.Port.WatchCode(b.frame[1])
	}
	c.code.table[tableSlot(rip)] = b
	return b
}

// sameSecond reports whether the second page of b, if any, is still what it was.
func (c *CPU) sameSecond(b *block) bool {
	if b.pages[1] == nil {
		return true
	}
	page, frame := c.Port.FetchPage((b.rip | phys.PageMask) + 1)
	return page == b.pages[1] && frame == b.frame[1]
}

// decodeBlock decodes the block at rip, whose bytes lie in page.
func (c *CPU) decodeBlock(rip uint64, page *mem.Page, frame phys.Frame) *block {
	b := &block{rip: rip, pages: [2]*mem.Page{page}, frame: [2]phys.Frame{frame}, next: noBlock.next}
	k := c.code
	list := k.scratch[:0]
	for at := rip; len(list) < k.limit; {
		list = append(list, Inst{})
		in := &list[len(list)-1]
		off := at & phys.PageMask
		st := c.level.decode(page[off:], at, in)
		if st == decodeShort {
			if len(list) > 1 {
				list = list[:len(list)-1]
				break
			}
			*in = Inst{}
			st = c.decodeCrossing(b, page[off:], in)
		}
		if st != decoded {
			*in = Inst{fn: raiser[st], next: at + 1, length: 1, base: RZero, index: RZero, at: uint8(len(list) - 1)}
			break
		}
		in.at = uint8(len(list) - 1)
		at = in.next
		if forms[in.row].ends || at>>phys.PageShift != rip>>phys.PageShift {
			break
		}
	}
	k.scratch = list
	last := &list[len(list)-1]
	f := &forms[last.row]
	b.end = last.next
	b.direct = !f.ends || f.imm == immCb || f.imm == immCd
	k.keep(b, list)
	return b
}

// decodeCrossing decodes the one instruction that starts with head at the end of
// b's page and goes on in the next.
func (c *CPU) decodeCrossing(b *block, head []byte, in *Inst) decodeStatus {
	var buf [maxLength]byte
	n := copy(buf[:], head)
	page, frame := c.Port.FetchPage((b.rip | phys.PageMask) + 1)
	b.pages[1], b.frame[1] = page, frame
	copy(buf[n:], page[:])
	return c.level.decode(buf[:], b.rip, in)
}

// keep copies the instructions into b and enters it.
func (k *codeCache) keep(b *block, list []Inst) {
	if len(k.all) >= maxBlocks {
		clear(k.all)
		clear(k.table[:])
		for _, bs := range k.byFrame {
			for _, old := range bs {
				old.rip, old.gen = noRIP, 0
			}
		}
		clear(k.byFrame)
	}
	if len(k.arena)+len(list) > cap(k.arena) {
		k.arena = make([]Inst, 0, 1024)
	}
	n := len(k.arena)
	k.arena = append(k.arena, list...)
	b.insts = k.arena[n:len(k.arena):len(k.arena)]
	k.all[blockKey{b.rip, b.frame[0]}] = b
	k.byFrame[b.frame[0]] = append(k.byFrame[b.frame[0]], b)
	if b.pages[1] != nil && b.frame[1] != b.frame[0] {
		k.byFrame[b.frame[1]] = append(k.byFrame[b.frame[1]], b)
	}
}

// raiser holds the stand-ins for what could not be decoded.
var raiser = [...]handler{
	decodeLong:    func(c *CPU, _ *Inst) { c.raise(GP, 0) },
	decodeUD:      func(c *CPU, _ *Inst) { c.raise(UD, 0) },
	decodeUnknown: unsupported,
}

// unsupported stops the run: the table has a row for this instruction, without a handler.
func unsupported(c *CPU, in *Inst) {
	rip := in.next - uint64(in.length)
	panic(&Unsupported{What: "instruction " + hexBytes(c.codeBytes(rip)), RIP: rip})
}

// codeBytes returns up to 15 bytes of code at rip, for messages.
func (c *CPU) codeBytes(rip uint64) []byte {
	page, _ := c.Port.FetchPage(rip)
	off := rip & phys.PageMask
	return slices.Clone(page[off:min(off+maxLength, phys.PageSize)])
}
