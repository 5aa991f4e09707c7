// Package ledger keeps a campaign on disk as it is judged: a row for each job, with its result, and a
// row for each point that did not pass. A campaign that was ended, however, continues from there; parts
// that were judged on several machines are merged. The file is a SQLite database that people may query:
// README.md has the schema.
package ledger

import (
	"cmp"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"net/url"
	"os"
	"regexp"
	"slices"
	"sync"

	_ "modernc.org/sqlite" // the driver "sqlite"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/sim/hostdir"
)

// Application and Version mark a ledger in the header of its file: PRAGMA application_id and
// user_version. Version rises when a column changes its meaning.
const (
	Application = 0x7a687571 // "zhuq"
	Version     = 1
)

const schema = `
CREATE TABLE campaign (
	field TEXT PRIMARY KEY, -- what decides the results: program, settings, strategy, inputs by digest, simulator
	value TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE jobs (
	first INTEGER PRIMARY KEY, -- index of its first point
	past INTEGER NOT NULL,     -- index of the first point after it
	pass INTEGER NOT NULL, violation INTEGER NOT NULL, detected INTEGER NOT NULL, unsupported INTEGER NOT NULL,
	simbug INTEGER NOT NULL, timeout INTEGER NOT NULL, unreached INTEGER NOT NULL,
	result TEXT NOT NULL       -- all that a merge needs, as JSON
);
CREATE TABLE points (
	point INTEGER PRIMARY KEY, -- its index; only those that did not pass
	at INTEGER NOT NULL,       -- instructions before the cut
	kind TEXT NOT NULL, step INTEGER NOT NULL,
	verdict TEXT NOT NULL, reason TEXT NOT NULL,
	cause TEXT NOT NULL,       -- the verdict and the reason without its numbers
	plan TEXT NOT NULL         -- for a case file
);
CREATE INDEX points_by_cause ON points (cause, point);
`

// Ledger is an open ledger. Keep may be called by several goroutines.
type Ledger struct {
	path, simulator string
	db              *sql.DB
	lock            *os.File // nil where it is only read

	mu          sync.Mutex
	description crashinject.Description
}

// Foreign is a file that is no ledger, or one of another campaign.
type Foreign struct{ Path, What string }

func (e *Foreign) Error() string { return e.Path + ": " + e.What }

// Create opens the ledger of a campaign for this process alone, and makes it where there is none.
// simulator says by what program it is judged. Errors: *Foreign, *InUse, those of the host.
func Create(path, simulator string) (*Ledger, error) {
	l := &Ledger{path: path, simulator: simulator}
	var err error
	if st, err := os.Stat(path); err == nil && !st.Mode().IsRegular() {
		return nil, &Foreign{path, "expected a file"}
	}
	if l.lock, err = os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644); err != nil {
		return nil, err
	}
	if err := hostdir.Lock(l.lock); err != nil {
		return nil, errors.Join(&InUse{path}, l.lock.Close())
	}
	if err := l.open("rwc"); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// InUse is a ledger that another campaign writes.
type InUse struct{ Path string }

func (e *InUse) Error() string { return e.Path + ": another campaign writes this ledger" }

// Read opens a ledger to look at it; a campaign may be writing it.
func Read(path string) (*Ledger, error) {
	if st, err := os.Stat(path); err != nil {
		return nil, err
	} else if !st.Mode().IsRegular() {
		return nil, &Foreign{path, "expected a file"}
	}
	l := &Ledger{path: path}
	if err := l.open("ro"); err != nil {
		return nil, errors.Join(err, l.Close())
	}
	return l, nil
}

