package imagefile

import (
	"bytes"
	"encoding/binary"
	"errors"
	"runtime"
	"strings"
	"testing"

	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// What a file makes Read allocate is bounded by its length: pages of zeros cost nothing,
// and a file tree is not longer than the pages that there can be.
func TestEmptyPagesCostNothing(t *testing.T) {
	const n = 100_000
	first := uint64(phys.PMEMBase >> phys.PageShift)
	var b bytes.Buffer
	var empty mem.Page
	err := Write(&b, &Checkpoint{}, []byte("tree"), func(p *Pages) {
		for i := range uint64(n) {
			p.Put(Memory, first+i, nil, &empty)
		}
		for i := range uint64(n) {
			p.Put(Files, i, nil, &empty)
		}
	})
	if err != nil {
		t.Fatal(err)
	}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	c, err := Read(bytes.NewReader(b.Bytes()))
	runtime.ReadMemStats(&after)
	if err != nil || c.Memory.Touched() != n || len(c.Files) != n {
		t.Fatalf("%v, %d and %d pages", err, c.Memory.Touched(), len(c.Files))
	}
	if got := after.TotalAlloc - before.TotalAlloc; got > 64<<20 {
		t.Errorf("%d bytes of image take %d bytes of memory", b.Len(), got)
	}
	// The pages are one, but not for those who write them.
	c.Memory.WritablePage(phys.Frame(first))[0] = 1
	if zero != (mem.Page{}) || c.Memory.Page(phys.Frame(first + 1))[0] != 0 {
		t.Error("a write to one page of zeros is a write to all")
	}
	long := bytes.Clone(b.Bytes())
	binary.LittleEndian.PutUint64(long[headerLen+checkLen+bdTree:], maxTree)
	runtime.ReadMemStats(&before)
	_, err = Read(bytes.NewReader(long))
	runtime.ReadMemStats(&after)
	var r *Refused
	if !errors.As(err, &r) || !strings.Contains(r.Reason, "there is room for") ||
		after.TotalAlloc-before.TotalAlloc > 16<<20 {
		t.Errorf("a file tree that has no room: %v, %d bytes of memory", err, after.TotalAlloc-before.TotalAlloc)
	}
}
