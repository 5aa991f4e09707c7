package x86

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"unsafe"

	"github.com/ebitengine/purego"
	"golang.org/x/sys/unix"

	"zhuque/sim/mem"
	"zhuque/sim/phys"
	"zhuque/sim/x86/hwtest"
)

// The processor of the host as the oracle of the x87 unit: one instruction runs
// natively between FXRSTOR64 and FXSAVE64 and in the model, and the whole image,
// memory, RAX and the status flags are compared.

const (
	x87StubIn       = 0    // FXSAVE image before
	x87StubOut      = 512  // and after
	x87StubFlagsIn  = 1024 // RFLAGS before, after; RAX
	x87StubFlagsOut = 1032
	x87StubRAX      = 1040
	x87StubOp       = 1088 // memory operand
	x87StubOpSize   = 512
	x87StubData     = 4096 // the block's offset behind the code
)

// x87Host is a page of code and a page of data, executable.
type x87Host struct {
	mem  []byte
	base uint64
}

func newX87Host(t testing.TB) *x87Host {
	m, err := unix.Mmap(-1, 0, 2*4096, unix.PROT_READ|unix.PROT_WRITE|unix.PROT_EXEC, unix.MAP_ANON|unix.MAP_PRIVATE)
	if err != nil {
		need(t, "no executable memory: %v", err)
	}
	t.Cleanup(func() { _ = unix.Munmap(m) })
	return &x87Host{m, uint64(uintptr(unsafe.Pointer(&m[0])))}
}

// enter puts the instruction into the stub, RSI being the address of its memory
// operand, and returns the instruction's address.
func (h *x87Host) enter(insn []byte) (rip uint64) {
	disp := func(op ...byte) func(int) []byte {
		return func(n int) []byte { return binary.LittleEndian.AppendUint32(op, uint32(n)) }
	}
	var code []byte
	add := func(b ...byte) { code = append(code, b...) }
	add(disp(0x48, 0x8d, 0xb7)(x87StubOp)...)        // lea rsi, [rdi+x87StubOp]
	add(0x48, 0x0f, 0xae, 0x0f)                      // fxrstor64 [rdi]
	add(disp(0x48, 0x8b, 0x87)(x87StubRAX)...)       // mov rax, [rdi+x87StubRAX]
	add(disp(0xff, 0xb7)(x87StubFlagsIn)...)         // push [rdi+x87StubFlagsIn]
	add(0x9d)                                        // popfq
	rip = h.base + uint64(len(code))                 //
	add(insn...)                                     //
	add(disp(0x48, 0x0f, 0xae, 0x87)(x87StubOut)...) // fxsave64 [rdi+x87StubOut]
	add(0x9c)                                        // pushfq
	add(disp(0x8f, 0x87)(x87StubFlagsOut)...)        // pop [rdi+x87StubFlagsOut]
	add(disp(0x48, 0x89, 0x87)(x87StubRAX)...)       // mov [rdi+x87StubRAX], rax
	add(0xdb, 0xe3, 0xc3)                            // fninit; ret
	copy(h.mem, code)
	return rip
}

func (h *x87Host) run() { purego.SyscallN(uintptr(h.base), uintptr(h.base+x87StubData)) }

func (h *x87Host) block() []byte { return h.mem[x87StubData:] }

// edgeF80 returns a number that is likely to matter.
func edgeF80(r *rand.Rand) F80 {
	exps := []uint16{0, 1, 2, 24, 63, 64, 0x3fff, 0x3ffe, 0x4000, 0x3fff - 63, 0x3fff + 62, 0x3fff + 63, 0x3fff + 64,
		0x3fff + 15, 0x3fff + 14, 0x3fff + 31, 0x3fff +
			30, 0x3fff - 126, 0x3fff - 127, 0x3fff - 149, 0x3fff - 150, 0x3fff + 127, 0x3fff + 128,
		0x3fff - 1022, 0x3fff - 1074, 0x3fff - 1075, 0x3fff + 1023, 0x3fff + 1024, 0x7ffe, 0x7ffd, 0x7fff}
	mants := []uint64{0, 1, f80J, f80J | 1, ^uint64(0), f80J | f80Quiet, f80J | f80Quiet | 1, f80J - 1,
		0xfffffeffffffffff, 0xffffff7fffffffff, 0xffffff8000000000, 0x8000008000000000,
		0xfffffffffffffbff, 0xfffffffffffffc00, 0x8000000000000400, 0x8000000000000c00,
		0xc90fdaa22168c235, 0xfffe000000000000, 0xfffffffe00000000}
	var v F80
	switch r.IntN(6) {
	case 0:
		v = F80{r.Uint64() | f80J, uint16(r.Uint32())}
	case 1:
		v = F80{r.Uint64() | f80J, uint16(0x3fff - 70 + r.IntN(140))}
	case 2:
		n := r.IntN(64)
		v = F80{(r.Uint64()>>n<<n | f80J), uint16(0x3fff - 3 + r.IntN(20))}
	case 3: // zeros, infinities and NaNs
		v = F80{[]uint64{f80J, f80J | 1, f80J | f80Quiet, f80J | f80Quiet | 1, 0xbfffffffffffffff}[r.IntN(5)], f80ExpMask}
		if r.IntN(3) == 0 {
			v = F80{}
		}
	default:
		v = F80{mants[r.IntN(len(mants))], exps[r.IntN(len(exps))]}
		if r.IntN(2) == 0 && v.SE != 0 {
			v.Mant |= f80J
		}
		if r.IntN(8) == 0 {
			v = F80{r.Uint64() >> r.IntN(64), 0}
		}
	}
	if r.IntN(2) == 0 {
		v.SE ^= f80Sign
	}
	return v
}

