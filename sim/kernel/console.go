package kernel

import (
	"errors"
	"io"
	"slices"
	"sync"
)

// Console is the world outside the process: standard input, output and error.
// What a call consumes and writes is pending until the kernel's Release.
type Console struct {
	in     *input
	pos    int // bytes of the input consumed for good
	ahead  int // bytes consumed by calls that are not released
	out    [2]io.Writer
	keep   [2][]byte // what was released, when captured
	pend   []piece
	cap    bool
	outErr error
	// Outside leads to clients on the host; nil for none. Forks have none.
	Outside Outside
	tty     [3]bool // standard input, output, error: is it a terminal
}

// piece is a pending write to stream 0 (standard output) or 1 (standard error).
type piece struct {
	stream int
	data   []byte
}

// input remembers what was read from the host, so that forks can read it again,
// in the same pieces: a call never gets more than the rest of one piece, however
// much is remembered by then.
type input struct {
	mu   sync.Mutex
	r    io.Reader
	data []byte
	ends []int // where the pieces end in data, ascending
	err  error
}

// NewConsole returns a console on host streams. A nil stdin is empty, a nil
// writer throws away.
func NewConsole(stdin io.Reader, stdout, stderr io.Writer) *Console {
	return &Console{in: &input{r: stdin}, out: [2]io.Writer{stdout, stderr}}
}

// SetTerminals says which of standard input, output and error are terminals. Their
// settings can be read by the program but not changed.
func (c *Console) SetTerminals(in, out, errs bool) { c.tty = [3]bool{in, out, errs} }

// isTerminal reports whether a descriptor of that kind leads to a terminal.
func (c *Console) isTerminal(k FDKind) bool {
	return k >= FDStdin && k <= FDStderr && c.tty[k-FDStdin]
}

// Capture makes the console keep what is released, beside the writers it has;
// see Output.
func (c *Console) Capture() { c.cap = true }

// Output returns what was released to standard output and standard error since
// Capture. The slices must not be changed.
func (c *Console) Output() (stdout, stderr []byte) { return c.keep[0], c.keep[1] }

// Consumed returns how many bytes of standard input the process has read for good.
func (c *Console) Consumed() int { return c.pos }

// Fork returns a console at the same place of the same input that captures its
// output and writes nothing to the host. Pending effects are not inherited when
// cut is set: a power cut takes them back.
func (c *Console) Fork(cut bool) *Console {
	f := &Console{in: c.in, pos: c.pos, cap: true, tty: c.tty}
	for i := range c.keep {
		f.keep[i] = c.keep[i][:len(c.keep[i]):len(c.keep[i])]
	}
	if !cut {
		f.ahead = c.ahead
		f.pend = append([]piece(nil), c.pend...)
	}
	return f
}

// peek returns up to n bytes of input that follow, waiting for the host; none at
// the input's end.
func (c *Console) peek(n int) ([]byte, error) { return c.in.at(c.pos+c.ahead, n) }

// avail returns how many bytes of the piece of input that the last call read from
// are not consumed, whatever others have read.
func (c *Console) avail() int {
	c.in.mu.Lock()
	defer c.in.mu.Unlock()
	at := c.pos + c.ahead
	if i, _ := slices.BinarySearch(c.in.ends, at); at > 0 && i < len(c.in.ends) {
		return c.in.ends[i] - at
	}
	return 0
}

func (in *input) at(pos, n int) ([]byte, error) {
	in.mu.Lock()
	defer in.mu.Unlock()
	for pos >= len(in.data) && in.err == nil {
		if in.r == nil {
			in.err = io.EOF
			break
		}
		buf := make([]byte, 64<<10)
		var m int
		m, in.err = in.r.Read(buf)
		if m > 0 {
			in.data = append(in.data, buf[:m]...)
			in.ends = append(in.ends, len(in.data))
		}
	}
	if pos < len(in.data) {
		i, _ := slices.BinarySearch(in.ends, pos+1)
		end := min(pos+n, in.ends[i])
		return in.data[pos:end:end], nil
	}
	if errors.Is(in.err, io.EOF) {
		return nil, nil
	}
	return nil, in.err
}

// write queues output.
func (c *Console) write(stream int, data []byte) {
	c.pend = append(c.pend, piece{stream, data})
}

// release lets pending effects happen. It returns the first error of a host writer.
func (c *Console) release() error {
	c.pos += c.ahead
	c.ahead = 0
	for _, p := range c.pend {
		if w := c.out[p.stream]; w != nil && c.outErr == nil {
			_, c.outErr = w.Write(p.data)
		}
		if c.cap {
			c.keep[p.stream] = append(c.keep[p.stream], p.data...)
		}
	}
	c.pend = c.pend[:0]
	return c.outErr
}