// open opens the database and checks what it is. A file's triggers, views and functions are not trusted.
func (l *Ledger) open(mode string) error {
	name := url.URL{Scheme: "file", Opaque: (&url.URL{Path: l.path}).EscapedPath(), RawQuery: url.Values{"mode": {mode},
		"_pragma": {"busy_timeout(5000)", "trusted_schema(0)", "cell_size_check(1)"}}.Encode()}
	var err error
	if l.db, err = sql.Open("sqlite", name.String()); err != nil {
		return err
	}
	l.db.SetMaxOpenConns(1)
	var application, version, tables int
	err = errors.Join(l.db.QueryRow("PRAGMA application_id").Scan(&application), l.db.QueryRow("PRAGMA user_version").Scan(&version),
		l.db.QueryRow("SELECT count(*) FROM sqlite_master").Scan(&tables))
	switch {
	case err != nil:
		return &Foreign{l.path, fmt.Sprintf("it is no ledger: %v", err)}
	case tables == 0 && application == 0 && mode != "ro":
		return l.make()
	case application != Application:
		return &Foreign{l.path, "it is no ledger of zhuque"}
	case version != Version:
		return &Foreign{l.path, fmt.Sprintf("a ledger of version %d: expected version %d", version, Version)}
	}
	if mode != "ro" {
		if err := l.write(); err != nil {
			return err
		}
	}
	return l.describe()
}

// make fills an empty file: whole, or not at all.
func (l *Ledger) make() error {
	if err := l.write(); err != nil {
		return err
	}
	return l.in(func(tx *sql.Tx) error {
		_, err := tx.Exec(schema + fmt.Sprintf("PRAGMA application_id = %d; PRAGMA user_version = %d;", Application, Version))
		return err
	})
}

// write prepares for writing: what was committed survives a kill of the process, and the file that of
// the machine.
func (l *Ledger) write() error {
	_, err := l.db.Exec("PRAGMA journal_mode = WAL; PRAGMA synchronous = NORMAL")
	return err
}

func (l *Ledger) in(do func(*sql.Tx) error) error {
	tx, err := l.db.Begin()
	if err != nil {
		return err
	}
	if err := do(tx); err != nil {
		return errors.Join(err, tx.Rollback())
	}
	return tx.Commit()
}

// Close ends the use of a ledger. One that was written is a single file then.
func (l *Ledger) Close() (err error) {
	if l.db != nil && l.lock != nil {
		_, err := l.db.Exec("PRAGMA journal_mode = DELETE")
		_ = err // somebody reads it: its other files stay beside it
	}
	if l.db != nil {
		err = l.db.Close()
	}
	if l.lock != nil {
		err = errors.Join(err, l.lock.Close()) // after the database: closing it drops all of the process's locks
	}
	return err
}

// describe reads which campaign the ledger is of.
func (l *Ledger) describe() error {
	l.description = crashinject.Description{Fields: map[string]string{}}
	return l.each("SELECT field, value FROM campaign", func(rows *sql.Rows) error {
		var field, value string
		if err := rows.Scan(&field, &value); err != nil {
			return err
		}
		var n *uint64
		switch field {
		case "points":
			n = &l.description.Points
		case "jobs":
			n = &l.description.Jobs
		default:
			l.description.Fields[field] = value
			return nil
		}
		_, err := fmt.Sscan(value, n)
		return err
	})
}

func (l *Ledger) each(query string, do func(*sql.Rows) error, args ...any) error {
	rows, err := l.db.Query(query, args...)
	if err != nil {
		return fmt.Errorf("%s: %w", l.path, err)
	}
	defer rows.Close()
	for rows.Next() {
		if err := do(rows); err != nil {
			return err
		}
	}
	return rows.Err()
}

// Open implements crashinject.Ledger. Errors: *Foreign, for a ledger of another campaign.
func (l *Ledger) Open(d crashinject.Description) (map[crashinject.Job][]byte, error) {
	if l.simulator != "" {
		d.Fields = maps.Clone(d.Fields)
		d.Fields["simulator"] = l.simulator
	}
	if l.description.Points == 0 {
		if err := l.name(d); err != nil {
			return nil, err
		}
	}
	if err := l.same(&d); err != nil {
		return nil, err
	}
	return l.jobs()
}

