package figures

import (
	"zhuque/crashinject/result"
)

var (
	structures = []string{"btree", "hashmap", "queue", "rbtree", "skiplist"}
	mixes      = []string{"load", "a"}
	mixNames   = map[string]string{"load": "inserts", "a": "YCSB A"}
)

func eachStructure(s *size, do func(structure, mix string, threads uint64)) {
	for _, structure := range structures {
		for _, mix := range mixes {
			for _, threads := range s.threads {
				do(structure, mix, threads)
			}
		}
	}
}

func structurePoints(s *size) (list []Point) {
	eachStructure(s, func(structure, mix string, threads uint64) {
		for _, r := range rows {
			list = append(list, r.point(s, structure, mix, threads))
		}
	})
	return list
}

func drawStructures(d *drawing) error {
	for _, structure := range structures {
		for _, mix := range mixes {
			o := result.Overhead{Program: structure + ", " + mixNames[mix], Parameter: "threads"}
			for _, row := range rows[1:] {
				for _, n := range d.size.threads {
					o.Points = append(o.Points, d.over(float64(n), row.label, row.point(d.size, structure, mix, n), native.point(d.size, structure, mix, n)))
				}
			}
			d.doc.Overheads = append(d.doc.Overheads, o)
		}
	}
	d.doc.Remarks = append(d.doc.Remarks, "Structures: values have 256 bytes, keys follow Zipf's law, each thread has a core. The systems are forms in which no fault is known; "+
		"those of their publications that differ are in the figure of the systems. B+ tree, red-black tree, queue and skip list have one lock each, so that their time is that of the lock's holder.")
	return nil
}
