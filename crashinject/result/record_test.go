package result

import (
	"bytes"
	"encoding/json"
	"flag"
	"io"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"syscall"
	"testing"

	"github.com/google/go-cmp/cmp"

	"zhuque/sim/phys"
)

var rewrite = flag.Bool("rewrite", false, "rewrite golden files")

// fullDocument sets every field of every record, so that its JSON shows every key.
func fullDocument() Document {
	point := Point{
		Index: 3, At: 40, Kind: AtREP, Step: 2, Verdict: Violation, Reason: "page 0x4000 differs", Plan: "at=40 rep=2",
		DirtyLines: 9, DirtyPMEM: 7, BufferedStores: 5, FlushNanos: 1200, EnergyNJ: 3400, RecoverySteps: 11,
		MemoryPagesCompared: 64, Tail: true, Redrawn: true,
	}
	c := Campaign{
		Name: "every", Program: "counter", Args: []string{"-n", "3"}, Config: map[string]string{"machine": "icx-g2"},
		Strategy: "every", Seed: 1<<63 + 1, Mutant: "fs-base-not-saved", Expect: Detected, Instructions: 90,
		WallSeconds: 0.5, PointsPerSecond: 2, Workers: 2, Replay: "zhuque replay --plan 'at=40 rep=2' counter",
	}
	col := NewCollector(10, 90, Limits{Bins: 2})
	col.Expect([]Share{{Verdict: Violation, Reason: "differs", Least: 40, Most: 60}})
	col.Add(point)
	col.Add(Point{Index: 4, At: 41, Kind: AtInstruction, Verdict: Pass}) // shows that zero values keep their keys
	col.Fill(&c)
	c.Seal()
	return Document{
		Schema: Schema, Version: Version, Title: "Every field", Contents: "two points of two",
		Environment: []Fact{{"machine", "icx-g2"}},
		Commands:    []string{"zhuque crash counter"},
		Campaigns:   []Campaign{c},
		Runs: []Run{{
			Name: "uncut", Program: "counter", Args: []string{"-n", "3"}, Config: map[string]string{"machine": "icx-g2"},
			Instructions: 90, Cycles: 120, ElapsedCycles: 70, ElapsedNanos: 24, CoreCycles: []phys.Cycles{70, 50}, Order: "instructions", Stalls: map[string]phys.Cycles{"fence": 30}, Hits: Levels{L1D: 9, L2: 4, LLC: 5}, Misses: Levels{L1D: 3, L2: 2, LLC: 1}, MediaBytesWritten: 64, WallSeconds: 0.25, InstructionsPerSecond: 360, Digest: "ab", ExitStatus: 7,
			Counters: json.RawMessage(`{"l1_misses":4}`),
		}},
		Overheads: []Overhead{{Program: "counter", Parameter: "cache.pmem.read (ns)", Points: []OverheadPoint{{Value: 305,
			System: "zhuque", PMEMLatencyNanos: 305, Cycles: 130, Instructions: 95, RelativeToNative: 1.25, N: 3, Low: 1.2, High: 1.5,
		}}}},
		Curves:      []Curves{{Name: "failure", Caption: "a caption", X: "dirty (MiB)", Y: "ms", Points: []CurvePoint{{Series: "by level", X: 1, Y: 2, Published: true}}}},
		Bars:        []Bars{{Name: "systems", Caption: "a caption", Axis: "run time / native", Values: []Bar{{Group: "undo log", Series: "ADR", Value: 3.5, Published: 2.75}}}},
		Breakdowns:  []Breakdown{{Name: "hashmap", Caption: "a caption", Parts: []Part{{System: "undo log", Part: "fences", Nanos: 90.5}}}},
		Predictions: []Prediction{{Name: "speedup", Modelled: 3.5, Published: 2.75, Unit: "times", Source: "a paper"}},
		Remarks:     []string{"a remark"},
		Params:      []phys.Param{{Name: "pmem.read", Value: 305, Unit: "ns", Status: phys.Cited, Source: "FAST'20", Range: "50..5000"}},
	}
}

// TestFullDocumentIsFull keeps the golden key test honest: a field that nobody
// sets, such as a new one with omitempty, would not be in the golden file.
func TestFullDocumentIsFull(t *testing.T) {
	mayBeZero := map[string]bool{"Pass": true, "Detected": true, "Unsupported": true,
		"SimBug": true, "Timeout": true, "Violation": true, "Unreached": true}
	var walk func(path string, v reflect.Value)
	walk = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				name := v.Type().Field(i).Name
				if v.Field(i).IsZero() && !mayBeZero[name] {
					t.Errorf("%s.%s is not set in fullDocument", path, name)
				}
				walk(path+"."+name, v.Field(i))
			}
		case reflect.Slice:
			if v.Type().Elem().Kind() == reflect.Struct {
				walk(path, v.Index(0))
			}
		}
	}
	d := fullDocument()
	d.Campaigns[0].Histogram[0].From = 1 // any non-zero value will do here
	walk("Document", reflect.ValueOf(d))
}

func TestJSONKeysDoNotChange(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, fullDocument()); err != nil {
		t.Fatal(err)
	}
	golden := filepath.Join("testdata", "full.json")
	if *rewrite {
		if err := os.WriteFile(golden, b.Bytes(), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(golden)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(want), b.String()); diff != "" {
		t.Errorf("the JSON form changed; readers of version %d would misread it (-want +got):\n%s", Version, diff)
	}
	got, err := Read(bytes.NewReader(want))
	if err != nil {
		t.Fatal(err)
	}
	// MarshalIndent lays the raw counters out anew; compare them by meaning.
	var counters map[string]int
	if err := json.Unmarshal(got.Runs[0].Counters, &counters); err != nil || counters["l1_misses"] != 4 {
		t.Errorf("counters came back as %s (%v)", got.Runs[0].Counters, err)
	}
	full := fullDocument()
	got.Runs[0].Counters, full.Runs[0].Counters = nil, nil
	if diff := cmp.Diff(full, got); diff != "" {
		t.Errorf("read back differs (-want +got):\n%s", diff)
	}
}

