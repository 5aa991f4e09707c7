package cachemodel_test

import (
	"bytes"
	"fmt"
	"testing"

	"zhuque/cachemodel"
	"zhuque/cachemodel/refmodel"
	"zhuque/sim/det"
	"zhuque/sim/phys"
)

// flat is current memory, as the machine keeps it.
type flat map[phys.LineAddr]*[phys.LineSize]byte

func (f flat) ReadLine(l phys.LineAddr, dst *[phys.LineSize]byte) { *dst = *f.line(l) }

func (f flat) line(l phys.LineAddr) *[phys.LineSize]byte {
	p := f[l]
	if p == nil {
		p = new([phys.LineSize]byte)
		f[l] = p
	}
	return p
}

func (f flat) clone() flat {
	c := flat{}
	for l, p := range f {
		d := *p
		c[l] = &d
	}
	return c
}

func (f flat) put(a phys.Addr, data []byte) { copy(f.line(a.Line())[a%phys.LineSize:], data) }

func (f flat) get(a phys.Addr, n int) []byte {
	out := make([]byte, n)
	for i := range out {
		b := a + phys.Addr(i)
		out[i] = f.line(b.Line())[b%phys.LineSize]
	}
	return out
}

// driver drives a hierarchy as the machine's port does.
type driver struct {
	mem  flat
	h    *cachemodel.Hierarchy
	core *cachemodel.Core

	noFilter bool // call Load and CommitOldest's slow way always
	late     bool // change memory only after telling the model, as the port does
}

func newDriver(t testing.TB, cfg cachemodel.Config) *driver {
	t.Helper()
	d := &driver{mem: flat{}, late: true}
	h, err := cachemodel.New(cfg, d.mem)
	if err != nil {
		t.Fatal(err)
	}
	d.h, d.core = h, h.Core(0)
	return d
}

func (d *driver) fork() *driver {
	c := *d
	c.mem = d.mem.clone()
	c.h = d.h.Fork(c.mem)
	c.core = c.h.Core(0)
	return &c
}

func (d *driver) load(a phys.Addr, n int) []byte {
	first, last := a.Line(), (a + phys.Addr(n) - 1).Line()
	for l := first; l <= last; l++ {
		if d.noFilter || d.core.MRU[l&d.core.MRUMask&63] != l {
			d.core.Load(l)
		}
	}
	return d.mem.get(a, n)
}

func le(b []byte) (lo, hi uint64) {
	for i, v := range b {
		if i < 8 {
			lo |= uint64(v) << (8 * i)
		} else {
			hi |= uint64(v) << (8 * (i - 8))
		}
	}
	return lo, hi
}

func (d *driver) store(a phys.Addr, data []byte) {
	all, start := data, a
	if !d.late {
		all = nil
	}
	for len(data) > 0 {
		n := min(len(data), int(phys.LineSize-a%phys.LineSize))
		lo, hi := le(d.mem.get(a, n))
		full := d.core.SB.Push(a, uint8(n), lo, hi)
		if !d.late {
			d.mem.put(a, data[:n])
		}
		if full {
			d.core.CommitOldest()
		}
		a, data = a+phys.Addr(n), data[n:]
	}
	for i, v := range all {
		d.mem.put(start+phys.Addr(i), []byte{v})
	}
}

func (d *driver) ntstore(a phys.Addr, data []byte) {
	lo, hi := le(d.mem.get(a, len(data)))
	d.core.NTStore(a, uint8(len(data)), lo, hi)
	d.mem.put(a, data)
}

// image returns the persistent lines after a cut.
func (d *driver) image(loss cachemodel.Loss) flat {
	f := d.mem.clone()
	d.h.TakeBacks(loss, func(a phys.Addr, old []byte) {
		if !a.IsPMEM() {
			panic("take-back of volatile memory at " + a.String())
		}
		f.put(a, old)
	})
	return f
}

func (d *driver) digest() string {
	g := det.NewDigest()
	d.h.AddTo(g)
	return g.Sum()
}

