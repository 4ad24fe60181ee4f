package gateway

import (
	"context"
	"slices"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// reads are the interactions whose entries tell all that an explanation needs: who received, and what.
var reads = map[InteractionCode]Action{
	Read: ReadAction, VRead: ReadAction, History: ReadAction, HistoryType: ReadAction, HistorySystem: ReadAction,
	Find: ReadAction, FindSystem: ReadAction, Operate: ReadAction, Collect: MessageAction,
}

// fromEntry takes the question from a line of the ledger that the reader may see: who asked, for what
// purpose, when, by which rules, and about which records.
func (e *explaining) fromEntry(ctx context.Context, ref fhir.Reference) error {
	const op = "gateway.explain"
	facts, err := e.v.FactsOf(ctx, fhir.Reference{Type: "AuditEvent", ID: ref.ID})
	if err != nil {
		return err
	}
	p, err := e.Gateway.permit(ctx, e.who, Operate, Question{Action: ReadAction, Named: true, Facts: facts})
	if err != nil {
		return err
	}
	r, err := e.v.Read(ctx, p, fhir.Reference{Type: "AuditEvent", ID: ref.ID})
	if err == nil {
		err = p.checked(r)
	}
	if err != nil {
		if CodeOf(err) == NotFound {
			return absent(op)
		}
		return err
	}
	event, err := Release{body: r.Body}.parsed()
	if err != nil {
		return err
	}
	root := event.Root()
	action, known := reads[InteractionCode(root.Get("subtype").Items()[0].Get("code").Text())]
	if !known || facts.Person == 0 {
		return Fault(op, Invalid, fhir.Issue{Severity: "error", Type: "not-supported", Code: "explain.entry", Expression: "Parameters.parameter"})
	}
	e.facts, e.at, e.past = facts, r.Updated, true
	e.in.Operation.Inquiry.Action = action
	return e.agent(root)
}

// agent reads the event: its asker, its rules and its records.
func (e *explaining) agent(root *fhir.Value) error {
	const op = "gateway.explain"
	e.actor = Actor{Kind: Person, Attest: Attest{Each: true}}
	for _, c := range root.Get("contained").Items() {
		if c.Get("id").Text() != "agent" {
			continue
		}
		e.actor.Party = HERID(c.Get("organization", "identifier", "value").Text())
		e.actor.Practitioner = HPRNumber(c.Get("practitioner", "identifier", "value").Text())
		for _, code := range c.Get("code").Items() {
			e.actor.Role = code.Get("coding").Items()[0].Get("code").Text()
		}
		for _, unit := range c.Get("healthcareService").Items() {
			e.actor.Unit = HERID(unit.Get("identifier", "value").Text())
		}
	}
	for _, why := range root.Get("purposeOfEvent").Items() {
		e.actor.Purpose = Purpose(why.Get("coding").Items()[0].Get("code").Text())
	}
	for _, x := range root.Get("extension").Items() {
		if strings.HasSuffix(x.Get("url").Text(), "/policy") {
			e.then = x.Get("valueString").Text()
		}
	}
	var ok bool
	if e.party, ok = e.dir.Party(e.actor.Party); !ok {
		return absent(op)
	}
	if e.who.Kind == Person && e.party.ID != e.who.party.ID {
		e.view = viewCustodian
	}
	if e.actor.Purpose == BreakTheGlass {
		e.actor.Reason, e.actor.Attest = "$explain", Attest{NIN: e.who.Self}
	}
	released := root.Get("outcome").Text() == "0"
	for _, entity := range root.Get("entity").Items() {
		ref, err := fhir.ParseReference(entity.Get("what", "reference").Text())
		if err != nil || !isRecordType(ref.Type) {
			continue
		}
		e.only = append(e.only, ref)
		e.touched = append(e.touched, e.given(entity, ref, released))
	}
	return nil
}

// given is what the ledger itself says of a record: that it left, from whom, and on what basis.
func (e *explaining) given(entity *fhir.Value, ref fhir.Reference, released bool) Judgement {
	v := Judgement{Record: ref, Type: ref.Type, Count: 1, Released: released, Ground: GroundUncovered}
	if released {
		v.Ground = GroundOwn
	}
	for _, x := range entity.Get("extension").Items() {
		switch {
		case strings.HasSuffix(x.Get("url").Text(), "/custodian"):
			v.Custodian = HERID(x.Get("valueReference", "identifier", "value").Text())
		case strings.HasSuffix(x.Get("url").Text(), "/rettsgrunnlag"):
			v.Ground = GroundConsent
		}
	}
	if released && v.Ground == GroundConsent && e.actor.Purpose == BreakTheGlass {
		v.Ground = GroundEmergency
	}
	if released && v.Ground == GroundOwn && v.Custodian != "" && v.Custodian != e.actor.Party {
		v.Ground = GroundFetched // what crosses without a consent is in the receiver's own journal
	}
	return v
}

// heldThen lists the records of an entry as they were, as far as the reader knows of them.
func (e *explaining) heldThen(ctx context.Context) ([]Record, error) {
	var all []Record
	seen := make(map[fhir.Reference]bool, len(e.only))
	for _, ref := range e.only {
		bare := fhir.Reference{Type: ref.Type, ID: ref.ID}
		if seen[bare] {
			continue
		}
		seen[bare] = true
		list, err := e.v.Held(ctx, e.permit, Holding{
			Person: e.facts.Person, Types: []fhir.Type{ref.Type}, Only: ref.ID, At: e.at.Truncate(time.Microsecond), Limit: 1,
		})
		if err != nil {
			return nil, err
		}
		all = append(all, list...)
	}
	if only := e.in.Operation.Inquiry.Record; only.ID != "" {
		all = slices.DeleteFunc(all, func(r Record) bool { return r.Reference.Type != only.Type || r.Reference.ID != only.ID })
	}
	return all, nil
}
