package result

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"reflect"
	"strings"
)

// Write writes d as indented JSON. It fills Schema and Version, and refuses a
// document that Read would not accept.
func Write(w io.Writer, d Document) error {
	d.Schema, d.Version = Schema, Version
	if err := d.Validate(); err != nil {
		return fmt.Errorf("result document: %w", err)
	}
	b, err := json.MarshalIndent(d, "", " ")
	if err != nil {
		return fmt.Errorf("result document: %w", err)
	}
	_, err = w.Write(append(b, '\n'))
	return err
}

// Save writes d to path through WriteFile.
func Save(path string, d Document) error {
	return WriteFile(path, func(w io.Writer) error { return Write(w, d) })
}

// Load reads the document at path. Every error names path.
func Load(path string) (Document, error) {
	f, err := os.Open(path)
	if err != nil {
		return Document{}, err
	}
	defer f.Close()
	d, err := Read(f)
	if err != nil {
		return Document{}, fmt.Errorf("%s: %w", path, err)
	}
	return d, nil
}

// Read reads and validates one document. Errors say where the text is damaged,
// or that a newer program wrote it.
func Read(r io.Reader) (Document, error) {
	b, err := io.ReadAll(r)
	if err != nil {
		return Document{}, err
	}
	var head struct {
		Schema  string `json:"schema"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(b, &head); err != nil {
		return Document{}, located(b, err)
	}
	switch {
	case head.Schema != Schema:
		return Document{}, fmt.Errorf("not a Zhuque Sim result: \"schema\" is %q, expected %q", head.Schema, Schema)
	case head.Version > Version:
		return Document{},
			fmt.Errorf("written by a newer Zhuque Sim: its version is %d, this program reads up to %d", head.Version, Version)
	case head.Version < 1:
		return Document{}, fmt.Errorf("\"version\" is %d, expected 1 to %d", head.Version, Version)
	}
	dec := json.NewDecoder(bytes.NewReader(b))
	dec.DisallowUnknownFields()
	var d Document
	if err := dec.Decode(&d); err != nil {
		return Document{}, located(b, err)
	}
	if err := d.Validate(); err != nil {
		return Document{}, err
	}
	return d, nil
}

// located words a JSON error with line and column.
func located(b []byte, err error) error {
	var syntax *json.SyntaxError
	var kind *json.UnmarshalTypeError
	switch {
	case len(bytes.TrimSpace(b)) == 0:
		return errors.New("the file is empty, expected a JSON document")
	case errors.As(err, &syntax):
		if syntax.Offset >= int64(len(bytes.TrimRight(b, " \t\r\n"))) && strings.Contains(err.Error(), "unexpected end") {
			return fmt.Errorf("%s: the text ends in the middle of the document; the file was cut short",
				position(b, int64(len(b))))
		}
		return fmt.Errorf("%s: not valid JSON: %w", position(b, syntax.Offset), err)
	case errors.As(err, &kind):
		return fmt.Errorf("%s: %q holds a %s, expected %s",
			position(b, kind.Offset), kind.Field, kind.Value, wanted(kind.Type))
	}
	return errors.New(strings.TrimPrefix(err.Error(), "json: "))
}

func wanted(t reflect.Type) string {
	switch t.Kind() {
	case reflect.Uint64:
		return "a whole number that is not negative"
	case reflect.Int:
		return "a whole number"
	case reflect.Float64:
		return "a number"
	case reflect.String:
		return "a string"
	case reflect.Bool:
		return "true or false"
	case reflect.Slice:
		return "a list"
	}
	return "an object"
}

func position(b []byte, offset int64) string {
	before := b[:min(offset, int64(len(b)))]
	line := 1 + bytes.Count(before, []byte("\n"))
	column := len(before) - bytes.LastIndexByte(before, '\n') - 1
	return fmt.Sprintf("line %d, column %d", line, max(column, 1))
}
