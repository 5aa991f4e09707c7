package figures

import "zhuque/crashinject/result"

// Bookings alone, and half of them given back.
var reservationMixes = []string{"load", "a"}

func reservationPoints(s *size) (list []Point) {
	for _, mix := range reservationMixes {
		for _, threads := range s.threads {
			for _, row := range rows {
				list = append(list, row.point(s, "reservation", mix, threads))
			}
		}
	}
	return list
}

func drawReservation(d *drawing) error {
	for i, mix := range reservationMixes {
		o := result.Overhead{Program: []string{"reservation, bookings", "reservation, half given back"}[i], Parameter: "threads"}
		for _, row := range rows[1:] {
			for _, n := range d.size.threads {
				o.Points = append(o.Points, d.over(float64(n), row.label, row.point(d.size, "reservation", mix, n), native.point(d.size, "reservation", mix, n)))
			}
		}
		d.doc.Overheads = append(d.doc.Overheads, o)
	}
	d.doc.Remarks = append(d.doc.Remarks, "Reservation: after STAMP's vacation, with tables in place of its trees; one lock guards all of it, which the STM does not take.")
	return nil
}
