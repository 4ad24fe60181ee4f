package mapping

import (
	"strings"

	"github.com/sluse/sluse/gateway/fhir"
)

// msgIDSystem is the system of MsgInfo/MsgId, RefToParent and RefToConversation as FHIR identifiers.
const msgIDSystem = "http://sluse.no/fhir/NamingSystem/msgid"

// kindSystem is Volven 8279, the message types.
const kindSystem = "urn:oid:" + volven + "8279"

const infoPath = "/MsgHead/MsgInfo"

// header makes the Communication and the Patient of MsgInfo. Their section is the first.
func (r *reader) header(root *elem) {
	info := root.kid("MsgInfo")
	h := &r.in.Head
	r.addSection(Section{Path: infoPath, Name: "Meldingshode", Labels: []string{"samarbeid"}}, "")
	r.communication = r.build("communication", "Communication", 0)
	r.communication.filled = true
	c := r.communication.body
	c.set("identifier", array(obj("system", msgIDSystem, "value", h.MsgID)))
	r.mappedText(info.kid("MsgId"), r.communication, "identifier.value")
	if h.RefToParent != "" {
		c.set("inResponseTo", array(messageReference(h.RefToParent)))
		r.mappedText(info.at("ConversationRef", "RefToParent"), r.communication, "inResponseTo.identifier.value")
	}
	if h.RefToConversation != "" {
		c.set("partOf", array(messageReference(h.RefToConversation)))
		r.mappedText(info.at("ConversationRef", "RefToConversation"), r.communication, "partOf.identifier.value")
	}
	c.set("status", str("completed")) // it has been sent and received
	if official := r.t.codes["8279"][string(h.Kind)]; r.log && !sameText(official, h.KindDisplay) {
		r.dropAttribute(info.kid("Type"), "DN")
		h.KindDisplay = official
	}
	c.set("category", array(obj("coding", array(obj("system", kindSystem, "code", string(h.Kind), "display", h.KindDisplay)))))
	r.attribute(info.kid("Type"), "V", Mapped, r.communication, "category.coding.code")
	r.attribute(info.kid("Type"), "DN", Mapped, r.communication, "category.coding.display")
	c.set("sent", str(r.sent))
	r.mappedText(info.kid("GenDate"), r.communication, "sent")
	recipients := r.addressReferences(info.at("Receiver", "Organisation"), "recipient")
	for _, other := range info.kidsNamed("OtherReceiver") {
		recipients = append(recipients, r.addressReferences(other.kid("Organisation"), "recipient")...)
	}
	c.set("recipient", array(recipients...))
	senders := r.addressReferences(info.at("Sender", "Organisation"), "sender")
	if len(senders) > 0 {
		c.set("sender", senders[0])
		if len(senders) > 1 {
			senders[0].put(personStep, senders[1])
		}
	}
	r.revealingNames(info)
	r.patientResource(info.kid("Patient"))
}

// Where the parties of the head stand in what they become.
var (
	personStep = steps("extension{helsepersonell}.valueReference")
	unitStep   = steps("extension{overordnet-enhet}.valueReference")
	numberStep = steps("extension{organisasjonsnummer}.valueIdentifier")
	holderStep = steps("person")
	anyStep    = steps("extension[+]")
)

func steps(path string) []step {
	p, err := parsePath(path)
	if err != nil {
		panic("mapping: " + err.Error()) // constant paths of this package
	}
	return p
}

func messageReference(id string) *node {
	return obj("type", "Communication", "identifier", obj("system", msgIDSystem, "value", id))
}

// addressReferences makes logical references of an organisation: the addressed unit first, with its parent as an
// extension, then the healthcare person. The directory is written by drift alone (DESIGN § 2), so no Organization or
// Practitioner becomes of a message.
func (r *reader) addressReferences(org *elem, at string) []*node {
	if org == nil {
		return nil
	}
	unit := org.kid("Organisation")
	refs := []*node{r.organisationReference(org, at)}
	if unit != nil {
		parent := refs[0]
		refs[0] = r.organisationReference(unit, at)
		refs[0].put(unitStep, parent)
	}
	person := org.kid("HealthcareProfessional")
	if person == nil {
		person = unit.kid("HealthcareProfessional")
	}
	if person != nil {
		holder := object()
		r.party(person, &field{kind: "HCP", targets: []target{{path: holderStep, name: at}}}, r.communication, holder)
		if p := holder.get("person"); p != nil {
			refs = append(refs, p)
		}
	}
	return refs
}

