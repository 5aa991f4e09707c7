package x86

import (
	"encoding/binary"
	"encoding/hex"
	"fmt"
	"testing"

	"zhuque/sim/x86/hwtest"
)

// hostsOwn are encodings that the host executes and the model refuses, because
// its CPUID does not advertise them: map, prefix (NP for none) and opcode, and
// behind a slash the ModRM byte.
var hostsOwn = func() map[string]bool {
	m := map[string]bool{}
	for _, e := range []string{
		"1 F3 2B", "1 F2 2B", "1 66 78", "1 F2 78", "1 66 79", "1 F2 79", // SSE4a
		"2 66 CF", "3 66 CE", "3 66 CF", // GFNI
		"2 NP F6", "2 66 F5", // CET's WRSS and WRUSS
		"2 66 80", "2 66 81", "2 66 82", // INVEPT, INVVPID, INVPCID
		"2 NP F9", "2 66 F8", "2 F3 F8", "2 F2 F8", // MOVDIRI, MOVDIR64B, ENQCMD
		"2 F3 D8", "2 F3 DC", "2 F3 DD", "2 F3 DE", "2 F3 DF", "2 F3 FA", "2 F3 FB", // Key Locker
		"2 NP FC", "2 66 FC", "2 F3 FC", "2 F2 FC", "3 F3 F0", // RAO-INT, HRESET
		"1 NP C7/1E", "1 NP C7/2E", // XRSTORS, XSAVES
		"1 NP 01/FA", "1 F2 01/FF", // MONITORX, PVALIDATE
	} {
		m[e] = true
	}
	for _, prefix := range []string{"NP", "66", "F3", "F2"} { // SVM, RDPKRU, WRPKRU, CLZERO
		for _, modrm := range []string{"D8", "DA", "DB", "DC", "DD", "DE", "DF", "EE", "EF", "FC"} {
			m["1 "+prefix+" 01/"+modrm] = true
		}
	}
	return m
}()

// TestEncodingsHost: nothing is decoded that the host refuses with #UD, and what
// the host executes is in the table or in hostsOwn. A row forgotten, or one with
// the wrong prefix, would show.
func TestEncodingsHost(t *testing.T) {
	native, err := hwtest.Open()
	if err != nil {
		need(t, "the host gives no executable memory: %v", err)
	}
	defer native.Close()
	if hwtest.Intel() {
		t.Skip("the lists of what an AMD processor has of its own, and of what is dangerous there, are not Intel's")
	}
	for _, f := range []string{"sse4_2", "movbe", "adx", "sha_ni", "aes",
		"pclmulqdq", "rdrand", "rdseed", "rdpid", "abm", "bmi1", "clwb"} {
		if !hostFeatures(t)[f] {
			t.Skipf("the host lacks %s", f)
		}
	}
	tried, undefined := 0, 0
	try := func(opmap, op, modrm int, prefix string) {
		name := fmt.Sprintf("%d %s %02X", opmap, prefix, op)
		if hwDangerous(opmap, op, modrm) {
			return
		}
		tried++
		if compareEncoding(t, native, sseEncoding(opmap, op, modrm, prefix), name, modrm) {
			undefined++
		}
	}
	for opmap := 1; opmap <= 3; opmap++ {
		for op := range 256 {
			for _, prefix := range []string{"NP", "66", "F3", "F2"} {
				for modrm := 0x06; modrm < 0x100; modrm += 8 { // [RSI] and registers
					if modrm < 0x40 || modrm >= 0xC0 {
						try(opmap, op, modrm, prefix)
					}
				}
				if opmap == 1 && op == 0x01 {
					for modrm := 0xC0; modrm < 0x100; modrm++ {
						try(opmap, op, modrm, prefix)
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

// hwDangerous tells what must not be executed on the host: what leaves the
// straight line, changes a segment base of this process, waits or calls a hypervisor.
func hwDangerous(opmap, op, modrm int) bool {
	if opmap != 1 {
		return false
	}
	switch op {
	case 0x01:
		return modrm == 0xC1 || modrm == 0xD9 || modrm == 0xFB // VMCALL, VMMCALL, MWAITX
	case 0x05, 0xA1, 0xA9, 0xB4, 0xB5: // SYSCALL, POP, LFS, LGS
		return true
	case 0xAE:
		return modrm >= 0xD0 && modrm < 0xE0 // WRFSBASE, WRGSBASE
	}
	return op >= 0x80 && op < 0x90
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

// compareEncoding reports whether the host refuses the instruction.
func compareEncoding(t *testing.T, native *hwtest.Native, code []byte, name string, modrm int) (ud bool) {
	s := hwtest.State{Flags: 0x202}
	for i := range s.R {
		s.R[i] = native.ScratchAddr() + 1024
	}
	binary.LittleEndian.PutUint16(s.FX[0:], 0x37F)
	binary.LittleEndian.PutUint32(s.FX[24:], 0x1F80)
	var in Inst
	status := V3.decode(code, native.Slot(), &in)
	if status == decoded {
		code = code[:in.length] // without ModRM, where the opcode has none
	}
	own := hostsOwn[name] || hostsOwn[fmt.Sprintf("%s/%02X", name, modrm)]
	fault := native.Run(code, &s)
	ud = fault != nil && fault.Vector == uint64(UD) && fault.RIP == native.Slot()
	switch {
	case ud && status == decoded && rows[in.row].Name[:2] != "UD":
		t.Errorf("% x: %s, but #UD on the host", code, rows[in.row].Name)
	case !ud && status == decodeUD && !own:
		t.Errorf("% x (%s/%02X): #UD, but defined on the host (%v)", code, name, modrm, fault)
	case status == decodeUnknown:
		t.Errorf("% x (%s): unsupported", code, name)
	case status == decoded && own:
		t.Errorf("% x (%s): listed as the host's own, but it is %s", code, name, rows[in.row].Name)
	}
	return ud
}
