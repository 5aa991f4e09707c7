package x86

// The rows of FMA and F16C.

// fmaRows are the six operations in three orders of operands; the opcodes of an
// order are 10h apart from those of the next.
func fmaRows() (t []Row) {
	const negated = 1
	for i, order := range []struct {
		name     string
		operands fusedOrder
	}{{"132", fusedOrder{1, 3, 2}}, {"213", fusedOrder{2, 1, 3}}, {"231", fusedOrder{2, 3, 1}}} {
		for k, op := range []struct {
			name      string
			even, odd fused
		}{
			{"VFMADDSUB", fused{addend: negated}, fused{}},
			{"VFMSUBADD", fused{}, fused{addend: negated}},
			{"VFMADD", fused{}, fused{}},
			{"VFMSUB", fused{addend: negated}, fused{addend: negated}},
			{"VFNMADD", fused{product: negated}, fused{product: negated}},
			{"VFNMSUB", fused{negated, negated}, fused{negated, negated}},
		} {
			opcode, name := "9AB"[i:i+1], op.name+order.name
			packed := opcode + "678ACE"[k:k+1] + " /r"
			n := [2]fused{op.even, op.odd}
			t = append(t, both("FMA", "FMA", "66.0F38.W0 "+packed, name+"PS", "Vps,Hps,Wps", fusedPacked(fma32, 32, order.operands, n))...)
			t = append(t, both("FMA", "FMA", "66.0F38.W1 "+packed, name+"PD", "Vpd,Hpd,Wpd", fusedPacked(fma64, 64, order.operands, n))...)
			if op.even != op.odd {
				continue
			}
			scalar := opcode + "..9BDF"[k:k+1] + " /r"
			t = append(t,
				vex("LIG.66.0F38.W0 "+scalar, name+"SS", "Vss,Hss,Wss", fusedScalar(fma32, 32, order.operands, op.even)).feature("FMA"),
				vex("LIG.66.0F38.W1 "+scalar, name+"SD", "Vsd,Hsd,Wsd", fusedScalar(fma64, 64, order.operands, op.even)).feature("FMA"))
		}
	}
	return t
}

var f16cRows = append(
	both("F16C", "F16C", "66.0F38.W0 13 /r", "VCVTPH2PS", "Vps,Wq", vcvtph2ps),
	each(both("F16C", "F16C", "66.0F3A.W0 1D /r ib", "VCVTPS2PH", "Wq,Vps,Ib", vcvtps2ph), func(r Row) Row { return r.effect("store") })...)
