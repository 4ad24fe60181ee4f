package consent

import (
	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// freely adds what free text tells in a record whose type says no more than that the person is
// known: any permit covers that, so a text that no rule and no custodian has labelled is a doubt. A
// theme that the rules know, or a label that the custodian names beyond samarbeid, says what it is about.
func (w *walk) freely(root *fhir.Value, base gateway.Labels, b *bag) {
	if base&^(gateway.Samarbeid|gateway.Logistikk) != 0 || !w.worded(root) {
		return
	}
	themes, told := w.themes(root)
	b.ruled |= themes
	if told || w.typed(root) || b.added&^(gateway.Samarbeid|gateway.Uklassifisert) != 0 {
		return
	}
	b.ruled |= w.ask(fact{kind: "text", typ: w.typ}).labels
}

// worded tells whether there are words in the record itself: those of a section are the section's.
func (w *walk) worded(root *fhir.Value) bool {
	for _, name := range []string{"title", "name"} {
		if strict[w.typ] && root.Get(name).Kind() == fhir.String {
			return true
		}
	}
	if w.typ != "Composition" {
		return writes(root)
	}
	for _, m := range root.Members() {
		narrative := m.Name == "text" && m.Value.Kind() == fhir.Object
		if m.Name != "section" && m.Name != "meta" && !narrative && (written[m.Name] || writes(m.Value)) {
			return true
		}
	}
	return false
}

// themes gives what the topic of a Communication tells of its text, or else what its categories tell;
// told is false when neither is known.
func (w *walk) themes(root *fhir.Value) (gateway.Labels, bool) {
	if w.typ != "Communication" {
		return 0, false
	}
	l, known, unknown := w.theme(root.Get("topic"))
	if known && !unknown {
		return l, true
	}
	told := false
	for _, c := range root.Get("category").Items() {
		more, known, _ := w.theme(c)
		l, told = l|more, told || known
	}
	return l, told
}

// typed tells whether the type of a Composition, or the code of a List, is one that the rules label.
func (w *walk) typed(root *fhir.Value) bool {
	concept := map[string]string{"Composition": "type", "List": "code"}[w.typ]
	if concept == "" {
		return false
	}
	for _, c := range root.Get(concept, "coding").Items() {
		if w.coding(c).labels != 0 {
			return true
		}
	}
	return false
}

// theme asks for each code of a concept; known and unknown tell whether there was one of the kind.
func (w *walk) theme(concept *fhir.Value) (l gateway.Labels, known, unknown bool) {
	for _, c := range concept.Get("coding").Items() {
		found := w.ask(fact{kind: "theme", system: c.Get("system").Text(), code: c.Get("code").Text()})
		l |= found.labels
		known, unknown = known || found.known, unknown || !found.known
	}
	return l, known, unknown
}

// written are the elements by which somebody's own words, or a document, stand in a resource: the
// text of a CodeableConcept or Annotation, and what holds a string or an Attachment.
var written = map[string]bool{
	"text": true, "contentString": true, "contentAttachment": true, "description": true, "comment": true,
	"patientInstruction": true, "valueString": true, "valueMarkdown": true, "valueAttachment": true,
	"valueBase64Binary": true, "valueAnnotation": true, "authorString": true,
}

// writes tells whether there are words below v. Narrative never crosses, and the statusReason of a
// Communication is written by the server.
func writes(v *fhir.Value) bool {
	for _, m := range v.Members() {
		switch {
		case m.Name == "meta" || m.Name == "statusReason":
			continue
		case m.Name == "text" && m.Value.Kind() == fhir.Object:
			continue
		case written[m.Name], writes(m.Value):
			return true
		}
	}
	for _, i := range v.Items() {
		if writes(i) {
			return true
		}
	}
	return false
}
