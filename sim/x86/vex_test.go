package x86

import "testing"

// What a VEX prefix may not be combined with, and what may be around it.
func TestDecodeVEX(t *testing.T) {
	for _, c := range []struct {
		name, code string
		want       decodeStatus
	}{
		{"vzeroupper", "\xC5\xF8\x77", decoded},
		{"the long prefix, W=1", "\xC4\xE1\xF8\x77", decoded},
		{"after an address size and a segment", "\x67\x64\xC5\xF8\x77", decoded},
		{"vvvv in use", "\xC5\xF0\x77", decodeUD},
		{"after 66", "\x66\xC5\xF8\x77", decodeUD},
		{"after F2", "\xF2\xC5\xF8\x77", decodeUD},
		{"after F3", "\xF3\xC5\xF8\x77", decodeUD},
		{"after LOCK", "\xF0\xC5\xF8\x77", decodeUD},
		{"after REX", "\x40\xC5\xF8\x77", decodeUD},
		{"map 0", "\xC4\xE0\x78\x77", decodeUD},
		{"map 4", "\xC4\xE4\x78\x77", decodeUD},
		{"no such opcode", "\xC5\xF8\x05", decodeUD},
		{"no such mandatory prefix", "\xC5\xF9\x77", decodeUD},
		{"cut in the prefix", "\xC4\xE1", decodeShort},
		{"cut before the opcode", "\xC5\xF8", decodeShort},
	} {
		var in Inst
		if st := V3.decode([]byte(c.code), testCode, &in); st != c.want || st == decoded && int(in.length) != len(c.code) {
			t.Errorf("%s: % x: status %d, want %d", c.name, c.code, st, c.want)
		}
		if st := V2.decode([]byte(c.code), testCode, &in); st != decodeUD {
			t.Errorf("%s: % x: status %d on a processor without AVX, want #UD", c.name, c.code, st)
		}
	}
}

// The level decides what CPUID reports and what is #UD, in a program's eyes.
func TestLevels(t *testing.T) {
	for l, want := range map[Level]Reason{V2: StopException, V3: StopCount} {
		m := newMachine([]byte{0xC5, 0xF8, 0x77})
		m.SetLevel(l)
		if s := m.Run(1); s.Reason != want || s.Reason == StopException && s.Exc.Vector != UD {
			t.Errorf("%v: stop %v %v, want %v", l, s.Reason, s.Exc, want)
		}
		const avx = 1 << 28
		if got := l.cpuidValues(1, 0)[RCX]&avx != 0; got != (l == V3) {
			t.Errorf("%v: CPUID reports AVX: %v", l, got)
		}
		if got := l.cpuidValues(0x0D, 0)[RBX]; got != map[Level]uint32{V2: 0, V3: xsaveSize}[l] {
			t.Errorf("%v: the XSAVE area has %d bytes", l, got)
		}
		if p, err := ParseLevel(l.String()); p != l || err != nil {
			t.Errorf("%v parses as %v, %v", l, p, err)
		}
	}
	if _, err := ParseLevel("v4"); err == nil {
		t.Error("v4 was accepted")
	}
}
