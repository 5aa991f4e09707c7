package main

import (
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"zhuque/sim/x86"
)

func isaVerb() *cobra.Command {
	var summary bool
	c := listVerb("isa", "List the instruction forms that work, and how each was tested", `Isa prints the instruction table that the decoder runs on. Every form in it works;
ORACLE says what it was compared with: host, its instructions one by one with a
processor; lockstep, whole programs with a processor; unit, unit tests only; stale,
changed since it was compared. CASES counts the single instructions compared and
found the same, LOCKSTEP the instructions in whole programs. Both were written by the
comparing tests. --format json names the processor and says why a form has no better
oracle.`,
		[]string{"ENCODING", "INSTRUCTION", "FEATURE", "FLAGS", "UNDEFINED", "PERSISTENCE", "ORACLE", "CASES", "LOCKSTEP"},
		func() (rows [][]string) {
			for _, f := range x86.ISA() {
				rows = append(rows, []string{f.Enc, f.Name + " " + f.Args, f.Feature, f.Flags,
					f.Undef, f.Effect, f.Oracle, fmt.Sprint(f.Cases), fmt.Sprint(f.Executed)})
			}
			return rows
		}, func() any { return x86.ISA() })
	c.Flags().BoolVar(&summary, "summary", false, "print only how many forms were tested how")
	list := c.RunE
	c.RunE = func(c *cobra.Command, args []string) error {
		if !summary {
			return list(c, args)
		}
		form := format{c.Flag("format").Value.String()}
		asJSON, err := form.json()
		if err != nil {
			return err
		}
		s := summarize(x86.ISA())
		if asJSON {
			return writeJSON(os.Stdout, s)
		}
		_, err = fmt.Print(s.text())
		return err
	}
	return c
}

// isaSummary counts forms by what they were tested against.
type isaSummary struct {
	Forms      int      `json:"forms"`
	Host       int      `json:"host"`
	Lockstep   int      `json:"lockstep"` // of all forms, those met in whole programs
	Unit       int      `json:"unit"`
	Stale      int      `json:"stale"`
	Cases      uint64   `json:"cases"`
	Exceptions uint64   `json:"exceptions"`
	Executed   uint64   `json:"lockstep_instructions"`
	Processors []string `json:"processors"`
}

func summarize(forms []x86.Form) (s isaSummary) {
	s.Forms = len(forms)
	seen := map[string]bool{}
	for _, f := range forms {
		switch f.Oracle {
		case x86.OracleHost:
			s.Host++
		case x86.OracleUnit:
			s.Unit++
		case x86.OracleStale:
			s.Stale++
		}
		if f.Executed > 0 {
			s.Lockstep++
		}
		s.Cases, s.Exceptions, s.Executed = s.Cases+f.Cases, s.Exceptions+f.Exceptions, s.Executed+f.Executed
		if f.Processor != "" && !seen[f.Processor] {
			seen[f.Processor] = true
			s.Processors = append(s.Processors, f.Processor)
		}
	}
	return s
}

func (s *isaSummary) text() string {
	text := fmt.Sprintf(`%-12s%d
%-12s%d forms in %d cases, %d of them with an exception, without a difference
%-12s%d forms in %d instructions of whole programs
%-12s%d forms
%-12s%d forms
`, "forms", s.Forms, "host", s.Host, s.Cases, s.Exceptions, "lockstep", s.Lockstep, s.Executed, "unit only", s.Unit, "stale", s.Stale)
	for _, p := range s.Processors {
		text += fmt.Sprintf("%-12s%s\n", "processor", p)
	}
	return text
}
