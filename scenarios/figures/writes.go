package figures

import (
	"zhuque/crashinject/result"
)

func drawWrites(d *drawing) error {
	for _, mix := range mixes {
		b := result.Bars{Name: "writes " + mix, Axis: "per operation", Caption: "An operation of the hash map, one thread, " + mixNames[mix] + ": what it orders, and what it writes. " +
			"Lines have 64 bytes; the medium takes blocks of 256. What stays dirty in the caches is not written yet."}
		for _, row := range rows[1:] {
			c := d.of(row.point(d.size, "hashmap", mix, 1))
			n, st := float64(c.Operations), &c.Stats
			for _, v := range []struct {
				series string
				value  float64
			}{
				{"fences", float64(st.SFENCE + st.MFENCE)}, {"lines flushed", float64(st.CLWB + st.CLFLUSH + st.CLFLUSHOPT)},
				{"lines streamed", float64(st.WCEvictions)}, {"lines to PMEM", float64(st.PMEMWrites)}, {"blocks of the medium", float64(c.MediaBytes) / 256},
			} {
				b.Values = append(b.Values, result.Bar{Group: row.label, Series: v.series, Value: v.value / n})
			}
		}
		d.doc.Bars = append(d.doc.Bars, b)
	}
	return nil
}
