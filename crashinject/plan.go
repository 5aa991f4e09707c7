package crashinject

import (
	"fmt"
	"math"
	"strings"

	"zhuque/sim"
)

// Cut is one power failure of a plan, and what else fails while it is survived. The zero
// Cut is a clean one before the next instruction. A cut falls where all that its words
// say has happened; where that is nowhere, the point is unreached.
type Cut struct {
	After uint64          // instructions between the start, or the last restart, and this failure
	At    *Event          // then before the instruction of this event; nil for none
	Rep   uint64          // then so many iterations of the string instruction that comes next
	Step  uint64          // then inside the call that comes next, before this store of the runtime (from 1)
	Skew  []sim.CoreCount // then so many instructions of other cores, one core after the other

	sim.Cut // how the power goes

	Look   uint64  // instead of After: this crash point of the program as zhuque explore counts them, from 1
	Worlds []World // how the loads that the cut leaves undecided come out, in order

	Recovery []uint64 // each restart in turn loses power before this store of the recovery (from 1)
}

// Plan is a sequence of power failures in one run of a program.
type Plan struct{ Cuts []Cut }

// At is the plan of one cut after n instructions.
func At(n uint64) Plan { return Plan{Cuts: []Cut{{After: n}}} }

// plain reports whether a cut is nothing but a clean failure between two instructions.
func (c *Cut) plain() bool {
	return c.At == nil && c.Look == 0 && len(c.Worlds) == 0 && c.Rep == 0 && c.Step == 0 && len(c.Skew) == 0 && len(c.Recovery) == 0
}

// behind returns after how many instructions of the program the cut falls, when n of them
// lie before the last restart.
func (c *Cut) behind(n uint64) uint64 { return n + min(c.After, math.MaxUint64-n) }

// String renders a cut as Parse reads it: "after 1234 step 3 recovery 7".
func (c Cut) String() string {
	var parts []string
	for i := range cutWords {
		w := &cutWords[i]
		for _, arg := range w.show(&c) {
			parts = append(parts, strings.TrimSpace(w.name+" "+arg))
		}
	}
	return strings.Join(parts, " ")
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

// ParseCut reads one cut: words of the table, each once but those that may be repeated.
func ParseCut(s string) (Cut, error) { return parseCut(s, false) }

// parseCut is ParseCut; old says that the text is of a case of version 1.
func parseCut(s string, old bool) (Cut, error) {
	var c Cut
	seen := map[string]bool{}
	for words := strings.Fields(s); len(words) > 0; {
		w, err := findWord(words[0])
		if err != nil {
			return Cut{}, err
		}
		words = words[1:]
		arg := ""
		if !w.bare {
			if len(words) == 0 {
				return Cut{}, fmt.Errorf("%q lacks its number", w.name)
			}
			arg, words = words[0], words[1:]
		}
		key := w.key(arg)
		if seen[key] && !w.many {
			return Cut{}, fmt.Errorf("duplicate %q", key)
		}
		seen[key] = true
		if old && w.zeroAbsent && arg == "0" {
			continue
		}
		if err := w.put(&c, arg); err != nil {
			return Cut{}, err
		}
	}
	if seen["look"] && seen["after"] {
		return Cut{}, fmt.Errorf("a cut falls after a number of instructions (after) or at a crash point of zhuque explore (look), not both")
	}
	if !seen["after"] && !seen["look"] {
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

// fits reports a core that a machine does not have.
func (p Plan) fits(cores int) error {
	if p.OfWorlds() {
		return ErrOfWorlds
	}
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
