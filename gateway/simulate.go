package gateway

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strconv"

	"github.com/sluse/sluse/gateway/fhir"
)

// simulateAt answers $simulate: what a draft of a Consent would release, to whom, of what is there about
// the patient now. It is translated by the Normalizer and decided by the Decider, as if it were active;
// nothing is stored. Of other custodians' records a registering party learns what the draft alone would
// do: what else is granted there is not its to know.
func (g *Gateway) simulateAt(ctx context.Context, v View, who asked, in Interaction) (looked, error) {
	const op = "gateway.simulate"
	if who.Kind != Person && who.Kind != Patient {
		return g.refusedAt(who, in, 0, forbidden(op, "simulate.actor"))
	}
	s, err := g.newSimulation(ctx, v, who, in)
	if err != nil {
		return g.refusedExplaining(who, in, err)
	}
	var list []parameter
	gained := 0
	for _, r := range s.recipients() {
		p, new, err := s.recipient(ctx, r)
		if err != nil {
			return looked{}, err
		}
		list, gained = append(list, p), gained+new
	}
	lang := in.Operation.Language
	text := phrases["simulated"].in(lang, strconv.Itoa(len(list)), strconv.Itoa(len(s.records)), strconv.Itoa(gained))
	said := []parameter{{Name: "text", String: text}}
	if in.Operation.Outcome != nil {
		if len(s.issues) == 0 {
			s.issues = []fhir.Issue{{Severity: fhir.SeverityInformation, Type: fhir.IssueInformational, Code: fhir.CodeAllOK}}
		}
		said = append(said, parameter{Name: "outcome", Resource: in.Operation.Outcome(s.issues)})
	}
	body, err := parametersOf(append(said, list...))
	if err != nil {
		return looked{}, err
	}
	entry, err := g.entry(who, Operate, Released, s.facts.Person)
	if err != nil {
		return looked{}, err
	}
	entry.Type, entry.Query = "Consent", in.Search.Canonical
	others, err := s.touched()
	return looked{out: Outcome{Release: Release{body: body}}, entries: append(others, entry)}, err
}

// simulation is one $simulate on its way.
type simulation struct {
	*explaining
	draft   []Grant // what the draft grants
	before  []Grant // what is granted already, as far as the reader may know, without what the draft replaces
	now     []Grant // before, with what the draft replaces
	records []Record
	issues  []fhir.Issue
	listed  map[fhir.Reference]bool // records that the answer names
}

// newSimulation translates the draft and gathers the patient's records that the reader may know of.
func (g *Gateway) newSimulation(ctx context.Context, v View, who asked, in Interaction) (*simulation, error) {
	const op = "gateway.simulate"
	dir, err := v.Directory(ctx)
	if err != nil {
		return nil, Failed(op, Unavailable, err)
	}
	e := &explaining{Gateway: g, v: v, in: in, who: who, dir: dir, actor: who.Actor, party: who.party, at: g.Clock(), view: viewCustodian}
	e.parties = []HERID{who.party.ID}
	if who.Kind == Patient {
		e.view = viewPatient
	}
	s := &simulation{explaining: e, listed: make(map[fhir.Reference]bool)}
	c := &check{Gateway: g, view: v, who: who, dir: dir, in: in}
	active, err := activated(in.Body)
	if err != nil {
		return nil, err
	}
	c.issues = fhir.Check(active, fhir.Options{})
	if !faulty(c.issues) {
		if err = c.consent(ctx, active); err != nil {
			return nil, err
		}
		s.draft = c.grants
	}
	if faulty(c.issues) {
		return nil, Fault(op, Invalid, c.issues...)
	}
	s.issues = c.issues
	subject, _ := in.Body.Subject()
	if e.facts, _, err = v.FactsAbout(ctx, who.party.ID, Subject{Patient: subject}); err != nil {
		return nil, err
	}
	if err := e.inForce(ctx); err != nil {
		return nil, err
	}
	s.now = e.grants
	s.before = slices.DeleteFunc(slices.Clone(e.grants), func(g Grant) bool { return g.Consent.ID == s.replaced(ctx) })
	s.records, err = s.known(ctx)
	return s, err
}

