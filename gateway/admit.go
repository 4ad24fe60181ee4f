package gateway

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// mailbox is who a message is decided for: the addressee, as the message names it, whoever at the
// party happens to open it. Access inside a party is that party's own affair. What a message says
// of its receiver is all there is: no role, and treatment as the purpose, which is what pleie- og
// omsorgsmeldinger and dialogmeldinger are sent for (hpl. §§ 25, 45).
func mailboxOf(dir Directory, p Party, to Addressee) asked {
	a := Actor{Kind: Machine, Party: p.ID, Practitioner: to.Practitioner, Purpose: Treat}
	if to.HERID != p.ID {
		a.Unit = to.HERID
	}
	return asked{Actor: a, party: p, hjemler: hjemlerOf(dir)}
}

// piece is a section of a message and the records made from it, decided as one.
type piece struct {
	section Section
	records []Record
	apart   []string // elements of the records that stand in sections of their own, since they tell where the person is
}

// pieces sorts records into sections. A section without records stands for itself, as a part of the
// document of the message. A Provenance says only what it points at, and decides nothing.
func pieces(sections []Section, records []Record, path func(i int) string, document Record) []piece {
	list := make([]piece, 0, len(sections))
	for _, s := range sections {
		p := piece{section: s}
		for i, r := range records {
			if path(i) == s.Path && r.Reference.Type != "Provenance" {
				p.records = append(p.records, r)
			}
		}
		if len(p.records) == 0 && s.Where != "" {
			p.records = around(s, sections, records, path)
		}
		if len(p.records) == 0 {
			p.records = []Record{s.stands(document)}
		}
		for _, inner := range sections {
			if inner.Where != "" && strings.HasPrefix(inner.Path, s.Path+"/") {
				p.apart = append(p.apart, inner.Where)
			}
		}
		list = append(list, p)
	}
	return list
}

// around gives the records of the section that another stands in: a place is a part of them.
func around(s Section, sections []Section, records []Record, path func(i int) string) (found []Record) {
	outer := ""
	for _, o := range sections {
		if strings.HasPrefix(s.Path, o.Path+"/") && len(o.Path) > len(outer) {
			outer = o.Path
		}
	}
	for i, r := range records {
		if outer != "" && path(i) == outer && r.Reference.Type != "Provenance" {
			found = append(found, r)
		}
	}
	return found
}

// stands is what a section without records is decided as: who she is and how she is reached is told by the Patient, which
// has no date, and the rest by the document.
func (s Section) stands(document Record) Record {
	if s.Labels&Demografi != 0 {
		document.Reference.Type, document.Low, document.High = "Patient", time.Time{}, time.Time{}
	}
	return document
}

// covers gives what the receiver may have of a record by message, whatever was fixed at an earlier
// receipt.
func (p Permit) covers(r Record) Labels {
	scope := p.Scope()
	r.Sent, r.Fetched = nil, 0
	switch {
	case scope.owns(r):
		return AllLabels
	case r.Person == 0 || (scope.Person != 0 && r.Person != scope.Person):
		return 0
	}
	return scope.Covered(r) | scope.open()
}

// lacks gives the labels of the section that are not covered for every record in it; whole is
// false when the section may not cross.
func (p Permit) lacks(c piece) (missing Labels, whole bool) {
	whole = true
	for _, r := range c.records {
		need := withPlace(c.section.Labels) | c.needs(r)
		if c.section.Where != "" {
			need |= addressMask
		}
		if c.section.Head { // parts of the Patient have sections of their own; samarbeid is asked once, below
			if need = (c.section.Labels | r.Labels) &^ Samarbeid; need == 0 {
				continue
			}
		}
		covered := p.covers(r)
		if !need.Within(covered) {
			whole = false
			missing |= (need &^ covered).told()
		}
	}
	return missing, whole
}

// needs is what must be covered of a record of the section. What stands in a section of its own is left out there.
func (c piece) needs(r Record) Labels {
	l := r.Labels
	for _, p := range r.Parts {
		if slices.ContainsFunc(c.apart, func(name string) bool {
			return strings.HasPrefix(p.Path, string(r.Reference.Type)+"."+name)
		}) {
			l |= p.Labels &^ addressMask
			continue
		}
		l |= p.Labels
	}
	return l
}

// substantive tells whether the section holds more than how the message came about.
func (c piece) substantive() bool {
	return !c.section.Head && slices.ContainsFunc(c.records, func(r Record) bool {
		return r.Reference.ID != "" && r.Reference.Type != "Patient"
	})
}

// head is the least that every message tells: that the person is known to the sender.
func (p Permit) head(custodian HERID, person PersonID, patient fhir.Reference) bool {
	patient.Type = "Patient"
	return Samarbeid.Within(p.covers(Record{Reference: patient, Custodian: custodian, Person: person}))
}

// addressed begins the verdict for one receiver. It is settled already, and open is false, when the
// receiver is nobody of ours or the message as a whole cannot cross.
func (w *arrival) addressed(dir Directory, to Addressee, now time.Time) (v Verdict, party Party, open bool) {
	v = Verdict{Receiver: to, masks: make([]Labels, len(w.records)), cited: make([][]Citation, len(w.records))}
	party, ok := dir.Party(to.HERID)
	takes := receptionOf(dir, to.HERID, w.message.Kind, now)
	switch {
	case takes.Closed:
		v.Reasons = []Reason{ReceiverClosed}
		return v, party, false
	case !ok:
		v.Reasons = []Reason{ReceiverUnknown}
		return v, party, false
	}
	v.Party = party.ID
	if w.reason != NoReason {
		v.Reasons, v.Faults = []Reason{w.reason}, w.faults
		return v, party, false
	}
	if takes.Refuses {
		v.Reasons, v.Instead = []Reason{KindNotTaken}, takes.Instead
		return v, party, false
	}
	return v, party, true
}

