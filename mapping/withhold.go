package mapping

import (
	"slices"
	"strings"

	"github.com/beevik/etree"
)

// PartsMayBeLeftOut is the constant heading of every copy that lies in a receiver's mailbox, whether something was
// withheld or not: from it nobody can tell which.
const PartsMayBeLeftOut = "Deler av meldingen kan være utelatt: bare det pasienten har samtykket til, er med."

// Withhold returns the message without the sections at paths (Section.Path), with the heading PartsMayBeLeftOut in
// Document/Annotation; less comments, processing instructions, schema hints and unused namespaces, which no section can
// decide, everything else is canonically equal (exclusive C14N). An element that has lost all its content goes as well.
// A path that names nothing in the message is an error, so that no part crosses by a mistake; so is a path of the head
// itself. A message that may not be delivered in parts (Head.AllOrNothing) is returned as it came, or refused with
// Locked: for any path, and when it is a LOG_ message with something that must be dropped.
func Withhold(raw []byte, paths []string) ([]byte, error) {
	doc, root, err := parse(raw, Limits{})
	if err != nil {
		return nil, err
	}
	head, err := readHead(root)
	if err != nil {
		return nil, err
	}
	if head.AllOrNothing() {
		if len(paths) > 0 {
			return nil, fault(Locked, "/MsgHead", "signed, epikrise or henvisning: all or nothing")
		}
		if err := undroppable(raw, head); err != nil {
			return nil, err
		}
		return raw, nil
	}
	strip(&doc.Element)
	for _, p := range paths {
		for _, alternative := range strings.Split(p, " | ") {
			if err := remove(root, alternative); err != nil {
				return nil, err
			}
		}
	}
	if err := annotate(root); err != nil {
		return nil, err
	}
	unusedNamespaces(root.src, nil)
	return serialise(doc)
}

// undroppable refuses a LOG_ message that must lose something and may not.
func undroppable(raw []byte, head *Head) error {
	if !head.Kind.logistics() {
		return nil
	}
	in, err := Read(raw, func(key string) string { return key })
	if err != nil {
		return err
	}
	for _, s := range in.Sections {
		if s.Drop {
			return fault(Locked, s.Path, "must be dropped from a message that may not be delivered in parts")
		}
	}
	return nil
}

// strip removes comments, processing instructions and attributes of XMLSchema-instance.
func strip(e *etree.Element) {
	for i := len(e.Child) - 1; i >= 0; i-- {
		switch c := e.Child[i].(type) {
		case *etree.Comment, *etree.ProcInst, *etree.Directive:
			e.RemoveChildAt(i)
		case *etree.Element:
			strip(c)
		}
	}
	e.Attr = slices.DeleteFunc(e.Attr, func(a etree.Attr) bool { return a.Space != "" && a.Space != "xmlns" && a.NamespaceURI() == nsXSI })
}

// unusedNamespaces removes the declarations that no name below needs, and adds to need what e needs from above.
func unusedNamespaces(e *etree.Element, need []string) []string {
	used := append(make([]string, 0, 8), e.Space)
	for _, a := range e.Attr {
		if a.Space != "" && a.Space != "xmlns" && !slices.Contains(used, a.Space) {
			used = append(used, a.Space)
		}
	}
	for _, c := range e.Child {
		if k, ok := c.(*etree.Element); ok {
			used = unusedNamespaces(k, used)
		}
	}
	e.Attr = slices.DeleteFunc(e.Attr, func(a etree.Attr) bool {
		prefix, ok := a.Key, a.Space == "xmlns"
		if a.Space == "" && a.Key == "xmlns" {
			prefix, ok = "", true
		}
		if !ok {
			return false
		}
		at := slices.Index(used, prefix)
		if at < 0 {
			return true
		}
		used = slices.Delete(used, at, at+1)
		return false
	})
	for _, prefix := range used {
		if !slices.Contains(need, prefix) {
			need = append(need, prefix)
		}
	}
	return need
}

