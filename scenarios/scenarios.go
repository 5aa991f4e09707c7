// Package scenarios is the registry of named campaigns, one row each. The guests
// that they run are in scenarios/guests; programs of others are named by path.
package scenarios

import (
	"fmt"
	"strings"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/scenarios/guests"
)

// Scenario is a named campaign over an embedded guest.
type Scenario struct {
	Name     string
	About    string // what it shows, one sentence
	Guest    string
	Strategy crashinject.Strategy
	Tails    uint64
	Expect   result.Verdict    // of every point, where the scenario is broken on purpose; zero: pass
	Set      map[string]string // settings that differ from the defaults
}

var registry = []Scenario{
	{Name: "counter-every", Guest: "counter", About: "A clean power cut at each of 20,000 instructions of integer code.",
		Strategy: crashinject.Strategy{Kind: crashinject.Every, From: 1000, To: 20999}, Tails: 8},
	{Name: "list-random", Guest: "list", About: "2,000 random cuts in a linked list built from brk and mmap memory.",
		Strategy: crashinject.Strategy{Kind: crashinject.Random, Points: 2000, Seed: 1}, Tails: 16},
	{Name: "list-calls", Guest: "list", About: "A cut before every store that the runtime makes inside each system call.",
		Strategy: crashinject.Strategy{Kind: crashinject.Calls}, Tails: 16},
	{Name: "maps-calls", Guest: "maps", About: "The same in a program that maps, moves, protects and unmaps memory all the time.",
		Strategy: crashinject.Strategy{Kind: crashinject.Calls}, Tails: 16},
	{Name: "maps-fuzz", Guest: "maps", About: "Fuzzed plans of up to four failures, in calls and recoveries too.",
		Strategy: crashinject.Strategy{Kind: crashinject.Fuzz, Points: 500, Seed: 1}, Tails: 500},
	{Name: "files-calls", Guest: "files", About: "Cuts inside the system calls of a program that reads, writes and renames files.",
		Strategy: crashinject.Strategy{Kind: crashinject.Calls}, Tails: 32},
	{Name: "shared-calls", Guest: "shared", About: "Cuts inside the system calls of a program that maps the file that it writes and truncates.",
		Strategy: crashinject.Strategy{Kind: crashinject.Calls}, Tails: 32},
	{Name: "shared-every", Guest: "shared", About: "Cuts between the stores of that program into its mappings of the file.",
		Strategy: crashinject.Strategy{Kind: crashinject.Every, From: 1000, To: 10999}, Tails: 8},
	{Name: "fpu-every", Guest: "fpu", About: "Cuts while x87, MXCSR and SSE state is live.",
		Strategy: crashinject.Strategy{Kind: crashinject.Every, From: 1000, To: 10999}, Tails: 8},
	{Name: "strings-fuzz", Guest: "strings", About: "Fuzzed plans over long string instructions, cut between their iterations.",
		Strategy: crashinject.Strategy{Kind: crashinject.Fuzz, Points: 500, Seed: 1}, Tails: 500},
	{Name: "signals-calls", Guest: "signals", About: "Cuts inside signal delivery and return.",
		Strategy: crashinject.Strategy{Kind: crashinject.Calls}, Tails: 32},
	{Name: "fase-every", Guest: "fase", About: "A cut at every instruction of two threads with three locks, input and output between the critical sections.",
		Strategy: crashinject.Strategy{Kind: crashinject.Every}, Tails: 32},
	{Name: "threads-calls", Guest: "threads", About: "Cuts inside the waits, wake-ups and turns of threads with locks, conditions and a barrier.",
		Strategy: crashinject.Strategy{Kind: crashinject.Calls}, Tails: 32},
	{Name: "processes-calls", Guest: "processes", About: "Cuts inside fork, exec, wait4, pipes and signals between processes, and timers.",
		Strategy: crashinject.Strategy{Kind: crashinject.Calls}, Tails: 32},
	{Name: "processes-fuzz", Guest: "processes", About: "Fuzzed plans of up to four failures over the same processes.",
		Strategy: crashinject.Strategy{Kind: crashinject.Fuzz, Points: 500, Seed: 1}, Tails: 100},
	{Name: "settings-random", Guest: "settings", About: "1,000 random cuts between what a program tells the kernel and where it feels it.",
		Strategy: crashinject.Strategy{Kind: crashinject.Random, Points: 1000, Seed: 1}, Tails: 50},
	{Name: "settings-nested", Guest: "settings", About: "Cuts inside the same program's calls, and in the restarts from there.",
		Strategy: crashinject.Strategy{Kind: crashinject.Recovery, Points: 500}, Tails: 32},
	{Name: "settings-fuzz", Guest: "settings", About: "Fuzzed plans over the same, which makes new objects behind each restart.",
		Strategy: crashinject.Strategy{Kind: crashinject.Fuzz, Points: 200, Seed: 1}, Tails: 200},
	{Name: "ipc-calls", Guest: "ipc", About: "Cuts inside the calls of processes that share memory, semaphores and message queues.",
		Strategy: crashinject.Strategy{Kind: crashinject.Calls}, Tails: 32},
	{Name: "ipc-fuzz", Guest: "ipc", About: "Fuzzed plans over the same, which makes new objects behind each restart.",
		Strategy: crashinject.Strategy{Kind: crashinject.Fuzz, Points: 200, Seed: 1}, Tails: 200},
	{Name: "crowd-cores", Guest: "crowd", About: "Fuzzed plans over threads on four cores, which a failure meets one after the other.",
		Strategy: crashinject.Strategy{Kind: crashinject.Fuzz, Points: 200, Seed: 1}, Tails: 32, Set: map[string]string{"cores": "4"}},
	{Name: "nt-every", Guest: "nt", About: "Cuts in a program of the old kind: non-temporal stores, flushes and fences.",
		Strategy: crashinject.Strategy{Kind: crashinject.Every, From: 1000, To: 10999}, Tails: 8},
	{Name: "list-adr", Guest: "list", About: "The same list on a platform without eADR: every restart must refuse the image.",
		Strategy: crashinject.Strategy{Kind: crashinject.Random, Points: 500, Seed: 1}, Expect: result.Detected, Set: map[string]string{"domain": "adr"}},
}

// All lists the scenarios.
func All() []Scenario { return append([]Scenario(nil), registry...) }

// Find returns the scenario called name.
func Find(name string) (Scenario, error) {
	for _, s := range registry {
		if s.Name == name {
			return s, nil
		}
	}
	return Scenario{}, fmt.Errorf("scenario %q: expected one of %s, or -- PROG ARG…", name, strings.Join(Names(), ", "))
}

// Names lists the names of the scenarios.
func Names() []string {
	names := make([]string, len(registry))
	for i, s := range registry {
		names[i] = s.Name
	}
	return names
}

// Campaign builds the scenario's campaign.
func (s Scenario) Campaign() crashinject.Campaign {
	setup := crashinject.DefaultSetup()
	setup.Program = crashinject.GuestPrefix + s.Guest
	setup.Guest = guests.Guest
	for k, v := range s.Set {
		if err := setup.Set(k, v); err != nil {
			panic("BUG: scenario " + s.Name + ": " + err.Error())
		}
	}
	return crashinject.Campaign{Name: s.Name, Setup: setup, Strategy: s.Strategy, Tails: s.Tails, Expect: s.Expect}
}
