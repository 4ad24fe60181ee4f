package gateway

import (
	"context"
	"slices"
)

// extend handles receivers that a repetition of a settled message names and the first did not. The
// message is stored: it is decided anew for them alone, from what it consists of, and each gets its
// own AppRec. Those that were answered before are not touched.
func (g *Gateway) extend(ctx context.Context, tx Tx, dir Directory, w *arrival, kept Envelope, t Translator) error {
	kept.Message = w.message
	statuses, err := tx.Statuses(ctx, w.message.ID)
	if err != nil {
		return err
	}
	state := Rejected
	w.reason, w.faults = kept.Content.Reason, kept.Content.Faults
	for _, s := range statuses {
		if s.Delivered {
			state = Acknowledged
		}
		if s.Status != NoAppRec {
			continue
		}
		at := slices.IndexFunc(w.message.Receivers, func(a Addressee) bool { return a.HERID == s.Receiver })
		if at < 0 {
			continue
		}
		v, err := g.readmit(ctx, tx, dir, w, kept, w.message.Receivers[at])
		if err != nil {
			return err
		}
		if v.Crosses {
			state = Acknowledged
		}
		w.verdicts = append(w.verdicts, v)
	}
	if w.reason != NoReason {
		w.message.Change = NoChange
	}
	if err := g.replace(ctx, tx, w, kept.Content, kept.Person); err != nil {
		return err
	}
	if err := g.ledger(ctx, tx, w, nil, kept.Person); err != nil {
		return err
	}
	return g.answer(ctx, tx, w, kept.Content, kept.Person, state, t)
}

// readmit decides for one receiver of a stored message, and lets it read what crosses.
func (g *Gateway) readmit(ctx context.Context, tx Tx, dir Directory, w *arrival, e Envelope, to Addressee) (Verdict, error) {
	v, party, open := w.addressed(dir, to, g.Clock())
	if !open {
		return v, nil
	}
	e.Receiver, e.Party, e.Withheld, e.Whole = to.HERID, party.ID, nil, w.message.Whole
	p, records, intact, err := g.stored(ctx, tx, dir, e)
	if err != nil {
		return Verdict{}, err
	}
	if !intact {
		v.Reasons = []Reason{ProcessingFailed}
		return v, nil
	}
	v.manual, v.until = p.Scope().Manual, p.decision.Until
	j, list := judged(p, e, records)
	v.take(&j, e.Content.Unreadable)
	w.records, v.masks, v.cited = records, make([]Labels, len(records)), make([][]Citation, len(records))
	withheld := len(j.paths(list)) > 0
	for i, r := range records {
		kept, covered := e.Content.Resources[i], p.covers(r)
		if !v.Crosses || !r.Labels.Within(covered) || kept.Whole && withheld || kept.Section != "" && !slices.Contains(j.crossing, kept.Section) {
			continue
		}
		v.masks[i], v.cited[i] = covered, p.citations(r)
		v.Citations = appendNew(v.Citations, v.cited[i]...)
		if party.ID == e.Message.Party {
			continue
		}
		for _, sent := range SentBy(nil, party.ID, e.Message.Kind, covered) {
			if err := tx.Share(ctx, e.Message.Party, r.Reference, sent); err != nil {
				return Verdict{}, err
			}
		}
	}
	return v, nil
}
