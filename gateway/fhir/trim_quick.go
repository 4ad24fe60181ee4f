package fhir

import (
	"bytes"
	"strconv"
	"strings"
	"sync"
)

// span is a range of the document; with a negative beginning, of what is written: from -1-from.
type span struct{ from, to int32 }

// quick appends the document to dst, trimmed in one reading, without a tree. It takes apart only what the strict reader
// takes apart in the same way, and declines whatever it would have to look at twice: a name or a target that is written
// with an escape, the sibling of what goes in an array, and all that is no JSON.
func (t *Trim) quick(dst, body []byte, paths []string) ([]byte, bool) {
	q := quicks.Get().(*quick) //nolint:errcheck // nothing else is put there
	defer q.put()
	if !q.read(t, body, paths, false) {
		return dst, false
	}
	for _, s := range q.spans {
		if s.from < 0 {
			dst = append(dst, q.written[-1-s.from:s.to]...)
		} else {
			dst = append(dst, body[s.from:s.to]...)
		}
	}
	return dst, true
}

// quicks are readings that are over: what one grew to, the next need not.
var quicks = sync.Pool{New: func() any { return new(quick) }}

// put gives back a reading that is over, unless it has grown large.
func (q *quick) put() {
	const large = 1 << 14
	if cap(q.spans) > large || cap(q.written) > large || cap(q.elements) > large {
		return
	}
	q.src = nil
	quicks.Put(q)
}

// read reads the document, less the values at paths; marking leaves these in and notes where they and their siblings
// stand.
func (q *quick) read(t *Trim, body []byte, paths []string, marking bool) bool {
	*q = quick{
		Trim: t, src: body, marking: marking,
		want: q.want[:0], spans: q.spans[:0], written: q.written[:0], arrays: q.arrays[:0], elements: q.elements[:0],
	}
	if len(paths) > maxQuickPaths {
		return false
	}
	q.space()
	kind, ok := q.member("resourceType")
	if !ok || kind == nil {
		return false
	}
	root := place{typ: tables().structures[string(kind)], stands: atRoot}
	if root.typ == nil {
		return false
	}
	for i, path := range paths {
		rest, ok := strings.CutPrefix(path, root.typ.name)
		if ok && (rest == "" || rest[0] == '.') {
			path = strings.TrimPrefix(rest, ".")
		}
		if path == "" || strings.HasPrefix(path, "meta") {
			return false
		}
		q.want = append(q.want, wanted{path, int32(i)}) //nolint:gosec // few
	}
	q.tag, q.gone = t.Tags[Type(kind)], t.Members[Type(kind)]
	if gone, ok := q.value(root); !ok || gone || q.tag != "" || q.found != len(paths) {
		return false
	}
	q.space()
	if q.pos != len(body) {
		return false
	}
	q.flush(q.pos, q.pos)
	return true
}

// maxMarked bounds the elements that an Outline tells of: each array looks through all of them.
const maxMarked = 4096

// maxQuickPaths: every element of a list is looked up among all that is to go, which an Editor does not.
const maxQuickPaths = 64

// quick is one reading. What stands before from is kept, or never will be.
type quick struct {
	*Trim
	src       []byte
	pos, from int
	spans     []span
	written   []byte
	depth     int
	want      []wanted // what is to go below the values being read, innermost last
	found     int      // of what is to go
	tag       string   // still to be written
	gone      string   // member of the resource that goes
	marking   bool     // what is to go stays, and is noted
	arrays    []marked
	elements  []elementSpan
}

// wanted is what is to go below a value, and which of all that is.
type wanted struct {
	path string
	part int32
}

// marked is an array of which elements may go: where it begins, and what goes when all of them do; of no length where that
// is not known.
type marked struct {
	at    int
	whole span
}

// elementSpan is an element of such an array.
type elementSpan struct {
	array, part int32 // part -1: it stays
	span
}

