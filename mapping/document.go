package mapping

import (
	"encoding/base64"
	"slices"
	"strings"
	"time"
)

// documents maps the attachments: every Document but the one that holds the payload.
func (r *reader) documents(root, payload *elem) {
	n := 0
	for _, doc := range root.kidsNamed("Document") {
		ref := doc.kid("RefDoc")
		if payload.within(doc) {
			continue // sweep
		}
		n++
		a, data := readAttachment(ref)
		r.in.Attachments = append(r.in.Attachments, a)
		section := Section{Path: doc.path(), Name: "Vedlegg", Labels: []string{"uklassifisert"}, Drop: r.log}
		i := r.addSection(section, "")
		if r.log {
			doc.leaves(func(l *elem, at *attr) { r.leafReport(l, at, Dropped, "", "") })
			continue
		}
		r.attachment(ref, a, data, i)
		r.keep(doc, i)
	}
}

// within tells whether the element stands below another.
func (e *elem) within(ancestor *elem) bool {
	for ; e != nil; e = e.parent {
		if e == ancestor {
			return true
		}
	}
	return false
}

// readAttachment decodes one attachment; data is the element with its base64 text.
func readAttachment(ref *elem) (Attachment, *elem) {
	a := Attachment{MimeType: ref.kid("MimeType").value(), Name: ref.kid("Description").value(),
		FileRef: ref.kid("FileReference").value()}
	if !mimeForm.MatchString(a.MimeType) {
		a.MimeType = "application/octet-stream"
	}
	if a.FileRef != "" {
		return a, nil
	}
	if ref.kid("Compression").attr("V") != "" {
		a.Problem = "compressed"
		return a, nil
	}
	for _, k := range ref.kid("Content").all() {
		if k.ns != nsBase64 || k.name != "Base64Container" {
			continue
		}
		text := strings.Map(func(c rune) rune {
			if c == ' ' || c == '\t' || c == '\r' || c == '\n' {
				return -1
			}
			return c
		}, k.text)
		data, err := base64.StdEncoding.DecodeString(text)
		switch {
		case err != nil:
			a.Problem = "base64"
		case len(data) == 0:
			a.Problem = "empty"
		default:
			a.Bytes = data
		}
		return a, k
	}
	a.Problem = "empty"
	return a, nil
}

// attachment makes DocumentReference and Binary of one document. What could not be decoded is a DocumentReference to
// nothing but its name, and stands in the original.
func (r *reader) attachment(ref *elem, a Attachment, data *elem, section int) {
	d := r.build("", "DocumentReference", section)
	r.documentReference(d, ref)
	content := obj("contentType", a.MimeType, "title", a.Name)
	switch {
	case a.FileRef != "" && uriForm.MatchString(a.FileRef):
		content.set("url", str(a.FileRef))
		r.mappedText(ref.kid("FileReference"), d, "content.attachment.url")
	case a.Bytes != nil:
		b := r.binary("", d, a.MimeType, a.Bytes, section)
		content.set("url", str("Binary/"+r.id(b.key)))
		b.filled = true
		r.leafReport(data, nil, Mapped, b.key, "Binary.data")
	case data != nil:
		r.leafReport(data, nil, Invalid, "", "")
	}
	r.mappedText(ref.kid("MimeType"), d, "content.attachment.contentType")
	if a.Name != "" {
		r.mappedText(ref.kid("Description"), d, "content.attachment.title")
	}
	d.filled = true
	d.body.set("content", array(obj("attachment", content)))
}

func (r *reader) documentReference(d *building, ref *elem) {
	d.body.set("status", str("current"))
	issued := ref.kid("IssueDate")
	d.body.set("date", str(r.sent))
	if m, ok := parseMoment(issued.attr("V")); ok && m.layout == time.RFC3339 {
		d.body.set("date", str(m.text))
		r.attribute(issued, "V", Mapped, d, "date")
	}
	d.body.set("author", array(r.senderReference()))
}

func (r *reader) binary(key string, of *building, mime string, data []byte, section int) *building {
	b := r.build(key, "Binary", section)
	b.body.set("contentType", str(mime))
	b.body.set("securityContext", r.reference(of))
	b.data = data
	return b
}

// bytes writes the resource; the data of a Binary are encoded in place.
func (b *building) bytes() []byte {
	if b.data == nil {
		return b.body.bytes()
	}
	const member = `,"data":"`
	out := make([]byte, 0, b.body.size()+len(member)+base64.StdEncoding.EncodedLen(len(b.data))+2)
	out = b.body.append(out)
	out = append(out[:len(out)-1], member...)
	return append(base64.StdEncoding.AppendEncode(out, b.data), `"}`...)
}

// senderReference names the sending unit by HER-id.
func (r *reader) senderReference() *node {
	if r.sender != nil {
		return r.sender
	}
	s := r.in.Head.Sender
	r.sender = obj("type", "Organization", "identifier", obj("system", identifierSystems["HER"], "value", s.Addressed()),
		"display", s.Display())
	return r.sender
}

// original keeps the message as it came: literal bytes, with every label that any part of it has.
func (r *reader) original(raw []byte) {
	labels := []string{}
	content := false
	for _, s := range r.in.Sections {
		content = content || s.ByContent
		for _, l := range s.Labels {
			if !slices.Contains(labels, l) {
				labels = append(labels, l)
			}
		}
	}
	path := "/MsgHead"
	if r.root.parent == nil {
		path = r.root.path()
	}
	i := r.addSection(Section{Path: path, Name: "Hele meldingen", Labels: labels, ByContent: content, Whole: true}, "")
	h := r.in.Head
	d := r.build("original", "DocumentReference", i)
	d.filled = true
	d.body.set("masterIdentifier", obj("system", msgIDSystem, "value", h.MsgID))
	r.documentReference(d, nil)
	d.body.set("type", obj("coding", array(obj("system", kindSystem, "code", string(h.Kind), "display", h.KindDisplay))))
	b := r.binary("original-binary", d, "application/xml", raw, i)
	b.filled = true
	d.body.set("content", array(obj("attachment", obj("contentType", "application/xml", "url", "Binary/"+r.id(b.key)))))
	if r.communication != nil {
		payload := r.communication.body.get("payload")
		if payload == nil {
			payload = array()
			r.communication.body.set("payload", payload)
		}
		payload.kids = append(payload.kids, obj("contentReference", r.reference(d)))
	}
}

// provenance ties what a section became to the message it came from.
func (r *reader) provenance(section int, targets []*building) *building {
	p := r.build("", "Provenance", section)
	refs := array()
	for _, b := range targets {
		refs.kids = append(refs.kids, r.reference(b))
	}
	r.origin()
	p.body.set("target", refs)
	p.body.set("occurredDateTime", r.str(r.sent))
	p.body.set("recorded", r.str(r.sent)) // when the sender's system recorded it; the gateway's own time is in the ledger
	p.body.set("agent", r.agent)
	p.body.set("entity", r.entity)
	return p
}

// origin makes what every Provenance of the message says alike.
func (r *reader) origin() {
	if r.agent != nil {
		return
	}
	agent := object()
	agent.set("type", obj("coding", array(obj("system", "http://terminology.hl7.org/CodeSystem/provenance-participant-type", "code", "author"))))
	agent.set("who", r.senderReference())
	entity := object()
	entity.set("role", str("source"))
	entity.set("what", obj("type", "Communication", "identifier", obj("system", msgIDSystem, "value", r.in.Head.MsgID)))
	r.agent, r.entity = array(agent), array(entity)
}
