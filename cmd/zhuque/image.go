package main

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"zhuque/crashinject"
	"zhuque/crashinject/result"
	"zhuque/runtime/wpp"
	"zhuque/sim"
	"zhuque/sim/imagefile"
	"zhuque/sim/kernel"
	"zhuque/sim/phys"
)

func imageVerb() *cobra.Command {
	var form format
	var verify, all bool
	c := &cobra.Command{
		Use:   "image FILE",
		Short: "Verify a saved PMEM image and explain what it holds",
		Long: `Image reads the file that crash --save or run --image wrote, verifies every checksum
in it, and explains it: the file's checkpoints; in the persistent memory the
superblock, the counters, the redo log, what the power failure found, the table of
records by kind, the threads' save areas, mappings, descriptors and signals; and the
counts. What is damaged is named with its place. It boots nothing and changes nothing.

--verify prints one line, or the damage. --all prints every record and all registers.

The exit status is 11 when anything is damaged, or when the image is one that a restart
refuses.`,
		Example: `  zhuque crash --at 500000 --save half.image -- guest:counter
  zhuque image half.image
  zhuque image --verify half.image
  zhuque image --format json half.image`,
		Args: cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, args []string) error {
			asJSON, err := form.json()
			if err != nil {
				return err
			}
			if verify && all {
				return fmt.Errorf("--verify and --all: expected one of them")
			}
			return showImage(args[0], asJSON, verify, all)
		},
	}
	form.register(c)
	c.Flags().BoolVar(&verify, "verify", false, "print whether the image is whole, or what is damaged, and nothing else")
	c.Flags().BoolVar(&all, "all", false, "print every record and all registers")
	return c
}

// imageInfo is the JSON form of an image. Of a damaged file it has File and Damage only.
type imageInfo struct {
	Program string            `json:"program,omitempty"`
	Args    []string          `json:"args"`
	Config  map[string]string `json:"config"`          // settings that differ from the defaults
	Plan    string            `json:"plan,omitempty"`  // the power failures that led to it
	State   string            `json:"state,omitempty"` // of the program
	*sim.ImageFacts
	File   []imagefile.Part `json:"file"`
	Memory *wpp.Survey      `json:"memory,omitempty"`
	Damage []string         `json:"damage"` // one sentence each; empty for an image that a restart may accept

	note string
}

// inspect reads an image file as far as that is possible.
func inspect(in io.Reader) (*imageInfo, error) {
	im, err := sim.ReadDurable(in)
	if err != nil && !errors.As(err, new(*sim.Detected)) {
		return nil, err // no image, or the host's fault
	}
	info := &imageInfo{File: im.Parts, Damage: []string{}}
	if err != nil {
		info.Damage = append(info.Damage, strings.TrimPrefix(err.Error(), "image refused: "))
		return info, nil
	}
	facts := im.Facts()
	info.ImageFacts, info.note = &facts, im.Note
	c, err := crashinject.ParseNote(im.Note)
	if err != nil {
		return nil, err
	}
	info.Program, info.Args, info.Config, info.Plan = c.Setup.Program, c.Setup.Args, c.Setup.Fields(), c.Plan.String()
	switch im.End {
	case imagefile.Exited:
		info.State = fmt.Sprintf("exited with status %d", im.Status)
		return info, nil
	case imagefile.Killed:
		info.State = fmt.Sprintf("killed by signal %d", im.Status)
		return info, nil
	}
	info.State = "running"
	info.Memory = wpp.Inspect(im.Memory, im.DirtyShutdowns)
	info.Damage = append(info.Damage, info.Memory.Damaged()...)
	return info, nil
}

