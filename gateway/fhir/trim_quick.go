package fhir

import (
	"bytes"
	"hash/crc32"
	"slices"
	"strconv"
	"strings"
)

// Cuts is how one document was trimmed: which bytes of it stay, and what stands between them. It never changes, serves
// many goroutines, and holds nothing of the document but its tags.
type Cuts struct {
	spans   []span
	written []byte
	length  int
	sum     uint32
}

// span is a range of the document; with a negative beginning, of what is written: from -1-from.
type span struct{ from, to int32 }

// Size tells how many ranges there are.
func (c *Cuts) Size() int { return len(c.spans) + len(c.written)/8 }

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// Append appends the document to dst, trimmed as it was. It is false when body is not the document that the Cuts were
// made of.
func (c *Cuts) Append(dst, body []byte) ([]byte, bool) {
	if len(body) != c.length || crc32.Checksum(body, castagnoli) != c.sum {
		return dst, false
	}
	for _, s := range c.spans {
		if s.from < 0 {
			dst = append(dst, c.written[-1-s.from:s.to]...)
		} else {
			dst = append(dst, body[s.from:s.to]...)
		}
	}
	return dst, true
}

// quick gives the Cuts in one reading, without a tree. It takes apart only what the strict reader takes apart in the same
// way, and gives nil for whatever it would have to look at twice: a name or a target that is written with an escape, the
// sibling of what goes in an array, and all that is no JSON.
func (t *Trim) quick(body []byte, paths []string) *Cuts {
	q := quick{Trim: t, src: body}
	if len(paths) > maxQuickPaths {
		return nil
	}
	q.space()
	kind, ok := q.member("resourceType")
	if !ok || kind == nil {
		return nil
	}
	root := place{typ: tables().structures[string(kind)], stands: atRoot}
	if root.typ == nil {
		return nil
	}
	q.want, q.spans = q.room[:0], q.ranges[:0]
	for _, path := range paths {
		rest, ok := strings.CutPrefix(path, root.typ.name)
		if ok && (rest == "" || rest[0] == '.') {
			path = strings.TrimPrefix(rest, ".")
		}
		if path == "" || strings.HasPrefix(path, "meta") {
			return nil
		}
		q.want = append(q.want, path)
	}
	q.tag, q.gone = t.Tags[Type(kind)], t.Members[Type(kind)]
	if gone, ok := q.value(root); !ok || gone || q.tag != "" || q.found != len(paths) {
		return nil
	}
	q.space()
	if q.pos != len(body) {
		return nil
	}
	q.flush(q.pos, q.pos)
	return &Cuts{spans: slices.Clone(q.spans), written: q.written, length: len(body), sum: crc32.Checksum(body, castagnoli)}
}

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
	want      []string // what is to go below the values being read, innermost last
	found     int      // of what is to go
	tag       string   // still to be written
	gone      string   // member of the resource that goes
	room      [24]string
	ranges    [32]span
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

// space passes white space; most often there is none.
func (q *quick) space() {
	if q.pos < len(q.src) && q.src[q.pos] <= ' ' {
		q.blank()
	}
}

func (q *quick) blank() {
	for q.pos < len(q.src) && (q.src[q.pos] == ' ' || q.src[q.pos] == '\n' || q.src[q.pos] == '\t' || q.src[q.pos] == '\r') {
		q.pos++
	}
}

// flush keeps what stands up to a place, and goes on from another.
func (q *quick) flush(to, next int) {
	if q.from < to {
		q.spans = append(q.spans, span{int32(q.from), int32(to)}) //nolint:gosec // a document is of 16 MiB at most
	}
	q.from = next
}

// write keeps what has been written since.
func (q *quick) write(since int) {
	q.spans = append(q.spans, span{int32(-1 - since), int32(len(q.written))}) //nolint:gosec // as long as the tags of a document
}

// quoted reads a string and gives it as it is written, less its quotes. It is false when escapes make it another.
func (q *quick) quoted() ([]byte, bool) {
	if q.pos >= len(q.src) || q.src[q.pos] != '"' {
		return nil, false
	}
	from := q.pos + 1
	for i := from; i < len(q.src); i++ {
		switch q.src[i] {
		case '"':
			q.pos = i + 1
			return q.src[from:i], true
		case '\\':
			return nil, false
		}
	}
	return nil, false
}

// name reads a member's name and its colon.
func (q *quick) name() ([]byte, bool) {
	name, ok := q.quoted()
	if !ok {
		return nil, false
	}
	q.space()
	if q.pos >= len(q.src) || q.src[q.pos] != ':' {
		return nil, false
	}
	q.pos++
	q.space()
	return name, q.pos < len(q.src)
}

