package x86

import (
	"debug/elf"
	"slices"
	"strings"
	"testing"

	"zhuque/sim/det"

	"golang.org/x/arch/x86/x86asm"
)

// Encodings by hand: prefixes, widths, addressing, and what must not decode.
func TestDecode(t *testing.T) {
	for _, c := range []struct{ code, want string }{
		{"\x90", "nop"},
		{"\xF3\x90", "pause"},
		{"\x41\x90", "xchg r8d, eax"},
		{"\x66\x90", "nop"},
		{"\xF3\x0F\x1E\xFA", "endbr64"},
		{"\x48\x89\xD8", "mov rax, rbx"},
		{"\x66\x89\xD8", "mov ax, bx"},
		{"\x66\x48\x89\xD8", "mov rax, rbx"}, // REX.W over 66
		{"\x48\x66\x89\xD8", "mov ax, bx"},   // a REX before another prefix is ignored
		{"\x48\x40\x89\xD8", "mov eax, ebx"}, // the last REX counts
		{"\x88\xE1", "mov cl, ah"},
		{"\x40\x88\xE1", "mov cl, spl"},
		{"\x8B\x04\x24", "mov eax, dword ptr [rsp]"},
		{"\x41\x8B\x04\x24", "mov eax, dword ptr [r12]"},
		{"\x8B\x45\x00", "mov eax, dword ptr [rbp]"},
		{"\x41\x8B\x45\x00", "mov eax, dword ptr [r13]"},
		{"\x8B\x04\x25\xF0\xFF\xFF\xFF", "mov eax, dword ptr [0xfffffffffffffff0]"},
		{"\x8B\x05\x10\x00\x00\x00", "mov eax, dword ptr [0x400016]"},                 // RIP-relative
		{"\xC7\x05\x10\x00\x00\x00\x01\x00\x00\x00", "mov dword ptr [0x40001a], 0x1"}, // counted from behind the immediate
		{"\x42\x8B\x04\x20", "mov eax, dword ptr [rax+r12*1]"},                        // index 4 with REX.X is R12
		{"\x8B\x04\x60", "mov eax, dword ptr [rax]"},                                  // without it, none
		{"\x67\x8B\x44\x88\xFC", "mov eax, dword ptr [eax+ecx*4-0x4]"},
		{"\x64\x48\x8B\x04\x25\x28\x00\x00\x00", "mov rax, qword ptr fs:[0x28]"},
		{"\x64\x3E\x48\x8B\x00", "mov rax, qword ptr fs:[rax]"}, // DS does not undo FS
		{"\x48\xB8\x01\x02\x03\x04\x05\x06\x07\x08", "mov rax, 0x807060504030201"},
		{"\x48\xC7\xC0\xFF\xFF\xFF\xFF", "mov rax, -0x1"},
		{"\x66\x81\xC0\x34\x12", "add ax, 0x1234"},
		{"\x68\x00\x00\x00\x80", "push -0x80000000"},
		{"\x66\x50", "push ax"},
		{"\x41\x5C", "pop r12"},
		{"\xE8\xFB\xFF\xFF\xFF", "call 0x400000"},
		{"\x66\xE9\x00\x00\x00\x00", "jmp 0x400006"}, // 66 does not shorten a near branch
		{"\xC8\x10\x00\x01", "enter 0x10, 0x1"},
		{"\x67\x66\xF3\xA5", "rep movs word ptr es:[rdi], word ptr [rsi]"},
		{"\x48\xA1\x08\x07\x06\x05\x04\x03\x02\x01", "mov rax, [0x102030405060708]"},
		{"\x67\xA0\x08\x07\x06\x05", "mov al, [0x5060708]"},
		{"\xF0\x48\x0F\xC7\x0E", "lock cmpxchg16b [rsi]"},
		{"\xF0\x0F\xC7\x0E", "lock cmpxchg8b qword ptr [rsi]"},
		{"\xF3\x0F\xBC\xC1", "tzcnt eax, ecx"},
		{"\xF2\x0F\xBC\xC1", "bsf eax, ecx"},
		{"\x66\xF3\x0F\xB8\xC1", "popcnt ax, cx"},
		{"\x66\x0F\xAE\x3E", "clflushopt byte ptr [rsi]"},
		{"\x66\x0F\xAE\x36", "clwb byte ptr [rsi]"},
		{"\x0F\xAE\x3E", "clflush byte ptr [rsi]"},
		{"\x0F\xAE\xFE", "sfence"},
		{"\x48\x0F\xC3\x06", "movnti qword ptr [rsi], rax"},
		{"\x8E\xC8", "#UD"},     // MOV to CS
		{"\x8D\xC0", "#UD"},     // LEA of a register
		{"\x06", "#UD"},         // PUSH ES
		{"\xF0\x8B\x00", "#UD"}, // LOCK of a load
		{"\xF0\x01\xC0", "#UD"}, // LOCK of a register
		{"\xF0\x39\x00", "#UD"}, // LOCK CMP
		{"\xFF\xF8", "#UD"},     // FF /7
		{"\x0F\x0D\xC0", "#UD"}, // PREFETCHW of a register
		{"\xC5\xF8\x77", "#UD"}, // AVX
		{"\x48\xCF", "iret"},
		{"\x66\x0F\x38\xF0\x00", "movbe ax, word ptr [rax]"},
		{"\x66\xF2\x0F\x38\xF1\xC1", "crc32 eax, cx"},
		{"\x0F\x38\xF0\xC0", "#UD"},
		{"\x66\x41\x0F\xC7\xF1", "rdrand r9w"},
		{"\xF3\x0F\xC7\xFB", "rdpid rbx"},
		{"\xF3\x0F\xC7\xF3", "#UD"},         // SENDUIPI
		{"\x62\xF1\x7C\x48\x58\xC0", "#UD"}, // AVX-512
		{"\x0F\x01\xE8", "#UD"},             // SERIALIZE
		{"\x48\x8B", "short"},
		{"\x48\xB8\x01\x02\x03", "short"},
		{strings.Repeat("\x66", 14) + "\x90", "nop"},
		{strings.Repeat("\x66", 15), "#GP"},
		{strings.Repeat("\x66", 14) + "\x8B\x00", "#GP"},
	} {
		got := map[decodeStatus]string{decodeShort: "short", decodeLong: "#GP", decodeUD: "#UD", decodeUnknown: "unsupported"}
		var in Inst
		text, n := Disasm([]byte(c.code), testCode)
		if st := V2.decode([]byte(c.code), testCode, &in); st != decoded {
			text, n = got[st], len(c.code)
		}
		if text != c.want || n != len(c.code) {
			t.Errorf("% x: %q of %d bytes, want %q of %d", c.code, text, n, c.want, len(c.code))
		}
	}
}

