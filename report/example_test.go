package report_test

import (
	"fmt"

	"zhuque/crashinject/result"
	"zhuque/report"
)

// Whether campaigns went well, from the records that they wrote: one on a mutant did when
// the mutant was caught.
func ExampleGood() {
	doc, err := result.Load("testdata/sample/results.json")
	if err != nil {
		fmt.Println(err)
		return
	}
	for i := range doc.Campaigns {
		c := &doc.Campaigns[i]
		fmt.Printf("%s %q: %d of %d pass, good: %v\n", c.Name, c.Mutant, c.Counts.Pass, c.Points, report.Good(c))
	}
	// Output:
	// sample-counter every "": 40 of 40 pass, good: true
	// sample-list random "": 54 of 60 pass, good: false
	// sample-counter every "fs-base-not-saved": 5 of 40 pass, good: true
}