func (r *reader) organisationReference(org *elem, target string) *node {
	ref := obj("type", "Organization")
	if id := bestIdent(org, "ORG"); id != nil {
		ref.set("identifier", obj("system", identifierSystems[id.kid("TypeId").attr("V")], "value", id.kid("Id").value()))
		r.mappedText(id.kid("Id"), r.communication, target+".identifier.value")
		for _, other := range org.kidsNamed("Ident") {
			if other != id && other.kid("TypeId").attr("V") == "ENH" {
				ref.put(numberStep,
					obj("system", identifierSystems["ENH"], "value", other.kid("Id").value()))
				r.mappedText(other.kid("Id"), r.communication, target+".extension.valueIdentifier.value")
			}
		}
	}
	if name := org.kid("OrganisationName"); name.value() != "" {
		ref.set("display", str(name.value()))
		r.mappedText(name, r.communication, target+".display")
	}
	return ref
}

// revealingNames reports organisation names that tell that substance-use care is given; the head then carries rus.
func (r *reader) revealingNames(info *elem) {
	for _, side := range []string{"Sender", "Receiver", "OtherReceiver"} {
		for _, party := range info.kidsNamed(side) {
			for org := party.kid("Organisation"); org != nil; org = org.kid("Organisation") {
				name := org.kid("OrganisationName")
				if !reveals(name.value()) {
					continue
				}
				r.report(Finding{Path: name.path(), Outcome: Reveals, Target: "rus"})
				if side == "Sender" {
					r.label(0, "rus")
				}
			}
		}
	}
}

// patientResource makes the Patient of the head. Address and telephone are a part of their own.
func (r *reader) patientResource(e *elem) {
	p := r.in.Head.Patient
	if !p.Present || p.NIN == "" && p.Family == "" && p.Given == "" {
		return
	}
	r.patient = r.build("patient", "Patient", 0)
	b := r.patient.body
	r.patientIdentifiers(e, b)
	var given []*node
	for _, n := range []string{"GivenName", "MiddleName"} {
		if k := e.kid(n); k.value() != "" {
			given = append(given, str(k.value()))
			r.mappedText(k, r.patient, "name.given")
		}
	}
	name := obj("family", p.Family)
	if len(given) > 0 {
		name.set("given", array(given...))
	}
	b.set("name", array(name))
	if p.Family != "" {
		r.mappedText(e.kid("FamilyName"), r.patient, "name.family")
	}
	if p.BirthDate != "" {
		b.set("birthDate", str(p.BirthDate))
		r.mappedText(e.kid("DateOfBirth"), r.patient, "birthDate")
	} else if p.BirthDateAsStated != "" {
		r.text(e.kid("DateOfBirth"), Invalid, r.patient, nil)
	}
	if g := gender(p.Sex); g != "" {
		b.set("gender", str(g))
		r.attribute(e.kid("Sex"), "V", Mapped, r.patient, "gender")
	} else if p.Sex != "" {
		r.attribute(e.kid("Sex"), "V", Invalid, r.patient, "")
	}
	r.patientContact(e, b)
}

func (r *reader) patientIdentifiers(e *elem, b *node) {
	var ids []*node
	for _, id := range e.kidsNamed("Ident") {
		typ, value := strings.TrimSpace(id.kid("TypeId").attr("V")), id.kid("Id").value()
		if value == "" {
			continue
		}
		n := object()
		n.set("type", obj("coding", array(obj("system", "urn:oid:"+volven+"8116", "code", typ))))
		// An identifier that fails its check digits gets no system: it never matches anybody.
		if valid := typ != "FNR" && typ != "DNR" || fhir.ValidNIN(value); valid && identifierSystems[typ] != "" {
			n.set("system", str(identifierSystems[typ]))
		} else if typ == "FNR" || typ == "DNR" {
			r.report(Finding{Path: id.kid("Id").path(), Outcome: Invalid, Key: r.patient.key, Target: "Patient.identifier"})
		}
		n.set("value", str(value))
		ids = append(ids, n)
		r.mappedText(id.kid("Id"), r.patient, "identifier.value")
		r.attribute(id.kid("TypeId"), "V", Mapped, r.patient, "identifier.type.coding.code")
	}
	if len(ids) > 0 {
		b.set("identifier", array(ids...))
	}
}

