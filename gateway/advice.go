package gateway

import (
	"slices"
	"strings"
	"time"

	"github.com/sluse/sluse/gateway/fhir"
)

// overlaps tells whether the sets have anything in common.
func (s Set[T]) overlaps(o Set[T]) bool {
	switch {
	case s.Any:
		return o.Any || len(o.Of) > 0
	case o.Any:
		return len(s.Of) > 0
	}
	return slices.ContainsFunc(s.Of, o.Has)
}

// covers tells whether the deny takes away whatever the permit gives, for the labels that both name.
func (g *Grant) covers(p *Grant) bool {
	return subset(p.Recipients, g.Recipients) && subset(p.Custodians, g.Custodians) && subset(p.Roles, g.Roles) &&
		subset(p.Purposes, g.Purposes) && subset(p.Actions, g.Actions) && subset(p.Types, g.Types) && subset(p.Items, g.Items) &&
		inside(p.Start, p.End, g.Start, g.End) && inside(p.DataLow, p.DataHigh, g.DataLow, g.DataHigh)
}

// overlaps tells whether there is anything that both grants are about, but for labels and time.
func (g *Grant) overlaps(o *Grant) bool {
	return g.Recipients.overlaps(o.Recipients) && g.Custodians.overlaps(o.Custodians) && g.Roles.overlaps(o.Roles) &&
		g.Purposes.overlaps(o.Purposes) && g.Actions.overlaps(o.Actions) && g.Types.overlaps(o.Types) && g.Items.overlaps(o.Items)
}

// meets tells whether the periods of the grants have an instant in common.
func (g *Grant) meets(o *Grant) bool {
	return (g.End.IsZero() || o.Start.Before(g.End)) && (o.End.IsZero() || g.Start.Before(o.End))
}

// longestGap is how far apart two samtykker may be to be of one course.
const longestGap = 366 * 24 * time.Hour

// advice remarks on what a draft will not do: permits that are over, that a deny of its own or another
// Consent swallows, and gaps between it and the samtykke before or after it. known holds what the writer
// may know of; what the draft replaces is not in it.
func advice(draft, known []Grant, now time.Time) (list []fhir.Issue) {
	told := make(map[string]bool)
	remark := func(severity, code, expression string, args ...string) {
		i := fhir.Issue{Severity: severity, Type: "business-rule", Code: code, Expression: expression, Args: args}
		if key := code + expression + strings.Join(args, "|"); !told[key] {
			told[key] = true
			list = append(list, i)
		}
	}
	for i := range draft {
		p := &draft[i]
		if p.Effect == Deny {
			for j := range known {
				if k := &known[j]; k.Effect == Allow && p.overlaps(k) && p.meets(k) && taken(p, k) != 0 {
					remark("information", "consent.takes-away", p.Path, names(taken(p, k)), k.Consent.String())
				}
			}
			continue
		}
		if !p.End.IsZero() && !now.Before(p.End) {
			remark("warning", "consent.over", p.Path+".period.end")
		}
		swallowed(p, draft, known, remark)
		if end, start, other := gap(p, known); other != "" {
			remark("warning", "consent.gap", p.Path+".period", dayOf(end), dayOf(start.Add(-1)), other)
		}
	}
	return list
}

// taken are the labels of a permit that a deny takes away; the mere fact of being known is not counted,
// unless the permit gives nothing else.
func taken(deny, permit *Grant) Labels {
	labels := permit.Labels
	if labels != Samarbeid {
		labels &^= Samarbeid
	}
	return labels & deny.Labels
}

// swallowed finds the denies that leave nothing of a permit, or that take something of it from outside.
func swallowed(p *Grant, draft, known []Grant, remark func(severity, code, expression string, args ...string)) {
	if p.Labels == Samarbeid { // the companion of a permit, not what was meant by it
		return
	}
	for i := range draft {
		if d := &draft[i]; d.Effect == Deny && d.covers(p) && taken(d, p) == p.Labels&^Samarbeid {
			remark("warning", "consent.swallowed", p.Path, d.Path)
		}
	}
	for i := range known {
		if d := &known[i]; d.Effect == Deny && d.overlaps(p) && d.meets(p) && taken(d, p) != 0 {
			remark("warning", "consent.denied", p.Path, names(taken(d, p)), d.Consent.String()+" "+d.Path)
		}
	}
}

// gap finds the time between a permit and the samtykke to the same receivers that ends before it begins,
// or begins after it ends, when nothing fills it.
func gap(p *Grant, known []Grant) (from, to time.Time, consent string) {
	kin := func(k *Grant) bool {
		return k.Effect == Allow && k.overlaps(p) && taken(p, k) != 0
	}
	for i := range known {
		k := &known[i]
		if !kin(k) || p.meets(k) {
			continue
		}
		low, high := k.End, p.Start
		if p.End.Before(k.Start) || p.End.Equal(k.Start) {
			low, high = p.End, k.Start
		}
		filled := slices.ContainsFunc(known, func(o Grant) bool {
			return kin(&o) && !o.Start.After(low) && !o.End.Before(high)
		})
		if low.Before(high) && high.Sub(low) < longestGap && !filled && (consent == "" || high.Sub(low) < to.Sub(from)) {
			from, to, consent = low, high, k.Consent.String()
		}
	}
	return from, to, consent
}

// names lists the codes of labels.
func names(l Labels) string { return strings.Join(l.Codes(), ", ") }

// advised remarks on a draft within what its writer may know: the patient of everything about herself, a
// party of what concerns its own records.
func (g *Gateway) advised(who asked, draft []Grant, facts Facts, replaced fhir.ID) ([]fhir.Issue, error) {
	known, err := DecodeGrants(facts.Grants)
	if err != nil {
		return nil, Failed("gateway.advice", Internal, err)
	}
	if who.Kind != Patient {
		known = concerning(known, []HERID{who.party.ID})
	}
	known = slices.DeleteFunc(known, func(g Grant) bool { return g.Consent.ID == replaced })
	return advice(draft, known, g.Clock()), nil
}