func (l *Ledger) jobs() (map[crashinject.Job][]byte, error) {
	known := map[crashinject.Job][]byte{}
	return known, l.each("SELECT first, past, result FROM jobs", func(rows *sql.Rows) error {
		var j crashinject.Job
		var text []byte
		err := rows.Scan(&j.Lo, &j.Hi, &text)
		known[j] = text
		return err
	})
}

// name writes down of which campaign a new ledger is.
func (l *Ledger) name(d crashinject.Description) error {
	l.description = d
	all := maps.Clone(d.Fields)
	all["points"], all["jobs"] = fmt.Sprint(d.Points), fmt.Sprint(d.Jobs)
	return l.in(func(tx *sql.Tx) error {
		for _, field := range slices.Sorted(maps.Keys(all)) {
			if _, err := tx.Exec("INSERT INTO campaign VALUES (?, ?)", field, all[field]); err != nil {
				return err
			}
		}
		return nil
	})
}

// same reports in what the ledger's campaign is another one.
func (l *Ledger) same(d *crashinject.Description) error {
	both := maps.Clone(d.Fields)
	maps.Copy(both, l.description.Fields)
	for _, field := range slices.Sorted(maps.Keys(both)) {
		if was, is := l.description.Fields[field], d.Fields[field]; was != is {
			return &Foreign{l.path, fmt.Sprintf("a ledger of another campaign: its %s is %q, here it is %q", field, short(was), short(is))}
		}
	}
	if l.description.Points != d.Points || l.description.Jobs != d.Jobs {
		return &Foreign{l.path, fmt.Sprintf("a ledger of another campaign: it has %d points, here there are %d", l.description.Points, d.Points)}
	}
	return nil
}

func short(s string) string {
	if len(s) > 60 {
		return s[:60] + "…"
	}
	return s
}

var numbers = regexp.MustCompile(`0x[0-9a-fA-F]+|[0-9]+`)

// Cause is what failures of one kind have in common: the verdict, and the reason without its numbers.
func Cause(p *result.Point) string {
	return p.Verdict.String() + ": " + numbers.ReplaceAllString(p.Reason, "#")
}

