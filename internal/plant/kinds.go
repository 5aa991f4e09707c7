package main

import (
	"fmt"
	"go/ast"
	"go/token"
	"go/types"
	"regexp"
	"slices"
)

// Defects are planted as switches: the source gets all of them at once, as code that does
// what it did unless its number is the active one. So one build serves all.

// number stands for a defect's number in what is inserted.
const number = "\x00"

// insertion is what turns a place into one with a switch: text before and after a span of
// the source, with number in it.
type insertion struct {
	from, to      token.Pos
	before, after string
}

// kind is a kind of defect.
type kind struct {
	name  string
	about string
	// find returns what plants the defect at a node, nil where it does not apply.
	find func(s *source, f *ast.FuncDecl, n ast.Node) []insertion
}

// kinds lists them.
var kinds = []kind{
	{"field", "a field is left out of a record", fields},
	{"mark", "a changed object is not marked as changed", marks},
	{"negate", "a condition is negated", negations},
	{"copy", "a copy is left out, so that two share one object or a field is not copied", copies},
	{"swap", "two statements that depend on one another change places", swaps},
	{"off-by-one", "a bound or a sum is wrong by one", offByOne},
}

// drop plants that a statement is not executed.
func drop(n ast.Stmt) insertion {
	return insertion{n.Pos(), n.End(), "if !planted.Is(" + number + ") { ", " }"}
}

// called returns the call that a statement is, and the name that is called.
func called(n ast.Node) (stmt *ast.ExprStmt, call *ast.CallExpr, name string) {
	stmt, _ = n.(*ast.ExprStmt)
	if stmt == nil {
		return nil, nil, ""
	}
	if call, _ = stmt.X.(*ast.CallExpr); call == nil {
		return nil, nil, ""
	}
	return stmt, call, nameOf(call.Fun)
}

func nameOf(e ast.Expr) string {
	switch f := ast.Unparen(e).(type) {
	case *ast.Ident:
		return f.Name
	case *ast.SelectorExpr:
		return f.Sel.Name
	case *ast.IndexExpr:
		return nameOf(f.X)
	}
	return ""
}

// recorder matches types that turn objects into records, and the functions that do.
var recorder, recording = regexp.MustCompile(`\.(codec|sum)$`), regexp.MustCompile(`^(en|de)code`)

func fields(s *source, f *ast.FuncDecl, n ast.Node) []insertion {
	if a, ok := n.(*ast.AssignStmt); ok && a.Tok == token.ASSIGN && recording.MatchString(f.Name.Name) {
		return []insertion{drop(a)}
	}
	stmt, call, name := called(n)
	if stmt == nil || name == "fail" {
		return nil
	}
	operands := call.Args
	if sel, ok := call.Fun.(*ast.SelectorExpr); ok {
		operands = append([]ast.Expr{sel.X}, operands...)
	}
	if len(operands) < 2 || !slices.ContainsFunc(operands, func(e ast.Expr) bool {
		t := s.info.TypeOf(e)
		return t != nil && recorder.MatchString(t.String())
	}) {
		return nil
	}
	return []insertion{drop(stmt)}
}

// marking matches the names of functions and fields that mark something as changed.
var marking = regexp.MustCompile(`^(touch|Touch|marked$|mark$|unmark|stir|journal$|changed$|note$|dirty|setDirty|tell)`)

func marks(s *source, _ *ast.FuncDecl, n ast.Node) []insertion {
	if stmt, _, name := called(n); stmt != nil && marking.MatchString(name) {
		return []insertion{drop(stmt)}
	}
	a, ok := n.(*ast.AssignStmt)
	if !ok || a.Tok == token.DEFINE || len(a.Lhs) != 1 {
		return nil
	}
	if sel, ok := a.Lhs[0].(*ast.SelectorExpr); ok && marking.MatchString(sel.Sel.Name) {
		return []insertion{drop(a)}
	}
	return nil
}

func negations(s *source, _ *ast.FuncDecl, n ast.Node) []insertion {
	var cond ast.Expr
	switch n := n.(type) {
	case *ast.IfStmt:
		cond = n.Cond
	case *ast.BinaryExpr: // one side of an and or an or
		if n.Op == token.LAND || n.Op == token.LOR {
			cond = n.Y
		}
	}
	if cond == nil || !types.Identical(types.Default(s.info.TypeOf(cond)), types.Typ[types.Bool]) {
		return nil
	}
	return []insertion{{cond.Pos(), cond.End(), "planted.Not(" + number + ", ", ")"}}
}

// copying matches the names of functions that copy what they are given, or whose they are.
var copying = regexp.MustCompile(`^([cC]lone|[fF]ork|[cC]opy)$`)

func copies(s *source, _ *ast.FuncDecl, n ast.Node) []insertion {
	switch n := n.(type) {
	case *ast.CallExpr:
		return s.aliases(n)
	case *ast.ExprStmt:
		if stmt, _, name := called(n); name == "copy" {
			return []insertion{drop(stmt)}
		}
	case *ast.AssignStmt: // a.x = b.x
		if n.Tok == token.ASSIGN && len(n.Lhs) == 1 && s.namesake(nameOf(n.Lhs[0]), n.Rhs[0]) {
			return []insertion{drop(n)}
		}
	case *ast.KeyValueExpr: // T{x: b.x}
		if key, ok := n.Key.(*ast.Ident); ok && s.namesake(key.Name, n.Value) && s.variable(n.Value) {
			return []insertion{{n.Value.Pos(), n.Value.End(), "planted.Zero(" + number + ", ", ")"}}
		}
	}
	return nil
}

