// Package wpp is the Zhuque runtime: whole-process persistence at the
// system-call boundary. It keeps the persistent image, saves and
// restores registers, and rebuilds a process from the image alone.
//
// Every word it writes while the machine runs goes through the cache model as an
// 8-byte store, so the runtime itself can be cut in half anywhere. A system call
// becomes effective for the process by one such store, of its number into
// sbCommitted; the table updates that belong to it stand in the redo log by then
// and are put in place afterwards, or by the recovery.
//
// It must not import crashinject.
//
// # The persistent image
//
// Offsets are from phys.PMEMBase, in hexadecimal. Every field is a little-endian word of
// 64 bits, the unit of power-fail atomicity. A guarded word is a number below 1 << 32 in its
// lower half and that number times 0x9e3779b1 in its upper one. A checksum is FNV-1a over
// words (each step: h = (h ^ word) * 0x100000001b3, then h ^= h >> 29), at the end times
// 0x9e3779b97f4a7c15, folded, and made odd: never zero. Pages of process memory have none: what
// persistent memory holds is believed, as on the real machine; in an image file each
// page has one (sim/imagefile). What a restart does with all this is Recover's.
//
//	0x0000_0000  superblock
//	0x0000_0200  call area
//	0x0000_2000  redo log
//	0x0010_0000  save areas of threads, 0x1000 bytes each
//	0x0400_0000  record table: cells of 0x40 bytes
//	0x0800_0000  rings of 0x100000 bytes: what pipes hold, byte n of all that went through one at n modulo its size
//	0x8800_0000  process memory, by the extents that mapping records name
//
// # Superblock
//
//	0x000  magic "uhuqUim1"
//	0x008  version: 8
//	0x010  digest of program, arguments and processor
//	0x018  cores of the machine
//	0x020  checksum of the four words above
//	0x040  generation: the power cycle in which the process is live; stored last by start and recovery
//	0x048  generation whose power-fail sequence completed; stored last by it
//	0x050  dirty-shutdown count when the generation went live
//	0x058  power failures survived
//	0x080  number of the last call that took effect, guarded: its store is the commit
//	0x088  number of the last call whose redo records are in place, guarded
//	0x090  cells of the record table ever used, guarded
//
// # Call area
//
//	0x200  1: the core that executed was in user mode, 2: in a call; 0x100 is added when the call counts as an instruction
//	0x208  number of the call
//	0x210  checksum of the words 0x200, 0x208, 0x218, 0x220, 0x228, 0x230, 0x238
//	0x218  generation that was interrupted
//	0x220  address at which the call is issued again
//	0x228  thread whose registers the core held, 0 for none; in the upper half the thread whose turn it is
//	0x230  instructions left of its turn
//	0x238  turns taken
//	0x300  kernel-entry copy: number of the call, guarded
//	0x308  number of words that follow: 21, or all of a frame where the call changes all registers
//	0x310  words of a frame
//	0x658  checksum of call, number of words, words
//	0x700  a word for each core: the thread that it has saved, 0 for none; in the upper half, of the checksum of core, generation and thread the lower half
//	0xa00  result: 1: RAX changed, 2: all registers did, 3: the call is issued again
//	0xa08  RAX, or a frame
//	0xd50  checksum of call, kind and words
//
// # Redo log
//
//	0x2000  call that the records belong to, guarded
//	0x2008  number of records
//	0x2010  checksum of call, number and records
//	0x2020  records: an offset and the word that belongs there
//
// # Save area
//
//	0x00  thread
//	0x08  checksum of thread and frame
//	0x10  frame
//
// # Frame
//
// By word, in decimal:
//
//	  0  RAX RCX RDX RBX RSP RBP RSI RDI R8 to R15
//	 16  RIP
//	 17  RFLAGS; bit 32: a single-step trap is pending
//	 18  FS base
//	 19  GS base
//	 20  selectors, 16 bits each
//	 21  vector registers, four words each
//	 85  MXCSR
//	 86  x87 registers: significand, then sign and exponent, eight times
//	102  x87 control word, status word << 16, tags << 32, opcode << 48
//	103  x87 instruction pointer
//	104  x87 data pointer
//
// # Block of the record table
//
// A block is one cell or more and keeps its size for ever. By word:
//
//	0  bits 0 to 15: words of payload; 16 to 30: cells; 31: in use; 32 to 63: of the checksum of this word (with these bits zero) and, in a block in use, all further ones, the lower half
//	1  kind << 56 | A of the key
//	2  B of the key
//	3  payload
//
// # Payloads
//
// By kind: what A and B of the key are; the words in their order, ×n for n of them and ×0 for
// what is there sometimes; behind a semicolon what this package adds. A list is its length and
// then its entries. A signal is signal, code, value, pid, uid. News are counts of what came
// in and of what room there was.
//
//	 1 system: last identity, last thread, position in the stream of random bytes, time slept, thread whose turn it is, rest of its turn, turns, waits, last port, last name
//	 2 process, A number: parent, group, session, address space, exit signal, vfork, stopped by signal, change that the parent was not told of, adopted, dead, whether it was another user than root, status, arguments from, to, working directory, program, umask, heap from, to, how new mappings are locked, limits soft and hard ×32, not dumpable, subreaper, number of pending signals, signals ×0
//	 3 thread, A number: process, mask, alternate stack pointer, size, flags, address cleared at exit, robust list, its length, scheduling policy, real-time priority, nice, reset at a fork, slice, runtime, deadline, period, flags, affinity, frame of the power-failure handler that it is in, name ×2, whether it is another user than root, identity ×0, personality, timer slack, signal at the end of its parent, number of pending signals, signals ×0, waits, wait ×0; save area
//	 4 action, A process, B signal: handler, flags, restorer, mask
//	 5 descriptor, A process, B number: description, close-on-exec
//	 6 description, A identity: kind, node, offset, flags, pipe, socket, news ×2, owner, news that it was told of ×0, clock of a timer ×0, next ×0, interval ×0
//	 7 pipe, A identity: bytes taken, news ×2, node of a FIFO, opened for reading, for writing, capacity or 0, mode, user, group, times of access, change of content, change; ring, bytes in it
//	 8 watch, A epoll instance, B description << 32 | descriptor: descriptor, description, events, data, news seen ×2, fresh
//	 9 mapping, A address space, B first address: end, first physical address, protection | kind << 8 | shared << 16 | grows << 17 | attributes << 18, node, offset in it, physical address of pages not written
//	10 timer, A process, B identity: clock, next, interval, notification, signal, thread, value, overruns, rests
//	11 socket, A identity: in the order of socket.code in sim/kernel
//	12 mark, A inotify instance, B number of the watch: node, events
//	13 terminal, A identity: in the order of terminal.code in sim/kernel
//	14 segment, A identity: key, user, group, creator's user, group, mode, time of change, node, size, times of attaching, detaching, creator, last process
//	15 semaphores, A identity: in the order of semSet.code in sim/kernel
//	16 messages, A identity: in the order of msgQueue.code in sim/kernel
//	17 queue, A identity: in the order of mqueue.code in sim/kernel
//	18 message, A kind of the queue << 32 | queue, B number among all that it has had: type or priority, bytes
package wpp