// more passes the comma before the next child, or the end.
func (q *quick) more(closing byte) (more, ok bool) {
	q.space()
	if q.pos >= len(q.src) || q.src[q.pos] != ',' && q.src[q.pos] != closing {
		return false, false
	}
	q.pos++
	if q.src[q.pos-1] == closing {
		return false, true
	}
	q.space()
	return true, true
}

// enter passes the opening bracket. It is false when it cannot be read; empty tells that the end is passed too.
func (q *quick) enter(closing byte) (empty, ok bool) {
	q.depth++
	q.pos++
	q.space()
	if q.pos < len(q.src) && q.src[q.pos] == closing {
		q.pos++
		q.depth--
		return true, true
	}
	return false, q.depth <= 100
}

// skip passes a value.
func (q *quick) skip() bool {
	if q.pos >= len(q.src) {
		return false
	}
	switch q.src[q.pos] {
	case '{':
		empty, ok := q.enter('}')
		for more := !empty; more && ok; {
			if _, ok = q.name(); ok && q.skip() {
				more, ok = q.more('}')
			} else {
				ok = false
			}
		}
		if !empty {
			q.depth--
		}
		return ok
	case '[':
		empty, ok := q.enter(']')
		for more := !empty; more && ok; {
			if ok = q.skip(); ok {
				more, ok = q.more(']')
			}
		}
		if !empty {
			q.depth--
		}
		return ok
	}
	return q.scalar()
}

// scalar passes a string, a number or a literal.
func (q *quick) scalar() bool {
	src, i := q.src, q.pos
	if src[i] != '"' {
		for i < len(src) && (isAlphanumeric(src[i]) || src[i] == '-' || src[i] == '+' || src[i] == '.') {
			i++
		}
		q.pos, i = i, q.pos
		return q.pos > i
	}
	i++
	for short := min(i+24, len(src)); i < short; i++ {
		if src[i] == '"' {
			q.pos = i + 1
			return true
		}
		if src[i] == '\\' {
			break
		}
	}
	return q.long(i)
}

// long passes the rest of a string.
func (q *quick) long(i int) bool {
	for i <= len(q.src) {
		rest := q.src[i:]
		end := bytes.IndexByte(rest, '"')
		if end < 0 {
			return false
		}
		escape := bytes.IndexByte(rest[:end], '\\')
		if escape < 0 {
			q.pos = i + end + 1
			return true
		}
		i += escape + 2
	}
	return false
}

// member gives the text of a member of the object at hand, and stays before it; nil when there is none. It is false
// when what is before it cannot be read, or the text is none.
func (q *quick) member(name string) (text []byte, ok bool) {
	at, depth := q.pos, q.depth
	ok, found := q.seek(name)
	if found {
		text, ok = q.quoted()
	}
	q.pos, q.depth = at, depth
	return text, ok
}

// seek goes to the value of a member of the object at hand.
func (q *quick) seek(name string) (ok, found bool) {
	if q.pos >= len(q.src) || q.src[q.pos] != '{' {
		return false, false
	}
	empty, ok := q.enter('}')
	for more := !empty; more && ok; {
		have, known := q.name()
		if known && string(have) == name {
			return true, true
		}
		if ok = known && q.skip(); ok {
			more, ok = q.more('}')
		}
	}
	return ok, false
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
		take, ok := q.element(i, at.want, outer)
		if !ok || q.pos >= len(q.src) || q.src[q.pos] == '[' {
			return false, false
		}
		q.begin(&h)
		if gone, ok = q.take(next, take); !ok || gone && at.sibling {
			return false, false
		}
		q.want = q.want[:outer]
		q.end(&h, gone)
		if more, ok = q.more(']'); !ok {
			return false, false
		}
	}
	q.depth--
	return !h.kept, true
}

// element notes what is to go below an element, and tells whether it goes itself.
func (q *quick) element(i, from, to int) (take, ok bool) {
	for _, path := range q.want[from:to] {
		if path == "" || path[0] != '[' {
			continue
		}
		number, rest, ok := strings.Cut(path[1:], "]")
		if !ok {
			return false, false
		}
		if n, err := strconv.Atoi(number); err != nil || n != i {
			continue
		}
		switch {
		case rest == "":
			take = true
			q.found++
		case rest[0] == '.':
			q.want = append(q.want, rest[1:])
		default:
			return false, false
		}
	}
	return take, true
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
		value := q.pos
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
	for _, path := range q.want[at.want:outer] {
		goes, ok := q.below(path, name)
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
func (q *quick) below(path string, name []byte) (take, ok bool) {
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
			return true, true
		case rest[0] == '.':
			q.want = append(q.want, rest[1:])
		default:
			q.want = append(q.want, rest)
		}
	case len(name) > 1 && name[0] == '_' && string(name[1:]) == step:
		return rest == "", !listed
	}
	return false, true
}
