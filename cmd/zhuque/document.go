package main

import (
	"cmp"
	"fmt"
	"io"
	"runtime"
	"runtime/debug"
	"slices"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/sim/phys"
)

// document collects campaigns on the machine of one setup for a report.
func document(title string, setup *crashinject.Setup, campaigns ...result.Campaign) (result.Document, error) {
	params, err := paramsOf(setup)
	return result.Document{
		Title: "Zhuque Sim: " + title, Commands: []string{thisCommand()}, Campaigns: campaigns, Params: params,
		Environment: []result.Fact{
			{Name: "simulator", Value: "zhuque " + version().Version},
			{Name: "revision", Value: cmp.Or(revision(), "not known")},
			{Name: "built by", Value: runtime.Version()},
			{Name: "host", Value: fmt.Sprintf("%s/%s, %d CPUs", runtime.GOOS, runtime.GOARCH, runtime.NumCPU())},
			{Name: "cache model", Value: setup.Preset},
			{Name: "persistence domain", Value: setup.Domain.String()},
		},
	}, err
}

// paramsOf lists the parameters of a setup's machine.
func paramsOf(setup *crashinject.Setup) ([]phys.Param, error) {
	cfg, err := setup.Config(nil)
	if err != nil {
		return nil, err
	}
	return slices.Concat(cfg.Cache.Params(), cfg.Power.Params(), cfg.Kernel.Params()), nil
}

func writeText(s string) func(io.Writer) error {
	return func(w io.Writer) error { _, err := io.WriteString(w, s); return err }
}

// versionInfo says which simulator this is.
type versionInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Go       string `json:"go"`
	Platform string `json:"platform"`
}

func version() versionInfo {
	v := versionInfo{Version: "(devel)", Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v
	}
	if info.Main.Version != "" {
		v.Version = info.Main.Version
	}
	for _, s := range info.Settings {
		switch {
		case s.Key == "vcs.revision":
			v.Revision = s.Value + v.Revision
		case s.Key == "vcs.modified" && s.Value == "true":
			v.Revision += dirty
		}
	}
	return v
}

// revision is that of the build, or of the sources where go run noted none.
func revision() string {
	if r := version().Revision; r != "" && r != dirty {
		return r
	}
	return sourceRevision()
}
