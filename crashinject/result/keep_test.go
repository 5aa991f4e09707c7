package result

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"strings"
	"testing"
)

// drawnPoints are points of all verdicts, most of which pass.
func drawnPoints(n int, r *rand.Rand) (list []Point) {
	for i := range n {
		p := Point{Index: uint64(i), At: uint64(i) * 3, Kind: AtInstruction, Verdict: Pass, DirtyLines: r.Uint64N(50), Redrawn: r.IntN(9) == 0}
		if r.IntN(4) == 0 {
			p.Verdict = Verdicts()[r.IntN(len(Verdicts()))]
			if p.Verdict != Pass {
				p.Reason = fmt.Sprintf("reason %d", r.IntN(3))
			}
		}
		list = append(list, p)
	}
	return list
}

// Parts that were kept as JSON and absorbed in any order are what one collector of all points is.
func TestKeptPartsAreTheWhole(t *testing.T) {
	shares := []Share{{Verdict: Pass, Most: 100}, {Verdict: Detected, Reason: "reason 1", Most: 100}}
	for seed := range uint64(20) {
		r := rand.New(rand.NewPCG(seed, 1))
		n := 1 + r.IntN(3000)
		limits := Limits{Passes: 50, Failures: 20, Bins: 7}
		fresh := func() *Collector {
			c := NewCollector(0, uint64(n)*3, limits)
			c.Expect(shares)
			c.Coarse(uint64(n))
			return c
		}
		points := drawnPoints(n, r)
		whole, merged := fresh(), fresh()
		for _, p := range points {
			whole.Add(p)
		}
		var parts [][]byte
		for len(points) > 0 {
			k := 1 + r.IntN(min(len(points), 400))
			part := fresh()
			for _, p := range points[:k] {
				part.Add(p)
			}
			text, err := part.MarshalJSON()
			if err != nil {
				t.Fatal(err)
			}
			parts, points = append(parts, text), points[k:]
		}
		r.Shuffle(len(parts), func(i, j int) { parts[i], parts[j] = parts[j], parts[i] })
		for _, text := range parts {
			if err := merged.Absorb(text); err != nil {
				t.Fatal(err)
			}
		}
		var want, got Campaign
		whole.Fill(&want)
		merged.Fill(&got)
		if !reflect.DeepEqual(want, got) {
			t.Fatalf("seed %d, %d points in %d parts: they differ\n%+v\n%+v", seed, n, len(parts), want, got)
		}
	}
}

// What no part of the campaign has written is refused, and changes nothing.
func TestAbsorbRefuses(t *testing.T) {
	part := NewCollector(0, 10, Limits{})
	part.Add(Point{At: 3, Kind: AtInstruction, Verdict: Pass})
	good, err := part.MarshalJSON()
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{
		"noise": "noise", "another range": strings.Replace(string(good), `"To":10`, `"To":11`, 1),
		"a bin past the end": strings.Replace(string(good), `"Bins":{"3"`, `"Bins":{"300"`, 1),
		"other counts":       strings.Replace(string(good), `"pass":1`, `"pass":2`, 1),
		"no verdict":         strings.Replace(string(good), `"Samples":{"pass"`, `"Samples":{"pasta"`, 1),
		"a stride of 3":      strings.Replace(string(good), `"Stride":1`, `"Stride":3`, 1),
	} {
		c := NewCollector(0, 10, Limits{})
		if text == string(good) {
			t.Fatalf("%s: nothing was changed in %s", name, good)
		}
		if err := c.Absorb([]byte(text)); err == nil || c.Counts() != (Counts{}) {
			t.Errorf("%s: absorbed, %v", name, c.Counts())
		}
	}
}
