package conformance_test

import (
	"bufio"
	"bytes"
	"fmt"
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// handlers are the packages that answer over HTTP. Each writes bodies in one
// file only, respond.go, which takes what it writes from a gateway.Release or
// from values of the server's own making. Everywhere else a ResponseWriter may
// be handed on, and its headers and status set, and nothing more.
var handlers = []string{"gateway/rest", "gateway/exchange", "gateway/console"}

const respondFile = "respond.go"

// harmless are the methods of a writer that send no body, and the functions
// that take one without writing to it.
var (
	harmlessMethods   = []string{"Header", "WriteHeader", "WriteHeaderNow", "Status", "Size", "Written"}
	harmlessFunctions = []string{"net/http.MaxBytesReader", "net/http.NewResponseController"}
	// bodyMethods are gin's ways to send a body.
	bodyMethods = []string{
		"JSON", "IndentedJSON", "SecureJSON", "JSONP", "AsciiJSON", "PureJSON", "XML", "YAML", "TOML", "ProtoBuf", "BSON",
		"String", "HTML", "Render", "Data", "DataFromReader", "File", "FileFromFS", "FileAttachment", "Stream", "SSEvent",
		"Redirect", "Negotiate", "AbortWithStatusJSON", "AbortWithStatusPureJSON",
		"Static", "StaticFile", "StaticFS", "StaticFileFS",
	}
)

func TestOnlyOneFileWritesBodies(t *testing.T) {
	t.Parallel()
	checker := newWriterCheck(t, handlers...)
	for _, name := range handlers {
		paths, err := filepath.Glob(filepath.Join("..", name, "*.go"))
		if err != nil {
			t.Fatal(err)
		}
		set, files := token.NewFileSet(), []*ast.File{}
		writers := 0
		for _, path := range paths {
			if strings.HasSuffix(path, "_test.go") {
				continue
			}
			parsed, err := parser.ParseFile(set, path, nil, 0)
			if err != nil {
				t.Fatal(err)
			}
			files = append(files, parsed)
		}
		if len(files) == 0 {
			continue // the layers test demands the packages that must exist
		}
		for _, fault := range checker.faults(t, module+name, set, files) {
			if filepath.Base(fault.position.Filename) == respondFile {
				writers++
				continue
			}
			t.Errorf("%s: %s: only %s writes a body", fault.position, fault.what, respondFile)
		}
		if name == "gateway/rest" && writers == 0 {
			t.Errorf("%s: no body is written in %s: the check sees nothing", name, respondFile)
		}
	}
}

// Each way round the rule is found, and what handlers must do is left alone.
func TestWriterRuleFindsFaults(t *testing.T) {
	t.Parallel()
	checker := newWriterCheck(t)
	for _, tt := range []struct {
		body string
		want int
	}{
		{`w.Write(nil)`, 1},
		{`c.Writer.Write(nil)`, 1},
		{`c.Writer.WriteString("x")`, 1},
		{`io.Copy(w, r.Body)`, 1},
		{`io.WriteString(c.Writer, "x")`, 1},
		{`fmt.Fprint(w, "x")`, 1},
		{`json.NewEncoder(w).Encode(1)`, 1},
		{`http.Error(w, "x", 500)`, 1},
		{`http.ServeContent(w, r, "", time.Time{}, nil)`, 1},
		{`http.NotFoundHandler().ServeHTTP(w, r)`, 1},
		{`var out io.Writer = w; _ = out`, 1},
		{`out := io.Writer(w); _ = out`, 1},
		{`f := w.Write; _ = f`, 1},
		{`plain(c.Writer)`, 1},
		{`_ = struct{ io.Writer }{w}`, 1},
		{`_ = struct{ out io.Writer }{out: w}`, 1},
		{`_ = struct{ http.ResponseWriter }{ResponseWriter: w}`, 0},
		{`func() io.Writer { return w }()`, 1},
		{`c.JSON(200, 1)`, 1},
		{`c.Data(200, "", nil)`, 1},
		{`c.String(200, "x")`, 1},
		{`c.AbortWithStatusJSON(400, 1)`, 1},
		{`f := c.JSON; _ = f`, 1},
		{`c.Render(200, nil)`, 1},
		{`w.Header().Set("ETag", "x"); w.WriteHeader(204)`, 0},
		{`c.Header("ETag", "x"); c.Status(204); c.AbortWithStatus(204)`, 0},
		{`r.Body = http.MaxBytesReader(w, r.Body, 1)`, 0},
		{`own(w, r); own(c.Writer, r)`, 0},
		{`var b bytes.Buffer; b.WriteString("x"); fmt.Fprint(&b, b.String())`, 0},
	} {
		source := `package rest
import ("bytes"; "encoding/json"; "fmt"; "io"; "net/http"; "time"; "github.com/gin-gonic/gin")
var _ = bytes.NewReader; var _ = json.Marshal; var _ = fmt.Sprint; var _ = io.EOF; var _ = time.Second; var _ = http.StatusOK
func own(w http.ResponseWriter, r *http.Request) {}
func plain(w io.Writer) {}
func handle(c *gin.Context, w http.ResponseWriter, r *http.Request) { ` + tt.body + ` }
`
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, "x.go", source, 0)
		if err != nil {
			t.Fatalf("%s: %v", tt.body, err)
		}
		if got := checker.faults(t, module+"gateway/rest", set, []*ast.File{parsed}); len(got) != tt.want {
			t.Errorf("%s: %d faults %v, want %d", tt.body, len(got), got, tt.want)
		}
	}
}

