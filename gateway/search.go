package gateway

import (
	"context"
	"slices"

	"github.com/sluse/sluse/gateway/fhir"
)

// search performs search-type. The Scope is part of the SQL, so that what is hidden is neither
// found, nor counted, nor a place in the order; afterwards every row is decided anew in Go.
func (g *Gateway) search(ctx context.Context, a Actor, in Interaction) (Outcome, error) {
	var (
		out  Outcome
		rows released
	)
	err := g.Store.Snapshot(ctx, func(v View) error {
		who, err := g.resolve(ctx, v, a)
		if err != nil {
			return err
		}
		found, err := g.find(ctx, v, who, in)
		if err != nil {
			return err
		}
		page := newPage("searchset", in.Search)
		page.outcome = !IsDirectory(in.Target.Type)
		if len(found.rows) > in.Search.Count {
			found.rows = found.rows[:in.Search.Count]
			if page.next, err = g.seal(found.cursor(in.Search), found.bound); err != nil {
				return err
			}
		}
		permits, err := g.permitsOf(ctx, v, who, in.Code, found)
		if err != nil {
			return err
		}
		if rows, err = g.releaseRows(who, in.Code, found.rows, permits, page); err != nil {
			return err
		}
		out = Outcome{Release: Release{body: page.bytes()}}
		return g.asQuestion(who, in, &rows)
	})
	if err != nil {
		return Outcome{}, err
	}
	if !IsDirectory(in.Target.Type) {
		if err := g.record(ctx, rows.entries, rows.fetched); err != nil {
			return Outcome{}, err
		}
	}
	return out, nil
}

// asQuestion puts the search itself into the ledger. It stands beside releases of the asker's own
// records, or else in an entry of its own: a custodian reads what left of its records, not what
// else was asked for.
func (g *Gateway) asQuestion(who asked, in Interaction, rows *released) error {
	told := false
	for i := range rows.entries {
		e := &rows.entries[i]
		e.Type = in.Target.Type
		if e.Entities[0].Custodian == who.party.ID {
			e.Query, told = in.Search.Canonical, true
		}
	}
	if told {
		return nil
	}
	e, err := g.entry(who, in.Code, Released, 0)
	e.Type, e.Query = in.Target.Type, in.Search.Canonical
	rows.entries = append(rows.entries, e)
	return err
}

// found is what the store gave for a search, and the permit it gave it for.
type found struct {
	permit Permit
	named  bool // a patient was named: the permit holds for every row
	rows   []Record
	bound  []byte // what the token of the next page is bound to
}

func (f found) cursor(s Search) Cursor {
	last := f.rows[len(f.rows)-1]
	c := Cursor{At: last.Low, Key: last.Key, Set: true}
	if s.Sort.Param == "_lastUpdated" {
		c.At = last.Updated
	}
	return c
}

func (g *Gateway) find(ctx context.Context, v View, who asked, in Interaction) (found, error) {
	s := in.Search
	f := found{bound: binding(who.Actor, s.Canonical, g.Decider.Revision())}
	after, err := g.unseal(s.Page, f.bound)
	if err != nil {
		return found{}, err
	}
	var person PersonID
	switch {
	case IsDirectory(in.Target.Type):
		f.permit, f.named = directoryPermit(who, in.Code), true
	case s.Subject.IsZero():
		f.permit, err = g.permit(ctx, who, in.Code, Question{Action: ReadAction})
	default:
		f.named = true
		f.permit, person, err = g.about(ctx, v, who, in.Code, in.Target.Type, &s)
	}
	if err != nil {
		return found{}, err
	}
	f.named = f.named || in.Target.Type == "AuditEvent" // the ledger has a scope of its own
	f.rows, err = v.Search(ctx, f.permit, in.Target.Type, s, person, s.Count+1, after)
	return f, err
}

