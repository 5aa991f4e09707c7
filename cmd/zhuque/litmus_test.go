package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

const rightLitmus = `litmus right
"Nothing orders two lines"
{ x=0; y=0; }
 P0    ;
 x = 1 ;
 y = 1 ;
adr: exists (x=0 /\ y=1)
eadr: never (x=0 /\ y=1)
`

func TestLitmus(t *testing.T) {
	dir := t.TempDir()
	put := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	put("right", rightLitmus)
	put("wrong", strings.Replace(rightLitmus, "adr: exists", "adr: never", 1))
	r := zhuque(t, dir, "", "litmus", "right").want(t, 0)
	for _, s := range []string{"ok   right", "x=0 y=1  P0: x = 1", "1 tests, 0 not as expected"} {
		if !strings.Contains(r.stdout, s) {
			t.Errorf("%q is not in\n%s", s, r.stdout)
		}
	}
	r = zhuque(t, dir, "", "litmus", "-q", "right", "wrong").want(t, 10)
	if want := "FAIL wrong:7: adr: never (x=0 /\\ y=1)"; !strings.Contains(r.stdout, want) {
		t.Errorf("%q is not in\n%s", want, r.stdout)
	}
	r = zhuque(t, dir, "", "litmus", "--format", "json", "right", "wrong").want(t, 10)
	var report struct {
		Tests []struct {
			Name     string
			Outcomes map[string][]struct {
				Values  map[string]uint64
				Witness []string
			}
			Expected map[string][]struct {
				Condition string
				OK        bool
			}
			OK bool
		}
	}
	if err := json.Unmarshal([]byte(r.stdout), &report); err != nil {
		t.Fatal(err)
	}
	if n := len(report.Tests); n != 2 || !report.Tests[0].OK || report.Tests[1].OK {
		t.Errorf("the report has %d tests: %s", n, r.stdout)
	}
	if o := report.Tests[0].Outcomes; len(o["adr"]) != 4 || len(o["eadr"]) != 3 ||
		o["adr"][1].Values["y"] != 1 || len(o["adr"][1].Witness) == 0 {
		t.Errorf("outcomes %v", o)
	}
	if e := report.Tests[1].Expected; len(e["adr"]) != 1 || e["adr"][0].OK || !e["eadr"][0].OK {
		t.Errorf("expected %v", e)
	}
}

// Bad input is named by file and line.
func TestLitmusBadInput(t *testing.T) {
	dir := t.TempDir()
	for _, test := range []struct{ old, new, says string }{
		{"litmus right", "test right", `t:1: expected "litmus NAME"`},
		{`two lines"`, `two lines`, "t:2: the description has no closing quotation mark"},
		{"{ x=0; y=0; }", "{ x=0; x=0; }", "t:3: duplicate location x"},
		{"{ x=0; y=0; }", "{ x=0; y=0 @ x+4; }", "t:3: locations x and y overlap"},
		{"{ x=0; y=0; }", "{ x=0; y=0", "t:3: the locations have no closing brace"},
		{"{ x=0; y=0; }", "{ x=0; y; }", `t:3: location "y": expected NAME=VALUE`},
		{"{ x=0; y=0; }", "{ x:1=256; y=0; }", "t:3: location x: 256 does not fit into 1 bytes"},
		{" P0    ;", " P0 | P0 ;", `t:4: "P0" is no name for a thread`},
		{" x = 1 ;", " x = 1", "t:5: expected a row of the table that ends with a semicolon"},
		{" x = 1 ;", " z = 1 ;", `t:5: "z": unknown location`},
		{" x = 1 ;", " x = 1 | y = 1 ;", "t:5: 2 columns for 1 threads"},
		{" x = 1 ;", " flush x ;", `t:5: unknown instruction "flush x"`},
		{" x = 1 ;", " x = -1 ;", `t:5: "-1" is not a number`},
		{" x = 1 ;", " x = {1, 2} ;", "t:5: 2 words do not fit into location x"},
		{" x = 1 ;", " lock xadd x ;", "t:5: lock xadd takes 1 numbers"},
		{" x = 1 ;", strings.Repeat(" x = 1 ;\n", 25), "more than 24 instructions"},
		{" x = 1 ;", " crash ;", `t:5: unknown instruction "crash"`},
		{"adr: exists (x", "adr: perhaps (x", "t:7: expected exists, never or forall"},
		{"adr: exists (x", "adr: exists ((x", "t:7: expected a closing parenthesis"},
		{"adr: exists (x=0", "adr: exists (q=0", `t:7: "q": unknown location`},
		{"adr: exists (x=0", "adr: exists (P1:r0=0", "t:7: P1:r0: there is no thread P1"},
		{"adr: exists (x=0", "adr: exists (P0:r0=0", "t:7: P0:r0: thread P0 has no register r0"},
		{"adr: exists (x=0", "adr: exists (x<0", "t:7:"},
		{rightLitmus[strings.Index(rightLitmus, "adr"):], "", "expected a condition"},
	} {
		text := strings.Replace(rightLitmus, test.old, test.new, 1)
		if text == rightLitmus {
			t.Fatalf("%q is not in the test", test.old)
		}
		if err := os.WriteFile(filepath.Join(dir, "t"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		zhuque(t, dir, "", "litmus", "t").want(t, 2, test.says)
	}
	zhuque(t, dir, "", "litmus").want(t, 2)
	zhuque(t, dir, "", "litmus", "nosuch").want(t, 2, "nosuch")
	zhuque(t, dir, "", "litmus", ".").want(t, 2)
	zhuque(t, dir, "", "litmus", "/dev/zero").want(t, 2, "65536")
	zhuque(t, dir, "", "litmus", "--format", "xml", "t").want(t, 2, "expected text or json")
}
