// Package scenarios reads scenario files, and is the registry of those that come with the
// simulator, in the folder builtin. The guests that they run are in scenarios/guests; programs
// of others are named by path.
package scenarios

import (
	"cmp"
	"embed"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/scenarios/calls"
	"zhuque/scenarios/guests"
	"zhuque/scenarios/systems"
)

// Scenario is a named campaign over an embedded guest.
type Scenario struct {
	Name     string
	About    string // what it shows, one sentence
	Program  string // a path, or guest:NAME
	Guest    string // of guest:NAME; "" for another program
	Args     []string
	Env      []string
	Strategy crashinject.Strategy
	Also     []crashinject.Strategy // judged in the same run
	Tails    uint64
	Expect   []result.Share    // what the points are, where the scenario is broken on purpose; nil: pass
	Set      map[string]string // settings that differ from the defaults
	Prints   []byte            // what the uncut run must print; nil: what a guest is known to print
	Restart  *crashinject.Restart
}

// builtin are the scenarios that come with the simulator, a file each.
//
//go:embed builtin/*.yaml
var builtin embed.FS

// registry lists them by name.
var registry = sync.OnceValue(func() (list []Scenario) {
	files, err := builtin.ReadDir("builtin")
	for _, f := range files {
		var text []byte
		if text, err = builtin.ReadFile("builtin/" + f.Name()); err != nil {
			break
		}
		var s Scenario
		if s, err = Parse(text, ""); err != nil {
			break
		}
		list = append(list, s)
	}
	if err != nil {
		panic("BUG: the scenarios that come with the simulator: " + err.Error())
	}
	return list
})

// Text returns the file of a scenario that comes with the simulator, as a pattern for others.
func Text(name string) ([]byte, error) {
	if _, err := Find(name); err != nil {
		return nil, err
	}
	return builtin.ReadFile("builtin/" + name + ".yaml")
}

//go:embed schema.json
var schema []byte

// Schema is the JSON schema of scenario files.
func Schema() []byte { return schema }

// All lists the scenarios but those of Calls.
func All() []Scenario { return append([]Scenario(nil), registry()...) }

// callsPrefix begins the names of the scenarios over the situations of package calls, and
// of their guests.
const callsPrefix = "calls/"

// Calls lists a scenario for each situation of a system call: cuts before every store of
// each of its calls, in some of the restarts too.
func Calls() (list []Scenario) {
	for _, s := range calls.All() {
		list = append(list, situation(s))
	}
	return list
}

func situation(s calls.Situation) Scenario {
	row := Scenario{Name: callsPrefix + s.Name, Guest: callsPrefix + s.Name, About: "Cuts inside the calls of: " + s.Text,
		Strategy: crashinject.Strategy{Kind: crashinject.Calls}, Also: []crashinject.Strategy{{Kind: crashinject.Recovery, Points: 10}}, Tails: 4}
	if s.Cores > 1 {
		row.Set = map[string]string{"cores": fmt.Sprint(s.Cores)}
	}
	return row
}

// Guest returns the program of a guest: one of package guests, a situation's, or the data structures
// over a comparison system.
func Guest(name string) ([]byte, error) {
	if call, ok := strings.CutPrefix(name, callsPrefix); ok {
		if s, ok := calls.Find(call); ok {
			return s.ELF, nil
		}
		return nil, fmt.Errorf("no guest %q: expected a system call with a situation, as in %sread or %sread-2", name, callsPrefix, callsPrefix)
	}
	if strings.HasPrefix(name, systems.Prefix) {
		return systems.Guest(name)
	}
	return guests.Guest(name)
}

// Find returns the scenario called name.
func Find(name string) (Scenario, error) {
	for _, s := range registry() {
		if s.Name == name {
			return s, nil
		}
	}
	if call, ok := strings.CutPrefix(name, callsPrefix); ok {
		if s, ok := calls.Find(call); ok {
			return situation(s), nil
		}
	}
	return Scenario{}, fmt.Errorf("scenario %q: expected one of %s, %sCALL, or -- PROG ARG…", name, strings.Join(Names(), ", "), callsPrefix)
}

// Names lists the names of the scenarios of All.
func Names() []string {
	names := make([]string, len(registry()))
	for i, s := range registry() {
		names[i] = s.Name
	}
	return names
}

// Campaign builds the scenario's campaign. Errors: settings that do not go together.
func (s Scenario) Campaign() (crashinject.Campaign, error) {
	setup := crashinject.DefaultSetup()
	setup.Program, setup.Args, setup.Env = cmp.Or(s.Program, crashinject.GuestPrefix+s.Guest), s.Args, s.Env
	setup.Guest = Guest
	prints := s.Prints
	if prints == nil && s.Guest != "" {
		prints = guests.Output(s.Guest)
	}
	for _, k := range slices.Sorted(maps.Keys(s.Set)) {
		if err := setup.Set(k, s.Set[k]); err != nil {
			return crashinject.Campaign{}, fmt.Errorf("scenario %s: %w", s.Name, err)
		}
	}
	return crashinject.Campaign{Name: s.Name, Setup: setup, Strategy: s.Strategy, Also: s.Also, Tails: s.Tails, Expect: s.Expect, Prints: prints, Restart: s.Restart}, nil
}

// Thinned returns the scenario with about as many points, spread over the same stretch, and
// one in four of them followed to the program's end. One that expects shares stays whole.
func (s Scenario) Thinned(points uint64) Scenario {
	if s.Expect != nil { // shares are those of its own points
		return s
	}
	if s.Strategy.Kind == crashinject.Every {
		s.Strategy.Kind, s.Strategy.Seed = crashinject.Random, 1
	}
	if s.Strategy.Points == 0 || s.Strategy.Points > points {
		s.Strategy.Points = points
	}
	s.Also = slices.Clone(s.Also)
	for i := range s.Also {
		s.Also[i].Points = min(s.Also[i].Points, (points+3)/4)
	}
	s.Tails = (points + 3) / 4
	return s
}
