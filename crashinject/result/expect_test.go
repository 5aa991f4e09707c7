package result

import (
	"strings"
	"testing"
)

// What is expected is counted the same whoever collects, and every way to miss it is told.
func TestShares(t *testing.T) {
	list := []Share{{Verdict: Pass, Least: 50, Most: 50}, {Verdict: Detected, Reason: "count rose", Least: 25, Most: 50}}
	for _, tc := range []struct {
		reasons string // of points, "" a pass
		want    string
	}{
		{",,the count rose from 0 to 1,the count rose from 1 to 2", ""},
		{",,,the count rose from 0 to 1", "2 of 4 points are expected to be 50 % pass, 3 are"},
		{",,the count rose from 0 to 1,other", "1 of 4 points are none of what is expected; p3: detected: other"},
		{"the count rose,the count rose,the count rose,the count rose", "2 of 4 points are expected to be 50 % pass, 0 are"},
	} {
		one := NewCollector(0, 9, Limits{})
		two := NewCollector(0, 9, Limits{})
		one.Expect(list)
		two.Expect(list)
		for i, reason := range strings.Split(tc.reasons, ",") {
			p := Point{Index: uint64(i), Kind: AtInstruction, Verdict: Pass, Plan: "p" + string(rune('0'+i))}
			if reason != "" {
				p.Verdict, p.Reason = Detected, reason
			}
			if i%2 == 0 {
				one.Add(p)
			} else {
				two.Add(p)
			}
		}
		one.Merge(two)
		var c Campaign
		one.Fill(&c)
		switch err := c.AsExpected(); {
		case tc.want == "" && err != nil, tc.want != "" && (err == nil || err.Error() != tc.want):
			t.Errorf("%q: %v, expected %q", tc.reasons, err, tc.want)
		}
	}
	if list[0].Points != 0 {
		t.Error("the caller's list was changed")
	}
	if (&Campaign{}).AsExpected() == nil {
		t.Error("nothing was judged, and that is as expected")
	}
}

// Loosened shares take any size, and only size.
func TestLoosened(t *testing.T) {
	list := []Share{{Verdict: Detected, Reason: "x", Least: 40, Most: 41}}
	c := Campaign{Points: 9, Expected: Loosened(list), Unexpected: 0}
	if err := c.AsExpected(); err != nil || list[0].Least != 40 {
		t.Errorf("%v, %+v", err, list)
	}
	if c.Unexpected, c.Odd = 1, (&Point{Verdict: Pass}); c.AsExpected() == nil {
		t.Error("a point of no share is as expected")
	}
}
