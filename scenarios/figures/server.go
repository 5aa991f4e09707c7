package figures

import (
	"fmt"
	"strings"

	"zhuque/crashinject/result"
	"zhuque/internal/reference"
)

// shares are the percentages of stores of the server.
var shares = []string{"95", "75", "25", "5"}

// publishedRow is a system beside its name in the published data.
type publishedRow struct {
	published string
	row       row
}

// serverRows are the systems that the published figure has, as it calls them.
var serverRows = []publishedRow{
	{"zhuque", zhuque},
	{"pmdk-adr", logged[0]}, {"pmdk-fof", logged[0].as("fof")},
	{"mnemosyne-adr", logged[1]}, {"mnemosyne-fof", logged[1].as("fof")},
	{"clobber-adr", logged[3]}, {"clobber-fof", logged[3].as("fof")},
}

func serverPoints(s *size) (list []Point) {
	for _, share := range shares {
		for _, row := range serverRows {
			list = append(list, row.row.point(s, "server", "i"+share, s.server))
		}
	}
	return list
}

// publishedServer returns the throughput of the published figure by share of stores and system.
func publishedServer() (map[[2]string]reference.Point, error) {
	points, err := reference.Published("7")
	if err != nil {
		return nil, err
	}
	all := map[[2]string]reference.Point{}
	for _, p := range points {
		_, mix, _ := strings.Cut(p.Workload, "threads ")
		share, _, ok := strings.Cut(mix, "%")
		if !ok {
			return nil, fmt.Errorf("published figure 7: %q names no share of inserts", p.Workload)
		}
		all[[2]string{share, p.System}] = p
	}
	return all, nil
}

func drawServer(d *drawing) error {
	published, err := publishedServer()
	if err != nil {
		return err
	}
	b := result.Bars{Name: "server", Axis: "run time / Zhuque", Caption: fmt.Sprintf("A key-value server with one lock, %d threads, 256-byte values, by the share of stores: run time of the same operations relative to Zhuque's; adr with flushes, fof (flush-on-fail) without. "+
		"Diamonds: memcached 1.2.5 with 24 threads, figure 7 of the paper, as ratios of throughput.", d.size.server)}
	var modelled, measured, factors []float64
	for _, share := range shares {
		base := zhuque.point(d.size, "server", "i"+share, d.size.server)
		for _, row := range serverRows[1:] {
			v := d.ratio(row.row.point(d.size, "server", "i"+share, d.size.server), base)
			p, ok := published[[2]string{share, row.published}]
			of, ok2 := published[[2]string{share, "zhuque"}]
			if !ok || !ok2 {
				return fmt.Errorf("published figure 7 has no %s with %s%% inserts", row.published, share)
			}
			want := of.Value / p.Value
			b.Values = append(b.Values, result.Bar{Group: share + "% stores", Series: row.row.label + ", " + row.row.mode, Value: v, Published: want})
			modelled, measured, factors = append(modelled, v), append(measured, want), append(factors, max(v/want, want/v))
			d.doc.Predictions = append(d.doc.Predictions, result.Prediction{Name: fmt.Sprintf("server, %s%% stores, %s: Zhuque is faster by", share, row.published), Modelled: v, Published: want, Unit: "times", Source: p.Source})
		}
	}
	d.doc.Bars = append(d.doc.Bars, b)
	_, factor, err := means(factors)
	if err != nil {
		return err
	}
	low := 0
	for i := range modelled {
		if modelled[i] < measured[i] {
			low++
		}
	}
	d.doc.Remarks = append(d.doc.Remarks, fmt.Sprintf("Server: the rank correlation of the %d modelled ratios with the published ones is %.2f, the geometric mean of the factors between them %.2f; %d of them are below. "+
		"The published server is memcached with its network in front, of which each request pays the same under every system: that may bring the published ratios nearer to 1. Ours has no network, and values of 256 bytes.",
		len(modelled), rankCorrelation(modelled, measured), factor, low))
	return nil
}
