package consent

import (
	"slices"
	"time"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

// builder makes the grants of one Consent.
type builder struct {
	resolver
	ref             fhir.Reference
	root            *provision
	active          bool
	patient         bool
	objection       bool
	law             string
	paragraph       string
	dated           time.Time       // Consent.dateTime
	confirmed       []gateway.HERID // custodians that have confirmed this version
	organization    []actor
	setOrganization bool
	grants          []gateway.Grant
}

// walk makes the grants of every effective provision. A root deny of a samtykke that holds permits
// only frames them; without any it is a deny itself, as an objection always is.
func (b *builder) walk(root *provision) {
	if root.effect == gateway.Allow {
		b.permit([]*provision{root})
		for _, c := range root.children {
			b.deny([]*provision{root, c})
		}
		return
	}
	permits := false
	for _, c := range root.children {
		if c.effect != gateway.Allow {
			continue
		}
		permits = true
		b.permit([]*provision{root, c})
		for _, d := range c.children {
			b.deny([]*provision{root, c, d})
		}
	}
	if !permits || b.objection {
		b.deny([]*provision{root})
	}
}

func doubtful(chain []*provision) bool {
	return slices.ContainsFunc(chain, func(p *provision) bool { return p.doubt })
}

// permit makes the grants of the last provision of the chain, on the intersection of all. What it lacks is a fault, with
// which no permit of the Consent counts.
func (b *builder) permit(chain []*provision) {
	leaf := chain[len(chain)-1]
	to, setTo, _ := b.to(chain, false)
	if !setTo {
		b.lacks(CodeLacksRecipient, leaf.path+".actor")
	}
	labels, items, setItems := b.what(chain)
	if labels == 0 {
		b.lacks(CodeLacksWhat, leaf.path+".securityLabel")
	}
	period := b.length(chain)
	custodians := b.from(chain, false)
	g := b.grant(leaf, gateway.Allow)
	g.Labels = labels
	g.Items = setOf(items, setItems)
	g.Types = dimension(chain, func(p *provision) ([]fhir.Type, bool) { return p.types, p.setTypes })
	g.Purposes = dimension(chain, func(p *provision) ([]gateway.Purpose, bool) { return p.purposes, p.setPurpose })
	g.Actions = dimension(chain, func(p *provision) ([]gateway.Action, bool) {
		if !p.setActions && p == leaf {
			return []gateway.Action{gateway.ReadAction, gateway.MessageAction, gateway.NotifyAction}, true
		}
		return p.actions, p.setActions
	})
	data, ok := dataPeriod(chain)
	if !ok {
		g.Types, data = gateway.Only[fhir.Type](), span{} // no record; still a permit that names the custodian
	}
	g.DataLow, g.DataHigh = data.low, data.high
	b.spread(g, to, period, custodians, false)
}

// lacks reports what a samtykke must say before it can be active.
func (b *builder) lacks(code, path string) {
	if b.active {
		b.fault("required", code, path)
	}
}

// what gives labels and items of a permit. Items without labels stand for all labels of those
// items but uklassifisert, which needs both to be named.
func (b *builder) what(chain []*provision) (gateway.Labels, []fhir.Reference, bool) {
	items, setItems := items(chain)
	labels, setLabels := gateway.AllLabels, false
	for _, p := range chain {
		if p.setLabels {
			labels, setLabels = labels&p.labels, true
		}
	}
	switch {
	case setItems && len(items) == 0:
		labels = 0
	case setItems && !setLabels:
		labels &^= gateway.Uklassifisert
	case !setLabels:
		labels = 0
	case !setItems:
		if labels&gateway.Uklassifisert != 0 {
			b.add("warning", "informational", CodeNeverCovered, chain[len(chain)-1].path+".data")
		}
		labels &^= gateway.Uklassifisert
	}
	return labels, items, setItems
}

// length gives the period of a permit and checks that it ends in time: the end, counted by days,
// at most the months of the policy after the start. What says no start, starts at its dateTime.
func (b *builder) length(chain []*provision) span {
	var s span
	for _, p := range chain {
		s = s.meet(p.period)
	}
	leaf := chain[len(chain)-1]
	path := leaf.path + ".period.end"
	if leaf.period.high.IsZero() && s.high.After(time.Time{}) {
		path = chain[0].path + ".period.end"
	}
	if s.high.IsZero() {
		b.lacks(CodeLacksEnd, path)
		return s
	}
	start := s.low
	if start.IsZero() {
		start = b.dated
	}
	if start.IsZero() {
		b.lacks(CodeLacksStart, "Consent.dateTime")
		return span{low: s.high, high: s.high}
	}
	if !start.Before(s.high) {
		b.lacks(CodeEmptyPeriod, path)
		return span{low: s.high, high: s.high}
	}
	last := day(s.high.Add(-1))
	if last.After(day(start).AddDate(0, b.maxMonths, 0)) {
		if b.active {
			b.fault("business-rule", CodeTooLong, path, itoa(b.maxMonths))
		}
		return span{low: s.high, high: s.high}
	}
	s.low = start
	return s
}

// day gives the calendar day in Oslo that the instant is in.
func day(t time.Time) time.Time {
	y, m, d := t.In(fhir.Oslo()).Date()
	return time.Date(y, m, d, 0, 0, 0, 0, time.UTC)
}

// deny makes the grants of the last provision of the chain. What it takes from the permit above
// it, it takes on the intersection; what the permit covers besides, the mere fact that the person
// is known, it takes along only if it names samarbeid or names no labels.
func (b *builder) deny(chain []*provision) {
	leaf := chain[len(chain)-1]
	to, setTo, all := b.to(chain, true)
	custodians := b.from(chain, true)
	g := b.grant(leaf, gateway.Deny)
	if doubtful(chain) {
		g.Labels, g.Custodians, g.Recipients = gateway.AllLabels, gateway.Every[gateway.HERID](), gateway.Every[gateway.Recipient]()
		g.Types, g.Items = gateway.Every[fhir.Type](), gateway.Every[fhir.Reference]()
		g.Purposes, g.Actions = gateway.Every[gateway.Purpose](), gateway.Every[gateway.Action]()
		b.grants = append(b.grants, g)
		return
	}
	var period span
	for _, p := range chain {
		period = period.meet(p.period)
	}
	if period.empty() {
		return
	}
	g.Purposes = dimension(chain, b.descended)
	g.Actions = dimension(chain, func(p *provision) ([]gateway.Action, bool) { return p.actions, p.setActions })
	open := !setTo || all
	within := func(types []*provision, labels gateway.Labels) {
		g := g
		g.Labels = labels
		data, ok := dataPeriod(types)
		if !ok {
			return
		}
		g.DataLow, g.DataHigh = data.low, data.high
		if g.Types, g.Items = struckTypes(types), struckItems(types); empty(g.Items) {
			return
		}
		if open {
			b.emit(g, gateway.Every[gateway.Recipient](), period, custodians)
		} else {
			b.spread(g, to, period, custodians, true)
		}
	}
	own := gateway.AllLabels
	for _, p := range chain {
		if p.setLabels {
			own &= p.labels
		}
	}
	limits := slices.ContainsFunc(chain[:len(chain)-1], func(p *provision) bool { return p.setTypes || p.setItems || p.setData })
	if !limits && (!leaf.setLabels || leaf.labels&gateway.Samarbeid != 0) {
		own |= gateway.Samarbeid
		within(chain, own)
		return
	}
	within(chain, own)
	if !leaf.setLabels || leaf.labels&gateway.Samarbeid != 0 {
		within(chain[len(chain)-1:], gateway.Samarbeid)
	}
}

// descended gives the purposes of a provision with all below them, and "?" for who tells none.
func (b *builder) descended(p *provision) ([]gateway.Purpose, bool) {
	if !p.setPurpose {
		return nil, false
	}
	out := slices.Clone(p.purposes)
	for _, c := range p.purposes {
		for _, below := range b.purposes[string(c)].Below {
			out = append(out, gateway.Purpose(below))
		}
	}
	return append(out, untold), true
}

// to gives the receivers of a chain: those that every provision which names any names.
func (b *builder) to(chain []*provision, wide bool) (out []slice, set, all bool) {
	parties := b.parties(chain, wide)
	for _, p := range chain {
		if !p.setTo {
			continue
		}
		found, every := b.recipients(p, wide, parties)
		if every {
			all = all || !set
			set = true
			continue
		}
		if !set || all {
			out, set, all = found, true, false
			continue
		}
		var both []slice
		for _, x := range out {
			for _, y := range found {
				w, ok := x.who.meet(y.who, wide)
				s := x.span.meet(y.span)
				if !ok || s.empty() ||
					(x.custodian != "" && y.custodian != "" && x.custodian != y.custodian) {
					continue
				}
				c := x.custodian
				if c == "" {
					c = y.custodian
				}
				both = append(both, slice{who: w, span: s, custodian: c})
			}
		}
		out = both
	}
	return out, set, all
}

// parties are those within which a Practitioner is known by the HPR number: for a permit the
// recipient parties that the chain itself names, for a deny all that the Consent names.
func (b *builder) parties(chain []*provision, wide bool) []gateway.HERID {
	if wide {
		chain = nil
		var collect func(*provision)
		collect = func(p *provision) {
			chain = append(chain, p)
			for _, c := range p.children {
				collect(c)
			}
		}
		collect(b.root)
	}
	var out []gateway.HERID
	for _, p := range chain {
		for _, a := range p.recipients {
			ref, _ := fhir.ParseReference(a.ref) // what is no reference, and a team, has no address
			if ref.Type == "Practitioner" {
				continue
			}
			for _, w := range b.address(ref, wide, nil) {
				out = append(out, w.party)
			}
		}
	}
	return out
}

// from gives the custodians of a chain: those named, else Consent.organization, else for a permit
// and what is nested in one the registering party, for any other deny all.
func (b *builder) from(chain []*provision, wide bool) gateway.Set[gateway.HERID] {
	set, permit := false, false
	var out []gateway.HERID
	limit := func(actors []actor) {
		var found []gateway.HERID
		for _, a := range actors {
			parties, ok := b.custodian(a, wide)
			if !ok && wide {
				parties = nil
				found = append(found, anyParty)
			}
			found = append(found, parties...)
		}
		if !set {
			out, set = found, true
			return
		}
		if slices.Contains(found, gateway.HERID(anyParty)) {
			return
		}
		if slices.Contains(out, gateway.HERID(anyParty)) {
			out = found
			return
		}
		out = slices.DeleteFunc(out, func(h gateway.HERID) bool { return !slices.Contains(found, h) })
	}
	for _, p := range chain {
		permit = permit || p.effect == gateway.Allow
		if p.setFrom {
			limit(p.custodians)
		}
	}
	if !set && b.setOrganization {
		limit(b.organization)
	}
	if !set && permit {
		return gateway.Only(b.registrar.ID)
	}
	if !set || slices.Contains(out, gateway.HERID(anyParty)) {
		return gateway.Every[gateway.HERID]()
	}
	slices.Sort(out)
	return gateway.Only(slices.Compact(out)...)
}

// custodian resolves a CST actor or Consent.organization: a party, in a deny with its parts.
func (b *builder) custodian(a actor, wide bool) ([]gateway.HERID, bool) {
	ref, _ := fhir.ParseReference(a.ref) // of no type when it is none
	if ref.Type != "Organization" {
		b.nobody(a.path)
		return nil, false
	}
	ref.Version = ""
	found, _ := b.dir.Resolve(ref)
	if found.Party == "" || found.Unit != "" {
		b.nobody(a.path)
		return nil, false
	}
	out := []gateway.HERID{found.Party}
	if wide {
		out = append(out, found.Parts...)
	}
	return out, true
}