func showImage(name string, asJSON, verify, all bool) error {
	f, err := os.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	info, err := inspect(f)
	if err != nil {
		return classify(fmt.Errorf("%s: %w", name, err))
	}
	out := bufio.NewWriter(os.Stdout)
	switch {
	case asJSON:
		err = writeJSON(out, info)
	case verify:
		if len(info.Damage) == 0 {
			fmt.Fprintf(out, "whole: checkpoint %d, program %s\n", info.Checkpoint, info.State)
		}
	case info.ImageFacts == nil:
		info.parts(out)
	default:
		info.explain(out, all)
	}
	if ferr := out.Flush(); err == nil {
		err = ferr
	}
	if err != nil || len(info.Damage) == 0 {
		return err
	}
	return exit(result.Detected.ExitCode(), "%s: image refused: %s", name, strings.Join(info.Damage, "\n"))
}

// parts shows the pieces of the file.
func (info *imageInfo) parts(w io.Writer) {
	const most = 8 // checkpoints that are shown one by one
	for i, p := range info.File {
		if n := len(info.File); n > most+4 && i > most && i < n-2 && p.Damage == "" {
			if i == most+1 {
				fmt.Fprintf(w, "file  … %d more checkpoints\n", n-2-i)
			}
			continue
		}
		fmt.Fprintf(w, "file  %#10x %8d bytes  %s", p.Offset, p.Size, p.Name)
		if strings.HasPrefix(p.Name, "checkpoint ") {
			fmt.Fprintf(w, ", %d pages", p.Pages)
		}
		if p.Damage != "" {
			fmt.Fprintf(w, ": DAMAGED: %s", p.Damage)
		}
		fmt.Fprintln(w)
	}
}

// explain shows everything.
func (info *imageInfo) explain(w io.Writer, all bool) {
	fmt.Fprint(w, info.note)
	info.parts(w)
	fmt.Fprintf(w, "program %s\n", info.State)
	if s := info.Memory; s != nil {
		for _, p := range s.Parts {
			fmt.Fprintf(w, "pmem  %#10x %8d bytes  %s: %s", p.Offset, p.Size, p.Name, p.Says)
			if p.Damage != "" {
				fmt.Fprintf(w, "DAMAGED: %s", p.Damage)
			}
			fmt.Fprintln(w)
		}
		showRecords(w, s, all)
	}
	f := info.ImageFacts
	fmt.Fprintf(w, "instructions %d\npower cycles %d\ndirty shutdowns %d\nPMEM pages %d\ninput consumed %d bytes\n",
		f.Instructions, f.PowerCycles, f.DirtyShutdowns, f.PagesPMEM, f.InputConsumed)
}

// showRecords shows the table of records, the mappings, and of each thread where it stands.
func showRecords(w io.Writer, s *wpp.Survey, all bool) {
	for _, kind := range slices.Sorted(maps.Keys(s.Kinds)) {
		fmt.Fprintf(w, "records  %6d  %s\n", s.Kinds[kind], kind)
	}
	const most = 40 // records of a kind that are shown without --all
	shown := map[kernel.RecordKind]int{}
	for _, r := range s.Records {
		if shown[r.Key.Kind]++; !all && shown[r.Key.Kind] > most {
			continue
		}
		if v, ok := r.Mapping(); ok {
			fmt.Fprintf(w, "mapping  %#14x-%#x %v %v", v.Start, v.End, v.Prot, v.Kind)
			if v.Phys != 0 {
				fmt.Fprintf(w, " at %v", v.Phys)
			}
			if v.Node != 0 {
				fmt.Fprintf(w, " of file node %#x from %#x", uint64(v.Node), v.Off)
			}
			fmt.Fprintln(w)
			continue
		}
		if all || r.Key.Kind != kernel.KindSystem {
			fmt.Fprintf(w, "record  %v\n", r.Record)
		}
	}
	for _, kind := range []kernel.RecordKind{kernel.KindFD, kernel.KindMapping} {
		if n := shown[kind]; !all && n > most {
			fmt.Fprintf(w, "… %d more of the kind %v (--all shows them)\n", n-most, kind)
		}
	}
	fmt.Fprintf(w, "memory of the process ends at %v: new mappings are taken from there, up to %v\n",
		s.Extents, phys.PMEMBase+1<<41)
	if all {
		for _, t := range s.Threads {
			fmt.Fprintf(w, "thread %d %+v\n", t.TID, t.Regs)
		}
	}
}