// randomX87 makes a state without a pending exception.
func randomX87(r *rand.Rand) (f X87) {
	for i := range f.Reg {
		f.Reg[i] = edgeF80(r)
	}
	if r.IntN(3) == 0 { // related operands
		i, j := r.IntN(8), r.IntN(8)
		f.Reg[j] = f.Reg[i]
		f.Reg[j].SE ^= uint16(r.IntN(2))<<15 | uint16(r.IntN(3))
	}
	f.Tag = 0xff
	switch r.IntN(8) {
	case 0:
		f.Tag = uint8(r.Uint32())
	case 1, 2, 3:
		f.Tag = 0x7f
	}
	top := uint16(r.IntN(8))
	if f.Tag == 0x7f {
		f.Tag = ^uint8(1 << ((top + 7) & 7))
	}
	pc := []uint16{0, 1, 2, 2, 3, 3, 3, 3}[r.IntN(8)]
	f.CW = 0x40 | fpAll | pc<<8 | uint16(r.IntN(4))<<10
	if r.IntN(4) == 0 {
		f.CW = f.CW&^fpAll | uint16(r.IntN(64))
	}
	f.SW = uint16(r.Uint32())&(swCC|fpAll|fpSF)&^(^f.CW&fpAll) | top<<11
	return f
}

// x87Operand fills a memory operand that suits the row.
func x87Operand(row *Row, r *rand.Rand, b []byte) {
	le := binary.LittleEndian
	for i := range b {
		b[i] = byte(r.Uint32())
	}
	var e fpEnv
	e.masks = fpAll
	switch {
	case strings.HasPrefix(row.Name, "FI"):
		if r.IntN(2) == 0 {
			le.PutUint64(b, []uint64{0, 1, ^uint64(0), 1 << 63, 1 << 31, 1 << 15, 0x7fff}[r.IntN(7)])
		}
	case row.Name == "FLDCW":
	case row.Args == "Md":
		le.PutUint32(b, e.toF32(edgeF80(r)))
		if r.IntN(4) == 0 {
			le.PutUint32(b, []uint32{1, 0x7f800001, 0xff800000, 0x7fc00000, 0x007fffff, 0x80000000}[r.IntN(6)])
		}
	case row.Args == "Mq":
		le.PutUint64(b, e.toF64(edgeF80(r)))
		if r.IntN(4) == 0 {
			le.PutUint64(b,
				[]uint64{1, 0x7ff0000000000001, 0xfff0000000000000, 0x7ff8000000000000, 0x000fffffffffffff, 1 << 63}[r.IntN(6)])
		}
	case row.Name == "FXRSTOR":
		s := State{FPU: randomX87(r), MXCSR: 0x1f80} // another MXCSR would stay set in the test itself
		s.FPU.CW = uint16(r.Uint32())
		s.FPU.SW = uint16(r.Uint32())
		s.FPU.Op, s.FPU.IP, s.FPU.DP = uint16(r.Uint32()), r.Uint64()>>17, r.Uint64()>>17
		for i := range s.V {
			s.V[i] = Vec{r.Uint64(), r.Uint64()}
		}
		image := s.FXSave()
		copy(b, image[:])
		le.PutUint16(b[6:], s.FPU.Op)
		le.PutUint64(b[8:], s.FPU.IP)
		le.PutUint64(b[16:], s.FPU.DP)
	case row.Name == "FBLD":
		for i := range 9 {
			b[i] = byte(r.IntN(10)<<4 | r.IntN(10))
		}
	case row.Args == "Mt":
		v := edgeF80(r)
		le.PutUint64(b, v.Mant)
		le.PutUint16(b[8:], v.SE)
	}
}

