package scenarios

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"github.com/goccy/go-yaml"
	"github.com/goccy/go-yaml/lexer"
	"github.com/goccy/go-yaml/token"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
)

// FileVersion is the version of scenario files, the value of their first key.
const FileVersion = 1

// maxFile is how long a scenario file may be, in bytes.
const maxFile = 64 << 10

// file is a scenario as it is written down. schema.json says the same to editors.
type file struct {
	Version    int             `yaml:"zhuque-scenario"`
	Name       string          `yaml:"name"`
	About      string          `yaml:"about"`
	Program    string          `yaml:"program"`
	Args       []string        `yaml:"args"`
	Env        []string        `yaml:"env"`
	Settings   map[string]any  `yaml:"settings"`
	Strategies []strategy      `yaml:"strategies"`
	Tails      uint64          `yaml:"tails"`
	Prints     *string         `yaml:"prints"`
	Restart    *restart        `yaml:"restart"`
	Expect     []expectedShare `yaml:"expect"`
}

type strategy struct {
	Kind   string `yaml:"kind"`
	From   uint64 `yaml:"from"`
	To     uint64 `yaml:"to"`
	Points uint64 `yaml:"points"`
	Seed   uint64 `yaml:"seed"`
	Reach  uint64 `yaml:"reach"`
}

type restart struct {
	Command string `yaml:"command"`
	Status  int    `yaml:"status"`
}

type expectedShare struct {
	Verdict string `yaml:"verdict"`
	Reason  string `yaml:"reason"`
	Least   uint64 `yaml:"least_percent"`
	Most    uint64 `yaml:"most_percent"`
}

// Load reads a scenario file. Paths in it are relative to where it lies. Errors say the line, with
// an excerpt and a caret.
func Load(path string) (Scenario, error) {
	in, err := os.Open(path)
	if err != nil {
		return Scenario{}, err
	}
	defer in.Close()
	if st, err := in.Stat(); err != nil || !st.Mode().IsRegular() {
		return Scenario{}, fmt.Errorf("%s: expected a file", path)
	}
	text := make([]byte, maxFile+1)
	n, err := readUpTo(in, text)
	if err != nil {
		return Scenario{}, err
	}
	s, err := Parse(text[:n], filepath.Dir(path))
	if err != nil {
		return s, fmt.Errorf("%s: %w", path, err)
	}
	return s, nil
}

func readUpTo(in *os.File, text []byte) (n int, err error) {
	for n < len(text) {
		k, err := in.Read(text[n:])
		if n += k; k == 0 || err != nil {
			break
		}
	}
	return n, nil
}

// Parse reads the text of a scenario file; dir is what its paths are relative to.
func Parse(text []byte, dir string) (s Scenario, err error) {
	if len(text) > maxFile {
		return s, fmt.Errorf("a scenario of more than %d bytes", maxFile)
	}
	for _, t := range lexer.Tokenize(string(text)) {
		if t.Type == token.AnchorType || t.Type == token.AliasType || t.Type == token.MergeKeyType || t.Type == token.TagType {
			return s, fmt.Errorf("line %d: %q: expected neither anchors, aliases nor tags", t.Position.Line, t.Value)
		}
	}
	var f file
	if err := yaml.UnmarshalWithOptions(text, &f, yaml.Strict()); err != nil {
		return s, misread(err)
	}
	at := func(path string, err error) error {
		if err == nil {
			return nil
		}
		return located(text, path, err)
	}
	if f.Version != FileVersion {
		return s, at("$.zhuque-scenario", fmt.Errorf("zhuque-scenario is %d: expected %d as the first key", f.Version, FileVersion))
	}
	return f.scenario(dir, at)
}

// misread words an error of the YAML library, with its excerpt.
func misread(err error) error {
	text := yaml.FormatError(err, false, true)
	for _, key := range fileKeys {
		if word := quoted(text); word != "" && strings.Contains(text, "unknown field") && near(word, key) {
			text = strings.Replace(text, "unknown field "+strconv.Quote(word), fmt.Sprintf("unknown field %q (did you mean %s?)", word, key), 1)
			break
		}
	}
	return errors.New(strings.TrimSpace(text))
}

// fileKeys are all keys that a scenario file may have.
var fileKeys = []string{"zhuque-scenario", "name", "about", "program", "args", "env", "settings", "strategies", "tails", "prints", "restart", "expect",
	"kind", "from", "to", "points", "seed", "reach", "command", "status", "verdict", "reason", "least_percent", "most_percent"}

func quoted(text string) string {
	_, rest, _ := strings.Cut(text, `"`)
	word, _, _ := strings.Cut(rest, `"`)
	return word
}

// near tells whether a word may be a slip for another: a letter more or less, or two others.
func near(word, key string) bool {
	if abs(len(word)-len(key)) > 1 || len(key) < 3 {
		return false
	}
	counts := map[rune]int{}
	for _, r := range word {
		counts[r]++
	}
	for _, r := range key {
		counts[r]--
	}
	off := 0
	for _, n := range counts {
		off += abs(n)
	}
	return off <= 2
}

func abs(n int) int { return max(n, -n) }

