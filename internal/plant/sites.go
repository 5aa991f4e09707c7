package main

import (
	"cmp"
	"fmt"
	"go/ast"
	"math/rand/v2"
	"regexp"
	"slices"
	"strings"
)

// defect is one change of the source.
type defect struct {
	Key  string // names the place whatever its line is
	Area string
	Kind string
	At   string // file and line
	Code string // what stands there, shortened

	folder string
	file   string
	edits  []insertion
}

// sites returns every place where a defect can be planted, by their keys.
func sites(list []*source, run *regexp.Regexp) (all []defect) {
	for _, s := range list {
		for file, tree := range s.files {
			for _, d := range tree.Decls {
				if f, ok := d.(*ast.FuncDecl); ok && plantable(file, f) {
					all = append(all, s.within(file, f)...)
				}
			}
		}
	}
	all = slices.DeleteFunc(all, func(d defect) bool { return !run.MatchString(d.Key) })
	slices.SortFunc(all, func(a, b defect) int { return cmp.Compare(a.Key, b.Key) })
	return all
}

// within returns the places in one function.
func (s *source) within(file string, f *ast.FuncDecl) (list []defect) {
	seen := map[string]int{}
	ast.Inspect(f.Body, func(n ast.Node) bool {
		if n == nil {
			return false
		}
		for _, k := range kinds {
			for _, e := range k.find(s, f, n) {
				code := oneLine(s.between(e.from, e.to))
				key := fmt.Sprintf("%s %s %s: %s", file, functionName(f), k.name, code)
				if seen[key]++; seen[key] > 1 {
					key += fmt.Sprintf(" (%d)", seen[key])
				}
				p := s.fset.Position(e.from)
				list = append(list, defect{Key: key, Area: areaOf(s.folder).name, Kind: k.name, At: fmt.Sprintf("%s:%d", p.Filename, p.Line),
					Code: code, folder: s.folder, file: file, edits: []insertion{e}})
			}
		}
		return true
	})
	return list
}

// functionName is a function's name, with the type that it is a method of.
func functionName(f *ast.FuncDecl) string {
	if f.Recv == nil {
		return f.Name.Name
	}
	t := f.Recv.List[0].Type
	if star, ok := t.(*ast.StarExpr); ok {
		t = star.X
	}
	return nameOf(t) + "." + f.Name.Name
}

// oneLine shortens source to one line.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if r := []rune(text); len(r) > 90 {
		text = string(r[:89]) + "…"
	}
	return text
}

// draw picks n places: of each area its share, in an area of each kind as many as of the
// others where there are so many.
func draw(all []defect, n int, seed uint64) (picked []defect) {
	byArea := map[string]map[string][]defect{}
	for _, d := range all {
		if byArea[d.Area] == nil {
			byArea[d.Area] = map[string][]defect{}
		}
		byArea[d.Area][d.Kind] = append(byArea[d.Area][d.Kind], d)
	}
	r := rand.New(rand.NewPCG(seed, 0))
	var queues [][]defect // of the areas
	var shares []int
	for _, a := range areas {
		if byArea[a.name] != nil {
			queues, shares = append(queues, turns(byArea[a.name], r)), append(shares, a.share)
		}
	}
	credit := make([]int, len(queues))
	for len(picked) < n {
		best := -1
		for i := range queues {
			credit[i] += shares[i]
			if len(queues[i]) > 0 && (best < 0 || credit[i] > credit[best]) {
				best = i
			}
		}
		if best < 0 {
			break
		}
		for i := range queues {
			if i == best {
				credit[i] -= 100
			}
		}
		picked, queues[best] = append(picked, queues[best][0]), queues[best][1:]
	}
	return picked
}

// turns puts the places of an area in a drawn order in which the kinds take turns.
func turns(byKind map[string][]defect, r *rand.Rand) (list []defect) {
	var queues [][]defect
	for _, k := range kinds {
		q := byKind[k.name]
		r.Shuffle(len(q), func(i, j int) { q[i], q[j] = q[j], q[i] })
		queues = append(queues, q)
	}
	r.Shuffle(len(queues), func(i, j int) { queues[i], queues[j] = queues[j], queues[i] })
	for any := true; any; {
		any = false
		for i, q := range queues {
			if len(q) > 0 {
				list, queues[i], any = append(list, q[0]), q[1:], true
			}
		}
	}
	return list
}