// activated is the draft as it would be once it is signed.
func activated(draft *fhir.Resource) (*fhir.Resource, error) {
	if draft.Root().Get("status").Text() == "active" {
		return draft, nil
	}
	body, err := withStatus(draft.Root().Raw(), `"active"`)
	if err != nil {
		return nil, err
	}
	res, err := fhir.Parse(body)
	if err != nil {
		var known *fhir.Error
		if errors.As(err, &known) {
			return nil, Fault("gateway.simulate", Malformed, known.Issues...)
		}
		return nil, Failed("gateway.simulate", Malformed, err)
	}
	return res, nil
}

// replaced is the id of the own Consent that the draft would be a new version of; "" when it is new. An id
// that is another's, or nobody's, replaces nothing.
func (s *simulation) replaced(ctx context.Context) fhir.ID {
	id := s.in.Body.ID()
	if id == "" {
		return "-"
	}
	r, err := s.v.Read(ctx, s.permit, fhir.Reference{Type: "Consent", ID: id})
	if err != nil || r.Deleted || !s.permit.Scope().owns(r) {
		return "-"
	}
	return id
}

// known lists the records: all of hers for the patient, for a registering party its own and what is
// released to it.
func (s *simulation) known(ctx context.Context) ([]Record, error) {
	list, err := s.v.Held(ctx, s.permit, Holding{Person: s.facts.Person, Types: s.in.Operation.Types, Limit: maxHeld + 1})
	if err != nil {
		return nil, err
	}
	if len(list) > maxHeld {
		return nil, Fault("gateway.simulate", TooCostly)
	}
	for _, r := range list {
		if s.permit.Scope().Ledger.knows(r) {
			continue
		}
		if err := s.permit.checked(r); err != nil {
			return nil, err
		}
	}
	return list, nil
}

// recipients are those whom the permits of the draft name, with each purpose and use that they name.
func (s *simulation) recipients() (list []Question) {
	seen := make(map[Actor]map[Action]bool)
	for i := range s.draft {
		g := &s.draft[i]
		if g.Effect != Allow {
			continue
		}
		for _, k := range g.Recipients.Of {
			a, ok := s.Decider.Bearer(k)
			if !ok {
				continue
			}
			for _, a.Purpose = range purposesOf(g) {
				for _, action := range []Action{ReadAction, MessageAction} {
					if !g.Actions.Has(action) || seen[a][action] {
						continue
					}
					if seen[a] == nil {
						seen[a] = make(map[Action]bool)
					}
					seen[a][action] = true
					list = append(list, s.asking(a, action))
				}
			}
		}
	}
	slices.SortStableFunc(list, func(a, b Question) int {
		return cmp.Or(cmp.Compare(a.Actor.Party, b.Actor.Party), cmp.Compare(a.Actor.Unit, b.Actor.Unit),
			cmp.Compare(a.Actor.Practitioner, b.Actor.Practitioner), cmp.Compare(a.Actor.Role, b.Actor.Role),
			cmp.Compare(a.Actor.Purpose, b.Actor.Purpose), cmp.Compare(b.Action, a.Action))
	})
	return list
}

// purposesOf lists the purposes of a grant; treatment where it names none.
func purposesOf(g *Grant) []Purpose {
	if g.Purposes.Any {
		return []Purpose{Treat}
	}
	return g.Purposes.Of
}

// asking is the question of a recipient, in the middle of what the draft lets it do.
func (s *simulation) asking(a Actor, action Action) Question {
	party, _ := s.dir.Party(a.Party)
	q := Question{Actor: a, Party: party, Parts: party.Above, Action: action, Named: true, Facts: s.facts, Now: s.at, Hjemler: hjemlerOf(s.dir)}
	q.Facts.Grants = nil
	if s.view != viewPatient {
		q.Facts.Shield = NoShield // as in an explanation
	}
	for i := range s.draft { // a draft that begins later is tried when it has begun
		if g := &s.draft[i]; g.Effect == Allow && g.Start.After(q.Now) && s.Decider.Addresses(q, g) {
			q.Now = g.Start
		}
	}
	return q
}

