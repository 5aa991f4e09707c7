package x86

// The rows of AVX, AVX2, FMA and F16C.

var avxRows = []Row{
	{Enc: "VEX.128.0F.WIG 77", Name: "VZEROUPPER", Feature: "AVX", Pick: only(vzeroupper)},
	{Enc: "VEX.256.0F.WIG 77", Name: "VZEROALL", Feature: "AVX", Pick: only(vzeroall)},
}

func vzeroupper(c *CPU, _ *Inst) {
	for i := range c.V {
		c.V[i][2], c.V[i][3] = 0, 0
	}
}

func vzeroall(c *CPU, _ *Inst) { clear(c.V[:]) }
