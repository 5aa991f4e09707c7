package kernel

import (
	"bytes"
	"io"
	"slices"
	"testing"
	"testing/iotest"
)

// A fork reads the input in the pieces in which its origin read it, although it
// is all remembered by then.
func TestInputComesInTheSamePieces(t *testing.T) {
	data := make([]byte, 300<<10)
	for i := range data {
		data[i] = byte(i * 7 >> 8)
	}
	for name, r := range map[string]io.Reader{"file": bytes.NewReader(data),
		"slow": iotest.HalfReader(bytes.NewReader(data)), "last": iotest.DataErrReader(bytes.NewReader(data))} {
		c := NewConsole(r, nil, nil)
		first, second := c.Fork(false), c.Fork(false)
		var got []byte
		pieces := func(c *Console) (sizes []int) {
			got = nil
			sizes = append(sizes, c.avail())
			for {
				b, err := c.peek(5000)
				if err != nil {
					t.Fatal(err)
				}
				if len(b) == 0 {
					return sizes
				}
				got = append(got, b...)
				c.ahead += len(b)
				sizes = append(sizes, len(b), c.avail())
				if err := c.release(); err != nil {
					t.Fatal(err)
				}
			}
		}
		want := pieces(first)
		if again := pieces(second); !slices.Equal(again, want) || !bytes.Equal(got, data) || len(want) < 2*len(data)/5000 {
			t.Errorf("%s: read in %d, then in %d pieces, %d bytes", name, len(want), len(again), len(got))
		}
	}
}
