package mapping

// scope holds the namespace bindings of the open elements; the innermost of a prefix wins.
type scope struct {
	bindings  []binding
	innermost map[string]int // prefix → its binding, from the moment that there are many
}

type binding struct {
	prefix, uri string
	outer       int // the binding of the prefix that this one hides, -1 when none; known when there are many
}

// fewBindings are found faster one by one.
const fewBindings = 16

func (s *scope) push(prefix, uri string) {
	s.bindings = append(s.bindings, binding{prefix: prefix, uri: uri})
	switch {
	case s.innermost != nil:
		s.index(len(s.bindings) - 1)
	case len(s.bindings) > fewBindings:
		s.innermost = make(map[string]int, 4*fewBindings)
		for i := range s.bindings {
			s.index(i)
		}
	}
}

func (s *scope) index(i int) {
	b := &s.bindings[i]
	if outer, ok := s.innermost[b.prefix]; ok {
		b.outer = outer
	} else {
		b.outer = -1
	}
	s.innermost[b.prefix] = i
}

// leave forgets all but the first n bindings.
func (s *scope) leave(n int) {
	if s.innermost != nil {
		for i := len(s.bindings) - 1; i >= n; i-- {
			if b := &s.bindings[i]; b.outer >= 0 {
				s.innermost[b.prefix] = b.outer
			} else {
				delete(s.innermost, b.prefix)
			}
		}
	}
	s.bindings = s.bindings[:n]
}

func (s *scope) lookup(prefix string) (string, bool) {
	if s.innermost != nil {
		i, ok := s.innermost[prefix]
		if !ok {
			return "", false
		}
		return s.bindings[i].uri, true
	}
	for i := len(s.bindings) - 1; i >= 0; i-- {
		if s.bindings[i].prefix == prefix {
			return s.bindings[i].uri, true
		}
	}
	return "", false
}

// bind resolves the namespaces of an element and its attributes, and refuses unbound prefixes and two attributes of one
// name.
func (p *parser) bind(e *elem, prefix string) error {
	declared := 0
	for _, a := range p.raw {
		switch {
		case a.prefix == "xmlns" && (a.value == "" || a.name == "xmlns" || a.name == "xml"):
			return fault(Forbidden, e.path(), "namespace declaration that is not allowed")
		case a.prefix == "xmlns":
			p.scope.push(a.name, a.value)
		case a.prefix == "" && a.name == "xmlns":
			p.scope.push("", a.value)
		default:
			continue
		}
		declared++
		e.extra().declared = append(e.more.declared, a.value)
	}
	var ok bool
	if e.ns, ok = p.scope.lookup(prefix); !ok && prefix != "" {
		return fault(Forbidden, e.path(), "unbound prefix")
	}
	if declared == len(p.raw) {
		return nil
	}
	e.attrs = p.desk.attrs.take(len(p.raw) - declared)[:0]
	for _, a := range p.raw {
		if a.prefix == "xmlns" || a.prefix == "" && a.name == "xmlns" {
			continue
		}
		uri := ""
		if a.prefix != "" {
			if uri, ok = p.scope.lookup(a.prefix); !ok {
				return fault(Forbidden, e.path(), "unbound prefix")
			}
			for i := range e.attrs {
				if e.attrs[i].ns == uri && e.attrs[i].name == a.name {
					return fault(Forbidden, e.path(), "duplicate attribute")
				}
			}
		}
		e.attrs = append(e.attrs, attr{ns: uri, name: a.name, value: a.value})
	}
	return nil
}
