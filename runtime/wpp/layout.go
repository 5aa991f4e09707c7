package wpp

import (
	"zhuque/sim/kernel"
	"zhuque/sim/phys"
)

// The persistent image, byte by byte. Offsets are from phys.PMEMBase; every
// field is a little-endian 64-bit word, the unit of power-fail atomicity.
//
//	0x0000_0000  superblock
//	0x0000_1000  save area of the main thread
//	0x0000_2000  redo log
//	0x0002_0000  process record
//	0x0002_1000  signal actions, 8 words each
//	0x0003_0000  descriptors, 8 words each
//	0x0010_0000  mappings, 8 words each
//	0x0080_0000  pipes, 4 words each
//	0x0080_1000  what epoll instances wait for, 8 words each
//	0x0081_0000  the pipes' rings of 64 KiB
//	0x0100_0000  first frame that holds process memory
const (
	superblockOff = 0x0000_0000
	saveOff       = 0x0000_1000
	logOff        = 0x0000_2000
	processOff    = 0x0002_0000
	signalOff     = 0x0002_1000
	descriptorOff = 0x0003_0000
	mappingOff    = 0x0010_0000
	pipeOff       = 0x0080_0000
	watchOff      = 0x0080_1000
	ringOff       = 0x0081_0000
	dataOff       = 0x0100_0000

	magic   = 0x316D695571756875 // "uhuqUim1"
	version = 3

	maxDescriptors = (mappingOff - descriptorOff) / fdSize
	maxMappings    = (pipeOff - mappingOff) / mapSize
	maxWatches     = (ringOff - watchOff) / watchSize
	maxPipes       = (dataOff - ringOff) / ringSize
	maxLogRecords  = (processOff - logRecords) / 16
)

// DataBase is the first physical address that may back process memory; below
// it lie the runtime's own tables.
const DataBase = phys.PMEMBase + dataOff

// Superblock words. The static part is covered by sbChecksum.
const (
	sbMagic = superblockOff + 8*iota
	sbVersion
	sbProgram  // first 8 bytes of the digest of program, arguments and processor
	sbChecksum // of the words above
	_
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
	sbCommitted   // number of the last committed call; this and the following guarded
	sbApplied     // number of the last call whose log records are in place
	sbMappings    // mapping slots ever used
	sbDescriptors // descriptor slots ever used
	sbWatches     // slots of the epoll table ever used
)

// Redo log: header, then {offset, value} records.
const (
	logCall     = logOff + 8*iota // call the records belong to, guarded
	logCount                      // number of records
	logChecksum                   // of call, count and records
	_
	logRecords // first record
)

// Save area: what the power-fail handler stores, the copy made at kernel entry,
// and the result of the call in flight.
const (
	saveMode     = saveOff + 8*iota // modeUser or modeKernel
	saveCall                        // modeKernel: the call in flight
	saveChecksum                    // of mode, call, generation and the user frame
	saveGen                         // generation that was interrupted
	saveReissue                     // modeKernel: where to continue when the call did not commit

	saveUser   = saveOff + 0x080 // full register state, frameWords words
	saveEntry  = saveOff + 0x600 // kernel-entry copy: call (guarded), number of words, then the words of a register state
	saveResult = saveOff + 0xa00 // kind, then the result (RAX) or a full register state

	saveEntrySum  = saveEntry + 16 + 8*frameWords // checksum of call, number of words and words
	saveResultSum = saveResult + 8 + 8*frameWords // checksum of call, kind and words
)

const (
	modeUser   = 1
	modeKernel = 2

	resultRAX  = 1 // only RAX changed
	resultFull = 2 // a full register state follows
)

// Mapping words.
const (
	mapStart = 8 * iota
	mapEnd
	mapPhys
	mapFlags
	mapNode
	mapOffset
	mapSeen
	mapChecksum
	mapSize
)

// Signal action words; signal 1 stands first.
const (
	sigHandler = 8 * iota
	sigFlags
	sigRestorer
	sigMask
	_
	_
	_
	sigChecksum
	sigSize
)

// Descriptor words.
const (
	fdInfo = 8 * iota // kind in the low byte, fdCloExec, fdUsed
	fdDesc
	fdNode
	fdOffset
	fdFlags
	fdPipe
	fdSocket
	fdChecksum
	fdSize

	fdUsed    = 1 << 63
	fdCloExec = 1 << 8
)

// Pipe words. A slot whose first word is zero is free.
const (
	pipeID = 8 * iota
	pipeTaken
	pipeLength
	pipeChecksum
	pipeSize

	ringSize = kernel.PipeCapacity
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

// Words of what an epoll instance waits for. In a free slot the first and the last are zero.
const (
	watchEpoll = 8 * iota
	watchFD
	watchDesc
	watchEvents
	watchData
	_
	_
	watchChecksum
	watchSize
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
