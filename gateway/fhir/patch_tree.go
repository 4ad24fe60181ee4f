package fhir

import (
	"bytes"
	"errors"
	"slices"
)

// maxPatchNodes bounds the values that one patch may open or copy; a resource of 2 MiB has 131,072.
const maxPatchNodes = 1 << 18

// Values for what a patch makes of nothing.
var (
	nullLiteral  = literalValue("null")
	emptyArray   = literalValue("[]")
	emptyObject  = literalValue("{}")
	defaultColon = []byte{':'}
)

func literalValue(json string) *Value {
	v, err := scan([]byte(json), Limits{})
	if err != nil {
		panic("fhir: " + json) // a constant of this package: cannot occur
	}
	return v
}

// patchNode is a value of a document under change. It stands for the literal bytes of its Value until
// a patch goes inside; then its children are nodes that keep the white space around them. What no
// operation changes is written as it was read.
type patchNode struct {
	value      *Value
	parent     *patchNode
	name       string // member name, decoded
	key        []byte // member name as it stood, with its colon; nil for an element
	pre, post  []byte // white space before the name or value, and after the value
	kids       []*patchNode
	lead, tail []byte // white space before the first child and before the closing bracket
	size       int    // bytes of the value as written, white space approximate
	opened     bool
	changed    bool
	work       *int // counts the nodes that the patch makes
}

func newPatchNode(v *Value) *patchNode { return &patchNode{value: v, size: int(v.end - v.start)} }

// Kind gives the JSON kind.
func (n *patchNode) Kind() Kind {
	if n == nil {
		return Null
	}
	return n.value.kind
}

// Text gives what Value.Text gives.
func (n *patchNode) Text() string {
	if n == nil {
		return ""
	}
	return n.value.text
}

// Items gives the elements of an array.
func (n *patchNode) Items() []*patchNode {
	if n.Kind() != Array {
		return nil
	}
	n.open()
	return n.kids
}

// member gives one member of an object, or nil.
func (n *patchNode) member(name string) *patchNode {
	if n.Kind() != Object {
		return nil
	}
	if !n.opened && n.value.member(name) == nil {
		return nil
	}
	n.open()
	for _, k := range n.kids {
		if k.name == name {
			return k
		}
	}
	return nil
}

// open makes the children.
func (n *patchNode) open() {
	v := n.value
	if n.opened || v.kind != Object && v.kind != Array {
		return
	}
	n.opened = true
	src := v.doc.body
	if n.work != nil {
		*n.work += len(v.members) + len(v.items)
	}
	slab := make([]patchNode, len(v.members)+len(v.items))
	n.kids = make([]*patchNode, len(slab))
	at := v.start + 1
	for i := range slab {
		k := &slab[i]
		n.kids[i], k.parent, k.work = k, n, n.work
		var begin int32
		if v.kind == Object {
			k.value, k.name = v.members[i].Value, v.members[i].Name
			begin = k.value.key
			k.key = src[begin:k.value.start]
		} else {
			k.value = v.items[i]
			begin = k.value.start
		}
		gap := src[at:begin]
		if i == 0 {
			n.lead, k.pre = gap, gap
		} else {
			comma := bytes.IndexByte(gap, ',')
			n.kids[i-1].post, k.pre = gap[:comma], gap[comma+1:]
		}
		k.size = int(k.value.end - k.value.start)
		at = k.value.end
	}
	n.tail = src[at : v.end-1]
}

// emit writes the node.
func (n *patchNode) emit(out []byte) []byte {
	if !n.changed {
		return append(out, n.value.Raw()...)
	}
	brackets := "{}"
	if n.value.kind == Array {
		brackets = "[]"
	}
	out = append(out, brackets[0])
	for i, k := range n.kids {
		if i == 0 {
			out = append(out, n.lead...)
		} else {
			out = append(append(out, ','), k.pre...)
		}
		out = append(out, k.key...)
		out = k.emit(out)
		out = append(out, k.post...)
	}
	return append(append(out, n.tail...), brackets[1])
}

// grow marks n and all that holds it as changed, and counts the bytes.
func (n *patchNode) grow(delta int) {
	for ; n != nil; n = n.parent {
		n.changed = true
		n.size += delta
	}
}

// footprint is what a child takes in its container.
func (n *patchNode) footprint() int { return len(n.pre) + len(n.key) + n.size + len(n.post) + 1 }

// insert puts a child before position i, written in the manner of its siblings; name is "" in an array.
func (n *patchNode) insert(i int, name string, k *patchNode) {
	n.open()
	k.parent, k.name, k.key, k.work = n, name, nil, n.work
	k.pre = n.lead
	if len(n.kids) > 1 {
		k.pre = n.kids[len(n.kids)-1].pre
	}
	if n.value.kind == Object {
		colon := defaultColon
		if len(n.kids) > 0 {
			sibling := n.kids[len(n.kids)-1].key
			colon = sibling[bytes.LastIndexByte(sibling, '"')+1:]
		}
		k.key = append(appendString(nil, name), colon...)
	}
	n.kids = slices.Insert(n.kids, i, k)
	n.grow(k.footprint())
}

