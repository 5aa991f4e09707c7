package crashinject

import (
	"context"
	"runtime"
	"runtime/debug"
	"testing"
)

// What a campaign remembers of the uncut run is not the memory that it touched.
func TestBaselineLetsTheGuestsMemoryGo(t *testing.T) {
	s := guestSetup(t, "footprint")
	s.Args = []string{"64"}
	before := live()
	base, _, err := (&Campaign{Setup: s}).baseline(context.Background())
	if err != nil {
		t.Fatal(err)
	}
	if grown := live() - before; grown > 8<<20 {
		t.Errorf("%d bytes more are in use after a run that touched 64 MB", grown)
	}
	runtime.KeepAlive(base)
}

// live returns the bytes in use after a collection.
func live() int64 {
	runtime.GC()
	var st runtime.MemStats
	runtime.ReadMemStats(&st)
	return int64(st.HeapAlloc)
}

// The collector's pace follows a heap that grows after the campaign's start, and
// is as before when the campaign is over.
func TestPaceFollowsTheHeap(t *testing.T) {
	old := debug.SetGCPercent(77)
	defer debug.SetGCPercent(old)
	percent := func() int {
		p := debug.SetGCPercent(100)
		debug.SetGCPercent(p)
		return p
	}
	restore := paceGC()
	small := percent()
	ballast := make([]byte, 600<<20)
	for i := 0; i < 1000 && percent() == small; i++ {
		runtime.GC()
		runtime.Gosched()
	}
	large := percent()
	runtime.KeepAlive(ballast)
	restore()
	if small <= 100 || large != 60 || percent() != 77 {
		t.Errorf("%d%% for a small heap, %d%% for a large one, %d%% afterwards", small, large, percent())
	}
}
