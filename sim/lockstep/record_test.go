package lockstep_test

import (
	"flag"
	"fmt"
	"os"
	"testing"

	"zhuque/sim/lockstep"
	"zhuque/sim/x86"
)

// With -record the programs run longer, all of them must be there, and the
// instructions compared are written where zhuque isa finds them:
//
//	go test ./sim/lockstep -run 'TestGuests|TestReal' -record -timeout 30m
var record = flag.Bool("record", false, "write what was compared to ../x86/oracle_lockstep.csv")

// recordTimes is how much longer programs run with -record.
const recordTimes = 5

// executed counts the instructions compared in whole programs, by form.
var executed = make([]uint64, len(x86.ISA()))

func count(r *lockstep.Report) {
	for i, n := range r.Executed {
		executed[i] += n
	}
}

func TestMain(m *testing.M) {
	flag.Parse()
	code := m.Run()
	if *record && code == 0 {
		if err := os.WriteFile("../x86/oracle_lockstep.csv", []byte(x86.LockstepTable(executed)), 0o644); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}
