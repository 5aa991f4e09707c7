package scenarios

import (
	"context"
	"slices"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/scenarios/guests"
)

// Every row names a guest, is found by its name, and gives its verdict at points
// of its own strategy.
func TestScenarios(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range All() {
		t.Run(s.Name, func(t *testing.T) {
			if seen[s.Name] || s.About == "" || !slices.Contains(guests.Names(), s.Guest) {
				t.Fatalf("%+v: a second row of this name, no description, or no such guest", s)
			}
			seen[s.Name] = true
			found, err := Find(s.Name)
			if err != nil || found.Name != s.Name {
				t.Fatalf("found %q, %v", found.Name, err)
			}
			c := s.Campaign()
			c.Tails = 1
			if c.Strategy.Points = min(max(c.Strategy.Points, 1), 10); c.Strategy.To != 0 {
				c.Strategy.To = c.Strategy.From + 10
			}
			r, err := c.Run(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			want := result.Pass
			if s.Expect.Valid() {
				want = s.Expect
			}
			if r.Points == 0 || r.Counts.Of(want) != r.Points {
				p, _ := r.FirstFailure()
				t.Errorf("%+v: expected %s at all points; %s: %s", r.Counts, want, p.Plan, p.Reason)
			}
		})
	}
	if _, err := Find("nobody"); err == nil {
		t.Error("found a scenario that is not there")
	}
}
