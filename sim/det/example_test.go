package det_test

import (
	"fmt"

	"zhuque/sim/det"
)

// Streams of one seed go by names: a further draw from one shifts no other.
func ExampleStream() {
	for draws := range 2 {
		turns, points := det.Stream(1, "turns"), det.Stream(1, "points")
		for range draws {
			turns.Uint64()
		}
		fmt.Println(points.IntN(1000), points.IntN(1000))
	}
	// Output:
	// 761 347
	// 761 347
}
