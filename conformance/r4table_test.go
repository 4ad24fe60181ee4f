package conformance_test

import (
	"bufio"
	"bytes"
	_ "embed"
	"encoding/json"
	"strings"
	"sync"
)

// The search suite knows R4 from its own extract of the official definitions, and from nothing that
// the server is built of: testdata/search/r4.ndjson, one parameter or element a line. A test of
// the reference data demands that it is what R4 defines.
//
//go:embed testdata/search/r4.ndjson
var r4Lines []byte

// r4Param is a SearchParameter as R4 defines it for one base.
type r4Param struct {
	Base       string        `json:"base"`
	Code       string        `json:"code"`
	Type       string        `json:"type"`
	URL        string        `json:"url"`
	Expression string        `json:"expression,omitempty"`
	Components []r4Component `json:"components,omitempty"`
}

// r4Component is one part of a composite: an expression from the base element of the composite.
type r4Component struct {
	Expression string `json:"expression"`
	Type       string `json:"type"`
}

// r4Element is an element of a resource that a parameter looks at, or that such an element demands.
type r4Element struct {
	Path     string   `json:"path"`
	Required bool     `json:"required,omitempty"`
	List     bool     `json:"list,omitempty"`
	Types    []string `json:"types"`
	Targets  []string `json:"targets,omitempty"`
	// Codes are some of a required binding, "system|code".
	Codes []string `json:"codes,omitempty"`
}

// r4 is the extract, read.
type r4 struct {
	params   map[string][]r4Param  // per type, those of Resource with them
	elements map[string]*r4Element // by path
	order    map[string][]string   // paths per type, as R4 orders them
}

var r4Table = sync.OnceValue(func() *r4 {
	t := &r4{params: map[string][]r4Param{}, elements: map[string]*r4Element{}, order: map[string][]string{}}
	lines := bufio.NewScanner(bytes.NewReader(r4Lines))
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		var p r4Param
		if err := json.Unmarshal(lines.Bytes(), &p); err != nil {
			panic(err)
		}
		if p.Base != "" {
			t.params[p.Base] = append(t.params[p.Base], p)
			continue
		}
		e := &r4Element{}
		if err := json.Unmarshal(lines.Bytes(), e); err != nil {
			panic(err)
		}
		kind, _, _ := strings.Cut(e.Path, ".")
		t.elements[e.Path] = e
		t.order[kind] = append(t.order[kind], e.Path)
	}
	return t
})

// of lists the parameters of a type that have an expression, those of every resource first.
func (t *r4) of(kind string) []r4Param {
	var list []r4Param
	for _, base := range []string{"Resource", kind} {
		for _, p := range t.params[base] {
			if p.Expression != "" {
				p.Expression = strings.Replace(p.Expression, "Resource.", kind+".", 1)
				list = append(list, p)
			}
		}
	}
	return list
}

func (t *r4) param(kind, code string) *r4Param {
	for _, p := range t.of(kind) {
		if p.Code == code {
			return &p
		}
	}
	return nil
}