func TestReadSaysWhatIsWrong(t *testing.T) {
	var b bytes.Buffer
	if err := Write(&b, fullDocument()); err != nil {
		t.Fatal(err)
	}
	good := b.String()
	edit := func(old, new string) string {
		if !strings.Contains(good, old) {
			t.Fatalf("the document holds no %q", old)
		}
		return strings.Replace(good, old, new, 1)
	}
	for _, tc := range []struct{ name, text, want string }{
		{"empty", " \n", "the file is empty"},
		{"cut short", good[:len(good)/2], "the file was cut short"},
		{"cut short at the end", strings.TrimRight(good, "}\n"), "the file was cut short"},
		{"not JSON", edit(`"campaigns": [`, `"campaigns": (`), "line 15, column 15: not valid JSON"},
		{"something after the end", good + "{}", "not valid JSON"},
		{"other schema", edit(Schema, "junit"), `"schema" is "junit", expected "zhuque-sim-result"`},
		{"newer", edit(`"version": 1`, `"version": 2, "shiny": []`), "written by a newer Zhuque Sim: its version is 2, this program reads up to 1"},
		{"no version", edit(`"version": 1`, `"version": 0`), `"version" is 0`},
		{"unknown key", edit(`"title"`, `"tilte"`), `unknown field "tilte"`},
		{"wrong type", edit(`"instructions": 90`, `"instructions": "ninety"`), `holds a string, expected a whole number that is not negative`},
		{"unknown verdict", edit(`"verdict": "violation"`, `"verdict": "fine"`), `verdict "fine": expected one of pass, violation`},
		{"verdict removed", edit(`"step": 2,
     "verdict": "violation",`, `"step": 2,`), "point 3 carries no verdict"},
		{"unknown kind", edit(`"kind": "rep"`, `"kind": "nap"`), `kind "nap"`},
		{"no reason", edit(`"reason": "page 0x4000 differs",`, ``), "violation without a reason"},
		{"point outside", edit(`"at": 40`, `"at": 400`), "at instruction 400, outside 10..90"},
		{"count changed", edit(`"violation": 1`, `"violation": 2`), `the verdicts add up to 3, "points" is 2`},
		{"histogram changed", edit(`"to": 50`, `"to": 51`), "expected it to start at 52"},
		{"point changed", edit(`"flush_nanos": 1200,
     "energy_nj": 3400,
     "recovery_steps": 11,
     "memory`, `"flush_nanos": 1,
     "energy_nj": 3400,
     "recovery_steps": 11,
     "memory`), `do not match "points_digest"`},
		{"header changed", edit(`"program": "counter"`, `"program": "other"`), "was changed after it was written"},
		{"interval", edit(`"low": 1.2`, `"low": 1.4`), "lies outside its own interval"},
		{"negative time", edit(`"wall_seconds": 0.5`, `"wall_seconds": -0.5`), `"wall_seconds" is -0.5`},
	} {
		_, err := Read(strings.NewReader(tc.text))
		if err == nil || !strings.Contains(err.Error(), tc.want) {
			t.Errorf("%s: error is %v, expected it to say %q", tc.name, err, tc.want)
		}
	}
}

func TestLoadNamesTheFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "results.json")
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("missing file: %v", err)
	}
	if err := os.WriteFile(path, []byte("{"), 0o644); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err == nil || !strings.Contains(err.Error(), path) {
		t.Errorf("damaged file: %v", err)
	}
	if err := Save(path, fullDocument()); err != nil {
		t.Fatal(err)
	}
	if _, err := Load(path); err != nil {
		t.Error(err)
	}
}

func TestWriteRefusesWhatReadWouldRefuse(t *testing.T) {
	d := fullDocument()
	d.Campaigns[0].Counts.Pass++
	if err := Write(&bytes.Buffer{}, d); err == nil {
		t.Error("a campaign whose counts do not add up was written")
	}
	d = fullDocument()
	d.Campaigns[0].Digest = ""
	if err := Write(&bytes.Buffer{}, d); err == nil {
		t.Error("a campaign that was not sealed was written")
	}
}

func TestWriteFileKeepsTheOldFileOnFailure(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "results.json")
	if err := os.WriteFile(path, []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	full := &os.PathError{Op: "write", Path: "x", Err: syscall.ENOSPC}
	err := WriteFile(path, func(w io.Writer) error {
		w.Write([]byte("half of the n"))
		return full
	})
	if err == nil || !strings.Contains(err.Error(), path) || !strings.Contains(err.Error(), "no space left") {
		t.Errorf("error is %v", err)
	}
	if b, _ := os.ReadFile(path); string(b) != "old" {
		t.Errorf("the old file now holds %q", b)
	}
	if names, _ := os.ReadDir(dir); len(names) != 1 {
		t.Errorf("left behind: %v", names)
	}
	missing := filepath.Join(dir, "nowhere", "results.json")
	if err := Save(missing, fullDocument()); err == nil || !strings.Contains(err.Error(), missing) {
		t.Errorf("missing folder: %v", err)
	}
	taken := filepath.Join(dir, "taken")
	if err := os.Mkdir(taken, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := Save(taken, fullDocument()); err == nil || strings.Contains(err.Error(), ".tmp") {
		t.Errorf("a folder in the place of the file: %v", err)
	}
	if names, _ := os.ReadDir(dir); len(names) != 2 {
		t.Errorf("left behind: %v", names)
	}
}
