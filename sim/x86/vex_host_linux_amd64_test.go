package x86

import (
	"encoding/binary"
	"fmt"
	"testing"

	"zhuque/sim/x86/hwtest"
)

// beyondV3 are VEX encodings that the host may have and a v3 processor has not:
// map, VEX.pp and opcode, to the extension.
var beyondV3 = func() map[string]string {
	m := map[string]string{}
	list := func(extension string, encodings ...string) {
		for _, e := range encodings {
			m[e] = extension
		}
	}
	for op := 0x41; op <= 0x4B; op++ {
		list("AVX-512 masks", fmt.Sprintf("1 0 %02X", op), fmt.Sprintf("1 1 %02X", op))
	}
	for op := 0x90; op <= 0x99; op++ {
		for pp := range 4 {
			list("AVX-512 masks", fmt.Sprintf("1 %d %02X", pp, op))
		}
	}
	list("AVX-512 masks", "3 1 30", "3 1 31", "3 1 32", "3 1 33")
	list("VAES", "2 1 DC", "2 1 DD", "2 1 DE", "2 1 DF")
	list("VPCLMULQDQ", "3 1 44")
	list("W=0 as if it were 1, on AMD's processors", "3 1 00", "3 1 01")
	list("GFNI", "2 1 CF", "3 1 CE", "3 1 CF")
	list("AVX-VNNI", "2 1 50", "2 1 51", "2 1 52", "2 1 53")
	list("AVX-IFMA", "2 1 B4", "2 1 B5")
	list("AMX", "2 0 49", "2 1 49", "2 2 49", "2 3 49", "2 1 4B", "2 2 4B",
		"2 3 4B", "2 0 5C", "2 2 5C", "2 3 5C", "2 0 5E", "2 1 5E", "2 2 5E", "2 3 5E")
	return m
}()

// TestEncodingsVEX tries every opcode of the three maps with every VEX.pp, W and
// L, with register and memory operands, with VEX.vvvv used and not: what is #UD
// on the host is #UD in the model, and nothing of the host's is missing but
// beyondV3.
func TestEncodingsVEX(t *testing.T) {
	native, err := hwtest.Open()
	if err != nil {
		need(t, "the host gives no executable memory: %v", err)
	}
	defer native.Close()
	has := hostFeatures(t)
	for _, f := range []string{"avx", "avx2", "fma", "f16c"} {
		if !has[f] {
			t.Skipf("the host lacks %s", f)
		}
	}
	tried, undefined := 0, 0
	for opmap := byte(1); opmap <= 3; opmap++ {
		for op := range 256 {
			for form := range 4 * 2 * 2 * 2 * 8 * 2 {
				pp, w, l := byte(form&3), byte(form>>2&1), byte(form>>3&1)
				vvvv, modrm := byte(^(form>>4&1)&1*15), byte(form>>5&7<<3|4)
				if form>>8 != 0 {
					modrm |= 0xC0
				}
				code := []byte{0xC4, 0xE0 | opmap, w<<7 | vvvv<<3 | l<<2 | pp, byte(op), modrm}
				if modrm < 0xC0 {
					code = append(code, 0x26) // [RSI], or [RSI+XMM4]
				}
				if noModRM := opmap == 1 && op == 0x77; noModRM {
					code = code[:4]
				} else if opmap == 3 || opmap == 1 && (op >= 0x70 && op <= 0x73 || op == 0xC2 || op >= 0xC4 && op <= 0xC6) {
					code = append(code, 0x10)
				}
				tried++
				if vexUndefined(t, native, code, fmt.Sprintf("%d %d %02X", opmap, pp, op)) {
					undefined++
				}
			}
		}
	}
	if undefined == 0 || undefined == tried {
		t.Errorf("%d of %d encodings are #UD", undefined, tried)
	}
	t.Logf("%d encodings, %d of them #UD on the host", tried, undefined)
}

// vexUndefined reports whether the host refuses the instruction.
func vexUndefined(t *testing.T, native *hwtest.Native, code []byte, name string) bool {
	s := hwtest.State{Flags: 0x202}
	for i := range s.R {
		s.R[i] = native.ScratchAddr() + 1024
	}
	binary.LittleEndian.PutUint16(s.FX[0:], 0x37F)
	binary.LittleEndian.PutUint32(s.FX[24:], 0x1F80)
	fault := native.Run(code, &s)
	ud := fault != nil && fault.Vector == uint64(UD)
	var in Inst
	status := V3.decode(code, native.Slot(), &in)
	switch {
	case status == decoded && int(in.length) != len(code):
		t.Errorf("% x: %s of %d bytes", code, rows[in.row].Name, in.length)
	case ud && status == decoded:
		t.Errorf("% x: %s %s, but #UD on the host", code, rows[in.row].Name, rows[in.row].Enc)
	case !ud && status != decoded && beyondV3[name] == "":
		t.Errorf("% x (%s): defined on the host, but status %d", code, name, status)
	}
	return ud
}
