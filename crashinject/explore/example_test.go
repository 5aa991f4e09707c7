package explore_test

import (
	"context"
	"fmt"
	"os"

	"zhuque/crashinject"
	"zhuque/crashinject/explore"
	"zhuque/eadr"
	"zhuque/scenarios/systems"
)

// A queue over an undo log, and its recovery on every memory that a power cut may leave
// without eADR: once with flushes and fences, once without.
func ExampleExplore() {
	root, err := os.MkdirTemp("", "zhuque-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(root) }()
	for _, mode := range []string{"adr", "plain"} {
		setup := crashinject.DefaultSetup()
		setup.Guest, setup.Root, setup.Domain = systems.Guest, root, eadr.ADR
		setup.Program = crashinject.GuestPrefix + systems.Prefix + "undo"
		setup.Args = []string{"queue", mode, "steps", "1"}
		check := &crashinject.Restart{Program: setup.Program, Args: []string{"queue", mode, "check"}}
		found, err := explore.Explore(context.Background(), &explore.Options{
			Setup: setup, Recover: check, PointWorlds: 20,
		})
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Println(mode, found.Verdict)
	}
	// Output:
	// adr pass
	// plain violation
}
