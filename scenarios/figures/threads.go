package figures

import (
	"fmt"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/internal/reference"
	"zhuque/scenarios/region"
)

// Throughput of key-value servers over threads, beside figure 8 of the paper: one with a lock for
// everything, as memcached 1.2.5 has, under every system, and memcached as it is today.

// load is the guest that drives a server.
const load = "kvload"

// threadShares are the percentages of stores.
var threadShares = []string{"75", "25"}

// lockedRows are the systems of the published figure, as it calls them.
var lockedRows = []publishedRow{{"native", native}, {"zhuque", zhuque}, {"pmdk-fof", logged[0].as("fof")}, {"mnemosyne-fof", logged[1].as("fof")}, {"clobber-fof", logged[3].as("fof")}}

var modernRows = lockedRows[:2]

func lockedPoints(s *size) (list []Point) {
	for _, share := range threadShares {
		for _, threads := range s.threads {
			for _, r := range lockedRows {
				list = append(list, r.row.point(s, "server", "i"+share, threads))
			}
		}
	}
	return list
}

// modernPoint is memcached with as many connections as threads, each with a client on a core of its own.
func (s *size) modernPoint(share string, threads uint64, r row) Point {
	each := s.requests / threads
	return Point{Memory: r.memory, Program: region.Program{Name: crashinject.GuestPrefix + load, Cores: 2 * threads, Operations: each * threads,
		Args: []string{s.memcached, fmt.Sprint(threads), fmt.Sprint(each), share, fmt.Sprint(s.keys)}}}
}

func modernPoints(s *size) (list []Point) {
	if s.memcached == "" {
		return nil
	}
	for _, share := range threadShares {
		for _, threads := range s.threads {
			for _, r := range modernRows {
				list = append(list, s.modernPoint(share, threads, r.row))
			}
		}
	}
	return list
}

// publishedThreads returns the published points of a server, relative to native with one thread, up to a
// number of threads.
func publishedThreads(version, share string, most uint64) (list []result.CurvePoint, source string, err error) {
	points, err := reference.Published("8")
	if err != nil {
		return nil, "", err
	}
	workload := "memcached-" + version + " " + share + "% insert"
	base := 0.0
	for _, p := range points {
		if p.Workload == workload && p.System == "native" && p.X == 1 {
			base = p.Value
		}
	}
	if base == 0 {
		return nil, "", fmt.Errorf("published figure 8 has no %s with one thread", workload)
	}
	for _, r := range lockedRows {
		for _, p := range points {
			if p.Workload == workload && p.System == r.published && p.X <= float64(most) {
				source = p.Source
				list = append(list, result.CurvePoint{Series: r.row.label, X: p.X, Y: p.Value / base, Published: true})
			}
		}
	}
	return list, source, nil
}

// overThreads draws the throughput of a server relative to native's with one thread, and says how far from
// the published points it is.
func (d *drawing) overThreads(name, caption, version, share string, rows []publishedRow, point func(threads uint64, r row) Point) error {
	c := result.Curves{Name: name + " " + share, X: "threads", Y: "relative throughput", Caption: caption}
	rate := func(p Point) float64 { return float64(d.of(p).Operations) / d.of(p).Nanos }
	base := rate(point(1, rows[0].row))
	for _, r := range rows {
		for _, threads := range d.size.threads {
			c.Points = append(c.Points, result.CurvePoint{Series: r.row.label, X: float64(threads), Y: rate(point(threads, r.row)) / base})
		}
	}
	published, source, err := publishedThreads(version, share, d.size.threads[len(d.size.threads)-1])
	if err != nil {
		return err
	}
	var modelled, measured, factors []float64
	for _, want := range published {
		for _, p := range c.Points {
			if p.Series != want.Series || p.X != want.X || p.X == 1 && p.Series == native.label {
				continue
			}
			modelled, measured, factors = append(modelled, p.Y), append(measured, want.Y), append(factors, max(p.Y/want.Y, want.Y/p.Y))
			d.doc.Predictions = append(d.doc.Predictions, result.Prediction{Name: fmt.Sprintf("%s, %s%% stores, %v threads, %s: throughput relative to native with one", name, share, p.X, p.Series),
				Modelled: p.Y, Published: want.Y, Unit: "times", Source: source})
		}
	}
	c.Points = append(c.Points, published...)
	d.doc.Curves = append(d.doc.Curves, c)
	_, factor, err := means(factors)
	d.doc.Remarks = append(d.doc.Remarks, fmt.Sprintf("%s, %s %% stores: the rank correlation of the %d modelled throughputs with the published ones is %.2f, the geometric mean of the factors between them %.2f.",
		name, share, len(modelled), rankCorrelation(modelled, measured), factor))
	return err
}

func drawLocked(d *drawing) error {
	for _, share := range threadShares {
		err := d.overThreads("locked server", fmt.Sprintf("A key-value server with one lock, 256-byte values, %s %% stores; throughput relative to native with one thread. Diamonds: memcached 1.2.5, figure 8 of the paper.", share),
			"1.2.5", share, lockedRows, func(threads uint64, r row) Point { return r.point(d.size, "server", "i"+share, threads) })
		if err != nil {
			return err
		}
	}
	return nil
}

func drawModern(d *drawing) error {
	if d.size.memcached == "" {
		d.doc.Remarks = append(d.doc.Remarks, "memcached: not drawn, there is none here (--memcached).")
		return nil
	}
	for _, share := range threadShares {
		err := d.overThreads("memcached", fmt.Sprintf("memcached as it is, unmodified, with a client on a core of its own for each of its threads, 16-byte keys, 256-byte values, %s %% stores; throughput relative to native with one thread. Diamonds: memcached 1.6.17, figure 8 of the paper.", share),
			"1.6.17", share, modernRows, func(threads uint64, r row) Point { return d.size.modernPoint(share, threads, r) })
		if err != nil {
			return err
		}
	}
	return nil
}
