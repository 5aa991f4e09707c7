package x86

import (
	"bytes"
	"encoding/csv"
	"flag"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"

	"zhuque/sim/det"
)

var hwRecord = flag.Bool("record", false, "compare fully and write oracle.csv and testdata/vectors")

// vectorsPerRow is how many cases of a row are recorded.
const vectorsPerRow = 12

// recorder collects what a run with -record writes.
type recorder struct {
	p         *hwPair
	processor string // short
	full      string // with the name
	rows      map[string]vectorRow
	oracle    map[string]oracleRecord
}

func newRecorder(t *testing.T, p *hwPair) *recorder {
	full, short := hostProcessor(t)
	return &recorder{p: p, processor: short, full: full, rows: map[string]vectorRow{}, oracle: map[string]oracleRecord{}}
}

// hostProcessor names the host's processor, with its model name and without.
func hostProcessor(t *testing.T) (full, short string) {
	b, err := os.ReadFile("/proc/cpuinfo")
	if err != nil {
		t.Fatal(err)
	}
	get := func(key string) string {
		for line := range strings.Lines(string(b)) {
			if k, v, ok := strings.Cut(line, ":"); ok && strings.TrimSpace(k) == key {
				return strings.TrimSpace(v)
			}
		}
		return ""
	}
	short = fmt.Sprintf("%s-%s-%s-%s", get("vendor_id"), get("cpu family"), get("model"), get("stepping"))
	return fmt.Sprintf("%s (%s)", get("model name"), short), short
}

// compared notes that a row was compared without a difference, and records cases.
func (r *recorder) compared(f *form, cases, exceptions int) {
	row := f.row
	r.oracle[row.key()] = oracleRecord{enc: row.Enc, name: row.Name, args: row.Args, digest: row.digest(),
		oracle: OracleHost, cases: uint64(cases), exceptions: uint64(exceptions), processor: r.processor}
	out := vectorRow{enc: row.Enc, name: row.Name, args: row.Args}
	for _, c := range r.choose(f) {
		r.reduce(c)
		diff, unsupported := r.p.run(c)
		if len(diff) > 0 || unsupported {
			r.p.t.Errorf("%s (%s %s): a reduced case differs: %s\n\t%s", row.Enc, row.Name, row.Args, diff, c.describe())
			continue
		}
		out.vectors = append(out.vectors, r.vector(c))
	}
	r.rows[row.key()] = out
}

// without notes that the processor cannot say anything about a row.
func (r *recorder) without(row *Row, reason string) {
	if row.Pick == nil {
		return
	}
	r.oracle[row.key()] = oracleRecord{enc: row.Enc, name: row.Name,
		args: row.Args, digest: row.digest(), oracle: OracleUnit, reason: reason}
}

// choose draws cases of a form and takes those that differ most in what happens:
// operand, width, prefixes, exception, flags changed.
func (r *recorder) choose(f *form) (list []*hwCase) {
	stream := det.Stream(*hwSeed, "vectors "+f.row.key())
	kinds := map[string]bool{}
	var rest []*hwCase
	faults := 0
	for range 400 {
		c, ok := r.p.draw(stream, f)
		if !ok {
			continue
		}
		if _, unsupported := r.p.run(c); unsupported {
			continue
		}
		start := c.start()
		end, fault := r.p.host(c)
		var in Inst
		V3.decode(c.code, c.slot, &in)
		kind := fmt.Sprint(in.isReg(), in.width, in.prefix&^prefixREX, fault != nil,
			(start.RFlags^end.RFlags)&StatusFlags, start.MXCSR != end.MXCSR)
		if fault != nil {
			kind = fmt.Sprint(fault.vector)
		}
		switch {
		case kinds[kind]:
			rest = append(rest, c)
		case fault != nil && faults == 2:
		default:
			kinds[kind] = true
			list = append(list, c)
			if fault != nil {
				faults++
			}
		}
		if len(list) == vectorsPerRow {
			return list
		}
	}
	return append(list, rest[:min(len(rest), vectorsPerRow-len(list))]...)
}

// effect is what a case does: its vector without what was there before.
func (r *recorder) effect(c *hwCase) vector {
	v := r.vector(c)
	v.before, v.memory = nil, nil
	return v
}

