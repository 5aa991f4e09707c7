package x86

// HWCap returns what Linux passes to programs as AT_HWCAP: EDX of CPUID leaf 1.
func HWCap() uint64 { return uint64(featureLeaves[V2][1][RDX]) }
