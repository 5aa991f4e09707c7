package scenarios

import (
	"fmt"
	"runtime"
	"slices"
	"sync"

	"zhuque/crashinject"
	"zhuque/sim"
	"zhuque/sim/kernel"
)

// Covered is a row of the coverage table: a system call, or a field of the kernel's state, and
// the scenarios that cut the power in the call, or while the field has a value.
type Covered struct {
	Kind      string   `json:"kind"` // call or state
	Name      string   `json:"name"` // the call's, or TYPE.FIELD
	Scenarios []string `json:"scenarios"`
	Excuse    string   `json:"excuse,omitempty"` // why there may be none
}

// looks is at how many places of a run the state is looked at: evenly spread ones, and as many
// after system calls.
const looks = 40

// seen is what one scenario covers.
type seen struct {
	calls, state map[string]bool
	err          error
}

// Coverage runs the guests of all scenarios and returns the table: its rows are the calls that
// work and the state that is compared, so that neither can be forgotten.
func Coverage() ([]Covered, error) {
	list := append(All(), Calls()...)
	found := make([]seen, len(list))
	next := make(chan int)
	var group sync.WaitGroup
	for range runtime.NumCPU() {
		group.Go(func() {
			for i := range next {
				found[i] = list[i].cover()
			}
		})
	}
	for i := range list {
		next <- i
	}
	close(next)
	group.Wait()
	for i := range found {
		if found[i].err != nil {
			return nil, fmt.Errorf("%s: %w", list[i].Name, found[i].err)
		}
	}
	return rows(list, found), nil
}

// rows makes the table.
func rows(list []Scenario, found []seen) (table []Covered) {
	in := func(of func(*seen) map[string]bool, name string) (names []string) {
		for i := range found {
			if of(&found[i])[name] {
				names = append(names, list[i].Name)
			}
		}
		return names
	}
	for _, c := range kernel.Table() {
		if c.State == kernel.Works || c.State == kernel.Partly {
			table = append(table, Covered{Kind: "call", Name: c.Name,
				Scenarios: in(func(s *seen) map[string]bool { return s.calls }, c.Name), Excuse: excuses[c.Name]})
		}
	}
	for _, name := range kernel.StateFields() {
		table = append(table, Covered{Kind: "state", Name: name,
			Scenarios: in(func(s *seen) map[string]bool { return s.state }, name), Excuse: excuses[name]})
	}
	return table
}

// cutsCalls reports whether the scenario cuts the power inside system calls.
func (s *Scenario) cutsCalls() bool {
	inside := func(st crashinject.Strategy) bool {
		return st.Kind == crashinject.Calls || st.Kind == crashinject.Recovery || st.Kind == crashinject.Fuzz
	}
	return inside(s.Strategy) || slices.ContainsFunc(s.Also, inside)
}

// cover runs the scenario's guest twice: to see its calls and where they are, and to look at
// the state.
func (s *Scenario) cover() (out seen) {
	out.calls, out.state = map[string]bool{}, map[string]bool{}
	camp, err := s.Campaign()
	if err != nil {
		panic("BUG: " + err.Error())
	}
	setup := camp.Setup
	names := map[uint64]string{}
	for _, c := range kernel.Table() {
		names[c.Nr] = c.Name
	}
	var m *sim.Machine
	var at []uint64
	cfg, err := setup.Config(nil)
	if err != nil {
		return seen{err: err}
	}
	cfg.Strace = func(_ int32, nr uint64, _ [6]uint64, _ uint64) {
		if s.cutsCalls() {
			out.calls[names[nr]] = true
		}
		at = append(at, m.Retired())
	}
	if m, err = setup.Start(cfg); err != nil {
		return seen{err: err}
	}
	if stop := m.Run(); !stop.Ended() {
		return seen{err: fmt.Errorf("the guest: %v", stop)}
	}
	places := spread(m.Retired(), at)
	m.Free()
	if cfg, err = setup.Config(nil); err != nil {
		return seen{err: err}
	}
	if m, err = setup.Start(cfg); err != nil {
		return seen{err: err}
	}
	defer m.Free()
	for _, n := range places {
		if stop := m.RunUntil(n); stop.Reason != sim.Reached {
			break
		}
		m.Kernel().Alive(func(field string) { out.state[field] = true })
	}
	return out
}

// spread returns the places of a run of n instructions that are looked at, in ascending order.
func spread(n uint64, calls []uint64) (places []uint64) {
	for i := range uint64(looks) {
		places = append(places, n*i/looks)
		if len(calls) > 0 {
			places = append(places, calls[uint64(len(calls))*i/looks])
		}
	}
	slices.Sort(places)
	return slices.Compact(places)
}

// owed is the excuse of state that the kernel's own tests alone cover.
const owed = "owed: no scenario has it yet"

// excuses are the rows that may be empty, and why.
var excuses = map[string]string{
	"kernel.Console.ahead":      "scenarios have no input; tests of crashinject and of real programs cut the power while it is read",
	"kernel.Console.pos":        "as kernel.Console.ahead",
	"kernel.Console.tty":        "campaigns have no terminal",
	"kernel.Kernel.noBarrier":   "a mutant's alone",
	"kernel.Thread.handling":    "between a failure and the next in a handler of it: guest handlers, whose runs here have no failure",
	"kernel.socket.outside":     "published ports, which campaigns refuse",
	"mm.Placement.ReadOnlyFile": "its value in all scenarios is the zero one",
	"kernel.fifoWait.seen":      owed,
	"kernel.ipcWait.how":        owed,
	"kernel.message.explicit":   owed,
	"kernel.socket.released":    owed,
	"kernel.timer.overrun":      owed,
	"kernel.timer.tid":          owed,
	"kernel.wait.mask":          owed,
	"kernel.wait.to":            owed,
}
