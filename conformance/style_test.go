package conformance_test

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const (
	maxFileLines     = 700
	maxFunctionLines = 80
)

// forbiddenNames say nothing of what is inside.
var forbiddenNames = []string{
	"util", "utils", "common", "helper", "helpers", "manager", "base", "misc",
	"types", "models", "service", "services", "impl",
}

var (
	machinePath = regexp.MustCompile(`(^|[\s"'=(:` + "`" + `])/(work|root|home|Users|tmp)/[\w.]`)
	registry    = regexp.MustCompile(`(proxy\.golang|registry\.npmjs|sum\.golang|pypi)\.(org|com)`)
	unfinished  = regexp.MustCompile(`\b(TO` + `DO|FIX` + `ME|HA` + `CK)\b|(?i)\bfor ` + `now\b`)
)

// A file is one text file of the project, by its path from the root.
type file struct {
	path string
	text []byte
}

func TestStyle(t *testing.T) {
	t.Parallel()
	files := projectFiles(t)
	if len(files) < 20 {
		t.Fatalf("only %d files found: the walk is wrong", len(files))
	}
	for _, f := range files {
		for _, fault := range styleFaults(f) {
			t.Error(fault)
		}
	}
	for _, fault := range packageCommentFaults(files) {
		t.Error(fault)
	}
}

// Each rule finds what it is there to find, and leaves good code alone.
func TestStyleRulesFindFaults(t *testing.T) {
	t.Parallel()
	long := "package consent\n" + strings.Repeat("\n", maxFileLines)
	longFunc := "package consent\nfunc f() {\n" + strings.Repeat("\tf()\n", maxFunctionLines) + "}\n"
	for _, tt := range []struct{ path, text, want string }{
		{"gateway/util/x.go", "package util\n", "forbidden name"},
		{"gateway/consent/helpers.go", "package consent\n", "forbidden name"},
		{"gateway/consent/x.go", long, "lines"},
		{"gateway/consent/x.go", longFunc, "lines"},
		{"gateway/consent/x.go", "package consent\nfunc Open() {}\n", "no comment"},
		{"gateway/consent/x.go", "package consent\ntype Set int\n", "no comment"},
		{"gateway/consent/x.go", "package consent\nvar X, Y = 1, 2\n", "no comment"},
		{"gateway/consent/x.go", "package consent\n// S is.\ntype S int\nfunc (S) Open() {}\n", "no comment"},
		{"gateway/consent/x.go", "package consent\nimport \"time\"\nvar t = time.Now()\n", "time.Now"},
		{"gateway/consent/x.go", "package consent\nimport \"os\"\nvar t = os.Getenv(\"X\")\n", "os.Getenv"},
		{"gateway/consent/x.go", "package consent\n// see /" + "home/me/notes\n", "machine"},
		{"deploy/x.sh", "cd /" + "root/sluse\n", "machine"},
		{"deploy/x.sh", "curl https://registry." + "npmjs.org/x\n", "registry"},
		{"policies/x.rego", "# TO" + "DO: later\n", "unfinished"},
		{"gateway/consent/x.go", "package consent\n", ""},
		{"cmd/sluse/x.go", "package main\nimport (\"os\"; \"time\")\nvar a, b = os.Getenv(\"X\"), time.Now()\n", ""},
		{"gateway/consent/x_test.go", "package consent\nimport \"time\"\nfunc TestX() { time.Now() }\n", ""},
		{"gateway/consent/x.go", "package consent\n// Kinds.\nconst (\nA = 1\nB = 2\n)\n", ""},
		{"gateway/consent/x.go", "package consent\ntype set int\nfunc (set) Open() {}\n", ""},
	} {
		faults := strings.Join(styleFaults(file{tt.path, []byte(tt.text)}), "\n")
		if tt.want == "" && faults != "" || !strings.Contains(faults, tt.want) {
			t.Errorf("%s %.60q: faults %q, want %q", tt.path, tt.text, faults, tt.want)
		}
	}
}

func styleFaults(f file) (faults []string) {
	fault := func(line int, format string, args ...any) {
		faults = append(faults, fmt.Sprintf("%s:%d: %s", f.path, line, fmt.Sprintf(format, args...)))
	}
	for name := range strings.SplitSeq(strings.TrimSuffix(f.path, path.Ext(f.path)), "/") {
		if slices.Contains(forbiddenNames, strings.TrimSuffix(name, "_test")) {
			fault(1, "forbidden name %q", name)
		}
	}
	for i, line := range strings.Split(string(f.text), "\n") {
		if machinePath.MatchString(line) {
			fault(i+1, "path of one machine")
		}
		if registry.MatchString(line) {
			fault(i+1, "registry host")
		}
		if unfinished.MatchString(line) {
			fault(i+1, "unfinished work")
		}
	}
	if path.Ext(f.path) != ".go" {
		return faults
	}
	return append(faults, goFaults(f)...)
}

