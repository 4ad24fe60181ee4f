package fhir_test

import (
	"bytes"
	"encoding/json"
	"encoding/xml"
	"errors"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/sluse/sluse/conformance/definitions"
	"github.com/sluse/sluse/gateway/fhir"
)

// maker makes random resources in canonical JSON from the definitions, with no regard to what the
// values mean: every element of every type, ids and extensions on primitives, holes in lists.
type maker struct {
	*rand.Rand
	types     map[string]*definitions.Structure
	resources []string
}

func newMaker(seed uint64) *maker {
	m := &maker{Rand: rand.New(rand.NewPCG(seed, 0)), types: map[string]*definitions.Structure{}}
	tables := definitions.R4()
	for i := range tables.Structures {
		s := &tables.Structures[i]
		m.types[s.Name] = s
		if s.Kind == "resource" {
			m.resources = append(m.resources, s.Name)
		}
	}
	return m
}

func (m *maker) resource(name string, depth int) string {
	return `{"resourceType":"` + name + `"` + m.members(m.types[name], depth, ",") + "}"
}

// members gives the members of an object, each after a separator, the first after the one given.
func (m *maker) members(s *definitions.Structure, depth int, separator string) string {
	var first, rest []string
	for i := range s.Elements {
		e := &s.Elements[i]
		if m.IntN(depth+2) > 0 && (e.Min == 0 || m.IntN(3) > 0) {
			continue
		}
		if e.Attribute {
			first = append(first, `"`+e.Name+`":`+m.text())
			continue
		}
		rest = append(rest, m.element(e, depth)...)
	}
	all := slices.DeleteFunc(append(first, rest...), func(s string) bool { return s == "" })
	if len(all) == 0 {
		return ""
	}
	return separator + strings.Join(all, ",")
}

func (m *maker) element(e *definitions.Element, depth int) []string {
	typ := e.Types[m.IntN(len(e.Types))]
	name, choice := strings.CutSuffix(e.Name, "[x]")
	if choice {
		name += strings.ToUpper(typ.Name[:1]) + typ.Name[1:]
	}
	target := typ.Name
	if typ.Profile != "" {
		target = typ.Profile
	}
	s := m.types[target]
	if s.Kind != "primitive" && depth > 4 || e.Max == 0 {
		return nil
	}
	count := 1
	if e.Max != 1 {
		count += m.IntN(3)
	}
	values, sides := make([]string, count), make([]string, count)
	someValue, someSide := false, false
	for i := range count {
		switch {
		case target == "xhtml":
			values[i] = string(fhir.AppendString(nil, `<div xmlns="http://www.w3.org/1999/xhtml"><p title='æ "'>&lt;`+itoa(m.IntN(9))+"</p>\r\n<!-- - --></div>"))
		case s.Name == "Resource":
			values[i] = m.resource(m.resources[m.IntN(len(m.resources))], depth+2)
		case s.Kind == "primitive":
			values[i], sides[i] = m.primitive(target), "null"
			if m.IntN(4) == 0 {
				if sides[i] = `{"id":` + m.text() + "}"; depth < 4 && m.IntN(2) == 0 {
					sides[i] = `{"extension":[{` + m.members(m.types["Extension"], depth+2, "") + "}]}"
				}
				someSide = true
				if m.IntN(2) == 0 {
					values[i] = "null"
				}
			}
		default:
			values[i] = "{" + m.members(s, depth+1, "") + "}"
		}
		someValue = someValue || values[i] != "null"
	}
	var out []string
	for _, form := range []struct {
		some  bool
		name  string
		items []string
	}{{someValue, name, values}, {someSide, "_" + name, sides}} {
		switch {
		case !form.some:
		case e.Max == 1:
			out = append(out, `"`+form.name+`":`+form.items[0])
		default:
			out = append(out, `"`+form.name+`":[`+strings.Join(form.items, ",")+"]")
		}
	}
	return out
}

