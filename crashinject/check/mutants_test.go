package check

import (
	"testing"

	"zhuque/sim"
	"zhuque/sim/kernel/mm"
	"zhuque/sim/kernel/vfs"
	"zhuque/sim/mem"
	"zhuque/sim/phys"
)

// manyPages is more than a comparison may overlook one of.
const manyPages = 1100

// change is something that a program could see of a machine.
type change struct {
	what string
	do   func(*sim.Machine)
}

// changes returns changes of every sort to m, which gets manyPages more: of each of its
// pages and mappings, and of what is not memory.
func changes(t *testing.T, m *sim.Machine) (list []change) {
	t.Helper()
	space := m.Kernel().MM
	at, err := space.Map(mm.MapRequest{Length: manyPages << phys.PageShift, Prot: mm.Read | mm.Write, Kind: mm.Anon})
	if err != nil {
		t.Fatal(err)
	}
	v, _ := space.Find(at)
	for i := range phys.Addr(manyPages) {
		a := v.Phys + i<<phys.PageShift
		m.Store(a).WritablePage(a.Frame())[i%phys.PageSize] = byte(i)
	}
	for _, v := range space.VMAs() {
		if v.Kind == mm.Direct {
			continue
		}
		m.Store(v.Phys).Each(v.Phys.Frame(), (v.Phys + phys.Addr(v.Size())).Frame(), func(f phys.Frame, _ *mem.Page) bool {
			list = append(list,
				change{"a page", func(m *sim.Machine) { m.Store(f.Addr()).WritablePage(f)[f%phys.PageSize] ^= 1 }})
			return true
		})
		for bit := mm.Read; bit <= mm.Exec; bit <<= 1 {
			list = append(list, change{"a protection", func(m *sim.Machine) {
				if err := m.Kernel().MM.Protect(v.Start, v.Size(), v.Prot^bit); err != nil {
					t.Fatal(err)
				}
			}})
		}
		list = append(list, change{"a mapping less", func(m *sim.Machine) {
			if err := m.Kernel().MM.Unmap(v.Start, v.Size()); err != nil {
				t.Fatal(err)
			}
		}})
	}
	return append(list,
		change{"the clock", func(m *sim.Machine) { m.CPU().Retired++ }},
		change{"a register", func(m *sim.Machine) { m.CPU().R[3] ^= 1 << 40 }},
		change{"the directory", func(m *sim.Machine) {
			if err := m.Kernel().Chdir("/tmp"); err != nil {
				t.Fatal(err)
			}
		}},
		change{"a file", func(m *sim.Machine) {
			if _, err := m.Durable().Files.Create(vfs.Root, "new", 0o600); err != nil {
				t.Fatal(err)
			}
		}},
		change{"a file's time", func(m *sim.Machine) {
			when := phys.Nanos(5)
			if err := m.Durable().Files.Utimes(vfs.Root, &when, nil); err != nil {
				t.Fatal(err)
			}
		}})
}

// unnoticed makes each change to a fork of m and returns those that a comparison with a
// blindness does not see.
func unnoticed(m *sim.Machine, list []change, b blindness) (missed []string) {
	for _, c := range list {
		f := m.Fork()
		c.do(f)
		if r := (&Comparer{blind: b}).Compare(m, f); r.OK() {
			missed = append(missed, c.what)
		}
	}
	return missed
}

// The comparison sees every change; one that is blind to something does not, and this test
// notices it.
func TestMutantsOfTheComparison(t *testing.T) {
	m := guest(t, "maps", 9000)
	list := changes(t, m)
	if len(list) < manyPages {
		t.Fatalf("%d changes", len(list))
	}
	if missed := unnoticed(m, list, toNothing); len(missed) > 0 {
		t.Errorf("%d of %d changes are not noticed, the first of them of %s", len(missed), len(list), missed[0])
	}
	for b := toNothing + 1; b < blindnesses; b++ {
		if len(unnoticed(m, list, b)) == 0 {
			t.Errorf("a comparison with blindness %d passes its tests", b)
		}
	}
}
