//go:build !linux

package real

import (
	"context"
	"errors"
	"os/exec"
)

// sandbox is a native run in a file tree of its own, on Linux only.
type sandbox struct {
	Root, Dir string
	Args, Env []string
}

func (*sandbox) command(context.Context) (*exec.Cmd, error) {
	return nil, errors.New("x86-64 Linux programs run natively on Linux only")
}
