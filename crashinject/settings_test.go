package crashinject

import (
	"encoding/json"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"zhuque/cachemodel"
	"zhuque/crashinject/result"
	"zhuque/eadr"
)

// Every setting is set, read, printed into a case, read back and compared by its row.
func TestEverySettingGoesThroughACase(t *testing.T) {
	values := map[string]string{"preset": "clx-g1", "domain": "adr", "memory": "pmem",
		"cpu": "v3", "model": "off", "seed": "0", "clock": "model", "cores": "3", "quantum": "7",
		"root": "/r", "overlay": "/o", "files": PageCache, "pmem-dir": "/p", "dir": "/d", "stdin": "in", "flush": FlushRuntime, "sigpwr": SIGPWRPerThread,
		"mutant": "x87-not-saved", "energy": "0", "pmem-read": "0", "pmem-size": "9", "max-instructions": "5", "max-events": "6"}
	if len(values) != len(Settings()) {
		t.Errorf("%d settings, %d here: expected a value for each", len(Settings()), len(values))
	}
	for _, r := range Settings() {
		s, def := DefaultSetup(), DefaultSetup()
		s.Program, def.Program = "a", "a"
		if err := s.Set(r.Name, values[r.Name]); err != nil {
			t.Errorf("%s: %v", r.Name, err)
			continue
		}
		if len(s.Fields()) != 1 || len(def.Fields()) != 0 {
			t.Errorf("%s: %v is what differs, expected one setting", r.Name, s.Fields())
		}
		c, err := ParseCase("f.case", Case{Setup: s, Plan: At(1)}.String())
		if err != nil || !reflect.DeepEqual(c.Setup, s) {
			t.Errorf("%s %q: read back as %+v, %v", r.Name, values[r.Name], c.Setup, err)
		}
		if differs := s.differs(&def) != ""; differs == r.sameImage {
			t.Errorf("%s: a difference matters to an image: %v", r.Name, differs)
		}
	}
}

// Each parameter of the model can be set, is where the machine is built from, and comes
// back from a case.
func TestEveryParameterCanBeSet(t *testing.T) {
	list, err := usual("", eadr.EADR)
	if err != nil {
		t.Fatal(err)
	}
	for i, r := range list {
		value := r.Hi
		switch {
		case strings.HasSuffix(r.Name, "size"):
			value = 2 * r.Get()
		case strings.HasSuffix(r.Name, "ways"):
			value = r.Get() / 2
			if value%2 != 0 { // of a power of two only
				value = r.Get() / 3
			}
		case strings.HasSuffix(r.Name, "latency") && r.Unit == "cycles":
			value = r.Get() + 1
		case r.Name == "cache.flush.pending":
			value = 1
		}
		s := DefaultSetup()
		if err := s.Set(r.Name, number64(value)); err != nil {
			t.Errorf("%s: %v", r.Name, err)
			continue
		}
		if strings.HasSuffix(r.Name, "ways") {
			continue // alone it may leave a number of sets that is no power of two
		}
		c, err := ParseCase("f.case", Case{Setup: named(s), Plan: At(1)}.String())
		if err != nil {
			t.Fatal(err)
		}
		cfg, err := c.Setup.Config(nil)
		if err != nil {
			t.Errorf("%s %d: %v", r.Name, value, err)
			continue
		}
		if got := rows(&cfg.Cache, &cfg.Power, &cfg.Kernel)[i].Get(); got != value {
			t.Errorf("%s: the machine has %d, expected %d", r.Name, got, value)
		}
	}
}

func named(s Setup) Setup      { s.Program = "/bin/true"; return s }
func number64(n uint64) string { return strings.TrimSuffix(string(mustJSON(n)), "\n") }
func mustJSON(v any) []byte    { b, err := json.MarshalIndent(v, "", "  "); must(err); return b }
func must(err error) {
	if err != nil {
		panic(err)
	}
}

// Nothing is not zero: an energy and a latency of 0 are what they say, and what cannot be
// 0 refuses it.
func TestZeroIsNotAbsence(t *testing.T) {
	s := DefaultSetup()
	for _, name := range []string{"energy", "pmem-read"} {
		must(s.Set(name, "0"))
	}
	cfg, err := s.Config(nil)
	if err != nil || cfg.Power.Energy != 0 || cfg.Cache.PMEMRead != 0 {
		t.Errorf("energy %d, PMEM latency %d, %v: expected 0 and 0", cfg.Power.Energy, cfg.Cache.PMEMRead, err)
	}
	for _, name := range []string{"quantum", "max-instructions", "cores", "pmem-size"} {
		if err := s.Set(name, "0"); err == nil || !strings.HasPrefix(err.Error(), name+" 0: expected") {
			t.Errorf("%s 0: %v, expected a refusal", name, err)
		}
	}
	def := DefaultSetup()
	for _, version := range caseHeaders {
		c, err := ParseCase("f.case", version+"\nprogram \"a\"\nset energy \"0\"\nset pmem-read \"0\"\ncut after 1\n")
		if err != nil {
			t.Fatal(err)
		}
		if old := version == caseHeaders[0]; old != (len(c.Setup.Fields()) == 0) {
			t.Errorf("%s: settings %v", version, c.Setup.Fields())
		}
	}
	old, err := ParseCase("f.case",
		caseHeaders[0]+"\nprogram \"a\"\nset quantum \"0\"\nset cache \"icx-g2\"\nset max-instructions \"0\"\ncut after 1\n")
	if err != nil || !reflect.DeepEqual(old.Setup.fields(), def.fields()) {
		t.Errorf("an old case with zeroes: %v, %v", old.Setup.Fields(), err)
	}
}

