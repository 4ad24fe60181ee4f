package fhir

import (
	"strings"
	"sync"
)

// Trim tells what leaves a document before others than its holder get it: the narrative of the resource and of what it
// contains, what a reference says beside its target, and what the fields name. It serves many goroutines, and does not change
// once it is used.
type Trim struct {
	// Members is a member that goes, by the type of the resource.
	Members map[Type]string
	// Tags is a coding, as JSON, that meta.tag begins with, by the type of the resource.
	Tags map[Type]string
	// Open are types that a reference may tell all of.
	Open map[Type]bool
	// OpenSystems are the systems of identifiers that only those types have.
	OpenSystems map[string]bool

	sealing sync.Once
	sealed  [sealSize]byte
}

// told is what a reference says of its target beside where it is.
var told = [...]string{"display", "identifier"}

// Append appends the document to dst, trimmed, and less the values at paths (Resource.At); what else stands in it stays
// as it is, byte for byte. It is done in one reading where that can be, else by an Editor, with the same bytes. The error
// is *Error: of what is no resource, or of a path at which nothing is.
func (t *Trim) Append(dst, body []byte, limits Limits, paths []string) ([]byte, error) {
	if len(body) <= limits.orDefaults().Bytes {
		if out, ok := t.quick(dst, body, paths); ok {
			return out, nil
		}
	}
	return t.edit(dst, body, limits, paths)
}

// edit is Append by an Editor.
func (t *Trim) edit(dst, body []byte, limits Limits, paths []string) ([]byte, error) {
	res, err := ParseLimits(body, limits)
	if err != nil {
		return nil, err
	}
	e := res.Edit()
	for _, v := range append([]*Value{res.root}, res.root.Get("contained").Items()...) {
		if text := v.Get("text"); text.Kind() == Object {
			e.Remove(text)
		}
	}
	for _, v := range res.elements(func(_ *structure, s *slot, v *Value) bool { return s.typ != nil && s.typ.name == "Narrative" }) {
		if v.nested() {
			e.Remove(v)
		}
	}
	if name, ok := t.Members[res.kind]; ok {
		e.Remove(res.root.member(name))
	}
	for _, v := range res.References() {
		if t.open(v) {
			continue
		}
		if v.Get("reference") == nil {
			e.Remove(v) // it says all it says by what goes
			continue
		}
		for _, name := range told {
			e.Remove(v.member(name))
			e.Remove(v.member("_" + name))
		}
	}
	if tag, ok := t.Tags[res.kind]; ok {
		for _, old := range res.root.Get("meta", "tag").Items() {
			tag += "," + plainTag(old)
		}
		e.Set(res.root.Get("meta"), "tag", []byte("["+tag+"]"))
	}
	for _, path := range paths {
		v := res.At(path)
		if v == nil {
			return nil, faultAt(nil, CodeEdit, IssueProcessing)
		}
		e.Remove(v)
	}
	out, err := e.Bytes()
	if err != nil {
		return nil, err
	}
	return append(dst, out...), nil
}

// open tells whether a reference may say all it says: by its target, or by a number that only open types have.
func (t *Trim) open(v *Value) bool {
	if ref := v.Get("reference"); ref != nil {
		name, _, found := strings.Cut(ref.Text(), "/")
		return found && t.Open[Type(name)]
	}
	if said := v.Get("type"); said != nil {
		return t.Open[Type(said.Text())]
	}
	return t.OpenSystems[v.Get("identifier", "system").Text()]
}

// nested tells whether a value stands in a resource that the document holds.
func (v *Value) nested() bool {
	for p := v.parent; p != nil && p.parent != nil; p = p.parent {
		if p.member("resourceType") != nil {
			return true
		}
	}
	return false
}

// plainTag is a coding as it is written, less its extensions: what they refer to is nobody's to read.
func plainTag(v *Value) string {
	var b []byte
	whole := true
	for _, m := range v.Members() {
		if m.Name == "extension" || m.Name[:min(1, len(m.Name))] == "_" && m.Value.Get("extension") != nil {
			whole = false
			continue
		}
		if b = append(b, ','); len(b) == 1 {
			b[0] = '{'
		}
		b = append(append(appendString(b, m.Name), ':'), m.Value.Raw()...)
	}
	if whole {
		return string(v.Raw())
	}
	if b == nil {
		return "{}"
	}
	return string(append(b, '}'))
}
