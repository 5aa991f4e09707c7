package reference_test

import (
	"encoding/csv"
	"io/fs"
	"math"
	"os"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"

	"zhuque/cachemodel"
	"zhuque/eadr"
	"zhuque/sim/phys"
)

const file = "internal/reference/device_targets.csv"

// target is a row of the file.
type target struct {
	text, unit, confidence string
	value                  float64
}

func targets(t *testing.T) map[string]target {
	t.Helper()
	f, err := os.Open("../../" + file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	records, err := csv.NewReader(f).ReadAll()
	if err != nil {
		t.Fatal(err)
	}
	rows := map[string]target{}
	for _, r := range records[1:] {
		v, err := strconv.ParseFloat(r[5], 64)
		if err != nil {
			v = math.NaN() // a policy in words
		}
		rows[r[0]] = target{text: r[1] + "; " + r[2], unit: r[6], confidence: r[8], value: v}
	}
	return rows
}

// units are what a row's unit has of the parameter's, by "row > parameter".
var units = map[string]float64{
	"KiB > B": 1 << 10, "KiB (1.375MB) > B": 1 << 10, "MiB > B": 1 << 20, "GB/s > B/s": 1e9, "B > lines": 1.0 / phys.LineSize,
	"x 256B (=16KiB) > lines": 256 / phys.LineSize, "cycles (11-13 quoted) > cycles": 1,
}

// derived are the parameters that follow from the cited value otherwise than by a change of
// units.
var derived = map[string]func(row float64, p map[string]float64) float64{
	"cache.llc.size":  func(row float64, p map[string]float64) float64 { return row * p["cache.llc.slices"] },
	"cache.flush.gap": func(row float64, _ map[string]float64) float64 { return phys.LineSize / row },
	"cache.nt.gap":    func(row float64, _ map[string]float64) float64 { return phys.LineSize / row },
	"cache.clwb.evicts": func(row float64, _ map[string]float64) float64 {
		if row < 1.2 { // as slow as where the line is evicted for sure
			return 1
		}
		return 0
	},
	"power.scatter": func(row float64, _ map[string]float64) float64 { return 1 / row },
	"power.energy": func(row float64, p map[string]float64) float64 {
		return row / 1e3 * (p["power.package"] + p["power.dimm"]*p["power.dimms"]) * 1e9
	},
}

// elsewhere are the parameters whose value stands in a row's description.
var elsewhere = map[string]string{"power.dimm": "15W", "power.dimms": "6 interleaved DIMMs"}

// bounds are cited to say how large the parameter can be at most.
var bounds = map[string]float64{"power.flush_walk": 1e6} // ms to ns

var cited = regexp.MustCompile(regexp.QuoteMeta(file) + ` ([A-Za-z0-9_.*-]*[A-Za-z0-9_*])`)

// Every parameter that says it is cited names a row that is here, is verified, and holds the
// value; a row from memory makes no more than an assumption.
func TestParametersHaveTheValuesThatTheyCite(t *testing.T) {
	rows := targets(t)
	for _, name := range cachemodel.Presets() {
		cfg, err := cachemodel.Preset(name)
		if err != nil {
			t.Fatal(err)
		}
		power := eadr.Default(eadr.EADR)
		params := append(cfg.Params(), power.Params()...)
		values := map[string]float64{}
		for _, p := range params {
			values[p.Name] = p.Value
		}
		for _, p := range params {
			if err := check(p, rows, values); err != "" {
				t.Errorf("%s: %s = %v %s, %s, %q: %s", name, p.Name, p.Value, p.Unit, p.Status, p.Source, err)
			}
		}
	}
}

// check says what is wrong with a parameter's source.
func check(p phys.Param, rows map[string]target, values map[string]float64) string {
	m := cited.FindStringSubmatch(p.Source)
	switch {
	case m == nil && p.Status == phys.Cited:
		return "expected the words " + file + " and a row's id"
	case m == nil:
		return ""
	}
	id := m[1]
	if prefix, many := strings.CutSuffix(id, "*"); many {
		id = ""
		for name := range rows {
			if strings.HasPrefix(name, prefix) {
				id = name
			}
		}
	}
	row, ok := rows[id]
	switch {
	case !ok:
		return "there is no row " + m[1]
	case p.Status == phys.Cited && row.confidence != "verified":
		return "the row is " + row.confidence
	case row.confidence == "memory" && !strings.Contains(p.Source, "from memory, unverified"):
		return "the source hides that the row is from memory"
	}
	if text, ok := elsewhere[p.Name]; ok {
		if n := regexp.MustCompile(`^\d+`).FindString(text); n != strconv.FormatFloat(p.Value, 'f', -1, 64) ||
			!strings.Contains(row.text, text) {
			return "expected the row's text to say it: " + row.text
		}
		return ""
	}
	if scale, ok := bounds[p.Name]; ok {
		if p.Value > row.value*scale {
			return "above what the row allows"
		}
		return ""
	}
	want, scale := row.value, 1.0
	if row.unit != p.Unit {
		if s, ok := units[row.unit+" > "+p.Unit]; ok {
			scale = s
		}
	}
	if f := derived[p.Name]; f != nil {
		want = f(want*scale, values)
	} else {
		want *= scale
	}
	// Whole numbers that were rounded, in the parameter's own unit.
	if math.Abs(want-p.Value) > 0.5+1e-9*want {
		return "the row gives " + strconv.FormatFloat(want, 'g', 6, 64)
	}
	return ""
}

// A file of this folder, or of one that is none of this repository's, that the sources and the
// documents name is here.
func TestCitedFilesAreHere(t *testing.T) {
	path := regexp.MustCompile(`\b(internal/reference|shared)/[A-Za-z0-9_./-]*[A-Za-z0-9_]`)
	found := 0
	err := filepath.WalkDir("../..", func(name string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && name != "../.." && strings.HasPrefix(d.Name(), "."):
			return filepath.SkipDir
		case d.IsDir() || d.Name() == "reference_test.go" ||
			!regexp.MustCompile(`\.(go|md|tmpl|c|h|s|txt|csv|litmus)$`).MatchString(d.Name()):
			return nil
		}
		text, err := os.ReadFile(name)
		if err != nil {
			return err
		}
		for _, cited := range path.FindAllString(string(text), -1) {
			found++
			if _, err := os.Stat(filepath.Join("../..", cited)); err != nil && strings.Contains(filepath.Base(cited), ".") {
				t.Errorf("%s names %s, which is not in the repository", name, cited)
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	if found == 0 {
		t.Error("nothing cites a file: the test looks in the wrong place")
	}
}
