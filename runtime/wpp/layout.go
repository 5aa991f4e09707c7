package wpp

import (
	"zhuque/sim/kernel"
	"zhuque/sim/phys"
)

// The persistent image; the package comment documents it byte by byte. Offsets are from
// phys.PMEMBase.
const (
	superblockOff = 0x0000_0000
	saveOff       = 0x0000_0200 // in the page of the superblock, which a power failure writes too
	logOff        = 0x0000_2000
	threadOff     = 0x0010_0000 // what a power failure writes lies close together
	recordOff     = 0x0400_0000
	ringOff       = 0x0800_0000
	dataOff       = 0x8800_0000

	magic   = 0x316D695571756875 // "uhuqUim1"
	version = 8

	threadSize    = phys.PageSize
	ringSize      = kernel.MaxPipe
	maxCells      = (ringOff - recordOff) / cellSize
	maxThreads    = (recordOff - threadOff) / threadSize
	maxRings      = (dataOff - ringOff) / ringSize
	maxLogRecords = (threadOff - logRecords) / 16
)

// DataBase is the first physical address that may back process memory; below
// it lie the runtime's own tables.
const DataBase = phys.PMEMBase + dataOff

// Superblock words. The static part is covered by sbChecksum.
const (
	sbMagic = superblockOff + 8*iota
	sbVersion
	sbProgram  // digest of program, arguments and processor
	sbCores    // cores of the machine
	sbChecksum // of the words above
	_
	_
	_
	sbGeneration // power cycle in which the process is live; published last by start and recovery
	sbComplete   // generation whose power-fail sequence completed
	sbShutdowns  // dirty-shutdown count when the generation went live
	sbFailures   // power failures survived
	_
	_
	_
	_
	sbCommitted // number of the last committed call; this and the following guarded
	sbApplied   // number of the last call whose log records are in place
	sbCells     // cells of the record table ever used
)

// Redo log: header, then {offset, value} records.
const (
	logCall     = logOff + 8*iota // call the records belong to, guarded
	logCount                      // number of records
	logChecksum                   // of call, count and records
	_
	logRecords // first record
)

// Call area: what the power-fail handler says of the cores, the copy made at kernel
// entry, and the result of the call in flight.
const (
	saveMode     = saveOff + 8*iota // modeUser or modeKernel; modeCounted may be added
	saveCall                        // modeKernel: the call in flight
	saveChecksum                    // of the other words up to saveTurns
	saveGen                         // generation that was interrupted
	saveReissue                     // modeKernel: where to continue when the call did not commit
	saveThread                      // the thread whose registers the core that executed held, 0 for none; in the upper half the thread that runs
	saveSlice                       // the rest of the kernel.Schedule; in a call, the one at its entry
	saveTurns

	saveEntry  = saveOff + 0x100 // kernel-entry copy: call (guarded), number of words, then the words of a register state
	saveCores  = saveOff + 0x500 // a word for each core, see heldWord
	saveResult = saveOff + 0x800 // kind, then the result (RAX) or a full register state

	saveEntrySum  = saveEntry + 16 + 8*frameWords // checksum of call, number of words and words
	saveResultSum = saveResult + 8 + 8*frameWords // checksum of call, kind and words
)

const (
	modeUser    = 1
	modeKernel  = 2
	modeCounted = 1 << 8 // the call counts as a retired instruction when it took effect

	resultRAX   = 1 // only RAX changed
	resultFull  = 2 // a full register state follows
	resultAgain = 3 // the registers at kernel entry, at the instruction that issues the call again
)

// heldWord is what a core's power-fail handler stores last: the thread whose registers
// it has saved, 0 for none, and in the upper half a check that tells whose word it is
// and of which generation.
func heldWord(core int, generation uint64, tid int32) uint64 {
	return uint64(uint32(tid)) | checksum(uint64(core), generation, uint64(tid))<<32
}

// Save area of a thread: the registers that it goes on with.
const (
	threadID    = 8 * iota
	threadSum   // checksum of the number and the frame
	threadFrame // frameWords words
)

// maxCounter is the largest number that a guarded word holds.
const maxCounter = 1<<32 - 1

// guarded is a counter and a check of it in one word, so that a damaged bit is
// noticed although the word is the unit of atomicity. Zero guards zero.
func guarded(v uint64) uint64 { return v&maxCounter | v*0x9e3779b1<<32 }

// counter is the inverse of guarded.
func counter(w uint64) (v uint64, ok bool) {
	v = w & maxCounter
	return v, guarded(v) == w
}

// The record table holds kernel.Records, each in a block of adjacent cells. A block
// keeps its size for ever; one that is free has cellUsed clear and waits for another
// record of its size.
const (
	cellWords = 8
	cellSize  = 8 * cellWords

	cellHead  = 0 // number of cells, number of payload words, cellUsed; in the upper half a checksum of the block
	cellKind  = 1 // kind << 56 | A
	cellB     = 2
	cellWord0 = 3 // payload: the record's words, then for a pipe its ring and its length in bytes

	cellCountShift = 16 // of the number of cells; the number of payload words stands below
	cellUsed       = 1 << 31

	maxRecordWords = 1<<cellCountShift - 1
)

// sum mixes words so that zeroed, torn and swapped words are noticed (FNV-1a over
// words with a final avalanche). The zero sum is its beginning.
type sum uint64

func (s *sum) add(words ...uint64) {
	h := uint64(*s) ^ 0xcbf29ce484222325
	for _, w := range words {
		h = (h ^ w) * 0x100000001b3
		h ^= h >> 29
	}
	*s = sum(h ^ 0xcbf29ce484222325)
}

// value is never zero: an unwritten record is no record.
func (s sum) value() uint64 {
	h := (uint64(s) ^ 0xcbf29ce484222325) * 0x9e3779b97f4a7c15
	return h ^ h>>32 | 1
}

// checksum is the sum of some words.
func checksum(words ...uint64) uint64 {
	var s sum
	s.add(words...)
	return s.value()
}
