package worlds_test

import (
	"fmt"

	"zhuque/cachemodel/worlds"
	"zhuque/sim/phys"
)

// bytes are a machine's current ones.
type bytes map[phys.LineAddr]*[phys.LineSize]byte

func (b bytes) ReadLine(l phys.LineAddr, dst *[phys.LineSize]byte) {
	if p := b[l]; p != nil {
		*dst = *p
	}
}

// A count and a flag are stored, and nothing is flushed. The recovery loads the flag, and where
// that is set the count: three worlds for four memories.
func ExampleMemory_Read() {
	const count, flag = phys.PMEMBase, phys.PMEMBase + 0x40
	machine := bytes{}
	m := worlds.New(worlds.Config{Domain: worlds.ADR, Keep: true}, machine)
	m.Store(0, count, []byte{7}, 1)
	m.Store(0, flag, []byte{1}, 2)

	// load runs next in each world that a load of one byte tells apart.
	load := func(w *worlds.Memory, a phys.Addr, next func(w *worlds.Memory, v byte)) {
		var b [1]byte
		choices := w.Read(0, a, b[:])
		if len(choices) == 0 { // it is decided
			next(w, b[0])
		}
		for _, c := range choices {
			one := w.Fork(machine)
			one.Narrow(c, 3)
			one.Read(0, a, b[:])
			next(one, b[0])
		}
	}
	load(m.Cut(machine, worlds.Open), flag, func(w *worlds.Memory, v byte) {
		if v == 0 {
			fmt.Println("no flag")
			return
		}
		load(w, count, func(_ *worlds.Memory, v byte) { fmt.Println("flag, count", v) })
	})
	// Output:
	// flag, count 7
	// flag, count 0
	// no flag
}