// located is an error with the place of a value in the text.
func located(text []byte, path string, err error) error {
	p, perr := yaml.PathString(path)
	if perr != nil {
		return err
	}
	excerpt, perr := p.AnnotateSource(text, false)
	if perr != nil {
		return err // the key is not there
	}
	return fmt.Errorf("%w\n%s", err, strings.TrimRight(string(excerpt), "\n"))
}

// scenario checks what is written, and builds the scenario of it.
func (f *file) scenario(dir string, at func(string, error) error) (s Scenario, err error) {
	s = Scenario{Name: f.Name, About: f.About, Program: f.Program, Args: f.Args, Env: f.Env, Tails: f.Tails, Set: map[string]string{}}
	switch {
	case f.Name == "" || strings.ContainsAny(f.Name, "/\\ \n"):
		return s, at("$.name", fmt.Errorf("name %q: expected a word", f.Name))
	case f.Program == "":
		return s, at("$.program", errors.New("program is missing: expected a path, or guest:NAME"))
	case len(f.Strategies) == 0:
		return s, at("$.strategies", errors.New("strategies is missing: expected at least one"))
	}
	for i, e := range f.Env {
		if name, _, ok := strings.Cut(e, "="); !ok || name == "" {
			return s, at(fmt.Sprintf("$.env[%d]", i), fmt.Errorf("env %q: expected NAME=VALUE", e))
		}
	}
	if f.Prints != nil {
		s.Prints = []byte(*f.Prints)
	}
	check := crashinject.DefaultSetup()
	for _, name := range slices.Sorted(maps.Keys(f.Settings)) {
		value, err := scalar(f.Settings[name])
		if err == nil {
			value = inDir(name, value, dir, f.Settings["root"] != nil)
			err = check.Set(name, value)
		}
		if err != nil {
			return s, at("$.settings."+name, fmt.Errorf("setting %s: %w", name, err))
		}
		s.Set[name] = value
	}
	s.Program = inDir("program", f.Program, dir, f.Settings["root"] != nil)
	if guest, ok := strings.CutPrefix(s.Program, crashinject.GuestPrefix); ok {
		if _, err := Guest(guest); err != nil {
			return s, at("$.program", err)
		}
		s.Guest = guest
	}
	for i := range f.Strategies {
		st, err := f.Strategies[i].strategy()
		if err != nil {
			return s, at(fmt.Sprintf("$.strategies[%d].kind", i), err)
		}
		if i == 0 {
			s.Strategy = st
		} else {
			s.Also = append(s.Also, st)
		}
	}
	for i := range f.Expect {
		share, err := f.Expect[i].share()
		if err != nil {
			return s, at(fmt.Sprintf("$.expect[%d].verdict", i), err)
		}
		s.Expect = append(s.Expect, share)
	}
	if f.Restart != nil {
		if s.Restart, err = crashinject.ParseRestart(f.Restart.Command, f.Restart.Status); err != nil {
			return s, at("$.restart.command", err)
		}
	}
	return s, nil
}

// scalar is a setting as the command line would have it.
func scalar(v any) (string, error) {
	switch v := v.(type) {
	case string:
		return v, nil
	case bool, int, int64, uint64, float64:
		return fmt.Sprint(v), nil
	}
	return "", fmt.Errorf("%v: expected a number or a word", v)
}

// inDir makes a path of the host relative to the scenario's folder. A name without a slash is looked
// for as the command line does, and with a root the program is in there.
func inDir(name, path, dir string, rooted bool) string {
	host := slices.Contains([]string{"root", "overlay", "pmem-dir", "stdin"}, name) || name == "program" && !rooted && strings.HasPrefix(path, ".")
	if !host || path == "" || filepath.IsAbs(path) {
		return path
	}
	if path = filepath.Join(dir, path); name == "program" && !filepath.IsAbs(path) {
		path = "./" + path // or it would be looked for in PATH
	}
	return path
}

func (s *strategy) strategy() (crashinject.Strategy, error) {
	kind, err := crashinject.ParseStrategy(s.Kind)
	if err != nil {
		return crashinject.Strategy{}, err
	}
	needs := kind == crashinject.Random || kind == crashinject.Fuzz || kind == crashinject.Energy
	switch {
	case needs && s.Points == 0:
		err = fmt.Errorf("strategy %s: expected a number of points above 0", kind)
	case kind == crashinject.Every && s.Points != 0:
		err = errors.New("points with strategy every: expected from and to")
	case s.To != 0 && s.From > s.To:
		err = fmt.Errorf("from %d is greater than to %d", s.From, s.To)
	}
	return crashinject.Strategy{Kind: kind, From: s.From, To: s.To, Points: s.Points, Seed: s.Seed, Reach: s.Reach}, err
}

func (e *expectedShare) share() (result.Share, error) {
	v, err := result.ParseVerdict(e.Verdict)
	switch {
	case err != nil:
	case e.Least > e.Most || e.Most > 100:
		err = fmt.Errorf("%d to %d %%: expected two percentages, the first not above the second", e.Least, e.Most)
	}
	return result.Share{Verdict: v, Reason: e.Reason, Least: e.Least, Most: e.Most}, err
}