// x87Run is one instruction executed on both.
type x87Run struct {
	row                   *Row
	insn, operand         []byte
	flags                 uint64
	before, after, host   State
	modelBlock, hostBlock []byte // everything that the stub can change
}

func (h *x87Host) x87Run(c *CPU, dram *mem.Store, row *Row, r *rand.Rand, fpu X87) *x87Run {
	insn, in := x87Encoding(row, r)
	rip := h.enter(insn)
	in.next = rip + uint64(len(insn))
	x := &x87Run{row: row, insn: insn, flags: r.Uint64() & StatusFlags, before: State{FPU: fpu, MXCSR: 0x1f80}}
	block := h.block()
	image := x.before.FXSave()
	copy(block[x87StubIn:], image[:])
	copy(block[x87StubOut:], make([]byte, 512))
	le := binary.LittleEndian
	rax := r.Uint64()
	le.PutUint64(block[x87StubFlagsIn:], x.flags)
	le.PutUint64(block[x87StubRAX:], rax)
	x87Operand(row, r, block[x87StubOp:x87StubOp+x87StubOpSize])
	x.operand = bytes.Clone(block[x87StubOp : x87StubOp+16])

	dram.Write(phys.Addr(h.base&(1<<32-1)), h.mem)
	c.SetState(&x.before)
	c.setFlags(x.flags)
	c.R[RAX], c.R[RSI] = rax, h.base+x87StubData+x87StubOp
	in.fn(c, in)
	h.run()

	x.after = c.State()
	image = x.after.FXSave()
	x.modelBlock = bytes.Clone(block)
	dram.Read(phys.Addr((h.base+x87StubData)&(1<<32-1)), x.modelBlock)
	copy(x.modelBlock[x87StubOut:], image[:fxUsed])
	le.PutUint64(x.modelBlock[x87StubRAX:], c.R[RAX])
	le.PutUint64(x.modelBlock[x87StubFlagsOut:], c.flags())

	x.hostBlock = bytes.Clone(block)
	le.PutUint64(x.hostBlock[x87StubFlagsOut:], le.Uint64(block[x87StubFlagsOut:])&StatusFlags)
	copy(image[:], block[x87StubOut:])
	fxLoad(&image, &x.host.FPU, &x.host.V, true)
	for _, b := range [][]byte{x.modelBlock, x.hostBlock} {
		clear(b[x87StubOut+28 : x87StubOut+32]) // MXCSR_MASK
		if row.Name == "FXSAVE" {
			clear(b[x87StubOp+28 : x87StubOp+32])
		}
	}
	return x
}

func (x *x87Run) equal() bool { return bytes.Equal(x.modelBlock, x.hostBlock) }

func (x *x87Run) String() string {
	field := func(at, n int) string {
		return fmt.Sprintf("model % x host % x", x.modelBlock[at:at+n], x.hostBlock[at:at+n])
	}
	return fmt.Sprintf("%s %s (% x), operand % x, flags %#x\n%s  flags %s, rax %s\n  memory %s",
		x.row.Name, x.row.Args, x.insn, x.operand, x.flags,
		x87Differ(&x.before.FPU, &x.after.FPU, &x.host.FPU), field(x87StubFlagsOut, 2), field(x87StubRAX, 2), field(x87StubOp, 16))
}

// x87Differ shows a state and, where they differ, what the model and the host made of it.
func x87Differ(before, model, host *X87) string {
	s := fmt.Sprintf("cw %04x sw %04x top %d tag %08b\n", before.CW, before.SW, before.SW>>11&7, before.Tag)
	word := func(name string, m, h uint64) {
		if m != h {
			s += fmt.Sprintf("  %s: model %x host %x\n", name, m, h)
		}
	}
	word("cw", uint64(model.CW), uint64(host.CW))
	word("sw", uint64(model.SW), uint64(host.SW))
	word("tag", uint64(model.Tag), uint64(host.Tag))
	word("fop", uint64(model.Op), uint64(host.Op))
	word("fip", model.IP, host.IP)
	word("fdp", model.DP, host.DP)
	for i := range uint8(8) {
		b, m, h := before.st(i), model.st(i), host.st(i)
		if i < 2 || m != h {
			s += fmt.Sprintf("  st%d before %04x:%016x model %04x:%016x host %04x:%016x\n",
				i, b.SE, b.Mant, m.SE, m.Mant, h.SE, h.Mant)
		}
	}
	return s
}

// x87Approximate are the rows that are compared apart, with a tolerance.
var x87Approximate = map[string]bool{"F2XM1": true, "FYL2X": true, "FYL2XP1": true, "FPATAN": true,
	"FPTAN": true, "FSINCOS": true, "FSIN": true, "FCOS": true}