// op is one event of a test program.
type op struct {
	kind opKind
	addr phys.Addr
	data []byte // of stores; for loads, only its length counts
}

type opKind uint8

const (
	opStore opKind = iota
	opNT
	opLoad
	opFlush                                           // + FlushKind
	opFence = opFlush + 3                             // + FenceKind
	opDMA   = opFence + opKind(cachemodel.FenceKinds) // of a line of data[0]
)

func (o op) String() string {
	switch {
	case o.kind == opStore:
		return fmt.Sprintf("store %v %x", o.addr, o.data)
	case o.kind == opNT:
		return fmt.Sprintf("ntstore %v %x", o.addr, o.data)
	case o.kind == opLoad:
		return fmt.Sprintf("load %v %d", o.addr, len(o.data))
	case o.kind == opDMA:
		return fmt.Sprintf("dma %v %x", o.addr, o.data[0])
	case o.kind < opFence:
		return fmt.Sprintf("%v %v", cachemodel.FlushKind(o.kind-opFlush), o.addr)
	}
	return cachemodel.FenceKind(o.kind - opFence).String()
}

func (d *driver) do(o op) []byte {
	switch {
	case o.kind == opStore:
		d.store(o.addr, o.data)
	case o.kind == opNT:
		d.ntstore(o.addr, o.data)
	case o.kind == opLoad:
		return d.load(o.addr, len(o.data))
	case o.kind == opDMA:
		d.h.DMA(o.addr.Line())
		d.mem.put(o.addr, bytes.Repeat(o.data, phys.LineSize))
	case o.kind < opFence:
		d.core.Flush(o.addr.Line(), cachemodel.FlushKind(o.kind-opFlush))
	default:
		d.core.Fence(cachemodel.FenceKind(o.kind - opFence))
	}
	return nil
}

func doRef(m *refmodel.Machine, o op) []byte {
	switch {
	case o.kind == opStore:
		m.Store(o.addr, o.data)
	case o.kind == opNT:
		m.NTStore(o.addr, o.data)
	case o.kind == opLoad:
		return m.Load(o.addr, len(o.data))
	case o.kind == opDMA:
		m.DMA(o.addr.Line(), refmodel.Line(bytes.Repeat(o.data, phys.LineSize)))
	case o.kind < opFence:
		m.Flush(o.addr.Line(), cachemodel.FlushKind(o.kind-opFlush))
	default:
		m.Fence(cachemodel.FenceKind(o.kind - opFence))
	}
	return nil
}

const (
	pmemLines = 14
	dramLines = 5
)

// opSize is how many bytes of a fuzz input make one event.
const opSize = 4

// program reads events from fuzz input.
func program(in []byte) (ops []op) {
	serial := byte(0)
	for ; len(in) >= opSize; in = in[opSize:] {
		kind := [...]opKind{opStore, opStore, opStore, opStore, opStore, opStore, opNT, opNT, opLoad, opLoad, opLoad,
			opFlush, opFlush + 1, opFlush + 2, opFlush + 2, opFence + opKind(in[0]>>4)%opKind(cachemodel.FenceKinds)}[in[0]%16]
		base, lines := phys.PMEMBase, pmemLines
		if in[1]%5 == 0 {
			base, lines = 0, dramLines
		}
		o := op{kind: kind, addr: base + phys.Addr(int(in[2])%lines*phys.LineSize) + phys.Addr(in[3]%phys.LineSize)}
		n := [...]int{1, 2, 3, 4, 7, 8, 8, 16}[in[1]/5%8]
		if kind == opLoad && in[3]%16 == 0 {
			serial++
			ops = append(ops, op{opDMA, o.addr &^ (phys.LineSize - 1), []byte{serial}})
			continue
		}
		if kind == opNT && in[3]%4 == 0 { // a whole line
			for off := range phys.Addr(4) {
				piece := bytes.Repeat([]byte{serial + byte(off)}, 16)
				ops = append(ops, op{opNT, o.addr&^(phys.LineSize-1) + 16*off, piece})
			}
			serial += 4
			continue
		}
		if kind == opNT {
			n = [...]int{4, 8, 16, 16}[in[1]/5%4]
			o.addr &^= phys.Addr(n - 1)
		}
		if kind <= opLoad {
			o.data = make([]byte, n)
			for i := range o.data {
				serial++
				o.data[i] = serial
			}
		}
		ops = append(ops, o)
	}
	return ops
}