func goFaults(f file) (faults []string) {
	set := token.NewFileSet()
	parsed, err := parser.ParseFile(set, f.path, f.text, parser.ParseComments)
	if err != nil {
		return []string{err.Error()}
	}
	fault := func(at token.Pos, format string, args ...any) {
		faults = append(faults, fmt.Sprintf("%s: %s", set.Position(at), fmt.Sprintf(format, args...)))
	}
	if lines := bytes.Count(f.text, []byte("\n")); lines > maxFileLines && !ast.IsGenerated(parsed) {
		fault(parsed.Package, "%d lines, at most %d", lines, maxFileLines)
	}
	if strings.HasSuffix(f.path, "_test.go") || ast.IsGenerated(parsed) {
		return faults
	}
	for _, d := range parsed.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			if lines := set.Position(fn.End()).Line - set.Position(fn.Pos()).Line + 1; lines > maxFunctionLines {
				fault(fn.Pos(), "func %s has %d lines, at most %d", fn.Name.Name, lines, maxFunctionLines)
			}
		}
		for _, name := range undocumented(d) {
			fault(d.Pos(), "exported %s has no comment", name)
		}
	}
	if root, _, _ := strings.Cut(f.path, "/"); root == "cmd" || root == "conformance" {
		return faults
	}
	ast.Inspect(parsed, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok {
			if x, ok := s.X.(*ast.Ident); ok && x.Obj == nil {
				switch name := x.Name + "." + s.Sel.Name; name {
				case "time.Now", "time.Since", "os.Getenv", "os.LookupEnv", "os.Environ":
					fault(s.Pos(), "%s outside cmd", name)
				}
			}
		}
		return true
	})
	return faults
}

// undocumented lists the exported names of a declaration that have no comment;
// a comment on a group counts for its constants and variables.
func undocumented(d ast.Decl) (names []string) {
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Doc == nil && d.Name.IsExported() && (d.Recv == nil || ast.IsExported(receiver(d.Recv.List[0].Type))) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil && d.Doc == nil {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				for _, name := range s.Names {
					if name.IsExported() && s.Doc == nil && s.Comment == nil && d.Doc == nil {
						names = append(names, name.Name)
					}
				}
			}
		}
	}
	return names
}

func receiver(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.StarExpr:
		return receiver(e.X)
	case *ast.IndexExpr:
		return receiver(e.X)
	case *ast.Ident:
		return e.Name
	}
	return ""
}

// packageCommentFaults names the packages without a package comment.
func packageCommentFaults(files []file) (faults []string) {
	documented := map[string]bool{}
	for _, f := range files {
		if path.Ext(f.path) != ".go" || strings.HasSuffix(f.path, "_test.go") {
			continue
		}
		parsed, err := parser.ParseFile(token.NewFileSet(), f.path, f.text, parser.ParseComments|parser.PackageClauseOnly)
		if err != nil {
			continue
		}
		documented[path.Dir(f.path)] = documented[path.Dir(f.path)] || parsed.Doc != nil
	}
	for dir, ok := range documented {
		if !ok {
			faults = append(faults, dir+": no package comment")
		}
	}
	return faults
}

// projectFiles reads the sources, scripts and documents of the project; not
// test data, which quotes other systems.
func projectFiles(t *testing.T) (files []file) {
	t.Helper()
	root := os.DirFS("..")
	err := fs.WalkDir(root, ".", func(name string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		hidden := strings.HasPrefix(d.Name(), ".") && name != "." && d.Name() != ".ci"
		if d.IsDir() && (hidden || d.Name() == "testdata" || d.Name() == "node_modules" || name == "data") {
			return filepath.SkipDir
		}
		known := slices.Contains([]string{".go", ".rego", ".sql", ".md", ".sh", ".yaml", ".yml", ".conf"}, path.Ext(name)) ||
			path.Ext(name) == "" && !hidden && d.Name() != "LICENSE"
		if d.IsDir() || !known {
			return nil
		}
		text, err := fs.ReadFile(root, name)
		if err == nil {
			files = append(files, file{name, text})
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return files
}
