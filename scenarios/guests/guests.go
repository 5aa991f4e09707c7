// Package guests holds the project's own small guest programs: freestanding
// x86-64 Linux programs of a few kilobytes, each aimed at one part of the
// machine, each checking itself. A guest prints a deterministic result and exits
// with 0; when one of its checks fails it names the check on standard error and
// exits with 1 (3 when its output cannot be written).
//
// The sources are the C files in src, the programs lie in bin and are made by
// the script build. The package imports the standard library only.
package guests

import (
	"embed"
	"fmt"
	"slices"
)

//go:embed bin
var bin embed.FS

//go:embed testdata/*.out testdata/*.empty
var outputs embed.FS

// Info describes a guest.
type Info struct {
	Name  string
	About string
	// Instructions is how many it retires, a REP string instruction counted once.
	// It is the processor's own count, by single-stepping, but for strings and
	// signals, whose steps are not instructions; 0 where it depends on the input.
	Instructions uint64
}

var all = []Info{
	{"bench-hashmap", "hash map with chains and a ring of pointers; argument: rounds", 1_098_960},
	{"bench-nbody", "sun and planets in SSE2 arithmetic; argument: steps", 1_181_190},
	{"bench-sha256", "SHA-256 in registers; argument: pieces of 4 KiB", 1_168_667},
	{"bulk", "more to a pipe than it holds, so that a write waits with a part done", 0},
	{"clocks", "what threads see of each other's time; arguments: workload, operations", 0},
	{"counter", "integer arithmetic and output", 996_227},
	{"crowd", "threads that count and do not wait for each other; arguments: threads, open descriptors", 0},
	{"devices", "micro-workloads of memory devices; arguments: workload, bytes, threads, operations", 0},
	{"fase", "two threads, three locks, input and output between the critical sections, a large volatile array", 0},
	{"files", "files written, read, renamed and removed under /tmp", 577_232},
	{"footprint", "one store to each page of a large memory, then scattered rounds; argument: megabytes", 599_526},
	{"fpu", "x87 and SSE state live over long loops", 658_774},
	{"handlers", "threads that handle SIGPWR on stacks of their own, and look where the others are", 0},
	{"hello", "one line of output, position-independent", 37},
	{"hostcost", "what a kernel takes for each kind of its work; argument: rounds", 0},
	{"ipc", "shared memory, semaphores and messages of System V, and POSIX message queues, between processes", 0},
	{"kvload", "a load on a server that speaks memcached's protocol; arguments: server, threads, requests of each, percentage of stores, keys", 0},
	{"list", "linked list with nodes from brk and mmap", 1_420_540},
	{"litmus", "two threads with the classic tests of a memory model, for cuts that lose store buffers", 0},
	{"maps", "mmap, munmap, mprotect and mremap at random", 1_207_966},
	{"micro", "threads made and joined, a lock, memory and files mapped; arguments: workload, how often", 0},
	{"nt", "ring with non-temporal stores, flushes and fences", 435_384},
	{"pipes", "bytes to itself through pipes, results over their own arguments, epoll, a socket", 955_363},
	{"power", "handles SIGPWR and counts the failures it is told of", 200_713},
	{"processes", "fork, vfork and exec, pipes and shared memory between processes, timers, signals as data, wait4", 0},
	{"settings", "what the kernel was told long before it is felt: of processes, descriptors, sockets, a terminal", 0},
	{"sha", "SHA-256 of a generated buffer", 1_108_427},
	{"shared", "one file under shared and private mappings, beside read, write and truncate", 48_051},
	{"signals", "handlers, masks, alternate stack, repaired faults", 62_786},
	{"strings", "REP string instructions, overlapping and backwards", 1_453_633},
	{"threads", "four threads with locks, conditions, a barrier, signals, sleeps and a robust lock", 0},
	{"tls", "all data addressed through the FS base", 735_337},
	{"upper", "standard input in capitals", 0},
	{"ymm", "YMM registers live over long loops; scalar code without AVX2, so the count depends on the processor", 0},
}

// List returns the guests in the order of their names.
func List() []Info { return slices.Clone(all) }

// Names returns the names of the guests, sorted.
func Names() []string {
	names := make([]string, len(all))
	for i, g := range all {
		names[i] = g.Name
	}
	return names
}

// Guest returns the ELF file of a guest. Errors: an unknown name, with the known ones.
func Guest(name string) ([]byte, error) {
	if !slices.Contains(Names(), name) {
		return nil, fmt.Errorf("no guest %q: expected one of %q", name, Names())
	}
	return bin.ReadFile("bin/" + name)
}

// Output returns what a guest prints when it is given no arguments and no input: its .empty
// file where that differs from the .out of the tests' input. nil for an unknown guest.
func Output(name string) []byte {
	for _, ending := range []string{".empty", ".out"} {
		if out, err := outputs.ReadFile("testdata/" + name + ending); err == nil {
			return append([]byte{}, out...)
		}
	}
	return nil
}