// remove takes out every element, the attribute or the text that a path names.
func remove(root *elem, path string) error {
	if path == commentPath || path == namespacePath {
		return nil // always gone
	}
	var (
		place, attribute string
		text             bool
	)
	if at := strings.LastIndex(path, "/@"); at >= 0 {
		place, attribute = path[:at], path[at+2:]
	} else if place, text = strings.CutSuffix(path, "/"+textStep); !text && (path == "/MsgHead" || path == root.kid("MsgInfo").path()) {
		return fault(Locked, path, "the head is never withheld")
	}
	if place != "/MsgHead" && !strings.HasPrefix(place, "/MsgHead/") {
		return fault(Locked, path, "not in the message")
	}
	found := locate(root, place)
	if len(found) == 0 {
		return fault(Malformed, path, "no such section")
	}
	for _, e := range found {
		switch {
		case attribute != "":
			e.src.Attr = slices.DeleteFunc(e.src.Attr, func(a etree.Attr) bool {
				return a.Key == attribute && a.Space != "xmlns" && (a.Space != "" || a.Key != "xmlns")
			})
			e.shell()
		case text:
			for i := len(e.src.Child) - 1; i >= 0; i-- {
				if c, ok := e.src.Child[i].(*etree.CharData); ok && strings.TrimSpace(c.Data) != "" {
					e.src.RemoveChildAt(i)
				}
			}
			e.shell()
		default:
			detach(e)
		}
	}
	return nil
}

// detach removes an element, and then each parent inside the payload that has nothing left.
func detach(e *elem) {
	parent := e.src.Parent()
	if parent == nil {
		return // gone with an enclosing section
	}
	parent.RemoveChild(e.src)
	if e.parent != nil {
		e.parent.shell()
	}
}

// shell detaches an element inside the payload that has nothing left: its name would tell that something was there.
func (e *elem) shell() {
	if !e.inPayload() {
		return
	}
	for _, c := range e.src.Child {
		if t, ok := c.(*etree.CharData); !ok || strings.TrimSpace(t.Data) != "" {
			return
		}
	}
	for _, a := range e.src.Attr {
		if a.Space != "xmlns" && (a.Space != "" || a.Key != "xmlns") {
			return
		}
	}
	detach(e)
}

// inPayload tells whether the element lies below the root of a payload.
func (e *elem) inPayload() bool {
	for up := e.parent; up != nil; up = up.parent {
		if up.name == "Content" && up.ns == nsHead {
			return e.parent != up
		}
	}
	return false
}

// locate finds the elements of a path; a step without [n] means all siblings of the name.
func locate(root *elem, path string) []*elem {
	found := []*elem{root}
	for _, part := range strings.Split(strings.TrimPrefix(path, "/"), "/")[1:] {
		name, index, _ := strings.Cut(strings.TrimSuffix(part, "]"), "[")
		var next []*elem
		for _, e := range found {
			for _, k := range e.kids {
				if k.name == name && (index == "" || strings.HasSuffix(k.path(), "/"+part)) {
					next = append(next, k)
				}
			}
		}
		found = next
	}
	return found
}

// annotate puts the heading in the first Document's Annotation, which the schema places before FromDate.
func annotate(root *elem) error {
	var doc *etree.Element
	for _, k := range root.src.ChildElements() {
		if k.Tag == "Document" {
			doc = k
			break
		}
	}
	if doc == nil {
		return fault(Malformed, "/MsgHead/Document", "missing")
	}
	before := []string{"DocumentConnection", "ContentType", "ContentDescription", "ContentCategory", "Consent"}
	at := 0
	for _, k := range doc.ChildElements() {
		switch {
		case k.Tag == "Annotation":
			if text := k.Text(); !strings.HasPrefix(text, PartsMayBeLeftOut) {
				k.SetText(strings.TrimSuffix(PartsMayBeLeftOut+"\n"+text, "\n"))
			}
			return nil
		case slices.Contains(before, k.Tag):
			at = k.Index() + 1
		}
	}
	note := etree.NewElement("Annotation")
	note.Space = doc.Space
	note.SetText(PartsMayBeLeftOut)
	doc.InsertChildAt(at, note)
	return nil
}

// serialise writes a fresh UTF-8 declaration (the old one may name another character set) and escapes line ends in
// attributes, which a parser would otherwise turn into spaces.
func serialise(doc *etree.Document) ([]byte, error) {
	for _, t := range slices.Clone(doc.Child) {
		if _, ok := t.(*etree.Element); !ok {
			doc.RemoveChild(t)
		}
	}
	doc.WriteSettings = etree.WriteSettings{CanonicalAttrVal: true, CanonicalText: true}
	body, err := doc.WriteToBytes()
	if err != nil {
		return nil, fault(NotXML, "", "cannot be written")
	}
	return append([]byte(`<?xml version="1.0" encoding="UTF-8"?>`+"\n"), []byte(strings.TrimLeft(string(body), "\n"))...), nil
}
