package gateway

import (
	"context"
	"slices"

	"github.com/sluse/sluse/gateway/fhir"
)

// Limits of what a search brings along.
const (
	maxIncluded = 1000 // resources on a page
	maxRounds   = 3    // of :iterate
)

// inclusion follows references from what is released on a page (R4 search.html#include). Only
// released bytes are looked at: a reference in a part that stays behind brings nothing.
type inclusion struct {
	base   string // of the server
	asked  []fhir.Include
	bodies []*fhir.Resource // released in the round before
	there  map[fhir.Reference]bool
}

func newInclusion(base string, asked []fhir.Include) *inclusion {
	return &inclusion{base: base, asked: asked, there: make(map[fhir.Reference]bool)}
}

// keep takes what has been released.
func (n *inclusion) keep(r Record, body []byte) error {
	if len(n.asked) == 0 || body == nil {
		return nil
	}
	res, err := fhir.ParseLimits(body, storedLimits)
	if err != nil {
		return Failed("gateway.include", Internal, err)
	}
	n.there[named1(r.Reference)] = true
	n.bodies = append(n.bodies, res)
	return nil
}

func named1(r fhir.Reference) fhir.Reference { return fhir.Reference{Type: r.Type, ID: r.ID} }

// targets gives what the bodies point at by an _include, and is not on the page yet.
func (n *inclusion) targets(i fhir.Include) (out []fhir.Reference) {
	for _, body := range n.bodies {
		if body.Type() != i.Param.Base {
			continue
		}
		for _, v := range fhir.IndexAt(n.base, body) {
			if v.Kind != fhir.ReferenceParam || v.Form != fhir.PlainForm || v.Bits&(1<<i.Param.Ordinal) == 0 {
				continue
			}
			ref, err := fhir.ParseReference(v.Code)
			if err != nil || i.Target != "" && ref.Type != i.Target || n.there[ref] || slices.Contains(out, ref) {
				continue
			}
			out = append(out, ref)
		}
	}
	return out
}

// origins gives the bodies that a _revinclude may point at.
func (n *inclusion) origins(i fhir.Include) (out []fhir.Operand) {
	for _, body := range n.bodies {
		t := body.Type()
		if slices.Contains(i.Param.Chains, t) && (i.Target == "" || i.Target == t) {
			out = append(out, fhir.Operand{Reference: fhir.Reference{Type: t, ID: body.ID()}})
		}
	}
	return out
}

// include brings along what the page points at, and what points at it, each inside the Scope: what
// is hidden is neither found nor counted. It ends at maxIncluded, and says so.
func (g *Gateway) include(ctx context.Context, v View, who asked, in Interaction, f found, n *inclusion, rows *released, page *page) error {
	if len(n.asked) == 0 {
		return nil
	}
	page.mode = "include"
	left := maxIncluded
	for round := range maxRounds {
		var brought []Record
		for _, i := range n.asked {
			if round > 0 && !i.Iterate {
				continue
			}
			some, err := g.lookAlong(ctx, v, who, in, f, n, i, left+1)
			if err != nil {
				return err
			}
			for _, r := range some {
				if ref := named1(r.Reference); !n.there[ref] {
					n.there[ref] = true
					brought = append(brought, r)
				}
			}
			if len(brought) > left {
				brought, page.cut = brought[:left], true
			}
		}
		if len(brought) == 0 {
			return nil
		}
		left -= len(brought)
		n.bodies = nil
		if err := g.bring(ctx, v, who, in, f, brought, rows, page); err != nil {
			return err
		}
		if page.cut {
			return nil
		}
	}
	for _, i := range n.asked { // what a further round would bring is left out
		if !i.Iterate {
			continue
		}
		some, err := g.lookAlong(ctx, v, who, in, f, n, i, maxIncluded)
		if err != nil {
			return err
		}
		page.cut = page.cut || slices.ContainsFunc(some, func(r Record) bool { return !n.there[named1(r.Reference)] })
	}
	return nil
}

// lookAlong finds what one _include or _revinclude brings.
func (g *Gateway) lookAlong(ctx context.Context, v View, who asked, in Interaction, f found, n *inclusion, i fhir.Include, limit int) ([]Record, error) {
	newest := Sort{Param: "_lastUpdated", Descending: true}
	find := func(t fhir.Type, c fhir.Criterion) ([]Record, error) {
		p := f.permit
		if IsDirectory(t) {
			p = directoryPermit(who, in.Code)
		}
		return v.Search(ctx, p, t, Search{Criteria: []fhir.Criterion{c}, Sort: newest}, 0, limit, Cursor{})
	}
	if i.Reverse {
		origins := n.origins(i)
		if len(origins) == 0 {
			return nil, nil
		}
		return find(i.Param.Base, criterion(i.Param, origins...))
	}
	byType := make(map[fhir.Type][]fhir.Operand)
	var types []fhir.Type
	for _, ref := range n.targets(i) {
		if ref.Type == "AuditEvent" || fhir.SearchParameterOf(ref.Type, "_id") == nil {
			continue
		}
		if byType[ref.Type] == nil {
			types = append(types, ref.Type)
		}
		byType[ref.Type] = append(byType[ref.Type], fhir.Operand{Code: string(ref.ID), AnySystem: true})
	}
	slices.Sort(types)
	var all []Record
	for _, t := range types {
		some, err := find(t, criterion(fhir.SearchParameterOf(t, "_id"), byType[t]...))
		if err != nil {
			return nil, err
		}
		all = append(all, some...)
	}
	return all, nil
}

// bring releases what is brought along, each row against its own permit.
func (g *Gateway) bring(ctx context.Context, v View, who asked, in Interaction, f found, brought []Record, rows *released, page *page) error {
	f.rows = brought
	permits, err := g.permitsOf(ctx, v, who, in.Code, f)
	if err != nil {
		return err
	}
	more, err := g.releaseRows(who, in.Code, brought, func(r Record) Permit {
		if IsDirectory(r.Reference.Type) {
			return directoryPermit(who, in.Code)
		}
		return permits(r)
	}, page)
	if err != nil {
		return err
	}
	rows.entries = append(rows.entries, more.entries...)
	rows.fetched = append(rows.fetched, more.fetched...)
	return nil
}