// reduce gives everything that the outcome does not depend on the value of
// vectorBase, so that a vector says what matters and is small.
func (r *recorder) reduce(c *hwCase) {
	want := r.effect(c)
	try := func(change func(*hwCase)) {
		d := *c
		d.memory = slices.Clone(c.memory)
		change(&d)
		if got := r.effect(&d); reflect.DeepEqual(got, want) {
			*c = d
		}
	}
	base := vectorBase()
	for i := range c.gpr {
		if c.used>>i&1 == 0 {
			try(func(d *hwCase) { d.gpr[i] = base.R[i] })
		}
	}
	try(func(d *hwCase) {
		for i := range d.xmm {
			d.xmm[i], d.high[i] = [2]uint64(base.V[i][:2]), [2]uint64(base.V[i][2:])
		}
	})
	for i := range c.xmm {
		try(func(d *hwCase) {
			for j := range d.xmm[i] {
				d.xmm[i][j] = base.V[i][j]
			}
		})
		try(func(d *hwCase) {
			for j := range d.high[i] {
				d.high[i][j] = base.V[i][2+j]
			}
		})
	}
	try(func(d *hwCase) { d.flags = 2 })
	try(func(d *hwCase) { d.mxcsr = base.MXCSR })
	try(func(d *hwCase) { d.fpu = base.FPU })
	for i := range c.fpu.Reg {
		try(func(d *hwCase) { d.fpu.Reg[i] = base.FPU.Reg[i] })
	}
	try(func(d *hwCase) { d.fs = 0 })
	try(func(d *hwCase) { d.gs = 0 })
	if c.operand == 0 {
		return
	}
	at := (c.operand - r.p.scratch) &^ 15
	for i := uint64(0); i < uint64(len(c.memory)) && at+i < uint64(len(hwBackground)); i += 8 {
		try(func(d *hwCase) { copy(d.memory[i:i+8], hwBackground[at+i:]) })
	}
}

// vector executes a case natively and writes down what happened.
func (r *recorder) vector(c *hwCase) vector {
	scratch, flow := r.p.place(c)
	before := [2][]byte{slices.Clone(scratch), slices.Clone(flow)}
	start := c.start()
	end, fault := r.p.host(c)
	base := vectorBase()
	base.RIP = start.RIP
	v := vector{code: c.code, rip: start.RIP, before: wordsAgainst(&base, &start),
		fault: fault, after: wordsAgainst(&start, &end)}
	if fault != nil && fault.vector != uint64(PageFaultVector) {
		fault.addr = 0 // of an earlier page fault
	}
	v.memory = memoryAgainst(hwBackground, before[0], r.p.scratch)
	v.stored = memoryAgainst(before[0], scratch, r.p.scratch)
	if c.slot != r.p.slot {
		v.stored = append(v.stored, memoryAgainst(before[1], flow, r.p.flow)...)
	}
	return v
}

// write brings the files up to date. Rows that this run did not meet keep what
// was recorded of them, as long as they are in the table.
func (r *recorder) write(t *testing.T) {
	old, err := parseOracle(oracleCSV)
	if err != nil {
		t.Fatal(err)
	}
	for _, o := range old {
		if now, met := r.oracle[o.key()]; !met || now.oracle == OracleUnit && o.oracle == OracleHost {
			r.oracle[o.key()] = o
		}
	}
	var text bytes.Buffer
	w := csv.NewWriter(&text)
	_ = w.Write(oracleHead)
	features := map[string]*vectorFile{}
	for i := range rows {
		row := &rows[i]
		if o, ok := r.oracle[row.key()]; ok && row.Pick != nil {
			_ = w.Write(o.fields())
		}
		if row.Pick == nil {
			continue
		}
		path := vectorPath(row.Feature)
		if features[path] == nil {
			features[path] = &vectorFile{processor: r.full, layout: r.p.hwLayout}
		}
	}
	w.Flush()
	if err := os.WriteFile("oracle.csv", text.Bytes(), 0o644); err != nil {
		t.Fatal(err)
	}
	r.writeVectors(t, features)
}

func (r *recorder) writeVectors(t *testing.T, features map[string]*vectorFile) {
	if err := os.MkdirAll(vectorDir, 0o755); err != nil {
		t.Fatal(err)
	}
	stale, _ := filepath.Glob(filepath.Join(vectorDir, "*.zst"))
	for _, path := range sortedKeys(features) {
		f := features[path]
		recorded := map[string]vectorRow{}
		if old, err := readVectors(path); err == nil && old.layout == f.layout {
			for _, row := range old.rows {
				recorded[row.key()] = row
			}
			f.processor = old.processor
		}
		for key, row := range r.rows {
			recorded[key] = row
		}
		for i := range rows {
			row, ok := recorded[rows[i].key()]
			if _, now := r.rows[row.key()]; now {
				f.processor = r.full
			}
			if ok && rows[i].Pick != nil && vectorPath(rows[i].Feature) == path {
				f.rows = append(f.rows, row)
			}
		}
		if len(f.rows) == 0 {
			continue
		}
		b, err := f.encode()
		if err != nil {
			t.Fatal(err)
		}
		if len(b) > 512<<10 {
			t.Errorf("%s: %d bytes, expected at most 512 KiB: record fewer cases of a row", path, len(b))
			continue
		}
		stale = slices.DeleteFunc(stale, func(s string) bool { return s == filepath.FromSlash(path) })
		if err := os.WriteFile(path, b, 0o644); err != nil {
			t.Fatal(err)
		}
		t.Logf("%s: %d rows, %d bytes", path, len(f.rows), len(b))
	}
	for _, path := range stale {
		if err := os.Remove(path); err != nil {
			t.Fatal(err)
		}
	}
}

func sortedKeys[V any](m map[string]V) []string {
	list := make([]string, 0, len(m))
	for k := range m {
		list = append(list, k)
	}
	slices.Sort(list)
	return list
}
