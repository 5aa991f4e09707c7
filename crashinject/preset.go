package crashinject

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"slices"
	"strconv"
	"strings"

	"zhuque/cachemodel"
	"zhuque/eadr"
	"zhuque/sim/kernel"
	"zhuque/sim/phys"
)

// param is a parameter of the model that differs from the preset's.
type param struct {
	name  string
	value uint64
}

// rows are all parameters of a machine with their values.
func rows(cache *cachemodel.Config, power *eadr.Config, work *kernel.CostNanos) []phys.Row {
	return slices.Concat(cache.Rows(), power.Rows(), work.Rows())
}

// usual are the rows of a preset and a domain with nothing changed.
func usual(preset string, domain eadr.Domain) ([]phys.Row, error) {
	cache, err := cachemodel.Preset(preset)
	if err != nil {
		return nil, err
	}
	power := eadr.Default(domain)
	work := kernel.DefaultCosts()
	return rows(&cache, &power, &work), nil
}

// Parameters lists the names of the model's parameters.
func Parameters() (names []string) {
	list, err := usual("", eadr.EADR)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	for _, r := range list {
		names = append(names, r.Name)
	}
	return names
}

// setParam changes a parameter; called is what the user calls it.
func (s *Setup) setParam(called, name, value string) error {
	list, err := usual(s.Preset, s.Domain)
	if err != nil {
		return err
	}
	i := slices.IndexFunc(list, func(r phys.Row) bool { return r.Name == name })
	if i < 0 {
		return unknownSetting(called)
	}
	list[i].Name = called
	n, err := list[i].Parse(value)
	if err == nil {
		s.put(name, n)
	}
	return err
}

// put remembers a parameter. The list is a new one: copies of a Setup share theirs.
func (s *Setup) put(name string, n uint64) {
	list := slices.Clone(s.params)
	i, found := slices.BinarySearchFunc(list, name,
		func(p param, name string) int { return strings.Compare(p.name, name) })
	if found {
		list[i].value = n
	} else {
		list = slices.Insert(list, i, param{name, n})
	}
	s.params = list
}

func unknownSetting(name string) error {
	if strings.Contains(name, ".") {
		return fmt.Errorf("parameter %q: expected a name that zhuque params prints", name)
	}
	names := make([]string, len(settings))
	for i, r := range settings {
		names[i] = r.Name
	}
	slices.Sort(names)
	return fmt.Errorf("setting %q: expected one of %s, or a name that zhuque params prints",
		name, strings.Join(names, ", "))
}

// tune puts the parameters that were given into a configuration and checks it.
func (s *Setup) tune(cache *cachemodel.Config, power *eadr.Config, work *kernel.CostNanos) error {
	*work = kernel.DefaultCosts()
	list := rows(cache, power, work)
	for _, p := range s.params {
		i := slices.IndexFunc(list, func(r phys.Row) bool { return r.Name == p.name })
		if i < 0 {
			return unknownSetting(p.name)
		}
		list[i].Set(p.value)
	}
	if err := cache.Validate(); err != nil {
		return err
	}
	if err := power.Validate(); err != nil {
		return err
	}
	return work.Validate()
}

// maxPreset is the size of the largest preset file: many times that of a whole one.
const maxPreset = 1 << 20

// setPreset takes the name of a preset, or a file that gives parameters. What the file
// says is kept, not its name: the file may change, and a case is read elsewhere.
func (s *Setup) setPreset(value string) error {
	_, unknown := cachemodel.Preset(value)
	if unknown == nil && value != "" {
		s.Preset = value
		return nil
	}
	if !strings.ContainsAny(value, "/.") {
		if _, err := os.Stat(value); err != nil {
			return fmt.Errorf("preset %q: expected one of %s, or a file as zhuque params --format json prints it",
				value, strings.Join(cachemodel.Presets(), ", "))
		}
	}
	text, err := readBounded(value, maxPreset)
	if err != nil {
		return fmt.Errorf("preset %w", err)
	}
	return s.readPreset(value, text)
}

// readPreset reads parameters in the form of zhuque params --format json. The preset
// that they differ least from is the one whose sources they have.
func (s *Setup) readPreset(file string, text []byte) error {
	list, err := usual(s.Preset, s.Domain)
	if err != nil {
		return err
	}
	given, err := parsePreset(file, text, list)
	if err != nil {
		return err
	}
	best, fewest := "", len(given)+1
	for _, name := range cachemodel.Presets() {
		if n := len(differences(given, name, s.Domain)); n < fewest {
			best, fewest = name, n
		}
	}
	s.Preset = best
	for _, p := range differences(given, best, s.Domain) {
		if p.name == "cache.cores" {
			s.Cores = int(p.value)
			continue
		}
		s.put(p.name, p.value)
	}
	return nil
}

