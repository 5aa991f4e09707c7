package main

import (
	"go/ast"
	"slices"
	"strings"
)

// area is a part of the simulator that a defect may lie in.
type area struct {
	name     string
	packages []string // folders
	share    int      // of 100 defects
}

// areas lists where defects are planted: everything that saves, restores, copies or
// compares what a program may see. Their shares sum up to 100.
var areas = []area{
	{"runtime", []string{"runtime/wpp"}, 14},
	{"kernel", []string{"sim/kernel"}, 32},
	{"memory", []string{"sim/kernel/mm"}, 8},
	{"files", []string{"sim/kernel/vfs"}, 14},
	{"machine", []string{"sim", "sim/mem"}, 12},
	{"caches", []string{"cachemodel"}, 10},
	{"power-fail", []string{"eadr"}, 4},
	{"comparison", []string{"sim/same", "crashinject/check"}, 6},
}

// leftOut lists what is no part of an area though it lies there, and why.
var leftOut = []struct{ file, function, why string }{
	{file: "sim/kernel/strace.go", why: "prints for an observer"},
	{file: "sim/kernel/table_absent.go", why: "sentences about calls that do not work"},
	{file: "runtime/wpp/inspect.go", why: "describes an image for a person; no restart reads it"},
	{file: "runtime/wpp/mutants.go", why: "the defects that are planted by name"},
	{file: "runtime/wpp/spent.go", why: "accounts for time and changes nothing"},
	{file: "sim/where.go", why: "names places for a person"},
	{file: "cachemodel/config.go", why: "reads settings, before anything runs"},
	{file: "eadr/config.go", why: "reads settings, before anything runs"},
	{function: "String", why: "prints for a person"},
	{function: "Error", why: "prints for a person"},
}

// plantable tells whether defects may be planted in a function of a file.
func plantable(file string, f *ast.FuncDecl) bool {
	if f.Body == nil || strings.HasSuffix(file, "_test.go") {
		return false
	}
	for _, l := range leftOut {
		if l.file == file || l.function != "" && l.function == f.Name.Name {
			return false
		}
	}
	return true
}

// folders lists the packages of all areas.
func folders() (list []string) {
	for _, a := range areas {
		list = append(list, a.packages...)
	}
	return list
}

// areaOf returns the area of a package.
func areaOf(folder string) area {
	return areas[slices.IndexFunc(areas, func(a area) bool { return slices.Contains(a.packages, folder) })]
}
