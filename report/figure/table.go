package figure

import (
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"math"
	"strconv"
)

// table is parsed CSV with columns found by name.
type table struct {
	column map[string]int
	rows   [][]string
}

// readTable parses text, whose first record names the columns, and requires the
// given ones. Errors name the line and column.
func readTable(text []byte, required ...string) (*table, error) {
	records, err := csv.NewReader(bytes.NewReader(text)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("figure data: %w", err)
	}
	if len(records) == 0 {
		return nil, errors.New("figure data: the CSV is empty, expected a line with column names")
	}
	t := &table{column: map[string]int{}, rows: records[1:]}
	for i, name := range records[0] {
		t.column[name] = i
	}
	for _, name := range required {
		if _, ok := t.column[name]; !ok {
			return nil, fmt.Errorf("figure data: column %q is missing", name)
		}
	}
	if len(t.rows) == 0 {
		return nil, errors.New("figure data: the CSV has no rows")
	}
	return t, nil
}

// named returns the name of a column by its place, "" if there is none.
func (t *table) named(column int) string {
	for name, at := range t.column {
		if at == column {
			return name
		}
	}
	return ""
}

func (t *table) text(row int, name string) string { return t.rows[row][t.column[name]] }

// numbers returns the values of the named columns of one row.
func (t *table) numbers(row int, names ...string) ([]float64, error) {
	out := make([]float64, len(names))
	for i, name := range names {
		v, err := strconv.ParseFloat(t.text(row, name), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil,
				fmt.Errorf("figure data: row %d, column %q is %q, expected a finite number", row+1, name, t.text(row, name))
		}
		out[i] = v
	}
	return out, nil
}

// interval returns the columns low and high of one row; both are value where they are empty,
// as those of a single run are.
func (t *table) interval(row int, n, value float64) (low, high float64, err error) {
	if t.text(row, "low") == "" && t.text(row, "high") == "" {
		return value, value, nil
	}
	v, err := t.numbers(row, "low", "high")
	switch {
	case err != nil:
		return 0, 0, err
	case n < 2:
		return 0, 0, fmt.Errorf("figure data: row %d has an interval from %g to %g and n = %g: expected at least two runs, or empty columns", row+1, v[0], v[1], n)
	}
	return v[0], v[1], nil
}
