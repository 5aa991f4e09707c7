// Package reference holds measured behaviour of memory devices and caches, with the source and
// the confidence of each row: what the model's parameters cite and what zhuque validate
// compares with. Rows whose confidence is memory are unverified. It imports the standard
// library only.
package reference

import (
	"bytes"
	_ "embed"
	"encoding/csv"
	"fmt"
	"strconv"
)

//go:embed device_targets.csv
var deviceTargets []byte

// Target is one measured value. X is 0 where the row has none.
type Target struct {
	ID, Quantity, Config string
	X                    float64
	XUnit                string
	Value                float64
	Unit                 string
	Source, Confidence   string
}

// DeviceTargets returns the rows of device_targets.csv whose value is a number.
func DeviceTargets() ([]Target, error) {
	records, err := csv.NewReader(bytes.NewReader(deviceTargets)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("device_targets.csv: %w", err)
	}
	var list []Target
	for _, r := range records[1:] {
		t := Target{ID: r[0], Quantity: r[1], Config: r[2], XUnit: r[4], Unit: r[6], Source: r[7], Confidence: r[8]}
		if t.Value, err = strconv.ParseFloat(r[5], 64); err != nil {
			continue
		}
		if r[3] != "" {
			if t.X, err = strconv.ParseFloat(r[3], 64); err != nil {
				return nil, fmt.Errorf("device_targets.csv: %s: x %q is not a number", t.ID, r[3])
			}
		}
		list = append(list, t)
	}
	return list, nil
}
