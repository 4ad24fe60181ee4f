package gateway

import (
	"context"
	"errors"
)

// PageOf asks a search as it is asked and keeps what the store answered. What it gives does the rest of
// the work of the page: the decision, and every row decided anew, cut and laid down; by the Outlines that were stored, or
// without them.
func PageOf(ctx context.Context, g *Gateway, a Actor, in Interaction, outlined bool) (page func(epoch int64) (rows, size int, err error), err error) {
	err = g.Store.Snapshot(ctx, func(v View) error {
		who, err := g.resolve(ctx, v, a)
		if err != nil {
			return err
		}
		found, err := g.find(ctx, v, who, in)
		if err != nil || len(found.rows) == 0 {
			return err
		}
		facts, err := v.FactsFor(ctx, []PersonID{found.rows[0].Person})
		if err != nil {
			return err
		}
		for i := range found.rows {
			if (found.rows[i].Outline != nil) != outlined {
				if outlined {
					return errors.New("a row without an Outline")
				}
				found.rows[i].Outline = nil
			}
		}
		q := Question{Action: ReadAction, Named: true, Facts: facts[0], Type: in.Target.Type}
		page = func(epoch int64) (int, int, error) {
			q := q
			q.Facts.Epoch += epoch // nothing is remembered of the person
			p, err := g.permit(ctx, who, in.Code, q)
			if err != nil {
				return 0, 0, err
			}
			set := newPage("searchset", in.Search)
			_, err = g.releaseRows(who, in.Code, found.rows, func(Record) Permit { return p }, set)
			return len(found.rows), set.release().Len(), err
		}
		return nil
	})
	return page, err
}
