package figures

import (
	"zhuque/crashinject/result"
	"zhuque/scenarios/systems"
)

func systemPoints(s *size) (list []Point) {
	for _, structure := range structures {
		for _, mix := range mixes {
			list = append(list, native.point(s, structure, mix, 1), onPMEM.point(s, structure, mix, 1), zhuque.point(s, structure, mix, 1))
			for _, row := range logged {
				for _, mode := range []string{"adr", "fof", "adr-published"} {
					list = append(list, row.as(mode).point(s, structure, mix, 1))
				}
			}
		}
	}
	return list
}

// overStructures is the geometric mean over structures and mixes of the time relative to native.
func (r runs) overStructures(s *size, row row) (float64, error) {
	var list []float64
	for _, structure := range structures {
		for _, mix := range mixes {
			list = append(list, r.ratio(row.point(s, structure, mix, 1), native.point(s, structure, mix, 1)))
		}
	}
	_, geometric, err := means(list)
	return geometric, err
}

func drawSystems(d *drawing) error {
	b := result.Bars{Name: "systems", Axis: "run time / native", Caption: "One thread: geometric mean of the run time relative to native over five structures and two mixes, with ADR, " +
		"with persistent caches and without flushes, and in the form of the publication where a fault of it is known: such a bar enters no mean elsewhere."}
	add := func(group, series string, row row) error {
		v, err := d.overStructures(d.size, row)
		b.Values = append(b.Values, result.Bar{Group: group, Series: series, Value: v})
		return err
	}
	for _, row := range []row{onPMEM, zhuque} {
		if err := add(row.label, "flush-on-fail", row); err != nil {
			return err
		}
	}
	unsound := map[string]bool{}
	for _, sys := range systems.List() {
		unsound[sys.Name] = sys.Unsound != ""
	}
	for _, row := range logged {
		for _, form := range [][2]string{{"flush-on-fail", "fof"}, {"ADR", "adr"}, {"ADR, as published: unsound", "adr-published"}} {
			if form[1] == "adr-published" && !unsound[row.system] {
				continue
			}
			if err := add(row.label, form[0], row.as(form[1])); err != nil {
				return err
			}
		}
	}
	d.doc.Bars = append(d.doc.Bars, b)
	return nil
}
