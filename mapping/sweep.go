package mapping

import (
	"slices"
	"strings"
)

// The paths of what is no element. Withhold removes all of it from every copy; the sections keep the original from
// crossing undecided.
const (
	commentPath   = "/MsgHead/comment()"
	namespacePath = "/MsgHead/namespace()"
	textStep      = "text()" // character data between the children of an element
)

// sweep accounts for what nothing above has: what the schemas know goes with the section it stands in, and whatever
// nobody decides becomes a section of its own, uklassifisert, or is dropped from a LOG_ message.
func (r *reader) sweep(root, payload *elem, comments bool) {
	r.strays(root, 0, 0)
	info := root.kid("MsgInfo")
	var packing []stray
	for _, k := range root.kids {
		switch {
		case k == info:
			r.shaped(k, shapes["MsgInfo"], 0)
		case k.ns == nsHead && k.name == "Document":
			if payload.within(k) {
				packing = r.packing(k, payload, nil)
				continue
			}
			r.strays(k, 0, 0) // reported with its section; declarations are not
		case k.ns == nsXMLDSig && k.name == "Signature":
			r.signature(k)
		default:
			r.unknown(k, 0)
		}
	}
	r.payloadStrays(payload, 0)
	r.describe(packing, payload)
	if comments {
		r.hide(commentPath, "Kommentarer i XML")
	}
	if r.declared {
		r.hide(namespacePath, "Navnerom og skjemahenvisninger")
	}
}

// hide makes the section of what is always removed from a copy, but stands in the original.
func (r *reader) hide(path, name string) {
	r.addSection(Section{Path: path, Name: name, Labels: []string{"uklassifisert"}, Drop: r.log}, "")
	outcome := Kept
	if r.log {
		outcome = Dropped
	}
	r.report(Finding{Path: path, Outcome: outcome})
}

// shaped walks the head, or a party in the payload, by the published schemas.
func (r *reader) shaped(e *elem, s shape, sec int) {
	r.strays(e, s.form, sec)
	for _, k := range e.kids {
		known, ok := shapes[k.name]
		switch {
		case !ok || k.ns != e.ns && k.ns != nsFK1 || !slices.Contains(s.kids, k.name) || k.index > 1 && !repeats(k.name):
			r.unknown(k, sec)
		case k.name == "Nationality" && sec == 0 && e.name == "Patient":
			r.addSection(Section{Path: k.path(), Name: "Statsborgerskap", Labels: []string{"demografi", "migrasjon"}}, "")
			r.shaped(k, known, len(r.in.Sections)-1)
		default:
			r.shaped(k, known, sec)
		}
	}
}

// payloadStrays walks the payload. Children that the tables does not know have been accounted for.
func (r *reader) payloadStrays(e *elem, sec int) {
	if e.section > 0 {
		sec = e.section
	}
	if e.form == formParty {
		r.shaped(e, partyShapes[e.kind], sec)
		return
	}
	r.strays(e, e.form, sec)
	for _, k := range e.kids {
		r.payloadStrays(k, sec)
	}
}

// strays accounts for the values of one element that nothing has reported yet.
func (r *reader) strays(e *elem, f form, sec int) {
	if e.more != nil {
		r.declarations(e)
	}
	for i := range e.attrs {
		a := &e.attrs[i]
		switch {
		case a.ns == nsXSI:
			r.declared = r.declared || !schemaHint(a)
		case a.done:
		case r.log && f&formCoded != 0 && (a.name == "DN" && !r.t.officialDN(e) || a.name == "OT"):
			r.stray(stray{e, a}, sec)
		case f.takes(a) && e.fits(a):
			r.leafReport(e, a, Kept, "", "")
		case a.ns == nsXML && (a.name == "space" || a.name == "lang" && langForm.MatchString(a.value)):
			r.leafReport(e, a, Kept, "", "")
		default:
			r.stray(stray{e, a}, sec)
		}
	}
	switch {
	case e.done || strings.TrimSpace(e.text) == "":
	case f&formText != 0 && e.fits(nil):
		r.leafReport(e, nil, Kept, "", "")
	default:
		r.stray(stray{e, nil}, sec)
	}
}

// declarations looks for namespaces of no standard: their names are text as well.
func (r *reader) declarations(e *elem) {
	for _, uri := range e.more.declared {
		if uri != "" && r.t.prefix[uri] == "" && !standard.MatchString(uri) {
			r.declared = true
		}
	}
}