func TestX87Host(t *testing.T) {
	if hwtest.Intel() {
		t.Skip(
			"Intel's processors keep the pointers of every x87 instruction; TestAgainstHost compares these rows without them")
	}
	h := newX87Host(t)
	c, dram := x87CPU()
	n, perRow := 0, 2000
	if testing.Short() {
		perRow = 200
	}
	const seed = 1
	for i := range x87Rows {
		row := &x87Rows[i]
		if x87Approximate[row.Name] || row.Pick == nil {
			continue
		}
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		bad := 0
		for range perRow {
			n++
			if x := h.x87Run(c, dram, row, r, randomX87(r)); !x.equal() {
				if bad++; bad <= 2 {
					t.Error(x)
				}
			}
		}
		if bad > 2 {
			t.Errorf("%s (%s): %d of %d cases differ", row.Name, row.Enc, bad, perRow)
		}
	}
	t.Logf("%d cases compared with the host, seed %d", n, seed)
}

// f80Ulps returns how far two values are apart in units of the last place; values
// of different sign or kind are infinitely far.
func f80Ulps(a, b F80) uint64 {
	if a == b {
		return 0
	}
	if a.neg() != b.neg() || a.class() != fpFinite || b.class() != fpFinite {
		return ^uint64(0)
	}
	if a.SE == b.SE {
		return max(a.Mant, b.Mant) - min(a.Mant, b.Mant)
	}
	if a.SE > b.SE {
		a, b = b, a
	}
	if a.SE+1 == b.SE {
		return b.Mant - f80J + (^a.Mant + 1)
	}
	return ^uint64(0)
}

// TestTranscendentalHost compares the rows whose last bit hardware may choose:
// operands that the manual defines, within two units in the last place, and the
// same exceptions.
func TestTranscendentalHost(t *testing.T) {
	if hwtest.Intel() {
		t.Skip("Intel's processors keep the pointers of every x87 instruction, and their functions are other ones")
	}
	h := newX87Host(t)
	c, dram := x87CPU()
	n, perRow := 0, 1000
	if testing.Short() {
		perRow = 100
	}
	const seed, tolerance = 2, 2
	for i := range x87Rows {
		row := &x87Rows[i]
		if !x87Approximate[row.Name] {
			continue
		}
		r := rand.New(rand.NewPCG(seed, uint64(i)))
		bad, same, worst := 0, 0, uint64(0)
		for range perRow {
			n++
			x := h.x87Run(c, dram, row, r, randomX87(r))
			if x.equal() {
				same++
				continue
			}
			far := uint64(0)
			for j := range uint8(8) {
				far = max(far, f80Ulps(x.after.FPU.st(j), x.host.FPU.st(j)))
			}
			if far <= tolerance && (x.after.FPU.SW^x.host.FPU.SW)&^swC1 == 0 && x.after.FPU.Tag == x.host.FPU.Tag {
				worst = max(worst, far)
				continue
			}
			if bad++; bad <= 4 {
				t.Error(x)
			}
		}
		t.Logf("%s: %d of %d bit for bit as the host, the others within %d ulp", row.Name, same, perRow, worst)
		if bad != 0 {
			t.Errorf("%s: %d of %d cases differ", row.Name, bad, perRow)
		}
	}
	t.Logf("%d cases compared with the host, seed %d", n, seed)
}

// TestX87EncodingsHost executes every escape opcode: the model must have a form
// where the host has one, and #UD where the host says so.
func TestX87EncodingsHost(t *testing.T) {
	native, err := hwtest.Open()
	if err != nil {
		need(t, "no executable memory: %v", err)
	}
	defer native.Close()
	undefined := 0
	for op := 0xd8; op <= 0xdf; op++ {
		for m := range 256 {
			if m < 0xc0 && m&0xc7 != 6 {
				continue // other addressing modes are the decoder's matter
			}
			code := []byte{byte(op), byte(m)}
			var s hwtest.State
			s.Flags, s.R[RSI] = 0x202, native.ScratchAddr()
			binary.LittleEndian.PutUint16(s.FX[0:], 0x37f)
			binary.LittleEndian.PutUint32(s.FX[24:], 0x1f80)
			fault := native.Run(code, &s)
			ud := fault != nil && fault.Vector == uint64(UD)
			var in Inst
			status := V3.decode(code, native.Slot(), &in)
			switch {
			case ud && status == decodeUD:
				undefined++
			case ud != (status == decodeUD):
				t.Errorf("% x: host #UD %v, model's decoder %d", code, ud, status)
			case status == decodeUnknown:
				t.Errorf("% x: defined, but unsupported", code)
			}
		}
	}
	if undefined == 0 {
		t.Error("no undefined encoding found: the host's faults are not seen")
	}
	t.Logf("%d of 576 encodings are #UD on both", undefined)
}