// recipient tells what one recipient would get, and how many records it gets anew.
func (s *simulation) recipient(ctx context.Context, q Question) (parameter, int, error) {
	after, err := s.supposed(ctx, q, append(slices.Clone(s.before), s.draft...))
	if err != nil {
		return parameter{}, 0, err
	}
	already, err := s.supposed(ctx, q, s.now)
	if err != nil {
		return parameter{}, 0, err
	}
	lang := s.in.Operation.Language
	p := s.named(q)
	var released, withheld []Judgement
	var labels Labels
	var records []parameter
	fresh := 0
	for _, r := range s.records {
		if r.Custodian == q.Party.ID { // its own
			continue
		}
		j := judgement(after, r, false)
		if !j.Released {
			withheld = append(withheld, j)
			continue
		}
		_, had := already.Releases(r)
		if !had {
			fresh++
		}
		released, labels = append(released, j), labels|r.Labels
		if _, sees := s.permit.Scope().Releases(r); sees || s.view == viewPatient {
			gained := !had
			s.listed[r.Reference] = true
			records = append(records, parameter{Name: "record", Part: []parameter{
				{Name: "reference", Reference: &valueReference{Reference: r.Reference.String()}}, {Name: "new", Boolean: &gained},
			}})
		}
	}
	text := phrases["gains"].in(lang, q.Party.Name, strconv.Itoa(len(released)), strconv.Itoa(len(released)+len(withheld)), strconv.Itoa(fresh))
	p.Part = append(p.Part, parameter{Name: "text", String: text})
	p.Part = append(p.Part, labelParameters("label", labels, lang)...)
	p.Part = append(p.Part, records...)
	for _, j := range counted(released) {
		p.Part = append(p.Part, s.judged("released", j, lang))
	}
	for _, j := range counted(withheld) {
		p.Part = append(p.Part, s.judged("withheld", j, lang))
	}
	return p, fresh, nil
}

func (s *simulation) judged(name string, j Judgement, lang Language) parameter {
	p := s.judgementParameter(j, lang)
	p.Name = name
	return p
}

// named names a recipient as the draft does.
func (s *simulation) named(q Question) parameter {
	p := parameter{Name: "recipient", Part: []parameter{s.partyParameter("receiver", q.Party.ID)}}
	for _, one := range []struct{ name, value string }{
		{"unit", string(q.Actor.Unit)}, {"practitioner", string(q.Actor.Practitioner)}, {"role", q.Actor.Role},
	} {
		if one.value != "" {
			p.Part = append(p.Part, parameter{Name: one.name, String: one.value})
		}
	}
	return parameter{Name: p.Name, Part: append(p.Part,
		parameter{Name: "action", Code: string(q.Action)}, parameter{Name: "purpose", Code: string(q.Actor.Purpose)})}
}

// touched are the lines of the ledger for the custodians of others' records that were named, each its own.
func (s *simulation) touched() (list []AuditEntry, err error) {
	at := make(map[HERID]int)
	for _, r := range s.records {
		if r.Custodian == s.who.party.ID || !s.listed[r.Reference] {
			continue
		}
		i, ok := at[r.Custodian]
		if !ok {
			e, err := s.entry(s.who, Operate, Released, s.facts.Person)
			if err != nil {
				return nil, err
			}
			e.Type, i = "Consent", len(list)
			at[r.Custodian], list = i, append(list, e)
		}
		list[i].Entities = append(list[i].Entities, AuditEntity{Record: r.Reference, Custodian: r.Custodian, Citations: s.permit.citations(r)})
	}
	return list, nil
}
