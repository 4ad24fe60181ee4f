package gateway

import (
	"cmp"
	"context"
	"slices"

	"github.com/sluse/sluse/gateway/fhir"
)

// history lists the versions of one record that the actor may read, newest first.
func (g *Gateway) history(ctx context.Context, a Actor, in Interaction) (Outcome, error) {
	var seen looked
	err := g.Store.Snapshot(ctx, func(v View) (err error) {
		seen, err = g.historyAt(ctx, v, a, in)
		return err
	})
	if err != nil {
		return Outcome{}, err
	}
	if !IsDirectory(in.Target.Type) {
		if err := g.record(ctx, seen.entries, seen.fetched); err != nil {
			return Outcome{}, err
		}
	}
	return seen.out, seen.refusal
}

// historyAt lists versions on one snapshot.
func (g *Gateway) historyAt(ctx context.Context, v View, a Actor, in Interaction) (looked, error) {
	if in.Code != History {
		return g.timelineAt(ctx, v, a, in)
	}
	who, p, facts, err := g.permitted(ctx, v, a, in)
	if err != nil {
		return looked{}, err
	}
	bound := historyBinding(g, who, in)
	after, err := g.unseal(in.Search.Page, bound)
	if err != nil {
		return looked{}, err
	}
	rows, err := v.History(ctx, p, in.Target, in.Window, in.Search.Count+1, after)
	if err != nil && CodeOf(err) != NotFound {
		return looked{}, err
	}
	if len(rows) == 0 && !after.Set && in.Window.zero() {
		entry, err := g.refusal(who, in, facts.Person, NotFound)
		return looked{refusal: p.absent(in.Target), entries: []AuditEntry{entry}}, err
	}
	if len(rows) == 0 { // nothing in the window, or nothing at all: one answer for both
		return g.emptyHistory(ctx, v, who, p, facts, in)
	}
	one := func(Record) Permit { return p }
	if err := g.pastRows(ctx, v, rows, one); err != nil {
		return looked{}, err
	}
	return g.historyPage(who, in, rows, bound, one)
}

// emptyHistory answers for a window that holds no version: an empty page to who can read the record,
// and to everybody else that it is absent.
func (g *Gateway) emptyHistory(ctx context.Context, v View, who asked, p Permit, facts Facts, in Interaction) (looked, error) {
	_, err := v.Read(ctx, p, fhir.Reference{Type: in.Target.Type, ID: in.Target.ID})
	switch {
	case CodeOf(err) == NotFound:
		entry, err := g.refusal(who, in, facts.Person, NotFound)
		return looked{refusal: p.absent(in.Target), entries: []AuditEntry{entry}}, err
	case err != nil:
		return looked{}, err
	}
	entry, err := g.entry(who, in.Code, Released, facts.Person)
	entry.Type, entry.Query = in.Target.Type, in.Search.Canonical
	return looked{out: newPage("history", in.Search).told(), entries: []AuditEntry{entry}}, err
}

// timelineAt lists versions of a type or of the system. Nobody is named: each person on the page is
// decided by herself, on her own facts, and what lies outside the scope is neither a place in the order
// nor on a page.
func (g *Gateway) timelineAt(ctx context.Context, v View, a Actor, in Interaction) (looked, error) {
	who, err := g.resolve(ctx, v, a)
	if err != nil {
		return looked{}, err
	}
	bound := historyBinding(g, who, in)
	after, err := g.unseal(in.Search.Page, bound)
	if err != nil {
		return looked{}, err
	}
	p, err := g.permit(ctx, who, in.Code, Question{Action: ReadAction})
	if err != nil {
		return looked{}, err
	}
	types := in.Window.Types
	if in.Code == HistoryType {
		types = []fhir.Type{in.Target.Type}
	}
	var rows []Record
	for _, t := range types {
		reach := p
		if IsDirectory(t) {
			reach = directoryPermit(who, in.Code)
		}
		some, err := v.History(ctx, reach, fhir.Reference{Type: t}, in.Window, in.Search.Count+1, after)
		if err != nil && CodeOf(err) != NotFound {
			return looked{}, err
		}
		rows = append(rows, some...)
	}
	slices.SortFunc(rows, func(a, b Record) int {
		return cmp.Or(b.Updated.Compare(a.Updated), cmp.Compare(b.Key, a.Key))
	})
	rows = rows[:min(len(rows), in.Search.Count+1)]
	permits, err := g.permitsOf(ctx, v, who, in.Code, found{permit: p, rows: rows})
	if err != nil {
		return looked{}, err
	}
	if err := g.pastRows(ctx, v, rows, permits); err != nil {
		return looked{}, err
	}
	return g.historyPage(who, in, rows, bound, func(r Record) Permit {
		if IsDirectory(r.Reference.Type) {
			return directoryPermit(who, in.Code)
		}
		return permits(r)
	})
}