// put adds a member at the end of an object.
func (n *patchNode) put(name string, k *patchNode) {
	n.open()
	n.insert(len(n.kids), name, k)
}

// position gives the place of a node among its siblings.
func (n *patchNode) position() int { return slices.Index(n.parent.kids, n) }

// detach takes a node out of its container.
func (n *patchNode) detach() {
	p, i := n.parent, n.position()
	p.kids = slices.Delete(p.kids, i, i+1)
	p.grow(-n.footprint())
	n.parent = nil
}

// become puts k in the place of n, under the same name.
func (n *patchNode) become(k *patchNode) {
	p := n.parent
	k.parent, k.name, k.key, k.pre, k.post = p, n.name, n.key, n.pre, n.post
	k.work = n.work
	p.kids[n.position()] = k
	p.grow(k.size - n.size)
	n.parent = nil
}

// patching is one resource while a patch is applied to it.
type patching struct {
	root     *patchNode
	original *Value
	work     int
	suspect  bool // an operation changed something that holds protected elements
}

func newPatching(r *Resource) *patching {
	t := &patching{root: newPatchNode(r.root), original: r.root}
	t.root.work = &t.work
	return t
}

// clone copies a node; nil when the patch has copied too much.
func (t *patching) clone(n *patchNode) *patchNode {
	c := newPatchNode(n.value)
	c.work = &t.work
	if t.work++; t.work > maxPatchNodes {
		return nil
	}
	if !n.changed {
		return c
	}
	c.opened, c.changed, c.size, c.lead, c.tail = true, true, n.size, n.lead, n.tail
	c.kids = make([]*patchNode, len(n.kids))
	for i, k := range n.kids {
		d := t.clone(k)
		if d == nil {
			return nil
		}
		d.parent, d.name, d.key, d.pre, d.post = c, k.name, k.key, k.pre, k.post
		c.kids[i] = d
	}
	return c
}

// protected reports whether the member name of parent is, or lies below, an element that only the
// server sets: resourceType, id, meta.versionId, meta.lastUpdated. It notes a change of what holds
// them; intact tells whether they survived it. A nil parent is the document itself.
func (t *patching) protected(parent *patchNode, name string) bool {
	first, second := bareName(name), ""
	for n := parent; n != t.root && n != nil; n = n.parent {
		first, second = bareName(n.name), first
	}
	switch {
	case parent == nil:
		t.suspect = true
	case first == "resourceType" || first == "id":
		return true
	case first == "meta" && parent == t.root:
		t.suspect = true
	case first == "meta":
		return second == "versionId" || second == "lastUpdated"
	}
	return false
}

// bareName is a member name less the underscore of a primitive's sibling.
func bareName(name string) string {
	if len(name) > 1 && name[0] == '_' {
		return name[1:]
	}
	return name
}

// intact reports whether the elements that only the server sets stand as they stood.
func (t *patching) intact() bool {
	if !t.suspect {
		return true
	}
	t.suspect = false
	meta := t.root.member("meta")
	old := t.original.member("meta")
	return literalEqual(t.root.member("resourceType"), t.original.member("resourceType")) &&
		literalEqual(t.root.member("id"), t.original.member("id")) &&
		literalEqual(meta.member("versionId"), old.Get("versionId")) &&
		literalEqual(meta.member("lastUpdated"), old.Get("lastUpdated"))
}

func literalEqual(n *patchNode, v *Value) bool {
	if n == nil || v == nil {
		return n == nil && v == nil
	}
	return bytes.Equal(n.emit(nil), v.Raw())
}

// bytes writes the result and reads it as strictly as what a client sends; the error is *Error
// without positions, since the result is not what was received.
func (t *patching) bytes() ([]byte, error) {
	src := t.original.doc.body
	out := make([]byte, 0, len(src)+1024)
	out = append(out, src[:t.original.start]...)
	out = t.root.emit(out)
	out = append(out, src[t.original.end:]...)
	if len(out) > DefaultBytes {
		return nil, &Error{Issues: []Issue{newIssue(CodePatchSize, IssueTooLong, itoa(DefaultBytes))}}
	}
	if _, err := ParseLimits(out, Limits{}); err != nil {
		var e *Error
		if errors.As(err, &e) {
			for i := range e.Issues {
				e.Issues[i].Line, e.Issues[i].Col = 0, 0
			}
		}
		return nil, err
	}
	return out, nil
}
