package kernel

import (
	"sync"

	"zhuque/sim/same"
)

// Differences returns in what two kernels are not in the same state, at most limit, one
// sentence each: none for twins. It looks at their objects, not at records, so that what a
// record leaves out is seen. The file trees and the mappings are not compared here.
func (k *Kernel) Differences(o *Kernel, limit int) (out []string) {
	for _, d := range plan.Compare(k, o, limit) {
		out = append(out, d.String())
	}
	return out
}

// StateFields lists every field of the kernel's objects that is compared, as TYPE.FIELD,
// ascending: what a restart has to bring back.
func StateFields() []string { return plan.Fields() }

// Alive calls f for each of these fields, for each object, that has another value than the
// zero one. It is slow: for tables, not for campaigns.
func (k *Kernel) Alive(f func(field string)) {
	looking.Lock() // a plan notes which of its rows it uses
	defer looking.Unlock()
	plan.Each(k, func(l same.Leaf) {
		if !l.Value.IsZero() {
			f(l.Field)
		}
	})
}

var looking sync.Mutex

// plan compares kernels.
var plan = same.Must[Kernel](unlike)

// unlike lists the fields that are not simply compared. A new field is compared; whoever
// adds one that must not be writes its row and the reason.
var unlike = []same.Row{
	{Type: "kernel.Kernel", Field: "MM", As: same.Skipped, Why: "the current process's, which sys.current names; while all wait, whoever's it was"},
	{Type: "kernel.Kernel", Field: "proc", As: same.Skipped, Why: "the current thread's"},
	{Type: "kernel.Kernel", Field: "thread", As: same.Skipped, Why: "sys.current names it; while all wait, the last that was, whom nobody asks for"},
	{Type: "kernel.Kernel", Field: "viewer", As: same.Skipped, Why: "set and cleared inside one question"},
	{Type: "kernel.Kernel", Field: "FS", As: same.Skipped, Why: "the file tree has a comparison of its own: vfs.FS.Differences"},
	{Type: "kernel.Kernel", Field: "outside", As: same.Skipped, Why: "the host, which no failure of the machine reaches"},
	{Type: "kernel.Kernel", Field: "clock", As: same.Skipped, Why: "set at each entry, from the processor's count, which is compared"},
	{Type: "kernel.Kernel", Field: "pick", As: same.Skipped, Why: "the machine's way to its cores' clocks"},
	{Type: "kernel.Kernel", Field: "leaves", As: same.Skipped, Why: "set and cleared inside one call"},
	{Type: "kernel.Kernel", Field: "keeper", As: same.Skipped, Why: "as pick"},
	{Type: "kernel.Kernel", Field: "work", As: same.Skipped, Why: "what the machine has yet to charge: time only"},
	{Type: "kernel.Kernel", Field: "unref", As: same.Skipped, Why: "empty between calls; a restart counts references anew"},
	{Type: "kernel.Kernel", Field: "dirty", As: same.Skipped, Why: "what the runtime is still to be told of the last call"},
	{Type: "kernel.Kernel", Field: "inOut", As: same.Skipped, Why: "the last call's, taken by the runtime"},
	{Type: "kernel.Kernel", Field: "born", As: same.Skipped, Why: "the last call's, taken by the runtime"},
	{Type: "kernel.Kernel", Field: "old", As: same.Skipped, Why: "empty between calls; what an address space held is dropped by a restart"},
	{Type: "kernel.Kernel", Field: "changed", As: same.Skipped, Why: "the machine's way to its own cores"},
	{Type: "kernel.Kernel", Field: "makes", As: same.Skipped, Why: "the machine's way to its own memory"},
	{Type: "kernel.Kernel", Field: "hooked", As: same.Skipped, Why: "a fork connects its file tree when it first needs it"},
	{Type: "kernel.Kernel", Field: "spare", As: same.Skipped, Why: "memory for the next call"},

	{Type: "kernel.Config", Field: "MM", As: same.Skipped, Why: "what the first process began in"},
	{Type: "kernel.Config", Field: "FS", As: same.Skipped, Why: "as Kernel.FS"},
	{Type: "kernel.Config", Field: "Console", As: same.Skipped, Why: "as Kernel.console"},
	{Type: "kernel.Config", Field: "Strace", As: same.Skipped, Why: "an observer's"},

	{Type: "kernel.Console", Field: "in", As: same.Skipped, Why: "the host's input; how far it is read is in pos"},
	{Type: "kernel.Console", Field: "out", As: same.Skipped, Why: "the host's streams, which forks have not"},
	{Type: "kernel.Console", Field: "cap", As: same.Skipped, Why: "an observer's: forks always keep their output"},
	{Type: "kernel.Console", Field: "keep", As: same.Skipped, Why: "output is compared byte by byte where it is told of"},
	{Type: "kernel.Console", Field: "pend", As: same.Skipped, Why: "empty between calls"},
	{Type: "kernel.Console", Field: "outErr", As: same.Skipped, Why: "the host's; it ends the run"},
	{Type: "kernel.Console", Field: "Outside", As: same.Skipped, Why: "the host, as Kernel.outside"},

	{Type: "kernel.Thread", Field: "Regs", As: same.Skipped, Why: "stale while a core holds the thread; sim.Machine.Registers has them, and they are compared"},
	{Type: "kernel.Thread", Field: "quiet", As: same.Skipped, Why: "remembers a look that found nothing; without it the answers are the same"},
	{Type: "kernel.Thread", Field: "wait", As: same.Shared, Why: "never changed in place"},
	{Type: "kernel.wait", Field: "lock", As: same.Shared, Why: "never changed in place"},
	{Type: "kernel.wait", Field: "on", As: same.Shared, Why: "never changed in place"},

	{Type: "kernel.wait", Field: "ipc", As: same.Shared, Why: "never changed in place"},

	{Type: "kernel.Process", Field: "held", As: same.Skipped, Why: "that it may be worth a look whether a handler holds others up; the look clears it"},
	{Type: "kernel.Process", Field: "last", As: same.Shared, Why: "never changed in place"},
	{Type: "kernel.Thread", Field: "cred", As: same.Shared, Why: "never changed in place"},
	{Type: "kernel.cred", Field: "groups", As: same.Shared, Why: "never changed in place"},
	{Type: "kernel.Kernel", Field: "acting", As: same.Skipped, Why: "set and cleared inside one call"},

	{Type: "kernel.ordered", Field: "pieces", As: same.Pieces, Why: "where a list is cut depends on the order in which its members came"},
	{Type: "kernel.desc", Field: "refs", As: same.Derived, Why: "how many descriptors and messages lead to it"},
	{Type: "kernel.pipe", Field: "readers", As: same.Derived, Why: "how many descriptions lead to it"},
	{Type: "kernel.pipe", Field: "writers", As: same.Derived, Why: "how many descriptions lead to it"},
	{Type: "kernel.pipe", Field: "data", As: same.Shared, Why: "never changed in place"},
	{Type: "kernel.terminal", Field: "masters", As: same.Derived, Why: "how many descriptions lead to it"},
	{Type: "kernel.terminal", Field: "slaves", As: same.Derived, Why: "how many descriptions lead to it"},
	{Type: "kernel.terminal", Field: "lines", As: same.Shared, Why: "never changed in place"},
	{Type: "kernel.socket", Field: "options", As: same.Shared, Why: "never changed in place"},
	{Type: "kernel.socket", Field: "messages", As: same.Shared, Why: "never changed in place"},
	{Type: "kernel.message", Field: "rights", As: same.Shared, Why: "never changed in place"},

	{Type: "kernel.segment", Field: "attached", As: same.Derived, Why: "how many mappings lead to it"},
	{Type: "kernel.mqueue", Field: "refs", As: same.Derived, Why: "how many descriptions lead to it"},
	{Type: "kernel.mailbox", Field: "messages", As: same.Shared, Why: "never changed in place"},

	{Type: "kernel.files", Field: "timers", As: same.Derived, Why: "the descriptions that are timers"},
	{Type: "kernel.files", Field: "asyncs", As: same.Derived, Why: "the descriptions with O_ASYNC"},
	{Type: "kernel.files", Field: "watchers", As: same.Derived, Why: "who watches what, which the watches tell"},
	{Type: "kernel.files", Field: "changes", As: same.Skipped, Why: "what Thread.quiet is compared with"},
	{Type: "kernel.watchers", Field: "of", As: same.AnyOrder | same.Shared, Why: "those who watch one thing are told together; forks share it until it changes"},
	{Type: "kernel.watchers", Field: "shared", As: same.Skipped, Why: "whether a fork has the list too"},
	{Type: "kernel.watchSet", Field: "root", As: same.Items | same.Shared, Why: "a tree that is a value; its shape depends on the order of additions"},
	{Type: "kernel.watched", Field: "stirred", As: same.Skipped, Why: "remembers a look that found nothing; without it the answers are the same"},

	{Type: "mm.Space", Field: "vmas", As: same.Skipped, Why: "compared as the process sees them: how a mapping is cut into extents depends on restarts"},
	{Type: "mm.Space", Field: "uses", As: same.Skipped, Why: "how many mappings each file has, counted from them"},
	{Type: "mm.Space", Field: "last", As: same.Skipped, Why: "remembers the last translation"},
	{Type: "mm.Space", Field: "fresh", As: same.Skipped, Why: "said of the last translation"},
	{Type: "mm.Space", Field: "flat", As: same.Skipped, Why: "remembers the mappings in one piece"},
	{Type: "mm.Space", Field: "journal", As: same.Skipped, Why: "what the runtime is still to be told of the last call"},
	{Type: "mm.Space", Field: "touched", As: same.Skipped, Why: "what the runtime is still to be told of the last call"},
	{Type: "mm.Space", Field: "freed", As: same.Skipped, Why: "empty between calls; a restart drops what no mapping shows"},
	{Type: "mm.Space", Field: "unref", As: same.Skipped, Why: "empty between calls; a restart counts references anew"},
	{Type: "mm.Space", Field: "heapNext", As: same.Skipped, Why: "where the heap's next extent lies, which no process sees"},
	{Type: "mm.Space", Field: "heapLast", As: same.Skipped, Why: "where the heap's next extent lies, which no process sees"},
	{Type: "mm.Space", Field: "changed", As: same.Skipped, Why: "the machine's way to its own cores"},
	{Type: "mm.Space", Field: "err", As: same.Skipped, Why: "the host failed: it ends the run"},
	{Type: "mm.Space", Field: "refused", As: same.Skipped, Why: "why the access at hand fails, taken at once"},
	{Type: "mm.Config", Field: "AddressLimit", As: same.Skipped, Why: "the caller's RLIMIT_AS, set before each call"},
	{Type: "mm.Config", Field: "DataLimit", As: same.Skipped, Why: "the caller's RLIMIT_DATA, set before each call"},
	{Type: "mm.Config", Field: "DRAM", As: same.Skipped, Why: "memory is compared as the process sees it"},
	{Type: "mm.Config", Field: "PMEM", As: same.Skipped, Why: "memory is compared as the process sees it"},
	{Type: "mm.Config", Field: "Files", As: same.Skipped, Why: "as Kernel.FS"},
	{Type: "mm.Config", Field: "Extents", As: same.Skipped, Why: "which physical addresses are free, which no process sees"},
}
