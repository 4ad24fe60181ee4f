package rest

import (
	"net/url"
	"slices"
	"strings"

	"github.com/sluse/sluse/conformance/definitions"
)

// schemas describes every served type, and what they are made of, from the R4 tables. The schemas
// say names, types, cardinality and required codes; invariants, and that a choice is made once, only
// the server's own validation knows ($validate).
func schemas() object {
	byName := map[string]*definitions.Structure{}
	tables := definitions.R4()
	for i := range tables.Structures {
		byName[tables.Structures[i].Name] = &tables.Structures[i]
	}
	sets := map[string]*definitions.ValueSet{}
	for i := range tables.ValueSets {
		sets[tables.ValueSets[i].URL] = &tables.ValueSets[i]
	}
	s := schemer{structures: byName, sets: sets, out: object{
		"Resource": object{
			"type": "object", "required": []string{"resourceType"},
			"properties": object{"resourceType": object{"type": "string"}, "id": object{"type": "string"}},
		},
		"JSONPatch": object{
			"type": "array", "externalDocs": object{"url": "https://www.rfc-editor.org/rfc/rfc6902"},
			"items": object{
				"type": "object", "required": []string{"op", "path"},
				"properties": object{
					"op":   object{"enum": []string{"add", "copy", "move", "remove", "replace", "test"}},
					"path": object{"type": "string"}, "from": object{"type": "string"}, "value": true,
				},
			},
		},
		"Message": object{
			"type": "object", "required": []string{"businessDocument", "contentType", "contentTransferEncoding"},
			"properties": object{
				"businessDocument":        object{"type": "string", "contentEncoding": "base64"},
				"contentType":             object{"const": "application/xml"},
				"contentTransferEncoding": object{"const": "base64"},
			},
		},
		"Anything": true,
	}}
	for _, one := range slices.Concat(services, definitionServices) {
		s.add(string(one.Type))
	}
	for _, name := range []string{"Bundle", "CapabilityStatement", "OperationOutcome", "Parameters"} {
		s.add(name)
	}
	return s.out
}

// schemer writes the schema of each type once.
type schemer struct {
	structures map[string]*definitions.Structure
	sets       map[string]*definitions.ValueSet
	out        object
}

// add writes a type and, one after the other, everything that it is made of.
func (s schemer) add(name string) {
	d, known := s.structures[name]
	if _, done := s.out[name]; done || !known {
		return
	}
	properties := object{}
	schema := object{"type": "object", "properties": properties}
	s.out[name] = schema // before its elements: types hold themselves
	var required []string
	if d.Kind == "resource" {
		properties["resourceType"] = object{"const": name}
		required = append(required, "resourceType")
		schema["externalDocs"] = object{"url": "https://hl7.org/fhir/R4/" + strings.ToLower(url.PathEscape(name)) + ".html"}
	}
	for i := range d.Elements {
		e := &d.Elements[i]
		base, choice := strings.CutSuffix(e.Name, "[x]")
		for _, t := range e.Types {
			member := base
			if choice {
				member += strings.ToUpper(t.Name[:1]) + t.Name[1:]
			}
			properties[member] = s.element(e, t)
		}
		// a primitive without a value may be told by its "_" sibling instead
		if e.Min > 0 && !choice && len(e.Types) == 1 && !s.primitive(e.Types[0].Name) {
			required = append(required, base)
		}
	}
	if len(required) > 0 {
		schema["required"] = required
	}
}

func (s schemer) primitive(name string) bool {
	d, ok := s.structures[name]
	return !ok || d.Kind == "primitive"
}

// element is the schema of one element with one of its types.
func (s schemer) element(e *definitions.Element, t definitions.TypeRef) object {
	var one object
	switch {
	case !s.primitive(t.Name):
		name := t.Name
		if d := s.structures[name]; d.Kind == "abstract" && (name == "Resource" || name == "DomainResource") {
			name = "Resource"
		}
		s.add(name)
		one = ref("schemas", name)
	default:
		one = primitiveSchema(t.Name)
		if set, ok := s.sets[e.ValueSet]; ok && t.Name == "code" && !set.Open {
			one["enum"] = codesOf(set)
		}
	}
	if e.Max == 1 {
		return one
	}
	list := object{"type": "array", "items": one}
	if e.Max > 1 {
		list["maxItems"] = e.Max
	}
	return list
}

func codesOf(set *definitions.ValueSet) []string {
	var codes []string
	for _, system := range set.Systems {
		codes = append(codes, system.Codes...)
	}
	slices.Sort(codes)
	return slices.Compact(codes)
}

// primitiveSchema is a primitive type as JSON has it (R4 json.html#primitive).
func primitiveSchema(name string) object {
	switch name {
	case "boolean":
		return object{"type": "boolean"}
	case "integer":
		return object{"type": "integer", "format": "int32"}
	case "unsignedInt":
		return object{"type": "integer", "minimum": 0}
	case "positiveInt":
		return object{"type": "integer", "minimum": 1}
	case "decimal":
		return object{"type": "number", "description": "Its digits are kept as they are written."}
	case "base64Binary":
		return object{"type": "string", "contentEncoding": "base64"}
	case "instant":
		return object{"type": "string", "format": "date-time"}
	case "id":
		return object{"type": "string", "pattern": `^[A-Za-z0-9\-\.]{1,64}$`}
	}
	return object{"type": "string"}
}