func (r *reader) patientContact(e *elem, b *node) {
	address, points := e.kid("Address"), e.kidsNamed("TeleCom")
	if len(address.all()) > 0 || len(points) > 0 {
		path := address.path()
		for _, p := range points[:min(1, len(points))] {
			if path = strings.TrimPrefix(path+" | "+p.listPath(), " | "); address == nil {
				path = p.listPath()
			}
		}
		r.addSection(Section{Path: path, Name: "Adresse og telefon", Labels: []string{"demografi"}}, "")
	}
	if a := r.address(address, r.patient); a != nil {
		b.set("address", array(a))
	}
	if list := r.telecoms(points, r.patient); len(list) > 0 {
		b.set("telecom", array(list...))
	}
}

// address maps a postal address; nil when there is none.
func (r *reader) address(e *elem, cur *building) *node {
	if len(e.all()) == 0 {
		return nil
	}
	a := object()
	kind := strings.TrimSpace(e.kid("Type").attr("V"))
	if use := map[string]string{"H": "home", "HP": "home", "TMP": "temp", "WP": "work", "BAD": "old"}[kind]; use != "" {
		a.set("use", str(use))
	}
	if kind == "PST" {
		a.set("type", str("postal"))
	}
	var lines []*node
	for _, n := range []string{"StreetAdr", "Postbox"} {
		if k := e.kid(n); k.value() != "" {
			lines = append(lines, str(k.value()))
			r.mappedText(k, cur, "address.line")
		}
	}
	if len(lines) > 0 {
		a.set("line", array(lines...))
	}
	for _, pair := range [][2]string{{"City", "city"}, {"PostalCode", "postalCode"}} {
		if k := e.kid(pair[0]); k.value() != "" {
			a.set(pair[1], str(k.value()))
			r.mappedText(k, cur, "address."+pair[1])
		}
	}
	if c := e.kid("Country"); c.attr("V") != "" {
		a.set("country", str(c.attr("V")))
		r.attribute(c, "V", Mapped, cur, "address.country")
	}
	if len(a.names) == 0 {
		return nil
	}
	return a
}

func (r *reader) telecoms(points []*elem, cur *building) []*node {
	var out []*node
	for _, p := range points {
		address := p.kid("TeleAddress")
		if v := contactPoint(address.attr("V"), p.kid("TypeTelecom").attr("V")); v != nil {
			out = append(out, v)
			r.attribute(address, "V", Mapped, cur, "telecom.value")
		}
	}
	return out
}

// contact maps a fk1:Person into Patient.contact. Its national identifier stays in the original.
func (r *reader) contact(e *elem, cur *building, base *node) {
	name := object()
	if k := e.kid("FamilyName"); k.value() != "" {
		name.set("family", str(k.value()))
		r.mappedText(k, cur, "contact.name.family")
	}
	var given []*node
	for _, n := range []string{"GivenName", "MiddleName"} {
		if k := e.kid(n); k.value() != "" {
			given = append(given, str(k.value()))
			r.mappedText(k, cur, "contact.name.given")
		}
	}
	if len(given) > 0 {
		name.set("given", array(given...))
	}
	put := func(at string, v *node) { // R4: one of Patient.contact, a list of RelatedPerson
		if cur.typ == "RelatedPerson" {
			v = array(v)
		}
		base.set(at, v)
	}
	if len(name.names) > 0 {
		put("name", name)
	}
	if list := r.telecoms(e.kidsNamed("TeleCom"), cur); len(list) > 0 {
		base.set("telecom", array(list...))
	}
	if a := r.address(e.kid("Address"), cur); a != nil {
		put("address", a)
	}
	if g := gender(strings.TrimSpace(e.kid("Sex").attr("V"))); g != "" {
		base.set("gender", str(g))
		r.attribute(e.kid("Sex"), "V", Mapped, cur, "contact.gender")
	}
}
