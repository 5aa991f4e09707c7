package result

// Exit statuses of the program beside those of verdicts: no campaign ends with one of them
// as its verdict.
const (
	StatusFound          = 10  // a failure was found; what Violation exits with
	StatusBadInput       = 2   // what, where, and what was expected
	StatusInfrastructure = 3   // the host's disk or network
	StatusBaseline       = 16  // what is to judge fails without a power cut
	StatusInterrupted    = 130 // as a shell shows SIGINT

	// Of zhuque run alone, whose status is otherwise the guest's; env(1) has the same.
	StatusSimulator     = 125
	StatusNotExecutable = 126
	StatusNotFound      = 127
)

// Status is a row of the table of exit statuses: nothing else in the program decides what
// one of them means.
type Status struct {
	Code    int    `json:"status"`
	Verdict string `json:"verdict,omitempty"` // "" where no point has this outcome
	Meaning string `json:"meaning"`           // one or two sentences
}

// Statuses lists all exit statuses in ascending order.
func Statuses() []Status {
	list := []Status{}
	verdict := func(v Verdict) { list = append(list, Status{v.ExitCode(), v.String(), v.Meaning()}) }
	verdict(Pass)
	list = append(list,
		Status{StatusBadInput, "", "Bad input: the message names what, where, and what was expected."},
		Status{StatusInfrastructure, "", "The host's disk or network failed. What had been written before is kept."})
	for _, v := range Verdicts()[1:] {
		verdict(v)
	}
	return append(list,
		Status{StatusBaseline, "", "The baseline fails without any power cut: what it says after one would mean nothing."},
		Status{StatusSimulator, "", "zhuque run, resume: the simulator failed or cannot run this. Their other statuses are the guest's, 128 and the number of the signal that ended it."},
		Status{StatusNotExecutable, "", "zhuque run: the program was found and is not executable here."},
		Status{StatusNotFound, "", "zhuque run: the program was not found."},
		Status{StatusInterrupted, "", "Interrupted. What was judged until then is reported."})
}
