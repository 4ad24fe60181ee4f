package mapping

import (
	"bytes"
	"encoding/json"
	"io"
	"strings"
	"unicode/utf8"
)

// node is a JSON value with its members in order and its numbers literal. Building never reorders, so that the same
// message always gives the same bytes.
type node struct {
	kind    byte // 'o' object, 'a' array, 's' string, 'n' number, 't' true/false, '0' null
	scalar  string
	names   []string
	kids    []*node
	handled bool // writing: an element of the message carries this value
}

// object has room for four members, which most have, in one allocation.
func object() *node {
	o := &roomy{}
	o.node = node{kind: 'o', names: o.names[:0], kids: o.kids[:0]}
	return &o.node
}

// forge makes nodes many at a time; the zero value is ready, and nil makes them one by one.
type forge struct {
	scalars slab[node]
	objects slab[roomy]
}

// roomy is an object with room for the four members that most have.
type roomy struct {
	node
	names [4]string
	kids  [4]*node
}

func (f *forge) scalar(kind byte, s string) *node {
	if f == nil {
		return &node{kind: kind, scalar: s}
	}
	n := &f.scalars.take(1)[0]
	n.kind, n.scalar = kind, s
	return n
}

func (f *forge) str(s string) *node { return f.scalar('s', s) }

func (f *forge) object() *node {
	if f == nil {
		return object()
	}
	o := &f.objects.take(1)[0]
	o.node = node{kind: 'o', names: o.names[:0], kids: o.kids[:0]}
	return &o.node
}

func (f *forge) array(kids ...*node) *node {
	n := f.object()
	n.kind = 'a'
	n.kids = append(n.kids, kids...)
	return n
}

// with adds a text member to a new object; an empty one is left out.
func (f *forge) with(n *node, name, value string) {
	if value != "" {
		n.names, n.kids = append(n.names, name), append(n.kids, f.str(value))
	}
}

// clone copies a constant of the table, which many readers share.
func (f *forge) clone(n *node) *node {
	switch n.kind {
	case 'o', 'a':
		c := f.object()
		c.kind, c.names = n.kind, append(c.names, n.names...)
		for _, k := range n.kids {
			c.kids = append(c.kids, f.clone(k))
		}
		return c
	}
	return f.scalar(n.kind, n.scalar)
}

func array(kids ...*node) *node { return &node{kind: 'a', kids: kids} }
func str(s string) *node        { return &node{kind: 's', scalar: s} }
func number(s string) *node     { return &node{kind: 'n', scalar: s} }
func boolean(s string) *node    { return &node{kind: 't', scalar: s} }

// obj builds an object from name, value pairs; a nil value or an empty string is left out.
func obj(pairs ...any) *node {
	o := object()
	for i := 0; i+1 < len(pairs); i += 2 {
		switch v := pairs[i+1].(type) {
		case string:
			if v != "" {
				o.set(pairs[i].(string), str(v))
			}
		case *node:
			if v != nil {
				o.set(pairs[i].(string), v)
			}
		}
	}
	return o
}

func (n *node) get(name string) *node {
	if n != nil && n.kind == 'o' {
		for i, have := range n.names {
			if have == name {
				return n.kids[i]
			}
		}
	}
	return nil
}

// dig walks object members; a number of items is not looked into but for the first of an array.
func (n *node) dig(names ...string) *node {
	for _, name := range names {
		if n != nil && n.kind == 'a' {
			n = n.first()
		}
		n = n.get(name)
	}
	return n
}

// first gives the first element of an array, nil when there is none.
func (n *node) first() *node {
	if n != nil && n.kind == 'a' && len(n.kids) > 0 {
		return n.kids[0]
	}
	return nil
}

func (n *node) items() []*node {
	if n != nil && n.kind == 'a' {
		return n.kids
	}
	return nil
}

func (n *node) string() string {
	if n != nil && (n.kind == 's' || n.kind == 'n' || n.kind == 't') {
		return n.scalar
	}
	return ""
}

// take is string, and notes that a message element carries the value.
func (n *node) take() string {
	if n != nil {
		n.handled = true
	}
	return n.string()
}

func (n *node) set(name string, v *node) {
	for i, have := range n.names {
		if have == name {
			n.kids[i] = v
			return
		}
	}
	n.names = append(n.names, name)
	n.kids = append(n.kids, v)
}

