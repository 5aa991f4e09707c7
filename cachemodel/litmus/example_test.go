package litmus_test

import (
	"fmt"

	"zhuque/cachemodel/litmus"
	"zhuque/cachemodel/worlds"
)

// Everything that a power cut may leave of two stores, with a flush of the first and no fence.
func ExampleTest_Explore() {
	test, err := litmus.Parse("example", `litmus example
"A flush without a fence orders nothing."
{ x=0; y=0; }
 P0     ;
 x = 1  ;
 clwb x ;
 y = 1  ;
adr: exists (x=0 /\ y=1)
`)
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, domain := range []worlds.Domain{worlds.ADR, worlds.EADR} {
		res, err := test.Explore(domain)
		if err != nil {
			fmt.Println(err)
			return
		}
		fmt.Print(domain, ":")
		for _, o := range res.Outcomes {
			fmt.Print(" ", test.Names(), "=", o.Values)
		}
		fmt.Println()
	}
	// Output:
	// adr: [x y]=[0 0] [x y]=[0 1] [x y]=[1 0] [x y]=[1 1]
	// eadr: [x y]=[0 0] [x y]=[1 0] [x y]=[1 1]
}
