package scenarios

import (
	"context"
	"slices"
	"strings"
	"testing"

	"zhuque/crashinject/result"
)

// Every row names a guest, is found by its name, and gives its verdict at points
// of its own strategy.
func TestScenarios(t *testing.T) {
	seen := map[string]bool{}
	for _, s := range slices.Concat(All(), Calls()) {
		t.Run(s.Name, func(t *testing.T) {
			if seen[s.Name] || s.About == "" || !hasGuest(s.Guest) {
				t.Fatalf("%+v: a second row of this name, no description, or no such guest", s)
			}
			seen[s.Name] = true
			found, err := Find(s.Name)
			if err != nil || found.Name != s.Name {
				t.Fatalf("found %q, %v", found.Name, err)
			}
			c, err := s.Thinned(10).Campaign()
			if err != nil {
				t.Fatal(err)
			}
			r, err := c.Run(context.Background())
			if err != nil {
				t.Fatal(err)
			}
			if err := r.AsExpected(); err != nil {
				t.Error(err)
			}
		})
	}
	if _, err := Find("nobody"); err == nil {
		t.Error("found a scenario that is not there")
	}
}

func hasGuest(name string) bool {
	_, err := Guest(name)
	return err == nil
}

// A scenario that expects refusals takes no other reason, no other share, and no pass, for
// what it expects.
func TestSharesAreKept(t *testing.T) {
	for _, tc := range []struct {
		name   string
		change func(*Scenario)
		want   string // in what is said; nothing for a scenario as it should be
	}{
		{"list-adr", func(*Scenario) {}, ""},
		{"list-adr", func(s *Scenario) { s.Expect[0].Reason = "dirty shutdown" }, "are none of what is expected; after"},
		{"list-adr", func(s *Scenario) { s.Expect[0].Verdict = result.Pass }, "are none of what is expected; after"},
		{"list-adr", func(s *Scenario) { s.Set = nil }, "are none of what is expected; after"},
		{"list-adr", func(s *Scenario) { s.Expect[0].Least, s.Expect[0].Most = 0, 99 }, "are expected to be"},
		{"files-energy", func(s *Scenario) { s.Expect[0].Least, s.Expect[0].Most = 60, 70 }, "are expected to be"},
		{"files-energy", func(s *Scenario) { s.Expect = s.Expect[:2] }, "no superblock"},
	} {
		s, err := Find(tc.name)
		if err != nil {
			t.Fatal(err)
		}
		s.Expect = slices.Clone(s.Expect)
		tc.change(&s)
		c, err := s.Campaign()
		if err != nil {
			t.Fatal(err)
		}
		r, err := c.Run(context.Background())
		if err != nil {
			t.Fatal(err)
		}
		switch err := r.AsExpected(); {
		case tc.want == "" && err != nil, tc.want != "" && (err == nil || !strings.Contains(err.Error(), tc.want)):
			t.Errorf("%s, %+v: %v, expected %q", tc.name, s.Expect, err, tc.want)
		}
	}
}