// writerFault is a place where a body may be written.
type writerFault struct {
	position token.Position
	what     string
}

// writerCheck types the handlers against the export data of what they import.
type writerCheck struct{ export map[string]string }

func newWriterCheck(t *testing.T, packages ...string) writerCheck {
	t.Helper()
	args := []string{"list", "-export", "-deps", "-f", "{{.ImportPath}}\t{{.Export}}", "github.com/gin-gonic/gin"}
	for _, name := range packages {
		if paths, _ := filepath.Glob(filepath.Join("..", name, "*.go")); len(paths) > 0 {
			args = append(args, "./"+name)
		}
	}
	cmd := exec.Command("go", args...)
	cmd.Dir = ".."
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list -export: %v", err)
	}
	check := writerCheck{export: map[string]string{}}
	for lines := bufio.NewScanner(bytes.NewReader(out)); lines.Scan(); {
		if path, export, ok := strings.Cut(lines.Text(), "\t"); ok && export != "" {
			check.export[path] = export
		}
	}
	return check
}

func (c writerCheck) faults(t *testing.T, path string, set *token.FileSet, files []*ast.File) (faults []writerFault) {
	t.Helper()
	imports := importer.ForCompiler(set, "gc", func(path string) (io.ReadCloser, error) {
		export, ok := c.export[path]
		if !ok {
			return nil, fmt.Errorf("no export data for %s", path)
		}
		return os.Open(export)
	})
	info := &types.Info{Types: map[ast.Expr]types.TypeAndValue{}, Uses: map[*ast.Ident]types.Object{}, Selections: map[*ast.SelectorExpr]*types.Selection{}}
	pkg, err := (&types.Config{Importer: imports}).Check(path, set, files, info)
	if err != nil {
		t.Fatalf("%s: %v", path, err)
	}
	http, err := imports.Import("net/http")
	if err != nil {
		t.Fatal(err)
	}
	rule := writerRule{
		info:   info,
		pkg:    pkg,
		writer: http.Scope().Lookup("ResponseWriter").Type().Underlying().(*types.Interface),
	}
	for _, f := range files {
		rule.walk(f, func(n ast.Node, what string) {
			faults = append(faults, writerFault{set.Position(n.Pos()), what})
		})
	}
	return faults
}

type writerRule struct {
	info   *types.Info
	pkg    *types.Package
	writer *types.Interface
}

