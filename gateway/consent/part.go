package consent

import (
	"strings"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// head is what every message carries of a Patient, and what the server writes itself.
var head = map[string]bool{
	"resourceType": true, "id": true, "meta": true, "implicitRules": true, "language": true, "text": true,
	"contained": true, "active": true, "name": true, "birthDate": true, "identifier": true,
}

// children walks the record's elements: parts get labels of their own, all else adds to b.
func (w *walk) children(root *fhir.Value, b *bag) {
	for _, m := range root.Members() {
		path := w.typ + "." + m.Name
		switch {
		case m.Name == "text":
		case m.Name == "meta":
			w.meta(m.Value, b)
		case m.Name == "contained":
			for _, c := range m.Value.Items() {
				w.contained(c, b)
			}
		case w.typ == "CarePlan" && m.Name == "activity":
			w.each(m.Value, path, func(v *fhir.Value, part *bag) {
				w.coded(v.Get("detail", "code"), part)
				w.scan(v, part)
			})
		case w.typ == "Composition" && m.Name == "section":
			w.each(m.Value, path, func(v *fhir.Value, part *bag) { w.section(v, part, b) })
		case w.typ == "Observation" && m.Name == "component":
			w.each(m.Value, path, func(v *fhir.Value, part *bag) {
				w.concept(v.Get("code"), part)
				w.scan(v, part)
			})
		case w.typ == "QuestionnaireResponse" && m.Name == "item":
			w.items(m.Value, path, questionnaire(root), 0)
		case w.typ == "Patient":
			w.patient(m, path, b)
		default:
			w.scan(m.Value, b)
		}
	}
}

// meta scans tags, extensions and how sensitive the record is said to be (R4 resource.html#Meta). The labels that the
// custodian names there are no rule's: record adds them.
func (w *walk) meta(v *fhir.Value, b *bag) {
	for _, m := range v.Members() {
		if m.Name != "security" {
			w.look(m.Name, m.Value, b)
			continue
		}
		for _, c := range m.Value.Items() {
			if c.Get("system").Text() != gateway.LabelSystem {
				w.scan(c, b)
			}
		}
	}
}

// each labels every element of a list; what tells nothing of its own is no part but belongs to the
// record.
func (w *walk) each(list *fhir.Value, path string, look func(*fhir.Value, *bag)) {
	for i, v := range list.Items() {
		var part bag
		look(v, &part)
		if l := part.sum(); l != 0 {
			w.out.Parts = append(w.out.Parts, gateway.Part{Path: at(path, i), Labels: l})
		}
	}
}

// items labels the items of a QuestionnaireResponse by linkId, nested ones too. An item without a
// rule is labelled as the one it stands in; at the top it is a doubt. Only an item whose labels
// differ from those around it is a part.
func (w *walk) items(list *fhir.Value, path, form string, around gateway.Labels) {
	for i, v := range list.Items() {
		var part bag
		found := w.ask(fact{kind: "item", system: form, code: v.Get("linkId").Text()})
		part.ruled, part.unknown = found.labels, !found.known && around == 0
		p := at(path, i)
		for _, m := range v.Members() {
			if m.Name != "item" {
				w.itemMember(m, &part)
			}
		}
		l := part.sum()
		if !found.known {
			l |= around
		}
		if l != around {
			w.out.Parts = append(w.out.Parts, gateway.Part{Path: p, Labels: l})
		}
		w.items(v.Get("item"), p+".item", form, l)
		for j, a := range v.Get("answer").Items() {
			w.items(a.Get("item"), at(p+".answer", j)+".item", form, l)
		}
	}
}

// itemMember scans an item without the items below its answers, which are parts themselves.
func (w *walk) itemMember(m fhir.Member, part *bag) {
	if m.Name != "answer" {
		w.look(m.Name, m.Value, part)
		return
	}
	for _, a := range m.Value.Items() {
		for _, am := range a.Members() {
			if am.Name != "item" {
				w.look(am.Name, am.Value, part)
			}
		}
	}
}

// section labels a section of a Composition with all that is below it. Its title and its narrative are
// somebody's words: a doubt, unless the custodian has labelled the section, or the whole, beyond the fact that
// the person is known.
func (w *walk) section(v *fhir.Value, part, whole *bag) {
	w.scan(v, part)
	w.doubts(v, part)
	w.headings(v, part)
	if part.added&^(gateway.Samarbeid|gateway.Uklassifisert) == 0 {
		part.added |= whole.added
	}
	if part.added&^(gateway.Samarbeid|gateway.Uklassifisert) == 0 && (writes(v) || v.Get("text") != nil || v.Get("section") != nil) {
		part.ruled |= w.ask(fact{kind: "text", typ: w.typ}).labels
	}
}

// strict are the types that say little of what a record holds: a code in them that no rule knows is a doubt,
// whatever its element, and so is a name in them that tells what is treated.
var strict = map[string]bool{
	"Encounter": true, "EpisodeOfCare": true, "Appointment": true, "Flag": true, "List": true, "Composition": true, "Group": true,
}

// doubts marks the piece when a code in it is of no list that the rules know.
func (w *walk) doubts(v *fhir.Value, b *bag) {
	for _, m := range v.Members() {
		switch {
		case m.Name == "meta" || m.Name == "identifier" || m.Name == "contained" || m.Name == "section" && w.typ == "Composition" && v.Get("resourceType") != nil:
			continue
		case m.Name == "coding":
			for _, c := range m.Value.Items() {
				w.doubt(c, b)
			}
		case m.Name == "class" && w.typ == "Encounter", m.Name == "valueCoding" && v.Get("url").Text() != inlineLabel:
			w.doubt(m.Value, b)
		case m.Name == "text" && m.Value.Kind() == fhir.String:
			w.names(m.Value, b)
		default:
			w.doubts(m.Value, b)
		}
	}
	for _, i := range v.Items() {
		w.doubts(i, b)
	}
}

func (w *walk) doubt(c *fhir.Value, b *bag) {
	if c.Kind() == fhir.Object {
		b.unknown = b.unknown || !w.coding(c).known
		w.names(c.Get("display"), b)
	}
}

// headings adds what the titles and names of the piece tell.
func (w *walk) headings(v *fhir.Value, b *bag) {
	w.names(v.Get("title"), b)
	for _, s := range v.Get("section").Items() {
		w.headings(s, b)
	}
}

// questionnaire is the name of the form: the last segment of its canonical URL, without version.
func questionnaire(root *fhir.Value) string {
	url, _, _ := strings.Cut(root.Get("questionnaire").Text(), "|")
	return url[strings.LastIndexByte(url, '/')+1:]
}

// patient labels what is not the head: contact is about relatives, the rest demografi.
func (w *walk) patient(m fhir.Member, path string, b *bag) {
	label := gateway.Demografi
	switch m.Name {
	case "contact":
		label = gateway.Parorende
	case "communication":
		label |= gateway.Tolk
	case "identifier":
		for i, v := range m.Value.Items() {
			if s := v.Get("system").Text(); s != fhir.SystemFNR && s != fhir.SystemDNR {
				w.part(v, at(path, i), label)
			}
		}
		return
	}
	if head[strings.TrimPrefix(m.Name, "_")] {
		w.scan(m.Value, b)
		return
	}
	if m.Value.Kind() != fhir.Array {
		w.part(m.Value, path, label)
		return
	}
	for i, v := range m.Value.Items() {
		w.part(v, at(path, i), label)
	}
}

func (w *walk) part(v *fhir.Value, path string, label gateway.Labels) {
	part := bag{ruled: label}
	w.scan(v, &part)
	w.out.Parts = append(w.out.Parts, gateway.Part{Path: path, Labels: part.sum()})
}

// contained counts to the record itself: one that were removed would leave its #reference behind,
// so the record is withheld whole.
func (w *walk) contained(v *fhir.Value, b *bag) {
	typ := v.Get("resourceType").Text()
	if !gateway.IsDirectory(fhir.Type(typ)) {
		w.base(v, typ, b)
		if typ == "QuestionnaireResponse" {
			b.unknown = true
		}
	}
	for _, name := range []string{"name", "alias"} {
		if gateway.IsDirectory(fhir.Type(typ)) {
			w.names(v.Get(name), b)
		}
	}
	w.scan(v, b)
}

// scan adds what codes, names and inline labels below v tell.
func (w *walk) scan(v *fhir.Value, b *bag) {
	if v.Get("system") != nil && v.Get("code") != nil {
		b.ruled |= w.coding(v).labels
	}
	if v.Get("url").Text() == inlineLabel {
		b.added |= w.named(v.Get("valueCoding"), v.Expression())
		return
	}
	if ref := v.Get("reference"); ref.Kind() == fhir.String {
		if t, id, _ := strings.Cut(ref.Text(), "/"); revealing[t] {
			w.names(v.Get("display"), b)
			b.ruled |= w.ask(fact{kind: "name", code: id}).labels
		}
	} else if t := v.Get("type").Text(); v.Get("display") != nil && revealing[t] {
		w.names(v.Get("display"), b)
	}
	for _, m := range v.Members() {
		w.look(m.Name, m.Value, b)
	}
	for _, i := range v.Items() {
		w.scan(i, b)
	}
}

// look scans a member; narrative and primitives tell nothing by code.
func (w *walk) look(name string, v *fhir.Value, b *bag) {
	if name == "div" || v.Kind() != fhir.Object && v.Kind() != fhir.Array {
		return
	}
	w.scan(v, b)
}

// revealing are the types whose name or chosen id, where a reference shows it, may itself tell what is treated:
// unit, Location and sender.
var revealing = map[string]bool{
	"Organization": true, "HealthcareService": true, "Location": true, "PractitionerRole": true,
}

func (w *walk) names(v *fhir.Value, b *bag) {
	if v.Kind() == fhir.String {
		b.ruled |= w.ask(fact{kind: "name", code: v.Text()}).labels
	}
	for _, i := range v.Items() {
		w.names(i, b)
	}
}
