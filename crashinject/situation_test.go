package crashinject

import (
	"testing"

	"zhuque/scenarios/calls"
	"zhuque/sim/kernel"
)

// situation is a program that makes one system call do something: see package calls.
type situation struct {
	row    kernel.Call
	text   string
	result func(int64) bool // of the last call of the row
	elf    []byte
	cores  int
}

func situations(testing.TB) (list []situation) {
	for _, s := range calls.All() {
		list = append(list, situation{s.Row, s.Text, s.Result, s.ELF, s.Cores})
	}
	return list
}

// parseSituation reads a line; before is what its program does first.
func parseSituation(line, before string) (situation, error) {
	s, err := calls.Parse(line, before)
	return situation{s.Row, s.Text, s.Result, s.ELF, s.Cores}, err
}
