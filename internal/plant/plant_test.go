package main

import (
	"go/ast"
	"go/parser"
	"go/token"
	"go/types"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"
)

const sample = `package sample

type codec struct{}

func (*codec) word(*int) {}

type thing struct{ a, b int; list []int }

func clone(l []int) []int { return append([]int(nil), l...) }

func touch(*thing) {}

func (t *thing) code(c *codec) {
	c.word(&t.a)
}

func (t *thing) work(o *thing, n int) bool {
	if n < 3 && t.a > 1 {
		touch(t)
		t.b = o.b
	}
	copy(t.list, o.list)
	t.list = clone(o.list)
	t.a = n + 1
	t.b = t.a
	return n >= 7
}

func (t *thing) String() string { if t.a > 0 { return "a" }; return "" }
`

// parsed is the sample as a source.
func parsed(t *testing.T) *source {
	fset := token.NewFileSet()
	const at = "sim/kernel/sample.go"
	file, err := parser.ParseFile(fset, at, sample, 0)
	if err != nil {
		t.Fatal(err)
	}
	s := &source{folder: "sim/kernel", fset: fset, files: map[string]*ast.File{at: file}, text: map[string][]byte{at: []byte(sample)},
		info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{},
			Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}}
	if _, err = (&types.Config{}).Check("sample", fset, []*ast.File{file}, s.info); err != nil {
		t.Fatal(err)
	}
	return s
}

// Each kind finds its places, and nothing in what only prints.
func TestSites(t *testing.T) {
	var got []string
	for _, d := range sites([]*source{parsed(t)}, regexp.MustCompile("")) {
		got = append(got, strings.TrimPrefix(d.Key, "sim/kernel/sample.go "))
	}
	want := []string{
		"thing.code field: c.word(&t.a)",
		"thing.work copy: clone(o.list)",
		"thing.work copy: copy(t.list, o.list)",
		"thing.work copy: t.b = o.b",
		"thing.work mark: touch(t)",
		"thing.work negate: n < 3 && t.a > 1",
		"thing.work negate: t.a > 1",
		"thing.work off-by-one: n + 1",
		"thing.work off-by-one: n < 3",
		"thing.work off-by-one: n >= 7",
		"thing.work off-by-one: t.a > 1",
		"thing.work swap: copy(t.list, o.list) t.list = clone(o.list)",
		"thing.work swap: t.a = n + 1 t.b = t.a",
	}
	if !slices.Equal(got, want) {
		t.Errorf("found\n%s\nexpected\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
}

// All defects at once still make a program of the right types, whose switches are all
// there once.
func TestRewritten(t *testing.T) {
	s := parsed(t)
	all := sites([]*source{s}, regexp.MustCompile(""))
	text, any := s.rewrite("sim/kernel/sample.go", all)
	if !any {
		t.Fatal("nothing was planted")
	}
	fset := token.NewFileSet()
	check := func(name, text string, imports types.Importer) *types.Package {
		file, err := parser.ParseFile(fset, name, text, 0)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		p, err := (&types.Config{Importer: imports}).Check(name, fset, []*ast.File{file}, nil)
		if err != nil {
			t.Fatalf("%v\n%s", err, text)
		}
		return p
	}
	// What reads the environment is left out: the check needs no other package.
	bare := regexp.MustCompile(`(?s)import \(.*?\)|= strconv.Atoi[^\n]*`).ReplaceAllString(switches, "")
	planted := check("planted", strings.Replace(bare, "active, _", "active int", 1), nil)
	check("sample", text, one{planted})
	for i := range all {
		if n := regexp.MustCompile(`planted\.\w+\(`+strconv.Itoa(i+1)+`\b`).FindAllString(text, -1); len(n) != 1 {
			t.Errorf("%s: %d switches\n%s", all[i].Key, len(n), text)
		}
	}
}

// one imports a single package.
type one struct{ p *types.Package }

func (o one) Import(string) (*types.Package, error) { return o.p, nil }

// A seed draws the same defects again, few of them are the first of many, and every area
// and kind has its turn.
func TestDraw(t *testing.T) {
	var all []defect
	for _, a := range areas {
		for _, k := range kinds {
			for i := range 50 {
				all = append(all, defect{Key: a.name + k.name + strconv.Itoa(i+1), Area: a.name, Kind: k.name})
			}
		}
	}
	keys := func(list []defect) (keys []string) {
		for _, d := range list {
			keys = append(keys, d.Key)
		}
		return keys
	}
	many, few := keys(draw(all, 100, 7)), keys(draw(all, 40, 7))
	if !slices.Equal(many[:40], few) {
		t.Error("40 defects are not the first of 100")
	}
	if slices.Equal(few, keys(draw(all, 40, 8))) {
		t.Error("another seed draws the same")
	}
	shares := map[string]int{}
	for _, d := range draw(all, 100, 7) {
		shares[d.Area]++
		shares[d.Kind]++
	}
	for _, a := range areas {
		if n := shares[a.name]; n < a.share-1 || n > a.share+1 {
			t.Errorf("%s: %d of 100, its share is %d", a.name, n, a.share)
		}
	}
	for _, k := range kinds {
		if shares[k.name] < 12 {
			t.Errorf("%s: %d of 100", k.name, shares[k.name])
		}
	}
}

// Every equivalent is a place of today's source, so that the list does not outlive what it
// is about. Reading the source takes seconds: the keys' files and code must be there.
func TestEquivalents(t *testing.T) {
	list, err := equivalents(equivalentsText)
	if err != nil {
		t.Fatal(err)
	}
	for key := range list {
		file, rest, _ := strings.Cut(key, " ")
		_, code, ok := strings.Cut(rest, ": ")
		text, err := os.ReadFile(filepath.Join("..", "..", filepath.FromSlash(file)))
		if !ok || err != nil {
			t.Errorf("%s: no such place (%v)", key, err)
			continue
		}
		code = strings.TrimSuffix(regexp.MustCompile(` \(\d+\)$`).ReplaceAllString(code, ""), "…")
		if !strings.Contains(strings.Join(strings.Fields(string(text)), " "), code) {
			t.Errorf("%s: the file has no such code", key)
		}
	}
	for _, bad := range []string{"key without a reason", "a\tb\na\tc"} {
		if _, err := equivalents(bad); err == nil {
			t.Errorf("%q is taken", bad)
		}
	}
}

// What a killed run has measured is read up to its last whole line.
func TestState(t *testing.T) {
	list, err := readState(strings.NewReader(`{"key":"a","caught_by":"tests"}` + "\n" + `{"key":"b","caug`))
	if err != nil || len(list) != 1 || list["a"].By != byTests {
		t.Errorf("%v, %v", list, err)
	}
}