// x86asm is an independent decoder: over compiled code both find the same lengths.
func TestDecodeLengths(t *testing.T) {
	for _, opt := range []string{"-O2", "-Os"} {
		f, err := elf.Open(mixedProgram(t, opt))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		section := f.Section(".text")
		code, err := section.Data()
		if err != nil {
			t.Fatal(err)
		}
		n := 0
		for off := 0; off < len(code); n++ {
			var in Inst
			want, err := x86asm.Decode(code[off:], 64)
			if err != nil {
				t.Fatalf("%s: x86asm at %#x: %v", opt, off, err)
			}
			if st := V3.decode(code[off:], section.Addr+uint64(off), &in); st != decoded || int(in.length) != want.Len {
				t.Fatalf("%s at %#x: % x: status %d length %d, x86asm has %v of %d",
					opt, off, code[off:off+want.Len], st, in.length, want, want.Len)
			}
			off += want.Len
		}
		if n < 300 {
			t.Errorf("%s: only %d instructions", opt, n)
		}
	}
}

// Rows that claim the same encoding are our bug and must not pass unseen.
func TestClashPanics(t *testing.T) {
	saved := maps[V2][1][0x05]
	defer func() {
		maps[V2][1][0x05] = saved
		forms = forms[:len(forms)-1]
		rows = rows[:len(rows)-1]
		if r := recover(); r == nil || !strings.HasPrefix(r.(string), "BUG: ") {
			t.Errorf("recovered %v, want a BUG", r)
		}
	}()
	rows = append(rows, Row{Enc: "0F 05", Name: "TWICE", Pick: only(nop)})
	forms = append(forms, newForm(&rows[len(rows)-1]))
	o := *saved
	maps[V2][1][0x05] = &o
	rank := map[*uint16]uint8{}
	place(&maps[V2], len(rows)-1, rank)
}

