package main

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strconv"
	"strings"
	"time"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/scenarios/guests"
	"zhuque/sim/phys"
)

const (
	hostRounds = "20000" // of each figure's mean, of which the least of a few counts
	hostLimit  = 5 * time.Minute
	hostOutput = 64 << 10 // bytes: many times what the program prints
)

// measureHost runs the guest hostcost on this host's own Linux and writes all parameters of a
// setup, with what was measured in place of the kernel's, where --preset reads them.
func measureHost(file string, setup *crashinject.Setup) error {
	if runtime.GOOS != "linux" || runtime.GOARCH != "amd64" {
		return exit(result.Unsupported.ExitCode(),
			"--measure-host: the program that measures is for linux/amd64, this host is %s/%s", runtime.GOOS, runtime.GOARCH)
	}
	list, err := paramsOf(setup)
	if err != nil {
		return err
	}
	ctx, cancel := interruptible()
	defer cancel()
	text, err := runHostcost(ctx)
	if err != nil {
		return exit(result.StatusInfrastructure, "--measure-host: %v", err)
	}
	if err := takeFigures(list, text); err != nil {
		return exit(result.StatusInfrastructure, "--measure-host: %v", err)
	}
	return writeFile(file, func(w io.Writer) error { return writeJSON(w, list) })
}

// runHostcost returns what the guest prints natively.
func runHostcost(ctx context.Context) ([]byte, error) {
	program, err := guests.Guest("hostcost")
	if err != nil {
		return nil, err
	}
	dir, err := os.MkdirTemp("", "zhuque-hostcost-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "hostcost")
	if err := os.WriteFile(path, program, 0o700); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, hostLimit)
	defer cancel()
	cmd := exec.CommandContext(ctx, path, hostRounds)
	cmd.Env = []string{}
	text, err := cmd.Output()
	var failed *exec.ExitError
	if errors.As(err, &failed) && len(failed.Stderr) > 0 {
		err = fmt.Errorf("%w: %s", err, bytes.TrimSpace(failed.Stderr))
	}
	if err == nil && len(text) > hostOutput {
		err = fmt.Errorf("it printed %d bytes", len(text))
	}
	return text, err
}

// takeFigures puts the figures of hostcost, a name and nanoseconds a line, into parameters.
func takeFigures(list []phys.Param, text []byte) error {
	figures := map[string]float64{}
	for s := bufio.NewScanner(bytes.NewReader(text)); s.Scan(); {
		name, value, _ := strings.Cut(s.Text(), " ")
		n, err := strconv.ParseUint(value, 10, 32)
		if err != nil {
			return fmt.Errorf("%q: expected a name and nanoseconds", s.Text())
		}
		figures["kernel."+name] = float64(n)
	}
	for i := range list {
		p := &list[i]
		if !strings.HasPrefix(p.Name, "kernel.") {
			continue
		}
		n, ok := figures[p.Name]
		if !ok {
			return fmt.Errorf("no figure for %s", p.Name)
		}
		p.Value, p.Status, p.Source = n, phys.Measured, "zhuque params --measure-host"
		delete(figures, p.Name)
	}
	for name := range figures {
		return fmt.Errorf("a figure for %s, which is no parameter", name)
	}
	return nil
}
