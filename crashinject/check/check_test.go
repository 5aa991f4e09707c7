package check

import (
	"bytes"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"testing"

	"zhuque/internal/testrig"
	"zhuque/runtime/wpp"
	"zhuque/sim"
	"zhuque/sim/kernel"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// guest runs an embedded guest to n instructions.
func guest(t *testing.T, name string, n uint64) *sim.Machine {
	t.Helper()
	rt, err := wpp.New("")
	if err != nil {
		t.Fatal(err)
	}
	m, err := sim.New(testrig.Config(t, name), rt)
	if err != nil {
		t.Fatal(err)
	}
	if stop := m.RunUntil(n); stop.Reason != sim.Reached {
		t.Fatal(stop)
	}
	return m
}

// differs fails the test unless the comparison of m with a changed fork of it
// reports exactly one difference, in these words.
func differs(t *testing.T, m *sim.Machine, words string, change func(*sim.Machine)) {
	t.Helper()
	f := m.Fork()
	change(f)
	var c Comparer
	if r := c.Compare(m, f); len(r.Differences) != 1 || !strings.Contains(r.Differences[0], words) {
		t.Errorf("%q: reported is %q", words, r.Differences)
	}
}

func TestForksAreEqual(t *testing.T) {
	var c Comparer
	for _, name := range []string{"maps", "signals"} {
		m := guest(t, name, 9000)
		if r := c.Compare(m, m.Fork()); !r.OK() || r.Pages == 0 {
			t.Errorf("%s: %q, %d pages", name, r.Differences, r.Pages)
		}
	}
}

// The clock counts, and so does a file that nobody has open.
func TestClockAndFilesAreCompared(t *testing.T) {
	m := guest(t, "files", 9000)
	differs(t, m, "the clock is at 9001 instructions instead of 9000", func(f *sim.Machine) { f.CPU().Retired++ })
	differs(t, m, "the file trees differ", func(f *sim.Machine) {
		if _, err := f.Durable().Files.Create(vfs.Root, "one more", 0o600); err != nil {
			t.Fatal(err)
		}
	})
}

// Every bit of every register counts.
func TestEveryRegisterIsCompared(t *testing.T) {
	m := guest(t, "fpu", 5000)
	state := m.CPU().State()
	var walk func(path string, v reflect.Value, f func(path string, v reflect.Value))
	walk = func(path string, v reflect.Value, f func(string, reflect.Value)) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				walk(path+"."+v.Type().Field(i).Name, v.Field(i), f)
			}
		case reflect.Array:
			for i := range v.Len() {
				walk(path, v.Index(i), f)
			}
		default:
			f(path, v)
		}
	}
	count := 0
	changed := state
	walk("", reflect.ValueOf(&changed).Elem(), func(path string, v reflect.Value) {
		count++
		old := reflect.ValueOf(v.Interface())
		if v.Kind() == reflect.Bool {
			v.SetBool(!old.Bool())
		} else {
			v.SetUint(old.Uint() ^ 1)
		}
		f := m.Fork()
		f.CPU().SetState(&changed)
		if f.CPU().State() != changed {
			v.Set(old) // a bit that the processor does not have
			return
		}
		var c Comparer
		if r := c.Compare(m, f); len(r.Differences) != 1 {
			t.Errorf("%s: reported is %q", path, r.Differences)
		}
		v.Set(old)
	})
	if count < 100 || reflect.TypeOf(state) != reflect.TypeFor[x86.State]() {
		t.Errorf("%d registers", count)
	}
}

// One bit of one byte in any mapping counts, in PMEM and in DRAM.
func TestEveryMappingIsCompared(t *testing.T) {
	m := guest(t, "maps", 9000)
	kinds := map[mm.Kind]bool{}
	for _, v := range m.Kernel().MM.VMAs() {
		if v.Kind == mm.Direct {
			continue
		}
		kinds[v.Kind] = true
		for _, off := range []uint64{0, v.Size() / 2, v.Size() - 1} {
			a := v.Phys + phys.Addr(off)
			differs(t, m, "memory at 0x", func(f *sim.Machine) { f.Store(a).WritablePage(a.Frame())[a&phys.PageMask] ^= 0x10 })
		}
	}
	if !kinds[mm.Anon] || !kinds[mm.Stack] || !kinds[mm.File] {
		t.Errorf("mappings of these kinds only: %v", kinds)
	}
}

