package main

import (
	"bytes"
	"fmt"
	"slices"
	"strings"
)

type structureDefinition struct {
	Name, URL, Kind, Type, Derivation string
	Abstract                          bool
	BaseDefinition                    string
	Snapshot                          struct{ Element []element }
}

type element struct {
	Path, Max, ContentReference string
	Min                         int
	IsModifier                  bool
	Representation              []string
	Type                        []elementType
	Binding                     *struct {
		Strength, ValueSet string
	}
	Constraint []struct{ Key, Severity string }
}

type elementType struct {
	Code                   string
	Profile, TargetProfile []string
	Extension              []struct{ URL, ValueURL string }
}

// special are the profiles on Quantity that R4 uses as types of elements.
var special = []string{"SimpleQuantity"}

// wanted tells whether a definition belongs in the tables: every resource and data type, no profile.
func (d structureDefinition) wanted() bool {
	if d.Kind == "logical" || len(d.Snapshot.Element) == 0 {
		return false
	}
	return d.Derivation != "constraint" || slices.Contains(special, d.Name)
}

// writeStructures writes the types and gives the value sets that are required somewhere.
func writeStructures(out *bytes.Buffer, list []structureDefinition) map[string]bool {
	bound := map[string]bool{}
	slices.SortFunc(list, func(a, b structureDefinition) int {
		if c := strings.Compare(a.Kind, b.Kind); c != 0 {
			return c
		}
		return strings.Compare(a.Name, b.Name)
	})
	for _, d := range list {
		if !d.wanted() {
			continue
		}
		kind := d.Kind
		if d.Abstract {
			kind = "abstract"
		}
		switch kind {
		case "primitive-type":
			line(out, "primitive", d.Name)
			continue
		case "complex-type":
			kind = "complex"
		}
		writeStructure(out, d, kind, bound)
	}
	return bound
}

// writeStructure writes one type and, after it, each of its backbone elements as a type of its own.
func writeStructure(out *bytes.Buffer, d structureDefinition, kind string, bound map[string]bool) {
	elements := d.Snapshot.Element
	root := elements[0].Path
	heads := []string{root}
	for _, e := range elements[1:] {
		if e.hasChildren(elements) {
			heads = append(heads, e.Path)
		}
	}
	for _, head := range heads {
		k, name := kind, head
		if head != root {
			k = "backbone"
		} else {
			name = d.Name
		}
		var rules []string
		for _, e := range elements {
			if e.Path == head {
				for _, c := range e.Constraint {
					if c.Severity == "error" {
						rules = append(rules, c.Key)
					}
				}
			}
		}
		slices.Sort(rules)
		line(out, k, name, strings.Join(slices.Compact(rules), " "))
		for _, e := range elements {
			rest, ok := strings.CutPrefix(e.Path, head+".")
			if ok && !strings.Contains(rest, ".") {
				writeElement(out, d, e, rest, elements, bound)
			}
		}
	}
}

func (e element) hasChildren(all []element) bool {
	for _, o := range all {
		if strings.HasPrefix(o.Path, e.Path+".") {
			return true
		}
	}
	return false
}

// writeElement writes name, cardinality, types, the required value set and flags of one element.
func writeElement(out *bytes.Buffer, d structureDefinition, e element, name string, all []element, bound map[string]bool) {
	var types []string
	switch {
	case e.ContentReference != "":
		types = []string{"@" + strings.TrimPrefix(e.ContentReference, "#")}
	case e.hasChildren(all):
		types = []string{"@" + e.Path}
	default:
		for _, t := range e.Type {
			types = append(types, t.String(d, e.Path, name))
		}
	}
	binding := ""
	if e.Binding != nil && e.Binding.Strength == "required" && e.Binding.ValueSet != "" {
		url, _, _ := strings.Cut(e.Binding.ValueSet, "|")
		bound[url] = true
		binding = url
	}
	flags := ""
	if e.IsModifier {
		flags = "m"
	}
	if slices.Contains(e.Representation, "xmlAttr") {
		flags += "a"
	}
	line(out, "", name, fmt.Sprint(e.Min), e.Max, strings.Join(types, " "), binding, flags)
}

// String gives a type as the tables name it: Reference(A|B), Quantity:SimpleQuantity, string.
func (t elementType) String(d structureDefinition, path, name string) string {
	code := t.Code
	if strings.HasPrefix(code, "http://hl7.org/fhirpath/") {
		code = "string"
		for _, x := range t.Extension {
			if x.ValueURL != "" {
				code = x.ValueURL
			}
		}
		if name == "id" {
			if code = "string"; path == d.Name+".id" && d.Kind == "resource" {
				code = "id"
			}
		}
		return code
	}
	switch code {
	case "Reference":
		var targets []string
		for _, p := range t.TargetProfile {
			if last(p) == "Resource" {
				return "Reference"
			}
			targets = append(targets, last(p))
		}
		if len(targets) > 0 {
			return "Reference(" + strings.Join(targets, "|") + ")"
		}
	case "Quantity":
		for _, p := range t.Profile {
			if slices.Contains(special, last(p)) {
				return "Quantity:" + last(p)
			}
		}
	}
	return code
}
