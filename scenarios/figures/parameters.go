package figures

import (
	"strconv"

	"zhuque/crashinject/result"
)

func (r row) at(s *size, latency string) Point {
	p := r.point(s, "hashmap", "load", 1)
	p.Param = "cache.pmem.read=" + latency
	return p
}

func latencyPoints(s *size) (list []Point) {
	for _, latency := range s.latencies {
		for _, row := range rows {
			list = append(list, row.at(s, latency))
		}
	}
	return list
}

func drawLatency(d *drawing) error {
	o := result.Overhead{Program: "hashmap, inserts, one thread", Parameter: "PMEM read latency (ns)"}
	for _, row := range rows[1:] {
		for _, latency := range d.size.latencies {
			x, err := strconv.ParseFloat(latency, 64)
			if err != nil {
				return err
			}
			o.Points = append(o.Points, d.over(x, row.label, row.at(d.size, latency), native.at(d.size, latency)))
		}
	}
	d.doc.Overheads = append(d.doc.Overheads, o)
	return nil
}
