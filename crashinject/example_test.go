package crashinject_test

import (
	"context"
	"fmt"
	"os"

	"zhuque/crashinject"
	"zhuque/scenarios/guests"
)

// A campaign cuts the power at a hundred instructions of a program, and judges what comes
// back: first under a sound runtime, then under one that forgets the base of FS.
func ExampleCampaign_Run() {
	root, err := os.MkdirTemp("", "zhuque-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(root) }()
	for _, mutant := range []string{"", "fs-base-not-saved"} {
		setup := crashinject.DefaultSetup()
		setup.Program, setup.Guest, setup.Root = crashinject.GuestPrefix+"tls", guests.Guest, root
		setup.Mutant = mutant
		campaign := crashinject.Campaign{
			Setup:    setup,
			Strategy: crashinject.Strategy{Kind: crashinject.Random, Points: 100, Seed: 1},
		}
		res, err := campaign.Run(context.Background())
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Printf("%d points: %d pass, %d violations\n", res.Points, res.Counts.Pass, res.Counts.Violation)
		if p, failed := res.FirstFailure(); failed {
			fmt.Printf("%s: %s\n", p.Plan, p.Reason)
		}
	}
	// Output:
	// 100 points: 100 pass, 0 violations
	// 100 points: 2 pass, 98 violations
	// after 12805: after the restart fs base is 0x0 instead of 0x401940
}

// A plan is text: a power failure, another in the restart from it, and a third inside a call.
func ExampleParsePlan() {
	plan, err := crashinject.ParsePlan("after 3000 recovery 2; after 100 step 5 keep 3")
	fmt.Println(plan, err)
	_, err = crashinject.ParsePlan("after dinner")
	fmt.Println(err)
	// Output:
	// after 3000 recovery 2; after 100 step 5 keep 3 <nil>
	// cut 1: "after" "dinner": expected a whole number
}
