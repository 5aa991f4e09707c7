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

func (t *table) text(row int, name string) string { return t.rows[row][t.column[name]] }

// numbers returns the values of the named columns of one row.
func (t *table) numbers(row int, names ...string) ([]float64, error) {
	out := make([]float64, len(names))
	for i, name := range names {
		v, err := strconv.ParseFloat(t.text(row, name), 64)
		if err != nil || math.IsNaN(v) || math.IsInf(v, 0) {
			return nil, fmt.Errorf("figure data: row %d, column %q is %q, expected a finite number", row+1, name, t.text(row, name))
		}
		out[i] = v
	}
	return out, nil
}
