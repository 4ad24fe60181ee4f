package fhir

import (
	"slices"
	"strings"
	"sync"

	"github.com/sluse/sluse/conformance/definitions"
)

// compiled is the R4 tables in the form that validation and search run on.
type compiled struct {
	structures map[string]*structure
	types      []Type
}

// structure is one R4 type: a resource, data type, backbone element or primitive.
type structure struct {
	name      string
	resource  bool // a concrete resource type
	abstract  bool // Resource or DomainResource: any resource may stand here
	backbone  bool
	primitive *primitive
	slots     map[string]*slot // by the member name in JSON
	required  []*element
	rules     []rule
}

// element is one element of a structure, a choice counted once.
type element struct {
	name     string
	shown    string // what a message calls it: "value[x]"
	min, max int    // max -1: unbounded
	index    int
	choice   bool
	names    []string // member names of a choice
	codes    *codeSet
}

// list reports whether JSON writes the element as an array.
func (e *element) list() bool { return e.max != 1 && e.max != 0 }

// slot is what may stand under one member name.
type slot struct {
	element   *element
	typ       *structure
	targets   []string // of a Reference; nil: any
	reference bool
	attribute bool // in XML; id of an element and url of an extension: no "_" sibling
	narrative bool
}

// codeSet is a required value set.
type codeSet struct {
	name   string // the last part of its URL
	open   bool
	codes  map[string]bool
	system map[string]map[string]bool
}

// tables compiles the definitions once.
var tables = sync.OnceValue(func() *compiled {
	src := definitions.R4()
	c := &compiled{structures: make(map[string]*structure, len(src.Structures)+1)}
	sets := make(map[string]*codeSet, len(src.ValueSets))
	for i := range src.ValueSets {
		v := &src.ValueSets[i]
		set := &codeSet{name: v.URL[strings.LastIndexByte(v.URL, '/')+1:], open: v.Open, codes: map[string]bool{}, system: map[string]map[string]bool{}}
		for _, s := range v.Systems {
			codes := make(map[string]bool, len(s.Codes))
			for _, code := range s.Codes {
				codes[code], set.codes[code] = true, true
			}
			set.system[s.URL] = codes
		}
		sets[v.URL] = set
	}
	for i := range src.Structures {
		d := &src.Structures[i]
		c.structures[d.Name] = &structure{
			name: d.Name, resource: d.Kind == "resource", backbone: d.Kind == "backbone",
			abstract: d.Name == "Resource" || d.Name == "DomainResource", primitive: primitives[d.Name],
		}
		if d.Kind == "resource" {
			c.types = append(c.types, Type(d.Name))
		}
	}
	slices.Sort(c.types)
	for i := range src.Structures {
		c.compile(&src.Structures[i], sets)
	}
	return c
})

// compile fills the slots and rules of one structure.
func (c *compiled) compile(d *definitions.Structure, sets map[string]*codeSet) {
	s := c.structures[d.Name]
	s.slots = make(map[string]*slot, len(d.Elements))
	for i := range d.Elements {
		src := &d.Elements[i]
		base, choice := strings.CutSuffix(src.Name, "[x]")
		e := &element{name: base, shown: src.Name, min: src.Min, max: src.Max, index: i, choice: choice, codes: sets[src.ValueSet]}
		if src.Min > 0 {
			s.required = append(s.required, e)
		}
		for _, t := range src.Types {
			name := base
			if choice {
				name += strings.ToUpper(t.Name[:1]) + t.Name[1:]
				e.names = append(e.names, name)
			}
			typ := t.Name
			if t.Profile != "" {
				typ = t.Profile
			}
			s.slots[name] = &slot{
				element: e, typ: c.structures[typ], targets: t.Targets, reference: t.Name == "Reference",
				attribute: src.Attribute,
				narrative: t.Name == "xhtml",
			}
		}
	}
	for _, key := range d.Rules {
		r, ok := rules[d.Name+"/"+key]
		if !ok {
			r, ok = rules[key]
		}
		if ok && r.holds != nil {
			s.rules = append(s.rules, r)
		}
	}
	for _, key := range placed[d.Name] {
		s.rules = append(s.rules, rules[key])
	}
}
