package scenarios

import (
	"encoding/json"
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"

	"zhuque/crashinject"
)

const sample = `zhuque-scenario: 1
name: mine
about: A list of mine.
program: ./list
args: [-n, "3"]
env: [A=1]
settings:
  domain: adr
  cores: 2
  cache.pmem.read: 100
  stdin: in.txt
strategies:
  - kind: random
    points: 20
    seed: 7
  - kind: calls
tails: 4
prints: |
  done
restart:
  command: ./list check
  status: 1
expect:
  - verdict: detected
    reason: magic
    least_percent: 10
    most_percent: 100
`

// All that a file says arrives, and its paths are relative to it.
func TestParse(t *testing.T) {
	s, err := Parse([]byte(sample), "/home/me")
	if err != nil {
		t.Fatal(err)
	}
	c, err := s.Campaign()
	if err != nil {
		t.Fatal(err)
	}
	if c.Setup.Program != "/home/me/list" || c.Setup.Stdin != "/home/me/in.txt" || c.Setup.Get("cores") != "2" || c.Setup.Get("domain") != "adr" ||
		!slices.Equal(c.Setup.Args, []string{"-n", "3"}) || !slices.Equal(c.Setup.Env, []string{"A=1"}) {
		t.Errorf("setup %+v", c.Setup)
	}
	if c.Strategy != (crashinject.Strategy{Kind: crashinject.Random, Points: 20, Seed: 7}) || len(c.Also) != 1 || c.Also[0].Kind != crashinject.Calls ||
		c.Tails != 4 || string(c.Prints) != "done\n" || c.Restart == nil || c.Restart.String() != "./list check" || c.Restart.Status != 1 {
		t.Errorf("campaign %+v", c)
	}
	if len(c.Expect) != 1 || c.Expect[0].Reason != "magic" || c.Expect[0].Least != 10 || c.Expect[0].Most != 100 {
		t.Errorf("expected %+v", c.Expect)
	}
}

// What is wrong is said with its line, an excerpt, and what was expected.
func TestParseRefuses(t *testing.T) {
	for _, tc := range []struct{ old, new, says, excerpt string }{
		{"program: ./list", "progam: ./list", `unknown field "progam" (did you mean program?)`, ">  4 | progam: ./list"},
		{"zhuque-scenario: 1", "zhuque-scenario: 2", "zhuque-scenario is 2: expected 1", ">  1 |"},
		{"zhuque-scenario: 1\n", "", "zhuque-scenario is 0: expected 1", ""},
		{"name: mine", "name: mine\nname: yours", "name", "3 | name: yours"},
		{"name: mine", "name: a/b", `name "a/b": expected a word`, "| name: a/b"},
		{"program: ./list", "program: guest:lost", "lost", "| program: guest:lost"},
		{"domain: adr", "domain: adhd", "adhd", "|   domain: adhd"},
		{"cores: 2", "core: 2", "core", "|   core: 2"},
		{"cores: 2", "cores: [2]", "expected a number or a word", "|   cores: [2]"},
		{"kind: random", "kind: randon", `strategy "randon": expected every, random`, "kind: randon"},
		{"points: 20", "points: 0", "expected a number of points above 0", ""},
		{"points: 20", "points: many", "many", "|     points: many"},
		{"points: 20", "points: -1", "-1", "|     points: -1"},
		{"strategies:", "others:", `unknown field "others"`, "| others:"},
		{"verdict: detected", "verdict: detect", `verdict "detect"`, "verdict: detect"},
		{"most_percent: 100", "most_percent: 5", "10 to 5 %", ""},
		{"env: [A=1]", "env: [A]", `env "A": expected NAME=VALUE`, "| env: [A]"},
		{"command: ./list check", "command: '\"'", "", ""},
		{"tails: 4", "tails: &a 4", "line 17", ""},
		{"tails: 4", "tails: !!int 4", "line 17", ""},
		{"tails: 4", "tails: [", "", ""},
	} {
		text := strings.Replace(sample, tc.old, tc.new, 1)
		_, err := Parse([]byte(text), "")
		if err == nil || !strings.Contains(err.Error(), tc.says) || !strings.Contains(err.Error(), tc.excerpt) {
			t.Errorf("%s: %v, expected %q and %q", tc.new, err, tc.says, tc.excerpt)
		}
	}
	if _, err := Parse(make([]byte, maxFile+1), ""); err == nil {
		t.Error("a long file is read")
	}
}

// The schema has the keys that are read, and no others; so has the list of what a slip may mean.
func TestSchemaIsTheForm(t *testing.T) {
	var s struct{ Properties map[string]json.RawMessage }
	if err := json.Unmarshal(Schema(), &s); err != nil {
		t.Fatal(err)
	}
	known := map[string]bool{}
	compare := func(what string, have map[string]json.RawMessage, of any) {
		var keys []string
		for i := range reflect.TypeOf(of).NumField() {
			keys = append(keys, reflect.TypeOf(of).Field(i).Tag.Get("yaml"))
			known[keys[i]] = true
		}
		slices.Sort(keys)
		if got := slices.Sorted(maps.Keys(have)); !slices.Equal(got, keys) {
			t.Errorf("%s: the schema has %q, the form %q", what, got, keys)
		}
	}
	compare("file", s.Properties, file{})
	for key, of := range map[string]any{"strategies": strategy{}, "expect": expectedShare{}, "restart": restart{}} {
		var inner struct {
			Items      struct{ Properties map[string]json.RawMessage }
			Properties map[string]json.RawMessage
		}
		if err := json.Unmarshal(s.Properties[key], &inner); err != nil {
			t.Fatal(err)
		}
		have := inner.Properties
		if have == nil {
			have = inner.Items.Properties
		}
		compare(key, have, of)
	}
	if got := slices.Sorted(slices.Values(fileKeys)); !slices.Equal(got, slices.Sorted(maps.Keys(known))) {
		t.Errorf("fileKeys are %q, the form has %q", got, slices.Sorted(maps.Keys(known)))
	}
}

// A file's name is that of the scenario in it.
func TestBuiltinNames(t *testing.T) {
	files, err := builtin.ReadDir("builtin")
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, f := range files {
		names = append(names, strings.TrimSuffix(f.Name(), ".yaml"))
	}
	if !slices.Equal(names, Names()) || len(names) < 20 {
		t.Errorf("files %q, scenarios %q", names, Names())
	}
	if text, err := Text("list-adr"); err != nil || !strings.Contains(string(text), "domain: adr") {
		t.Errorf("%s, %v", text, err)
	}
	if _, err := Text("list"); err == nil {
		t.Error("a scenario that is none has a file")
	}
}

func FuzzParse(f *testing.F) {
	f.Add([]byte(sample))
	f.Add([]byte("zhuque-scenario: 1\nname: x\nprogram: guest:list\nstrategies: [{kind: every}]\n"))
	f.Fuzz(func(t *testing.T, text []byte) {
		s, err := Parse(text, "/dir")
		if err == nil && (s.Name == "" || s.Program == "" || s.Strategy.Kind == "") {
			t.Errorf("%+v", s)
		}
	})
}