// differences are the parameters that are not a preset's.
func differences(given []param, preset string, domain eadr.Domain) (list []param) {
	all, err := usual(preset, domain)
	if err != nil {
		panic("BUG: " + err.Error())
	}
	for _, p := range given {
		i := slices.IndexFunc(all, func(r phys.Row) bool { return r.Name == p.name })
		if all[i].Get() != p.value {
			list = append(list, p)
		}
	}
	return list
}

// presetReader reads the objects of a preset file, and knows on which line it is.
type presetReader struct {
	file string
	text []byte
	dec  *json.Decoder
}

func (r *presetReader) line(at int64) int {
	// The decoder stands behind the last token: what follows it begins at the next word.
	rest := r.text[at:]
	skipped := len(rest) - len(bytes.TrimLeft(rest, " \t\r\n,:"))
	return 1 + bytes.Count(r.text[:int(at)+skipped], []byte("\n"))
}

func (r *presetReader) refuse(line int, format string, a ...any) error {
	return &SyntaxError{r.file, line, fmt.Errorf(format, a...)}
}

// expect reads a delimiter.
func (r *presetReader) expect(want json.Delim, what string) error {
	line := r.line(r.dec.InputOffset())
	if tok, err := r.dec.Token(); err != nil || tok != want {
		return r.refuse(line, "expected %s", what)
	}
	return nil
}

func parsePreset(file string, text []byte, known []phys.Row) (list []param, err error) {
	r := &presetReader{file, text, json.NewDecoder(bytes.NewReader(text))}
	r.dec.UseNumber()
	if err := r.expect('[', "a list of parameters, as zhuque params --format json prints it"); err != nil {
		return nil, err
	}
	for r.dec.More() {
		p, line, err := r.row(known)
		if err != nil {
			return nil, err
		}
		if slices.ContainsFunc(list, func(q param) bool { return q.name == p.name }) {
			return nil, r.refuse(line, "duplicate parameter %q", p.name)
		}
		list = append(list, p)
	}
	if err := r.expect(']', "a comma or the end of the list"); err != nil {
		return nil, err
	}
	if line := r.line(r.dec.InputOffset()); r.more() {
		return nil, r.refuse(line, "expected nothing after the list")
	}
	return list, nil
}

func (r *presetReader) more() bool {
	_, err := r.dec.Token()
	return err != io.EOF
}

// entry is a value with the line that its key is on.
type entry struct {
	value any
	line  int
}

// row reads one parameter. What it says of status, source and range is the simulator's to know.
func (r *presetReader) row(known []phys.Row) (p param, line int, err error) {
	line = r.line(r.dec.InputOffset())
	entries, err := r.object()
	if err != nil {
		return p, line, err
	}
	name, ok := entries["name"].value.(string)
	if !ok {
		return p, line, r.refuse(line, "parameter: expected a key name with a string")
	}
	i := slices.IndexFunc(known, func(row phys.Row) bool { return row.Name == name })
	if i < 0 {
		return p, line, r.refuse(entries["name"].line, "parameter %q: expected a name that zhuque params prints", name)
	}
	if unit, given := entries["unit"]; given && unit.value != known[i].Unit {
		return p, line, r.refuse(unit.line, "unit %q of %s: expected %q", fmt.Sprint(unit.value), name, known[i].Unit)
	}
	value, given := entries["value"]
	number, ok := value.value.(json.Number)
	if !given || !ok {
		return p, line, r.refuse(max(line, value.line), "%s: expected a key value with a number", name)
	}
	n, err := known[i].Parse(whole(number.String()))
	if err != nil {
		return p, line, r.refuse(value.line, "value: %w", err)
	}
	return param{name, n}, line, nil
}

// whole writes the largest number as it is: as a floating-point number it prints rounded up.
func whole(number string) string {
	const largest = 1<<64 - 1
	if f, err := strconv.ParseFloat(number, 64); err == nil && f == float64(largest) {
		return strconv.FormatUint(largest, 10)
	}
	return number
}

var presetKeys = []string{"name", "value", "unit", "status", "source", "range"}

// object reads the keys and values of one row.
func (r *presetReader) object() (map[string]entry, error) {
	if err := r.expect('{', "an object with the keys "+strings.Join(presetKeys, ", ")); err != nil {
		return nil, err
	}
	entries := map[string]entry{}
	for r.dec.More() {
		line := r.line(r.dec.InputOffset())
		key, err := r.dec.Token()
		if err != nil {
			return nil, r.refuse(line, "%w", err)
		}
		name := key.(string) // of an object
		if _, twice := entries[name]; twice || !slices.Contains(presetKeys, name) {
			return nil, r.refuse(line, "key %q: expected each of %s once", name, strings.Join(presetKeys, ", "))
		}
		value, err := r.dec.Token()
		if err != nil {
			return nil, r.refuse(line, "key %q: %w", name, err)
		}
		if _, nested := value.(json.Delim); nested {
			return nil, r.refuse(line, "key %q: expected a string or a number", name)
		}
		entries[name] = entry{value, line}
	}
	return entries, r.expect('}', "a comma or the end of the object")
}
