package result

import (
	"slices"
	"testing"
)

// Every verdict has its row, and no two rows have one status.
func TestStatuses(t *testing.T) {
	var codes []int
	rows := map[string]int{}
	for _, s := range Statuses() {
		codes = append(codes, s.Code)
		rows[s.Verdict] = s.Code
		if s.Meaning == "" {
			t.Errorf("status %d has no meaning", s.Code)
		}
	}
	if !slices.IsSorted(codes) || len(slices.Compact(slices.Clone(codes))) != len(codes) {
		t.Errorf("%v: expected ascending statuses, each once", codes)
	}
	for _, v := range Verdicts() {
		if code, ok := rows[v.String()]; !ok || code != v.ExitCode() {
			t.Errorf("%v: the table has status %d, the verdict %d", v, code, v.ExitCode())
		}
	}
	if StatusFound != Violation.ExitCode() {
		t.Errorf("a failure exits with %d, a violation with %d", StatusFound, Violation.ExitCode())
	}
}
