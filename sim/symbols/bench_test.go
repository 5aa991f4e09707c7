package symbols_test

import (
	"fmt"
	"strings"
	"testing"

	"zhuque/sim/symbols"
)

// large is a program with about a megabyte of debug information.
func large(b *testing.B) []byte {
	var s strings.Builder
	s.WriteString("volatile int sink;\n")
	for i := range 2500 {
		fmt.Fprintf(&s, "static inline int in%d(int a) { int b = a * %d; sink += b; return b ^ sink; }\nint f%d(int a, char *p) { for (int i = 0; i < a; i++) sink += in%d(p[i]); return in%d(a); }\n", i, i, i, i, i)
	}
	s.WriteString("int main(void) { return 0; }\n")
	return read(b, build(b, "gcc", s.String(), "-O2", "-g"))
}

// The first look-up of a file reads it; later ones search.
func BenchmarkLookup(b *testing.B) {
	data := large(b)
	b.Run("first", func(b *testing.B) {
		b.ReportMetric(float64(len(data)), "bytes/file")
		for b.Loop() {
			p := mapped(b, data, 0, &symbols.Cache{}, nil)
			if l := p.At(0x4000); !l.HasLine() {
				b.Fatal(l)
			}
		}
	})
	b.Run("later", func(b *testing.B) {
		p := mapped(b, data, 0, &symbols.Cache{}, nil)
		for i := 0; b.Loop(); i++ {
			p.At(0x4000 + uint64(i&0x7fff))
		}
	})
}

// A stack of 16 frames through glibc, with the machine's files.
func BenchmarkUnwind(b *testing.B) {
	m := guest(b, build(b, "gcc", "stack.c", "-O2", "-g"))
	stackAt(b, m, "stop_here", 1)
	cache := &symbols.Cache{}
	th := m.Kernel().Threads()[0]
	m.Stack(th, cache)
	b.ReportAllocs()
	for b.Loop() {
		m.Stack(th, cache)
	}
}
