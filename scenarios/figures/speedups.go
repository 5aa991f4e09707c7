package figures

import (
	"zhuque/crashinject/result"
)

// publishedMeans are the headline speedups of Zhuque (USENIX ATC 2023): the arithmetic mean as published, and
// the geometric one of the published points.
var publishedMeans = map[string][2]float64{"undo": {5.24, 2.77}, "redo": {3.01, 2.63}, "fase": {5.43, 4.17}, "clobber": {4.11, 2.24}}

func drawSpeedups(d *drawing) error {
	b := result.Bars{Name: "speedups", Axis: "speedup of Zhuque", Caption: "How much faster Zhuque is than each system, over five structures, two mixes and all numbers of threads. Diamonds: the means of the paper, over other workloads."}
	for _, row := range logged {
		var list []float64
		eachStructure(d.size, func(structure, mix string, threads uint64) {
			list = append(list, d.ratio(row.point(d.size, structure, mix, threads), zhuque.point(d.size, structure, mix, threads)))
		})
		arithmetic, geometric, err := means(list)
		if err != nil {
			return err
		}
		for i, v := range []float64{arithmetic, geometric} {
			mean := []string{"arithmetic", "geometric"}[i]
			want := publishedMeans[row.system][i]
			b.Values = append(b.Values, result.Bar{Group: row.label, Series: mean + " mean", Value: v, Published: want})
			d.doc.Predictions = append(d.doc.Predictions, result.Prediction{Name: "speedup of Zhuque over the " + row.label + ", " + mean + " mean", Modelled: v, Published: want, Unit: "times", Source: "Zhuque, USENIX ATC 2023"})
		}
	}
	d.doc.Bars = append(d.doc.Bars, b)
	d.doc.Remarks = append(d.doc.Remarks, "Speedups: the published means are over data structures, servers and applications, each with the libraries' own code; ours are over five structures and the algorithms alone. "+
		"The STM logs a word with its address and a mask, and a value of 256 bytes is 32 such entries; sections flush each store by itself: both weigh more here than in applications that compute between their stores.")
	return nil
}
