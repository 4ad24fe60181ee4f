package mapping

import (
	"slices"
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// elem is an element with its namespace resolved by URI, never by prefix (plo.md § 13.1), and its place named.
type elem struct {
	ns, name string
	text     string // own character data, verbatim, less white space between one tag and the next
	attrs    []attr // less namespace declarations
	kids     []*elem
	parent   *elem
	index    int            // 1-based among siblings of the same name, 0 when alone
	src      *etree.Element // in the document that is written again, nil when there is none
	more     *extra
	places   *places // of the whole tree
	done     bool    // the report has a line for the text
	form     form    // of an element that the tables names as a value
	kind     string  // its KIND, for a party
	section  int     // that it was mapped under, 0 for that of its parent
	place    string  // path, once somebody has asked
	list     string  // listPath, likewise
}

type attr struct {
	ns, name, value string
	done            bool // the report has a line for it
}

// Namespaces that are not those of one payload.
const (
	nsXSI     = "http://www.w3.org/2001/XMLSchema-instance"
	nsHead    = "http://www.kith.no/xmlstds/msghead/2006-05-24"
	nsFK1     = "http://www.kith.no/xmlstds/felleskomponent1"
	nsBase64  = "http://www.kith.no/xmlstds/base64container"
	nsXMLDSig = "http://www.w3.org/2000/09/xmldsig#"
	nsXML     = "http://www.w3.org/XML/1998/namespace"
	nsXHTML   = "http://www.w3.org/1999/xhtml"
)

// extra is what few elements have.
type extra struct {
	declared []string // namespaces that it declares
	mixed    []piece  // content in order, when text stands beside children
}

func (e *elem) extra() *extra {
	if e.more == nil {
		e.more = &extra{}
	}
	return e.more
}

// mix joins the texts of an element, which comments or children stand between, and keeps their order among children.
func (e *elem) mix(pieces []piece) {
	var b strings.Builder
	for i := range pieces {
		b.WriteString(pieces[i].text)
	}
	e.text = b.String()
	if len(e.kids) > 0 {
		e.extra().mixed = slices.Clone(pieces)
	}
}

func (p *parser) newElem() *elem {
	e := &p.desk.elems.take(1)[0]
	e.places = &p.places
	return e
}

// numberSiblings gives every child that shares its name its place among them.
func numberSiblings(kids []*elem) {
	if len(kids) > 32 {
		numberMany(kids)
		return
	}
	for i, k := range kids {
		for j := i - 1; j >= 0; j-- {
			if kids[j].name == k.name {
				kids[j].index = max(kids[j].index, 1)
				k.index = kids[j].index + 1
				break
			}
		}
	}
}

func numberMany(kids []*elem) {
	last := make(map[string]*elem, 16)
	for i, k := range kids {
		before := last[k.name]
		if i > 0 && kids[i-1].name == k.name {
			before = kids[i-1]
		}
		if last[k.name] = k; before == nil {
			continue
		}
		before.index = max(before.index, 1)
		k.index = before.index + 1
	}
}

// places writes the paths of a tree one behind the other.
type places struct{ b strings.Builder }

func (p *places) join(parts ...string) string {
	size := 0
	for _, s := range parts {
		size += len(s)
	}
	if p.b.Cap()-p.b.Len() < size {
		p.b = strings.Builder{}
		p.b.Grow(max(4096, size))
	}
	from := p.b.Len()
	for _, s := range parts {
		p.b.WriteString(s)
	}
	return p.b.String()[from:]
}

// path is the stable place of the element: local names, [n] where siblings share the name. It is asked for once the
// whole tree is there.
func (e *elem) path() string {
	if e == nil {
		return ""
	}
	if e.place == "" {
		if e.index == 0 {
			e.place = e.listPath()
		} else {
			e.place = e.places.join(e.parent.path(), "/", e.name, "[", strconv.Itoa(e.index), "]")
		}
	}
	return e.place
}

// listPath is path without the last index: all siblings of the name.
func (e *elem) listPath() string {
	if e.list == "" {
		e.list = e.places.join(e.parent.path(), "/", e.name)
	}
	return e.list
}

// attr returns an attribute without namespace, "" when absent.
func (e *elem) attr(name string) string {
	if e != nil {
		for _, a := range e.attrs {
			if a.name == name && a.ns == "" {
				return a.value
			}
		}
	}
	return ""
}

// kid returns the first child with the local name, in the parent's namespace or in that of a shared component.
func (e *elem) kid(name string) *elem {
	if e != nil {
		for _, k := range e.kids {
			if k.name == name && e.kin(k) {
				return k
			}
		}
	}
	return nil
}

// kin tells whether a child belongs to the same standard: dialogmelding and PLO mix their own with felleskomponent1.
func (e *elem) kin(k *elem) bool {
	return k.ns == e.ns || k.ns == nsFK1 || strings.HasPrefix(k.ns, "http://www.kith.no/xmlstds/po/")
}

func (e *elem) kidsNamed(name string) []*elem {
	var out []*elem
	if e != nil {
		for _, k := range e.kids {
			if k.name == name && e.kin(k) {
				out = append(out, k)
			}
		}
	}
	return out
}

// at walks down by local names and returns the first match.
func (e *elem) at(names ...string) *elem {
	for _, n := range names {
		e = e.kid(n)
	}
	return e
}

// value is the text without surrounding space: for identifiers and codes, never for free text.
func (e *elem) value() string {
	if e == nil {
		return ""
	}
	return strings.TrimSpace(e.text)
}

// leaves visits every value of the element: each attribute, and the text of elements that have any.
func (e *elem) leaves(visit func(e *elem, a *attr)) {
	for i := range e.attrs {
		if e.attrs[i].ns != nsXSI {
			visit(e, &e.attrs[i])
		}
	}
	if strings.TrimSpace(e.text) != "" {
		visit(e, nil)
	}
	for _, k := range e.kids {
		k.leaves(visit)
	}
}
