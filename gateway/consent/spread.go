package consent

import (
	"slices"
	"strconv"

	"github.com/sluse/sluse/gateway"
	"github.com/sluse/sluse/gateway/fhir"
)

func itoa(n int) string { return strconv.Itoa(n) }

// grant gives what all grants of one provision share.
func (b *builder) grant(leaf *provision, e gateway.Effect) gateway.Grant {
	return gateway.Grant{
		Consent: b.ref, Path: leaf.path, Effect: e, Objection: b.objection,
		Roles: gateway.Every[string](), Law: b.law, Paragraph: b.paragraph,
	}
}

// spread makes one grant for each interval and custodian that the receivers have of their own.
func (b *builder) spread(g gateway.Grant, to []slice, period span, custodians gateway.Set[gateway.HERID], wide bool) {
	type group struct {
		span
		custodian gateway.HERID
	}
	var order []group
	keys := map[group][]gateway.Recipient{}
	for _, s := range to {
		k := group{period.meet(s.span), s.custodian}
		if k.span.empty() {
			continue
		}
		if _, ok := keys[k]; !ok {
			order = append(order, k)
		}
		keys[k] = append(keys[k], s.who.keys(wide)...)
	}
	for _, k := range order {
		c := custodians
		if k.custodian != "" {
			if !custodians.Has(k.custodian) {
				continue
			}
			c = gateway.Only(k.custodian)
		}
		slices.Sort(keys[k])
		b.emit(g, gateway.Only(slices.Compact(keys[k])...), k.span, c)
	}
}

// boundActions are those that a party does not gain by registering a samtykke itself: it reads, is told of
// changes, and writes into a record, where the custodian does nothing of its own.
func boundActions(of gateway.Set[gateway.Action]) (bound []gateway.Action) {
	for _, a := range []gateway.Action{gateway.ReadAction, gateway.NotifyAction, gateway.ContributeAction} {
		if of.Has(a) {
			bound = append(bound, a)
		}
	}
	return bound
}

// emit adds a grant. A permit is split where what others do rests on fewer custodians than the rest, and
// gets a companion that covers the mere fact of being known, whatever it limits otherwise.
func (b *builder) emit(g gateway.Grant, to gateway.Set[gateway.Recipient], s span, custodians gateway.Set[gateway.HERID]) {
	g.Recipients, g.Custodians, g.Start, g.End = to, custodians, s.low, s.high
	if empty(custodians) || empty(g.Actions) || empty(g.Purposes) || g.Labels == 0 {
		return
	}
	if g.Effect == gateway.Deny {
		if !empty(g.Types) {
			b.grants = append(b.grants, g)
		}
		return
	}
	b.bind(g)
}

// bind adds a permit for the custodians that it binds: what a custodian itself sends needs no more than
// the samtykke; what another does rests on the custodian or the person having registered or confirmed
// it, or on an agreement, which never gives the registering party anything.
func (b *builder) bind(g gateway.Grant) {
	bound := boundActions(g.Actions)
	stands := func(h gateway.HERID) bool {
		return b.patient || h == b.registrar.ID || slices.Contains(b.confirmed, h)
	}
	if !slices.ContainsFunc(g.Custodians.Of, func(h gateway.HERID) bool { return !stands(h) }) {
		b.companion(g)
		return
	}
	own := g
	own.Actions = gateway.Only(bound...)
	own.Custodians = gateway.Only(slices.DeleteFunc(slices.Clone(g.Custodians.Of), func(h gateway.HERID) bool { return !stands(h) })...)
	if !empty(own.Custodians) {
		b.companion(own)
	}
	trusted := own
	trusted.Trust = b.registrar.ID
	trusted.Custodians = gateway.Only(slices.DeleteFunc(slices.Clone(g.Custodians.Of), stands)...)
	trusted.Recipients = gateway.Only(slices.DeleteFunc(slices.Clone(g.Recipients.Of), func(k gateway.Recipient) bool {
		return parseKey(k).party == b.registrar.ID
	})...)
	if !empty(trusted.Recipients) {
		b.companion(trusted)
	}
	g.Actions = gateway.Only(slices.DeleteFunc(slices.Clone(g.Actions.Of),
		func(a gateway.Action) bool { return slices.Contains(bound, a) })...)
	if !empty(g.Actions) {
		b.companion(g)
	}
}

// companion adds a permit and its samarbeid: "any permit that applies and names r's custodian also
// covers samarbeid". Where the permit limits nothing else, one grant holds both.
func (b *builder) companion(g gateway.Grant) {
	if g.Types.Any && g.Items.Any && g.DataLow.IsZero() && g.DataHigh.IsZero() {
		g.Labels |= gateway.Samarbeid
		b.grants = append(b.grants, g)
		return
	}
	if !empty(g.Types) {
		b.grants = append(b.grants, g)
	}
	g.Labels = gateway.Samarbeid
	g.Types, g.Items = gateway.Every[fhir.Type](), gateway.Every[fhir.Reference]()
	g.DataLow, g.DataHigh = span{}.low, span{}.high
	b.grants = append(b.grants, g)
}

func empty[T comparable](s gateway.Set[T]) bool { return !s.Any && len(s.Of) == 0 }

func setOf[T comparable](of []T, set bool) gateway.Set[T] {
	if !set {
		return gateway.Every[T]()
	}
	return gateway.Only(of...)
}

// dimension gives what every provision of the chain that names any names.
func dimension[T comparable](chain []*provision, of func(*provision) ([]T, bool)) gateway.Set[T] {
	out, set := []T(nil), false
	for _, p := range chain {
		values, has := of(p)
		if !has {
			continue
		}
		if !set {
			out, set = slices.Clone(values), true
			continue
		}
		out = slices.DeleteFunc(out, func(v T) bool { return !slices.Contains(values, v) })
	}
	return setOf(out, set)
}

func items(chain []*provision) ([]fhir.Reference, bool) {
	s := dimension(chain, func(p *provision) ([]fhir.Reference, bool) { return p.items, p.setItems })
	return s.Of, !s.Any
}

// struckTypes gives the types that a deny touches: those that every provision names that names any, and
// of the Binaries those of which each names the type of the holder or Binary itself.
func struckTypes(chain []*provision) gateway.Set[fhir.Type] {
	types := func(p *provision) ([]fhir.Type, bool) { return p.types, p.setTypes }
	out := dimension(chain, types)
	held := dimension(chain, func(p *provision) ([]fhir.Type, bool) {
		return p.types, p.setTypes && !slices.Contains(p.types, "Binary")
	})
	for _, holder := range held.Of {
		if !out.Has(holder) {
			out.Of = append(out.Of, gateway.HeldType(holder))
		}
	}
	return out
}

// struckItems is struckTypes for the items.
func struckItems(chain []*provision) gateway.Set[fhir.Reference] {
	named, set := items(chain)
	out := setOf(named, set)
	for _, p := range chain {
		for _, binary := range p.items {
			if binary.Type != "Binary" {
				continue
			}
			held := dimension(chain, func(p *provision) ([]fhir.Reference, bool) {
				return p.items, p.setItems && !slices.Contains(p.items, binary)
			})
			for _, holder := range held.Of {
				out.Of = append(out.Of, gateway.HeldItem(holder, binary.ID))
			}
		}
	}
	return out
}

// dataPeriod gives the intersection of the data periods; ok is false when it holds nothing.
func dataPeriod(chain []*provision) (s span, ok bool) {
	for _, p := range chain {
		s = s.meet(p.data)
	}
	return s, !s.empty()
}
