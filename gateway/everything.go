package gateway

import (
	"cmp"
	"context"
	"slices"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

const (
	chunk        = 16     // rows of one type fetched at a time
	maxScanned   = 10_000 // rows looked at for one page
	maxAlongside = 100    // directory resources on a page
)

// everythingAt gives a page of all that the actor may see about one patient, newest first (R4
// patient-operation-everything.html). The requester's own Patient stands for the whole person;
// another's Patient id finds what names it. What is hidden is neither found nor a place in the order.
func (g *Gateway) everythingAt(ctx context.Context, v View, who asked, in Interaction) (looked, error) {
	const op = "gateway.everything"
	subject := Subject{Patient: in.Target}
	if in.Target.ID == "" {
		if who.Kind != Patient {
			return g.refusedAt(who, in, 0, forbidden(op, "operation-patient-only"))
		}
		subject = Subject{NIN: who.Self}
	}
	bound := binding(who.Actor, in.Search.Canonical, g.Decider.Revision())
	after, err := g.unseal(in.Search.Page, bound)
	if err != nil {
		return looked{}, err
	}
	facts, own, err := v.FactsAbout(ctx, who.party.ID, subject)
	if err != nil {
		return looked{}, err
	}
	p, err := g.permit(ctx, who, Operate, Question{Action: ReadAction, Named: true, Facts: facts})
	if err != nil {
		return looked{}, err
	}
	s := about{subject: subject, person: facts.Person, whole: own || in.Target.ID == ""}
	if s.whole && s.person == 0 {
		s.person = nobody
	}
	rows, err := s.page(ctx, v, p, in, after)
	if err != nil {
		return looked{}, err
	}
	if len(rows) == 0 && !after.Set && in.Target.ID != "" {
		if refusal := g.unknownPatient(ctx, v, p, in.Target); refusal != nil {
			return g.refusedAt(who, in, facts.Person, refusal)
		}
	}
	return g.everythingPage(ctx, v, who, in, found{permit: p, rows: rows, bound: bound, after: after})
}

// unknownPatient tells whether an empty answer is about a Patient that the actor cannot read: one
// answer for what is hidden and for what is not there.
func (g *Gateway) unknownPatient(ctx context.Context, v View, p Permit, patient fhir.Reference) *Error {
	r, err := v.Read(ctx, p, patient)
	switch {
	case CodeOf(err) == NotFound:
		return absent("gateway.everything")
	case err != nil:
		return Failed("gateway.everything", CodeOf(err), err)
	case r.Deleted:
		return Fault("gateway.everything", Gone, fhir.Issue{Severity: "error", Type: "deleted", Code: "gone"})
	}
	return nil
}

// everythingPage releases the rows, with what they name of the directory beside them.
func (g *Gateway) everythingPage(ctx context.Context, v View, who asked, in Interaction, f found) (looked, error) {
	page := newPage("searchset", in.Search)
	page.outcome = true
	withheld, err := g.withheldEntries(who, "")
	if err != nil {
		return looked{}, err
	}
	page.withheld = withheld
	if len(f.rows) > in.Search.Count {
		f.rows = f.rows[:in.Search.Count]
		var err error
		if page.next, err = g.seal(g.following(f, in.Search), f.bound); err != nil {
			return looked{}, err
		}
	}
	done, err := g.releaseRows(who, Operate, f.rows, func(Record) Permit { return f.permit }, page)
	if err != nil {
		return looked{}, err
	}
	if err := g.asQuestion(who, Interaction{Code: Operate, Target: in.Target, Search: in.Search}, &done); err != nil {
		return looked{}, err
	}
	bodies, err := page.bodies()
	if err != nil {
		return looked{}, err
	}
	beside, err := g.alongside(ctx, v, who, bodies, in.Operation.Types)
	if err != nil {
		return looked{}, err
	}
	for _, r := range beside {
		page.include(r, r.Body)
	}
	return looked{out: page.told(), entries: done.entries, fetched: done.fetched}, nil
}

// about is whose records are collected.
type about struct {
	subject Subject
	person  PersonID
	whole   bool // of the whole person; otherwise what names the Patient
}

// page collects one row more than the page holds.
func (s about) page(ctx context.Context, v View, p Permit, in Interaction, after Cursor) ([]Record, error) {
	merged := stream{after: after, search: func(t fhir.Type, limit int, after Cursor) ([]Record, error) {
		search, person, ok := s.searchIn(t)
		if !ok {
			return nil, nil
		}
		return v.Search(ctx, p, t, search, person, limit, after)
	}}
	for _, t := range in.Operation.Types {
		if !IsDirectory(t) {
			merged.heads = append(merged.heads, head{kind: t, after: after})
		}
	}
	o := in.Operation
	var rows []Record
	for range maxScanned {
		r, ok, err := merged.next()
		if err != nil {
			return nil, err
		}
		if !ok || r.at().At.Before(o.Since) || len(rows) > in.Search.Count {
			return rows, nil
		}
		if within(r, o.Low, o.High) {
			rows = append(rows, r)
		}
	}
	return nil, Fault("gateway.everything", TooCostly)
}

// searchIn is the search of one type, the newest version first.
func (s about) searchIn(t fhir.Type) (Search, PersonID, bool) {
	search := Search{Sort: Sort{Param: "_lastUpdated", Descending: true}}
	if s.whole {
		return search, s.person, true
	}
	search.Subject = s.subject
	if t == "Patient" {
		return identified(search, t, s.subject.Patient.ID), 0, true
	}
	search, err := byPatient(t, search)
	return search, 0, err == nil
}

// identified asks for resources by their ids.
func identified(s Search, t fhir.Type, ids ...fhir.ID) Search {
	values := make([]fhir.Operand, 0, len(ids))
	for _, id := range ids {
		values = append(values, fhir.Operand{Code: string(id), AnySystem: true})
	}
	s.Criteria = append(slices.Clone(s.Criteria), criterion(fhir.SearchParameterOf(t, "_id"), values...))
	return s
}

// criterion asks for any of the values of a parameter of a type.
func criterion(p *fhir.SearchParameter, values ...fhir.Operand) fhir.Criterion {
	return fhir.Criterion{Name: p.Name, Ways: []fhir.Way{{From: p.Base, Param: p}}, Values: values}
}

// within tells whether a record belongs to a stretch of time. What has no date belongs to every one.
func within(r Record, low, high time.Time) bool {
	if r.Low.IsZero() && r.High.IsZero() {
		return true
	}
	return (high.IsZero() || r.Low.Before(high)) && (low.IsZero() || r.High.After(low))
}

// stream merges searches of several types on one snapshot into one order: the newest version first,
// the greater key where two are as new.
type stream struct {
	search func(t fhir.Type, limit int, after Cursor) ([]Record, error)
	heads  []head
	after  Cursor
}

// head is how far one type has come.
type head struct {
	kind  fhir.Type
	rows  []Record
	after Cursor
	done  bool
}

// next gives the next row; false when there is none.
func (s *stream) next() (Record, bool, error) {
	first := -1
	for i := range s.heads {
		h := &s.heads[i]
		if len(h.rows) == 0 && !h.done {
			if err := s.fill(h); err != nil {
				return Record{}, false, err
			}
		}
		if len(h.rows) > 0 && (first < 0 || newer(h.rows[0], s.heads[first].rows[0])) {
			first = i
		}
	}
	if first < 0 {
		return Record{}, false, nil
	}
	r := s.heads[first].rows[0]
	s.heads[first].rows = s.heads[first].rows[1:]
	return r, true, nil
}

func (s *stream) fill(h *head) error {
	rows, err := s.search(h.kind, chunk, h.after)
	if err != nil && CodeOf(err) != NotFound {
		return err
	}
	h.rows, h.done = rows, len(rows) < chunk
	if len(rows) > 0 {
		last := rows[len(rows)-1]
		h.after = last.at()
	}
	return nil
}

func newer(a, b Record) bool {
	return cmp.Or(a.at().At.Compare(b.at().At), cmp.Compare(a.Key, b.Key)) > 0
}

// alongside reads what released bodies name of the directory, of the types asked for and at most
// maxAlongside, in the order of their references. Only what has been released is looked at: a
// reference in a part that stays behind brings nothing.
func (g *Gateway) alongside(ctx context.Context, v View, who asked, bodies []*fhir.Resource, types []fhir.Type) ([]Record, error) {
	named := make(map[fhir.Type][]fhir.ID)
	count := 0
	for _, body := range bodies {
		for _, value := range body.References() {
			ref, err := fhir.ParseReference(value.Get("reference").Text())
			if err != nil || !IsDirectory(ref.Type) || !slices.Contains(types, ref.Type) ||
				slices.Contains(named[ref.Type], ref.ID) || count == maxAlongside {
				continue
			}
			named[ref.Type] = append(named[ref.Type], ref.ID)
			count++
		}
	}
	p := directoryPermit(who, Operate)
	var found []Record
	for _, t := range types {
		ids := named[t]
		if len(ids) == 0 {
			continue
		}
		some, err := v.Search(ctx, p, t, identified(Search{Sort: Sort{Param: "_lastUpdated", Descending: true}}, t, ids...), 0, len(ids), Cursor{})
		if err != nil && CodeOf(err) != NotFound {
			return nil, err
		}
		for _, r := range some {
			if err := p.checked(r); err != nil {
				return nil, err
			}
		}
		slices.SortFunc(some, func(a, b Record) int { return cmp.Compare(a.Reference.ID, b.Reference.ID) })
		found = append(found, some...)
	}
	return found, nil
}

// bodies parses what the page has released so far.
func (p *page) bodies() ([]*fhir.Resource, error) {
	whole := p.bytes()
	bundle, err := fhir.ParseLimits(whole, many(whole))
	if err != nil {
		return nil, Failed("gateway.page", Internal, err)
	}
	var list []*fhir.Resource
	for _, entry := range bundle.Root().Get("entry").Items() {
		raw := entry.Get("resource").Raw()
		if entry.Get("search", "mode").Text() != "match" || len(raw) == 0 {
			continue
		}
		res, err := fhir.ParseLimits(raw, many(raw))
		if err != nil {
			return nil, Failed("gateway.page", Internal, err)
		}
		list = append(list, res)
	}
	return list, nil
}

// include adds what is there because a match names it (R4 search.html#include).
func (p *page) include(r Record, body []byte) {
	if p.count > 0 {
		p.entries = append(p.entries, ',')
	}
	p.count++
	p.entries = append(p.entries, `{"fullUrl":`...)
	p.entries = appendJSON(p.entries, p.search.Base+"/"+string(r.Reference.Type)+"/"+string(r.Reference.ID))
	p.entries = append(p.entries, `,"resource":`...)
	p.entries = append(p.entries, body...)
	p.entries = append(p.entries, `,"search":{"mode":"include"}}`...)
}