// about asks about a named patient. The requester's own Patient stands for the whole person;
// another's Patient id finds what names it.
func (g *Gateway) about(ctx context.Context, v View, who asked, code InteractionCode, t fhir.Type, s *Search) (Permit, PersonID, error) {
	facts, own, err := v.FactsAbout(ctx, who.party.ID, s.Subject)
	if err != nil {
		return Permit{}, 0, err
	}
	p, err := g.permit(ctx, who, code, Question{Action: ReadAction, Named: true, Facts: facts})
	if err != nil {
		return Permit{}, 0, err
	}
	if own || !s.Subject.NIN.IsZero() {
		if facts.Person == 0 {
			return p, nobody, nil
		}
		return p, facts.Person, nil
	}
	param, ok := subjectParam(t)
	if !ok {
		return Permit{}, 0, Fault("gateway.search", BadQuery,
			fhir.Issue{Severity: "error", Type: "not-supported", Code: "search.parameter-unknown", Expression: "patient"})
	}
	s.Conditions = append(slices.Clone(s.Conditions), Condition{
		Param: param, Values: []Operand{{Reference: s.Subject.Patient}},
	})
	return p, 0, nil
}

func subjectParam(t fhir.Type) (fhir.SearchParam, bool) {
	for _, name := range []string{"patient", "subject"} {
		if p, ok := fhir.SearchParamOf(t, name); ok {
			return p, true
		}
	}
	return fhir.SearchParam{}, false
}

// permitsOf gives each row the permit that decides it. Where no patient was named, each person on
// the page is decided by herself, on her own facts.
func (g *Gateway) permitsOf(ctx context.Context, v View, who asked, code InteractionCode, f found) (func(Record) Permit, error) {
	if f.named {
		return func(Record) Permit { return f.permit }, nil
	}
	persons := make([]PersonID, 0, len(f.rows))
	for _, r := range f.rows {
		if r.Person != 0 && !slices.Contains(persons, r.Person) {
			persons = append(persons, r.Person)
		}
	}
	facts, err := v.FactsFor(ctx, persons)
	if err != nil {
		return nil, err
	}
	permits := make(map[PersonID]Permit, len(facts))
	for _, fact := range facts {
		p, err := g.permit(ctx, who, code, Question{Action: ReadAction, Named: true, Facts: fact})
		if err != nil {
			return nil, err
		}
		permits[fact.Person] = p
	}
	return func(r Record) Permit {
		if p, ok := permits[r.Person]; ok {
			return p
		}
		return f.permit // no person: own records only, which the scope of the search says too
	}, nil
}

// released is what a page of rows became: one ledger entry per patient and custodian, since a
// custodian reads the entries about its own records and must not learn of another's there.
type released struct {
	entries []AuditEntry
	fetched []FetchedVersion
}

// releaseRows checks every row against its own permit, adds its bytes to the page, and writes
// one entry per patient and custodian.
func (g *Gateway) releaseRows(who asked, code InteractionCode, rows []Record, permitOf func(Record) Permit, page *page) (released, error) {
	var out released
	type line struct {
		person    PersonID
		custodian HERID
	}
	at := make(map[line]int)
	for _, r := range rows {
		p := permitOf(r)
		if err := p.checked(r); err != nil {
			return released{}, err
		}
		body, withheld, err := g.bodyOf(p, r)
		if err != nil {
			return released{}, err
		}
		page.add(r, body)
		of := line{person: r.Person, custodian: holder(r)}
		i, ok := at[of]
		if !ok {
			entry, err := g.entry(who, code, Released, r.Person)
			if err != nil {
				return released{}, err
			}
			entry.Type = r.Reference.Type
			i = len(out.entries)
			at[of], out.entries = i, append(out.entries, entry)
		}
		out.entries[i].Entities = append(out.entries[i].Entities, AuditEntity{
			Record: r.Reference, Custodian: holder(r), Citations: p.citations(r), Withheld: withheld,
		})
		if f, ok := p.fetched(r); ok {
			out.fetched = append(out.fetched, f)
		}
	}
	return out, nil
}

func (g *Gateway) bodyOf(p Permit, r Record) ([]byte, Labels, error) {
	if r.Deleted {
		return nil, 0, nil
	}
	return p.release(r)
}
