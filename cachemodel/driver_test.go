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

	noFilter bool // ask the model about every load
}

func newDriver(t testing.TB, cfg cachemodel.Config) *driver {
	t.Helper()
	d := &driver{mem: flat{}}
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

// on makes core i the one that does what follows.
func (d *driver) on(i int) *driver {
	d.core = d.h.Core(i)
	return d
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

// store changes memory after telling the model of all parts, as the port does.
func (d *driver) store(a phys.Addr, data []byte) {
	for at, rest := a, data; len(rest) > 0; {
		n := min(len(rest), int(phys.LineSize-at%phys.LineSize))
		lo, hi := le(d.mem.get(at, n))
		if d.core.SB.Push(at, uint8(n), lo, hi) {
			d.core.Pushed()
		}
		at, rest = at+phys.Addr(n), rest[n:]
	}
	for i, v := range data {
		d.mem.put(a+phys.Addr(i), []byte{v})
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

// event is an op on one core.
type event struct {
	core int
	op
}

func (e event) String() string { return fmt.Sprintf("core %d: %v", e.core, e.op) }

// alone has everything done by core 0.
func alone(ops []op) (events []event) {
	for _, o := range ops {
		events = append(events, event{0, o})
	}
	return events
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
	opFetch = opDMA + 1                               // of the frame
	opOver  = opDMA + 2                               // data, past the cores
	opBack  = opDMA + 3                               // of the frame
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
	case o.kind == opOver:
		return fmt.Sprintf("overwrite %v %x", o.addr, o.data)
	case o.kind == opBack:
		return fmt.Sprintf("write back the frame of %v", o.addr)
	case o.kind == opFetch:
		return fmt.Sprintf("fetch %v", o.addr)
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
	case o.kind == opFetch:
		d.core.Fetch(o.addr.Frame())
	case o.kind == opOver:
		d.h.Overwrite(o.addr, o.data)
		d.mem.put(o.addr, o.data)
	case o.kind == opBack:
		d.h.WriteBack(o.addr.Frame())
	case o.kind < opFence:
		d.core.Flush(o.addr.Line(), cachemodel.FlushKind(o.kind-opFlush))
	default:
		d.core.Fence(cachemodel.FenceKind(o.kind - opFence))
	}
	return nil
}

func doRef(m *refmodel.Machine, e event) []byte {
	switch {
	case e.kind == opStore:
		m.Store(e.core, e.addr, e.data)
	case e.kind == opNT:
		m.NTStore(e.core, e.addr, e.data)
	case e.kind == opLoad:
		return m.Load(e.core, e.addr, len(e.data))
	case e.kind == opDMA:
		m.DMA(e.addr.Line(), refmodel.Line(bytes.Repeat(e.data, phys.LineSize)))
	case e.kind == opFetch:
		m.Fetch(e.core, e.addr.Frame())
	case e.kind == opOver:
		m.Overwrite(e.addr, e.data)
	case e.kind == opBack:
		m.WriteBack(e.addr.Frame())
	case e.kind < opFence:
		m.Flush(e.core, e.addr.Line(), cachemodel.FlushKind(e.kind-opFlush))
	default:
		m.Fence(e.core, cachemodel.FenceKind(e.kind-opFence))
	}
	return nil
}

const (
	pmemLines = 14
	dramLines = 5
)

// opSize is how many bytes of a fuzz input make one event of one core, eventSize
// of one of several.
const (
	opSize    = 4
	eventSize = opSize + 1
)

// program reads what one core does from fuzz input.
func program(in []byte) (ops []op) {
	var w writer
	for ; len(in) >= opSize; in = in[opSize:] {
		ops = append(ops, w.ops(in)...)
	}
	return ops
}

// programs reads what several cores do from fuzz input.
func programs(in []byte, cores int) (events []event) {
	var w writer
	for ; len(in) >= eventSize; in = in[eventSize:] {
		who, ops := in[opSize], w.ops(in)
		switch first := ops[0]; {
		case who>>5 == 7 && first.kind == opLoad:
			ops = []op{{kind: opFetch, addr: first.addr}}
		case who>>5 >= 5 && first.kind == opStore: // a locked instruction
			first.addr &^= 7
			first.data = append(first.data, make([]byte, 8)...)[:8]
			ops = []op{fence(cachemodel.Locked), {opLoad, first.addr, first.data}, first, fence(cachemodel.Locked)}
		}
		for _, o := range ops {
			events = append(events, event{int(who) % cores, o})
		}
	}
	return events
}

// writer gives every byte that is stored a serial number.
type writer struct{ serial byte }

// ops reads one event from the first opSize bytes.
func (w *writer) ops(in []byte) (ops []op) {
	kind := [...]opKind{opStore, opStore, opStore, opStore, opStore, opStore, opNT, opNT, opLoad, opLoad, opLoad,
		opFlush, opFlush + 1, opFlush + 2, opFlush + 2, opFence + opKind(in[0]>>4)%opKind(cachemodel.FenceKinds)}[in[0]%16]
	base, lines := phys.PMEMBase, pmemLines
	if in[1]%5 == 0 {
		base, lines = 0, dramLines
	}
	o := op{kind: kind, addr: base + phys.Addr(int(in[2])%lines*phys.LineSize) + phys.Addr(in[3]%phys.LineSize)}
	n := [...]int{1, 2, 3, 4, 7, 8, 8, 16}[in[1]/5%8]
	if kind == opLoad && in[3]%16 == 0 {
		w.serial++
		return []op{{opDMA, o.addr &^ (phys.LineSize - 1), []byte{w.serial}}}
	}
	if kind == opLoad && in[3]%16 == 1 {
		n = min(n, int(phys.LineSize-o.addr%phys.LineSize))
		w.serial++
		return []op{{opOver, o.addr, bytes.Repeat([]byte{w.serial}, n)}}
	}
	if kind == opLoad && in[3]%64 == 2 {
		return []op{{kind: opBack, addr: o.addr}}
	}
	if kind == opNT && in[3]%4 == 0 { // a whole line
		for off := range phys.Addr(4) {
			piece := bytes.Repeat([]byte{w.serial + byte(off)}, 16)
			ops = append(ops, op{opNT, o.addr&^(phys.LineSize-1) + 16*off, piece})
		}
		w.serial += 4
		return ops
	}
	if kind == opNT {
		n = [...]int{4, 8, 16, 16}[in[1]/5%4]
		o.addr &^= phys.Addr(n - 1)
	}
	if kind <= opLoad {
		o.data = make([]byte, n)
		for i := range o.data {
			w.serial++
			o.data[i] = w.serial
		}
	}
	return append(ops, o)
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
	in := make([]byte, events*eventSize)
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

// lossesAmong draws n losses of several cores, whose buffers hold so many stores.
func lossesAmong(buffered []int, salt uint64, n int) (all []cachemodel.Loss) {
	r := det.Stream(salt, "losses")
	caches := losses(0, salt)
	for range n {
		loss := caches[r.IntN(len(caches))]
		loss.KeepStores, loss.Tear = nil, nil
		for _, b := range buffered[:1+r.IntN(len(buffered))] {
			keep, tear := r.IntN(b+2)-1, uint8(0)
			if keep >= 0 && keep < b {
				tear = [...]uint8{0, 0, 1, 6}[r.IntN(4)]
			}
			loss.KeepStores, loss.Tear = append(loss.KeepStores, keep), append(loss.Tear, tear)
		}
		all = append(all, loss)
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