// namesake tells whether an expression is another's field of a name.
func (s *source) namesake(name string, e ast.Expr) bool {
	sel, ok := e.(*ast.SelectorExpr)
	return ok && sel.Sel.Name == name && s.info.Selections[sel] != nil && s.info.Selections[sel].Kind() == types.FieldVal
}

// variable tells whether an expression has a type of its own at run time.
func (s *source) variable(e ast.Expr) bool {
	tv := s.info.Types[e]
	return tv.IsValue() && tv.Value == nil && tv.Type != types.Typ[types.UntypedNil]
}

// aliases plants that a call which copies returns what it was to copy.
func (s *source) aliases(call *ast.CallExpr) []insertion {
	if !copying.MatchString(nameOf(call.Fun)) {
		return nil
	}
	var original ast.Expr
	if sel, ok := call.Fun.(*ast.SelectorExpr); ok && s.info.Selections[sel] != nil {
		original = sel.X
	} else if len(call.Args) == 1 {
		original = call.Args[0]
	}
	if original == nil || !pure(original) || !types.Identical(s.info.TypeOf(original), s.info.TypeOf(call)) {
		return nil
	}
	return []insertion{{call.Pos(), call.End(), "planted.Or(" + number + ", ", ", " + s.of(original) + ")"}}
}

// pure tells whether an expression may be evaluated twice.
func pure(e ast.Expr) bool {
	ok := true
	ast.Inspect(e, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.CallExpr:
			if name := nameOf(n.Fun); name != "len" {
				ok = false
			}
		case *ast.FuncLit:
			ok = false
		case *ast.UnaryExpr:
			ok = ok && n.Op != token.ARROW
		}
		return ok
	})
	return ok
}

// storing matches calls that store to memory.
var storing = regexp.MustCompile(`^(set|put|fence|apply|commit|Store|Write|store|[wW]rite.*|Set.*|touch.*|word)$`)

func swaps(s *source, _ *ast.FuncDecl, n ast.Node) []insertion {
	var list []ast.Stmt
	switch n := n.(type) {
	case *ast.BlockStmt:
		list = n.List
	case *ast.CaseClause:
		list = n.Body
	}
	var out []insertion
	for i := 1; i < len(list); i++ {
		a, b := list[i-1], list[i]
		if !s.movable(a) || !s.movable(b) || !s.depend(a, b) {
			continue
		}
		first, second := s.of(a), s.of(b)
		out = append(out,
			insertion{a.Pos(), b.End(), "if planted.Is(" + number + ") { " + second + "; " + first + " } else { ", " }"})
	}
	return out
}

// movable tells whether a statement may change places with its neighbour.
func (s *source) movable(n ast.Stmt) bool {
	switch n := n.(type) {
	case *ast.AssignStmt:
		return n.Tok != token.DEFINE
	case *ast.IncDecStmt:
		return true
	}
	stmt, _, name := called(n)
	return stmt != nil && name != "panic"
}

// depend tells whether one of two statements assigns what the other one mentions, or both
// store to memory.
func (s *source) depend(a, b ast.Stmt) bool {
	_, _, f := called(a)
	_, _, g := called(b)
	if storing.MatchString(f) && storing.MatchString(g) {
		return true
	}
	return s.feeds(a, b) || s.feeds(b, a)
}

func (s *source) feeds(a, b ast.Stmt) bool {
	var targets []ast.Expr
	switch n := a.(type) {
	case *ast.AssignStmt:
		targets = n.Lhs
	case *ast.IncDecStmt:
		targets = []ast.Expr{n.X}
	}
	text := s.of(b)
	return slices.ContainsFunc(targets, func(e ast.Expr) bool {
		name := s.of(e)
		found, err := regexp.MatchString(`(^|[^\w.])`+regexp.QuoteMeta(name)+`($|\W)`, text)
		return name != "_" && err == nil && found
	})
}

func offByOne(s *source, _ *ast.FuncDecl, n ast.Node) []insertion {
	e, ok := n.(*ast.BinaryExpr)
	if !ok || !s.whole(e.X) || !s.whole(e.Y) {
		return nil
	}
	equal := fmt.Sprintf("planted.Is(%s) && (%s) == (%s)", number, s.of(e.X), s.of(e.Y))
	switch e.Op {
	case token.LSS, token.GTR:
		if pure(e.X) && pure(e.Y) {
			return []insertion{{e.Pos(), e.End(), "(", " || " + equal + ")"}}
		}
	case token.LEQ, token.GEQ:
		if pure(e.X) && pure(e.Y) {
			return []insertion{{e.Pos(), e.End(), "(", " && !(" + equal + "))"}}
		}
	case token.ADD, token.SUB:
		if s.variable(e) {
			return []insertion{{e.Pos(), e.End(), "planted.Add(" + number + ", ", ")"}}
		}
	}
	return nil
}

// whole tells whether an expression is a whole number.
func (s *source) whole(e ast.Expr) bool {
	b, ok := s.info.TypeOf(e).Underlying().(*types.Basic)
	return ok && b.Info()&types.IsInteger != 0
}
