package x86

import (
	"math"
	"strings"
)

// Intel's processors are not AMD's, which the model follows where the manuals leave
// something open or where the two differ. A difference that is one of these is counted and
// not reported on a host of Intel's; on one of AMD's each is an error.

// vexRefused reports whether code is a VEX prefix after prefixes that it must not have.
func vexRefused(code []byte) bool {
	refused := false
	for _, b := range code {
		switch b {
		case 0x66, 0xF0, 0xF2, 0xF3:
			refused = true
		case 0x26, 0x2E, 0x36, 0x3E, 0x64, 0x65, 0x67:
		case 0xC4, 0xC5:
			return refused
		default:
			if b&0xF0 != 0x40 {
				return false
			}
			refused = true
		}
	}
	return false
}

// outcome is what an instruction did on both sides.
type outcome struct {
	row   *Row
	start *State
	in    *Inst // nil where only the bytes are known
	words bool  // the operands have 16 bits
	diff  []string
	got   State
	stop  Stop
	want  State
	fault *hwFault
}

// faulted reports whether either side raised an exception of these.
func (o *outcome) faulted(vectors ...Vector) bool {
	for _, v := range vectors {
		if o.fault != nil && o.fault.vector == uint64(v) || o.stop.Reason == StopException && o.stop.Exc.Vector == v {
			return true
		}
	}
	return false
}

// same reports whether both sides raised the same exception.
func (o *outcome) same(v Vector) bool {
	return o.fault != nil && o.fault.vector == uint64(v) && o.stop.Reason == StopException && o.stop.Exc.Vector == v
}

// intels names what makes a difference of two makers, "" for anything else. The diff is
// not empty.
func (o *outcome) intels() string {
	r := o.row
	name := strings.TrimPrefix(r.Name, "V")
	wide := r.Feature != "" && strings.ContainsAny(r.Args, "VWPQHM") || ofX87(r) || hasImage(r)
	switch {
	case o.start.RFlags&AC != 0 && o.faulted(AlignmentCheck) && o.faulted(SS, GP):
		return "whether #AC or an address that is none comes first"
	case o.start.RFlags&AC != 0 && o.faulted(AlignmentCheck) && wide:
		return "what #AC asks of operands of 10 bytes and more, and of images"
	case o.start.RFlags&AC != 0 && o.faulted(AlignmentCheck) && r.Name == "POP" && strings.HasPrefix(r.Enc, "0F"):
		return "#AC of POP to a segment register, which reads two bytes"
	case (r.Name == "SHLD" || r.Name == "SHRD") && o.words:
		return "SHLD and SHRD of 16 bits by more: the result is undefined"
	case r.Name == "CALL" && o.same(GP):
		return "CALL of what is no address: the return address is stored before #GP"
	case hasImage(r) && o.fault != nil:
		return "what is restored of an image before an exception"
	case strings.Contains(r.Args, "P") && o.fault != nil && len(o.diff) == 1 && strings.HasPrefix(o.diff[0], "x87 "):
		return "whether the x87 unit is in MMX mode after a fault"
	case strings.HasPrefix(name, "DPP") && o.fault == nil && o.stop.Reason != StopException && o.sumsOfNaNs():
		return "which NaN is the sum of several"
	case strings.HasPrefix(name, "MASKMOV") || strings.HasPrefix(name, "PMASKMOV"):
		return "the address that a masked move reports of a page that it may not touch"
	case strings.Contains(r.Enc, "vsib") && o.fault != nil:
		return "what a gather has done before it faults"
	case r.Name == "FSTP" && r.Args == "Mt" && o.same(PageFaultVector):
		return "what of 80 bits is stored before a page fault"
	case ofX87(r) && o.fault == nil && o.faulted(PageFaultVector, GP, SS) && o.want.FPU.SW&(1<<7) != 0:
		return "whether an x87 store that an unmasked exception suppresses touches memory"
	case name == "CVTPS2PH" && o.fault != nil:
		return "whether #XM and its flags or #PF come first"
	case o.in != nil && r.Enc == "90+r" && o.in.prefix&prefixRep != 0:
		return "F3 REX.B 90, which is PAUSE to Intel's processors"
	case o.in != nil && r.isString() && o.in.prefix&prefixAddr32 != 0 && o.fault != nil && o.indices():
		return "whether a string instruction that faults cuts RSI, RDI and RCX to 32 bits"
	}
	return ""
}

// ofX87 reports whether the x87 unit executes the instruction, whichever extension it came
// with (FISTTP came with SSE3): its opcode is one of the eight escapes.
func ofX87(r *Row) bool {
	return len(r.Enc) > 1 && r.Enc[0] == 'D' && r.Enc[1] >= '8' && (len(r.Enc) == 2 || r.Enc[2] == ' ')
}

// exceptional reports whether either side raised an exception, or the x87 unit has one that
// waits for its next instruction: which of several comes first, and what has been stored by
// then, is where makers differ most.
func (o *outcome) exceptional() bool {
	return o.fault != nil || o.stop.Reason == StopException || (o.want.FPU.SW|o.got.FPU.SW)&(1<<7) != 0
}

// indices reports whether the sides differ in the upper halves of RSI, RDI and RCX only.
func (o *outcome) indices() bool {
	got := o.got
	for _, i := range []int{RSI, RDI, RCX} {
		if uint32(got.R[i]) == uint32(o.want.R[i]) {
			got.R[i] = o.want.R[i]
		}
	}
	return got.R == o.want.R && len(o.diff) <= 3
}

// nans reports whether two results differ in lanes of singles or doubles that are NaN on
// both sides, and nowhere else.
func nans(a, b Vec, double bool) bool {
	for i := range a {
		if double {
			if x, y := math.Float64frombits(a[i]), math.Float64frombits(b[i]); a[i] != b[i] && (x == x || y == y) {
				return false
			}
			continue
		}
		for shift := 0; shift < 64; shift += 32 {
			p, q := uint32(a[i]>>shift), uint32(b[i]>>shift)
			if x, y := math.Float32frombits(p), math.Float32frombits(q); p != q && (x == x || y == y) {
				return false
			}
		}
	}
	return true
}

// sumsOfNaNs reports whether all vectors differ in NaNs only.
func (o *outcome) sumsOfNaNs() bool {
	for i := range o.got.V {
		if !nans(o.got.V[i], o.want.V[i], strings.HasSuffix(o.row.Name, "PD")) {
			return false
		}
	}
	return true
}
