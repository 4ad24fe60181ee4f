// Package definitions holds the definitions that Sluse runs on: the R4 tables in a compact
// form, and the code systems, structure definitions and questionnaires of its own.
//
// r4.txt has one fact a line, fields separated by tabs:
//
//	primitive NAME
//	complex|resource|abstract|backbone NAME RULES     a type, and the keys of its error invariants
//	<tab>ELEMENT MIN MAX TYPES VALUESET FLAGS         its elements, in R4's order
//	valueset URL
//	<tab>SYSTEM CODE…                                 its codes; the system "*": not enumerable
//	search BASE NAME TYPE EXPRESSION TARGETS URL COMPARATORS COMPONENTS DESCRIPTION
//
// A type is a name, Reference(A|B), Quantity:Profile, or @ and the name of a backbone type; the
// latter is also what a contentReference becomes. The flags of an element are m, a modifier, and
// a, an attribute in XML (R4 elementdefinition.html#ElementDefinition.representation). The
// components of a composite are CODE TYPE EXPRESSION, separated by semicolons. Every resource
// type and data type of R4 is there, and every SearchParameter that has an expression.
package definitions

import (
	"crypto/sha256"
	_ "embed" // r4.txt
	"fmt"
	"strconv"
	"strings"
	"sync"
)

//go:embed r4.txt
var r4 string

//go:embed table.go
var reader string

// R4Digest is SHA-256 of the definitions as they are kept, and of what reads them: other definitions have another.
func R4Digest() [sha256.Size]byte { return sha256.Sum256([]byte(r4 + reader)) }

// Tables are the definitions of one FHIR version.
type Tables struct {
	Structures       []Structure
	ValueSets        []ValueSet
	SearchParameters []SearchParameter
}

// Structure is a type: its elements in the order of the snapshot.
type Structure struct {
	Name     string   // "CarePlan", "HumanName", "CarePlan.activity"
	Kind     string   // primitive, complex, resource, abstract, backbone
	Rules    []string // keys of the invariants of severity error on the type itself
	Elements []Element
}

// Element is one element of a type.
type Element struct {
	Name     string // "value[x]" for a choice
	Min, Max int    // Max is -1 when unbounded
	Types    []TypeRef
	ValueSet string // canonical URL of the value set that is required, "" when none
	Modifier bool
	// Attribute: XML writes the element as an attribute (id of an element, url of an extension).
	Attribute bool
}

// TypeRef is one type that an element may have.
type TypeRef struct {
	Name     string   // the name that a choice element takes as suffix
	Profile  string   // SimpleQuantity, "" otherwise
	Targets  []string // resource types of a Reference; nil: any
	Backbone bool     // Name is a backbone type, "CarePlan.activity"
}

// ValueSet is an expansion.
type ValueSet struct {
	URL     string
	Open    bool // cannot be enumerated: any code of the right form
	Systems []System
}

// System is the part of an expansion from one code system.
type System struct {
	URL   string
	Codes []string
}

// SearchParameter is a standard search parameter of one base type.
type SearchParameter struct {
	Base, Code, Type, Expression string
	Targets                      []string // nil for a reference: any
	URL                          string
	// Comparators are the prefixes that the definition allows; nil when it names none. R4's own
	// definitions name no modifiers: those follow from the type (R4 search.html#modifiers).
	Comparators []string
	// Components are the parts of a composite, nil for every other type.
	Components []Component
	// Description is what R4 says about the parameter on this base, in English.
	Description string
}

// Component is one part of a composite search parameter.
type Component struct {
	Code string // of the parameter that defines the part, on the same base
	Type string // of that parameter: token, date, quantity …
	// Expression is FHIRPath from each element that the composite's expression gives.
	Expression string
}

// R4 gives the tables of FHIR R4 4.0.1, read once. They must not be changed.
var R4 = sync.OnceValue(func() *Tables {
	t, err := parse(r4)
	if err != nil {
		panic("definitions: r4.txt: " + err.Error()) // embedded and tested: cannot occur
	}
	return t
})