func TestBadEncodingPanics(t *testing.T) {
	for _, enc := range []string{"0G", "0F 05 /8", "90 ib iw", "0F AE reg mem x", "D8 20"} {
		func() {
			defer func() {
				if recover() == nil {
					t.Errorf("%q was accepted", enc)
				}
			}()
			parseEncoding(enc)
		}()
	}
}

// FuzzDecode: any bytes decode or are refused, never beyond 15 bytes or what is
// there, the same way each time, and execution of what decoded ends in a defined
// way with a state that another run reproduces.
func FuzzDecode(f *testing.F) {
	for _, s := range []string{"\x90", "\x48\x8B\x04\x25\x00\x00\x60\x00", "\xF3\xA4", "\xF0\x0F\xC1\x03",
		"\x0F\x05", "\xC3", "\xF7\xF1", "\xD9\xE8", "\x66\x0F\xAE\x33", "\x8F\x04\x24",
		"\xC5\xFD\x58\x03", "\xC4\xE2\x71\x90\x04\x90", "\xC4\xE2\x75\x2F\x03", "\xC4\xE3\x75\x4A\xC2\x30", "\xC5\xFC\x77"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, code []byte) {
		var a, b Inst
		st := V3.decode(code, testCode, &a)
		if st == decoded &&
			(a.length == 0 || int(a.length) > min(len(code), maxLength) || a.next != testCode+uint64(a.length)) {
			t.Fatalf("% x: length %d", code, a.length)
		}
		if st != V3.decode(code, testCode, &b) || a.length != b.length ||
			a.row != b.row || a.imm != b.imm || a.disp != b.disp {
			t.Fatalf("% x: decodes differently the second time", code)
		}
		if text, n := Disasm(code, testCode); len(code) > 0 && (text == "" || n == 0) {
			t.Fatalf("% x: no text", code)
		}
		if len(code) > 64 {
			return
		}
		one, two := newMachine(code), newMachine(code)
		two.SetMaxBlock(1)
		for _, m := range []*machine{one, two} {
			m.SetLevel(V3)
			r := det.Stream(1, "registers")
			for i := range 16 {
				m.R[i] = testData + r.Uint64N(4096)
			}
			m.R[RCX], m.R[RSP] = r.Uint64N(100), testStack-4096
		}
		x, y := one.Run(20), two.Run(20)
		if x.Reason != y.Reason || one.State() != two.State() || one.Retired != two.Retired {
			t.Fatalf("% x: in a block %v after %d, singly %v after %d", code, x.Reason, one.Retired, y.Reason, two.Retired)
		}
	})
}

func BenchmarkDecode(b *testing.B) {
	f, err := elf.Open(mixedProgram(b))
	if err != nil {
		b.Fatal(err)
	}
	defer f.Close()
	code, err := f.Section(".text").Data()
	if err != nil {
		b.Fatal(err)
	}
	var n int
	for b.Loop() {
		for off := 0; off < len(code); n++ {
			var in Inst
			if V3.decode(code[off:], uint64(off), &in) != decoded {
				b.Fatal("not decoded")
			}
			off += int(in.length)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(n), "ns/instr")
}

// BenchmarkFreshCode is the cost of an instruction that is met for the first time:
// finding that no block is there, decoding one, and entering it.
func BenchmarkFreshCode(b *testing.B) {
	m := loadELF(b, mixedProgram(b), nil)
	var at []uint64
	if m.exit(b, 1<<40) != 0 {
		b.Fatal("wrong answer")
	}
	for key, block := range m.code.all {
		if rip := key.rip; block.rip == rip {
			at = append(at, rip)
		}
	}
	slices.Sort(at)
	n := 0
	for b.Loop() {
		m.ForgetBlocks()
		for _, rip := range at {
			n += len(m.lookup(rip).insts)
		}
	}
	b.ReportMetric(b.Elapsed().Seconds()*1e9/float64(n), "ns/instr")
	b.ReportMetric(float64(n)/b.Elapsed().Seconds()/1e6, "M/s")
}
