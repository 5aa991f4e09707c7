package report

import (
	"math"
	"strings"
	"testing"

	"zhuque/crashinject/result"
)

// A document has no change from itself; a value that is another, one that is gone and a parameter are told.
func TestCompare(t *testing.T) {
	old, same := smallDocument(), smallDocument()
	c := Compare(&old, &same)
	want := len(old.Overheads[0].Points) + len(old.Overheads[1].Points) + len(old.Bars[0].Values) + len(old.Breakdowns[0].Parts) + len(old.Curves[0].Points) - 1
	if len(c.Changes) != want || c.OnlyOld+c.OnlyNew+len(c.Params) != 0 {
		t.Fatalf("%d values, expected %d; %+v", len(c.Changes), want, c)
	}
	for i := range c.Changes {
		if ch := &c.Changes[i]; ch.Differs() || ch.Old != ch.New || ch.text() != "~" {
			t.Errorf("%+v", ch)
		}
	}

	changed := smallDocument()
	changed.Bars[0].Values[0].Value *= 1.5
	changed.Bars[0].Values[3].Series = "another"
	changed.Params[1].Value = 200
	changed.Params = append(changed.Params[:2], changed.Params[3:]...)
	c = Compare(&old, &changed)
	text := c.Text()
	for _, want := range []string{"+50.00%", "not compared: 1 values of the old one alone, 1 of the new one alone", "geometric mean of 3",
		"parameter: pmem.read_latency is 200, was 305", "parameter: core.store_miss_divisor was 4, and is no parameter of the new one"} {
		if !strings.Contains(text, want) {
			t.Errorf("the comparison does not say %q:\n%s", want, text)
		}
	}
	if g := "geometric mean of 3"; !strings.Contains(text[strings.Index(text, g):], growth(math.Cbrt(1.5))) {
		t.Errorf("no mean %s:\n%s", growth(math.Cbrt(1.5)), text)
	}
}

// Several runs differ where they do not overlap.
func TestIntervalsOverlap(t *testing.T) {
	doc := func(low, high float64) *result.Document {
		return &result.Document{Overheads: []result.Overhead{{Program: "p", Points: []result.OverheadPoint{{System: "s", RelativeToNative: (low + high) / 2, N: 3, Low: low, High: high}}}}}
	}
	for _, tc := range []struct {
		low, high float64
		want      string
	}{{2.5, 4, "~"}, {3, 4, "~"}, {3.5, 4.5, "+60.00%"}, {1, 1.5, "-50.00%"}} {
		if c := Compare(doc(2, 3), doc(tc.low, tc.high)); c.Changes[0].text() != tc.want {
			t.Errorf("2 to 3, then %v to %v: %s, expected %s", tc.low, tc.high, c.Changes[0].text(), tc.want)
		}
	}
}
