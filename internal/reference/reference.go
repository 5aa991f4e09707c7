// Package reference holds measured behaviour of memory devices and caches, and the published results of
// Zhuque, with the source and
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

//go:embed zhuque_published.csv
var published []byte

// Point is one point of a published figure of Zhuque.
type Point struct {
	Figure, Workload string
	X                float64 // 0 where the row has none
	System           string
	Value            float64
	Unit, Source     string
}

// Published returns the points of a figure of the Zhuque paper (USENIX ATC 2023), by its number.
func Published(figure string) ([]Point, error) {
	records, err := csv.NewReader(bytes.NewReader(published)).ReadAll()
	if err != nil {
		return nil, fmt.Errorf("zhuque_published.csv: %w", err)
	}
	var list []Point
	for i, r := range records[1:] {
		if r[0] != figure {
			continue
		}
		p := Point{Figure: r[0], Workload: r[1], System: r[4], Unit: r[6], Source: r[7]}
		if r[2] != "" {
			if p.X, err = strconv.ParseFloat(r[2], 64); err != nil {
				return nil, fmt.Errorf("zhuque_published.csv: row %d: x %q is not a number", i+1, r[2])
			}
		}
		if p.Value, err = strconv.ParseFloat(r[5], 64); err != nil {
			return nil, fmt.Errorf("zhuque_published.csv: row %d: value %q is not a number", i+1, r[5])
		}
		list = append(list, p)
	}
	return list, nil
}
