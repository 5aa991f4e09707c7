package x86

import "testing"

// TestUnknownOpcodes: one-byte opcodes that the table does not know must not be
// known to the host either, else a row was forgotten. TestEncodingsHost and
// TestEncodingsVEX do the same for the longer ones; 62 and 8F begin EVEX and XOP.
func TestUnknownOpcodes(t *testing.T) {
	p := newSteps(newHWPair(t))
	tried := 0
	for op := range 256 {
		switch op {
		case 0x0F, 0x62, 0x8F, 0xC4, 0xC5:
			continue // lead elsewhere
		}
		for _, prefix := range []string{"NP", "66", "F3", "F2"} {
			for modrm := 0x06; modrm < 0x100; modrm += 8 { // [RSI] and registers
				if modrm >= 0x40 && modrm < 0xC0 {
					continue
				}
				code := oneByteOpcode(op, modrm, prefix)
				var in Inst
				status := V3.decode(code, 0, &in)
				if status == decodeUnknown {
					t.Errorf("% x: unsupported", code)
				}
				if status != decodeUD || in.length != 0 {
					continue
				}
				tried++
				if p.executes(code) {
					t.Errorf("% x: the host executes it, the table does not know it", code)
				}
			}
		}
	}
	if tried == 0 {
		t.Error("nothing was tried")
	}
	t.Logf("%d encodings outside the table", tried)
}

// oneByteOpcode puts an instruction of 15 bytes together.
func oneByteOpcode(op, modrm int, prefix string) (code []byte) {
	if prefix != "NP" {
		code = unhex(prefix)
	}
	code = append(code, byte(op), byte(modrm))
	return append(code, make([]byte, maxLength-len(code))...)
}

// executes reports whether the host knows an instruction, with every register
// pointing into scratch memory.
func (p *hwPair) executes(code []byte) bool {
	s := vectorBase()
	for i := range s.R {
		s.R[i] = p.scratch + 2048
	}
	s.RIP = p.flow + 0xC00
	copy(p.native.Flow()[0xC00:], code)
	fault := p.native.Step(nativeOf(&s))
	return fault == nil || fault.Vector != uint64(UD)
}
