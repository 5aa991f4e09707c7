package persistent

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"zhuque/crashinject"
	"zhuque/crashinject/explore"
	"zhuque/eadr"
	"zhuque/internal/testrig"
	"zhuque/scenarios/real"
	"zhuque/sim"
)

// pmdkLibraries are what a program on the PMDK loads, all of them Debian's.
var pmdkLibraries = []string{
	"ld-linux-x86-64.so.2", "libc.so.6", "libpmemobj.so.1", "libpmem.so.1", "libndctl.so.6", "libdaxctl.so.1", "libudev.so.1",
	"libuuid.so.1", "libkmod.so.2", "liblzma.so.5", "libcrypto.so.3", "libzstd.so.1",
}

// pmdkRow is a program of pmdk/src with its faults: those that are none under eADR, and those of both
// domains. A fault comes with the number of operations that it takes: each costs some
// 25 to 75 worlds, and a recovery opens its pool with 13 million instructions.
type pmdkRow struct {
	name          string
	operations    int // of the right program
	flushes, both string
	quick         string // the fault that is looked for when not everything is asked for
}

// Under eADR libpmem fences its non-temporal stores by itself: missing_drain is no fault then. Nor is what
// btree does not log under its wrong_range: a node does not look at children past its last key.
var pmdkPrograms = []pmdkRow{
	{"list", 1, "", "missing_tx_add:1 wrong_range:1", "missing_tx_add"},
	{"queue", 2, "missing_flush:1 missing_fence:1 flush_early:1 wrong_range:1", "commit_early:1 torn:1", "torn"},
	{"hash", 1, "", "missing_tx_add:1 wrong_range:2", ""},
	{"btree", 1, "wrong_range:1", "missing_tx_add:1", "wrong_range"},
	{"log", 2, "missing_flush:1 missing_fence:1 missing_drain:1", "commit_early:1", "missing_drain"},
	{"atomic", 1, "missing_flush:1 flush_early:1 wrong_range:1", "publish_early:1", ""},
	{"blobs", 2, "wrong_range:1 missing_drain:1", "commit_early:1", ""},
	{"churn", 1, "double_free:2", "publish_early:2", ""},
}

// pmdk returns the libraries' files, and more of them, and the tree that they are of.
func pmdk(t *testing.T, more []string) (files map[string]string, root string) {
	t.Helper()
	root, err := real.Root()
	if err == nil {
		if _, err = os.Stat(filepath.Join(root, "usr/include/libpmemobj.h")); err != nil {
			err = fmt.Errorf("Debian's PMDK is missing: run scenarios/real/fetch: %w", err)
		}
	}
	if err != nil {
		if os.Getenv("CI") == "true" || os.Getenv("ZHUQUE_REAL") == "need" {
			t.Fatal(err)
		}
		t.Skip(err)
	}
	files = map[string]string{}
	for _, name := range append(more, pmdkLibraries...) {
		for _, dir := range []string{"usr/lib/x86_64-linux-gnu", "lib/x86_64-linux-gnu", "usr"} {
			if data, err := os.ReadFile(filepath.Join(root, dir, name)); err == nil {
				files[name] = string(data)
			}
		}
		if files[name] == "" {
			t.Fatalf("%s is not among Debian's packages in %s", name, root)
		}
	}
	return files, root
}

