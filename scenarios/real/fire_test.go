package real

import (
	"slices"
	"testing"

	"zhuque/crashinject"
)

// inFire is a program that gets every kind of power failure.
type inFire struct {
	name    string // its row in runs or, behind "go-", in goPrograms
	own     *run   // or a run that is nowhere else
	threads bool   // so that it runs on two cores too
}

var firePrograms = []inFire{
	{name: "python-threads", threads: true},
	{name: "sqlite-integrity"},
	{name: "memcached-fire", own: &run{name: "memcached-fire", args: []string{"/bin/bash", "memcached-fire.sh"}, scripts: []string{"memcached-fire.sh"}, exit: 4}, threads: true},
	{name: "redis-fire", own: &run{name: "redis-fire", args: []string{"/bin/bash", "redis-fire.sh"}, scripts: []string{"redis-fire.sh"}, exit: 5, cuts: fewCuts}, threads: all()},
	{name: "go-net-http", threads: true},
	{name: "bash-processes"},
}

// underFire reports whether TestProgramsUnderFire has the program of a row.
func underFire(name string) bool {
	return slices.ContainsFunc(firePrograms, func(p inFire) bool { return p.name == name })
}

// run is the program's row.
func (p *inFire) run(t *testing.T, root string) run {
	t.Helper()
	if p.own != nil {
		return *p.own
	}
	if i := slices.IndexFunc(runs, func(r run) bool { return r.name == p.name }); i >= 0 {
		return runs[i]
	}
	i := slices.IndexFunc(goPrograms, func(g goProgram) bool { return "go-"+g.name == p.name })
	return goPrograms[i].run(t, root, false)
}

// Real programs under fire: Python with threads, SQLite on a file whose integrity it checks
// at the end, memcached, redis, a web server of Go's with its clients, and bash. Each of
// them survives power failures at random instructions, inside calls, again in the recovery
// from those, and fuzzed plans of several; and, where it has threads, on two cores, which
// stop one after the other.
func TestProgramsUnderFire(t *testing.T) {
	native(t)
	root := software(t)
	nested, fuzzed, reach := uint64(36), uint64(6), uint64(1_000_000)
	onTwo := uint64(24)
	if all() {
		nested, fuzzed, reach, onTwo = 3000, 300, 10_000_000, 1000
	}
	for i := range firePrograms {
		p := &firePrograms[i]
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			r := p.run(t, root)
			if p.own != nil {
				r.check(t, root)
			}
			r.campaign(t, root, 1, r.random(),
				crashinject.Strategy{Kind: crashinject.Calls, Points: nested},
				crashinject.Strategy{Kind: crashinject.Recovery, Points: nested},
				crashinject.Strategy{Kind: crashinject.Fuzz, Points: fuzzed, Seed: 3, Reach: reach})
			if p.threads {
				r.campaign(t, root, 2, crashinject.Strategy{Kind: crashinject.Random, Points: onTwo, Seed: 4},
					crashinject.Strategy{Kind: crashinject.Recovery, Points: onTwo / 2},
					crashinject.Strategy{Kind: crashinject.Fuzz, Points: onTwo / 6, Seed: 5, Reach: reach})
			}
		})
	}
}