// admit decides for one receiver, before anything is stored, what of the message will cross.
func (g *Gateway) admit(ctx context.Context, dir Directory, w *arrival, to Addressee) (Verdict, error) {
	v, party, open := w.addressed(dir, to, g.Clock())
	if !open {
		return v, nil
	}
	p, err := g.permit(ctx, mailboxOf(dir, party, to), Submit,
		Question{Action: MessageAction, Named: true, Facts: w.facts, Message: w.message.Kind})
	if err != nil {
		return Verdict{}, err
	}
	v.manual, v.until = p.Scope().Manual, p.decision.Until
	j := judge{permit: p, custodian: w.sender.party.ID, person: w.facts.Person, patient: w.patient}
	document := w.document()
	j.decide(pieces(w.delivery.Sections, w.records, w.path, document), w.delivery.AllOrNothing, nil)
	v.take(&j, w.delivery.Unreadable)
	for i, r := range w.records {
		covered := p.covers(r)
		res := w.delivery.Resources[i]
		passes := v.Crosses && r.Labels.Within(covered)
		switch {
		case res.Whole:
			passes = passes && len(j.withheld) == 0 && !j.dropped
		case res.Section != "":
			passes = passes && slices.Contains(j.crossing, res.Section)
		}
		if passes {
			v.masks[i], v.cited[i] = covered, p.citations(r)
			v.Citations = appendNew(v.Citations, v.cited[i]...)
		}
	}
	return v, nil
}

// take keeps what the judge found.
func (v *Verdict) take(j *judge, unreadable bool) {
	v.Withheld, v.Missing, v.Crosses = j.withheld, j.missing, len(j.crossing) > 0
	v.Reasons = j.reasons(unreadable)
}

// document stands for those parts of a message that no resource was made from.
func (w *arrival) document() Record {
	r := Record{Custodian: w.sender.party.ID, Person: w.facts.Person}
	r.Reference.Type = "DocumentReference"
	r.Low = w.message.Generated
	if !r.Low.IsZero() {
		r.High = r.Low.Add(1)
	}
	return r
}

func (w *arrival) path(i int) string { return w.delivery.Resources[i].Section }

// judge decides a message part by part for one receiver.
type judge struct {
	permit    Permit
	custodian HERID
	person    PersonID
	patient   fhir.Reference
	crossing  []string // paths
	withheld  []Section
	missing   Labels
	lacking   bool // samtykke for something that a schema knows
	unknown   bool // something is withheld that no schema knows
	dropped   bool
}

// decide sorts the pieces into what crosses and what does not. earlier are paths that were withheld
// at receipt and stay so. Nothing crosses when the head may not, when only the frame of the message
// is left of it, or when one that is all or nothing lacks anything.
func (j *judge) decide(list []piece, allOrNothing bool, earlier []string) {
	stopped := !j.permit.head(j.custodian, j.person, j.patient)
	if stopped {
		j.missing |= Samarbeid
		j.lacking = true
	}
	substance := false
	for _, c := range list {
		missing, whole := j.permit.lacks(c)
		whole = whole && !slices.Contains(earlier, c.section.Path)
		if c.section.Dropped {
			j.dropped = true
			continue
		}
		if c.section.Unknown && !whole { // not by consent: what the schemas do not know stays behind
			j.unknown = true
			missing &^= Uklassifisert
		}
		j.missing |= missing
		j.lacking = j.lacking || !whole && (missing != 0 || !c.section.Unknown)
		switch {
		case whole:
			j.crossing = append(j.crossing, c.section.Path)
			substance = substance || c.substantive()
		case c.section.Head:
			stopped = true
		default:
			j.withheld = append(j.withheld, c.section)
		}
	}
	if len(j.withheld) > 0 && !substance || allOrNothing && (len(j.withheld) > 0 || j.dropped) {
		stopped = true
	}
	if !stopped {
		return
	}
	j.withheld, j.crossing = nil, nil
	for _, c := range list {
		j.withheld = append(j.withheld, c.section)
	}
}

// paths lists what must be taken out of the receiver's copy.
func (j *judge) paths(list []piece) []string {
	var out []string
	for _, c := range list {
		if !slices.Contains(j.crossing, c.section.Path) {
			out = append(out, c.section.Path)
		}
	}
	return out
}

func (j *judge) reasons(unreadable bool) []Reason {
	var reasons []Reason
	if j.lacking || len(j.crossing) == 0 && !j.unknown && !j.dropped {
		reasons = append(reasons, ConsentMissing)
	}
	if j.unknown {
		reasons = append(reasons, ContentUnknown)
	}
	if j.dropped && (len(j.crossing) > 0 || !j.lacking) {
		reasons = append(reasons, FreeTextDropped)
	}
	if unreadable && len(j.crossing) > 0 {
		reasons = append(reasons, AttachmentFault)
	}
	return reasons
}

func appendNew(list []Citation, more ...Citation) []Citation {
	for _, c := range more {
		if !slices.Contains(list, c) {
			list = append(list, c)
		}
	}
	return list
}
