package layout

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path/filepath"
	"regexp"
	"strconv"
	"strings"
	"testing"
)

// words are what messages, help and reports do not say, and what they say instead.
var words = []struct {
	pattern *regexp.Regexp
	instead string
}{
	{regexp.MustCompile(`\blies? behind\b`), "is past, is after, is greater than"},
	{regexp.MustCompile(`\bstands twice\b`), "duplicate"},
	{regexp.MustCompile(`\bstands (at|in|for)\b`), "is"},
	{regexp.MustCompile(`\b(goes|go) on\b`), "continues"},
	{regexp.MustCompile(`\btells? of\b`), "reports, has"},
	{regexp.MustCompile(`\buncut\b`), "baseline"},
	{regexp.MustCompile(`\bbehind\b`), "after, past"},
}

// Messages are in a native engineer's words. Names of files and programs are no messages.
func TestWordsOfMessages(t *testing.T) {
	seen := 0
	err := filepath.WalkDir("../..", func(path string, d fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case d.IsDir() && (strings.HasPrefix(d.Name(), ".") && d.Name() != ".." || d.Name() == "testdata"):
			return filepath.SkipDir
		case !strings.HasSuffix(path, ".go"), strings.HasSuffix(path, "_test.go"):
			return nil
		}
		set := token.NewFileSet()
		file, err := parser.ParseFile(set, path, nil, 0)
		if err != nil {
			return err
		}
		ast.Inspect(file, func(n ast.Node) bool {
			lit, ok := n.(*ast.BasicLit)
			if !ok || lit.Kind != token.STRING {
				return true
			}
			text, err := strconv.Unquote(lit.Value)
			if err != nil {
				t.Fatal(err)
			}
			seen++
			for _, w := range words {
				if m := w.pattern.FindString(text); m != "" {
					t.Errorf("%v says %q: say %q", set.Position(lit.Pos()), m, w.instead)
				}
			}
			return true
		})
		return nil
	})
	if err != nil || seen < 1000 {
		t.Errorf("%d texts looked at: %v", seen, err)
	}
}
