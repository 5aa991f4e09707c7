package real

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"zhuque/crashinject"
)

// PostgreSQL refuses to run as root: its scripts become another user. A cluster holds times
// and random identities, so that files are not compared, but what the programs say.

var (
	postgresInit   = run{name: "postgres-initdb", args: []string{"/bin/bash", "postgres-initdb.sh", "postgres-initdb"}, scripts: []string{"postgres-initdb.sh"}}
	postgresSingle = run{name: "postgres-single", args: []string{"/bin/bash", "postgres-single.sh"}, scripts: []string{"postgres-single.sh"}}
	postgresServer = run{name: "postgres-server", args: []string{"/bin/bash", "postgres-server.sh"}, scripts: []string{"postgres-server.sh"}}
)

// postgres returns the unpacked tree.
func postgres(t *testing.T) (root string) {
	native(t)
	root = software(t)
	if _, err := os.Stat(filepath.Join(root, "usr/lib/postgresql/15/bin/postgres")); err != nil && os.Getenv("CI") != "true" && os.Getenv("ZHUQUE_REAL") != "need" {
		t.Skip(err)
	}
	if os.Geteuid() != 0 {
		t.Skip("only root can become the user that PostgreSQL runs as natively")
	}
	return root
}

// cluster makes the directory of a run, with a cluster that initdb makes natively.
func (r run) cluster(t *testing.T, root string) (dir string) {
	t.Helper()
	dir = r.prepare(t, root)
	maker := run{name: r.name, args: []string{"/bin/bash", "postgres-initdb.sh", r.name}}
	if err := os.WriteFile(filepath.Join(root, dir, "postgres-initdb.sh"), script(t, "postgres-initdb.sh"), 0o644); err != nil {
		t.Fatal(err)
	}
	if s := maker.natively(t, root, dir); s.exit != 0 {
		t.Fatalf("initdb: exit status %d, %s", s.exit, s.stderr)
	}
	return dir
}

// twice runs a script on two copies of one cluster, here and natively, and compares what it
// says.
func (r run) twice(t *testing.T, root string) (said string) {
	t.Helper()
	dir := r.cluster(t, root)
	got, stop, n := r.simulated(t, root, dir)
	if t.Logf("%d million instructions", n/1e6); !stop.Ended() {
		t.Fatalf("%v (after %d instructions), standard error %q", stop, n, got.stderr)
	}
	want := r.natively(t, root, dir)
	if got.exit != want.exit || want.exit != 0 {
		t.Errorf("exit status %d, natively %d; standard error %q", got.exit, want.exit, got.stderr)
	}
	sameText(t, "standard output", want.stdout, got.stdout)
	return got.stdout
}

// 100 transactions, committed one by one, end as they do natively, and no money is lost.
func TestPostgresTransactions(t *testing.T) {
	said := postgresSingle.twice(t, postgres(t))
	for _, part := range []string{"sum = \"1000\"", "count = \"10\"", "status 0"} {
		if !strings.Contains(said, part) {
			t.Errorf("it does not say %q:\n%s", part, said)
		}
	}
}

// The server and its client, on a UNIX socket.
func TestPostgresServer(t *testing.T) {
	said := postgresServer.twice(t, postgres(t))
	for _, part := range []string{" 1000 |    10", "psql 0", "server 0"} {
		if !strings.Contains(said, part) {
			t.Errorf("it does not say %q:\n%s", part, said)
		}
	}
}

// initdb says what it says natively.
func TestPostgresInitdb(t *testing.T) {
	if !all() {
		t.Skip("heavy: set ZHUQUE_REAL_ALL=1")
	}
	root := postgres(t)
	dir := postgresInit.prepare(t, root)
	got, stop, n := postgresInit.simulated(t, root, dir)
	if t.Logf("%d million instructions", n/1e6); !stop.Ended() {
		t.Fatalf("%v (after %d instructions), standard error %q", stop, n, got.stderr)
	}
	want := postgresInit.natively(t, root, dir)
	if got.exit != 0 || want.exit != 0 {
		t.Errorf("exit status %d, natively %d; standard error %q", got.exit, want.exit, got.stderr)
	}
	sameText(t, "standard output", want.stdout, got.stdout)
}

// 200 power cuts in initdb, the transactions and the server each: half of them anywhere,
// half inside calls. Without ZHUQUE_REAL_ALL only the transactions are cut.
func TestPostgresCuts(t *testing.T) {
	root := postgres(t)
	const points = 100
	for _, r := range []run{postgresInit, postgresSingle, postgresServer} {
		t.Run(strings.TrimPrefix(r.name, "postgres-"), func(t *testing.T) {
			if r.name != postgresSingle.name && !all() {
				t.Skip("heavy: set ZHUQUE_REAL_ALL=1")
			}
			var dir string
			if r.name += "-cuts"; r.args[1] == "postgres-initdb.sh" {
				r.args = []string{r.args[0], r.args[1], r.name}
				dir = r.prepare(t, root)
			} else {
				dir = r.cluster(t, root)
			}
			mustPass(t, crashinject.Campaign{Name: r.name, Setup: r.setup(root, dir), Workers: 1, Tails: 1,
				Strategy: crashinject.Strategy{Kind: crashinject.Random, Points: points, Seed: 2},
				Also:     []crashinject.Strategy{{Kind: crashinject.Calls, Points: points, Seed: 2}}}, 2*points)
		})
	}
}
