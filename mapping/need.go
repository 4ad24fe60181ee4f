package mapping

import (
	"slices"
	"strings"
)

// lack is a required element that the resources have nothing for.
type lack struct{ element, fhir string }

// Writes tells whether messages of the kind are written, in the version asked for or, when that is empty, in any.
// namespace is Outgoing.Namespace.
func Writes(k Kind, version, namespace string) bool {
	return theTable().writer(k, version, namespace) != nil
}

// writer finds how a kind is written: in the version asked for, else the newest one whose namespace is certain; nil when
// it is not. A root that is known by its local name gets the namespace that the caller names.
func (t *table) writer(k Kind, version, namespace string) *message {
	var found *message
	for i := range t.messages {
		m := &t.messages[i]
		if m.kind != k || !m.writes || version != "" && version != m.version || m.loose && namespace == "" {
			continue
		}
		if found == nil || !m.loose {
			found = m
		}
	}
	if found == nil || !found.loose {
		return found
	}
	named := *found
	named.rootNS = namespace
	return &named
}

// complete refuses a message that a required element is missing in, with the first of them.
func (x *emitter) complete() error {
	if len(x.missing) == 0 {
		return nil
	}
	first := x.missing[0]
	return &Error{Code: Malformed, Path: first.element, FHIR: first.fhir, Text: "a required element is missing"}
}

// told refuses a message of logistics without the event that it is about.
func (x *emitter) told(m *message, root *out) error {
	if !x.log {
		return nil
	}
	for _, k := range root.kids {
		if strings.HasSuffix(k.name, ":"+x.event) && x.happens(k) {
			return nil
		}
	}
	return &Error{Code: Malformed, Path: m.root + "/" + x.event, FHIR: x.t.eventElement(m, x.event), Text: "no event that the message is about"}
}

// happens tells whether what is written under the element of an event is that event, and no other.
func (x *emitter) happens(o *out) bool {
	code := x.t.eventCode(x.event)
	if strings.HasSuffix(o.name, ":Hendelsekode") {
		at := slices.Index(o.attrs, "V")
		return at < 0 || code == "" || o.attrs[at+1] == code
	}
	return !slices.ContainsFunc(o.kids, func(k *out) bool { return !x.happens(k) })
}

// eventCode is the code that the event of an element must have, "" when the table names none.
func (t *table) eventCode(element string) string {
	for _, ev := range t.events {
		if ev.element == element {
			return ev.code
		}
	}
	return ""
}

// eventElement is where a resource says that it is the event: what the class looks at that takes its code, else the
// code of the class that takes any other.
func (t *table) eventElement(m *message, element string) string {
	code, other := t.eventCode(element), ""
	for _, f := range m.rootClass.fields {
		if f.name != element || f.class == nil {
			continue
		}
		for _, inner := range f.class.fields {
			for _, c := range inner.classes() {
				for _, w := range c.when {
					at := c.resource + "." + pathName(w.path)
					if slices.Contains(w.values, code) {
						return at
					}
					other = at
				}
			}
		}
	}
	return other
}

// expression is the FHIR element that a field is written from, below the expression of its class.
func (f *field) expression(base string) string {
	switch {
	case f.class != nil && f.class.resource != "":
		return f.class.resource
	case len(f.targets) > 0:
		base += "." + f.targets[0].name
	}
	if f.class != nil && len(f.class.fields) > 0 && len(f.targets) == 0 {
		return f.class.fields[0].expression(base)
	}
	return base
}