// prune removes what R4 forbids: empty strings, arrays and objects, and extensions without value (ext-1).
func (n *node) prune() bool {
	switch n.kind {
	case 'o':
		names, kids := n.names[:0], n.kids[:0]
		for i, k := range n.kids {
			if k != nil && k.prune() {
				names, kids = append(names, n.names[i]), append(kids, k)
			}
		}
		n.names, n.kids = names, kids
		if len(names) == 1 && names[0] == "url" {
			return false
		}
		return len(names) > 0
	case 'a':
		kids := n.kids[:0]
		for _, k := range n.kids {
			if k != nil && k.prune() {
				kids = append(kids, k)
			}
		}
		n.kids = kids
		return len(kids) > 0
	case 's':
		return strings.TrimSpace(n.scalar) != ""
	}
	return true
}

func (n *node) bytes() []byte { return n.append(make([]byte, 0, n.size())) }

// size is about how many bytes the value takes.
func (n *node) size() int {
	sum := len(n.scalar) + len(n.scalar)/32 + 8
	for _, name := range n.names {
		sum += len(name) + 4
	}
	for _, k := range n.kids {
		sum += k.size()
	}
	return sum
}

func (n *node) append(b []byte) []byte {
	switch n.kind {
	case 'o':
		b = append(b, '{')
		for i, name := range n.names {
			if i > 0 {
				b = append(b, ',')
			}
			b = append(quote(b, name), ':')
			b = n.kids[i].append(b)
		}
		return append(b, '}')
	case 'a':
		b = append(b, '[')
		for i, k := range n.kids {
			if i > 0 {
				b = append(b, ',')
			}
			b = k.append(b)
		}
		return append(b, ']')
	case 's':
		return quote(b, n.scalar)
	case '0':
		return append(b, "null"...)
	}
	return append(b, n.scalar...)
}

const hexDigits = "0123456789abcdef"

func quote(b []byte, s string) []byte {
	b = append(b, '"')
	from := 0
	for i := 0; i < len(s); i++ {
		c := s[i]
		if c >= 0x20 && c != '"' && c != '\\' {
			continue
		}
		b = append(b, s[from:i]...)
		from = i + 1
		switch c {
		case '"', '\\':
			b = append(b, '\\', c)
		case '\n':
			b = append(b, '\\', 'n')
		case '\r':
			b = append(b, '\\', 'r')
		case '\t':
			b = append(b, '\\', 't')
		default:
			b = append(b, '\\', 'u', '0', '0', hexDigits[c>>4], hexDigits[c&15])
		}
	}
	return append(append(b, s[from:]...), '"')
}

// parseJSON reads a resource for writing. The bytes come from the store or a strict reader; here only the structure
// is needed, with literal numbers.
func parseJSON(body []byte) (*node, error) {
	if !utf8.Valid(body) {
		return nil, fault(NotFHIR, "", "bytes that are not UTF-8")
	}
	d := json.NewDecoder(bytes.NewReader(body))
	d.UseNumber()
	n, err := readNode(d, 0)
	if err != nil || n.kind != 'o' {
		return nil, fault(NotFHIR, "", "not a JSON object")
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, fault(NotFHIR, "", "text after the object")
	}
	return n, nil
}

func readNode(d *json.Decoder, depth int) (*node, error) {
	t, err := d.Token()
	if err != nil || depth > 100 {
		return nil, fault(NotFHIR, "", "not JSON")
	}
	switch v := t.(type) {
	case string:
		return str(v), nil
	case json.Number:
		return number(v.String()), nil
	case bool:
		if v {
			return boolean("true"), nil
		}
		return boolean("false"), nil
	case nil:
		return &node{kind: '0'}, nil
	case json.Delim:
		return readContainer(d, v, depth)
	}
	return nil, fault(NotFHIR, "", "not JSON")
}

func readContainer(d *json.Decoder, open json.Delim, depth int) (*node, error) {
	n := &node{kind: 'a'}
	if open == '{' {
		n.kind = 'o'
	}
	for d.More() {
		if open == '{' {
			t, err := d.Token()
			name, ok := t.(string)
			if err != nil || !ok {
				return nil, fault(NotFHIR, "", "not JSON")
			}
			n.names = append(n.names, name)
		}
		k, err := readNode(d, depth+1)
		if err != nil {
			return nil, err
		}
		n.kids = append(n.kids, k)
	}
	if _, err := d.Token(); err != nil {
		return nil, fault(NotFHIR, "", "not JSON")
	}
	return n, nil
}
