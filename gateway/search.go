package gateway

import (
	"context"
	"slices"

	"github.com/sluse/sluse/gateway/fhir"
)

// search performs search-type. The Scope is part of the SQL, so that what is hidden is neither
// found, nor counted, nor a place in the order; afterwards every row is decided anew in Go.
func (g *Gateway) search(ctx context.Context, a Actor, in Interaction) (Outcome, error) {
	var seen looked
	err := g.Store.Snapshot(ctx, func(v View) (err error) {
		seen, err = g.searchAt(ctx, v, a, in)
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	if !IsDirectory(in.Target.Type) || throughRecords(in.Search) {
		if err := g.record(ctx, seen.entries, seen.fetched); err != nil {
			return Outcome{}, err
		}
	}
	return seen.out, nil
}

// searchAt searches on one snapshot.
func (g *Gateway) searchAt(ctx context.Context, v View, a Actor, in Interaction) (looked, error) {
	who, err := g.resolve(ctx, v, a)
	if err != nil {
		return looked{}, err
	}
	found, err := g.find(ctx, v, who, in)
	if err != nil {
		return looked{}, err
	}
	page := newPage("searchset", in.Search)
	page.outcome = !IsDirectory(in.Target.Type) || found.wide
	page.total, page.counted = found.total, found.counted
	page.shown = showing(in.Search)
	if page.withheld, err = g.withheldEntries(who, in.Target.Type); err != nil {
		return looked{}, err
	}
	if len(found.rows) > in.Search.Count {
		found.rows = found.rows[:in.Search.Count]
		if page.next, err = g.seal(g.following(found, in.Search), found.bound); err != nil {
			return looked{}, err
		}
	}
	permits, err := g.permitsOf(ctx, v, who, in.Code, found)
	if err != nil {
		return looked{}, err
	}
	inclusion := newInclusion(g.Notices.Base, in.Search.Includes)
	page.keep = inclusion.keep
	rows, err := g.releaseRows(who, in.Code, found.rows, permits, page)
	if err != nil {
		return looked{}, err
	}
	if err := g.include(ctx, v, who, in, found, inclusion, &rows, page); err != nil {
		return looked{}, err
	}
	err = g.asQuestion(who, in, &rows)
	return looked{out: page.told(), entries: rows.entries, fetched: rows.fetched}, err
}

// asQuestion puts the search itself into the ledger. It stands beside releases of the asker's own
// records, or else in an entry of its own: a custodian reads what left of its records, not what
// else was asked for.
func (g *Gateway) asQuestion(who asked, in Interaction, rows *released) error {
	told := false
	for i := range rows.entries {
		e := &rows.entries[i]
		if in.Target.Type != "" {
			e.Type = in.Target.Type
		}
		if e.Entities[0].Custodian == who.party.ID && !in.Search.Subject.IsZero() { // else she would read of others in it
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
	permit  Permit
	named   bool // a patient was named: the permit holds for every row
	wide    bool // records were looked at, whatever type was found
	rows    []Record
	bound   []byte // what the token of the next page is bound to
	after   Cursor
	total   int
	counted bool
}

// following is the place of the last row of the page. What changes after the first page was given
// keeps its place on the pages that follow.
func (g *Gateway) following(f found, s Search) Cursor {
	last := f.rows[s.Count-1]
	if !last.Place.Set { // the ledger, which is only added to
		if s.Sort.Param == "_lastUpdated" {
			return last.at()
		}
		return Cursor{At: last.Low, Key: last.Key, Set: true}
	}
	c := last.Place
	if c.Since = f.after.Since; !f.after.Set {
		c.Since = g.Clock()
		for _, r := range f.rows { // the clock of who wrote may be ahead of ours
			if r.Updated.After(c.Since) {
				c.Since = r.Updated
			}
		}
	}
	return c
}

func (g *Gateway) find(ctx context.Context, v View, who asked, in Interaction) (found, error) {
	s := in.Search
	f := found{bound: binding(who.Actor, s.Canonical, g.Decider.Revision())}
	var err error
	if f.after, err = g.unseal(s.Page, f.bound); err != nil {
		return found{}, err
	}
	if s.Types != nil {
		return g.findIn(ctx, v, who, in, f)
	}
	person, err := g.reach(ctx, v, who, in.Code, in.Target.Type, &s, &f)
	if err != nil {
		return found{}, err
	}
	if s.Count > 0 && s.Summary != fhir.SummaryCount {
		if f.rows, err = v.Search(ctx, f.permit, in.Target.Type, s, person, s.Count+1, f.after); err != nil {
			return found{}, err
		}
	}
	if limit, ok := totalOf(s); ok {
		f.counted = true
		f.total, err = v.Total(ctx, f.permit, in.Target.Type, s, person, limit)
	}
	return f, err
}

// reach settles the permit of a search in one type, and the person that it is about.
func (g *Gateway) reach(ctx context.Context, v View, who asked, code InteractionCode, t fhir.Type, s *Search, f *found) (person PersonID, err error) {
	f.wide = f.wide || !IsDirectory(t) || throughRecords(*s)
	switch {
	case IsDirectory(t) && !throughRecords(*s):
		f.permit, f.named = directoryPermit(who, code), true
	case s.Subject.IsZero():
		f.permit, err = g.permit(ctx, who, code, Question{Action: ReadAction})
	default:
		f.named = true
		f.permit, person, err = g.about(ctx, v, who, code, t, s)
	}
	f.named = f.named || t == "AuditEvent" // the ledger has a scope of its own
	return person, err
}

// throughRecords tells whether a search goes over or brings along what is under taushetsplikt.
func throughRecords(s Search) bool {
	for _, c := range s.Criteria {
		if len(c.Lists) > 0 {
			return true
		}
		for _, w := range c.Ways {
			if slices.ContainsFunc(w.Hops, func(h fhir.Hop) bool { return !IsDirectory(h.To) }) {
				return true
			}
		}
	}
	return len(s.Includes) > 0
}

// estimated is how far an estimate counts: exact up to it, and one more beyond.
const estimated = 1000

// totalOf tells whether a total is asked for, and how far to count. The planner's estimates are not
// used: they count what is hidden.
func totalOf(s Search) (limit int, asked bool) {
	switch {
	case s.Total == fhir.TotalAccurate, s.Summary == fhir.SummaryCount, s.Count == 0 && s.Total == fhir.TotalUnasked:
		return 0, true
	case s.Total == fhir.TotalEstimate:
		return estimated + 1, true
	}
	return 0, false
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
	if s.Compartment {
		c, ok := fhir.InCompartment(t, s.Subject.Patient.ID)
		switch {
		case t == "Patient": // she herself
			c.Ways = []fhir.Way{{From: t, Param: fhir.SearchParameterOf(t, "_id")}}
		case !ok:
			return p, nobody, nil
		}
		s.Criteria = append(slices.Clone(s.Criteria), c)
		return p, 0, nil
	}
	*s, err = byPatient(t, *s)
	return p, 0, err
}

// byPatient asks for what names the Patient literally.
func byPatient(t fhir.Type, s Search) (Search, error) {
	param := subjectParam(t)
	if param == nil {
		return Search{}, Fault("gateway.search", BadQuery, fhir.Issue{
			Severity: "error", Type: "not-supported", Code: "search.parameter-unknown", Expression: "patient", Args: []string{string(t), "–"},
		})
	}
	s.Criteria = append(slices.Clone(s.Criteria), criterion(param, fhir.Operand{Reference: s.Subject.Patient}))
	return s, nil
}

func subjectParam(t fhir.Type) *fhir.SearchParameter {
	for _, name := range []string{"patient", "subject"} {
		if p := fhir.SearchParameterOf(t, name); p != nil && p.MayTarget("Patient") {
			return p
		}
	}
	return nil
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
	page.grow(rows)
	var cited []Citation
	for n := range rows {
		r := &rows[n]
		p := permitOf(*r)
		covered, err := p.recomputed(r)
		if err != nil {
			return released{}, err
		}
		withheld, err := page.lay(&p, r, covered)
		if err != nil {
			return released{}, err
		}
		if IsDirectory(r.Reference.Type) { // its reads are not recorded
			continue
		}
		of := line{person: r.Person, custodian: holder(r)}
		i, ok := at[of]
		if !ok {
			entry, err := g.entry(who, code, Released, r.Person)
			if err != nil {
				return released{}, err
			}
			entry.Type = r.Reference.Type
			entry.Entities = make([]AuditEntity, 0, min(len(rows)-n, 128))
			i = len(out.entries)
			at[of], out.entries = i, append(out.entries, entry)
		}
		entities := &out.entries[i].Entities
		cited = p.cites(r, cited[:0])
		*entities = append(*entities, AuditEntity{
			Record: r.Reference, Custodian: holder(r), Citations: sameCitations(*entities, cited), Withheld: withheld,
		})
		if f, ok := p.fetches(r); ok {
			out.fetched = append(out.fetched, f)
		}
	}
	return out, nil
}

// sameCitations keeps a list that is used again. Most rows of a page stand on what the row before stands on.
func sameCitations(before []AuditEntity, cited []Citation) []Citation {
	if n := len(before); n > 0 && slices.Equal(before[n-1].Citations, cited) {
		return before[n-1].Citations
	}
	return append([]Citation(nil), cited...)
}