// pmdkTree makes a file tree with the libraries for all programs, and with more of Debian's files.
func pmdkTree(t *testing.T, more ...string) (tree, debian string) {
	t.Helper()
	files, debian := pmdk(t, more)
	tree = testrig.EmptyRoot(t)
	for name, data := range files {
		dir := "usr/lib/x86_64-linux-gnu"
		switch {
		case strings.HasPrefix(name, "bin/"):
			dir = ""
		case strings.HasPrefix(name, "ld-"):
			dir = "lib64"
		}
		err := os.MkdirAll(filepath.Dir(filepath.Join(tree, dir, name)), 0o755)
		if err == nil {
			err = os.WriteFile(filepath.Join(tree, dir, name), []byte(data), 0o755)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	return tree, debian
}

// pmdkBuilt compiles a program with a fault into the tree, has it make its pool, which is not explored,
// and returns what explores it.
func pmdkBuilt(t *testing.T, tree, debian, name, fault string, operations int) *explore.Options {
	t.Helper()
	lib, program := filepath.Join(tree, "usr/lib/x86_64-linux-gnu"), name+"-"+fault
	args := []string{"-std=gnu11", "-O1", "-g", "-DPLANTED=" + fault, "-I", filepath.Join(debian, "usr/include"), "-I", "../../runtime",
		"-o", filepath.Join(tree, program), "pmdk/src/" + name + ".c",
		filepath.Join(lib, "libpmemobj.so.1"), filepath.Join(lib, "libpmem.so.1"), "-Wl,-rpath-link," + lib}
	if text, err := exec.Command(testrig.Compiler(t), args...).CombinedOutput(); err != nil {
		t.Fatalf("gcc: %v\n%s", err, text)
	}
	s := crashinject.DefaultSetup()
	s.Root, s.Program, s.Args, s.PMEMDir = tree, "/"+program, []string{"create"}, t.TempDir()
	s.Memory, s.Model = sim.Native, crashinject.NoModel
	runOnce(t, &s)
	s.Args = []string{"run", fmt.Sprint(operations)}
	r, err := crashinject.ParseRestart("/"+program+" check", 0)
	if err != nil {
		t.Fatal(err)
	}
	return &explore.Options{Setup: s, Recover: r, Cuts: 1, PointWorlds: 2000}
}

// runOnce runs a program, and keeps what it leaves in its directory of the host.
func runOnce(t *testing.T, s *crashinject.Setup) {
	t.Helper()
	release, err := s.KeepFiles()
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	cfg, err := s.Config(nil)
	if err != nil {
		t.Fatal(err)
	}
	m, err := s.Start(cfg)
	if err != nil {
		t.Fatal(err)
	}
	stop := m.RunUntil(1e9)
	if _, stderr := m.Output(); !stop.Ended() || stop.ExitCode() != 0 {
		t.Fatalf("%s %q %v: %s", s.Program, s.Args, stop, stderr)
	}
	if err := m.Close(); err != nil {
		t.Fatal(err)
	}
}

// The programs are right on the real libraries, whatever a cut leaves, and each fault is found with its
// line. With ZHUQUE_REAL_ALL=1 all faults are looked for, under both domains, and more
// operations of the right programs.
func TestPlantedFaultsOnPMDK(t *testing.T) {
	tree, debian := pmdkTree(t)
	all := os.Getenv("ZHUQUE_REAL_ALL") != ""
	for _, p := range pmdkPrograms {
		flushes, both := strings.Fields(p.flushes), strings.Fields(p.both)
		t.Run(p.name, func(t *testing.T) {
			t.Parallel()
			run := func(domain eadr.Domain, fault string, operations int) *explore.Report {
				opt := pmdkBuilt(t, tree, debian, p.name, fault, operations)
				opt.Setup.Domain = domain
				r, err := explore.Explore(context.Background(), opt)
				if err != nil {
					t.Fatalf("%s, %v: %v", fault, domain, err)
				}
				t.Logf("%s, %d operations: %s", fault, operations, firstLine(r))
				return r
			}
			right := func(domain eadr.Domain, fault string, operations int) {
				if r := run(domain, fault, operations); len(r.Failures) != 0 || !r.Exhaustive || r.Verdict != "pass" {
					t.Errorf("%s, %v is right:\n%s", fault, domain, r.Text())
				}
			}
			wrong := func(domain eadr.Domain, fault string, operations int) {
				lines := blamed(t, "pmdk/src/"+p.name, fault)
				if r := run(domain, fault, operations); !names(r, p.name+".c", lines) || r.Verdict != "violation" {
					t.Errorf("%s, %v: expected one of lines %d to be blamed:\n%s", fault, domain, lines, r.Text())
				}
			}
			if right(eadr.ADR, "none", p.operations); all {
				right(eadr.ADR, "none", 3*p.operations)
				right(eadr.EADR, "none", p.operations)
			}
			for i, word := range append(flushes, both...) {
				fault, n, _ := strings.Cut(word, ":")
				operations, err := strconv.Atoi(n)
				if err != nil {
					t.Fatal(err)
				}
				switch {
				case !all && fault != p.quick:
					continue
				case !all:
				case i < len(flushes):
					right(eadr.EADR, fault, operations)
				default:
					wrong(eadr.EADR, fault, operations)
				}
				wrong(eadr.ADR, fault, operations)
			}
		})
	}
}

// pmempool check finds each pool whole that a right program's recovery leaves, and one that is not whole
// where a recovery does not look at it.
func TestPoolCheckOnPMDK(t *testing.T) {
	tree, debian := pmdkTree(t, "bin/pmempool", "libpmempool.so.1", "libpmemblk.so.1", "libpmemlog.so.1")
	check, err := crashinject.ParseRestart("/bin/pmempool check /mnt/pmem/queue", 0)
	if err != nil {
		t.Fatal(err)
	}
	right := pmdkBuilt(t, tree, debian, "queue", "none", 1)
	right.Check, right.Setup.Domain = check, eadr.ADR
	r, err := explore.Explore(context.Background(), right)
	if err != nil {
		t.Fatal(err)
	}
	if len(r.Failures) > 0 || !r.Exhaustive {
		t.Errorf("the right program:\n%s", r.Text())
	}
	wrong := pmdkBuilt(t, tree, debian, "queue", "scribble", 1)
	wrong.Check, wrong.Recover.Args, wrong.Setup.Domain = check, []string{"skip"}, eadr.ADR
	if r, err = explore.Explore(context.Background(), wrong); err != nil {
		t.Fatal(err)
	}
	lines := blamed(t, "pmdk/src/queue", "scribble")
	if !names(r, "queue.c", lines) || r.Failures[0].Kind != explore.Check {
		t.Errorf("a header that is overwritten: expected one of lines %d to be blamed\n%s", lines, r.Text())
	}
}

func firstLine(r *explore.Report) string {
	line, _, _ := strings.Cut(r.Text(), "\n")
	return line
}
