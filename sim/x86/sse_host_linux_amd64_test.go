package x86

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"

	"zhuque/sim/x86/hwtest"
)

// beyondV2 are encodings of newer extensions, which the host may have and the
// table does not: "map prefix opcode" with NP for no prefix.
var beyondV2 = func() map[string]bool {
	m := map[string]bool{}
	for _, e := range []string{
		"1 F3 2B", "1 F2 2B", "1 66 78", "1 F2 78", "1 66 79", "1 F2 79", // SSE4a
		"3 66 44",                                                        // PCLMULQDQ
		"2 66 DB", "2 66 DC", "2 66 DD", "2 66 DE", "2 66 DF", "3 66 DF", // AES-NI
		"2 NP C8", "2 NP C9", "2 NP CA", "2 NP CB", "2 NP CC", "2 NP CD", "3 NP CC", // SHA
		"2 66 CF", "3 66 CE", "3 66 CF", // GFNI
		"2 66 F6", "2 F3 F6", // ADX
		"2 NP F6", "2 66 F5", // CET's WRSS and WRUSS
		"2 66 80", "2 66 81", "2 66 82", // INVEPT, INVVPID, INVPCID
		"2 NP F9", "2 66 F8", "2 F3 F8", "2 F2 F8", // MOVDIRI, MOVDIR64B, ENQCMD
		"2 F3 D8", "2 F3 DC", "2 F3 DD", "2 F3 DE", "2 F3 DF", "2 F3 FA", "2 F3 FB", // Key Locker
		"2 NP FC", "2 66 FC", "2 F3 FC", "2 F2 FC", "3 F3 F0", // RAO-INT, HRESET
	} {
		m[e] = true
	}
	return m
}()

// TestEncodingsHost: among the opcodes of MMX and SSE, nothing is decoded that
// the host refuses with #UD, and everything that it executes is in the table or
// in beyondV2. A row forgotten, or one with the wrong prefix, would show.
func TestEncodingsHost(t *testing.T) {
	native, err := hwtest.Open()
	if err != nil {
		need(t, "the host gives no executable memory: %v", err)
	}
	defer native.Close()
	if !hostFeatures(t)["sse4_2"] || !hostFeatures(t)["movbe"] {
		t.Skip("the host lacks SSE4.2 or MOVBE")
	}
	tried, undefined := 0, 0
	for opmap := 1; opmap <= 3; opmap++ {
		for op := range 256 {
			if opmap == 1 && !sseOpcode(op) {
				continue
			}
			for _, prefix := range []string{"NP", "66", "F3", "F2"} {
				name := fmt.Sprintf("%d %s %02X", opmap, prefix, op)
				for modrm := 0x06; modrm < 0x100; modrm += 8 { // [RSI] and registers
					if modrm >= 0x40 && modrm < 0xC0 {
						continue
					}
					tried++
					if compareEncoding(t, native, sseEncoding(opmap, op, modrm, prefix), name) {
						undefined++
					}
				}
			}
		}
	}
	if undefined == 0 || undefined == tried {
		t.Errorf("%d of %d encodings are #UD", undefined, tried)
	}
	t.Logf("%d encodings, %d of them #UD on the host", tried, undefined)
}

// sseEncoding puts an instruction together; an immediate is zero.
func sseEncoding(opmap, op, modrm int, prefix string) (code []byte) {
	if p, _ := hex.DecodeString(prefix); len(p) > 0 {
		code = p
	}
	code = append(code, 0x0F)
	code = append(code, [...][]byte{1: {}, 2: {0x38}, 3: {0x3A}}[opmap]...)
	code = append(code, byte(op))
	if opmap == 1 && op == 0x77 { // EMMS has no ModRM
		return code
	}
	code = append(code, byte(modrm))
	if opmap == 3 || opmap == 1 && (op >= 0x70 && op <= 0x73 || op == 0xC2 || op >= 0xC4 && op <= 0xC6) {
		code = append(code, 0)
	}
	return code
}

// sseOpcode are the opcodes of map 0F whose rows are all MMX or SSE.
func sseOpcode(op int) bool {
	switch {
	case op >= 0x10 && op <= 0x17, op >= 0x28 && op <= 0x2F, op >= 0x50 && op <= 0x7F:
		return true
	case op == 0xC2, op >= 0xC4 && op <= 0xC6, op >= 0xD0 && op < 0xFF:
		return true
	}
	return false
}

// compareEncoding reports whether the host refuses the instruction.
func compareEncoding(t *testing.T, native *hwtest.Native, code []byte, name string) (ud bool) {
	s := hwtest.State{Flags: 0x202}
	for i := range s.R {
		s.R[i] = native.ScratchAddr() + 1024
	}
	binary.LittleEndian.PutUint16(s.FX[0:], 0x37F)
	binary.LittleEndian.PutUint32(s.FX[24:], 0x1F80)
	fault := native.Run(code, &s)
	ud = fault != nil && fault.Vector == uint64(UD)
	var in Inst
	switch status := V3.decode(code, native.Slot(), &in); {
	case ud && status == decoded:
		t.Errorf("% x: %s, but #UD on the host", code, rows[in.row].Name)
	case !ud && status == decodeUD:
		t.Errorf("% x: #UD, but defined on the host", code)
	case !ud && status == decodeUnknown && !beyondV2[name]:
		t.Errorf("% x (%s): defined on the host, but unsupported", code, name)
	case status == decoded && beyondV2[name]:
		t.Errorf("% x (%s): listed as unsupported, but it is %s", code, name, rows[in.row].Name)
	}
	return ud
}
