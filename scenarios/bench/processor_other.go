//go:build !unix

package bench

import "time"

var started = time.Now()

// processor is the time on the clock, where the processor time is not to be had.
func processor() time.Duration { return time.Since(started) }