// place is where a value stands.
type place struct {
	typ       *structure // nil: of no matter
	stands    stand
	reference bool
	sibling   bool // under a "_name": what goes there leaves its place to a null
	nested    bool // in a resource that the document holds
	want      int  // what is to go below it: quick.want from here
}

type stand uint8

const (
	inside stand = iota
	atRoot
	atContained
	atMeta
)

// flush keeps what stands up to a place, and goes on from another.
func (q *quick) flush(to, next int) {
	if q.from < to {
		q.spans = append(q.spans, between(q.from, to))
	}
	q.from = next
}

// write keeps what has been written since.
func (q *quick) write(since int) {
	q.spans = append(q.spans, span{int32(-1 - since), int32(len(q.written))}) //nolint:gosec // as long as the tags of a document
}

// says tells what of a reference stays: all, what is not told, or nothing.
func (q *quick) says() (all, something, ok bool) {
	target, ok := q.member("reference")
	if !ok || target != nil {
		at := bytes.IndexByte(target, '/')
		return at > 0 && q.Open[Type(target[:at])], true, ok
	}
	said, ok := q.member("type")
	if !ok || said != nil {
		return q.Open[Type(said)], false, ok
	}
	return q.numbered()
}

// numbered tells whether a reference names its target by a number of an open type.
func (q *quick) numbered() (all, something, ok bool) {
	at, depth := q.pos, q.depth
	ok, found := q.seek("identifier")
	if found && q.src[q.pos] == '{' {
		var system []byte
		system, ok = q.member("system")
		all = system != nil && q.OpenSystems[string(system)]
	}
	q.pos, q.depth = at, depth
	return all, false, ok
}

// value reads a value and keeps what stays of it. It is gone when nothing does; it is not ok when it is to be left to
// an Editor.
func (q *quick) value(at place) (gone, ok bool) {
	switch q.src[q.pos] {
	case '{':
		bare := false
		if at.reference {
			all, something, ok := q.says()
			if !ok {
				return false, false
			}
			if !all && !something {
				return true, q.skip()
			}
			bare = !all
		}
		return q.object(at, bare)
	case '[':
		return q.array(at)
	}
	return false, q.scalar()
}

// take reads a value that goes, or may stay. What is to go below what goes is still looked for.
func (q *quick) take(at place, goes bool) (gone, ok bool) {
	if at.want == len(q.want) && (goes || at.typ == nil) {
		return goes, q.skip()
	}
	gone, ok = q.value(at)
	return gone || goes, ok
}

// holder is an object or an array being read.
type holder struct {
	start, first int // its bracket, its first child
	last         int // end of the child before
	kept         bool
	spans, from  int // what was kept before the child at hand
}

// begin comes before a child that may stay.
func (q *quick) begin(h *holder) {
	h.spans, h.from = len(q.spans), q.from
	if !h.kept && q.pos != h.first {
		q.from = h.start + 1
		q.flush(h.first, q.pos)
	}
}

// end comes behind it.
func (q *quick) end(h *holder, gone bool) {
	if gone {
		q.spans, q.from = q.spans[:h.spans], h.from
		to := h.start + 1
		if h.kept {
			to = h.last
		}
		q.flush(to, q.pos)
	} else {
		h.kept = true
	}
	h.last = q.pos
}

// stays passes a member that begins at from and that nothing can take away.
func (q *quick) stays(h *holder, from int) bool {
	value := q.pos
	q.pos = from
	q.begin(h)
	q.pos = value
	if !q.scalar() {
		return false
	}
	q.end(h, false)
	return true
}

