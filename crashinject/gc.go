package crashinject

import (
	"runtime"
	"runtime/debug"
	"sync"
)

// paceGC lets the heap grow by a good part of what lives in it, which is the
// guest's memory, but by no less than some room for the short-lived machines of
// crash checks. It sets the pace anew after each collection, since the guest's
// memory grows while the campaign runs.
func paceGC() (restore func()) {
	const percent, room = 60, 256 << 20
	var mu sync.Mutex
	over := false
	runtime.GC()
	old := debug.SetGCPercent(percent)
	var set func()
	set = func() {
		mu.Lock()
		defer mu.Unlock()
		if over {
			return
		}
		var st runtime.MemStats
		runtime.ReadMemStats(&st)
		debug.SetGCPercent(max(percent, int(room*100/max(st.HeapAlloc, 1<<20))))
		runtime.SetFinalizer(new(collected), func(*collected) { set() })
	}
	set()
	return func() {
		mu.Lock()
		defer mu.Unlock()
		over = true
		debug.SetGCPercent(old)
	}
}

// collected is an object whose finalizer tells of a collection. It holds a
// pointer so that it is not allocated together with others.
type collected struct{ _ *collected }