// What the kernel keeps counts: every word of every record, and whether it is there.
func TestEveryRecordIsCompared(t *testing.T) {
	m := guest(t, "pipes", 9000)
	all := m.Kernel().Objects()
	kinds := map[kernel.RecordKind]bool{}
	for i, rec := range all {
		kinds[rec.Key.Kind] = true
		for w := range rec.Words {
			got := slices.Clone(all)
			got[i].Words = slices.Clone(rec.Words)
			got[i].Words[w] ^= 1
			one(t, rec, all, got)
		}
		if len(rec.Bytes) > 0 {
			got := slices.Clone(all)
			got[i].Bytes = slices.Clone(rec.Bytes)
			got[i].Bytes[0] ^= 1
			one(t, rec, all, got)
		}
		less := slices.Delete(slices.Clone(all), i, i+1)
		one(t, rec, all, less)
		one(t, rec, less, all)
	}
	for _, k := range []kernel.RecordKind{kernel.KindSystem, kernel.KindProcess,
		kernel.KindThread, kernel.KindFD, kernel.KindDesc, kernel.KindPipe} {
		if !kinds[k] {
			t.Errorf("no record of kind %v was compared", k)
		}
	}
}

// one demands that exactly one difference is told between two lists of records.
func one(t *testing.T, rec kernel.Record, want, got []kernel.Record) {
	t.Helper()
	var r Result
	records(&r, want, got)
	if len(r.Differences) != 1 || !strings.Contains(r.Differences[0], rec.Key.Kind.String()) {
		t.Errorf("%v: reported is %q", rec.Key, r.Differences)
	}
}

// Mappings with other limits or protections are told, and memory is not compared
// across them.
func TestMappingsAreCompared(t *testing.T) {
	m := guest(t, "maps", 9000)
	f := m.Fork()
	for slices.Equal(m.Kernel().MM.VMAs(), f.Kernel().MM.VMAs()) {
		if stop := f.Step(); stop.Reason != sim.Reached {
			t.Fatal(stop)
		}
	}
	var r Result
	if _, _, ok := mappings(&r, m, f); ok || len(r.Differences) == 0 || !strings.Contains(r.Differences[0], "mapping") {
		t.Errorf("comparable %v, reported is %q", ok, r.Differences)
	}
}

// The end of a program: status, instructions, output and files count.
func TestEndsAreCompared(t *testing.T) {
	end := func(name string) *End {
		m := guest(t, name, 1)
		return EndOf(m, m.Run())
	}
	want := end("list")
	if r := Ends(want, end("list")); !r.OK() {
		t.Errorf("two runs end differently: %q", r.Differences)
	}
	for words, change := range map[string]func(*End){
		"exited with status 1 instead of": func(e *End) { e.Stop.Status = 1 },
		"killed by signal 0":              func(e *End) { e.Stop.Reason = sim.Killed },
		"instructions instead of":         func(e *End) { e.Instructions++ },
		"standard output differs at byte": func(e *End) { e.Stdout = append(bytes.Clone(e.Stdout), '!') },
		"standard error differs":          func(e *End) { e.Stderr = []byte("oops") },
		"the files that the program left": func(e *End) { e.files = "other" },
	} {
		got := *want
		change(&got)
		if r := Ends(want, &got); len(r.Differences) != 1 || !strings.Contains(r.Differences[0], words) {
			t.Errorf("%q: reported is %q", words, r.Differences)
		}
	}
}

// Every page that a shared mapping has touched counts, mapped or not, and every
// page that a private mapping has written or only read.
func TestMappedFilesAreCompared(t *testing.T) {
	m := guest(t, "shared", 15_000)
	n := 0
	m.Durable().Files.EachFrame(func(_ vfs.NodeID, index uint64, f phys.Frame) bool {
		n++
		words := fmt.Sprintf("shared at %#x is", index<<phys.PageShift+77)
		differs(t, m, words, func(g *sim.Machine) { g.Store(f.Addr()).WritablePage(f)[77] ^= 1 })
		return true
	})
	if n == 0 {
		t.Error("no page of the file lies in a frame here")
	}
	written := 0
	for _, v := range m.Kernel().MM.VMAs() {
		for off := phys.Addr(0); v.Kind == mm.Copy && off < phys.Addr(v.Size()); off += phys.PageSize {
			f := (v.Phys + off).Frame()
			p := *m.Kernel().MM.Page(&v, v.Start+uint64(off))
			if m.Store(v.Phys).Page(f) != nil {
				written++
			}
			p[5] ^= 1
			differs(t, m, "memory at 0x", func(g *sim.Machine) { g.Store(v.Phys).Write(f.Addr(), p[:]) })
		}
	}
	if written == 0 {
		t.Error("no private page is written here")
	}
}
