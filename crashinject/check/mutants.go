package check

// blindness is a deliberate defect of the comparison: what its own tests must be able to
// notice before anybody believes it. The zero value sees everything.
type blindness uint8

const (
	toNothing    blindness = iota
	toProtection           // what mappings allow
	toSomePages            // one page in a thousand
	toRegisters
	toState // the kernel's objects
	toFiles // names, attributes and contents
	blindnesses
)
