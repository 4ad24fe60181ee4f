package conformance_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// channelRow is a line of the table in the package comment.
var (
	channelRow  = regexp.MustCompile(`(?m)^//\t(\S.*)$`)
	namedTest   = regexp.MustCompile(`\b(?:Test|Fuzz)[A-Z]\w+`)
	leastOfRows = 45
)

// Every channel in the table of the package comment has a test, and every test that it names is there.
func TestChannelsHaveTests(t *testing.T) {
	t.Parallel()
	raw, err := os.ReadFile("doc.go")
	if err != nil {
		t.Fatal(err)
	}
	there := testsOfTheTree(t)
	rows := channelRow.FindAllStringSubmatch(string(raw), -1)
	if len(rows) < leastOfRows {
		t.Errorf("%d rows, there were %d", len(rows), leastOfRows)
	}
	for _, row := range rows[min(1, len(rows)):] {
		names := namedTest.FindAllString(row[1], -1)
		if len(names) == 0 {
			t.Errorf("no test: %s", row[1])
		}
		for _, name := range names {
			if !there[name] {
				t.Errorf("there is no %s: %s", name, row[1])
			}
		}
	}
}

// testsOfTheTree names every test function of the project.
func testsOfTheTree(t *testing.T) map[string]bool {
	t.Helper()
	there := map[string]bool{}
	err := filepath.WalkDir("..", func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && strings.HasPrefix(d.Name(), ".") && len(d.Name()) > 2 {
			return filepath.SkipDir
		}
		if !strings.HasSuffix(path, "_test.go") {
			return nil
		}
		file, err := parser.ParseFile(token.NewFileSet(), path, nil, parser.SkipObjectResolution)
		if err != nil {
			return err
		}
		for _, decl := range file.Decls {
			if f, ok := decl.(*ast.FuncDecl); ok && f.Recv == nil {
				there[f.Name.Name] = true
			}
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return there
}