func (q *quick) array(at place) (gone, ok bool) {
	h := holder{start: q.pos, last: q.pos + 1}
	outer := len(q.want)
	number := q.mark(at.want)
	empty, ok := q.enter(']')
	if empty || !ok {
		return false, ok
	}
	h.first = q.pos
	if at.stands == atMeta || at.stands == atRoot {
		at.stands = inside
	}
	for i, more := 0, true; more; i++ {
		next := at
		next.want, next.sibling = len(q.want), false
		part, ok := q.element(i, at.want, outer)
		if !ok || q.pos >= len(q.src) || q.src[q.pos] == '[' {
			return false, false
		}
		from := q.pos
		q.begin(&h)
		if gone, ok = q.take(next, part >= 0 && !q.marking); !ok || gone && at.sibling {
			return false, false
		}
		q.want = q.want[:outer]
		q.end(&h, gone)
		if number >= 0 {
			if gone || len(q.elements) == maxMarked {
				return false, false
			}
			q.elements = append(q.elements, elementSpan{number, part, between(from, q.pos)})
		}
		if more, ok = q.more(']'); !ok {
			return false, false
		}
	}
	q.depth--
	return !h.kept, true
}

func between(from, to int) span { return span{int32(from), int32(to)} } //nolint:gosec // a document is of 16 MiB at most

// mark notes the array at hand when elements of it may go, which it does not while they go; -1 when it does not.
func (q *quick) mark(from int) int32 {
	if !q.marking {
		return -1
	}
	for _, w := range q.want[from:] {
		if w.path != "" && w.path[0] == '[' && w.path[len(w.path)-1] == ']' && strings.IndexByte(w.path, ']') == len(w.path)-1 {
			q.arrays = append(q.arrays, marked{at: q.pos})
			return int32(len(q.arrays) - 1) //nolint:gosec // as many as there are paths, at most
		}
	}
	return -1
}

// element notes what is to go below an element, and tells which of all that it is itself; -1: none.
func (q *quick) element(i, from, to int) (part int32, ok bool) {
	part = -1
	for _, w := range q.want[from:to] {
		if w.path == "" || w.path[0] != '[' {
			continue
		}
		number, rest, ok := strings.Cut(w.path[1:], "]")
		if !ok {
			return -1, false
		}
		if n, err := strconv.Atoi(number); err != nil || n != i {
			continue
		}
		switch {
		case rest == "" && q.marking && part >= 0:
			return -1, false
		case rest == "":
			part = w.part
			q.found++
		case rest[0] == '.':
			q.want = append(q.want, wanted{rest[1:], w.part})
		default:
			return -1, false
		}
	}
	return part, true
}

func (q *quick) object(at place, bare bool) (gone, ok bool) {
	if at.typ != nil && at.typ.abstract {
		kind, ok := q.member("resourceType")
		if !ok {
			return false, false
		}
		at.nested = at.stands != atRoot
		if at.typ = tables().structures[string(kind)]; at.typ == nil && at.stands == atContained {
			return false, false
		}
	}
	h := holder{start: q.pos, last: q.pos + 1}
	outer := len(q.want)
	empty, ok := q.enter('}')
	if empty || !ok {
		return false, ok
	}
	h.first = q.pos
	plain := at.want == outer && !bare && at.stands != atRoot && at.stands != atMeta
	for more := true; more; {
		from := q.pos
		name, ok := q.name()
		if !ok {
			return false, false
		}
		c := q.src[q.pos]
		if plain && c != '{' && c != '[' && len(name) > 0 && name[0] != '_' {
			if ok = q.stays(&h, from); ok {
				more, ok = q.more('}')
			}
			if !ok {
				return false, false
			}
			continue
		}
		next, take, ok := q.child(at, name, outer, bare)
		if !ok {
			return false, false
		}
		value, noted := q.pos, len(q.arrays)
		q.pos = from
		q.begin(&h)
		q.pos = value
		switch {
		case at.stands == atMeta && string(name) == "tag":
			gone, ok = false, q.tags()
		default:
			gone, ok = q.take(next, take)
		}
		if !ok {
			return false, false
		}
		q.want = q.want[:outer]
		if len(q.arrays) > noted && q.arrays[noted].at == value && h.kept {
			q.arrays[noted].whole = between(h.last, q.pos)
		}
		q.end(&h, gone)
		if more, ok = q.more('}'); !ok {
			return false, false
		}
	}
	q.depth--
	if at.stands == atMeta && q.tag != "" {
		q.flush(h.last, h.last)
		since := len(q.written)
		if h.kept {
			q.written = append(q.written, ',')
		}
		q.written = append(append(append(q.written, `"tag":[`...), q.tag...), ']')
		q.write(since)
		q.tag, h.kept = "", true
	}
	return !h.kept, true
}

