//go:build !linux || !amd64

package lockstep

import "runtime"

func compare(Options) (*Report, error) {
	return nil, &NotHere{Reason: "needs Linux on x86-64, this is " + runtime.GOOS + "/" + runtime.GOARCH}
}
