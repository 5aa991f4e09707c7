package report

import (
	"fmt"
	"math"
	"strings"

	"zhuque/crashinject/result"
)

// outcome is a judgement in words with a class for its looks: good, bad or none.
type outcome struct {
	text, class string
}

// outcomeOf judges one campaign; a mutant is good when it was caught.
func outcomeOf(c *result.Campaign) outcome {
	worst, ok := c.Counts.Worst()
	switch {
	case !ok:
		return outcome{"nothing judged", "bad"}
	case c.Mutant != "" && c.Counts.Violation+c.Counts.Detected > 0, broken(c) && c.Mutant == "" && c.AsExpected() == nil:
		return outcome{"caught", "good"}
	case broken(c):
		return outcome{"not caught", "bad"}
	case worst == result.Pass:
		return outcome{"pass", "good"}
	}
	return outcome{worst.String(), "bad"}
}

// broken reports whether a campaign ran on something broken on purpose.
func broken(c *result.Campaign) bool {
	return c.Mutant != "" || c.Expect.Valid() && c.Expect != result.Pass
}

// brokenLabel says what was broken on purpose; empty for the real thing.
func brokenLabel(c *result.Campaign) string {
	switch {
	case c.Mutant != "":
		return "planted bug " + c.Mutant
	case broken(c) && len(c.Expected) > 0:
		var parts []string
		for _, s := range c.Expected {
			parts = append(parts, s.String())
		}
		return "broken on purpose: expected " + strings.Join(parts, ", ")
	case broken(c):
		return "broken on purpose: every point must be " + c.Expect.String()
	}
	return ""
}

// Good reports whether a campaign came out as it should: all points passed, or
// what was broken on purpose was caught.
func Good(c *result.Campaign) bool { return outcomeOf(c).class == "good" }

// headline sums up a document in one sentence, real runtime first.
func headline(doc *result.Document) outcome {
	real := realCounts(doc)
	campaigns, empty, wrong, caught := 0, 0, 0, 0
	for i := range doc.Campaigns {
		c := &doc.Campaigns[i]
		if broken(c) {
			wrong++
			if Good(c) {
				caught++
			}
			continue
		}
		campaigns++
		if c.Points == 0 {
			empty++
		}
	}
	var parts []string
	class := "good"
	switch {
	case campaigns > 0 && real.Total() == 0:
		parts, class = append(parts, "No power cut was judged."), "bad"
	case campaigns > 0:
		parts = append(parts, realSentence(real))
		if real.Pass != real.Total() {
			class = "bad"
		}
		if empty > 0 {
			parts, class = append(parts, fmt.Sprintf("%d of %d campaigns judged nothing.", empty, campaigns)), "bad"
		}
	}
	if wrong > 0 {
		parts = append(parts, fmt.Sprintf("%d of %d campaigns broken on purpose were caught.", caught, wrong))
		if caught != wrong {
			class = "bad"
		}
	}
	if len(parts) == 0 {
		return outcome{figuresHeadline(doc), "none"}
	}
	return outcome{strings.Join(parts, " "), class}
}

// realCounts returns the verdicts of all campaigns but those broken on purpose.
func realCounts(doc *result.Document) result.Counts {
	var sum result.Counts
	for i := range doc.Campaigns {
		if !broken(&doc.Campaigns[i]) {
			sum = sum.Plus(doc.Campaigns[i].Counts)
		}
	}
	return sum
}

func realSentence(c result.Counts) string {
	cuts := "power cuts"
	if c.Total() == 1 {
		cuts = "power cut"
	}
	if c.Pass == c.Total() {
		return fmt.Sprintf("%s %s, all recovered identically.", group(c.Total()), cuts)
	}
	var bad []string
	for _, v := range result.Verdicts() {
		if n := c.Of(v); v != result.Pass && n > 0 {
			bad = append(bad, counted(v, n))
		}
	}
	return fmt.Sprintf("%s %s: %s recovered identically, %s.",
		group(c.Total()), cuts, group(c.Pass), strings.Join(bad, ", "))
}

// counted words n points with verdict v inside a sentence.
func counted(v result.Verdict, n uint64) string {
	noun := v.String()
	switch v {
	case result.SimBug:
		noun = "simulator bug"
		fallthrough
	case result.Violation, result.Timeout:
		if n != 1 {
			noun += "s"
		}
	}
	return group(n) + " " + noun
}

// violationShare words the share of violations of a sampled campaign; empty when every point was cut or none judged.
func violationShare(c *result.Campaign) string {
	if c.Points == 0 || strings.HasPrefix(c.Strategy, "every") {
		return ""
	}
	low, high := exact(c.Counts.Violation, c.Points)
	if c.Counts.Violation == 0 {
		return fmt.Sprintf("no violation in %s points: at most %s with 95 %% confidence, if they are a random sample", group(c.Points), percent(high))
	}
	return fmt.Sprintf("share of violations %s, exact 95 %% interval %s to %s (n = %s, if the points are a random sample)",
		percent(float64(c.Counts.Violation)/float64(c.Points)), percent(low), percent(high), group(c.Points))
}

func percent(v float64) string { return fmt.Sprintf("%.3g %%", 100*v) }

// figuresHeadline is that of a document without campaigns.
func figuresHeadline(doc *result.Document) string {
	drawn := len(figures(doc))
	if drawn == 0 {
		return "This document holds no campaign."
	}
	text := plural(drawn, "figure") + "."
	if n := len(doc.Predictions); n > 0 {
		sum := 0.0
		for i := range doc.Predictions {
			sum += math.Log(doc.Predictions[i].Factor()) / float64(n)
		}
		text += fmt.Sprintf(" Of %s modelled values beside published ones the geometric mean of the factors between them is %.2f; nothing was fitted to them.", group(uint64(n)), math.Exp(sum))
	}
	return text
}

func plural(n int, what string) string {
	if n == 1 {
		return "1 " + what
	}
	return fmt.Sprintf("%d %ss", n, what)
}
