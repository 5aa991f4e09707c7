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
}

// ISA returns every form that the interpreter executes, in table order.
func ISA() []Form {
	var list []Form
	for i := range rows {
		r := &rows[i]
		if r.Pick == nil {
			continue
		}
		list = append(list, Form{Enc: r.Enc, Name: r.Name, Args: r.Args, Feature: r.Feature, Flags: r.Flags, Undef: r.Undef, Effect: r.Effect})
	}
	return list
}
