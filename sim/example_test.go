package sim_test

import (
	"fmt"
	"os"

	"zhuque/cachemodel"
	"zhuque/eadr"
	"zhuque/runtime/wpp"
	"zhuque/scenarios/guests"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/kernel/vfs"
)

// hello is a machine for a program that says hello, under the runtime for whole-process
// persistence; its guest sees an empty directory.
func hello(root string) (*sim.Config, error) {
	elf, err := guests.Guest("hello")
	if err != nil {
		return nil, err
	}
	cache, err := cachemodel.Preset("")
	if err != nil {
		return nil, err
	}
	console := kernel.NewConsole(nil, nil, nil)
	console.Capture()
	return &sim.Config{
		Program: "/hello", Args: []string{"hello"}, Preload: map[string][]byte{"/hello": elf},
		Memory: sim.Zhuque, Model: true, Cache: cache, Power: eadr.Default(eadr.EADR),
		Seed: 1, Files: vfs.Options{Root: root}, Console: console,
	}, nil
}

// A program runs 20 instructions, the power fails, and it comes back from what persistent
// memory holds.
func ExampleBoot() {
	root, err := os.MkdirTemp("", "zhuque-example-")
	if err != nil {
		fmt.Println(err)
		return
	}
	defer func() { _ = os.RemoveAll(root) }()
	cfg, err := hello(root)
	if err != nil {
		fmt.Println(err)
		return
	}
	before, err := wpp.New("")
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err := sim.New(cfg, before)
	if err != nil {
		fmt.Println(err)
		return
	}
	m.RunUntil(20)
	left, report := m.Die(sim.Cut{})
	fmt.Println("power-fail sequence complete:", report.Power.Complete)

	after, err := wpp.New("")
	if err != nil {
		fmt.Println(err)
		return
	}
	m, err = sim.Boot(left, cfg, after, sim.BootOptions{})
	if err != nil {
		fmt.Println(err)
		return
	}
	fmt.Println("instructions so far:", m.Retired())
	fmt.Println(m.Run())
	stdout, _ := m.Output()
	fmt.Print(string(stdout))
	// Output:
	// power-fail sequence complete: true
	// instructions so far: 20
	// exited with status 0
	// hello, world
}
