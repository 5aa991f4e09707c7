package crashinject

import (
	"slices"
	"strings"
	"testing"

	"zhuque/crashinject/result"
	"zhuque/sim"
	"zhuque/sim/kernel"
)

// A cut of a process that does not survive leaves the files that it synchronized,
// and with a page cache the others are told to be lost.
func TestFilesWithoutSurvivor(t *testing.T) {
	for _, files := range []string{DurableFiles, PageCache} {
		s := guestSetup(t, "files")
		s.Memory = sim.Native
		if err := s.Set("files", files); err != nil {
			t.Fatal(err)
		}
		out, err := Crash(s, parse(t, "after 20000"), kernel.NewConsole(nil, nil, nil))
		if err != nil || out.Point.Verdict != result.Detected || out.Left == nil {
			t.Fatalf("%s: %v, %v: %s", files, err, out.Point.Verdict, out.Point.Reason)
		}
		unsynced := func(what string) bool { return strings.HasPrefix(what, "/tmp/zhuque-files") }
		if lost := out.Left.Lost; slices.ContainsFunc(lost, unsynced) != (files == PageCache) {
			t.Errorf("%s: lost are %q", files, lost)
		}
	}
	s := DefaultSetup()
	if err := s.Set("files", "sometimes"); err == nil {
		t.Error("any word is taken")
	}
}

// Under Zhuque a page cache makes no difference: each call's changes are durable.
func TestPageCacheUnderZhuque(t *testing.T) {
	s := guestSetup(t, "files")
	s.Files = PageCache
	allPass(t, (&Campaign{Setup: s, Strategy: Strategy{Kind: Calls, Points: 300}}).mustRun(t))
}
