package fhir

import "bytes"

// Editor collects edits on the bytes of a resource and applies them once. What no edit
// touches stays byte-identical. An Editor serves one goroutine.
type Editor struct {
	doc     *document
	root    *Value
	removed map[*Value]bool
	dirty   map[*Value]bool // has an edit at or below it
	literal map[*Value][]byte
	added   map[*Value][]addition
	err     error
}

// addition is a member (name set) or element that an edit puts at the end of its container.
type addition struct {
	name string
	json []byte
}

// Edit starts edits on the bytes of the resource; the resource itself does not change.
func (r *Resource) Edit() *Editor {
	return &Editor{
		doc: r.root.doc, root: r.root,
		removed: map[*Value]bool{}, dirty: map[*Value]bool{},
		literal: map[*Value][]byte{}, added: map[*Value][]addition{},
	}
}

// Remove takes away an array element or an object member, with its comma. A primitive goes
// together with its sibling: the "_name" member, or its slot in the "_name" array. An array or
// object that loses its last element goes as well. The root cannot be removed; nil is ignored.
func (e *Editor) Remove(v *Value) {
	if v == nil {
		return
	}
	if v.parent == nil || v.doc != e.doc {
		e.fail(v)
		return
	}
	e.remove(v)
	if v.parent.kind == Object {
		if name := v.Name(); name != "" && name[0] != '_' {
			if s := v.parent.member("_" + name); s != nil {
				e.remove(s)
			}
		}
		return
	}
	if twin := v.twin(); twin != nil {
		e.remove(twin)
	}
}

// twin gives the slot of an array element in the array of its "_name" or "name" sibling.
func (v *Value) twin() *Value {
	list := v.parent
	if list.parent == nil || list.parent.kind != Object {
		return nil
	}
	name := list.Name()
	sibling := "_" + name
	if name != "" && name[0] == '_' {
		sibling = name[1:]
	}
	other := list.parent.member(sibling)
	if other == nil || len(other.items) != len(list.items) {
		return nil
	}
	return other.items[-1-v.key]
}

func (e *Editor) remove(v *Value) {
	e.removed[v] = true
	e.touch(v)
}

// touch marks v and all that holds it as changed.
func (e *Editor) touch(v *Value) {
	for ; v != nil && !e.dirty[v]; v = v.parent {
		e.dirty[v] = true
	}
}

// Replace puts other JSON in the place of a value. Edits below v are lost.
func (e *Editor) Replace(v *Value, json []byte) {
	if v == nil || v.doc != e.doc || !e.check(json) {
		e.fail(v)
		return
	}
	delete(e.removed, v)
	e.literal[v] = json
	e.touch(v)
}

// Set adds a member to an object, or replaces the one of that name. The last call for a name holds.
func (e *Editor) Set(parent *Value, name string, json []byte) {
	if parent.Kind() != Object || parent.doc != e.doc || !e.check(json) {
		e.fail(parent)
		return
	}
	if v := parent.member(name); v != nil {
		e.Replace(v, json)
		return
	}
	for i, a := range e.added[parent] {
		if a.name == name {
			e.added[parent][i].json = json
			return
		}
	}
	e.added[parent] = append(e.added[parent], addition{name: name, json: json})
	e.touch(parent)
}

// Append adds an element at the end of an array.
func (e *Editor) Append(array *Value, json []byte) {
	if array.Kind() != Array || array.doc != e.doc || !e.check(json) {
		e.fail(array)
		return
	}
	e.added[array] = append(e.added[array], addition{json: json})
	e.touch(array)
}

// check refuses JSON that the reader would refuse: an edit must never make a document that
// another reader takes apart differently.
func (e *Editor) check(json []byte) bool {
	_, err := scan(json, Limits{Bytes: BundleBytes})
	return err == nil
}

func (e *Editor) fail(v *Value) {
	if e.err == nil {
		e.err = faultAt(v, CodeEdit, IssueProcessing)
	}
}

// Bytes gives the edited document in bytes of its own. The error is *Error: an edit of a
// value that is nil, of another document or of the wrong kind, or with malformed JSON.
func (e *Editor) Bytes() ([]byte, error) {
	if e.err != nil {
		return nil, e.err
	}
	src := e.doc.body
	out := make([]byte, 0, len(src)+512)
	out = append(out, src[:e.root.start]...)
	out = e.emit(out, e.root)
	return append(out, src[e.root.end:]...), nil
}

// gone reports whether a value disappears: removed, or emptied by removals below it. A "_name"
// array of which nothing but null slots remains is empty.
func (e *Editor) gone(v *Value) bool {
	if !e.dirty[v] {
		return false
	}
	if e.removed[v] {
		return true
	}
	if e.literal[v] != nil || len(e.added[v]) > 0 {
		return false
	}
	switch v.kind {
	case Array:
		sibling := v.key >= 0 && e.doc.body[v.key+1] == '_'
		for _, item := range v.items {
			if !e.gone(item) && !(sibling && item.kind == Null) {
				return false
			}
		}
		return len(v.items) > 0
	case Object:
		for _, m := range v.members {
			if !e.gone(m.Value) {
				return false
			}
		}
		return len(v.members) > 0
	}
	return false
}

// emit writes a value with the edits at and below it.
func (e *Editor) emit(out []byte, v *Value) []byte {
	src := e.doc.body
	if json := e.literal[v]; json != nil {
		return append(out, bytes.TrimSpace(json)...)
	}
	if !e.dirty[v] || v.kind != Array && v.kind != Object {
		return append(out, src[v.start:v.end]...)
	}
	n := len(v.items)
	if v.kind == Object {
		n = len(v.members)
	}
	at := func(i int) *Value {
		if v.kind == Object {
			return v.members[i].Value
		}
		return v.items[i]
	}
	begin := func(c *Value) int32 {
		if c.key >= 0 {
			return c.key
		}
		return c.start
	}
	first := true
	last := v.start + 1 // end of what stood before the next separator
	out = append(out, src[v.start])
	for i := range n {
		c := at(i)
		from := begin(c)
		if !e.gone(c) {
			switch {
			case !first:
				out = append(out, src[last:from]...) // comma and space as they stood before c
			default:
				out = append(out, src[v.start+1:begin(at(0))]...)
			}
			first = false
			out = append(out, src[from:c.start]...)
			out = e.emit(out, c)
		}
		last = c.end
	}
	for _, a := range e.added[v] {
		if !first {
			out = append(out, ',')
		}
		first = false
		if v.kind == Object {
			out = append(appendString(out, a.name), ':')
		}
		out = append(out, bytes.TrimSpace(a.json)...)
	}
	return append(out, src[last:v.end]...)
}