// The zero Cut is the clean one with the platform's energy, in every layer.
func TestTheZeroCutIsClean(t *testing.T) {
	r := newRig(t, guestSetup(t, "list"))
	for n := uint64(3000); n < 3200; n++ {
		main, err := r.start()
		must(err)
		main.RunUntil(n)
		want, got := r.judge(main, At(n), false), r.judge(main, Plan{Cuts: []Cut{{After: n}}}, false)
		if want.Verdict != result.Pass || !reflect.DeepEqual(want, got) {
			t.Fatalf("after %d: %+v, the zero cut %+v", n, want, got)
		}
	}
	old, err := ParseCase("f.case", caseHeaders[0]+"\nprogram \"a\"\ncut after 1 energy 0 rep 0\ncut after 1 step 0\n")
	if err != nil || !reflect.DeepEqual(old.Plan, Plan{Cuts: []Cut{{After: 1}, {After: 1}}}) {
		t.Errorf("an old case with zeroes: %v, %v", old.Plan, err)
	}
	none := parse(t, "after 5000 energy 0")
	main, err := r.start()
	must(err)
	main.RunUntil(5000)
	if p := r.judge(main, none, false); p.Verdict != result.Detected || p.EnergyNJ != 0 {
		t.Errorf("without any energy: %+v", p)
	}
}

func paramsJSON(s *Setup) []byte {
	cfg, err := s.Config(nil)
	must(err)
	return mustJSON(append(cfg.Cache.Params(), cfg.Power.Params()...))
}

// A file of parameters makes the machine that printed it, sources too.
func TestPresetFilesRoundTrip(t *testing.T) {
	for _, preset := range cachemodel.Presets() {
		for name, value := range map[string]string{"seed": "1", "cache.l2.latency": "13",
			"power.energy": "0", "cores": "5", "cache.clwb.evicts": "1", "energy": "18446744073709551615"} {
			s := DefaultSetup()
			must(s.Set("preset", preset))
			must(s.Set(name, value))
			want := paramsJSON(&s)
			file := filepath.Join(t.TempDir(), "machine.json")
			must(os.WriteFile(file, want, 0o600))
			got := DefaultSetup()
			if err := got.Set("preset", file); err != nil {
				t.Errorf("%s, %s %s: %v", preset, name, value, err)
			} else if string(paramsJSON(&got)) != string(want) {
				t.Errorf("%s, %s %s: read back as %v, expected %v", preset, name, value, got.Fields(), s.Fields())
			}
		}
	}
}

// What is wrong with a preset file is told with its line and key.
func TestBadPresetFilesAreRefused(t *testing.T) {
	const good = `{"name": "cache.pmem.read", "value": 5, "unit": "ns"}`
	for text, want := range map[string]string{
		"":                                "f:1: expected a list",
		"{}":                              "f:1: expected a list",
		"[":                               "f:1: expected",
		"[1]":                             "f:1: expected an object",
		"[" + good:                        "f:1: expected a comma or the end of the list",
		"[" + good + "]x":                 "f:1: expected nothing after the list",
		"[\n" + good + ",\n" + good + "]": `f:3: duplicate parameter "cache.pmem.read"`,
		"[\n{\n\"name\": \"cache.pmem.red\",\n\"value\": 1}]":                 `f:3: parameter "cache.pmem.red": expected a name`,
		"[{\"name\": \"cache.pmem.read\",\n\"value\": 1,\n\"unit\": \"us\"}]": `f:3: unit "us" of cache.pmem.read: expected "ns"`,
		"[{\"name\": \"cache.pmem.read\",\n\n\"volume\": 11}]":                `f:3: key "volume": expected each of name`,
		"[{\"name\": \"cache.pmem.read\",\n\"value\": -1}]":                   `f:2: value: cache.pmem.read "-1": expected a whole number`,
		"[{\"name\": \"cache.pmem.read\",\n\"value\": 1e9}]":                  `f:2: value: cache.pmem.read "1e9"`,
		"[{\"name\": \"cache.pmem.read\",\n\"value\": 1000001}]":              `f:2: value: cache.pmem.read 1000001: expected 0 to 1000000 ns`,
		"[{\"name\": \"cache.pmem.read\",\n\"value\": \"1\"}]":                `f:2: cache.pmem.read: expected a key value with a number`,
		"[\n{\"value\": 1}]": `f:2: parameter: expected a key name`,
		"[{\"name\": \"cache.pmem.read\", \"value\": [1]}]": `f:1: key "value": expected a string or a number`,
	} {
		s := DefaultSetup()
		if err := s.readPreset("f", []byte(text)); err == nil || !strings.HasPrefix(err.Error(), want) {
			t.Errorf("%q: %v, expected %q", text, err, want)
		}
	}
	s := DefaultSetup()
	for name, want := range map[string]string{"/dev/zero": "regular file",
		"/no/such/file": "no such file", "none": "icx-g2", "": "icx-g2", ".": "regular file"} {
		if err := s.Set("preset", name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("preset %q: %v, expected %q", name, err, want)
		}
	}
}

// A parameter of a copy is not one of its original.
func TestCopiesOfASetupAreApart(t *testing.T) {
	a := DefaultSetup()
	must(a.Set("energy", "1"))
	b := a
	must(b.Set("energy", "2"))
	if a.Get("power.energy") != "1" || b.Get("power.energy") != "2" {
		t.Errorf("energies %s and %s", a.Get("power.energy"), b.Get("power.energy"))
	}
}
