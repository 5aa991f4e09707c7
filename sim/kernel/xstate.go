package kernel

import (
	"zhuque/sim/x86"
)

// The floating-point part of a signal frame: 512 bytes of FXSAVE, or on a
// processor with XSAVE its area, which software recognizes by two magic numbers
// (struct _fpx_sw_bytes in the part that the processor leaves to software, and a
// word behind the area). Reading it back follows arch/x86/kernel/fpu/signal.c.

const (
	xstateMagic1 = 0x46505853 // FP_XSTATE_MAGIC1
	xstateMagic2 = 0x46505845 // FP_XSTATE_MAGIC2
	swReserved   = 464        // offset of struct _fpx_sw_bytes
	xstateBV     = 512        // XSTATE_BV, the header's first word
	xstateData   = 576        // what lies behind the header
	ucFPXState   = 1          // UC_FP_XSTATE

	xfeatureFPSSE = 1<<0 | 1<<1
	xfeatureYMM   = 1 << 2

	atMinSigStkSz = 51 // AT_MINSIGSTKSZ
)

// fpFrame returns the floating-point part of a frame that interrupts s.
func (c *call) fpFrame(s *x86.State) []byte {
	features := c.cpu.Level().XFeatures()
	if features == 0 {
		fx := s.FXSave()
		return fx[:]
	}
	area := s.XSave()
	sw := area[swReserved:]
	le.PutUint32(sw, xstateMagic1)
	le.PutUint32(sw[4:], x86.XSaveSize+4)
	le.PutUint64(sw[8:], features)
	le.PutUint32(sw[16:], x86.XSaveSize)
	le.PutUint64(area[xstateBV:], le.Uint64(area[xstateBV:])|xfeatureFPSSE)
	return le.AppendUint32(area[:], xstateMagic2)
}

// contextFlags are uc_flags.
func (c *call) contextFlags() uint64 {
	if c.cpu.Level().XFeatures() != 0 {
		return ucFlags | ucFPXState
	}
	return ucFlags
}

// restoreFP loads the floating-point part of a frame into s. Where there are no
// magic numbers it is an FXSAVE image and the rest is initialized. An error stands
// for an access or a restoring instruction that faults.
func (c *call) restoreFP(s *x86.State, fp uint64) error {
	available := c.cpu.Level().XFeatures()
	features, extended, err := uint64(xfeatureFPSSE), false, error(nil)
	if available != 0 {
		if features, extended, err = c.xstateFrame(fp); err != nil {
			return err
		}
	}
	features &= available | xfeatureFPSSE
	if extended {
		err = c.restoreArea(s, fp, features)
	} else {
		var fx [fpSize]byte
		if err = c.load(fp, fx[:]); err == nil {
			err = s.FXRestore(&fx)
		}
	}
	if err == nil {
		s.XInit(available &^ features)
	}
	return err
}

// xstateFrame looks for the magic numbers and returns the components that the
// frame names.
func (c *call) xstateFrame(fp uint64) (features uint64, extended bool, err error) {
	var sw [fpSize - swReserved]byte
	if err := c.load(fp+swReserved, sw[:]); err != nil {
		return 0, false, err
	}
	extendedSize, size := le.Uint32(sw[4:]), le.Uint32(sw[16:])
	if le.Uint32(sw[:]) != xstateMagic1 || size < xstateData || size > x86.XSaveSize || size > extendedSize {
		return xfeatureFPSSE, false, nil
	}
	var magic [4]byte
	if err := c.load(fp+uint64(size), magic[:]); err != nil {
		return 0, false, err
	}
	if le.Uint32(magic[:]) != xstateMagic2 {
		return xfeatureFPSSE, false, nil
	}
	return le.Uint64(sw[8:]), true, nil
}

// restoreArea loads an XSAVE area; what it does not hold need not be there.
func (c *call) restoreArea(s *x86.State, fp, features uint64) error {
	var area [x86.XSaveSize]byte
	if err := c.load(fp, area[:xstateData]); err != nil {
		return err
	}
	if le.Uint64(area[xstateBV:])&features&xfeatureYMM != 0 {
		if err := c.load(fp+xstateData, area[xstateData:]); err != nil {
			return err
		}
	}
	return s.XRestore(&area, features)
}

// minSignalStack is AT_MINSIGSTKSZ with its value, where frames are larger than
// the MINSIGSTKSZ that programs have compiled in: the largest frame that Linux
// reckons with (its 32-bit one), the floating-point part with the image of FSAVE
// beside it, and padding (init_sigframe_size in arch/x86/kernel/signal.c).
func minSignalStack(l x86.Level) []uint64 {
	if l.XFeatures() == 0 {
		return nil
	}
	const frame, fsave, alignment, areaAlignment = 732, 112, 16, 64
	size := uint64(frame + alignment - 1 + x86.XSaveSize + 4 + fsave + areaAlignment - 1)
	return []uint64{atMinSigStkSz, (size + alignment - 1) &^ (alignment - 1)}
}
