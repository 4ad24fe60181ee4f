package conformance_test

import (
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"os"
	"testing"
)

// Package gateway exports nothing that hands a Permit or a Release to whoever
// asks: no function, method, variable or field gives one. Only the methods of
// Gateway itself give a Release, after it was decided and recorded.
func TestNothingExportedMakesPermitOrRelease(t *testing.T) {
	t.Parallel()
	check := newWriterCheck(t, "gateway")
	pkg, err := importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		return os.Open(check.export[path])
	}).Import(module + "gateway")
	if err != nil {
		t.Fatal(err)
	}
	guarded := map[types.Object]bool{}
	for _, name := range []string{"Permit", "Release"} {
		object := pkg.Scope().Lookup(name)
		if object == nil {
			t.Fatalf("there is no gateway.%s", name)
		}
		guarded[object] = true
		fields, ok := object.Type().Underlying().(*types.Struct)
		if !ok {
			t.Fatalf("gateway.%s is no struct: a conversion makes one", name)
		}
		if fields.NumFields() == 0 {
			t.Errorf("gateway.%s is empty: its zero value is all there is", name)
		}
		for field := range fields.Fields() {
			if field.Exported() {
				t.Errorf("gateway.%s.%s is exported", name, field.Name())
			}
		}
	}
	seen := 0
	for _, name := range pkg.Scope().Names() {
		object := pkg.Scope().Lookup(name)
		if !object.Exported() {
			continue
		}
		seen++
		switch object := object.(type) {
		case *types.Func:
			if gives(object.Signature().Results(), guarded) {
				t.Errorf("gateway.%s gives one to everybody", name)
			}
		case *types.Var:
			if holds(object.Type(), guarded) {
				t.Errorf("gateway.%s is one", name)
			}
		case *types.TypeName:
			for method := range types.NewMethodSet(types.NewPointer(object.Type())).Methods() {
				function, ok := method.Obj().(*types.Func)
				if name == "Gateway" {
					withheld := map[types.Object]bool{pkg.Scope().Lookup("Permit"): true}
					if ok && function.Exported() && gives(function.Signature().Results(), withheld) {
						t.Errorf("gateway.Gateway.%s gives a Permit to everybody", function.Name())
					}
					continue
				}
				if ok && function.Exported() && gives(function.Signature().Results(), guarded) {
					t.Errorf("gateway.%s.%s gives one to everybody", name, function.Name())
				}
			}
		}
	}
	if seen < 20 {
		t.Errorf("only %d exported names seen", seen)
	}
}

func gives(results *types.Tuple, guarded map[types.Object]bool) bool {
	for result := range results.Variables() {
		if holds(result.Type(), guarded) {
			return true
		}
	}
	return false
}

// holds looks through pointers, lists, maps, channels and functions.
func holds(t types.Type, guarded map[types.Object]bool) bool {
	switch t := types.Unalias(t).(type) {
	case *types.Named:
		return guarded[t.Obj()]
	case *types.Pointer:
		return holds(t.Elem(), guarded)
	case *types.Slice:
		return holds(t.Elem(), guarded)
	case *types.Array:
		return holds(t.Elem(), guarded)
	case *types.Map:
		return holds(t.Key(), guarded) || holds(t.Elem(), guarded)
	case *types.Chan:
		return holds(t.Elem(), guarded)
	case *types.Signature:
		return gives(t.Results(), guarded)
	}
	return false
}
