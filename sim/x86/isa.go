package x86

// Form is one supported instruction form, as `zhuque isa` lists it.
type Form struct {
	Enc     string `json:"enc"`     // the SDM's encoding notation, see Row.Enc
	Name    string `json:"name"`    // mnemonic
	Args    string `json:"args"`    // operand codes in the SDM's letters
	Feature string `json:"feature"` // CPUID feature, "" for the base
	Flags   string `json:"flags"`   // status flags written
	Undef   string `json:"undef"`   // of these, undefined in the manual
	Effect  string `json:"effect"`  // persistence effect

	// How the form was tested, as the comparisons recorded it; see OracleHost.
	Oracle     string `json:"oracle"`
	Cases      uint64 `json:"cases"`               // single instructions compared with a processor
	Exceptions uint64 `json:"exceptions"`          // of these, how many raised one
	Processor  string `json:"processor,omitempty"` // vendor, family, model, stepping
	Executed   uint64 `json:"lockstep"`            // instructions compared in whole programs
	Reason     string `json:"reason,omitempty"`    // why there is no better oracle
}

// ISA returns every form that the interpreter executes, in table order.
func ISA() []Form {
	var list []Form
	for i := range rows {
		r := &rows[i]
		if r.Pick == nil {
			continue
		}
		o, executed := oracles()(r)
		list = append(list,
			Form{Enc: r.Enc, Name: r.Name, Args: r.Args, Feature: r.Feature, Flags: r.Flags, Undef: r.Undef, Effect: r.Effect,
				Oracle: o.oracle, Cases: o.cases, Exceptions: o.exceptions,
				Processor: o.processor, Executed: executed, Reason: o.reason})
	}
	return list
}
