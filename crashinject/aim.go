package crashinject

import "sort"

// Defects of the runtime show at few places: one store of one call, or a store of the
// recovery from a call that had taken effect and was not yet in place. Cuts that are drawn
// anywhere hardly ever meet the latter, so that every fourth fuzzed plan is aimed: half of
// those at one step of one call, with nothing else that fails, half at recoveries from
// calls that are cut behind their commit.

const (
	aimedPlans = 4 // one in so many
	aimTries   = 8 // calls that are drawn until one has something to put in place
	everywhere = 3 // stores that each recovery makes
)

// aim turns some plans into aimed ones. draw gives a number below another; calls are those
// in which the first cut may fall.
func (p *Plan) aim(draw func(uint64) uint64, calls []callSite) {
	if draw(aimedPlans) != 0 || len(calls) == 0 {
		return
	}
	site := calls[draw(uint64(len(calls)))]
	if draw(2) == 0 {
		if site.steps > 0 {
			p.Cuts = []Cut{{After: site.at, Step: 1 + draw(site.steps)}}
		}
		return
	}
	for range aimTries {
		if site.puts() > 0 {
			break
		}
		site = calls[draw(uint64(len(calls)))]
	}
	if left := site.steps - min(site.took, site.steps); left > 0 {
		step, stores := site.took+1+draw(left)>>draw(8), uint64(everywhere) // mostly right behind the commit
		if step < site.steps {
			stores += site.puts()
		}
		p.Cuts[0] = Cut{After: site.at, Step: step, Recovery: []uint64{1 + draw(stores)}}
	}
}

// puts returns how many stores put in place what a call has changed, at least.
func (c *callSite) puts() uint64 { return max(c.steps, c.took+2) - c.took - 2 }

// callsIn returns the calls in [from, to].
func callsIn(calls []callSite, from, to uint64) []callSite {
	lo := sort.Search(len(calls), func(i int) bool { return calls[i].at >= from })
	hi := sort.Search(len(calls), func(i int) bool { return calls[i].at > to })
	return calls[lo:max(lo, hi)]
}
