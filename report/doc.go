// Package report turns result records into what a person reads: aligned text
// tables, figures with the CSV that each is drawn from, and one offline HTML file.
// It reads records and nothing else: it may import crashinject/result, sim/phys,
// report/figure and the standard library, and must not import the simulator, so
// whatever it says is in results.json.
//
// Text writes tables for a terminal. WriteAll fills a folder:
//
//	results.json            the document itself
//	campaigns.csv runs.csv params.csv overhead-summary.csv   tables, units unscaled
//	verdicts-NAME.csv .svg .png   verdicts over the instruction axis
//	cut-NAME.csv .svg .png        dirty lines and flush time at the cut
//	overhead-PROGRAM.csv .svg .png, overhead-summary.svg .png
//	report.html             everything in one file: no link leaves it
//
// Figures are drawn by reading back the CSV written beside them. For one document
// all files are the same bytes on every run.
//
// A campaign that is broken on purpose, with a planted bug (Campaign.Mutant) or a
// platform that cannot work (Campaign.Expect), is judged the other way round: it
// should be caught, so its failures never count against the runtime, and one that
// is not caught is shown so. A campaign without any
// judged point is never shown as passed.
//
// Intervals: overheads show the smallest and largest of n runs. For campaigns
// whose strategy does not begin with "every", the share of violations carries
// the Wilson score interval at 95 %, which assumes a random sample of points.
package report