// historyPage releases one page of versions.
func (g *Gateway) historyPage(who asked, in Interaction, rows []Record, bound []byte, permitOf func(Record) Permit) (looked, error) {
	page := newPage("history", in.Search)
	if len(rows) > in.Search.Count {
		rows = rows[:in.Search.Count]
		last := rows[len(rows)-1]
		var err error
		if page.next, err = g.seal(Cursor{At: last.Updated, Key: last.Key, Set: true}, bound); err != nil {
			return looked{}, err
		}
	}
	done, err := g.releaseRows(who, in.Code, rows, permitOf, page)
	if err != nil {
		return looked{}, err
	}
	if in.Code != History {
		if err := g.asQuestion(who, in, &done); err != nil {
			return looked{}, err
		}
	}
	return looked{out: page.told(), entries: done.entries, fetched: done.fetched}, nil
}

// historyBinding is what the link to a next page is good for.
func historyBinding(g *Gateway, who asked, in Interaction) []byte {
	return binding(who.Actor, string(in.Code)+" "+in.Target.String()+" "+in.Search.Canonical, g.Decider.Revision())
}

func (w Window) zero() bool { return w.Since.IsZero() && w.High.IsZero() }

// pastRows checks anew in Go what the store found of past versions: that the current one, by its own
// labels, person and date and by those of its parts, allows them too. One that must not leave now is a
// broken promise, and nothing of the page is released. What a party owns whoever it is about, and what
// it has fetched, needs no current version.
func (g *Gateway) pastRows(ctx context.Context, v View, rows []Record, permitOf func(Record) Permit) error {
	byType := make(map[fhir.Type][]Record)
	for _, r := range rows {
		scope := permitOf(r).Scope()
		if t := r.Reference.Type; !IsDirectory(t) && r.Fetched == 0 && (scope.Self || !scope.owns(r)) {
			byType[t] = append(byType[t], r)
		}
	}
	for t, list := range byType {
		past, err := v.Superseded(ctx, t, list)
		if err != nil {
			return err
		}
		list = slices.DeleteFunc(list, func(r Record) bool { return !past[r.Reference.Version] })
		if err := g.pastOf(ctx, v, list, permitOf); err != nil {
			return err
		}
	}
	return nil
}

// pastOf checks past versions against the current ones, each of which is read once for each person that
// its versions are about.
func (g *Gateway) pastOf(ctx context.Context, v View, past []Record, permitOf func(Record) Permit) error {
	type line struct {
		record fhir.Reference
		person PersonID
	}
	current := make(map[line]Record)
	for _, r := range past {
		p, of := permitOf(r), line{record: fhir.Reference{Type: r.Reference.Type, ID: r.Reference.ID}, person: r.Person}
		now, known := current[of]
		if !known {
			var err error
			if now, err = v.Read(ctx, p, of.record); err != nil {
				if CodeOf(err) == NotFound {
					err = Failed("gateway.history", Internal, errNotCovered)
				}
				return err
			}
			current[of] = now
		}
		if !p.oldVersion(r, now) {
			return Failed("gateway.history", Internal, errNotCovered)
		}
	}
	return nil
}
