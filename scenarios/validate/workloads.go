package validate

import (
	"math"
	"strconv"
	"strings"

	"zhuque/internal/reference"
	"zhuque/sim"
)

// workload is how one measured value is had from the model.
type workload struct {
	name    string // of the guest's workload
	size    uint64
	threads int
	count   uint64 // operations of each thread
	memory  string // pmem or native
	preset  string
	dimms   int
	value   func(w *workload, d *delta) float64
}

// delta is what passed between the marks.
type delta struct {
	nanos        float64
	media, lines float64 // bytes that the medium took, lines that were written to it
}

// Family is rows of one kind of measurement with a goal.
type family struct {
	name   string
	prefix string // of the rows' ids
	goal   float64
	make   func(t *reference.Target, rest string) workload
}

// families lists what has a counterpart. rest of an id is what follows the prefix.
var families = []family{
	{"idle latency", "fast20.idle_", 1.05, idle},
	{"DRAM idle latency and peak", "mlc.", 1.05, mlc},
	{"LENS read", "lens.ni.read", 1.10, lens},
	{"LENS write", "lens.ni.write", 1.10, lens},
	{"LENS overwrite", "lens.overwrite256.median", 1.25, overwrite},
	{"effective write ratio", "fast20.ewr.", 1.05, writeRatio},
	{"write amplification", "fast20.xpbuf_wa.", 1.10, amplification},
	{"bandwidth, DRAM", "fast20.bw_threads.dram.", 1.15, bandwidth("native", 6)},
	{"bandwidth, six DIMMs", "fast20.bw_threads.optane.", 1.15, bandwidth("pmem", 6)},
	{"bandwidth, one DIMM", "fast20.bw_threads.optane_ni.", 1.15, bandwidth("pmem", 1)},
	{"persist latency", "fast20.flush_instr_lat.", 1.15, persist},
	{"fence interval", "fast20.sfence_int.", 1.15, interval},
}

func pmem(name string, dimms int) workload {
	return workload{name: name, size: 256, threads: 1, count: 4000, memory: "pmem", preset: "clx-g1", dimms: dimms}
}

func perOperation(w *workload, d *delta) float64 { return d.nanos / float64(w.count) }

func gigabytes(w *workload, d *delta) float64 {
	return float64(w.size) * float64(w.count) * float64(w.threads) / d.nanos
}

func idle(_ *reference.Target, rest string) workload {
	kind, memory, _ := strings.Cut(rest, ".")
	w := pmem("idle."+kind, 6)
	w.size, w.count, w.value = 64, 1500, perOperation
	if memory == "dram" {
		w.memory = "native"
	}
	return w
}

// mlc is idle latency in order and the read bandwidth of one socket; other rows have no counterpart.
func mlc(_ *reference.Target, rest string) workload {
	machine, what, _ := strings.Cut(rest, ".")
	w := pmem("", 6)
	w.memory, w.preset = "native", map[string]string{"icx": "icx-g2", "clx": "clx-g1"}[machine]
	switch what {
	case "dram_local":
		w.name, w.size, w.count, w.value = "idle.read_seq", 64, 1500, perOperation
	case "peak_read_local":
		w.name, w.threads, w.count = "read", 24, 1500
		w.value = func(w *workload, d *delta) float64 { return 1000 * gigabytes(w, d) }
	}
	return w
}

func lens(t *reference.Target, rest string) workload {
	block := uint64(64)
	if strings.HasPrefix(rest, "256") {
		block = 256
	}
	what := strings.Split(strings.TrimPrefix(t.ID, "lens.ni."), ".")[0]
	w := pmem("lens."+what, 1)
	w.size, w.count = uint64(t.X), 16_000
	w.value = func(w *workload, d *delta) float64 {
		visits := min(w.size/block, w.count)
		return d.nanos / float64(w.count/visits*visits)
	}
	return w
}

func overwrite(*reference.Target, string) workload {
	w := pmem("overwrite", 1)
	w.value = perOperation
	return w
}

func writeRatio(t *reference.Target, rest string) workload {
	parts := strings.Split(rest, ".")
	w := pmem("ewr."+parts[0]+"."+parts[1], 1)
	w.size = uint64(t.X)
	w.threads, _ = strconv.Atoi(strings.TrimSuffix(parts[2], "t"))
	bytes := uint64(2 << 20)
	if parts[0] == "store_noflush" { // what the caches hold does not count
		bytes = 40 << 20
	}
	w.count = max(bytes/w.size/uint64(w.threads), 8)
	w.value = func(_ *workload, d *delta) float64 { return d.lines * 64 / d.media }
	return w
}

func amplification(t *reference.Target, _ string) workload {
	w := pmem("halves", 1)
	w.size, w.count = uint64(t.X), 12_000
	w.value = func(_ *workload, d *delta) float64 { return d.media / (d.lines * 64) }
	return w
}

func bandwidth(memory string, dimms int) func(*reference.Target, string) workload {
	return func(t *reference.Target, rest string) workload {
		what, _, _ := strings.Cut(rest, ".")
		w := pmem(what, dimms)
		w.memory, w.threads, w.value = memory, int(t.X), gigabytes
		w.count = uint64(max(600, 6000/w.threads))
		return w
	}
}

func persist(t *reference.Target, rest string) workload {
	w := pmem("idle.ntstore", 6)
	if strings.HasPrefix(rest, "store+clwb") {
		w.name = "idle.store_clwb"
	}
	w.size, w.count, w.value = uint64(t.X), 1000, perOperation
	return w
}

func interval(t *reference.Target, rest string) workload {
	what, _, _ := strings.Cut(rest, ".")
	const bytes = 1 << 20
	w := pmem("fence."+what, 1)
	w.size, w.count = uint64(math.Min(t.X, bytes)), bytes/64
	w.value = func(w *workload, d *delta) float64 { return float64(64*w.count) / d.nanos }
	return w
}

// watch sums up what passes between the marks 1 and 2.
type watch struct {
	from sim.Time
	read float64
	sum  delta
}

func (w *watch) mark(m *sim.Machine, n uint64) {
	t := m.Time()
	lines := float64(m.Hierarchy().Stats().PMEMWrites)
	switch n {
	case 1:
		w.from, w.read = t, lines
	case 2:
		cycles := float64(t.ElapsedCycles - w.from.ElapsedCycles)
		w.sum.nanos += cycles * 1000 / float64(m.Hierarchy().Config().CoreMHz)
		w.sum.media += float64(t.MediaBytesWritten - w.from.MediaBytesWritten)
		w.sum.lines += lines - w.read
	}
}
