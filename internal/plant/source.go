package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path"
	"path/filepath"
)

const module = "zhuque"

// source is a package as the type checker sees it.
type source struct {
	folder string
	fset   *token.FileSet
	files  map[string]*ast.File // by path from the root
	text   map[string][]byte
	info   *types.Info
	pkg    *types.Package
}

// listed is what go list tells of a package.
type listed struct {
	ImportPath, Dir, Export string
	GoFiles                 []string
}

// load reads the packages in folders of the module at root.
func load(root string, folders []string) ([]*source, error) {
	args := []string{"list", "-deps", "-export", "-json=ImportPath,Dir,Export,GoFiles"}
	for _, f := range folders {
		args = append(args, "./"+f)
	}
	cmd := exec.Command("go", args...)
	cmd.Dir, cmd.Env, cmd.Stderr = root, environment(), os.Stderr
	out, err := cmd.Output()
	if err != nil {
		return nil, fmt.Errorf("go list: %w", err)
	}
	all := map[string]listed{}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p listed
		if err := d.Decode(&p); err == io.EOF {
			break
		} else if err != nil {
			return nil, fmt.Errorf("go list: %w", err)
		}
		all[p.ImportPath] = p
	}
	fset := token.NewFileSet()
	exports := importer.ForCompiler(fset, "gc", func(p string) (io.ReadCloser, error) { return os.Open(all[p].Export) })
	var list []*source
	for _, f := range folders {
		s, err := check(fset, root, f, all[path.Join(module, f)], exports)
		if err != nil {
			return nil, err
		}
		list = append(list, s)
	}
	return list, nil
}

// check parses and type-checks one package.
func check(fset *token.FileSet, root, folder string, p listed, imports types.Importer) (*source, error) {
	s := &source{folder: folder, fset: fset, files: map[string]*ast.File{}, text: map[string][]byte{},
		info: &types.Info{Types: map[ast.Expr]types.TypeAndValue{},
			Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}}
	var files []*ast.File
	for _, name := range p.GoFiles {
		at := path.Join(folder, name)
		text, err := os.ReadFile(filepath.Join(root, filepath.FromSlash(at)))
		if err != nil {
			return nil, err
		}
		file, err := parser.ParseFile(fset, at, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return nil, err
		}
		s.files[at], s.text[at] = file, text
		files = append(files, file)
	}
	var err error
	conf := types.Config{Importer: imports}
	s.pkg, err = conf.Check(p.ImportPath, fset, files, s.info)
	return s, err
}

// of returns the source of a node.
func (s *source) of(n ast.Node) string { return s.between(n.Pos(), n.End()) }

func (s *source) between(from, to token.Pos) string {
	p := s.fset.Position(from)
	return string(s.text[p.Filename][p.Offset:s.fset.Position(to).Offset])
}

// environment is that of the commands that build and list.
func environment() []string { return append(os.Environ(), "CGO_ENABLED=0") }
