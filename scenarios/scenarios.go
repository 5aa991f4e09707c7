// Package scenarios is the registry of named campaigns, one row each. The guests
// that they run are in scenarios/guests; programs of others are named by path.
package scenarios

import (
	"fmt"
	"slices"
	"strings"

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
	Guest    string
	Strategy crashinject.Strategy
	Also     []crashinject.Strategy // judged in the same run
	Tails    uint64
	Expect   []result.Share    // what the points are, where the scenario is broken on purpose; nil: pass
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
	{Name: "settings-fuzz", Guest: "settings", About: "Fuzzed plans over the same, which makes new objects after each restart.",
		Strategy: crashinject.Strategy{Kind: crashinject.Fuzz, Points: 200, Seed: 1}, Tails: 200},
	{Name: "ipc-calls", Guest: "ipc", About: "Cuts inside the calls of processes that share memory, semaphores and message queues.",
		Strategy: crashinject.Strategy{Kind: crashinject.Calls}, Tails: 32},
	{Name: "ipc-fuzz", Guest: "ipc", About: "Fuzzed plans over the same, which makes new objects after each restart.",
		Strategy: crashinject.Strategy{Kind: crashinject.Fuzz, Points: 200, Seed: 1}, Tails: 200},
	{Name: "crowd-cores", Guest: "crowd", About: "Fuzzed plans over threads on four cores, which a failure meets one after the other.",
		Strategy: crashinject.Strategy{Kind: crashinject.Fuzz, Points: 200, Seed: 1}, Tails: 32, Set: map[string]string{"cores": "4"}},
	{Name: "handlers-threads", Guest: "handlers", About: "Fuzzed plans over threads of which each is told of a power failure.",
		Strategy: crashinject.Strategy{Kind: crashinject.Fuzz, Points: 100, Seed: 1}, Tails: 20, Set: map[string]string{"sigpwr": "per-thread"}},
	{Name: "nt-every", Guest: "nt", About: "Cuts in a program of the old kind: non-temporal stores, flushes and fences.",
		Strategy: crashinject.Strategy{Kind: crashinject.Every, From: 1000, To: 10999}, Tails: 8},
	{Name: "files-energy", Guest: "files", About: "Hold-up energy that ends inside the power-fail sequence: what is left passes whole or is refused.",
		Strategy: crashinject.Strategy{Kind: crashinject.Energy, Points: 200, Seed: 1},
		Expect:   energies(33, 36, 39, 43, 23, 26)},
	{Name: "settings-energy", Guest: "settings", About: "The same between what a program tells the kernel and where it feels it.",
		Strategy: crashinject.Strategy{Kind: crashinject.Energy, Points: 200, Seed: 1},
		Expect:   energies(55, 59, 21, 25, 18, 22)},
	{Name: "list-adr", Guest: "list", About: "The same list on a platform without eADR: every restart must refuse the image.",
		Strategy: crashinject.Strategy{Kind: crashinject.Random, Points: 500, Seed: 1}, Expect: []result.Share{refused("no superblock: magic 0x0", 100, 100)}, Set: map[string]string{"domain": "adr"}},
}

// energies are the shares of a campaign of strategy energy: of points that pass, of those
// whose failure the DIMMs counted, and of those whose mark was lost. Where the first image
// lacks its last store, that is said instead; what the host's file tree holds moves the need
// by a line, and with it one such point.
func energies(passLeast, passMost, roseLeast, roseMost, noneLeast, noneMost uint64) []result.Share {
	return []result.Share{{Verdict: result.Pass, Least: passLeast, Most: passMost}, refused("dirty shutdown: the count rose", roseLeast, roseMost),
		refused("no superblock: magic 0x0", noneLeast, noneMost), refused("the process was not live yet", 0, 1)}
}

// refused is a share of points whose image a restart refuses.
func refused(reason string, least, most uint64) result.Share {
	return result.Share{Verdict: result.Detected, Reason: reason, Least: least, Most: most}
}

// All lists the scenarios but those of Calls.
func All() []Scenario { return append([]Scenario(nil), registry...) }

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
	for _, s := range registry {
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
	setup.Guest = Guest
	for k, v := range s.Set {
		if err := setup.Set(k, v); err != nil {
			panic("BUG: scenario " + s.Name + ": " + err.Error())
		}
	}
	return crashinject.Campaign{Name: s.Name, Setup: setup, Strategy: s.Strategy, Also: s.Also, Tails: s.Tails, Expect: s.Expect, Prints: guests.Output(s.Guest)}
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
