package mapping

import (
	"strconv"
	"strings"

	"github.com/beevik/etree"
)

// elem is an element with its namespace resolved by URI, never by prefix (plo.md § 13.1), and its place named.
type elem struct {
	ns, name string
	text     string // own character data, verbatim
	attrs    []attr
	kids     []*elem
	parent   *elem
	index    int // 1-based among siblings of the same name, 0 when alone
	src      *etree.Element
	done     bool   // the report has a line for the text
	form     form   // of an element that plo.table names as a value
	kind     string // its KIND, for a party
	section  int    // that it was mapped under, 0 for that of its parent
	place    string // path, once somebody has asked
	list     string // listPath, likewise
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

// binding is one prefix in scope; the innermost wins.
type binding struct{ prefix, uri string }

// resolve builds the elem tree and refuses unbound prefixes and duplicate attributes, both by namespace.
func resolve(root *etree.Element) (*elem, error) {
	scope := []binding{{"xml", nsXML}}
	e := &elem{}
	return e, e.resolve(root, nil, scope)
}

func (e *elem) resolve(src *etree.Element, parent *elem, scope []binding) error {
	e.name, e.parent, e.src = src.Tag, parent, src
	for _, a := range src.Attr {
		switch {
		case a.Space == "xmlns" && (a.Value == "" || a.Key == "xmlns" || a.Key == "xml"):
			return fault(Forbidden, e.path(), "namespace declaration that is not allowed")
		case a.Space == "xmlns":
			scope = append(scope, binding{a.Key, a.Value})
		case a.Space == "" && a.Key == "xmlns":
			scope = append(scope, binding{"", a.Value})
		}
	}
	var ok bool
	if e.ns, ok = lookup(scope, src.Space); !ok && src.Space != "" || strings.Contains(src.Tag, ":") {
		return fault(Forbidden, e.path(), "unbound prefix")
	}
	if err := e.readAttrs(src, scope); err != nil {
		return err
	}
	var texts, elements int
	for _, child := range src.Child {
		if _, ok := child.(*etree.Element); ok {
			elements++
		}
	}
	var kids []elem
	if elements > 0 {
		kids, e.kids = make([]elem, elements), make([]*elem, 0, elements)
	}
	for _, child := range src.Child {
		switch c := child.(type) {
		case *etree.CharData:
			texts++
			e.text = c.Data
		case *etree.Element:
			kid := &kids[len(e.kids)]
			if err := kid.resolve(c, e, scope); err != nil {
				return err
			}
			e.kids = append(e.kids, kid)
		}
	}
	if texts > 1 {
		e.text = joinText(src)
	}
	numberSiblings(e.kids)
	return nil
}

// joinText joins what comments and elements stand between. White space between elements is no value.
func joinText(src *etree.Element) string {
	var b strings.Builder
	for _, child := range src.Child {
		if c, ok := child.(*etree.CharData); ok && !(len(src.Child) > 3 && b.Len() == 0 && c.IsWhitespace()) {
			b.WriteString(c.Data)
		}
	}
	return b.String()
}

func (e *elem) readAttrs(src *etree.Element, scope []binding) error {
	if len(src.Attr) > 0 {
		e.attrs = make([]attr, 0, len(src.Attr))
	}
	for i, a := range src.Attr {
		for _, b := range src.Attr[:i] {
			if a.Space == b.Space && a.Key == b.Key {
				return fault(Forbidden, e.path(), "duplicate attribute")
			}
		}
		if a.Space == "xmlns" || a.Space == "" && a.Key == "xmlns" {
			continue
		}
		uri := ""
		if a.Space != "" {
			var ok bool
			if uri, ok = lookup(scope, a.Space); !ok {
				return fault(Forbidden, e.path(), "unbound prefix")
			}
		}
		for _, other := range e.attrs {
			if other.ns == uri && other.name == a.Key {
				return fault(Forbidden, e.path(), "duplicate attribute")
			}
		}
		e.attrs = append(e.attrs, attr{ns: uri, name: a.Key, value: a.Value})
	}
	return nil
}

func lookup(scope []binding, prefix string) (string, bool) {
	for i := len(scope) - 1; i >= 0; i-- {
		if scope[i].prefix == prefix {
			return scope[i].uri, true
		}
	}
	return "", false
}

// numberSiblings gives every child that shares its name its place among them.
func numberSiblings(kids []*elem) {
	if len(kids) < 2 {
		return
	}
	if len(kids) == 2 { // the common pair, without a map
		if kids[0].name == kids[1].name {
			kids[0].index, kids[1].index = 1, 2
		}
		return
	}
	last := make(map[string]*elem, len(kids))
	for _, k := range kids {
		before := last[k.name]
		if last[k.name] = k; before == nil {
			continue
		}
		if before.index == 0 {
			before.index = 1
		}
		k.index = before.index + 1
	}
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
			e.place = e.parent.path() + "/" + e.name + "[" + strconv.Itoa(e.index) + "]"
		}
	}
	return e.place
}

// listPath is path without the last index: all siblings of the name.
func (e *elem) listPath() string {
	if e.list == "" {
		e.list = e.parent.path() + "/" + e.name
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
