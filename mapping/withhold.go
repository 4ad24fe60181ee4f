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
// Document/Annotation; everything else is canonically equal. An element that has lost all its content goes as well. A
// path that names nothing in the message is an error, so that no part crosses by a mistake; so is a path of the head,
// and any path when the message may not be delivered in parts (Head.AllOrNothing): that is returned as it came.
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
		return raw, nil
	}
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
	return serialise(doc)
}

// remove takes out every element, or the attribute, that a path names.
func remove(root *elem, path string) error {
	attribute := ""
	if at := strings.LastIndex(path, "/@"); at >= 0 {
		path, attribute = path[:at], path[at+2:]
	}
	if path == "/MsgHead" || path == infoPath || !strings.HasPrefix(path, "/MsgHead/") {
		return fault(Locked, path, "the head is never withheld")
	}
	found := locate(root, path)
	if len(found) == 0 {
		return fault(Malformed, path, "no such section")
	}
	for _, e := range found {
		if attribute != "" {
			e.src.RemoveAttr(attribute)
			continue
		}
		detach(e)
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
	if up := e.parent; up != nil && up.inPayload() && len(up.src.ChildElements()) == 0 && strings.TrimSpace(up.src.Text()) == "" {
		detach(up)
	}
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
		if _, ok := t.(*etree.ProcInst); ok {
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
