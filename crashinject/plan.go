package crashinject

import (
	"fmt"
	"math"
	"strconv"
	"strings"

	"zhuque/sim"
	"zhuque/sim/phys"
)

// Cut is one power failure of a plan, and what else fails while it is survived.
type Cut struct {
	After    uint64          // instructions between the start, or the last restart, and this failure
	Rep      uint64          // then so many iterations of the string instruction that comes next
	Step     uint64          // then inside the call that comes next, before this store of the runtime (from 1)
	Skew     []sim.CoreCount // then so many instructions of other cores, one core after the other
	Keep     int             // buffered stores of the core that executes that become visible; sim.Drain for all
	KeepOn   []sim.CoreCount // the same of other cores; those not named drain
	LoseWC   bool            // the write-combining buffers are lost
	Energy   phys.NanoJoules // hold-up energy instead of the configured one; 0 keeps that
	Recovery []uint64        // each restart in turn loses power before this store of the recovery (from 1)
}

// Plan is a sequence of power failures in one run of a program.
type Plan struct{ Cuts []Cut }

// At is the plan of one cut after n instructions.
func At(n uint64) Plan { return Plan{Cuts: []Cut{{After: n, Keep: sim.Drain}}} }

// plain reports whether a cut is nothing but a clean failure between two instructions.
func (c *Cut) plain() bool {
	return c.Rep == 0 && c.Step == 0 && len(c.Skew) == 0 && len(c.Recovery) == 0
}

// behind returns after how many instructions of the program the cut falls, when n of them
// lie before the last restart.
func (c *Cut) behind(n uint64) uint64 { return n + min(c.After, math.MaxUint64-n) }

// String renders a cut as Parse reads it: "after 1234 step 3 recovery 7".
func (c Cut) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "after %d", c.After)
	if c.Rep != 0 {
		fmt.Fprintf(&b, " rep %d", c.Rep)
	}
	if c.Step != 0 {
		fmt.Fprintf(&b, " step %d", c.Step)
	}
	for _, k := range c.Skew {
		fmt.Fprintf(&b, " skew %d:%d", k.Core, k.N)
	}
	if c.Keep != sim.Drain {
		fmt.Fprintf(&b, " keep %d", c.Keep)
	}
	for _, k := range c.KeepOn {
		fmt.Fprintf(&b, " keep %d:%d", k.Core, k.N)
	}
	if c.LoseWC {
		b.WriteString(" lose-wc")
	}
	if c.Energy != 0 {
		fmt.Fprintf(&b, " energy %d", c.Energy)
	}
	for _, s := range c.Recovery {
		fmt.Fprintf(&b, " recovery %d", s)
	}
	return b.String()
}

// String renders a plan on one line, as ParsePlan reads it back.
func (p Plan) String() string {
	parts := make([]string, len(p.Cuts))
	for i, c := range p.Cuts {
		parts[i] = c.String()
	}
	return strings.Join(parts, "; ")
}

// ParsePlan reads a plan: cuts separated by semicolons.
func ParsePlan(s string) (Plan, error) {
	var p Plan
	for i, part := range strings.Split(s, ";") {
		c, err := ParseCut(part)
		if err != nil {
			return Plan{}, fmt.Errorf("cut %d: %w", i+1, err)
		}
		p.Cuts = append(p.Cuts, c)
	}
	return p, nil
}

// ParseCut reads one cut. Every word but lose-wc takes a whole number; after is
// required, recovery may be repeated, the others may not. keep CORE:N and skew CORE:N
// speak of a core and may be repeated for others.
func ParseCut(s string) (Cut, error) {
	c := Cut{Keep: sim.Drain}
	words := strings.Fields(s)
	seen := map[string]bool{}
	for len(words) > 0 {
		key := words[0]
		words = words[1:]
		if len(words) > 0 && (key == "skew" || key == "keep" && strings.Contains(words[0], ":")) {
			if err := c.perCore(key, words[0]); err != nil {
				return Cut{}, err
			}
			words = words[1:]
			continue
		}
		if seen[key] && key != "recovery" {
			return Cut{}, fmt.Errorf("%q stands twice", key)
		}
		seen[key] = true
		if key == "lose-wc" {
			c.LoseWC = true
			continue
		}
		if len(words) == 0 {
			return Cut{}, fmt.Errorf("%q lacks its number", key)
		}
		n, err := strconv.ParseUint(words[0], 10, 64)
		if err != nil {
			return Cut{}, fmt.Errorf("%q %q: expected a whole number", key, words[0])
		}
		words = words[1:]
		if err := c.set(key, n); err != nil {
			return Cut{}, err
		}
	}
	if !seen["after"] {
		return Cut{}, fmt.Errorf("expected \"after N\", the number of instructions before the cut")
	}
	if c.Rep != 0 && c.Step != 0 {
		return Cut{}, fmt.Errorf("a cut falls inside a string instruction (rep) or inside a call (step), not both")
	}
	if len(c.Skew) != 0 && c.Step != 0 {
		return Cut{}, fmt.Errorf("skew moves a cut between two instructions, not one inside a call (step)")
	}
	return c, nil
}

const (
	maxKeep = 1 << 16
	maxSkew = 1 << 20
)

// perCore reads the CORE:N of keep and skew.
func (c *Cut) perCore(key, s string) error {
	list, most := &c.KeepOn, uint64(maxKeep)
	if key == "skew" {
		list, most = &c.Skew, maxSkew
	}
	core, n, _ := strings.Cut(s, ":")
	a, err := strconv.ParseUint(core, 10, 64)
	b, err2 := strconv.ParseUint(n, 10, 64)
	switch {
	case err != nil || err2 != nil:
		return fmt.Errorf("%q %q: expected CORE:N, two whole numbers", key, s)
	case a >= sim.MaxCores:
		return fmt.Errorf("%q %q: cores are numbered 0 to %d", key, s, sim.MaxCores-1)
	case b > most:
		return fmt.Errorf("%q %q: expected at most %d", key, s, most)
	}
	for _, k := range *list {
		if k.Core == int(a) {
			return fmt.Errorf("\"%s %d:\" stands twice", key, a)
		}
	}
	*list = append(*list, sim.CoreCount{Core: int(a), N: b})
	return nil
}

// fits reports a core that a machine does not have.
func (p Plan) fits(cores int) error {
	for i, c := range p.Cuts {
		for _, list := range [][]sim.CoreCount{c.Skew, c.KeepOn} {
			for _, k := range list {
				if k.Core >= cores {
					return fmt.Errorf("cut %d names core %d: the machine's cores are numbered 0 to %d", i+1, k.Core, cores-1)
				}
			}
		}
	}
	return nil
}

func (c *Cut) set(key string, n uint64) error {
	switch key {
	case "after":
		c.After = n
	case "rep":
		c.Rep = n
	case "step":
		c.Step = n
	case "keep":
		if n > maxKeep {
			return fmt.Errorf("keep %d: expected at most %d stores", n, maxKeep)
		}
		c.Keep = int(n)
	case "energy":
		c.Energy = phys.NanoJoules(n)
	case "recovery":
		if n == 0 {
			return fmt.Errorf("recovery 0: steps count from 1")
		}
		c.Recovery = append(c.Recovery, n)
	default:
		return fmt.Errorf("%q: expected one of after, rep, step, skew, keep, lose-wc, energy, recovery", key)
	}
	return nil
}
