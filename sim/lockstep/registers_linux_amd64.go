package lockstep

import (
	"encoding/binary"
	"fmt"
	"strings"

	"zhuque/sim/x86"
)

// flagsCompared are the bits of RFLAGS that a program can see and set.
const flagsCompared = x86.StatusFlags | x86.DF | x86.NT | x86.AC | x86.ID

// registers compares all registers after an instruction; the process's general
// registers have been read. Flags in undef may differ: the process gets the
// model's then.
func (l *lockstep) registers(c *x86.CPU, undef uint64) error {
	if err := l.p.readFX(); err != nil {
		return err
	}
	if l.p.extended {
		if err := l.p.readExtended(); err != nil {
			return err
		}
	}
	s := c.State()
	var fields []string
	note := func(name string, model, cpu uint64) {
		if model != cpu {
			fields = append(fields, fmt.Sprintf("%s: model %#x, processor %#x", name, model, cpu))
		}
	}
	for i, r := range general(&l.p.regs) {
		if *r != s.R[i] {
			note(registerNames[i], s.R[i], *r)
		}
	}
	note("rip", s.RIP, l.p.regs.Rip)
	note("fs base", s.FSBase, l.p.regs.Fs_base)
	note("gs base", s.GSBase, l.p.regs.Gs_base)
	for i, r := range selectors(&l.p.regs) {
		note(selectorNames[i], uint64(visible(s.Sel[i])), uint64(visible(uint16(*r))))
	}
	flags := (s.RFlags ^ l.p.regs.Eflags) & flagsCompared
	if flags&^undef != 0 {
		fields = append(fields, fmt.Sprintf("flags: model %s, processor %s", flagNames(s.RFlags), flagNames(l.p.regs.Eflags)))
	}
	fields = append(fields, l.floating(&s)...)
	if len(fields) != 0 {
		l.differ(s, fields...)
		return nil
	}
	if flags != 0 {
		l.r.Undefined++
		l.p.regs.Eflags = l.p.regs.Eflags&^undef | s.RFlags&undef
		return l.p.writeRegs()
	}
	return nil
}

// flagNames spells the flags that are set.
func flagNames(f uint64) string {
	var set []string
	for _, b := range []struct {
		bit  uint64
		name string
	}{{x86.OF, "OF"}, {x86.DF, "DF"}, {x86.SF, "SF"}, {x86.ZF, "ZF"}, {x86.AF, "AF"}, {x86.PF, "PF"}, {x86.CF, "CF"}, {x86.NT, "NT"}, {x86.AC, "AC"}, {x86.ID, "ID"}} {
		if f&b.bit != 0 {
			set = append(set, b.name)
		}
	}
	return "[" + strings.Join(set, " ") + "]"
}

// Offsets in an FXSAVE image.
const (
	fxMXCSR = 24
	fxST    = 32
	fxXMM   = 160
	fxEnd   = 416
)

// floating compares x87 and SSE state.
func (l *lockstep) floating(s *x86.State) (fields []string) {
	model, cpu := s.FXSave(), &l.p.fx
	if [fxEnd - fxXMM]byte(model[fxXMM:fxEnd]) != [fxEnd - fxXMM]byte(cpu[fxXMM:fxEnd]) {
		for i := range 16 {
			at := fxXMM + 16*i
			fields = different(fields, fmt.Sprintf("xmm%d", i), model[at:at+16], cpu[at:at+16])
		}
	}
	if l.p.extended {
		fields = append(fields, l.p.upperHalves(s)...)
	}
	for _, part := range []struct {
		name   string
		at, to int
	}{{"x87 control word", 0, 2}, {"x87 status word", 2, 4}, {"x87 tags", 4, 5}, {"mxcsr", fxMXCSR, fxMXCSR + 4}} {
		fields = different(fields, part.name, model[part.at:part.to], cpu[part.at:part.to])
	}
	for i := range 8 {
		at := fxST + 16*i
		if [10]byte(model[at:]) != [10]byte(cpu[at:]) {
			fields = different(fields, fmt.Sprintf("st(%d)", i), model[at:at+10], cpu[at:at+10])
		}
	}
	return fields
}

// different adds a line for little-endian bytes that differ.
func different(fields []string, name string, model, cpu []byte) []string {
	if string(model) == string(cpu) {
		return fields
	}
	return append(fields, fmt.Sprintf("%s: model %s, processor %s", name, wide(model), wide(cpu)))
}

func wide(b []byte) string {
	var s strings.Builder
	s.WriteString("0x")
	for ; len(b) >= 8; b = b[:len(b)-8] {
		fmt.Fprintf(&s, "%016x", binary.LittleEndian.Uint64(b[len(b)-8:]))
	}
	for i := len(b) - 1; i >= 0; i-- {
		fmt.Fprintf(&s, "%02x", b[i])
	}
	return s.String()
}
