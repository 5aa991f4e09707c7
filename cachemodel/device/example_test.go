package device_test

import (
	"fmt"

	"zhuque/cachemodel/device"
	"zhuque/sim/phys"
)

// One line of persistent memory on an idle machine, then a thousand that are all asked for at
// once: they wait for each other, and what is served in a second is the bandwidth.
func ExampleDevice_Read() {
	const base = phys.LineAddr(phys.PMEMBase >> phys.LineShift)
	idle, err := device.New(device.IceLake(), 1, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("idle:", idle.Read(base, 0)/device.Nano, "ns")

	busy, err := device.New(device.IceLake(), 1, 1)
	if err != nil {
		fmt.Println(err)
		return
	}
	var last device.Picos
	const lines = 100_000
	for i := range phys.LineAddr(lines) {
		last = max(last, busy.Read(base+i, 0))
	}
	fmt.Println("bandwidth:", lines*phys.LineSize*1000/uint64(last), "GB/s")
	// Output:
	// idle: 316 ns
	// bandwidth: 67 GB/s
}
