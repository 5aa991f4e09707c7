package x86

import "fmt"

// Level is what a processor can do, in the levels of the x86-64 psABI.
type Level uint8

const (
	V2     Level = iota // up to SSE4.2
	V3                  // with AVX, AVX2, FMA, F16C and the state management that they need
	levels              // how many there are
)

func (l Level) String() string { return [levels]string{V2: "v2", V3: "v3"}[l] }

// ParseLevel is the inverse of String.
func ParseLevel(s string) (Level, error) {
	for l := range levels {
		if s == l.String() {
			return l, nil
		}
	}
	return 0, fmt.Errorf("cpu %q: expected v2 or v3", s)
}

// SetLevel makes the processor one of the level. On one that lacks a feature
// CPUID does not report it and its encodings are #UD, or what they were before it
// was invented. Blocks decoded for another level are forgotten and not shared.
func (c *CPU) SetLevel(l Level) {
	if l != c.level {
		c.level = l
		c.ForgetBlocks()
	}
}

// Level returns what SetLevel set, V2 at first.
func (c *CPU) Level() Level { return c.level }