// tiny returns a configuration whose caches overflow all the time.
func tiny(choice byte) cachemodel.Config {
	cfg, err := cachemodel.Preset("")
	if err != nil {
		panic(err)
	}
	cfg.Name = "tiny"
	geometry := func(sets, ways int, latency phys.Cycles) cachemodel.Geometry {
		return cachemodel.Geometry{Size: phys.Bytes(sets * ways * phys.LineSize), Ways: ways, Latency: latency}
	}
	cfg.L1D, cfg.L2, cfg.LLC = geometry(2, 2, 5), geometry(1, 2, 14), geometry(2, 1, 70)
	cfg.StoreBuffer, cfg.WCBuffers, cfg.PendingFlushes = 5, 2, 2
	if choice&1 != 0 {
		cfg.CLWBEvicts = true
	}
	if choice&2 != 0 {
		cfg.L1D, cfg.L2, cfg.LLC = geometry(1, 1, 5), geometry(2, 1, 14), geometry(1, 3, 70)
	}
	if choice&4 != 0 {
		cfg.StoreBuffer, cfg.WCBuffers, cfg.PendingFlushes = 2, 1, 8
	}
	if choice&8 != 0 { // everything fits
		cfg.L1D, cfg.L2, cfg.LLC = geometry(128, 2, 5), geometry(64, 4, 14), geometry(64, 4, 70)
	}
	return cfg
}

// sample draws fuzz input.
func sample(seed uint64, name string, events int) []byte {
	r := det.Stream(seed, name)
	in := make([]byte, events*opSize)
	for i := range in {
		in[i] = byte(r.Uint32())
	}
	return in
}

func lineHash(l phys.LineAddr, salt uint64) uint64 {
	v := (uint64(l) + salt*0x9e3779b97f4a7c15) * 0xff51afd7ed558ccd
	return v ^ v>>29
}

// losses enumerates what a cut can lose with n buffered stores: every number of
// kept stores, drained and torn, times write-combining and cache outcomes.
func losses(n int, salt uint64) (all []cachemodel.Loss) {
	caches := []func(phys.LineAddr) bool{
		nil,
		func(phys.LineAddr) bool { return true },
		func(l phys.LineAddr) bool { return lineHash(l, salt)&1 != 0 },
		func(l phys.LineAddr) bool { return lineHash(l, salt)&1 == 0 },
	}
	wc := []cachemodel.Loss{
		{},
		{WCLost: true},
		{WCLost: true, WCKept: func(l phys.LineAddr, piece int) bool { return lineHash(l, salt)>>piece&1 != 0 }},
	}
	for k := -1; k <= n; k++ {
		for _, tear := range []uint8{0, 1, 6} {
			if tear != 0 && (k < 0 || k == n) {
				continue // no store is left to tear
			}
			for _, c := range caches {
				for _, w := range wc {
					w.KeepStores, w.Tear, w.CachesLost = []int{k}, []uint8{tear}, c
					all = append(all, w)
				}
			}
		}
	}
	return all
}

// compareImages returns a description of the first difference.
func compareImages(got flat, want map[phys.LineAddr]refmodel.Line) error {
	for i := range phys.LineAddr(pmemLines + 1) {
		l := phys.PMEMBase.Line() + i
		w := want[l]
		if g := got.line(l); !bytes.Equal(g[:], w[:]) {
			return fmt.Errorf("line %v:\n got %x\nwant %x", l.Addr(), g[:], w[:])
		}
	}
	return nil
}
