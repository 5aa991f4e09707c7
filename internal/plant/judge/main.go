// Command judge runs the campaigns of the registry, thinned, and then the other guests, and
// stops at the first that does not end as it should. internal/plant builds it with planted
// defects. It prints one line before each, and one about what it found: status 10.
package main

import (
	"context"
	"flag"
	"fmt"
	"os"
	"slices"

	"zhuque/crashinject"
	"zhuque/scenarios"
	"zhuque/scenarios/guests"
)

func main() {
	points := flag.Uint64("points", 40, "crash points of each campaign")
	others := flag.Bool("guests", false, "the guests that no scenario runs, instead of the scenarios")
	flag.Parse()
	if flag.NArg() > 0 || *points == 0 {
		fmt.Fprintln(os.Stderr, "judge: expected --points above 0, --guests and nothing else")
		os.Exit(2)
	}
	list := append(scenarios.All(), scenarios.Calls()...)
	if *others {
		list = rest(list)
	}
	for _, s := range list {
		fmt.Println("at", s.Name)
		if err := judge(s.Thinned(*points)); err != nil {
			fmt.Println("caught", err)
			os.Exit(10)
		}
	}
}

// judge returns what is wrong with a scenario.
func judge(s scenarios.Scenario) error {
	c, err := s.Campaign()
	if err != nil {
		return err
	}
	c.Workers = 1
	r, err := c.Run(context.Background())
	if err == nil {
		err = r.AsExpected()
	}
	return err
}

// rest are scenarios over the guests that no scenario of a list runs.
func rest(list []scenarios.Scenario) (others []scenarios.Scenario) {
	for _, name := range guests.Names() {
		if slices.ContainsFunc(list, func(s scenarios.Scenario) bool { return s.Guest == name }) {
			continue
		}
		for _, kind := range []crashinject.StrategyKind{crashinject.Calls, crashinject.Random} {
			others = append(others, scenarios.Scenario{Name: name, Guest: name,
				Strategy: crashinject.Strategy{Kind: kind, Points: 1000, Seed: 1}, Tails: 1000})
		}
	}
	return others
}