// tags reads meta.tag and writes it anew.
func (q *quick) tags() bool {
	q.flush(q.pos, q.pos)
	since := len(q.written)
	q.written = append(append(q.written, '['), q.tag...)
	q.tag = ""
	if q.src[q.pos] != '[' {
		return false
	}
	empty, ok := q.enter(']')
	for more := !empty; more && ok; {
		from := q.pos
		if ok = q.skip(); ok {
			if bytes.Contains(q.src[from:q.pos], []byte(`"extension"`)) {
				return false
			}
			q.written = append(append(q.written, ','), q.src[from:q.pos]...)
			more, ok = q.more(']')
		}
	}
	if !empty {
		q.depth--
	}
	q.written, q.from = append(q.written, ']'), q.pos
	q.write(since)
	return ok
}

// child tells of a member how it is read, and whether it goes. The place of its value is at hand.
func (q *quick) child(at place, name []byte, outer int, bare bool) (next place, take, ok bool) {
	next.want, next.nested = len(q.want), at.nested
	for _, w := range q.want[at.want:outer] {
		goes, ok := q.below(w, name)
		if !ok {
			return next, false, false
		}
		take = take || goes
	}
	if at.typ == nil || len(name) == 0 {
		return next, take, true
	}
	plain := name
	if name[0] == '_' {
		plain = name[1:]
	}
	slot := at.typ.slots[string(plain)]
	if len(plain) < len(name) {
		if slot != nil && (slot.typ == nil || slot.typ.primitive == nil) {
			return next, false, false // no sibling stands there
		}
		next.typ, next.sibling = tables().structures["Element"], true
	} else if slot != nil {
		next.typ, next.reference = slot.typ, slot.reference
		if at.nested && slot.typ != nil && slot.typ.name == "Narrative" {
			if q.src[q.pos] != '{' {
				return next, false, false
			}
			take = true
		}
		if next.typ != nil && next.typ.primitive != nil {
			if q.src[q.pos] == '{' {
				return next, false, false
			}
			next.typ = nil
		}
	}
	switch at.stands {
	case atRoot:
		switch {
		case string(plain) == "text" && q.src[q.pos] == '{', q.gone != "" && string(plain) == q.gone:
			take = true
		case string(plain) == "contained":
			next.stands, ok = atContained, q.src[q.pos] == '[' && slot != nil
			return next, take, ok
		case string(plain) == "meta" && q.tag != "":
			next.stands = atMeta
		}
	case atContained:
		take = take || string(plain) == "text" && q.src[q.pos] == '{'
	}
	if bare {
		for _, n := range told {
			take = take || string(plain) == n
		}
	}
	return next, take, true
}

// below notes what is to go below a member, and tells whether it goes itself, or with its sibling.
func (q *quick) below(w wanted, name []byte) (take, ok bool) {
	path := w.path
	if path == "" || path[0] == '[' {
		return false, true
	}
	end := strings.IndexAny(path, ".[")
	if end < 0 {
		end = len(path)
	}
	step, rest := path[:end], path[end:]
	listed := rest != "" && rest[0] == '[' && strings.IndexByte(rest, ']') == len(rest)-1
	switch {
	case string(name) == step:
		if listed && step[0] == '_' {
			return false, false
		}
		switch {
		case rest == "":
			q.found++
			return true, !q.marking
		case rest[0] == '.':
			q.want = append(q.want, wanted{rest[1:], w.part})
		default:
			q.want = append(q.want, wanted{rest, w.part})
		}
	case len(name) > 1 && name[0] == '_' && string(name[1:]) == step:
		return rest == "", !listed
	}
	return false, true
}