func (m *maker) primitive(name string) string {
	switch name {
	case "boolean":
		return []string{"true", "false"}[m.IntN(2)]
	case "integer", "unsignedInt", "positiveInt":
		return itoa(m.IntN(1000))
	case "decimal":
		return []string{"0", "-0.10", "1.50", "1e-7", "12345678901234567890.1234567890"}[m.IntN(5)]
	}
	return m.text()
}

// text gives a JSON string of characters that need care in one form or the other.
func (m *maker) text() string {
	alphabet := []rune("ab <>&\"'\\/\n\r\t]]-\u007f\u0085\u00a0\u2028æ🦆\ufffd")
	var b strings.Builder
	for range 1 + m.IntN(6) {
		b.WriteRune(alphabet[m.IntN(len(alphabet))])
	}
	return string(fhir.AppendString(nil, b.String()))
}

func itoa(n int) string {
	b, _ := json.Marshal(n) // an int
	return string(b)
}

// TestXMLOfRandomResources: for every type, JSON to XML and back is equal by bytes, and an
// independent XML reader finds the same values.
func TestXMLOfRandomResources(t *testing.T) {
	t.Parallel()
	seed := uint64(time.Now().UnixNano())
	m := newMaker(seed)
	for _, name := range m.resources {
		for range 2 {
			body := m.resource(name, 0)
			r, err := fhir.Parse([]byte(body))
			if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, body, err)
			}
			x, err := fhir.AppendXML(nil, r)
			if err != nil {
				t.Fatalf("seed %d: %s: %v", seed, body, err)
			}
			back, err := fhir.ParseXML(x, fhir.Limits{})
			if err != nil {
				t.Fatalf("seed %d: %s\n%s: %v", seed, body, x, err)
			}
			if string(back.Bytes()) != body {
				t.Fatalf("seed %d:\n%s\n%s\n%s", seed, body, x, back.Bytes())
			}
			if a, b := jsonLeaves(t, body), xmlLeaves(t, x); !slices.Equal(a, b) {
				t.Fatalf("seed %d:\n%q\n%q", seed, a, b)
			}
		}
	}
}

// jsonLeaves gives every value of a document but type names and narratives, sorted.
func jsonLeaves(t *testing.T, body string) []string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(body))
	d.UseNumber()
	var root any
	if err := d.Decode(&root); err != nil {
		t.Fatal(err)
	}
	var leaves []string
	var walk func(any)
	walk = func(v any) {
		switch v := v.(type) {
		case map[string]any:
			for name, child := range v {
				if typ, ok := child.(string); name == "div" || ok && name == "resourceType" && fhir.KnownType(fhir.Type(typ)) {
					continue // ExampleScenario.instance has an element of that name too
				}
				walk(child)
			}
		case []any:
			for _, child := range v {
				walk(child)
			}
		case string:
			leaves = append(leaves, v)
		case json.Number:
			leaves = append(leaves, v.String())
		case bool:
			leaves = append(leaves, map[bool]string{true: "true", false: "false"}[v])
		}
	}
	walk(root)
	slices.Sort(leaves)
	return leaves
}

// xmlLeaves gives the value of every attribute of a FHIR element, by encoding/xml, sorted.
func xmlLeaves(t *testing.T, doc []byte) []string {
	t.Helper()
	var leaves []string
	d := xml.NewDecoder(bytes.NewReader(doc))
	for {
		token, err := d.Token()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		start, ok := token.(xml.StartElement)
		if !ok || start.Name.Space == "http://www.w3.org/1999/xhtml" {
			continue
		}
		if start.Name.Space != "http://hl7.org/fhir" {
			t.Errorf("%s is in %q", start.Name.Local, start.Name.Space)
		}
		for _, a := range start.Attr {
			if a.Name.Local != "xmlns" {
				leaves = append(leaves, a.Value)
			}
		}
	}
	slices.Sort(leaves)
	return leaves
}