// parse reads the form that the package comment describes.
func parse(src string) (*Tables, error) {
	t := &Tables{Structures: make([]Structure, 0, 800), ValueSets: make([]ValueSet, 0, 256), SearchParameters: make([]SearchParameter, 0, 1800)}
	elements := make([]Element, 0, 9000)
	head := ""
	number := 0
	for line := range strings.Lines(src) {
		number++
		line = strings.TrimSuffix(line, "\n")
		if line == "" || line[0] == '#' {
			continue
		}
		f := strings.Split(line, "\t")
		var err error
		switch {
		case f[0] != "":
			head = f[0]
			err = t.head(f)
		case head == "valueset":
			err = t.system(f[1:])
		default:
			var e Element
			if e, err = element(f[1:]); err == nil {
				s := &t.Structures[len(t.Structures)-1]
				from := len(elements) - len(s.Elements)
				elements = append(elements, e)
				s.Elements = elements[from:len(elements):len(elements)]
			}
		}
		if err != nil {
			return nil, fmt.Errorf("line %d: %w", number, err)
		}
	}
	return t, nil
}

// head reads a line that begins a type, a value set or a search parameter.
func (t *Tables) head(f []string) error {
	switch f[0] {
	case "primitive", "complex", "resource", "abstract", "backbone":
		s := Structure{Kind: f[0], Name: field(f, 1)}
		if rules := field(f, 2); rules != "" {
			s.Rules = strings.Split(rules, " ")
		}
		t.Structures = append(t.Structures, s)
	case "valueset":
		t.ValueSets = append(t.ValueSets, ValueSet{URL: field(f, 1)})
	case "search":
		p := SearchParameter{Base: field(f, 1), Code: field(f, 2), Type: field(f, 3), Expression: field(f, 4), URL: field(f, 6)}
		if targets := field(f, 5); targets != "" && targets != "*" {
			p.Targets = strings.Split(targets, " ")
		}
		if comparators := field(f, 7); comparators != "" {
			p.Comparators = strings.Split(comparators, " ")
		}
		var err error
		if p.Components, err = components(field(f, 8)); err != nil {
			return err
		}
		p.Description = field(f, 9)
		t.SearchParameters = append(t.SearchParameters, p)
	default:
		return fmt.Errorf("unknown word %q", f[0])
	}
	return nil
}

// components reads the parts of a composite.
func components(s string) ([]Component, error) {
	if s == "" {
		return nil, nil
	}
	var list []Component
	for part := range strings.SplitSeq(s, ";") {
		f := strings.SplitN(part, " ", 3)
		if len(f) != 3 {
			return nil, fmt.Errorf("a component has three words: %q", part)
		}
		list = append(list, Component{Code: f[0], Type: f[1], Expression: f[2]})
	}
	return list, nil
}

func (t *Tables) system(f []string) error {
	if len(t.ValueSets) == 0 {
		return fmt.Errorf("codes before any value set")
	}
	v := &t.ValueSets[len(t.ValueSets)-1]
	if f[0] == "*" {
		v.Open = true
		return nil
	}
	v.Systems = append(v.Systems, System{URL: f[0], Codes: f[1:]})
	return nil
}

func element(f []string) (Element, error) {
	if len(f) < 4 {
		return Element{}, fmt.Errorf("an element has at least four fields")
	}
	flags := field(f, 5)
	e := Element{Name: f[0], Max: -1, ValueSet: field(f, 4), Modifier: strings.Contains(flags, "m"), Attribute: strings.Contains(flags, "a")}
	var err error
	if e.Min, err = strconv.Atoi(f[1]); err != nil {
		return e, err
	}
	if f[2] != "*" {
		if e.Max, err = strconv.Atoi(f[2]); err != nil {
			return e, err
		}
	}
	for word := range strings.SplitSeq(f[3], " ") {
		r := TypeRef{Name: word}
		if name, ok := strings.CutPrefix(word, "@"); ok {
			r.Name, r.Backbone = name, true
		} else if name, targets, ok := strings.Cut(strings.TrimSuffix(word, ")"), "("); ok {
			r.Name, r.Targets = name, strings.Split(targets, "|")
		} else if name, profile, ok := strings.Cut(word, ":"); ok {
			r.Name, r.Profile = name, profile
		}
		e.Types = append(e.Types, r)
	}
	return e, nil
}

// field gives the n-th field, "" when the line ends before.
func field(f []string, n int) string {
	if n < len(f) {
		return f[n]
	}
	return ""
}
