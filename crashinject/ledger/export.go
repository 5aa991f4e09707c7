package ledger

import (
	"database/sql"
	"encoding/csv"
	"encoding/json"
	"fmt"
	"io"
)

// columns are those of both kinds of rows; a job's points are first to last, a point's the one.
var columns = []string{"row", "first", "last", "pass", "violation", "detected", "unsupported", "simbug", "timeout", "unreached",
	"at", "kind", "step", "verdict", "reason", "plan"}

// rows hands on all rows, the jobs and then the points, each in order. There is nothing of the host in
// them: a campaign has the same rows wherever and by however many it was judged.
func (l *Ledger) rows(do func([]string) error) error {
	texts := func(kind string, n int) func(*sql.Rows) error {
		return func(rows *sql.Rows) error {
			list, to := make([]string, n), make([]any, n)
			for i := range list {
				to[i] = &list[i]
			}
			if err := rows.Scan(to...); err != nil {
				return err
			}
			return do(append([]string{kind}, list...))
		}
	}
	err := l.each(`SELECT first, past - 1, pass, violation, detected, unsupported, simbug, timeout, unreached, '', '', '', '', '', '' FROM jobs ORDER BY first`, texts("job", 15))
	if err != nil {
		return err
	}
	return l.each(`SELECT point, point, '', '', '', '', '', '', '', at, kind, step, verdict, reason, plan FROM points ORDER BY point`, texts("point", 15))
}

// Formats are the forms of an export.
var Formats = []string{"csv", "json"}

// Export writes all rows: CSV, or JSON with an object a line.
func (l *Ledger) Export(w io.Writer, format string) error {
	switch format {
	case "csv":
		out := csv.NewWriter(w)
		if err := out.Write(columns); err != nil {
			return err
		}
		if err := l.rows(out.Write); err != nil {
			return err
		}
		out.Flush()
		return out.Error()
	case "json":
		out := json.NewEncoder(w)
		return l.rows(func(row []string) error {
			object := map[string]string{}
			for i, v := range row {
				if v != "" {
					object[columns[i]] = v
				}
			}
			return out.Encode(object)
		})
	}
	return fmt.Errorf("format %q: expected one of %q", format, Formats)
}
