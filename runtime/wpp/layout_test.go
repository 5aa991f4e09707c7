package wpp

import (
	"reflect"
	"slices"
	"testing"

	"zhuque/sim"
	"zhuque/sim/det"
	"zhuque/sim/phys"
	"zhuque/sim/x86"
)

// Every part of the image ends before the next begins.
func TestPartsOfTheImageDoNotOverlap(t *testing.T) {
	parts := []struct {
		name     string
		off, len uint64
	}{
		{"superblock", superblockOff, sbCells + 8},
		{"call area head", saveMode, saveTurns + 8 - saveMode},
		{"entry copy", saveEntry, 16 + 8*frameWords},
		{"entry checksum", saveEntrySum, 8},
		{"words of the cores", saveCores, 8 * sim.MaxCores},
		{"result", saveResult, 8 + 8*frameWords},
		{"result checksum", saveResultSum, 8},
		{"redo log head", logCall, logRecords - logCall},
		{"redo log", logRecords, 16 * maxLogRecords},
		{"save areas", threadOff, threadSize * maxThreads},
		{"record table", recordOff, cellSize * maxCells},
		{"rings", ringOff, ringSize * maxRings},
		{"process memory", dataOff, 0},
	}
	for i, p := range parts[:len(parts)-1] {
		if p.len == 0 || p.off%8 != 0 || p.off+p.len > parts[i+1].off {
			t.Errorf("%s at %#x has %#x bytes, %s begins at %#x", p.name, p.off, p.len, parts[i+1].name, parts[i+1].off)
		}
	}
	if saveResultSum+8 > phys.PageSize {
		t.Error("superblock and call area are more than the page that the power-fail handler writes")
	}
	if threadFrame+8*frameWords > threadSize {
		t.Error("a register state is larger than a save area")
	}
}

// One damaged bit, a swap and a zeroed word change a checksum.
func TestChecksumNoticesDamage(t *testing.T) {
	r := det.Stream(1, "checksum")
	for range 50 {
		w := make([]uint64, 1+r.Uint64N(20))
		for i := range w {
			w[i] = r.Uint64() >> r.Uint64N(64)
		}
		want := checksum(w...)
		if want == 0 {
			t.Errorf("the checksum of %x is zero", w)
		}
		for i := range w {
			for bit := range 64 {
				c := slices.Clone(w)
				if c[i] ^= 1 << bit; checksum(c...) == want {
					t.Errorf("bit %d of word %d of %x is not noticed", bit, i, w)
				}
			}
			c := slices.Clone(w)
			if c[i], c[0] = c[0], c[i]; c[i] != c[0] && checksum(c...) == want {
				t.Errorf("words 0 and %d of %x can be swapped", i, w)
			}
		}
		if checksum(append(w, 0)...) == want {
			t.Errorf("a zero word behind %x is not noticed", w)
		}
	}
}

func TestGuardedWordsNoticeDamage(t *testing.T) {
	if guarded(0) != 0 {
		t.Error("an unwritten counter is not zero")
	}
	for _, v := range []uint64{0, 1, 2, 3, 21, 255, 1 << 16, 0xdeadbeef, maxCounter - 1, maxCounter} {
		w := guarded(v)
		if got, ok := counter(w); !ok || got != v {
			t.Errorf("%d reads back as %d, %v", v, got, ok)
		}
		for bit := range 64 {
			if got, ok := counter(w ^ 1<<bit); ok {
				t.Errorf("%d with bit %d flipped reads as %d", v, bit, got)
			}
		}
	}
}

// fill gives every field of a value another content.
func fill(v reflect.Value, next func() uint64) {
	switch v.Kind() {
	case reflect.Struct:
		for i := range v.NumField() {
			fill(v.Field(i), next)
		}
	case reflect.Array:
		for i := range v.Len() {
			fill(v.Index(i), next)
		}
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 3, 3))
		for i := range v.Len() {
			fill(v.Index(i), next)
		}
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int, reflect.Int8, reflect.Int16, reflect.Int32, reflect.Int64:
		v.SetInt(int64(next() >> 1))
	case reflect.Uint, reflect.Uint8, reflect.Uint16, reflect.Uint32, reflect.Uint64:
		v.SetUint(next())
	case reflect.String:
		v.SetString("s")
	}
}

// Every register of the processor's state is in the save area.
func TestFrameHoldsEveryRegister(t *testing.T) {
	r := det.Stream(1, "frame")
	var want, got x86.State
	fill(reflect.ValueOf(&want).Elem(), r.Uint64)
	var f frame
	f.encode(&want)
	f.decode(&got)
	if got != want {
		t.Errorf("read back %+v\ninstead of %+v", got, want)
	}
	var entry x86.State
	f.decodeEntry(&entry)
	if entry.R != want.R || entry.RIP != want.RIP || entry.RFlags != want.RFlags ||
		entry.FSBase != want.FSBase || entry.GSBase != want.GSBase {
		t.Errorf("the kernel-entry copy reads back %+v\ninstead of %+v", entry, want)
	}
}

func TestFindMutant(t *testing.T) {
	for _, m := range Mutants() {
		if got, err := FindMutant(m.Name); err != nil || got.Name != m.Name ||
			m.Broken == "" || m.Guest == "" || m.Strategy == "" || m.Points == 0 {
			t.Errorf("%+v, %v", got, err)
		}
	}
	if _, err := FindMutant("none"); err == nil {
		t.Error("an unknown mutant is found")
	}
	if _, err := New("none"); err == nil {
		t.Error("a runtime with an unknown mutant starts")
	}
}
