package gateway

import (
	"bytes"
	"context"
	"errors"
	"slices"

	"github.com/sluse/sluse/gateway/fhir"
)

// draftAll checks and labels every resource. Labels of the section that a resource was made from
// count as named by its custodian: a free text carries what the mapping table says it may hold.
// What keeps the document as it came holds all that the rest does; when nothing could be mapped,
// nobody knows what that is.
func (g *Gateway) draftAll(ctx context.Context, w *arrival) error {
	kept := make([]DeliveredResource, 0, len(w.delivery.Resources))
	for _, r := range w.delivery.Resources {
		if r.Type == "Patient" && w.known {
			continue // made by the first message, never overwritten
		}
		kept = append(kept, r)
	}
	slices.SortStableFunc(kept, func(a, b DeliveredResource) int { return rank(a) - rank(b) })
	w.delivery.Resources = kept
	all := Labels(0)
	for _, s := range w.delivery.Sections {
		all |= withPlace(s.Labels)
	}
	for _, r := range kept {
		added := w.sectionLabels(r.Section)
		if r.Whole {
			if added = all; all == 0 {
				added = Samarbeid | Uklassifisert
			}
		}
		if err := g.draft(ctx, w, r, added); err != nil {
			return err
		}
		all |= needs(w.records[len(w.records)-1])
	}
	return nil
}

// rank puts the Patient first, since every other record finds its person by it, and last what
// takes labels or access from others: the original, a Binary, a Provenance.
func rank(r DeliveredResource) int {
	switch {
	case r.Type == "Patient":
		return 0
	case r.Type == "Provenance":
		return 4
	case r.Whole && r.Type == "Binary":
		return 6
	case r.Whole:
		return 5
	case r.Type == "Binary":
		return 3
	}
	return 1
}

func (w *arrival) sectionLabels(path string) Labels {
	for _, s := range w.delivery.Sections {
		if s.Path == path {
			return s.Labels
		}
	}
	return 0
}

// draft makes one draft, and the record it will be.
func (g *Gateway) draft(ctx context.Context, w *arrival, r DeliveredResource, added Labels) error {
	body, err := named(r, added)
	if err != nil {
		return err
	}
	var national NIN
	if r.Type == "Patient" {
		national = w.message.National
	}
	d, err := g.authored(ctx, w.sender, body, r.ID, added)
	if err != nil {
		return err
	}
	d.draft.National = national
	w.takeOver(d)
	for i, part := range d.draft.Parts {
		if part.Labels&^addressMask == Uklassifisert && added != 0 { // no rule knows it; the table knows what its section holds
			d.draft.Parts[i].Labels = added | part.Labels&addressMask
		}
	}
	w.drafts = append(w.drafts, d)
	w.records = append(w.records, Record{
		Reference: d.draft.Reference, Custodian: w.sender.party.ID, Person: w.facts.Person,
		Low: d.draft.Low, High: d.draft.High, Labels: d.draft.Labels | d.draft.Added, Added: d.draft.Added, Parts: d.draft.Parts,
		Context: d.draft.Context,
	})
	return nil
}

// takeOver gives a resource the labels of those of its message that it points at.
func (w *arrival) takeOver(d *written) {
	all, found := Labels(0), 0
	for _, p := range d.points {
		for _, r := range w.records {
			if r.Reference.Type == p.Type && r.Reference.ID == p.ID {
				all |= needs(r)
				found++
				break
			}
		}
		if p.Type == "Patient" && p.ID == w.patient.ID && w.known {
			all |= Samarbeid
			found++
		}
	}
	if found == 0 {
		return
	}
	if found == len(d.points) {
		d.draft.Labels &^= Uklassifisert
	}
	d.draft.Labels |= all | d.draft.Added
	d.points = nil
}

// authoredBytes is the size of a resource that Sluse itself writes, in bytes: a Binary keeps a document
// of 10 MiB as base64.
const authoredBytes = 16 << 20

// ParseAuthored reads a resource that is in the store already, or that Sluse itself has made of a
// message. It may be larger than what a client may write (fhir.Parse).
func ParseAuthored(body []byte) (*fhir.Resource, error) {
	return fhir.ParseLimits(body, fhir.Limits{Bytes: authoredBytes})
}

// named puts labels into the body of a resource without meta, behind its type, so that the rules see them as named by the
// custodian.
func named(r DeliveredResource, added Labels) ([]byte, error) {
	if added == 0 {
		return r.Body, nil
	}
	head := `{"resourceType":"` + string(r.Type) + `"`
	rest, ok := bytes.CutPrefix(r.Body, []byte(head))
	if !ok {
		return nil, Failed("gateway.draft", Invalid, errHead)
	}
	const perCode = len(`{"system":"","code":"uklassifisert"},`) + len(LabelSystem)
	codes := added.Codes()
	b := append(make([]byte, 0, len(r.Body)+64+perCode*len(codes)), head...)
	b = append(b, `,"meta":{"security":[`...)
	for i, code := range codes {
		if i > 0 {
			b = append(b, ',')
		}
		b = append(append(append(b, `{"system":"`+LabelSystem+`","code":"`...), code...), `"}`...)
	}
	return append(append(b, `]}`...), rest...), nil
}

var errHead = errors.New("the type of a mapped resource is not its first member")

// authored makes a draft of a resource that Sluse itself writes for a party: a new version of id.
func (g *Gateway) authored(ctx context.Context, who asked, body []byte, id fhir.ID, added Labels) (*written, error) {
	const op = "gateway.author"
	res, err := ParseAuthored(body)
	if err != nil {
		return nil, Failed(op, Invalid, err)
	}
	if issues := fhir.Validate(res); faulty(issues) {
		return nil, Fault(op, Invalid, issues...)
	}
	found, err := g.Labeller.Label(ctx, res)
	if err != nil {
		return nil, err
	}
	if isNotice(res) {
		found.Labels = Samarbeid | found.Added
	}
	ref, err := g.newReference(res.Type(), id)
	if err != nil {
		return nil, err
	}
	d := Draft{
		Reference: ref, Custodian: who.party.ID, Labels: found.Labels | added, Added: found.Added | added, Parts: found.Parts,
		Index: fhir.IndexAt(g.Notices.Base, res), Updated: g.Clock(), Method: Create, Actor: who.Actor,
	}
	d.Subject, _ = res.Subject()
	d.Low, d.High, _ = res.Date()
	if res.Type() == "Binary" {
		if c, err := fhir.ParseReference(res.Root().Get("securityContext", "reference").Text()); err == nil {
			d.Context = c
		}
	}
	w := &written{resource: res, draft: d, points: found.Points}
	w.markPlaces()
	return w, nil
}

// revise makes the next version of an own record from an edited body; who it was sent to stays.
func (g *Gateway) revise(ctx context.Context, tx Tx, who asked, p Permit, current Record, body []byte) error {
	w, err := g.authored(ctx, who, body, current.Reference.ID, current.Added)
	if err != nil {
		return err
	}
	if len(w.points) > 0 { // what it took over from others stays
		w.draft.Labels |= current.Labels
	}
	w.draft.Previous, w.draft.Sent, w.draft.Method = current.Reference.Version, current.Sent, Update
	if err := g.stamp(who, w); err != nil {
		return err
	}
	r, err := tx.Put(ctx, p, w.draft)
	if err != nil {
		return err
	}
	return g.bear(ctx, tx, current, r)
}

// needs is every label that must be covered before all of a record may leave, its parts included.
func needs(r Record) Labels {
	l := r.Labels
	for _, p := range r.Parts {
		l |= p.Labels
	}
	return l
}
