package bench

import (
	"encoding/csv"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
)

// CSV writes one line a cell; a cell without a figure has empty columns and says why.
func CSV(w io.Writer, cells []Cell) error {
	c := csv.NewWriter(w)
	rows := [][]string{{"program", "engine", "rounds", "instructions", "own_count", "seconds", "seconds_min", "seconds_max", "wall_seconds", "runs", "instructions_per_second", "missing", "short_rounds", "slope_min", "slope_max", "no_slope"}}
	number := func(n uint64) string {
		if n == 0 {
			return ""
		}
		return strconv.FormatUint(n, 10)
	}
	for _, x := range cells {
		row := []string{x.Program, x.Engine, number(x.Rounds), number(x.Instructions), number(x.OwnCount),
			"", "", "", "", "", "", x.Missing, number(x.ShortRounds), "", "", x.NoSlope}
		if x.Missing == "" {
			for i, v := range []float64{x.Seconds, slices.Min(x.Runs), slices.Max(x.Runs), x.WallSeconds} {
				row[5+i] = strconv.FormatFloat(v, 'f', 6, 64)
			}
			row[9] = strconv.Itoa(len(x.Runs))
		}
		if x.PerSecond != 0 {
			row[10] = strconv.FormatFloat(x.PerSecond, 'f', 0, 64)
			row[13], row[14] = strconv.FormatFloat(slices.Min(x.Slopes),
				'f', 0, 64), strconv.FormatFloat(slices.Max(x.Slopes), 'f', 0, 64)
		}
		rows = append(rows, row)
	}
	return c.WriteAll(rows)
}

// Comparison is how much faster one engine is than another at a workload.
type Comparison struct {
	Program string  `json:"program"`
	Engine  string  `json:"engine"`
	Other   string  `json:"other"`
	Ratio   float64 `json:"ratio"` // of instructions a second
}

// Comparisons sets the simulator beside the emulators that do as much as it does:
// look at every instruction, and model caches.
func Comparisons(cells []Cell) (list []Comparison) {
	find := func(program, engine string) float64 {
		for _, c := range cells {
			if c.Program == program && c.Engine == engine {
				return c.PerSecond
			}
		}
		return 0
	}
	for _, pair := range [][2]string{{Simulator, QEMUSingle},
		{SimulatorCaches, QEMUCaches}, {SimulatorCaches, Cachegrind}} {
		for _, program := range programs(cells) {
			if a, b := find(program, pair[0]), find(program, pair[1]); a != 0 && b != 0 {
				list = append(list, Comparison{program, pair[0], pair[1], a / b})
			}
		}
	}
	return list
}

func programs(cells []Cell) (list []string) {
	for _, c := range cells {
		if !slices.Contains(list, c.Program) {
			list = append(list, c.Program)
		}
	}
	return list
}

// Text writes the cells as a table, and the comparisons below it.
func Text(w io.Writer, cells []Cell) error {
	head := []string{"program", "engine", "million instructions",
		"seconds", "million/s", "slowest..fastest", "n", "times native"}
	rows := [][]string{head}
	nativeSpeed, before := 0.0, ""
	for _, c := range cells {
		name := c.Program
		if name == before {
			name = ""
		} else {
			nativeSpeed = 0
		}
		before = c.Program
		if c.Missing != "" {
			rows = append(rows, []string{name, c.Engine, c.Missing})
			continue
		}
		if c.Engine == Native {
			nativeSpeed = c.PerSecond
		}
		slowdown, speeds, spread := "", c.NoSlope, ""
		speed := func(v float64) string { return fmt.Sprintf("%.0f", v/1e6) }
		if c.PerSecond != 0 {
			speeds, spread = speed(c.PerSecond), speed(slices.Min(c.Slopes))+".."+speed(slices.Max(c.Slopes))
		}
		if nativeSpeed != 0 && c.PerSecond != 0 {
			slowdown = fmt.Sprintf("%.1f", nativeSpeed/c.PerSecond)
		}
		rows = append(rows,
			[]string{name, c.Engine, fmt.Sprintf("%.1f", float64(c.Instructions)/1e6), fmt.Sprintf("%.2f", c.Seconds), speeds,
				spread, strconv.Itoa(len(c.Runs)), slowdown})
	}
	var b strings.Builder
	writeRows(&b, rows)
	for _, c := range Comparisons(cells) {
		fmt.Fprintf(&b, "%s: %s is %.2f times as fast as %s\n", c.Program, c.Engine, c.Ratio, c.Other)
	}
	b.WriteString("\nInstructions are those that the simulator retires for the same work; seconds are processor time\nof the longer runs. Million/s is the slope between two lengths of a run, so no start is in it;\nwithout a slope nothing is compared.\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// writeRows aligns columns: two to the left, numbers to the right. A short row's
// last text may be longer than its column.
func writeRows(b *strings.Builder, rows [][]string) {
	width := make([]int, len(rows[0]))
	for _, row := range rows {
		if len(row) == len(width) {
			for i, text := range row {
				width[i] = max(width[i], len(text))
			}
		}
	}
	width[1] = max(width[1], len(QEMUSingle))
	for i, row := range rows {
		var line strings.Builder
		for j, text := range row {
			if j > 0 {
				line.WriteString("  ")
			}
			if j < 2 || len(row) < len(width) {
				fmt.Fprintf(&line, "%-*s", width[j], text)
			} else {
				fmt.Fprintf(&line, "%*s", width[j], text)
			}
		}
		b.WriteString(strings.TrimRight(line.String(), " ") + "\n")
		if i == 0 {
			for j, n := range width {
				if j > 0 {
					b.WriteString("  ")
				}
				b.WriteString(strings.Repeat("-", n))
			}
			b.WriteString("\n")
		}
		if i+1 == len(rows) || i > 0 && rows[i+1][0] != "" {
			b.WriteString("\n")
		}
	}
}
