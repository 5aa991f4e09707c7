package figures

import (
	"fmt"
	"math"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/scenarios/region"
)

// sweep is a curve over parameters of the model: inserts into a hash map.
type sweep struct {
	name   string // of the figure
	axis   string
	crowd  bool // all the threads that there are, not one
	places []place
	few    []int // of the places, in quick runs
}

// place is a value on the axis, and the parameters that it stands for.
type place struct {
	x      float64
	params string // NAME=VALUE, with commas between several
}

func over(params string, values ...uint64) (list []place) {
	for _, v := range values {
		list = append(list, place{float64(v), fmt.Sprintf(params, v)})
	}
	return list
}

var (
	latencies  = sweep{"latency", "PMEM read latency (ns)", false, over("cache.pmem.read=%d", 100, 200, 305, 600, 1000, 3000), []int{0, 2, 4}}
	bandwidths = sweep{"bandwidth", "time of the one DIMM for a write of 256 bytes (ns)", true, over("cache.pmem.dimms=1,cache.pmem.write_service=%[1]d,cache.pmem.flush_service=%[1]d", 20, 85, 200, 500, 1000, 2000), []int{0, 1, 3, 5}}
	// The entries of quick runs lie in a second level of 1.25 MiB: both levels shrink.
	caches = sweep{"caches", "last-level cache (KiB)", false, []place{
		{96, "cache.l2.size=81920,cache.llc.size=98304"}, {384, "cache.l2.size=327680,cache.llc.size=393216"},
		{1536, "cache.llc.size=1572864"}, {24_576, "cache.llc.size=25165824"}}, []int{0, 1, 3}}
)

func (w *sweep) of(s *size) []place {
	if s.full {
		return w.places
	}
	var list []place
	for _, i := range w.few {
		list = append(list, w.places[i])
	}
	return list
}

func (w *sweep) point(s *size, r row, at place) Point {
	use, threads := *s, uint64(1)
	if w.crowd {
		// More than the DIMM's buffer holds, so that writes reach the medium.
		threads, use.loaded = s.server, max(s.loaded, 2048)
	}
	p := r.point(&use, "hashmap", "load", threads)
	p.Params = at.params
	return p
}

func (w *sweep) points(s *size) (list []Point) {
	for _, at := range w.of(s) {
		for _, row := range rows {
			list = append(list, w.point(s, row, at))
		}
	}
	return list
}

func (w *sweep) draw(d *drawing) error {
	o := result.Overhead{Program: "hashmap, inserts: " + w.name, Parameter: w.axis}
	for _, row := range rows[1:] {
		for _, at := range w.of(d.size) {
			o.Points = append(o.Points, d.over(at.x, row.label, w.point(d.size, row, at), w.point(d.size, native, at)))
		}
	}
	d.doc.Overheads = append(d.doc.Overheads, o)
	return nil
}

// callsMade is how many calls the guest makes, and rounds of arithmetic lie before each.
const callsMade = 1000

var betweenCalls = []uint64{0, 10, 100, 1000}

func callPoint(rounds uint64, row row) Point {
	return Point{Memory: row.memory, Program: region.Program{Name: crashinject.GuestPrefix + micro, Cores: 1, Operations: callsMade,
		Args: []string{"call_every", fmt.Sprint(rounds)}}}
}

func callPoints(*size) (list []Point) {
	for _, rounds := range betweenCalls {
		for _, row := range microRows {
			list = append(list, callPoint(rounds, row))
		}
	}
	return list
}

// drawCalls draws over the rate of the native run.
func drawCalls(d *drawing) error {
	o := result.Overhead{Program: "getpid between arithmetic", Parameter: "system calls in a microsecond"}
	for _, row := range microRows[1:] {
		for _, rounds := range betweenCalls {
			base := callPoint(rounds, native)
			o.Points = append(o.Points, d.over(math.Round(1e5*callsMade/d.of(base).Nanos)/100, row.label, callPoint(rounds, row), base))
		}
	}
	d.doc.Overheads = append(d.doc.Overheads, o)
	return nil
}
