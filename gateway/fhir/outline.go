package fhir

import (
	"bytes"
	"hash/crc32"
)

// Outline is what an Editor does to one document, kept apart from its tree: byte ranges, and nothing
// of the document but what the edits add. With it the edits are done again without reading the document
// anew, less or more the choices: values of which each application says whether they go as well.
// It never changes, and serves many goroutines.
type Outline struct {
	root    notch
	choices int
	size    int
	length  int
	sum     uint32
}

// notch is a value that an edit touches, or that holds one.
type notch struct {
	begin, start, end int32 // begin: of its name, when it has one
	before, after     int32 // end of the sibling before it, begin of the one behind it; 0: there is none
	first, last       int32 // of its children: begin of the first, end of the last
	choice            int32 // the choice that takes it away; -1: none
	removed           bool
	void              bool // a null that keeps no "_name" array alive
	firm              bool // holds what no edit touches, so that it stays
	holder            bool // an array or an object
	literal           []byte
	added             []byte
	notches           []notch
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// outliner makes an Outline.
type outliner struct {
	e       *Editor
	chosen  map[*Value]int32
	touched map[*Value]bool
	size    int
}

// Outline gives the edits so far in a form that outlives the tree. choices are values that Apply may
// take away as Remove does. It is nil when an edit has failed, when a choice is absent or the root, or
// when two choices take the same value.
func (e *Editor) Outline(choices []*Value) *Outline {
	if e.err != nil {
		return nil
	}
	o := outliner{e: e, chosen: map[*Value]int32{}, touched: map[*Value]bool{}}
	for i, v := range choices {
		if v == nil || v.parent == nil || v.doc != e.doc || !o.choose(v, int32(i)) { //nolint:gosec // as many as the document has values
			return nil
		}
	}
	for v := range e.dirty {
		o.touch(v)
	}
	out := &Outline{choices: len(choices), length: len(e.doc.body), sum: crc32.Checksum(e.doc.body, castagnoli)}
	out.root = o.notch(e.root)
	out.size = o.size
	return out
}

// choose marks what goes with a choice: the value, and its sibling as Remove takes it.
func (o *outliner) choose(v *Value, i int32) bool {
	goes := []*Value{v}
	if v.parent.kind == Object {
		if name := v.Name(); name != "" && name[0] != '_' {
			if s := v.parent.member("_" + name); s != nil {
				goes = append(goes, s)
			}
		}
	} else if twin := v.twin(); twin != nil {
		goes = append(goes, twin)
	}
	for _, one := range goes {
		if _, taken := o.chosen[one]; taken {
			return false
		}
		o.chosen[one] = i
		o.touch(one)
	}
	return true
}

func (o *outliner) touch(v *Value) {
	for ; v != nil && !o.touched[v]; v = v.parent {
		o.touched[v] = true
	}
}

func (v *Value) begin() int32 {
	if v.key >= 0 && v.parent != nil {
		return v.key
	}
	return v.start
}

// children of an array or an object.
func (v *Value) children() []*Value {
	if v.kind != Object {
		return v.items
	}
	list := make([]*Value, len(v.members))
	for i := range v.members {
		list[i] = v.members[i].Value
	}
	return list
}

func (o *outliner) notch(v *Value) notch {
	o.size++
	m := notch{begin: v.begin(), start: v.start, end: v.end, choice: -1, removed: o.e.removed[v], holder: v.kind == Array || v.kind == Object}
	if i, ok := o.chosen[v]; ok {
		m.choice = i
	}
	if literal := o.e.literal[v]; literal != nil {
		m.literal = bytes.Clone(bytes.TrimSpace(literal))
	}
	if m.removed || m.literal != nil || !m.holder {
		return m
	}
	for i, a := range o.e.added[v] {
		if i > 0 {
			m.added = append(m.added, ',')
		}
		if v.kind == Object {
			m.added = append(appendString(m.added, a.name), ':')
		}
		m.added = append(m.added, bytes.TrimSpace(a.json)...)
	}
	list := v.children()
	sibling := v.kind == Array && v.key >= 0 && v.parent != nil && o.e.doc.body[v.key+1] == '_'
	for i, c := range list {
		void := sibling && c.kind == Null
		if !o.touched[c] {
			m.firm = m.firm || !void
			continue
		}
		at := o.notch(c)
		at.void = void
		if i > 0 {
			at.before = list[i-1].end
		}
		if i+1 < len(list) {
			at.after = list[i+1].begin()
		}
		m.notches = append(m.notches, at)
	}
	if len(list) > 0 {
		m.first, m.last = list[0].begin(), list[len(list)-1].end
	}
	return m
}

// Size tells how many values the Outline holds.
func (o *Outline) Size() int { return o.size }

// Apply gives the document with the edits done and the choices taken away for which without is true,
// in bytes of its own: those that Editor.Bytes would give. It is false when body is not the document
// that the Outline was made of.
func (o *Outline) Apply(body []byte, without []bool) ([]byte, bool) {
	if len(body) != o.length || len(without) != o.choices || crc32.Checksum(body, castagnoli) != o.sum {
		return nil, false
	}
	p := applied{src: body, without: without, out: make([]byte, 0, len(body)+512)}
	p.out = append(p.out, body[:o.root.start]...)
	p.emit(&o.root)
	return append(p.out, body[o.root.end:]...), true
}

// applied is one application of an Outline.
type applied struct {
	src, out []byte
	without  []bool
}

// changed tells whether anything at or below a notch changes, gone whether it disappears.
func (p *applied) changed(m *notch) (changed, gone bool) {
	switch {
	case m.removed || m.choice >= 0 && p.without[m.choice]:
		return true, true
	case m.literal != nil || m.added != nil:
		return true, false
	}
	gone = !m.firm && len(m.notches) > 0
	for i := range m.notches {
		c, g := p.changed(&m.notches[i])
		changed = changed || c
		gone = gone && (g || m.notches[i].void && !c)
	}
	return changed, changed && gone
}

// emit writes a value that stays, in the order and with the commas of Editor.emit.
func (p *applied) emit(m *notch) {
	if m.literal != nil {
		p.out = append(p.out, m.literal...)
		return
	}
	if len(m.notches) == 0 && m.added == nil {
		p.out = append(p.out, p.src[m.start:m.end]...)
		return
	}
	w := run{applied: p, holder: m, last: m.start + 1, empty: true}
	p.out = append(p.out, p.src[m.start])
	next := m.first
	for i := range m.notches {
		c := &m.notches[i]
		if next != c.begin {
			w.copy(next, c.before)
		}
		if _, gone := p.changed(c); !gone {
			w.copy(c.begin, c.start)
			p.emit(c)
		}
		w.last, next = c.end, c.after
	}
	if next != 0 {
		w.copy(next, m.last)
	}
	if m.added != nil {
		if !w.empty {
			p.out = append(p.out, ',')
		}
		p.out = append(p.out, m.added...)
	}
	p.out = append(p.out, p.src[w.last:m.end]...)
}

// run writes the children of one holder.
type run struct {
	*applied
	holder *notch
	last   int32 // end of what stood before the next separator
	empty  bool  // nothing is written yet
}

// copy writes children, or the name of one, and before them the comma and space that stood there.
func (w *run) copy(from, to int32) {
	if w.empty {
		w.out = append(append(w.out, w.src[w.holder.start+1:w.holder.first]...), w.src[from:to]...)
		w.empty = false
	} else {
		w.out = append(w.out, w.src[w.last:to]...)
	}
	w.last = to
}
