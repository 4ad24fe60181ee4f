package conformance_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"path"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/sluse/sluse/"

// layer is the table of the design: an import may only go down.
var layer = map[string]int{
	"cmd/sluse":    5,
	"gateway/rest": 4, "gateway/exchange": 4, "gateway/notification": 4, "gateway/postgres": 4, "gateway/console": 4,
	"gateway/consent/trial": 4, // worked examples, for tests and sluse policy test
	"gateway/audit":         3, "gateway/consent": 3, "gateway/helseid": 3, "mapping": 3,
	"gateway":      2,
	"gateway/fhir": 1, "gateway/postgres/embedded": 1,
	"policies/cases": 1, // hand-written vectors, for tests
	"policies":       0, "conformance/definitions": 0,
}

// owner says which packages alone may import a library.
var owner = map[string][]string{
	"github.com/open-policy-agent/": {"gateway/consent"},
	"github.com/gin-gonic/":         {"gateway/rest", "gateway/console"},
	"github.com/jackc/":             {"gateway/postgres", "gateway/postgres/embedded"},
	"github.com/alecthomas/kong":    {"cmd/sluse"},
	"github.com/pressly/goose/":     {"gateway/postgres"},
	"database/sql":                  {"gateway/postgres"},
	"net/http":                      {"cmd/sluse", "gateway/rest", "gateway/exchange", "gateway/notification", "gateway/console", "gateway/helseid"},
}

type goPackage struct {
	ImportPath                         string
	Imports, TestImports, XTestImports []string
}

func TestImportsGoDown(t *testing.T) {
	t.Parallel()
	packages := listPackages(t)
	for _, want := range []string{"gateway", "gateway/fhir", "gateway/rest", "gateway/postgres", "gateway/consent", "mapping"} {
		if !slices.ContainsFunc(packages, func(p goPackage) bool { return p.ImportPath == module+want }) {
			t.Errorf("there is no package %s", want)
		}
	}
	for _, fault := range importFaults(packages) {
		t.Error(fault)
	}
}

// The rule finds what it is there to find.
func TestImportRuleFindsFaults(t *testing.T) {
	t.Parallel()
	for _, tt := range []struct{ importer, imported string }{
		{"gateway", module + "gateway/postgres"},
		{"gateway", "github.com/jackc/pgx/v5"},
		{"cmd/sluse", module + "gateway/postgres/postgrestest"},
		{"gateway/rest", module + "gateway/postgres"},
		{"gateway/rest", "github.com/open-policy-agent/opa/v1/rego"},
		{"gateway/exchange", "github.com/gin-gonic/gin"},
		{"gateway/audit", module + "gateway/consent"},
		{"gateway/fhir", module + "gateway"},
		{"gateway/postgres/embedded", module + "gateway"},
		{"mapping", "context"},
		{"mapping", "net/http"},
		{"conformance", module + "gateway/fhir"},
		{"gateway/helper", "strings"},
	} {
		p := goPackage{ImportPath: module + tt.importer, Imports: []string{tt.imported}}
		if tt.importer == "conformance" {
			p.Imports, p.XTestImports = nil, p.Imports
		}
		if len(importFaults([]goPackage{p})) == 0 {
			t.Errorf("%s may import %s", tt.importer, tt.imported)
		}
	}
}

func importFaults(packages []goPackage) (faults []string) {
	for _, p := range packages {
		name := strings.TrimPrefix(p.ImportPath, module)
		rank, known := layer[name]
		blackBox := !known && strings.HasPrefix(name+"/", "conformance/")
		generator := !known && strings.Contains(name, "/generate")
		if !known && !blackBox && !generator && !testOnly(name) {
			faults = append(faults, name+" has no place in the layers")
		}
		imports := p.Imports
		if blackBox {
			imports = slices.Concat(p.Imports, p.TestImports, p.XTestImports)
		}
		for _, imported := range imports {
			below, ours := strings.CutPrefix(imported, module)
			switch {
			case ours && blackBox && strings.HasPrefix(below, "gateway"),
				ours && known && (layer[below] >= rank || testOnly(below)),
				ours && name == "gateway" && below != "gateway/fhir",
				!ours && name == "gateway" && strings.Contains(imported, "."),
				!ours && name == "mapping" && slices.Contains([]string{"context", "net", "os", "math/rand", "math/rand/v2", "crypto/rand"}, imported):
				faults = append(faults, name+" imports "+imported)
			}
			for library, allowed := range owner {
				if known && strings.HasPrefix(imported+"/", strings.TrimSuffix(library, "/")+"/") && !slices.Contains(allowed, name) {
					faults = append(faults, name+" imports "+imported)
				}
			}
		}
	}
	return faults
}

// testOnly: a package named after the one above it and "test" serves tests, and
// nothing that ships imports it.
func testOnly(name string) bool {
	return path.Base(name) == path.Base(path.Dir(name))+"test"
}

func listPackages(t *testing.T) (packages []goPackage) {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,TestImports,XTestImports", "./...")
	cmd.Dir = ".."
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	for d := json.NewDecoder(bytes.NewReader(out)); ; {
		var p goPackage
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return packages
		} else if err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
}
