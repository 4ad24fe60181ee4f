package gateway

import (
	"context"

	"github.com/sluse/sluse/gateway/fhir"
)

// maxTypes bounds the types that one search may look through together.
const maxTypes = 40

// findIn searches several types at once, the newest version first: a merge of one search for each
// type on the same snapshot, each within the scope for its type.
func (g *Gateway) findIn(ctx context.Context, v View, who asked, in Interaction, f found) (found, error) {
	if len(in.Search.Types) > maxTypes {
		return found{}, Fault("gateway.search", TooCostly, fhir.Issue{Severity: "error", Type: "too-costly", Code: "search.too-costly"})
	}
	type one struct {
		search Search
		permit Permit
		person PersonID
	}
	searches := make(map[fhir.Type]one, len(in.Search.Types))
	merged := stream{after: f.after, search: func(t fhir.Type, limit int, after Cursor) ([]Record, error) {
		s := searches[t]
		return v.Search(ctx, s.permit, t, s.search, s.person, limit, after)
	}}
	for _, t := range in.Search.Types {
		s := in.Search
		s.Sort, s.By = Sort{Param: "_lastUpdated", Descending: s.Sort.Descending}, nil
		per := f
		per.named = false
		person, err := g.reach(ctx, v, who, in.Code, t, &s, &per)
		if err != nil {
			return found{}, err
		}
		searches[t] = one{search: s, permit: per.permit, person: person}
		merged.heads = append(merged.heads, head{kind: t, after: f.after})
		f.wide = f.wide || per.wide
		if !IsDirectory(t) { // the one that the rows of the page are decided by
			f.permit, f.named = per.permit, per.named && !s.Subject.IsZero()
		} else if len(in.Search.Types) == 1 || f.permit.code == "" {
			f.permit = per.permit
		}
		if limit, ok := totalOf(in.Search); ok {
			n, err := v.Total(ctx, per.permit, t, s, person, limit)
			if err != nil {
				return found{}, err
			}
			f.total, f.counted = f.total+n, true
			if limit > 0 {
				f.total = min(f.total, limit)
			}
		}
	}
	for len(f.rows) <= in.Search.Count && in.Search.Count > 0 && in.Search.Summary != fhir.SummaryCount {
		r, ok, err := merged.next()
		if err != nil {
			return found{}, err
		}
		if !ok {
			break
		}
		f.rows = append(f.rows, r)
	}
	return f, nil
}