// walk looks at every value that is a ResponseWriter, by what stands around it.
func (r writerRule) walk(f *ast.File, report func(ast.Node, string)) {
	var parents []ast.Node
	ast.Inspect(f, func(n ast.Node) bool {
		if n == nil {
			parents = parents[:len(parents)-1]
			return true
		}
		if s, ok := n.(*ast.SelectorExpr); ok && r.sendsBody(s) {
			report(s, "gin's "+s.Sel.Name)
		}
		if e, ok := n.(ast.Expr); ok && len(parents) > 0 && r.isWriter(e) && !r.allowed(e, parents) {
			report(e, "ResponseWriter used")
		}
		parents = append(parents, n)
		return true
	})
}

// sendsBody reports a method of gin's that sends a body or serves files.
func (r writerRule) sendsBody(s *ast.SelectorExpr) bool {
	selection := r.info.Selections[s]
	if selection == nil || selection.Obj().Pkg() == nil || selection.Kind() == types.FieldVal {
		return false
	}
	return selection.Obj().Pkg().Path() == "github.com/gin-gonic/gin" && slices.Contains(bodyMethods, s.Sel.Name)
}

// isWriter reports whether the expression is a value that implements ResponseWriter.
func (r writerRule) isWriter(e ast.Expr) bool {
	tv, ok := r.info.Types[e]
	return ok && tv.IsValue() && r.implements(tv.Type)
}

func (r writerRule) implements(t types.Type) bool {
	if t == nil || types.Identical(t, types.Typ[types.UntypedNil]) {
		return false
	}
	return types.Implements(t, r.writer) || types.Implements(types.NewPointer(t), r.writer) && !types.IsInterface(t)
}

func (r writerRule) allowed(e ast.Expr, parents []ast.Node) bool {
	switch parent := parents[len(parents)-1].(type) {
	case *ast.SelectorExpr:
		if parent.X != e {
			return true // the name on the right of the dot: the selector itself is looked at
		}
		selection := r.info.Selections[parent]
		return selection == nil || selection.Kind() == types.FieldVal || slices.Contains(harmlessMethods, parent.Sel.Name)
	case *ast.CallExpr:
		return parent.Fun != e && r.allowedArgument(parent, e)
	case *ast.AssignStmt:
		for i, right := range parent.Rhs {
			if right == e && len(parent.Lhs) == len(parent.Rhs) {
				target := r.info.TypeOf(parent.Lhs[i])
				return target == nil || r.implements(target)
			}
		}
		return slices.Contains(parent.Lhs, e)
	case *ast.ValueSpec:
		return parent.Type == nil || r.implements(r.info.TypeOf(parent.Type))
	case *ast.KeyValueExpr:
		return r.implements(r.info.TypeOf(parent.Key)) || parent.Key == e
	case *ast.ParenExpr, *ast.StarExpr, *ast.UnaryExpr, *ast.TypeAssertExpr, *ast.BinaryExpr, *ast.ExprStmt:
		return true // looked at in turn, or of no effect
	}
	return false
}

// allowedArgument: to a function of this package that asks for a ResponseWriter,
// a conversion to one, or a function known to write nothing.
func (r writerRule) allowedArgument(call *ast.CallExpr, e ast.Expr) bool {
	if tv := r.info.Types[call.Fun]; tv.IsType() {
		return r.implements(tv.Type)
	}
	var callee types.Object
	switch fun := ast.Unparen(call.Fun).(type) {
	case *ast.Ident:
		callee = r.info.Uses[fun]
	case *ast.SelectorExpr:
		callee = r.info.Uses[fun.Sel]
	}
	if callee == nil || callee.Pkg() == nil {
		return false
	}
	if slices.Contains(harmlessFunctions, callee.Pkg().Path()+"."+callee.Name()) {
		return true
	}
	signature, ok := callee.Type().(*types.Signature)
	if !ok || callee.Pkg() != r.pkg {
		return false
	}
	i := slices.Index(call.Args, e)
	return i >= 0 && i < signature.Params().Len() && r.implements(signature.Params().At(i).Type())
}