// Keep implements crashinject.Ledger: a job and its points are there together or not at all, and a
// job that is there already is not written again.
func (l *Ledger) Keep(j crashinject.Judged) error {
	var of struct{ Counts result.Counts }
	if err := json.Unmarshal(j.Result, &of); err != nil {
		return err
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	n := &of.Counts
	return l.in(func(tx *sql.Tx) error {
		done, err := tx.Exec("INSERT OR IGNORE INTO jobs VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)",
			j.Lo, j.Hi, n.Pass, n.Violation, n.Detected, n.Unsupported, n.SimBug, n.Timeout, n.Unreached, string(j.Result))
		if err != nil {
			return err
		}
		if rows, err := done.RowsAffected(); err != nil || rows == 0 {
			return err
		}
		put, err := tx.Prepare("INSERT INTO points VALUES (?, ?, ?, ?, ?, ?, ?, ?)")
		if err != nil {
			return err
		}
		defer put.Close()
		for i := range j.Failed {
			p := &j.Failed[i]
			if _, err := put.Exec(p.Index, p.At, string(p.Kind), p.Step, p.Verdict.String(), p.Reason, Cause(p), p.Plan); err != nil {
				return err
			}
		}
		return nil
	})
}

// Reset forgets everything.
func (l *Ledger) Reset() error {
	l.description = crashinject.Description{Fields: map[string]string{}}
	return l.in(func(tx *sql.Tx) error {
		_, err := tx.Exec("DELETE FROM campaign; DELETE FROM jobs; DELETE FROM points")
		return err
	})
}

// Complete reports whether all of a campaign was judged.
func (l *Ledger) Complete() bool {
	c, err := l.Counts()
	return err == nil && c.AllPoints > 0 && c.Points == c.AllPoints
}

// Counts is what a ledger has.
type Counts struct {
	Jobs, AllJobs     uint64
	Points, AllPoints uint64
	Verdicts          result.Counts
	Fields            map[string]string
}

// Counts sums up.
func (l *Ledger) Counts() (c Counts, err error) {
	c.AllJobs, c.AllPoints, c.Fields = l.description.Jobs, l.description.Points, l.description.Fields
	v := &c.Verdicts
	const sums = "coalesce(sum(pass), 0), coalesce(sum(violation), 0), coalesce(sum(detected), 0), coalesce(sum(unsupported), 0), coalesce(sum(simbug), 0), coalesce(sum(timeout), 0), coalesce(sum(unreached), 0)"
	err = l.db.QueryRow("SELECT count(*), coalesce(sum(past - first), 0), "+sums+" FROM jobs").Scan(&c.Jobs, &c.Points,
		&v.Pass, &v.Violation, &v.Detected, &v.Unsupported, &v.SimBug, &v.Timeout, &v.Unreached)
	return c, err
}

// Failure is a cause with the points that have it.
type Failure struct {
	Cause  string `json:"cause"`
	Points uint64 `json:"points"`
	First  uint64 `json:"first"` // index
	Reason string `json:"reason"`
	Plan   string `json:"plan"` // of the first
}

// Failures lists the causes, of all verdicts or of one, by their first point.
func (l *Ledger) Failures(verdict string, most int) (list []Failure, err error) {
	return list, l.each(`SELECT cause, count(*), min(point), reason, plan FROM points WHERE ?1 = '' OR verdict = ?1 GROUP BY cause ORDER BY min(point) LIMIT ?2`,
		func(rows *sql.Rows) error {
			var f Failure
			err := rows.Scan(&f.Cause, &f.Points, &f.First, &f.Reason, &f.Plan)
			list = append(list, f)
			return err
		}, verdict, most)
}

// Merge adds what other ledgers of the same campaign have. A job that several have must be the same.
func (l *Ledger) Merge(from *Ledger) error {
	if from.description.Points == 0 {
		return &Foreign{from.path, "it has no campaign yet"}
	}
	if l.description.Points == 0 {
		if err := l.name(from.description); err != nil {
			return err
		}
	}
	if err := from.same(&l.description); err != nil {
		return err
	}
	known, err := l.jobs()
	if err != nil {
		return err
	}
	theirs, err := from.jobs()
	if err != nil {
		return err
	}
	for _, j := range slices.SortedFunc(maps.Keys(theirs), func(a, b crashinject.Job) int { return cmp.Compare(a.Lo, b.Lo) }) {
		if mine, ok := known[j]; ok {
			if string(mine) != string(theirs[j]) {
				return &Foreign{from.path, fmt.Sprintf("points %d to %d came out otherwise than in %s: a bug of the simulator, or of one machine", j.Lo, j.Hi-1, l.path)}
			}
			continue
		}
		failed, err := from.points(j)
		if err != nil {
			return err
		}
		if err := l.Keep(crashinject.Judged{Job: j, Result: theirs[j], Failed: failed}); err != nil {
			return err
		}
	}
	return nil
}

// points reads the points of a job that did not pass.
func (l *Ledger) points(j crashinject.Job) (list []result.Point, err error) {
	return list, l.each("SELECT point, at, kind, step, verdict, reason, plan FROM points WHERE point >= ? AND point < ? ORDER BY point",
		func(rows *sql.Rows) error {
			var p result.Point
			var kind, verdict string
			if err := rows.Scan(&p.Index, &p.At, &kind, &p.Step, &verdict, &p.Reason, &p.Plan); err != nil {
				return err
			}
			p.Kind = result.Kind(kind)
			err := p.Verdict.UnmarshalText([]byte(verdict))
			list = append(list, p)
			return err
		}, j.Lo, j.Hi)
}

var _ io.Closer = (*Ledger)(nil)