// schemaHint tells that an attribute of XMLSchema-instance is what it claims to be.
func schemaHint(a *attr) bool {
	switch a.name {
	case "nil":
		_, ok := parseBool(a.value)
		return ok
	case "schemaLocation", "noNamespaceSchemaLocation":
		for _, word := range strings.Fields(a.value) {
			if !standard.MatchString(word) && !xsdHint.MatchString(word) {
				return false
			}
		}
		return true
	}
	return false
}

// stray is a value that no section decides: an attribute, or the text of an element.
type stray struct {
	e *elem
	a *attr
}

// path is what Withhold removes.
func (s stray) path() string {
	switch {
	case s.a != nil:
		return s.e.path() + "/@" + s.a.name
	case len(s.e.kids) > 0 || len(s.e.attrs) > 0 || s.e.parent == nil:
		return s.e.path() + "/" + textStep
	}
	return s.e.path()
}

// stray gives such a value its section. An indivisible list takes the label as a whole.
func (r *reader) stray(s stray, sec int) {
	name, outcome := "Tekst utenfor elementene", Kept
	if s.a != nil {
		name = "Ukjent attributt"
	}
	switch {
	case r.log:
		outcome = Dropped
		r.addSection(Section{Path: s.path(), Name: "Fritekst", Labels: []string{"uklassifisert"}, Drop: true}, "")
	case r.indivisible(sec):
		r.label(sec, "uklassifisert")
	default:
		r.addSection(Section{Path: s.path(), Name: name, Labels: []string{"uklassifisert"}}, "")
	}
	r.leafReport(s.e, s.a, outcome, "", "")
}

// packing walks the Document around the payload and gathers what tells of the content: Annotation, ContentDescription,
// Description, and whatever is not of a form that tells nothing.
func (r *reader) packing(e, payload *elem, found []stray) []stray {
	if e.more != nil {
		r.declarations(e)
	}
	for i := range e.attrs {
		switch a := &e.attrs[i]; {
		case a.ns == nsXSI:
			r.declared = r.declared || !schemaHint(a)
		case a.done:
		case r.structural(e, a):
			r.leafReport(e, a, Kept, "", "")
		case !formCoded.takes(a):
			r.stray(stray{e, a}, 0)
		default:
			found = append(found, stray{e, a})
		}
	}
	switch {
	case e.done || strings.TrimSpace(e.text) == "":
	case r.structural(e, nil):
		r.leafReport(e, nil, Kept, "", "")
	case len(e.kids) > 0:
		r.stray(stray{e, nil}, 0)
	default:
		found = append(found, stray{e, nil})
	}
	for _, k := range e.kids {
		switch {
		case k == payload:
		case k.ns == nsHead && slices.Contains(packed[e.name], k.name) && k.index <= 1:
			found = r.packing(k, payload, found)
		default:
			r.unknown(k, 0)
		}
	}
	return found
}

// packed are the elements of MsgHead 1.2 around a payload.
var packed = map[string][]string{
	"Document": strings.Fields("DocumentConnection ContentType ContentDescription ContentCategory Consent Annotation FromDate ToDate OidRef EnquiryRefId RefDoc"),
	"RefDoc":   strings.Fields("IssueDate MsgType Id MimeType Description Compression FileReference Content"),
}

// describe gives what tells of the whole document every label of its sections.
func (r *reader) describe(found []stray, payload *elem) {
	if len(found) == 0 {
		return
	}
	var labels []string
	content := false
	for _, s := range r.in.Sections {
		if !strings.HasPrefix(s.Path, payload.path()) {
			continue
		}
		content = content || s.ByContent
		for _, l := range s.Labels {
			if !slices.Contains(labels, l) {
				labels = append(labels, l)
			}
		}
	}
	if (content || len(labels) == 0) && !slices.Contains(labels, "uklassifisert") {
		labels = append(labels, "uklassifisert") // the codes that decide are not known here
	}
	for _, s := range found {
		if r.log {
			r.stray(s, 0)
			continue
		}
		r.addSection(Section{Path: s.path(), Name: "Beskrivelse av dokumentet", Labels: slices.Clone(labels)}, "")
		r.leafReport(s.e, s.a, Kept, "", "")
	}
}

// signature lets the values of XML-DSig pass and nothing that can hold text of the sender's own.
func (r *reader) signature(e *elem) {
	for i := range e.attrs {
		r.leafReport(e, &e.attrs[i], Kept, "", "")
	}
	r.leafReport(e, nil, Kept, "", "")
	for _, k := range e.kids {
		if k.ns != nsXMLDSig || k.name == "Object" || k.name == "KeyName" {
			r.unknown(k, 0)
			continue
		}
		r.signature(k)
	}
}
