// Package fhir holds FHIR R4 resources as values: a strict JSON reader that keeps the
// received bytes, references, editing by splicing, validation by tables, search-parameter
// extraction, Bundles and OperationOutcome.
//
// The received bytes are the record. They are parsed once into a tree that points into
// them; every change is a splice, so what nobody touched stays byte-identical: literal
// numbers, order, white space, primitive extensions and contained resources.
//
// Nothing here knows about consent, databases or HTTP, reads a clock or draws a random number.
package fhir

import "slices"

// Type is the name of an R4 resource type, such as "CarePlan".
type Type string

// ID is the logical id of a resource (R4 datatypes.html#id): 1 to 64 of A-Z a-z 0-9 - and dot.
type ID string

// Valid reports whether the id has the form that R4 datatypes.html#id asks for.
func (id ID) Valid() bool { return validID(string(id)) }

// validID reports whether s matches [A-Za-z0-9\-\.]{1,64}.
func validID(s string) bool {
	if len(s) == 0 || len(s) > 64 {
		return false
	}
	for i := 0; i < len(s); i++ {
		c := s[i]
		if !isAlphanumeric(c) && c != '-' && c != '.' {
			return false
		}
	}
	return true
}

// validTypeName reports whether s has the form of a resource type name.
func validTypeName(s string) bool {
	if len(s) == 0 || len(s) > 64 || s[0] < 'A' || s[0] > 'Z' {
		return false
	}
	for i := 1; i < len(s); i++ {
		if c := s[i] | 0x20; c < 'a' || c > 'z' {
			return false
		}
	}
	return true
}

func isDigit(c byte) bool        { return c >= '0' && c <= '9' }
func isAlphanumeric(c byte) bool { return isDigit(c) || c|0x20 >= 'a' && c|0x20 <= 'z' }

// KnownType reports whether t is a concrete R4 resource type that the tables describe.
func KnownType(t Type) bool {
	s := tables().structures[string(t)]
	return s != nil && s.resource
}

// Types lists the concrete R4 resource types that the tables describe, sorted by name.
func Types() []Type { return slices.Clone(tables().types) }
