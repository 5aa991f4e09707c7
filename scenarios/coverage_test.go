package scenarios

import "testing"

// No system call that works and no state that is compared is left out by all scenarios, unless
// there is a reason; a reason that is not needed is none.
func TestCoverage(t *testing.T) {
	if testing.Short() {
		t.Skip("runs all guests")
	}
	table, err := Coverage()
	if err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	for _, r := range table {
		known[r.Name] = true
		switch {
		case len(r.Scenarios) == 0 && r.Excuse == "":
			t.Errorf("%s %s: no scenario cuts the power while it is alive", r.Kind, r.Name)
		case len(r.Scenarios) > 0 && r.Excuse != "":
			t.Errorf("%s %s is excused (%s) and covered by %v", r.Kind, r.Name, r.Excuse, r.Scenarios)
		}
	}
	for name := range excuses {
		if !known[name] {
			t.Errorf("%s is excused and is in no row", name)
		}
	}
	if len(table) < 300 {
		t.Errorf("%d rows", len(table))
	}
}
